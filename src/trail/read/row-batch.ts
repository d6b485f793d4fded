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

/** Rows of a walk, in its order, for a file. A batch is valid until the next one is requested. */
export interface RowBatch {
  readonly count: number;
  /** The rows as bytes; null: only entries are available. */
  readonly stored: StoredRows | null;
  /** Decodes one row. */
  entry(index: number): Entry;
  /** Returns what the rows cover. The batch must have at least one row. */
  coverage(): RowCoverage;
}

/** LSNs of the first and last commit, and the earliest and latest commit time. */
export interface RowCoverage {
  readonly firstLsn: string;
  readonly lastLsn: string;
  readonly firstCommittedAt: string;
  readonly lastCommittedAt: string;
}

/** Members of an extra with notes about the modifier or the entity. */
const NOTES = ['"unread"', '"lastSetBy"', '"conflict"', '"laterKey"'].map((name) => Buffer.from(name));
const CONTEXT_ID = [Buffer.from('"contextId"')];

/** Stands for Waltrail as a modifier. Ids of modifiers are never negative. */
const WALTRAIL = -1;
/**
 * Number of ids that one statement reads. Each statement is planned separately, which is not worthwhile for
 * 512 ids.
 */
const IDS_TOGETHER = 8_192;
/**
 * Greatest distance from 1970 in microseconds for which numbers are exact, even if counted from 2000: 253
 * years.
 */
const MOST_MICROS = 8e15;

/** Rows as bytes, with everything in the trail's dictionaries that belongs to them. */
export class StoredRows implements RowBatch {
  readonly rows: RowBytes;
  readonly modifiers: ReadonlyMap<number, StoredModifier>;
  readonly tenants: ReadonlyMap<number, string>;
  readonly dictionaries: ReaderDictionaries;
  readonly names: LabelNames;
  readonly contexts: Contexts;
  /** Commit times outside the range of {@link instantText}, by row, as PostgreSQL prints them. */
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

  /** Data stored beside the values of the current row. */
  get extra(): Extra {
    return readExtra(this.rows.text(ROW_TEXT.extra));
  }

  /** The same data if it may have notes about the modifier or the entity; null: it has none. */
  get notes(): Extra | null {
    return mayHave(this.rows, NOTES) ? this.extra : null;
  }

  /** Returns the context that an extra contains or refers to, as JSON text; null: there is none. */
  contextOf({ context, contextId }: Extra): string | null {
    return contextId === null ? context : (this.contexts.get(contextId) ?? null);
  }

  /**
   * Goes to a row. Returns whether its bytes can be used as they are. If the row moved, or its time is out of
   * range, {@link entry} must decode it.
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
    // Instants of the same format can be compared as text.
    const times = [...near, ...this.#farTimes.values()].sort();
    return {
      firstLsn: lsn(rows.count - 1),
      lastLsn: lsn(0),
      firstCommittedAt: times[0]!,
      lastCommittedAt: times.at(-1)!,
    };
  }

  // Words of the current row.

  get modifier(): Entry['modifier'] {
    const { modifierId, rung } = this.rows;
    return modifierOf({ modifier_id: modifierId, rung: String.fromCharCode(rung) as RungLetter }, this);
  }

  /** A number for the shown modifier, under which its words can be cached. Waltrail also has one. */
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
 * Reads the first `limit` rows of a walk, or fewer if their values are large, but at least one. `more` is
 * true if there may be further rows.
 *
 * @param withContexts whether the contexts of the entries are read
 */
export async function readRowBatch(
  snapshot: Snapshot,
  options: {
    readonly walk: Walk;
    readonly scope: Scope;
    readonly withContexts: boolean;
    /** Receives the rows. Earlier rows in it are discarded. */
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

/** Returns whether the extra of the current row may have one of the members. */
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
