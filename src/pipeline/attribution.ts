import type { Tuple } from '../pgoutput/tuple.js';
import { BytesCache } from './bytes-cache.js';
import { shortName } from './naming.js';
import { UNATTRIBUTED, type Dictionary, type LookupName, type Lookups } from './ports.js';
import { redactedText, type Redactor } from './redaction.js';
import type { NamedModifier } from './statement.js';

/** Keys that are held at most. */
const MOST_IDS = 10_000;

/** Finds the modifier of a change: rungs `message` and `column` of the attribution ladder. */
export class Attribution {
  readonly #dictionary: Dictionary;
  readonly #lookups: Lookups;
  readonly #modifiersTable: string | null;
  /** Modifier id by key, of the last keys, as long as the names are what they were. */
  readonly #ids = new Map<string, number>();
  readonly #byBytes = new BytesCache();
  readonly #find = (key: string): number => this.#idOf(key);

  constructor(options: {
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    readonly modifiersTable: string | null;
  }) {
    this.#dictionary = options.dictionary;
    this.#lookups = options.lookups;
    this.#modifiersTable = options.modifiersTable;
  }

  /**
   * Modifier id by the modifier column of the row as the change left it; {@link UNATTRIBUTED} where that is
   * empty.
   */
  byColumn(row: Tuple, column: number, redactor: Redactor | null): number {
    if (column < 0 || !row.has(column)) return UNATTRIBUTED;
    if (redactor !== null) return this.#idOf(redactedText(redactor, row, column));
    return this.#byBytes.get(row, column, this.#find);
  }

  /**
   * Modifier id by a logical message. A name or kind that the message does not give comes from the modifiers
   * table.
   */
  byMessage({ key, name, kind }: NamedModifier): number {
    const known = this.#known(key);
    return this.#dictionary.modifier({
      key,
      name: shortName(name ?? known?.name ?? key),
      kind: kind ?? known?.kind ?? 'agent',
    });
  }

  /** The name or kind of some modifier changed: entries from here on use the new one. */
  namesChanged(table: string): void {
    if (table !== this.#modifiersTable) return;
    this.#ids.clear();
    this.#byBytes.clear();
  }

  #idOf(key: string): number {
    if (key === '') return UNATTRIBUTED;
    let id = this.#ids.get(key);
    if (id === undefined) {
      const known = this.#known(key);
      id = this.#dictionary.modifier({
        key,
        name: shortName(known?.name ?? key),
        kind: known?.kind ?? 'agent',
      });
      // Anybody may invent keys.
      if (this.#ids.size >= MOST_IDS) this.#ids.clear();
      this.#ids.set(key, id);
    }
    return id;
  }

  #known(key: string): LookupName | undefined {
    return this.#modifiersTable === null ? undefined : this.#lookups.get(this.#modifiersTable, key);
  }
}
