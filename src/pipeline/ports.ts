import type { Lsn } from '../pg/lsn.js';
import type { ColumnName } from '../tracking/names.js';
import type { Kind } from '../tracking/rules.js';

/**
 * Letters of `trail.entry.operation`. `baseline` is no change, but a row that existed already (DECISIONS
 * 107).
 */
export const OPERATION = { insert: 'i', update: 'u', delete: 'd', truncate: 't', baseline: 'b' } as const;
export type OperationLetter = (typeof OPERATION)[keyof typeof OPERATION];

/**
 * Letters of `trail.entry.rung`: the rung of attribution that named the modifier, or `nobody`. `witness`
 * (`a`): an audit row of the application. `session`: what the session that made the change states about
 * itself. `own`: the entry is Waltrail's own. `baseline`: a row that existed already, without a known
 * modifier.
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

/**
 * `waltrail.tracking` records changes to how a table is tracked, and what the rows of a table do not show.
 */
export const TRACKING_TABLE: RelationVersion = {
  schema: OWN,
  table: 'tracking',
  columns: [{ name: 'change', type: 25 }],
};

/**
 * The row of `trail.modifier` that entries of a baseline refer to. No modifier has an empty key. It is a row
 * of its own, so that lists and summaries do not count these entries, which may be many, as unattributed.
 */
export const OF_BASELINE = { key: '', name: 'Not known', kind: 'system' } as const;

/** Modifier id of changes without a known modifier. */
export const UNATTRIBUTED = 0;

// Marks of a field without a value, after an escape: see trail/values.ts.
export const MARK_NULL = 0x4e; // 'N'
export const MARK_UNKNOWN = 0x55; // 'U'

/** Code point of the character that stands for column 0 in the text `columns` of an entry. */
export const FIRST_COLUMN = 0x21;

/** Longest value that is stored. A longer one is stored as its length and digest (DECISIONS 28). */
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

/** Stands for the tenant before an update, if the update did not change it or it is unknown. */
export const SAME_TENANT = -1;

/** A row as it was sent, as places in its bytes. */
export interface SentRow {
  readonly bytes: Buffer;
  /** By column index. */
  readonly offsets: Int32Array;
  /** By column index, in bytes. -1: null. -2: not sent. */
  readonly lengths: Int32Array;
}

/**
 * Takes entries byte by byte, in the form in which the trail stores them. An entry is a `head`, then exactly
 * six texts in this order: entity id, entity name, columns, previous, updated, extra. An entry that moved has
 * `previousTenant` and two more texts before these: the former entity id and entity name. A text is
 * `nullText`, or it is `beginText`, any number of `raw`, `text`, `value` and `mark` calls, and `endText`.
 */
export interface EntryRows {
  /** Number of bytes that were not sent. */
  readonly bytes: number;
  /** Id of the next entry. */
  readonly nextId: bigint;
  /**
   * Sets the transaction of the following entries. `bytes` at `at` have commit LSN (8 bytes), commit time (8)
   * and xid (4).
   */
  transaction(bytes: Buffer, at: number): void;
  head(head: EntryHead): void;
  /** Writes the dictionary id of the former tenant, 0 for none, or {@link SAME_TENANT}. */
  previousTenant(id: number): void;
  nullText(): void;
  beginText(): void;
  endText(): void;
  /** Writes text of Waltrail's own, as it is. */
  raw(bytes: Buffer, start: number, length: number): void;
  /** Writes bytes of the source as part of a name or an id, as `readableText` of pg/text.ts returns them. */
  text(bytes: Buffer, start: number, length: number): void;
  /**
   * Does the same for a text that may have a secret in it. Returns 0 if no byte is a sign of a secret
   * (secret-signs.ts). The signs are searched for here, where each byte is read anyway.
   */
  lookedText(bytes: Buffer, start: number, length: number): number;
  /**
   * Writes one field of `previous` or `updated`, escaped. Bytes that are not text are written in hexadecimal.
   */
  value(bytes: Buffer, start: number, length: number): void;
  /**
   * Writes the fields of a row in which every sent value is text, and a mark for each other field. Returns 0
   * if no byte of a `looked` column (by column index, 0: it is not looked at) is a sign of a secret.
   */
  values(row: SentRow, columns: Uint16Array, count: number, looked: Uint8Array): number;
  /** Removes from the current text what was written after {@link bytes} had this value. */
  rewind(bytes: number): void;
  /**
   * Writes one field like {@link value}, for bytes that are not text in the source's encoding, even if they
   * look like text.
   */
  bytesValue(bytes: Buffer, start: number, length: number): void;
  /**
   * Stores a context, as JSON, once for all entries that refer to it. Returns the id by which they refer to
   * it, which is that of the current or of the last entry.
   */
  context(json: Buffer): bigint;
  /** Writes a field that is SQL null or unknown: `MARK_NULL` or `MARK_UNKNOWN`. */
  mark(mark: number): void;
  /**
   * Replaces the attribution of every entry of the running transaction, except Waltrail's own, with what
   * `revise` returns for it. Returns false and changes nothing if some entries were already sent or would
   * take too much memory, or if `revise` returns null.
   */
  reattribute(revise: (entry: EntryAttribution) => EntryAttribution | null): boolean;
}

/** The part of an entry that states who made the change. */
export interface EntryAttribution {
  readonly modifierId: number;
  readonly rung: number;
  /** JSON beside the values. */
  readonly extra: Buffer | null;
}

/** A modifier that gets a number, with its name and kind at the time. */
export interface DictionaryModifier {
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
  /** The person in whose name the modifier acted, if it was not their own. */
  readonly actingAs?: Omit<DictionaryModifier, 'actingAs'>;
}

/** Small integers for texts that repeat. New ones are stored with the entries that use them. */
export interface Dictionary {
  modifier(modifier: DictionaryModifier): number;
  action(name: string): number;
  entityType(name: string): number;
  tenant(name: string): number;
  relation(version: RelationVersion): number;
  /**
   * Returns the number of a version with labels of one type (`labelType`). It exists beside the newest
   * version and does not replace it.
   */
  relationOfType(version: RelationVersion): number;
  /** Tables of every version, in the order in which they were first seen. */
  seenTables(): Iterable<{ readonly schema: string; readonly table: string }>;
  /**
   * Returns the newest version of a table that was ever stored or requested. Undefined: the table was never
   * seen.
   */
  newestRelation(table: { readonly schema: string; readonly table: string }): RelationVersion | undefined;
  /**
   * Returns the columns of a table that were redacted in any version of it, by number, under the names that
   * they had.
   */
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
  /** The base type, if the type is a domain that is not of arrays. Readers take the values for its values. */
  readonly base?: number;
  /** Labels by stored value. For an array, also by element. */
  readonly values?: Readonly<Record<string, string>>;
  /** Lookup that has the labels, or a `labelThrough`. For an array, its elements have the labels. */
  readonly label?: string;
  /** Set if the values are arrays and the type alone does not show this. */
  readonly array?: true;
  readonly bits?: BitWords;
  /** Members of its JSON that have labels. */
  readonly members?: readonly MemberWords[];
  /** The label applies to rows in which another column has this value. */
  readonly labelType?: string;
  readonly redacted?: RedactedColumn;
}

/** Labels for the bits of a number, by position, 0 for the lowest. */
export interface BitWords {
  /** Number of bits in a number. 0: the value is a string of bits, of any length. */
  readonly width: number;
  readonly words: Readonly<Record<string, string>>;
}

/** Labels for a member of JSON. They apply to every item of a list in the JSON. */
export interface MemberWords {
  /** Path to the member, from the outermost name. */
  readonly path: readonly string[];
  readonly values?: Readonly<Record<string, string>>;
  readonly label?: string;
}

/**
 * Returns the `label` of a value whose label is two tables away. `via` is the lookup that leads to the second
 * table, and `of` is the lookup that has the label.
 */
export const labelThrough = (via: string, of: string): string => JSON.stringify({ via, of });

/**
 * Returns what {@link labelThrough} was called with. Null: the label is a lookup itself. The name of a table
 * never begins with `{"`.
 */
export const throughOf = (label: string): { readonly via: string; readonly of: string } | null =>
  label.startsWith('{"') ? (JSON.parse(label) as { via: string; of: string }) : null;

/** Identifies a redacted column under any name, and has the name by which it is redacted (DECISIONS 62). */
export interface RedactedColumn extends ColumnName {
  /** Oid of its table. */
  readonly oid: number;
  /** Attribute number. */
  readonly number: number;
}

/** The name of a key in a table of modifiers or in another lookup table. Only modifiers have a `kind`. */
export interface LookupName {
  readonly name: string;
  readonly kind: Kind | null;
  /** Tenant of the row that gives the name. Null: it has none. */
  readonly tenant: string | null;
}

/**
 * Names by table (`schema.table`) and key. Every version of a name is stored with the entries, so that
 * readers find the names of the time. Only tables that names of entries and modifiers need are also held in
 * memory.
 */
export interface Lookups {
  /** Returns a name from memory. Works only for tables that are held. */
  get(table: string, key: string): LookupName | undefined;
  /** Whether rows of the table belong to tenants. */
  hasTenants(table: string): boolean;
  /** Sets a name. Null: the row no longer exists. */
  set(table: string, key: string, name: LookupName | null): void;
  clear(table: string): void;
}

/**
 * An entry of Waltrail's own between two transactions of the source: a gap of a table, or a change in
 * tracking. The trail builds it (trail/write/notices.ts), and the pipeline gives it its place.
 */
export interface Notice {
  /** A table of schema `waltrail`, which exists in no database. */
  readonly relation: RelationVersion;
  readonly action: string;
  readonly entityId: string | null;
  readonly entityName: string;
  /** In the order of the relation's columns. Null: the entry is an insert. */
  readonly previous: readonly (string | null)[] | null;
  readonly updated: readonly (string | null)[];
  readonly lsn: Lsn;
  /**
   * Negative number that identifies the entry together with `lsn`. No change of the source has such a number.
   * Null: it is computed from the entry's id.
   */
  readonly seq: number | null;
  /** Returns the statement that the trail executes in the transaction that stores the entry. Null: none. */
  readonly statement: ((entryId: bigint) => string) | null;
}

/**
 * The trail as the pipeline sees it. Methods throw and promises reject when the session has ended. The trail
 * then has nothing that was not committed.
 */
export interface TrailSession {
  readonly checkpointLsn: Lsn;
  /** End of the last complete source transaction that was written. Before the first one, the checkpoint. */
  readonly boundaryLsn: Lsn;
  /**
   * Commit time of the last source transaction that was stored when the session began, in microseconds since
   * 2000-01-01. Null: there is none.
   */
  readonly lastCommittedAt: bigint | null;
  readonly rows: EntryRows;
  readonly dictionary: Dictionary;
  readonly lookups: Lookups;
  /** Bytes that were written and not yet taken by the trail database. */
  readonly pendingBytes: number;
  /** The part of `pendingBytes` that was not sent. */
  readonly unsentBytes: number;
  /** Entries that were written and not committed. */
  readonly pendingEntries: number;
  /** Whether a commit or a skip is not answered yet. Rows can then be written and sent, but not committed. */
  readonly busy: boolean;
  /** Whether something complete was written since the last commit, and nothing beyond it was sent. */
  readonly committable: boolean;
  /**
   * Marks the end of a source transaction, up to which the next commit reaches. `bytes` at `at` have its end
   * LSN (8 bytes) and commit time (8).
   */
  boundary(bytes: Buffer, at: number, end: TransactionEnd): void;
  /**
   * Adds what was written since the last boundary, outside of source transactions, to the next commit. The
   * commit executes `statement` in the same transaction.
   */
  between(statement: string | null): void;
  /**
   * Sends what was written into the open trail transaction, complete source transactions first. A part of a
   * transaction is sent only if nothing complete waits for a commit, because that would have to wait too. In
   * this way a transaction larger than memory can pass through.
   */
  spill(): void;
  /** Stores everything up to the last boundary together with the checkpoint. Resolves when it is durable. */
  commit(): Promise<CommittedBatch>;
  /**
   * Moves the checkpoint over a part of the stream in which nothing tracked happened. Only while nothing is
   * pending.
   */
  skipTo(lsn: Lsn): Promise<void>;
  /** Registers a callback for when `pendingBytes` has decreased. */
  onDrain(callback: () => void): void;
}

export interface TransactionEnd {
  /** Whether the source's clock gave the commit time, so that the latency can be computed from it. */
  readonly byClock: boolean;
  /**
   * Commit LSN (8 bytes) and commit time (8) as the source sent them, by which it can be recognised. Null:
   * the transaction has no changes.
   */
  readonly begun: DataView | null;
}

export interface CommittedBatch {
  readonly endLsn: Lsn;
  readonly entries: number;
  /**
   * Commit time of the last source transaction, in microseconds since 2000-01-01. Null: the source's clock
   * gave none.
   */
  readonly committedAt: bigint | null;
}
