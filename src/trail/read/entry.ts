import type { Answer } from '../../api/answers.js';
import type { EntryOperation, Kind } from '../../tracking/rules.js';

/**
 * How the modifier was found: by a logical message of the transaction, or by the row's modifier column.
 * `unattributed`: it was not found. `waltrail`: the entry is Waltrail's own.
 */
export type Rung = Answer<'Entry'>['modifier']['rung'];

/**
 * One column's value as PostgreSQL printed it. `kind` says how JSON shows it: numbers, booleans and json are
 * JSON values with exactly this text, text and everything else are strings; `null` has no text.
 */
export interface Value {
  readonly kind: 'null' | 'boolean' | 'number' | 'json' | 'text';
  readonly text: string;
  /** The administrator's label for the value (`labels` and `values` of the YAML), as of the change. */
  readonly label?: string | undefined;
  /** The column is of type timestamptz. */
  readonly isInstant?: true;
  /** The column is of an array type. */
  readonly isList?: true;
}

/** What is known of a value that was too large to be stored, or for an answer. */
export type LargeValue = NonNullable<Answer<'Entry'>['tooLarge']>[number];

/**
 * A logical message that has named nobody: it was not understood, or not signed. The reasons are in
 * pipeline/statement.ts and pipeline/signature.ts.
 */
export type UnreadMessage = NonNullable<Answer<'Entry'>['unreadMessage']>;

/** Whom the row's modifier column names, where this change did not set it, so that nobody is attributed. */
export type LastSetBy = NonNullable<Answer<'Entry'>['lastSetBy']>;

/** Who was connected, as the session said of itself. */
export type SessionFacts = NonNullable<Answer<'Entry'>['session']>;

/** Whom a lower rung names, where a higher one counts and does not agree. */
export type Conflict = NonNullable<Answer<'Entry'>['conflict']>;

/** In whose name a modifier acted. */
export type ActedAs = NonNullable<Answer<'Entry'>['modifier']['actingAs']>;

/** Column name to value, in the table's column order. */
export type Values = ReadonlyMap<string, Value>;

/**
 * A move between tenants: for a reader of all tenants with the tenant before (null: it had none), for a
 * reader of one tenant as the side that the reader sees.
 */
export type Moved =
  { readonly side: 'both'; readonly previousTenant: string | null } | { readonly side: 'arrived' | 'left' };

/**
 * Actions of entries that moved, for a reader of one tenant: the stored action may follow from values of the
 * other tenant.
 */
export const MOVED_ACTIONS = {
  arrived: 'moved_from_another_tenant',
  left: 'moved_to_another_tenant',
} as const;

/** One stored audit record as read back from the trail. `json.ts` prints it for the API. */
export interface Entry {
  /** Opaque; ids grow in commit order. */
  readonly id: string;
  /**
   * ISO 8601 in UTC with microseconds, as `2026-11-23T09:51:07.123456Z`. Entries of earlier releases may have
   * a time that cannot be written so, such as `infinity`.
   */
  readonly committedAt: string;
  readonly modifier: {
    /** Null where the rung is `unattributed` or `waltrail`, as is the kind. */
    readonly key: string | null;
    readonly name: string;
    readonly kind: Kind | null;
    readonly rung: Rung;
    /** In whose name the modifier acted (DECISIONS 104); left out where in their own. */
    readonly actingAs?: ActedAs;
  };
  readonly action: string;
  /** What the YAML has shown for the action; null: its category. */
  readonly actionName: string | null;
  readonly entity: {
    readonly type: string;
    readonly name: string | null;
    readonly id: string | null;
    /** The id before an update that changed it; null: it did not, or that one is not known or not shown. */
    readonly previousId: string | null;
  };
  readonly tenant: string | null;
  /** How an update moved the row from one tenant to another; null: it did not. */
  readonly moved: Moved | null;
  /** Null for an insert, and for a row that arrived from another tenant. */
  readonly previous: Values | null;
  /** Null for a delete, and for a row that left for another tenant. */
  readonly updated: Values | null;
  /**
   * Columns whose value before or after was not sent by the source, or not stored: neither null nor
   * unchanged, unknown.
   */
  readonly unknown: readonly string[];
  /** Values that were too large to be stored, or for an answer; their columns are among `unknown`. */
  readonly tooLarge: readonly LargeValue[];
  readonly table: string;
  readonly operation: EntryOperation;
  readonly transaction: {
    readonly xid: string;
    readonly commitLsn: string;
    readonly seq: number;
    /**
     * Name of the replication origin that the source's session had set up. Usually null: the change was made
     * on the source itself.
     */
    readonly origin: string | null;
    /**
     * The commit time that the source claimed, as PostgreSQL prints it, if no reader could show it
     * (`infinity`, a year of five digits); `committedAt` is then that of the transaction before. Usually
     * null.
     */
    readonly claimedCommitAt: string | null;
  };
  /** What a logical message carried in `context`, as JSON text; null if there was none. */
  readonly context: string | null;
  /** Null where the source has no trigger that says it. */
  readonly session: SessionFacts | null;
  /** The message that speaks for this change, or should, if it has named nobody. Usually null. */
  readonly unreadMessage: UnreadMessage | null;
  /** A hint that no filter, count or rule takes for the modifier. Usually null. */
  readonly lastSetBy: LastSetBy | null;
  /** Usually null. */
  readonly conflict: Conflict | null;
  /** The entity id is by a primary key that the table may not have had at the change. Usually false. */
  readonly laterKey: boolean;
}

/**
 * Conditions by which a page, a report and a facet count may be narrowed. Lists mean "any of"; different
 * filters mean "and".
 */
export interface EntryFilter {
  /** Modifier keys; {@link NOBODY} stands for unattributed entries. */
  readonly modifiers?: readonly string[];
  /** Keys of those in whose name the modifier acted. */
  readonly actingAs?: readonly string[];
  readonly actions?: readonly string[];
  readonly entityTypes?: readonly string[];
  readonly rungs?: readonly Rung[];
  /** Entity id, exactly. */
  readonly entity?: string;
  readonly tenant?: string;
  /** The tenant of a reader who sees one only; all tenants by default. */
  readonly scope?: Scope;
  /** Text contained, ignoring case, in what is shown of an entry (search.ts). */
  readonly q?: string;
  /** Half-open range of commit time `[from, to)`, RFC 3339 instants. */
  readonly from: string;
  readonly to: string;
}

/**
 * The one tenant that a reader sees: its entries, of those that moved its own side, and the labels of its
 * rows (DECISIONS 57). Null: all tenants.
 */
export type Scope = string | null;

/** A filter without a range of commit time. */
export type UnboundedFilter = Omit<EntryFilter, 'from' | 'to'>;

/**
 * Value of a modifier filter and of a facet that stands for unattributed entries. No key can have this value,
 * because a key is never empty (DECISIONS 39).
 */
export const NOBODY = '';

/** A batch of a walk. Fewer entries than requested do not mean that the walk has ended. */
export interface EntryBatch {
  readonly items: readonly Entry[];
  readonly more: boolean;
}

/** Entries of a live stream, oldest first; `more`: there may be others up to the end of the trail. */
export interface TailBatch extends EntryBatch {
  /** Id up to which every entry that matches is in `items`, or was in an earlier batch. */
  readonly through: string;
}

export interface EntryPage {
  readonly items: readonly Entry[];
  /** Opaque cursor of the next page; null at the end. */
  readonly next: string | null;
  readonly coverage: TrailCoverage;
}

/** What the trail says that it covers. Capture knows more of the end: admin/routes/coverage.ts. */
export type TrailCoverage = Answer<'EntryPage'>['coverage'];

/** How far the trail goes right now. */
export type TrailHead = NonNullable<Answer<'Status'>['trail']>;
