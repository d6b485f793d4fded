import type { Tuple } from '../pgoutput/tuple.js';
import type { Kind } from '../tracking/rules.js';
import { BytesCache } from './bytes-cache.js';
import type { ModifierKeys } from './modifier-keys.js';
import { shortName } from './naming.js';
import { OtherModifier } from './other-modifier.js';
import { UNATTRIBUTED, type Dictionary, type LookupName, type Lookups } from './ports.js';
import { redactedText, type Redactor } from './redaction.js';

/** The person that a key means now. */
export interface Person {
  /** The key as it is shown. */
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
}

/**
 * Most modifiers in memory. When there are more, all are forgotten, because the source may invent any number.
 */
const MAX_HELD = 50_000;

/** The modifiers of one table, by their keys. */
export class People {
  readonly #dictionary: Dictionary;
  readonly #lookups: Lookups;
  readonly #keys: ModifierKeys;
  readonly #index: number;
  readonly #table: string | null;
  /** Modifier id by key. Forgotten when a name changes. */
  readonly #ids = new Map<string, number>();
  readonly #byBytes = new BytesCache();
  readonly #find = (key: string): number => this.#idOf(key, null);
  /** Modifier by the id that {@link byColumn} returned. An id keeps its meaning when names change. */
  readonly #byId = new Map<number, OtherModifier>();
  /** Index in `#others` by key, for columns that do not name the modifier that counts. */
  readonly #otherByKey = new Map<string, number>();
  readonly #otherByBytes = new BytesCache();
  readonly #findOther = (key: string): number => this.#otherOf(key, null);
  #others: OtherModifier[] = [];

  constructor(options: {
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    readonly keys: ModifierKeys;
    /** Index of its table among the tables of modifiers. */
    readonly index: number;
    /** `schema.table`; null: keys have no names. */
    readonly table: string | null;
  }) {
    this.#dictionary = options.dictionary;
    this.#lookups = options.lookups;
    this.#keys = options.keys;
    this.#index = options.index;
    this.#table = options.table;
  }

  /** Returns the modifier id for a column of a row. {@link UNATTRIBUTED}: the column is empty. */
  byColumn(row: Tuple, column: number, redactor: Redactor | null): number {
    if (redactor !== null) return this.#idOf(redactedText(redactor, row, column), redactor);
    return this.#byBytes.get(row, column, this.#find);
  }

  /** Returns the person that a column of a row names. Null: the column is empty. Stores nothing. */
  otherByColumn(row: Tuple, column: number, redactor: Redactor | null): OtherModifier | null {
    const index =
      redactor === null
        ? this.#otherByBytes.get(row, column, this.#findOther)
        : this.#otherOf(redactedText(redactor, row, column), redactor);
    return this.#others[index] ?? null;
  }

  /** Returns the modifier of an id that {@link byColumn} returned. Undefined: it is no longer in memory. */
  otherById(modifierId: number): OtherModifier | undefined {
    return this.#byId.get(modifierId);
  }

  /**
   * Returns the person that a key means.
   *
   * @param key as the table has it
   */
  person(key: string): Person {
    const known = this.#known(key);
    return {
      key: this.#keys.shown(this.#index, key),
      name: shortName(known?.name ?? key),
      kind: known?.kind ?? 'agent',
    };
  }

  /** Whether a row of the table has this key. */
  isKnown(key: string): boolean {
    return this.#known(key) !== undefined;
  }

  /** Handles a changed name or kind of a modifier. Later entries use the new one. */
  namesChanged(table: string): void {
    if (table === this.#table) this.#forgetNames();
  }

  #forgetNames(): void {
    this.#ids.clear();
    this.#byBytes.clear();
    this.#otherByKey.clear();
    this.#otherByBytes.clear();
    this.#others = [];
  }

  #idOf(key: string, redactor: Redactor | null): number {
    if (key === '') return UNATTRIBUTED;
    let id = this.#ids.get(key);
    if (id === undefined) {
      if (this.#ids.size >= MAX_HELD || this.#byId.size >= MAX_HELD) {
        this.#forgetNames();
        this.#byId.clear();
      }
      const person = this.person(key);
      id = this.#dictionary.modifier(person);
      this.#ids.set(key, id);
      this.#byId.set(id, new OtherModifier(person, { redactor, rung: 'column' }));
    }
    return id;
  }

  #otherOf(key: string, redactor: Redactor | null): number {
    if (key === '') return NOBODY;
    let index = this.#otherByKey.get(key);
    if (index === undefined) {
      if (this.#others.length >= MAX_HELD) this.#forgetNames();
      index = this.#others.push(new OtherModifier(this.person(key), { redactor, rung: 'column' })) - 1;
      this.#otherByKey.set(key, index);
    }
    return index;
  }

  #known(key: string): LookupName | undefined {
    return this.#table === null ? undefined : this.#lookups.get(this.#table, key);
  }
}

/** Index that stands for no {@link OtherModifier}. */
const NOBODY = -1;
