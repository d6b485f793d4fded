import type { Places } from './places.js';

/**
 * What the YAML says, checked and with its defaults filled in. `load.ts` makes it, the pipeline compiles it.
 */
export interface TrackingConfig {
  readonly source: {
    readonly name: string;
    readonly url: string;
    /**
     * The slot that the YAML names, or the default for the source's name. Where a trail has begun, capture
     * uses what `withSlot` of slot-name.ts makes of it.
     */
    readonly slot: string;
    /** Whether the YAML names the slot. */
    readonly slotNamed: boolean;
    readonly publication: string;
    readonly onGap: 'stop' | 'continue';
    /** Whether the source has the event trigger by which replica identities follow migrations. */
    readonly eventTrigger: boolean;
    /** What becomes of a table that is made and that the YAML tracks. */
    readonly onNewTable: OnNewTable;
  };
  readonly trail: {
    readonly url: string;
    /** Logins of single roles of the trail; a role without one uses `url`. */
    readonly urls?: Readonly<Partial<Record<'writer' | 'reader' | 'api' | 'keeper', string>>>;
    readonly retentionDays: number | null;
  };
  readonly reports: {
    readonly maxRangeMs: number;
    /** Where it is given in days, which are those of a calendar; null: it is elapsed time. */
    readonly maxRangeDays: number | null;
    readonly timezone: string;
  };
  /** Tables of modifiers in the order of the file: the first is the one of messages (DECISIONS 84). */
  readonly modifiers: readonly ModifiersRule[];
  /** Audit tables of the application, in the order in which the rules of one table are asked. */
  readonly attribution: readonly WitnessRule[];
  /** What the session says that changed a row; null: no trigger says it. */
  readonly session: SessionRule | null;
  readonly messages: MessagesRule;
  /** Rules for every table, in order; the first that matches a column wins. */
  readonly redact: readonly RedactRule[];
  readonly secrets: SecretsRule;
  /** In order of the file; exact names win over patterns, the first matching pattern wins over later ones. */
  readonly tables: readonly TableRule[];
  /** What is shown for action categories. The trail has it in its definition, from which readers take it. */
  readonly actionNames: ReadonlyMap<string, string>;
  /** Patterns of tables that are never tracked. */
  readonly exclude: readonly string[];
  readonly definition: Definition;
  /** Where the file says each of these things. */
  readonly places: Places;
}

/**
 * What the YAML says of tracking, as the trail keeps it: everything but `source`, `trail`, `reports` and the
 * keys of `messages`, so no secret.
 */
export interface Definition {
  /** JSON text, with the tables in the order of the file. */
  readonly document: string;
  /** SHA-256 of it, hexadecimal: two files with one digest track in the same way. */
  readonly digest: string;
}

/**
 * `report`: it is a trouble and a gap until `waltrail apply`. `apply`: capture publishes it when it sees it.
 * `follow`: the publication holds the schemas of patterns whole, so it is captured from its first row.
 */
export type OnNewTable = 'report' | 'apply' | 'follow';

export type Kind = 'agent' | 'bot' | 'system';
export type Operation = 'insert' | 'update' | 'delete' | 'truncate';

/** What an entry of a table's row is of: a change, or a baseline. */
export type EntryOperation = Operation | 'baseline';

/** Actions of changes that no rule of `actions` matches. */
export const DEFAULT_ACTIONS: Readonly<Record<Operation, string>> = {
  insert: 'add',
  update: 'edit',
  delete: 'delete',
  truncate: 'delete',
};

/** The action of rows that a baseline tells of; no rule gives it. */
export const BASELINE_ACTION = 'baseline';
/** A table with more rows gets no baseline, where the YAML does not say another number. */
export const DEFAULT_BASELINE_ROWS = 10_000;
/** The rows of a baseline are in memory until the stream has come to where they belong. */
export const MOST_BASELINE_ROWS = 100_000;

/** A value as a person writes it in YAML; compared with PostgreSQL's text by the column's type. */
export type Scalar = string | number | boolean | null;

/**
 * `"{first_name} {last_name}"`, parsed. `{{` and `}}` stand for braces, `{name|email}` for the first of these
 * columns that has text in it.
 */
export type Template = readonly TemplatePart[];
export type TemplatePart =
  { readonly text: string } | { readonly column: string; readonly or?: readonly string[] };

export interface LabelRule {
  /** `schema.table` that holds the words. */
  readonly table: string;
  readonly key: string;
  readonly name: Template;
  /**
   * Column of the tenant whose readers see the words of a row. Null: that by which the table is tracked
   * (`lookupTenant` of match.ts).
   */
  readonly tenant: string | null;
}

/**
 * Words for a column with keys of several tables: another column of the row says of which (DECISIONS 100).
 */
export interface TypedLabel {
  /** That column. */
  readonly type: string;
  /** By what it holds. Keys of others have no words. */
  readonly of: ReadonlyMap<string, LabelRule>;
}

/**
 * A column of a table that is followed for the rows which refer to it: what a row had in it is known as of
 * each change. Kept like a name, and as PostgreSQL prints it; empty where the column is null.
 */
export interface ReferenceRule extends LabelRule {
  readonly column: string;
}

/** Names of rows by a key: modifiers, words of labels, and columns that rows of other tables ask for. */
export type NameRule = LabelRule | ModifiersRule | ReferenceRule;

/** Where rows have the tenant of a row of another table (DECISIONS 99). */
export interface TenantOf {
  /** `schema.table`. */
  readonly table: string;
  /** The column of that table which holds what the row refers to. */
  readonly key: string;
  /** The column of that table which holds the tenant. Null: as the table is tracked, maybe by a join. */
  readonly tenant: string | null;
}

export interface ModifiersRule extends LabelRule {
  /** What the YAML calls the table; null: it is the only one, and has no name. */
  readonly called: string | null;
  /** Which modifiers are bots or the system: value of `column` to kind. Others are agents. */
  readonly kind: {
    readonly column: string;
    readonly bot: readonly Scalar[];
    readonly system: readonly Scalar[];
  } | null;
}

/**
 * Of which table of modifiers a key is: its index in `modifiers`, or what a column of the same row says. A
 * value that is not listed is of none.
 */
export type KeyOf = number | { readonly column: string; readonly tables: ReadonlyMap<string, number> };

/** A column that names who made a change (DECISIONS 85). */
export interface ModifierRule {
  readonly column: string;
  /** The application sets the column with each update, also to the value that it had. */
  readonly alwaysSet: boolean;
  readonly as: KeyOf;
  /** Operations it is for. */
  readonly on: readonly ('insert' | 'update')[];
  /** Actions it is for; null: all. */
  readonly actions: readonly string[] | null;
  /** What the row has to be after the change. */
  readonly when: ReadonlyMap<string, Wanted>;
}

/** An audit table of the application, each new row of which is a witness (DECISIONS 86). */
export interface WitnessRule {
  /** `schema.table`. */
  readonly table: string;
  /** The column that names who made the changes. */
  readonly modifier: string;
  /** What stands before the key in it. Empty: nothing does. */
  readonly prefix: string;
  readonly as: KeyOf;
  /** What the row of the witness has to be. */
  readonly when: ReadonlyMap<string, Wanted>;
  /** The row that it speaks for; null: it names none. */
  readonly row: WitnessedRow | null;
}

export interface WitnessedRow {
  /** The column that holds the primary key of the row. */
  readonly key: string;
  /**
   * Its table, or the column that tells it, with the tables by value. Null: by the conventions of frameworks.
   */
  readonly of:
    | { readonly table: string }
    | { readonly type: string; readonly types: ReadonlyMap<string, string> | null };
}

/** What of a session on the source names who makes changes (DECISIONS 94). */
export interface SessionRule {
  /** The first that names somebody counts. */
  readonly settings: readonly SessionSetting[];
  /** Where none does, the login is the modifier itself. */
  readonly databaseUser: boolean;
}

export interface SessionSetting {
  /** Name of a setting, as `app.user_id`. */
  readonly setting: string;
  /** The member of the JSON object in it that holds the key; null: its value is the key. */
  readonly member: string | null;
  /**
   * It may hold what is nobody's key, as the name of a program: it names only people who are in the table.
   */
  readonly onlyKnown: boolean;
  /** Index of the table of modifiers that the key is of. */
  readonly as: number;
}

/** What logical messages are believed. */
export interface MessagesRule {
  /** Names and kinds that they give win over those of the modifiers table. */
  readonly trustNames: boolean;
  /** Secrets, as the URLs are: never stored, shown or logged. Empty: messages need no signature. */
  readonly signingKeys: readonly string[];
}

export type RedactWith =
  { readonly method: 'drop' | 'mask' | 'hash' } | { readonly method: 'truncate'; readonly length: number };

/** What is masked without a rule for it, behind all rules. */
export interface SecretsRule {
  readonly defaults: boolean;
  /** What looks like a secret and is none. */
  readonly allow: readonly AllowRule[];
}

export interface AllowRule {
  /** Table pattern; null: every table, and the context of logical messages. */
  readonly table: string | null;
  /**
   * A column, or behind a dot the path of a member of its JSON, with `*` as wildcard, case-insensitive.
   * Without table: the name of a column or member.
   */
  readonly name: string;
}

export interface RedactRule {
  /**
   * Column names with `*` as wildcard, case-insensitive. One with a dot is a member of JSON: the column and
   * the path in it.
   */
  readonly columns: readonly string[];
  /** Table patterns (`schema.table`, `*`); null: every table. */
  readonly tables: readonly string[] | null;
  readonly with: RedactWith;
}

/** What the value of a column has to be: one of these, or none of them. Null is SQL null. */
export interface Wanted {
  readonly values: readonly Scalar[];
  readonly not: boolean;
}

export interface ActionRule {
  readonly on: readonly Operation[];
  /**
   * Columns, with `*` as wildcard, or members of their JSON, of which at least one must differ (update only).
   * Null: no condition.
   */
  readonly changed: readonly string[] | null;
  /** Conditions on the one `changed` column's value before and after. Null: no condition. */
  readonly from: Wanted | null;
  readonly to: Wanted | null;
  /** Columns of which at least one must be greater, or less, than before. Empty: no condition. */
  readonly increased: readonly string[];
  readonly decreased: readonly string[];
  /** Columns of the row (after the change; before it for a delete) and what their values have to be. */
  readonly when: ReadonlyMap<string, Wanted>;
  /** `SKIP` of action-schema.ts: the change makes no entry. */
  readonly action: string;
}

export interface TableRule {
  /** `schema.table`, or a pattern with `*`. */
  readonly pattern: string;
  /** Null: by the name of the table (entity-default.ts). */
  readonly entity: string | null;
  /** Tables that the pattern matches are one entity type, and rows with one id have one history. */
  readonly oneHistory: boolean;
  /** Empty: the entity id serves as name. Null: by the columns that the table has (entity-default.ts). */
  readonly name: Template | null;
  /** Columns of the entity id; null: the primary key. */
  readonly id: readonly string[] | null;
  /** Columns that name who made a change; the first that does so counts. */
  readonly modifier: readonly ModifierRule[];
  /** Column of the tenant; with `tenantOf`, of the key of the row that has it. Null: rows have none. */
  readonly tenant: string | null;
  /** Null: the column holds the tenant itself. */
  readonly tenantOf: TenantOf | null;
  /** The YAML says that rows have no tenant; else that was only left out. */
  readonly tenantless: boolean;
  /**
   * Columns whose values are stored, with `*` as wildcard, beside those that other keys of this rule show;
   * null: all.
   */
  readonly only: readonly string[] | null;
  /** Columns whose values are not stored, with `*` as wildcard, unless other keys of this rule show them. */
  readonly except: readonly string[];
  /**
   * The yes to a partitioned table without primary key, whose new partitions refuse writes until `apply`;
   * null: no.
   */
  readonly newPartitions: 'may_refuse_writes' | null;
  /**
   * An update of nothing but these makes no entry; they are left out of others' differences. With `*` as
   * wildcard (`isIgnored` of column-lists.ts).
   */
  readonly ignore: readonly string[];
  /** Operations that make entries; null: all. */
  readonly operations: readonly Operation[] | null;
  /**
   * The most rows of which each makes an entry when the table begins to be tracked (DECISIONS 107); null: the
   * YAML asks for none.
   */
  readonly baseline: number | null;
  /** What a row has to be for its changes to make entries. */
  readonly where: ReadonlyMap<string, Wanted>;
  readonly labels: ReadonlyMap<string, LabelRule>;
  /** Columns with keys of several tables. */
  readonly typedLabels: ReadonlyMap<string, TypedLabel>;
  /** Column, or member of its JSON, to (stored value as text to word). Of an array, values of elements. */
  readonly values: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Column of a bit mask to (position of the bit, 0 for the lowest, to word). */
  readonly bits: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** The first that matches names the action; else insert is add, update edit, delete and truncate delete. */
  readonly actions: readonly ActionRule[];
}
