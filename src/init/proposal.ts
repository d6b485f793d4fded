import type { Template } from '../tracking/rules.js';
import type { SessionPreset } from '../tracking/session-presets.js';
import type { ValueFacts } from './propose-values.js';

/** The content that `init` writes, decided but not yet text. */
export interface Proposal {
  readonly source: { readonly name: string; readonly publication: string };
  /** Tables of people. The first is the one for logical messages. */
  readonly people: readonly PeopleTable[];
  readonly witnesses: readonly Witness[];
  /** Null if nothing shows that the application tells PostgreSQL who it works for. */
  readonly session: ProposedSession | null;
  readonly secrets: readonly TableSecrets[];
  readonly tenant: TenantColumn | null;
  readonly tables: readonly TableProposal[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * How rows of a table are looked up. It is the same wherever the table is used, because a table has one name
 * template.
 */
export interface Lookup {
  /** Canonical `schema.table`. */
  readonly table: string;
  readonly key: string;
  readonly name: Template;
}

export interface PeopleTable extends Lookup {
  /** Its name in the YAML. */
  readonly called: string;
  /** The boolean column that marks a row as a program; null if there is none. */
  readonly bot: string | null;
  /** Why it counts as a table of people. */
  readonly fact: string;
}

/** Whose key a column holds: the name of a table of people, or a column of the row that names one. */
export type As =
  | string
  | { readonly column: string; readonly values: readonly (readonly [value: string, called: string])[] };

export interface Witness {
  readonly table: string;
  readonly modifier: string;
  /** The prefix before the key; null if none is known. */
  readonly prefix: string | null;
  readonly as: As;
  readonly row:
    { readonly key: string; readonly type: string } | { readonly key: string; readonly table: string } | null;
  readonly fact: string;
}

export interface ProposedSession {
  readonly settings: readonly ProposedSetting[];
  /** Whether the role may put the trigger on every table. If not, the rule is written as a comment. */
  readonly isAllowed: boolean;
}

export type ProposedSetting = ({ readonly preset: SessionPreset } | { readonly setting: string }) & {
  readonly fact: string;
};

export interface TableSecrets {
  readonly table: string;
  readonly columns: readonly string[];
  readonly with: 'mask' | 'hash';
  /** Null if the names of the columns say it. */
  readonly fact: string | null;
}

export interface TenantColumn {
  readonly column: string;
  /** Canonical name of the tenants' own table; null if there is none. */
  readonly table: string | null;
  /** Tables that have no such column. */
  readonly without: ReadonlySet<string>;
}

/**
 * Which tenant the rows of a table belong to: by a column, or by the row of another table that they refer to.
 */
export interface ProposedTenant {
  readonly column: string;
  readonly of: {
    readonly table: string;
    readonly key: string;
    /** Whether a foreign key declares it. If not, the name of the column suggests it. */
    readonly declared: boolean;
  } | null;
}

export interface LeftOut {
  /** A canonical name, or a pattern for a schema. */
  readonly table: string;
  readonly reason: string;
  /** Whether the YAML has to exclude it, because PostgreSQL would send its rows. */
  readonly isSent: boolean;
}

export interface ModifierColumn {
  readonly column: string;
  readonly as: As;
  readonly on: 'insert' | null;
  readonly action: string | null;
  readonly fact: string;
}

export interface ProposedAction {
  readonly on: 'insert' | 'update';
  /** The one column that has to differ, and how; null if none is required. */
  readonly column: { readonly how: 'changed' | 'increased'; readonly name: string } | null;
  readonly when: readonly (readonly [column: string, value: boolean])[];
  readonly action: string;
}

export interface TableProposal {
  /** Canonical `schema.table`. */
  readonly table: string;
  /** Facts of the table, one per line. */
  readonly facts: readonly string[];
  /** Null if its default is unique. */
  readonly entity: string | null;
  /** Null if no column names its rows. */
  readonly name: Template | null;
  /** Null for the primary key. */
  readonly id: readonly string[] | null;
  readonly tenant: ProposedTenant | null;
  readonly modifiers: readonly ModifierColumn[];
  readonly operations: readonly ('insert' | 'update' | 'delete' | 'truncate')[] | null;
  readonly ignore: readonly string[];
  readonly labels: readonly {
    readonly column: string;
    readonly lookup: Lookup;
    /** Whether a foreign key declares it. If not, its name suggests it. */
    readonly declared: boolean;
  }[];
  /** Keys of several tables. The value of column `type` selects the table. */
  readonly typedLabels: readonly {
    readonly column: string;
    readonly type: string;
    readonly of: readonly (readonly [value: string, lookup: Lookup])[];
  }[];
  readonly actions: readonly ProposedAction[];
  /** Its rows say who may do what, or how things are set: a baseline gives them a beginning. */
  readonly baseline: boolean;
  readonly values: ValueFacts;
}
