/**
 * How the keys of several tables of modifiers are told apart where they are shown, stored and filtered
 * (DECISIONS 84): those of the first table as they are, those of any other with its name before them, as
 * `contacts:7`. A key of the first that looks like one of another gets the name of its own table. A login of
 * the database is shown as `database user:alice`, where the YAML asks for logins (DECISIONS 94).
 */
export class ModifierKeys {
  /** `contacts:` by index; empty where the only table has no name. */
  readonly #prefixes: readonly string[];
  /** What keys of the first table must not begin with. */
  readonly #taken: readonly string[];

  /**
   * @param options.tables of modifiers, as the YAML calls them
   * @param options.databaseUsers logins are modifiers too
   */
  constructor(options: {
    readonly tables: readonly { readonly called: string | null }[];
    readonly databaseUsers: boolean;
  }) {
    this.#prefixes = options.tables.flatMap(({ called }) => (called === null ? [] : [`${called}:`]));
    this.#taken = options.databaseUsers ? [...this.#prefixes, DATABASE_USER] : this.#prefixes;
  }

  /** @param table its index */
  shown(table: number, key: string): string {
    if (table > 0) return this.#prefixes[table]! + key;
    return this.#taken.some((prefix) => key.startsWith(prefix))
      ? (this.#prefixes[0] ?? ONLY_TABLE) + key
      : key;
  }

  databaseUser(name: string): string {
    return DATABASE_USER + name;
  }
}

/** No name under `modifiers` has a blank in it. */
const DATABASE_USER = 'database user:';
/** Stands for the name of a table that has none. */
const ONLY_TABLE = 'modifiers:';
