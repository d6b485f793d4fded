import type { Template } from '../tracking/rules.js';
import type { SessionPreset } from '../tracking/session-presets.js';
import type { ValueFacts } from './propose-values.js';

/** What `init` writes, decided but not yet text. */
export interface Proposal {
  readonly source: { readonly name: string; readonly publication: string };
  /** Tables of people, the first is that of logical messages. */
  readonly people: readonly PeopleTable[];
  readonly witnesses: readonly Witness[];
  /** Null: nothing says that the application tells PostgreSQL on whose behalf it works. */
  readonly session: ProposedSession | null;
  readonly secrets: readonly TableSecrets[];
  readonly tenant: TenantColumn | null;
  readonly tables: readonly TableProposal[];
  readonly leftOut: readonly LeftOut[];
}

/** How rows of a table are looked up: the same wherever it is done, for a table has one word for a row. */
export interface Lookup {
  /** Canonical `schema.table`. */
  readonly table: string;
  readonly key: string;
  readonly name: Template;
}

export interface PeopleTable extends Lookup {
  /** What the YAML calls it. */
  readonly called: string;
  /** The boolean column that says of a row that it is a program; null: there is none. */
  readonly bot: string | null;
  /** Why it is taken for one. */
  readonly fact: string;
}

/** Whose key a column holds: the name of a table of people, or what a column of the row says. */
export type As =
  | string
  | { readonly column: string; readonly values: readonly (readonly [value: string, called: string])[] };

export interface Witness {
  readonly table: string;
  readonly modifier: string;
  /** What stands before the key there; null: nothing is known to. */
  readonly prefix: string | null;
  readonly as: As;
  readonly row:
    { readonly key: string; readonly type: string } | { readonly key: string; readonly table: string } | null;
  readonly fact: string;
}

export interface ProposedSession {
  readonly settings: readonly ProposedSetting[];
  /** Whether the role may put the trigger on every table: else it is told in a comment. */
  readonly isAllowed: boolean;
}

export type ProposedSetting = ({ readonly preset: SessionPreset } | { readonly setting: string }) & {
  readonly fact: string;
};

export interface TableSecrets {
  readonly table: string;
  readonly columns: readonly string[];
  readonly with: 'mask' | 'hash';
  /** Null: their names say it. */
  readonly fact: string | null;
}

export interface TenantColumn {
  readonly column: string;
  /** Canonical name of the tenants' own table; null: there is none. */
  readonly table: string | null;
  /** Tables that have no such column. */
  readonly without: ReadonlySet<string>;
}

/** Whose the rows of a table are: what a column holds, or the row of another table that it refers to. */
export interface ProposedTenant {
  readonly column: string;
  readonly of: {
    readonly table: string;
    readonly key: string;
    /** A foreign key says so; false: the name of the column does. */
    readonly declared: boolean;
  } | null;
}

export interface LeftOut {
  /** A canonical name, or a pattern for a schema. */
  readonly table: string;
  readonly reason: string;
  /** Whether the YAML has to say so: PostgreSQL would send its rows. */
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
  /** The one column that has to differ, and how; null: none is asked for. */
  readonly column: { readonly how: 'changed' | 'increased'; readonly name: string } | null;
  readonly when: readonly (readonly [column: string, value: boolean])[];
  readonly action: string;
}

export interface TableProposal {
  /** Canonical `schema.table`. */
  readonly table: string;
  /** Facts of the table, one a line. */
  readonly facts: readonly string[];
  /** Null: its default is its own. */
  readonly entity: string | null;
  /** Null: no column names its rows. */
  readonly name: Template | null;
  /** Null: the primary key. */
  readonly id: readonly string[] | null;
  readonly tenant: ProposedTenant | null;
  readonly modifiers: readonly ModifierColumn[];
  readonly operations: readonly ('insert' | 'update' | 'delete' | 'truncate')[] | null;
  readonly ignore: readonly string[];
  readonly labels: readonly {
    readonly column: string;
    readonly lookup: Lookup;
    /** A foreign key says so; false: its name does. */
    readonly declared: boolean;
  }[];
  /** Keys of several tables: by what the column `type` of the row holds. */
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
