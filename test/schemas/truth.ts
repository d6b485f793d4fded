import { readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The schemas in this folder. Each has its tables in `NAME.sql` and the facts about them in
 * `NAME.truth.json`.
 */
export const SCHEMAS = ['chatwoot', 'mastodon', 'lago', 'pagila', 'northwind'] as const;
export type SchemaName = (typeof SCHEMAS)[number];
export type Operation = 'insert' | 'update' | 'delete';

/**
 * Facts that a person who knows the application states about its tables. Guesses from a catalog are measured
 * against them. Every table is in the schema `public`; a column is written `table.column`.
 */
export interface Truth {
  /** Tables with data of the application, without partitions. */
  readonly tables: readonly string[];
  /** Tables of the framework: versions of migrations, sessions, issued tokens, statistics. */
  readonly internal: readonly string[];
  /** Columns with a password's digest, a token, a private key, or JSON that contains one. */
  readonly secrets: readonly string[];
  /** Members of JSON columns that are secrets. Empty: the whole value is. */
  readonly members: Readonly<Record<string, readonly string[]>>;
  /** Columns that may be masked or shown: both are right. */
  readonly arguable: readonly string[];
  /**
   * The name of a row, as the tracking YAML writes it: `{first_name} {last_name}`; `{a|b}` is the first that
   * is not empty. Tables without a natural name are missing.
   */
  readonly names: Readonly<Record<string, string>>;
  readonly tenant: {
    readonly table: string;
    /** Column of every table that is neither in `via` nor in `without`. */
    readonly column: string;
    /** For each table, its column that refers to a row with a tenant. */
    readonly via: Readonly<Record<string, string>>;
    readonly without: readonly string[];
  } | null;
  /** Tables of everybody who changes rows. The first has the people. */
  readonly modifiers: readonly string[];
  /** For each table, its column that refers to the same person in the first table of `modifiers`. */
  readonly samePerson: Readonly<Record<string, string>>;
  readonly authors: readonly Author[];
  /** Columns that refer to people who did not make the change. */
  readonly notAuthors: readonly string[];
  readonly witness: readonly Witness[];
  readonly polymorphic: readonly Polymorphic[];
  /**
   * The table that a column refers to, if neither a foreign key nor its name (such as `team_id`) shows it.
   */
  readonly references: Readonly<Record<string, string>>;
  /** For each column, its numbers with their labels from the application's models. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Columns that change with each login. */
  readonly logins: readonly string[];
  /** Tables with a row for each login. */
  readonly loginTables: readonly string[];
  /** For each partitioned table, its partitions. */
  readonly partitions: Readonly<Record<string, readonly string[]>>;
  /** How much more often than others a table is changed. Default: 1. */
  readonly busy: Readonly<Record<string, number>>;
}

/** A column with the key of the person who made these operations. */
export interface Author {
  readonly table: string;
  readonly column: string;
  /** The column with the type, if the key is polymorphic. */
  readonly type?: string;
  /** The table of the people, or a table for each type. */
  readonly of: string | Readonly<Record<string, string>>;
  readonly on: readonly Operation[];
}

/** A table of audit rows that the application writes. */
export interface Witness {
  readonly table: string;
  /** Its column with the key of the person who made the change. */
  readonly modifier: string;
  /** Text before the key in that column. */
  readonly prefix?: string;
  /** Its columns with the values that mark the modifier as one of the people. */
  readonly when: Readonly<Record<string, string>>;
  /** Its columns that identify the changed row. */
  readonly row: { readonly type: string; readonly key: string };
  readonly action: string;
  readonly words: Readonly<Record<Operation, string>>;
  /** Position of the audit row relative to the change. */
  readonly order: WitnessOrder;
  /** A column that the application sets by an update of the audit row, directly after its insert. */
  readonly touched?: string;
  readonly of: readonly Witnessed[];
}

export type WitnessOrder = 'before' | 'after' | 'after inserts, before others' | 'after, before deletes';

/** Changes that have an audit row. */
export interface Witnessed {
  readonly table: string;
  readonly type: string;
  readonly on: readonly Operation[];
  /** The column, if only updates of it are audited. */
  readonly column?: string;
  readonly word?: string;
  readonly order?: WitnessOrder;
  /** Whether the audit row is written in a separate transaction, after that of the change. */
  readonly isLate?: boolean;
}

export interface Polymorphic {
  readonly table: string;
  readonly type: string;
  readonly key: string;
  readonly of: Readonly<Record<string, string>>;
}

/** Returns the SQL that creates the schema's tables in an empty database. */
export const schemaSql = (name: SchemaName): Promise<string> => read(`${name}.sql`);

export async function truthOf(name: SchemaName): Promise<Truth> {
  return JSON.parse(await read(`${name}.truth.json`)) as Truth;
}

/** Returns the columns in a name: `first_name` and `last_name` of `{first_name} {last_name}`. */
export const columnsOfName = (template: string): readonly string[] =>
  [...template.matchAll(/\{([^}]+)\}/g)].flatMap(([, columns]) => columns!.split('|'));

const read = (file: string): Promise<string> => readFile(path.join(import.meta.dirname, file), 'utf8');
