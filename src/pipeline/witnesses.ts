import type { Lsn } from '../pg/lsn.js';
import type { RowTypes } from '../tracking/row-types.js';
import { redactedKey, type Attribution, type MeantByMessage } from './attribution.js';
import type { LateAttributions } from './late-attributions.js';
import { sentIn } from './old-row.js';
import { OtherModifier } from './other-modifier.js';
import type { RelationPlan } from './relation-plan.js';
import type { RowChange } from './row-change.js';
import { personOf, TransactionWitnesses, type Speaker, type Testimony } from './witness-facts.js';
import { testimonyOf, witnessedRow, type Named, type WitnessPlan } from './witness-plan.js';

/** An entry of the running transaction that may have to be attributed again. */
export interface Written {
  readonly place: number;
  /** Names of the row. No witness can refer to a row without names. */
  readonly rows: readonly string[];
  /** Whether the row itself is a witness. */
  readonly isWitness: boolean;
  readonly testimony: Testimony | null;
  /**
   * The person that the message for this change means. Null: it was not understood. Undefined: no message
   * names anybody.
   */
  said: MeantByMessage | null | undefined;
  /** What is stored beside the values: `extra` of the transaction, and `beside` of the change. */
  extra: Buffer | null;
  beside: Buffer | null;
  /** As {@link RowChange} has it. */
  readonly hint: OtherModifier | null;
}

/**
 * Most entries that are kept. The buffer of rows is sent before it has more. A transaction with more entries
 * is read again, if there is a witness.
 */
const MAX_WRITTEN = 20_000;

/**
 * What the application's audit rows state about the running transaction (DECISIONS 86). This is known only at
 * its end. Until then, changes are attributed without audit rows, and at the end again. If rows were sent to
 * the trail before, the transaction is read again with what the audit rows state.
 */
export class Witnesses {
  readonly #attribution: Attribution;
  readonly #late: LateAttributions;
  readonly #configuration: string;
  readonly #rowTypes: () => RowTypes;
  readonly #areSent: () => boolean;
  readonly #running: { readonly commitLsn: Lsn };
  #said: TransactionWitnesses | null = null;
  /** Whether this is the second reading, in which it is known what they state. */
  #isKnown = false;
  /** Place of the current change among changes and witnesses. */
  #place = 0;
  #rows: readonly string[] = NO_ROWS;
  #isWitness = false;
  #testimony: Testimony | null = null;
  /** Entries of the transaction. Null: there are too many. */
  #written: Written[] | null = [];
  /** Changes that made no entry. */
  #unwritten: { readonly place: number; readonly rows: readonly string[] }[] = [];

  constructor(options: {
    readonly attribution: Attribution;
    readonly lateAttributions: LateAttributions;
    /** Digest of the configuration. */
    readonly configuration: string;
    /** Returns tables of the source by the types of frameworks, as far as they are known. */
    readonly rowTypes: () => RowTypes;
    /** Returns whether the source sends all witnesses. */
    readonly areSent: () => boolean;
    readonly running: { readonly commitLsn: Lsn };
  }) {
    this.#attribution = options.attribution;
    this.#late = options.lateAttributions;
    this.#configuration = options.configuration;
    this.#rowTypes = options.rowTypes;
    this.#areSent = options.areSent;
    this.#running = options.running;
  }

  /** What witnesses state about the current change, as far as already known. Null: nothing. */
  get testimony(): Testimony | null {
    return this.#testimony;
  }

  /** Begins another transaction. */
  begin(): void {
    const late = this.#late.witnessesOf(this.#running.commitLsn);
    this.#isKnown = late !== null && late.configuration === this.#configuration;
    this.#said = this.#isKnown ? late!.witnesses : null;
    this.#place = 0;
    if (this.#written === null) this.#written = [];
    else this.#written.length = 0;
    this.#unwritten.length = 0;
  }

  /** Handles the next change of the transaction. Its table is tracked, or its rows are witnesses. */
  next(plan: RelationPlan, change: RowChange, isInsert: boolean): void {
    this.#place++;
    this.#isWitness = isInsert && plan.witness !== null;
    this.#rows = rowsOf(plan, change);
    this.#testimony = null;
    // A tracked witness is attributed by what it states itself.
    if (this.#isWitness) this.#testimony = this.#hear(plan, change);
    else if (this.#isKnown) this.#testimony = this.#said!.testimonyFor(this.#place, this.#rows);
    else this.#said?.changed(this.#place, this.#rows);
  }

  /**
   * Notes that the current change has become an entry.
   *
   * @param said as in {@link Written}
   */
  wrote(said: Written['said'], extra: Buffer | null, { beside, hint }: RowChange): void {
    if (this.#isKnown || this.#written === null) return;
    if (this.#written.length >= MAX_WRITTEN) {
      this.#written = null;
      return;
    }
    this.#written.push({
      place: this.#place,
      rows: this.#rows,
      isWitness: this.#isWitness,
      testimony: this.#testimony,
      said,
      extra,
      beside,
      hint,
    });
  }

  /** Notes that the current change has made no entry. */
  passed(): void {
    if (this.#isKnown || this.#rows.length === 0) return;
    if (this.#unwritten.length >= MAX_WRITTEN) this.#written = null;
    else this.#unwritten.push({ place: this.#place, rows: this.#rows });
  }

  /** Entries of the running transaction so far, in their order. Null: they are not kept. */
  get written(): readonly Written[] | null {
    return this.#isKnown ? null : this.#written;
  }

  /** Returns, at the end of the transaction, whether witnesses name anybody who was not known before. */
  conclude(): boolean {
    const said = this.#said;
    if (this.#isKnown || said === null) return false;
    if (!this.#areSent()) said.isIncomplete();
    if (!said.nameSomebody) return false;
    for (const { place, rows } of [...this.#unwritten, ...(this.#written ?? [])]) said.changed(place, rows);
    return true;
  }

  /** Returns what witnesses state about an entry. Call it after {@link conclude}. */
  testimonyFor({ place, rows, isWitness, testimony }: Written): Testimony | null {
    return isWitness ? testimony : this.#said!.testimonyFor(place, rows);
  }

  /**
   * Keeps what the witnesses state for a second reading of the transaction. Called if rows were sent to the
   * trail without it.
   */
  readAgain(): void {
    this.#late.keepWitnesses(this.#running.commitLsn, {
      witnesses: this.#said!,
      configuration: this.#configuration,
    });
  }

  /** Keeps what a new witness states. Returns what it states about its own row, if its table is tracked. */
  #hear({ witness, tracked }: RelationPlan, change: RowChange): Testimony | null {
    const plan = witness!;
    const { named, row } = testimonyOf(plan, change);
    const speaker = named.is === 'somebody' ? (): Speaker => this.#speakerOf(named) : null;
    if (!this.#isKnown) {
      const said = (this.#said ??= new TransactionWitnesses());
      const rows = this.#witnessed(plan, witnessedRow(row, change));
      if (named.is === 'unknown') said.addUnknown(this.#place, rows);
      else if (named.is === 'nobody') said.addNobody(this.#place, rows);
      else said.addSpeaker(this.#place, rows, personOf(named.table, named.key), speaker!);
    }
    return tracked === null || speaker === null ? null : { speaker: speaker(), isOfRow: true };
  }

  #witnessed(plan: WitnessPlan, row: ReturnType<typeof witnessedRow>): readonly string[] {
    if (row === null) return NO_ROWS;
    if ('table' in row) return [rowOf(row.table, row.key)];
    const table = this.#rowTypes().tableOf(row.type, plan.schema);
    // A type without a table of its own may share a table that has a column for the type.
    return [table === null ? rowOfType(row.type, row.key) : rowOf(table, row.key)];
  }

  #speakerOf({ table, key, redactor }: Extract<Named, { readonly is: 'somebody' }>): Speaker {
    const stored = redactor === null ? key : redactedKey(redactor, key);
    const person = this.#attribution.people(table).person(stored);
    return { table, key, person, other: new OtherModifier(person, { redactor, rung: 'witness' }) };
  }
}

const NO_ROWS: readonly string[] = [];

/** Returns the names by which a witness may refer to the row of a change. */
function rowsOf({ tracked, qualifiedName }: RelationPlan, change: RowChange): readonly string[] {
  if (tracked === null || tracked.rowKey < 0 || change.row === null) return NO_ROWS;
  const key = sentIn(tracked.rowKey, change.row, change.previous)?.text(tracked.rowKey) ?? null;
  if (key === null) return NO_ROWS;
  const type =
    tracked.rowType < 0
      ? null
      : (sentIn(tracked.rowType, change.row, change.previous)?.text(tracked.rowType) ?? null);
  const row = rowOf(qualifiedName, key);
  return type === null ? [row] : [row, rowOfType(type, key)];
}

const rowOf = (table: string, key: string): string => `t${table}\n${key}`;
const rowOfType = (type: string, key: string): string => `c${type}\n${key}`;
