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

/** An entry of the running transaction, as it may have to be attributed anew. */
export interface Written {
  readonly place: number;
  /** Names of the row; a row without any is named by no witness. */
  readonly rows: readonly string[];
  /** It is itself a witness. */
  readonly isWitness: boolean;
  readonly testimony: Testimony | null;
  /**
   * Whom the message means that speaks for the change; null: it was not understood; undefined: none names
   * anybody.
   */
  said: MeantByMessage | null | undefined;
  /** What the transaction has to say beside the values, and what the change has. */
  extra: Buffer | null;
  beside: Buffer | null;
  /** As {@link RowChange} has it. */
  readonly hint: OtherModifier | null;
}

/**
 * More entries than the buffer of rows holds before they leave it: a transaction that has more of them is
 * read again, if there is a witness.
 */
const MAX_WRITTEN = 20_000;

/**
 * What the audit rows of the application say of the running transaction (DECISIONS 86). Only its end tells:
 * until then changes are attributed without them, and then anew. Where rows have left for the trail by then,
 * the transaction is read again with what they say.
 */
export class Witnesses {
  readonly #attribution: Attribution;
  readonly #late: LateAttributions;
  readonly #configuration: string;
  readonly #rowTypes: () => RowTypes;
  readonly #areSent: () => boolean;
  readonly #running: { readonly commitLsn: Lsn };
  #said: TransactionWitnesses | null = null;
  /** It is the second reading: what they say is known. */
  #isKnown = false;
  /** Of the change at hand, among changes and witnesses. */
  #place = 0;
  #rows: readonly string[] = NO_ROWS;
  #isWitness = false;
  #testimony: Testimony | null = null;
  /** Null: rows of the transaction have left, or are too many. */
  #written: Written[] | null = [];
  /** Changes that made no entry. */
  #unwritten: { readonly place: number; readonly rows: readonly string[] }[] = [];

  constructor(options: {
    readonly attribution: Attribution;
    readonly lateAttributions: LateAttributions;
    /** Digest of the configuration. */
    readonly configuration: string;
    /** Tables of the source by the types of frameworks, as far as they are known. */
    readonly rowTypes: () => RowTypes;
    /** Whether the source sends every witness there is. */
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

  /** What witnesses say of the change at hand, as far as that is known already; null: nothing. */
  get testimony(): Testimony | null {
    return this.#testimony;
  }

  /** Another transaction has begun. */
  begin(): void {
    const late = this.#late.witnessesOf(this.#running.commitLsn);
    this.#isKnown = late !== null && late.configuration === this.#configuration;
    this.#said = this.#isKnown ? late!.witnesses : null;
    this.#place = 0;
    if (this.#written === null) this.#written = [];
    else this.#written.length = 0;
    this.#unwritten.length = 0;
  }

  /** The next change of the transaction has come, of a table that is tracked or whose rows are witnesses. */
  next(plan: RelationPlan, change: RowChange, isInsert: boolean): void {
    this.#place++;
    this.#isWitness = isInsert && plan.witness !== null;
    this.#rows = rowsOf(plan, change);
    this.#testimony = null;
    // A witness that is tracked is named by itself.
    if (this.#isWitness) this.#testimony = this.#hear(plan, change);
    else if (this.#isKnown) this.#testimony = this.#said!.testimonyFor(this.#place, this.#rows);
    else this.#said?.changed(this.#place, this.#rows);
  }

  /**
   * The change at hand has become an entry.
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

  /** The change at hand has made no entry. */
  passed(): void {
    if (this.#isKnown || this.#rows.length === 0) return;
    if (this.#unwritten.length >= MAX_WRITTEN) this.#written = null;
    else this.#unwritten.push({ place: this.#place, rows: this.#rows });
  }

  /** Entries of the running transaction so far, in their order; null: it is not known which they are. */
  get written(): readonly Written[] | null {
    return this.#isKnown ? null : this.#written;
  }

  /** At the end of the transaction: whether they name anybody, which is not said yet. */
  conclude(): boolean {
    const said = this.#said;
    if (this.#isKnown || said === null) return false;
    if (!this.#areSent()) said.isIncomplete();
    if (!said.nameSomebody) return false;
    for (const { place, rows } of [...this.#unwritten, ...(this.#written ?? [])]) said.changed(place, rows);
    return true;
  }

  /** What they say of an entry; only after {@link conclude}. */
  testimonyFor({ place, rows, isWitness, testimony }: Written): Testimony | null {
    return isWitness ? testimony : this.#said!.testimonyFor(place, rows);
  }

  /** Rows have left without what they say: the transaction is to be read again, with it from the start. */
  readAgain(): void {
    this.#late.keepWitnesses(this.#running.commitLsn, {
      witnesses: this.#said!,
      configuration: this.#configuration,
    });
  }

  /** Keeps what the new witness says, and gives what it says of itself, where its table is tracked. */
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
    // A type without a table of its own may be one of several in a table, which has them in a column.
    return [table === null ? rowOfType(row.type, row.key) : rowOf(table, row.key)];
  }

  #speakerOf({ table, key, redactor }: Extract<Named, { readonly is: 'somebody' }>): Speaker {
    const stored = redactor === null ? key : redactedKey(redactor, key);
    const person = this.#attribution.people(table).person(stored);
    return { table, key, person, other: new OtherModifier(person, { redactor, rung: 'witness' }) };
  }
}

const NO_ROWS: readonly string[] = [];

/** Names of the row of a change by which a witness may mean it. */
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
