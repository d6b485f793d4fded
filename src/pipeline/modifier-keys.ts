/**
 * Makes keys of several tables of modifiers unique where they are shown, stored and filtered (DECISIONS 84).
 * Keys of the first table stay as they are. Keys of any other table get its name as a prefix, as in
 * `contacts:7`. If a key of the first table begins like a key of another table, it gets the name of its own
 * table as a prefix. If the YAML asks for logins, a database login is shown as `database user:alice`
 * (DECISIONS 94).
 */
export class ModifierKeys {
  /** Prefixes such as `contacts:`, by index. Empty: the only table has no name. */
  readonly #prefixes: readonly string[];
  /** Prefixes that keys of the first table must not have. */
  readonly #taken: readonly string[];

  /**
   * @param options.tables the tables of modifiers, with their names in the YAML
   * @param options.databaseUsers whether logins are modifiers too
   */
  constructor(options: {
    readonly tables: readonly { readonly called: string | null }[];
    readonly databaseUsers: boolean;
  }) {
    this.#prefixes = options.tables.flatMap(({ called }) => (called === null ? [] : [`${called}:`]));
    this.#taken = options.databaseUsers ? [...this.#prefixes, DATABASE_USER] : this.#prefixes;
  }

  /**
   * Returns a key as it is shown.
   *
   * @param table index of the key's table
   */
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

/** Prefix of logins. No name under `modifiers` has a space in it. */
const DATABASE_USER = 'database user:';
/** Prefix of the only table, if it has no name. */
const ONLY_TABLE = 'modifiers:';
