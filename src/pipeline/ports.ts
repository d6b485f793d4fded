import type { Lsn } from '../pg/lsn.js';
import type { ColumnName } from '../tracking/names.js';
import type { Kind } from '../tracking/rules.js';

/**
 * The letters of `trail.entry.operation`. `baseline`: no change, a row that existed already (DECISIONS
 * 107).
 */
export const OPERATION = { insert: 'i', update: 'u', delete: 'd', truncate: 't', baseline: 'b' } as const;
export type OperationLetter = (typeof OPERATION)[keyof typeof OPERATION];

/**
 * The letters of `trail.entry.rung`: which rung of attribution has named the modifier, `nobody` where none
 * has. `witness`: `a`, an audit row of the application. `session`: what the session that made the change says
 * of itself. `own`: the entry is Waltrail's. `baseline`: nobody is said to have made a row that existed
 * already.
 */
export const RUNG = {
  message: 'm',
  witness: 'a',
  column: 'c',
  session: 's',
  nobody: '-',
  own: 'w',
  baseline: 'b',
} as const;
export type RungLetter = (typeof RUNG)[keyof typeof RUNG];

// The same letters as character codes, for bytes of rows.
export const OPERATION_INSERT = OPERATION.insert.charCodeAt(0);
export const OPERATION_UPDATE = OPERATION.update.charCodeAt(0);
export const OPERATION_DELETE = OPERATION.delete.charCodeAt(0);
export const OPERATION_TRUNCATE = OPERATION.truncate.charCodeAt(0);
export const OPERATION_BASELINE = OPERATION.baseline.charCodeAt(0);
export const RUNG_MESSAGE = RUNG.message.charCodeAt(0);
export const RUNG_WITNESS = RUNG.witness.charCodeAt(0);
export const RUNG_COLUMN = RUNG.column.charCodeAt(0);
export const RUNG_SESSION = RUNG.session.charCodeAt(0);
export const RUNG_NOBODY = RUNG.nobody.charCodeAt(0);
export const RUNG_OWN = RUNG.own.charCodeAt(0);
export const RUNG_BASELINE = RUNG.baseline.charCodeAt(0);

/** Entity type of Waltrail's own entries, and schema of the tables that these entries name. */
export const OWN = 'waltrail';

/** `waltrail.tracking`: what changed about the tracking of a table, and what of it is not in rows. */
export const TRACKING_TABLE: RelationVersion = {
  schema: OWN,
  table: 'tracking',
  columns: [{ name: 'change', type: 25 }],
};

/**
 * The row of `trail.modifier` that entries of a baseline refer to. No modifier has an empty key. Of its
 * own, so that lists and summaries do not count these entries as unattributed: they may be many.
 */
export const OF_BASELINE = { key: '', name: 'Not known', kind: 'system' } as const;

/** Id of the modifier of changes that nobody is known to have made. */
export const UNATTRIBUTED = 0;

// What stands for a field that has no value, behind an escape: see trail/values.ts.
export const MARK_NULL = 0x4e; // 'N'
export const MARK_UNKNOWN = 0x55; // 'U'

/** Code point of the character that stands for column 0 in the text `columns` of an entry. */
export const FIRST_COLUMN = 0x21;

/** A longer value is stored as its length and digest (DECISIONS 28). */
export const MAX_VALUE_BYTES = 64 * 1024 * 1024;

/** Numbers of one entry that do not come from its transaction. */
export interface EntryHead {
  readonly seq: number;
  readonly modifierId: number;
  readonly relationId: number;
  readonly tenantId: number;
  readonly entityTypeId: number;
  readonly actionId: number;
  /** One of `OPERATION_…`. */
  readonly operation: number;
  /** One of `RUNG_…`. */
  readonly rung: number;
  /** Whether the update changed the entity id or the tenant (DECISIONS 57). */
  readonly moved: boolean;
}

/** Stands for the tenant before an update that did not change it, or before which it is not known. */
export const SAME_TENANT = -1;

/** A row as it was sent, as places in its bytes. */
export interface SentRow {
  readonly bytes: Buffer;
  /** By column index. */
  readonly offsets: Int32Array;
  /** By column index: in bytes; -1: null, -2: not sent. */
  readonly lengths: Int32Array;
}

/**
 * Where entries are written, byte by byte, in the form in which the trail stores them. One entry is `head`,
 * then exactly six texts in this order: entity id, entity name, columns, previous, updated, extra. An entry
 * that moved has `previousTenant` and two more texts before these: entity id and entity name before. A text
 * is `nullText`, or `beginText`, any number of `raw`, `text`, `value` and `mark` calls, `endText`.
 */
export interface EntryRows {
  /** Bytes that were not sent. */
  readonly bytes: number;
  /** Id of the next entry. */
  readonly nextId: bigint;
  /**
   * The transaction of the following entries: `bytes` at `at` hold commit LSN (8), commit time (8) and xid
   * (4).
   */
  transaction(bytes: Buffer, at: number): void;
  head(head: EntryHead): void;
  /** Dictionary id of the tenant before, 0 for none, or {@link SAME_TENANT}. */
  previousTenant(id: number): void;
  nullText(): void;
  beginText(): void;
  endText(): void;
  /** Text of Waltrail's own, as it is. */
  raw(bytes: Buffer, start: number, length: number): void;
  /** Bytes of the source as part of a name or an id: as `readableText` of pg/text.ts has them. */
  text(bytes: Buffer, start: number, length: number): void;
  /**
   * The same of a text in which a secret may be. Returns 0 where no byte of it is a sign of one
   * (secret-signs.ts): they are looked at here, where each is read anyway.
   */
  lookedText(bytes: Buffer, start: number, length: number): number;
  /** One field of `previous` or `updated`, escaped; hexadecimal where the bytes are not text. */
  value(bytes: Buffer, start: number, length: number): void;
  /**
   * The fields of a row in which every value that was sent is text, with a mark for each other one. Returns 0
   * where no byte of a column that is `looked` at (by column index, 0: it is not) is a sign of a secret.
   */
  values(row: SentRow, columns: Uint16Array, count: number, looked: Uint8Array): number;
  /** Takes back what was written since there were so many `bytes`, of the text at hand. */
  rewind(bytes: number): void;
  /** The same of bytes that are not text in the source's encoding, whatever else they may look like. */
  bytesValue(bytes: Buffer, start: number, length: number): void;
  /**
   * Stores a context, as JSON, once for all entries that refer to it. Returns what they refer to it by: the
   * id of the entry at hand, or of the last one.
   */
  context(json: Buffer): bigint;
  /** A field that is SQL null or unknown: `MARK_NULL` or `MARK_UNKNOWN`. */
  mark(mark: number): void;
  /**
   * Gives every entry of the running transaction but Waltrail's own the attribution that `revise` makes of
   * its present one. False, and nothing is changed, when some of them were already sent or would take too
   * much memory, or `revise` returns null.
   */
  reattribute(revise: (entry: EntryAttribution) => EntryAttribution | null): boolean;
}

/** What of an entry says who made the change. */
export interface EntryAttribution {
  readonly modifierId: number;
  readonly rung: number;
  /** JSON beside the values. */
  readonly extra: Buffer | null;
}

/** Somebody who is numbered, with the words of the time. */
export interface DictionaryModifier {
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
  /** In whose name the modifier acted, where it was another's. */
  readonly actingAs?: Omit<DictionaryModifier, 'actingAs'>;
}

/** Small integers for texts that repeat. New ones are stored with the entries that use them. */
export interface Dictionary {
  modifier(modifier: DictionaryModifier): number;
  action(name: string): number;
  entityType(name: string): number;
  tenant(name: string): number;
  relation(version: RelationVersion): number;
  /** A version with labels of one type (`labelType`): beside the newest, which it does not replace. */
  relationOfType(version: RelationVersion): number;
  /** Tables of every version, in the order in which they were first seen. */
  seenTables(): Iterable<{ readonly schema: string; readonly table: string }>;
  /** The newest version of a table that was ever stored or asked for; undefined: it was never seen. */
  newestRelation(table: { readonly schema: string; readonly table: string }): RelationVersion | undefined;
  /** Columns of a table that were redacted in some version of it, by their numbers, as they were called. */
  redactedColumns(relationOid: number): ReadonlyMap<number, RedactedColumn>;
}

export interface RelationVersion {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly RelationVersionColumn[];
}

export interface RelationVersionColumn {
  readonly name: string;
  readonly type: number;
  /** Labels by stored value; of an array, also by element. */
  readonly values?: Readonly<Record<string, string>>;
  /** What the names that are the labels are kept under, or `labelThrough`. Of an array, those of elements. */
  readonly label?: string;
  /** The values are arrays, which the type does not say for itself. */
  readonly array?: true;
  readonly bits?: BitWords;
  /** Members of its JSON that have labels. */
  readonly members?: readonly MemberWords[];
  /** The label is that of rows in which another column holds this. */
  readonly labelType?: string;
  readonly redacted?: RedactedColumn;
}

/** Words for the bits of a number, by position, 0 for the lowest. */
export interface BitWords {
  /** How many bits a number has; 0: the value is a string of bits, of any length. */
  readonly width: number;
  readonly words: Readonly<Record<string, string>>;
}

/** What a member of JSON is called by; lists in the JSON are looked through. */
export interface MemberWords {
  /** Names of members, from the outermost on. */
  readonly path: readonly string[];
  readonly values?: Readonly<Record<string, string>>;
  readonly label?: string;
}

/** What a label has whose word is two tables away: the lookup that leads on, and that of the word. */
export const labelThrough = (via: string, of: string): string => JSON.stringify({ via, of });

/** What {@link labelThrough} made it of; null: the label is a lookup itself. No name of a table begins so. */
export const throughOf = (label: string): { readonly via: string; readonly of: string } | null =>
  label.startsWith('{"') ? (JSON.parse(label) as { via: string; of: string }) : null;

/**
 * What tells a redacted column whatever it is called, and the name by which it is redacted (DECISIONS 62).
 */
export interface RedactedColumn extends ColumnName {
  /** Of its table. */
  readonly oid: number;
  /** Attribute number. */
  readonly number: number;
}

/** What the modifiers table or another lookup table says for a key. `kind` for modifiers only. */
export interface LookupName {
  readonly name: string;
  readonly kind: Kind | null;
  /** Tenant of the row that says it; null: it has none. */
  readonly tenant: string | null;
}

/**
 * Names by table (`schema.table`) and key, every version of which is stored with the entries, so that readers
 * find the words of the time. Only the tables that names of entries and modifiers need are also held in
 * memory.
 */
export interface Lookups {
  /** From memory: only for tables that are held. */
  get(table: string, key: string): LookupName | undefined;
  /** Whether rows of the table belong to tenants. */
  hasTenants(table: string): boolean;
  /** Null: the row is gone. */
  set(table: string, key: string, name: LookupName | null): void;
  clear(table: string): void;
}

/**
 * An entry of Waltrail's own that stands between two transactions of the source: a gap of a table, or what
 * changed about the tracking. The trail makes it (trail/write/notices.ts), the pipeline gives it its place.
 */
export interface Notice {
  /** Of schema `waltrail`: a table that exists nowhere. */
  readonly relation: RelationVersion;
  readonly action: string;
  readonly entityId: string | null;
  readonly entityName: string;
  /** In the order of the relation's columns; null: the entry is an insert. */
  readonly previous: readonly (string | null)[] | null;
  readonly updated: readonly (string | null)[];
  readonly lsn: Lsn;
  /**
   * Negative: with `lsn` the entry's identity, which no change of the source has. Null: by the entry's id.
   */
  readonly seq: number | null;
  /** What the trail executes in the transaction that stores the entry; null: nothing. */
  readonly statement: ((entryId: bigint) => string) | null;
}

/**
 * The trail as the pipeline sees it. Methods throw, and promises reject, when the session is over; nothing
 * that was not committed is then in the trail.
 */
export interface TrailSession {
  readonly checkpointLsn: Lsn;
  /** End of the last whole source transaction that was written; the checkpoint before the first. */
  readonly boundaryLsn: Lsn;
  /**
   * Of the last stored source transaction when the session began, microseconds since 2000-01-01; null: there
   * is none.
   */
  readonly lastCommittedAt: bigint | null;
  readonly rows: EntryRows;
  readonly dictionary: Dictionary;
  readonly lookups: Lookups;
  /** Bytes written and not yet taken by the trail database. */
  readonly pendingBytes: number;
  /** Bytes of them that were not sent. */
  readonly unsentBytes: number;
  /** Entries written and not committed. */
  readonly pendingEntries: number;
  /** A commit or a skip is not answered yet: rows can be written and sent on, but not committed. */
  readonly busy: boolean;
  /** Something whole was written since the last commit, and nothing beyond it was sent. */
  readonly committable: boolean;
  /**
   * Everything written up to here is whole source transactions: the next commit reaches this far. `bytes` at
   * `at` hold the last one's end LSN (8) and commit time (8), which says how late it is stored where the
   * source's clock told it.
   */
  boundary(bytes: Buffer, at: number, options: { readonly byClock: boolean }): void;
  /**
   * What was written since the last boundary, with no source transaction begun, belongs to the next commit,
   * which executes `statement` in the same transaction.
   */
  between(statement: string | null): void;
  /**
   * Sends what is written on into the open trail transaction: whole source transactions first. A part of one,
   * which lets a transaction larger than memory pass through, only when nothing whole waits for a commit, for
   * that must then wait too.
   */
  spill(): void;
  /** Stores everything up to the last boundary together with the checkpoint. Resolves when it is durable. */
  commit(): Promise<CommittedBatch>;
  /** Moves the checkpoint where nothing tracked happened. Only while nothing is pending. */
  skipTo(lsn: Lsn): Promise<void>;
  /** Calls back when `pendingBytes` has fallen. */
  onDrain(callback: () => void): void;
}

export interface CommittedBatch {
  readonly endLsn: Lsn;
  readonly entries: number;
  /**
   * Commit time of the last source transaction, microseconds since 2000-01-01; null where there is none that
   * the source's clock told.
   */
  readonly committedAt: bigint | null;
}
