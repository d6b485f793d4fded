import { copyBinary } from '../../pg/copy-binary.js';
import { RUNG_OWN, type OperationLetter, type RungLetter } from '../../pipeline/ports.js';
import type { EntryOperation } from '../../tracking/rules.js';
import { mayBeTooLong, printable } from './answer-size.js';
import { readContexts, type Contexts } from './contexts.js';
import {
  actionName,
  decodeRow,
  entityTypeName,
  modifierOf,
  OPERATIONS,
  UNKNOWN_RELATION,
  type Batch,
} from './decode.js';
import type { ReaderDictionaries, StoredModifier } from './dictionaries.js';
import type { Entry, Scope } from './entry.js';
import { byStatement, MAX_WALK_BYTES, readRow, rowsSql, type Walk } from './entry-row.js';
import { mayHaveMember, readExtra, type Extra } from './extra.js';
import { LITERALS } from './parameters.js';
import { LabelNames } from './label-names.js';
import type { LabelWanted } from './labels.js';
import { instantText, lsnText, ROW_COLUMNS, ROW_TEXT, type RowBytes } from './row-bytes.js';
import { DayClock, type Snapshot } from './snapshot.js';
import { stretches } from './walk.js';

/** Rows of a walk, in its order, for a file. A batch is there until the next one is asked for. */
export interface RowBatch {
  readonly count: number;
  /** The rows as bytes; null: there are entries only. */
  readonly stored: StoredRows | null;
  /** Decodes one row. */
  entry(index: number): Entry;
  /** What the rows cover. There has to be one. */
  coverage(): RowCoverage;
}

/** LSNs of the first and the last commit, and the least and the greatest commit time. */
export interface RowCoverage {
  readonly firstLsn: string;
  readonly lastLsn: string;
  readonly firstCommittedAt: string;
  readonly lastCommittedAt: string;
}

/** Members of an extra that say something of the modifier or the entity. */
const NOTES = ['"unread"', '"lastSetBy"', '"conflict"', '"laterKey"'].map((name) => Buffer.from(name));
const CONTEXT_ID = [Buffer.from('"contextId"')];

/** No id of a modifier: those are 0 and greater. */
const WALTRAIL = -1;
/** Ids of a list that one statement reads. Each is planned by itself, which 512 ids would not repay. */
const IDS_TOGETHER = 8_192;
/** Microseconds around 1970 that a number holds exactly, also when counted from 2000: 253 years. */
const MOST_MICROS = 8e15;

/** Rows as bytes, with everything that the trail's dictionaries say of them. */
export class StoredRows implements RowBatch {
  readonly rows: RowBytes;
  readonly modifiers: ReadonlyMap<number, StoredModifier>;
  readonly tenants: ReadonlyMap<number, string>;
  readonly dictionaries: ReaderDictionaries;
  readonly names: LabelNames;
  readonly contexts: Contexts;
  /** Commit times that are too far away for {@link instantText}, by row, as PostgreSQL prints them. */
  readonly #farTimes: ReadonlyMap<number, string>;
  readonly #batch: Batch;
  readonly #labels: LabelWanted[] = [];

  constructor(read: {
    readonly rows: RowBytes;
    readonly farTimes: ReadonlyMap<number, string>;
    readonly contexts: Contexts;
    readonly modifiers: ReadonlyMap<number, StoredModifier>;
    readonly tenants: ReadonlyMap<number, string>;
    readonly dictionaries: ReaderDictionaries;
    readonly names: LabelNames;
    readonly scope: Scope;
  }) {
    this.rows = read.rows;
    this.modifiers = read.modifiers;
    this.tenants = read.tenants;
    this.dictionaries = read.dictionaries;
    this.names = read.names;
    this.contexts = read.contexts;
    this.#farTimes = read.farTimes;
    this.#batch = { ...read, labels: this.#labels, columns: new Map() };
  }

  get count(): number {
    return this.rows.count;
  }

  get stored(): StoredRows {
    return this;
  }

  /** What is stored beside the values of the row that the batch is at. */
  get extra(): Extra {
    return readExtra(this.rows.text(ROW_TEXT.extra));
  }

  /**
   * The same where it says something of the modifier or the entity, and only perhaps where it does not; null:
   * not.
   */
  get notes(): Extra | null {
    return mayHave(this.rows, NOTES) ? this.extra : null;
  }

  /** The context that an extra has or refers to, as JSON text; null: there is none. */
  contextOf({ context, contextId }: Extra): string | null {
    return contextId === null ? context : (this.contexts.get(contextId) ?? null);
  }

  /**
   * Goes to a row, and tells whether its bytes say what the entry says. They do not where the row moved, and
   * where its time is far away.
   */
  goTo(index: number): boolean {
    this.rows.goTo(index);
    return !this.rows.hasMoved && !this.#farTimes.has(index);
  }

  coverage(): RowCoverage {
    const { rows } = this;
    const lsn = (index: number): string => {
      rows.goTo(index);
      return lsnText(rows.lsnHigh, rows.lsnLow);
    };
    let first = Infinity;
    let last = -Infinity;
    for (let index = 0; index < rows.count; index++) {
      if (this.#farTimes.has(index)) continue;
      rows.goTo(index);
      const micros = rows.committedMicros;
      if (micros < first) first = micros;
      if (micros > last) last = micros;
    }
    const near = first === Infinity ? [] : [instantText(first), instantText(last)];
    // Instants of one form compare as text.
    const times = [...near, ...this.#farTimes.values()].sort();
    return {
      firstLsn: lsn(rows.count - 1),
      lastLsn: lsn(0),
      firstCommittedAt: times[0]!,
      lastCommittedAt: times.at(-1)!,
    };
  }

  // What the row that the batch is at says in words.

  get modifier(): Entry['modifier'] {
    const { modifierId, rung } = this.rows;
    return modifierOf({ modifier_id: modifierId, rung: String.fromCharCode(rung) as RungLetter }, this);
  }

  /** A number for who is shown as the modifier, by which the words can be kept: Waltrail has one too. */
  get modifierNumber(): number {
    return this.rows.rung === RUNG_OWN ? WALTRAIL : this.rows.modifierId;
  }

  get action(): string {
    return actionName(this.dictionaries, this.rows.actionId);
  }

  get actionName(): string | null {
    return this.dictionaries.actionText(this.rows.actionId);
  }

  get entityType(): string {
    return entityTypeName(this.dictionaries, this.rows.entityTypeId);
  }

  get tenant(): string | null {
    return this.tenants.get(this.rows.tenantId) ?? null;
  }

  get table(): string {
    return (this.dictionaries.relations.get(this.rows.relationId) ?? UNKNOWN_RELATION).table;
  }

  get operation(): EntryOperation {
    return OPERATIONS[String.fromCharCode(this.rows.operation) as OperationLetter];
  }

  entry(index: number): Entry {
    this.rows.goTo(index);
    const row = this.rows.row(this.#farTimes.get(index) ?? instantText(this.rows.committedMicros));
    const entry = decodeRow(row, this.extra, this.#batch);
    for (const { table, key, id, found } of this.#labels.splice(0)) {
      const label = this.names.label(table, key, Number(id));
      if (label !== null) found(label);
    }
    return mayBeTooLong(row) ? printable(entry) : entry;
  }
}

/**
 * Reads the first `limit` rows of a walk, or fewer where their values are large, but at least one. `more`
 * tells whether there may be more.
 *
 * @param withContexts whether the entries have their contexts
 */
export async function readRowBatch(
  snapshot: Snapshot,
  options: {
    readonly walk: Walk;
    readonly scope: Scope;
    readonly withContexts: boolean;
    /** What the rows are read into; what it had before is gone. */
    readonly rows: RowBytes;
  },
): Promise<{ readonly batch: StoredRows; readonly more: boolean }> {
  const { scope, rows } = options;
  const { query, dictionaries } = snapshot;
  const { more } = await readRows(snapshot, options.walk, rows);
  const modifiers = new Set<number>();
  const tenants = new Set<number>();
  const contextIds = new Set<string>();
  const far: number[] = [];
  const names = new LabelNames();
  for (let index = 0; index < rows.count; index++) {
    rows.goTo(index);
    if (options.withContexts && mayHave(rows, CONTEXT_ID)) {
      const { contextId } = readExtra(rows.text(ROW_TEXT.extra));
      if (contextId !== null) contextIds.add(contextId);
    }
    if (Math.abs(rows.committedMicros) >= MOST_MICROS) far.push(index);
    modifiers.add(rows.modifierId);
    tenants.add(rows.tenantId);
    tenants.add(rows.previousTenantId ?? 0);
    names.note(rows, dictionaries);
  }
  await names.read(query, scope);
  const farTimes = new Map<number, string>();
  for (const index of far) {
    rows.goTo(index);
    farTimes.set(index, (await readRow(snapshot, rows.id))!.committed_at);
  }
  const batch = new StoredRows({
    rows,
    farTimes,
    contexts: await readContexts(query, contextIds),
    modifiers: await dictionaries.modifiers(query, modifiers),
    tenants: await dictionaries.tenants(query, tenants),
    dictionaries,
    names,
    scope,
  });
  return { batch, more };
}

/** Whether the extra of the row that the rows are at may have one of the members. */
function mayHave(rows: RowBytes, names: readonly Buffer[]): boolean {
  const length = rows.lengthOf(ROW_TEXT.extra);
  if (length <= 0) return false;
  const start = rows.startOf(ROW_TEXT.extra);
  return mayHaveMember({ bytes: rows.bytes, start, end: start + length }, names);
}

async function readRows(snapshot: Snapshot, walk: Walk, rows: RowBytes): Promise<{ readonly more: boolean }> {
  rows.clear();
  const clock = new DayClock(snapshot);
  const hasText = walk.filter.q !== null;
  let bytes = 0;
  for await (const stretch of stretches(snapshot, walk)) {
    for (const part of byStatement(stretch, { order: walk.order, hasText, ids: IDS_TOGETHER })) {
      clock.reads(part.firstDay);
      const rest = { ...walk, limit: walk.limit - rows.count };
      const sql = rowsSql({ select: ROW_COLUMNS, part, walk: rest, before: bytes, values: LITERALS });
      let full = false;
      await copyBinary(snapshot.client, `copy (${sql}) to stdout (format binary)`, (message, at) => {
        if (full) return;
        rows.add(message, at);
        rows.goTo(rows.count - 1);
        bytes = rows.valueBytes;
        full = bytes > MAX_WALK_BYTES && rows.count > 1;
        if (full) rows.dropLast();
      });
      if (full || rows.count >= walk.limit) return { more: true };
    }
  }
  return { more: false };
}
