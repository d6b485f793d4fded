/**
 * How the keys of several tables of modifiers are told apart where they are shown, stored and filtered
 * (DECISIONS 84): those of the first table as they are, those of any other with its name before them, as
 * `contacts:7`. A key of the first that looks like one of another gets the name of its own table.
 */
export class ModifierKeys {
  /** `contacts:` by index; empty where the only table has no name. */
  readonly #prefixes: readonly string[];

  /** @param tables tables of modifiers, as the YAML calls them */
  constructor(tables: readonly { readonly called: string | null }[]) {
    this.#prefixes = tables.flatMap(({ called }) => (called === null ? [] : [`${called}:`]));
  }

  /** @param table its index */
  shown(table: number, key: string): string {
    if (table > 0) return this.#prefixes[table]! + key;
    return this.#prefixes.some((prefix) => key.startsWith(prefix)) ? this.#prefixes[0]! + key : key;
  }
}
