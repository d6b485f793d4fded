import type { Answer } from '../../api/answers.js';
import type { EntryOperation, Kind } from '../../tracking/rules.js';

/**
 * How the modifier was found, for example by a logical message of the transaction or by the row's modifier
 * column. `unattributed`: it was not found. `waltrail`: the entry is Waltrail's own.
 */
export type Rung = Answer<'Entry'>['modifier']['rung'];

/**
 * A column's value as PostgreSQL printed it. `kind` determines its form in JSON. Numbers, booleans and json
 * are JSON values with exactly this text. Everything else is a string. `null` has no text.
 */
export interface Value {
  readonly kind: 'null' | 'boolean' | 'number' | 'json' | 'text';
  readonly text: string;
  /**
   * The administrator's label for the value at the time of the change (`labels` and `values` of the YAML).
   */
  readonly label?: string | undefined;
  /** The column is of type timestamptz. */
  readonly isInstant?: true;
  /** The column is of an array type. */
  readonly isList?: true;
}

/** Facts about a value that was too large to be stored, or for an answer. */
export type LargeValue = NonNullable<Answer<'Entry'>['tooLarge']>[number];

/**
 * A logical message that named no modifier, because it was not understood or not signed. The reasons are in
 * pipeline/statement.ts and pipeline/signature.ts.
 */
export type UnreadMessage = NonNullable<Answer<'Entry'>['unreadMessage']>;

/**
 * The person that the row's modifier column names although this change did not set the column. The change is
 * therefore not attributed to that person.
 */
export type LastSetBy = NonNullable<Answer<'Entry'>['lastSetBy']>;

/** Facts about the database session, as the session itself reported them. */
export type SessionFacts = NonNullable<Answer<'Entry'>['session']>;

/** The person that a lower rung names, if the higher rung that counts names somebody else. */
export type Conflict = NonNullable<Answer<'Entry'>['conflict']>;

/** The person in whose name a modifier acted. */
export type ActedAs = NonNullable<Answer<'Entry'>['modifier']['actingAs']>;

/** Values by column name, in the table's column order. */
export type Values = ReadonlyMap<string, Value>;

/**
 * A move between tenants. A reader of all tenants gets the previous tenant (null: there was none). A reader
 * of one tenant gets only the side of that tenant.
 */
export type Moved =
  { readonly side: 'both'; readonly previousTenant: string | null } | { readonly side: 'arrived' | 'left' };

/**
 * Actions of entries that moved, as a reader of one tenant sees them. The stored action is hidden, because it
 * may depend on values of the other tenant.
 */
export const MOVED_ACTIONS = {
  arrived: 'moved_from_another_tenant',
  left: 'moved_to_another_tenant',
} as const;

/** An entry as read from the trail. `json.ts` prints it for the API. */
export interface Entry {
  /** Opaque to clients. Ids grow in commit order. */
  readonly id: string;
  /**
   * ISO 8601 in UTC with microseconds, such as `2026-11-23T09:51:07.123456Z`. Entries of earlier releases may
   * have another text, such as `infinity`.
   */
  readonly committedAt: string;
  readonly modifier: {
    /** Null if the rung is `unattributed` or `waltrail`. The kind is then also null. */
    readonly key: string | null;
    readonly name: string;
    readonly kind: Kind | null;
    readonly rung: Rung;
    /**
     * The person in whose name the modifier acted (DECISIONS 104). Missing if it was the modifier's own name.
     */
    readonly actingAs?: ActedAs;
  };
  readonly action: string;
  /** Text for the action from the YAML in effect; null: its category is shown. */
  readonly actionName: string | null;
  readonly entity: {
    readonly type: string;
    readonly name: string | null;
    readonly id: string | null;
    /**
     * The id before an update that changed it. Null: the id did not change, or the previous id is not known
     * or not shown.
     */
    readonly previousId: string | null;
  };
  readonly tenant: string | null;
  /** Move of the row from one tenant to another by an update; null: there was no move. */
  readonly moved: Moved | null;
  /** Null for an insert, and for a row that arrived from another tenant. */
  readonly previous: Values | null;
  /** Null for a delete, and for a row that left for another tenant. */
  readonly updated: Values | null;
  /**
   * Columns with an unknown value before or after the change: the source did not send it, or it was not
   * stored. Such a value is neither null nor unchanged.
   */
  readonly unknown: readonly string[];
  /** Values that were too large to be stored, or for an answer. Their columns are also in `unknown`. */
  readonly tooLarge: readonly LargeValue[];
  readonly table: string;
  readonly operation: EntryOperation;
  readonly transaction: {
    readonly xid: string;
    readonly commitLsn: string;
    readonly seq: number;
    /**
     * Name of the replication origin of the session on the source. Usually null: the change was made on the
     * source itself.
     */
    readonly origin: string | null;
    /**
     * Commit time that the source claimed, as PostgreSQL prints it, if it cannot be shown (`infinity`, a year
     * of five digits). `committedAt` is then the time of the previous transaction. Usually null.
     */
    readonly claimedCommitAt: string | null;
  };
  /** The `context` of a logical message, as JSON text; null: there was none. */
  readonly context: string | null;
  /** Null if the source has no trigger that reports it. */
  readonly session: SessionFacts | null;
  /** The logical message that should have named the modifier of this change, but did not. Usually null. */
  readonly unreadMessage: UnreadMessage | null;
  /** A hint only: no filter, count or rule uses it as the modifier. Usually null. */
  readonly lastSetBy: LastSetBy | null;
  /** Usually null. */
  readonly conflict: Conflict | null;
  /**
   * Whether the entity id uses a primary key that the table may not have had at the time of the change.
   * Usually false.
   */
  readonly laterKey: boolean;
}

/**
 * Conditions that narrow a page, a report or a facet count. A list means "any of". Different filters are
 * combined with "and".
 */
export interface EntryFilter {
  /** Modifier keys; {@link NOBODY} stands for unattributed entries. */
  readonly modifiers?: readonly string[];
  /** Keys of the persons in whose name the modifier acted. */
  readonly actingAs?: readonly string[];
  readonly actions?: readonly string[];
  readonly entityTypes?: readonly string[];
  readonly rungs?: readonly Rung[];
  /** Exact entity id. */
  readonly entity?: string;
  readonly tenant?: string;
  /** The only tenant that the reader sees; all tenants by default. */
  readonly scope?: Scope;
  /** Text that something shown of an entry must contain, ignoring case (search.ts). */
  readonly q?: string;
  /** Half-open range of commit time `[from, to)`, as RFC 3339 instants. */
  readonly from: string;
  readonly to: string;
}

/**
 * The only tenant that a reader sees: its entries, its side of entries that moved, and the labels of its rows
 * (DECISIONS 57). Null: all tenants.
 */
export type Scope = string | null;

/** A filter without a range of commit time. */
export type UnboundedFilter = Omit<EntryFilter, 'from' | 'to'>;

/**
 * Value for unattributed entries in a modifier filter and in a facet. No key can have this value, because a
 * key is never empty (DECISIONS 39).
 */
export const NOBODY = '';

/** A batch of a walk. It may have fewer entries than requested even if the walk has not ended. */
export interface EntryBatch {
  readonly items: readonly Entry[];
  readonly more: boolean;
}

/**
 * Entries of a live stream, oldest first. `more`: there may be further entries up to the end of the trail.
 */
export interface TailBatch extends EntryBatch {
  /** Id up to which every matching entry is in `items` or was in an earlier batch. */
  readonly through: string;
}

export interface EntryPage {
  readonly items: readonly Entry[];
  /** Opaque cursor of the next page; null at the end. */
  readonly next: string | null;
  readonly coverage: TrailCoverage;
}

/** Coverage according to the trail. Capture knows its end more exactly (admin/routes/coverage.ts). */
export type TrailCoverage = Answer<'EntryPage'>['coverage'];

/** Current end of the trail. */
export type TrailHead = NonNullable<Answer<'Status'>['trail']>;
