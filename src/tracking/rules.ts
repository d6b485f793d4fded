import type { Places } from './places.js';

/** The YAML, checked and with its defaults filled in. `load.ts` reads it, and the pipeline compiles it. */
export interface TrackingConfig {
  readonly source: {
    readonly name: string;
    readonly url: string;
    /**
     * The slot that the YAML names, or the default for the source's name. If a trail already exists, capture
     * uses the slot that `withSlot` of slot-name.ts returns.
     */
    readonly slot: string;
    /** Whether the YAML names the slot. */
    readonly slotNamed: boolean;
    readonly publication: string;
    readonly onGap: 'stop' | 'continue';
    /** Whether the source has the event triggers that adapt replica identities to migrations. */
    readonly eventTrigger: boolean;
    /** What happens with a new table that the YAML tracks. */
    readonly onNewTable: OnNewTable;
  };
  readonly trail: {
    readonly url: string;
    /** Logins for single roles of the trail. A role without one uses `url`. */
    readonly urls?: Readonly<Partial<Record<'writer' | 'reader' | 'api' | 'keeper', string>>>;
    readonly retentionDays: number | null;
  };
  readonly reports: {
    readonly maxRangeMs: number;
    /** Set if the range is given in calendar days. Null: it is elapsed time. */
    readonly maxRangeDays: number | null;
    readonly timezone: string;
  };
  /** Tables of modifiers in the order of the file. The first one is for logical messages (DECISIONS 84). */
  readonly modifiers: readonly ModifiersRule[];
  /** Audit tables of the application. Several rules for one table are tried in this order. */
  readonly attribution: readonly WitnessRule[];
  /** What a session states about who changes rows. Null: no trigger reports it. */
  readonly session: SessionRule | null;
  readonly messages: MessagesRule;
  /** Rules for every table, in order. The first one that matches a column wins. */
  readonly redact: readonly RedactRule[];
  readonly secrets: SecretsRule;
  /** In the order of the file. Exact names win over patterns, and earlier patterns over later ones. */
  readonly tables: readonly TableRule[];
  /** Texts for action categories. The trail stores them in its definition, where readers take them from. */
  readonly actionNames: ReadonlyMap<string, string>;
  /** Patterns of tables that are never tracked. */
  readonly exclude: readonly string[];
  readonly definition: Definition;
  /** The place in the file of each of these values. */
  readonly places: Places;
}

/**
 * The part of the YAML about tracking, as the trail keeps it: everything except `source`, `trail`, `reports`
 * and the keys of `messages`. So it contains no secret.
 */
export interface Definition {
  /** JSON text, with the tables in the order of the file. */
  readonly document: string;
  /** SHA-256 of the document, hexadecimal. Files with the same digest track in the same way. */
  readonly digest: string;
}

/**
 * `report`: a trouble and a gap until `waltrail apply`. `apply`: capture publishes the table when it sees it.
 * `follow`: the publication holds the schemas of patterns completely, so the table is captured from its first
 * row.
 */
export type OnNewTable = 'report' | 'apply' | 'follow';

export type Kind = 'agent' | 'bot' | 'system';
export type Operation = 'insert' | 'update' | 'delete' | 'truncate';

/** The operation of an entry about a table's row: a change, or a baseline. */
export type EntryOperation = Operation | 'baseline';

/** Actions of changes that match no rule of `actions`. */
export const DEFAULT_ACTIONS: Readonly<Record<Operation, string>> = {
  insert: 'add',
  update: 'edit',
  delete: 'delete',
  truncate: 'delete',
};

/** The action of rows in a baseline. No rule gives it. */
export const BASELINE_ACTION = 'baseline';
/** A table with more rows gets no baseline, unless the YAML sets another limit. */
export const DEFAULT_BASELINE_ROWS = 10_000;
/** The rows of a baseline are kept in memory until the stream reaches their position. */
export const MOST_BASELINE_ROWS = 100_000;

/**
 * A value as a person writes it in YAML. It is compared with PostgreSQL's text by the rules of the column's
 * type.
 */
export type Scalar = string | number | boolean | null;

/**
 * A parsed template such as `"{first_name} {last_name}"`. `{{` and `}}` stand for braces. `{name|email}`
 * stands for the first of these columns that has text.
 */
export type Template = readonly TemplatePart[];
export type TemplatePart =
  { readonly text: string } | { readonly column: string; readonly or?: readonly string[] };

export interface LabelRule {
  /** The table with the words, as `schema.table`. */
  readonly table: string;
  readonly key: string;
  readonly name: Template;
  /**
   * The column with the tenant of a row; readers of that tenant see its words. Null: the tenant column by
   * which the table is tracked (`lookupTenant` of lookups.ts).
   */
  readonly tenant: string | null;
}

/**
 * Words for a column with keys of several tables. Another column of the row names the table (DECISIONS 100).
 */
export interface TypedLabel {
  /** The column that names the table. */
  readonly type: string;
  /** Label rules by the values of that column. Keys with any other value have no words. */
  readonly of: ReadonlyMap<string, LabelRule>;
}

/**
 * A column of a table that is followed for rows that refer to it. So its value is known at the time of each
 * change. It is kept like a name, as PostgreSQL prints it; empty if the column is null.
 */
export interface ReferenceRule extends LabelRule {
  readonly column: string;
}

/** A lookup by key: names of modifiers, words of labels, or columns that rows of other tables need. */
export type NameRule = LabelRule | ModifiersRule | ReferenceRule;

/** The table that has the tenant of a row that refers to it (DECISIONS 99). */
export interface TenantOf {
  /** `schema.table`. */
  readonly table: string;
  /** The column of that table that the row refers to. */
  readonly key: string;
  /**
   * The column of that table that holds the tenant. Null: as that table is tracked, possibly by another join.
   */
  readonly tenant: string | null;
}

export interface ModifiersRule extends LabelRule {
  /** The name of the table in the YAML. Null: it is the only one and has no name. */
  readonly called: string | null;
  /** Which modifiers are bots or the system, by values of `column`. All others are agents. */
  readonly kind: {
    readonly column: string;
    readonly bot: readonly Scalar[];
    readonly system: readonly Scalar[];
  } | null;
}

/**
 * The table of modifiers that a key belongs to: its index in `modifiers`, or a column of the same row that
 * names it. Keys with a value that is not listed belong to no table.
 */
export type KeyOf = number | { readonly column: string; readonly tables: ReadonlyMap<string, number> };

/** A column that names who made a change (DECISIONS 85). */
export interface ModifierRule {
  readonly column: string;
  /** Whether the application sets the column with each update, even to the same value. */
  readonly alwaysSet: boolean;
  readonly as: KeyOf;
  /** Operations that the rule applies to. */
  readonly on: readonly ('insert' | 'update')[];
  /** Actions that the rule applies to; null: all. */
  readonly actions: readonly string[] | null;
  /** Conditions on the row after the change. */
  readonly when: ReadonlyMap<string, Wanted>;
}

/** An audit table of the application. Each of its new rows is a witness (DECISIONS 86). */
export interface WitnessRule {
  /** `schema.table`. */
  readonly table: string;
  /** The column that names who made the changes. */
  readonly modifier: string;
  /** The text before the key in that column; may be empty. */
  readonly prefix: string;
  readonly as: KeyOf;
  /** Conditions on the row of the witness. */
  readonly when: ReadonlyMap<string, Wanted>;
  /** The row that the witness speaks for; null: it names none. */
  readonly row: WitnessedRow | null;
}

export interface WitnessedRow {
  /** The column that holds the primary key of that row. */
  readonly key: string;
  /**
   * The table of that row, or the column with its type and the tables by type. Null: by the conventions of
   * frameworks.
   */
  readonly of:
    | { readonly table: string }
    | { readonly type: string; readonly types: ReadonlyMap<string, string> | null };
}

/** What a session on the source states about who makes changes (DECISIONS 94). */
export interface SessionRule {
  /** Settings in order. The first one that names somebody counts. */
  readonly settings: readonly SessionSetting[];
  /** Whether the login is the modifier if no setting names somebody. */
  readonly databaseUser: boolean;
}

export interface SessionSetting {
  /** Name of a setting, such as `app.user_id`. */
  readonly setting: string;
  /** The member with the key, in the setting's JSON object. Null: the setting's value is the key. */
  readonly member: string | null;
  /**
   * Whether the setting may hold something else than a key, such as the name of a program. It then names only
   * people who are in the table.
   */
  readonly onlyKnown: boolean;
  /** Index of the table of modifiers that the key belongs to. */
  readonly as: number;
}

/** How far logical messages are believed. */
export interface MessagesRule {
  /** Whether names and kinds in messages win over those of the modifiers table. */
  readonly trustNames: boolean;
  /** Secrets like the URLs: never stored, shown or logged. Empty: messages need no signature. */
  readonly signingKeys: readonly string[];
}

export type RedactWith =
  { readonly method: 'drop' | 'mask' | 'hash' } | { readonly method: 'truncate'; readonly length: number };

/** What is masked if no rule applies. */
export interface SecretsRule {
  readonly defaults: boolean;
  /** Names that look like secrets and are none. */
  readonly allow: readonly AllowRule[];
}

export interface AllowRule {
  /** Table pattern; null: every table, and the context of logical messages. */
  readonly table: string | null;
  /**
   * A column, or after a dot the path of a member of its JSON, with `*` as wildcard, case-insensitive.
   * Without table, it is the name of a column or member.
   */
  readonly name: string;
}

export interface RedactRule {
  /**
   * Column names with `*` as wildcard, case-insensitive. A name with a dot is a member of JSON: the column,
   * then the path.
   */
  readonly columns: readonly string[];
  /** Table patterns (`schema.table`, `*`); null: every table. */
  readonly tables: readonly string[] | null;
  readonly with: RedactWith;
}

/** The required value of a column: one of these, or none of these. Null is SQL null. */
export interface Wanted {
  readonly values: readonly Scalar[];
  readonly not: boolean;
}

export interface ActionRule {
  readonly on: readonly Operation[];
  /**
   * Update only: columns, with `*` as wildcard, or members of their JSON. At least one must differ. Null: no
   * condition.
   */
  readonly changed: readonly string[] | null;
  /** Conditions on the value of the column in `changed`, before and after the update. Null: no condition. */
  readonly from: Wanted | null;
  readonly to: Wanted | null;
  /** Columns where at least one must be greater, or less, than before. Empty: no condition. */
  readonly increased: readonly string[];
  readonly decreased: readonly string[];
  /** Conditions on the row after the change (for a delete: before it). */
  readonly when: ReadonlyMap<string, Wanted>;
  /** The action. `SKIP` of action-schema.ts: the change makes no entry. */
  readonly action: string;
}

export interface TableRule {
  /** `schema.table`, or a pattern with `*`. */
  readonly pattern: string;
  /** The entity type. Null: by the name of the table (entity-default.ts). */
  readonly entity: string | null;
  /**
   * Whether all tables that the pattern matches are one entity type, so that rows with the same id share one
   * history.
   */
  readonly oneHistory: boolean;
  /** The name of rows. Empty: the entity id. Null: by the columns of the table (entity-default.ts). */
  readonly name: Template | null;
  /** Columns of the entity id; null: the primary key. */
  readonly id: readonly string[] | null;
  /** Columns that name who made a change. The first one that names somebody counts. */
  readonly modifier: readonly ModifierRule[];
  /**
   * The column with the tenant. With `tenantOf`, the column with the key of the row that has the tenant.
   * Null: rows have none.
   */
  readonly tenant: string | null;
  /** Null: the column holds the tenant itself. */
  readonly tenantOf: TenantOf | null;
  /** Whether the YAML states that rows have no tenant. False: it does not mention tenants. */
  readonly tenantless: boolean;
  /**
   * The only columns with stored values, with `*` as wildcard; columns that other keys of this rule show are
   * added. Null: all.
   */
  readonly only: readonly string[] | null;
  /** Columns without stored values, with `*` as wildcard, except those that other keys of this rule show. */
  readonly except: readonly string[];
  /**
   * Accepts a partitioned table without primary key: its new partitions refuse writes until `apply`. Null:
   * not accepted.
   */
  readonly newPartitions: 'may_refuse_writes' | null;
  /**
   * Columns to ignore, with `*` as wildcard (`isIgnored` of column-lists.ts). An update of these alone makes
   * no entry, and other entries leave them out of their differences.
   */
  readonly ignore: readonly string[];
  /** Operations that make entries; null: all. */
  readonly operations: readonly Operation[] | null;
  /**
   * The most rows for a baseline, in which each row makes an entry (DECISIONS 107). Null: the YAML asks for
   * no baseline.
   */
  readonly baseline: number | null;
  /** Conditions on rows: changes of other rows make no entries. */
  readonly where: ReadonlyMap<string, Wanted>;
  readonly labels: ReadonlyMap<string, LabelRule>;
  /** Columns with keys of several tables. */
  readonly typedLabels: ReadonlyMap<string, TypedLabel>;
  /**
   * Words by the text of the stored value, for each column or member of its JSON. For an array, they apply to
   * its elements.
   */
  readonly values: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Words by the position of a bit (0 is the lowest), for each column with a bit mask. */
  readonly bits: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /**
   * Rules for the action; the first that matches counts. Otherwise insert is add, update is edit, delete and
   * truncate are delete.
   */
  readonly actions: readonly ActionRule[];
}
