import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** The schemas in this folder, each in `NAME.sql` with what is true of it in `NAME.truth.json`. */
export const SCHEMAS = ['chatwoot', 'mastodon', 'lago', 'pagila', 'northwind'] as const;
export type SchemaName = (typeof SCHEMAS)[number];
export type Operation = 'insert' | 'update' | 'delete';

/**
 * What a person who knows the application says about its tables, for measuring what is guessed from a
 * catalog. Every table is in the schema `public`; a column is written `table.column`.
 */
export interface Truth {
  /** Data of the application. Without the partitions of one. */
  readonly tables: readonly string[];
  /** What the framework keeps for itself: versions of migrations, sessions, issued tokens, statistics. */
  readonly internal: readonly string[];
  /** Columns that hold a password's digest, a token, a private key, or JSON with one in it. */
  readonly secrets: readonly string[];
  /** Of a JSON column among the secrets, the members that are one. Empty: all of it. */
  readonly members: Readonly<Record<string, readonly string[]>>;
  /** Columns of which both is right: to mask them and to show them. */
  readonly arguable: readonly string[];
  /**
   * What a person calls a row, as the tracking YAML writes it: `{first_name} {last_name}`; `{a|b}` is the
   * first that is not empty. Tables without a natural name are left out.
   */
  readonly names: Readonly<Record<string, string>>;
  readonly tenant: {
    readonly table: string;
    /** In every table that is neither in `via` nor in `without`. */
    readonly column: string;
    /** Table to its column that refers to a row with a tenant. */
    readonly via: Readonly<Record<string, string>>;
    readonly without: readonly string[];
  } | null;
  /** Tables of those who change rows. The first has the people. */
  readonly modifiers: readonly string[];
  /** Table to its column that refers to the same person in the first table of `modifiers`. */
  readonly samePerson: Readonly<Record<string, string>>;
  readonly authors: readonly Author[];
  /** Columns that refer to people who did not make the change. */
  readonly notAuthors: readonly string[];
  readonly witness: readonly Witness[];
  readonly polymorphic: readonly Polymorphic[];
  /** Where a column refers to, if neither a foreign key nor its name (`team_id`) says so. */
  readonly references: Readonly<Record<string, string>>;
  /** Columns to numbers and their words, as the models have them. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Columns that change with each login. */
  readonly logins: readonly string[];
  /** Tables with a row for each login. */
  readonly loginTables: readonly string[];
  /** Partitioned tables to their partitions. */
  readonly partitions: Readonly<Record<string, readonly string[]>>;
  /** How much more often than others a table is changed. Others: 1. */
  readonly busy: Readonly<Record<string, number>>;
}

/** A column with the key of who made these operations. */
export interface Author {
  readonly table: string;
  readonly column: string;
  /** Of a polymorphic column: which column says the type. */
  readonly type?: string;
  /** The table of the people, or types to tables. */
  readonly of: string | Readonly<Record<string, string>>;
  readonly on: readonly Operation[];
}

/** A table of audit rows that the application writes. */
export interface Witness {
  readonly table: string;
  /** Its column with the key of who made the change. */
  readonly modifier: string;
  /** What stands before the key there. */
  readonly prefix?: string;
  /** Its columns with the values that make the modifier one of the people. */
  readonly when: Readonly<Record<string, string>>;
  /** Its columns with the changed row. */
  readonly row: { readonly type: string; readonly key: string };
  readonly action: string;
  readonly words: Readonly<Record<Operation, string>>;
  /** Where the audit row stands relative to the change. */
  readonly order: WitnessOrder;
  /** A column that the application sets by an update of the audit row, right behind its insert. */
  readonly touched?: string;
  readonly of: readonly Witnessed[];
}

export type WitnessOrder = 'before' | 'behind' | 'behind inserts, before others' | 'behind, before deletes';

/** Changes that have an audit row. */
export interface Witnessed {
  readonly table: string;
  readonly type: string;
  readonly on: readonly Operation[];
  /** Only an update of this column. */
  readonly column?: string;
  readonly word?: string;
  readonly order?: WitnessOrder;
  /** The audit row is written in a transaction of its own, behind that of the change. */
  readonly isLate?: boolean;
}

export interface Polymorphic {
  readonly table: string;
  readonly type: string;
  readonly key: string;
  readonly of: Readonly<Record<string, string>>;
}

/** The SQL that creates the schema's tables in an empty database. */
export const schemaSql = (name: SchemaName): Promise<string> => read(`${name}.sql`);

export async function truthOf(name: SchemaName): Promise<Truth> {
  return JSON.parse(await read(`${name}.truth.json`)) as Truth;
}

/** The columns that a name is made of: `first_name` and `last_name` of `{first_name} {last_name}`. */
export const columnsOfName = (template: string): readonly string[] =>
  [...template.matchAll(/\{([^}]+)\}/g)].flatMap(([, columns]) => columns!.split('|'));

const read = (file: string): Promise<string> => readFile(path.join(import.meta.dirname, file), 'utf8');
