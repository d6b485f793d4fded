import type { Tuple } from '../pgoutput/tuple.js';
import type { Kind } from '../tracking/rules.js';
import { BytesCache } from './bytes-cache.js';
import { shortName } from './naming.js';
import { OtherModifier } from './other-modifier.js';
import { UNATTRIBUTED, type Dictionary, type LookupName, type Lookups } from './ports.js';
import { redactedText, type Redactor } from './redaction.js';
import type { NamedModifier } from './statement.js';

/** Whom a key means, as of now. */
interface Person {
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
}

/** Modifiers that are held in memory; then it is begun anew, for the source may invent any number. */
const MAX_HELD = 50_000;

/** Numbers modifiers, and knows whom a modifier column names without numbering them. */
export class Attribution {
  readonly #dictionary: Dictionary;
  readonly #lookups: Lookups;
  readonly #modifiersTable: string | null;
  readonly #trustNames: boolean;
  /** Modifier id by key, as long as the names are what they were. */
  readonly #ids = new Map<string, number>();
  readonly #byBytes = new BytesCache();
  readonly #find = (key: string): number => this.#idOf(key, null);
  /** Whom an id that a column was given means: numbers stay what they are, whatever the names become. */
  readonly #byId = new Map<number, OtherModifier>();
  /** The same of columns that name nobody who counts, by key: index in `#others`. */
  readonly #otherByKey = new Map<string, number>();
  readonly #otherByBytes = new BytesCache();
  readonly #findOther = (key: string): number => this.#otherOf(key, null);
  #others: OtherModifier[] = [];

  constructor(options: {
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    readonly modifiersTable: string | null;
    /** Names and kinds that a message gives win over those of the modifiers table. */
    readonly trustNames: boolean;
  }) {
    this.#dictionary = options.dictionary;
    this.#lookups = options.lookups;
    this.#modifiersTable = options.modifiersTable;
    this.#trustNames = options.trustNames;
  }

  /** Modifier id by the modifier column of a row; {@link UNATTRIBUTED} where that is empty. */
  byColumn(row: Tuple, column: number, redactor: Redactor | null): number {
    if (redactor !== null) return this.#idOf(redactedText(redactor, row, column), redactor);
    return this.#byBytes.get(row, column, this.#find);
  }

  /** Whom the modifier column of a row names; null where it is empty. Nothing of it is stored by this. */
  otherByColumn(row: Tuple, column: number, redactor: Redactor | null): OtherModifier | null {
    const index =
      redactor === null
        ? this.#otherByBytes.get(row, column, this.#findOther)
        : this.#otherOf(redactedText(redactor, row, column), redactor);
    return this.#others[index] ?? null;
  }

  /** Whom an id means that {@link byColumn} gave; undefined where that is no longer known. */
  otherById(modifierId: number): OtherModifier | undefined {
    return this.#byId.get(modifierId);
  }

  /**
   * Modifier id by a logical message. Name and kind come from the modifiers table: any login may send a
   * message, and one must not rename somebody for everybody (DECISIONS 52). Where the YAML trusts messages,
   * from the message first.
   */
  byMessage({ key, name, kind }: NamedModifier): number {
    const person = this.#person(key);
    if (!this.#trustNames) return this.#dictionary.modifier(person);
    return this.#dictionary.modifier({
      key,
      name: name === null ? person.name : shortName(name),
      kind: kind ?? person.kind,
    });
  }

  /** The name or kind of some modifier changed: entries from here on use the new one. */
  namesChanged(table: string): void {
    if (table === this.#modifiersTable) this.#forgetNames();
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
      const person = this.#person(key);
      id = this.#dictionary.modifier(person);
      this.#ids.set(key, id);
      this.#byId.set(id, new OtherModifier(person, redactor));
    }
    return id;
  }

  #otherOf(key: string, redactor: Redactor | null): number {
    if (key === '') return NOBODY;
    let index = this.#otherByKey.get(key);
    if (index === undefined) {
      if (this.#others.length >= MAX_HELD) this.#forgetNames();
      index = this.#others.push(new OtherModifier(this.#person(key), redactor)) - 1;
      this.#otherByKey.set(key, index);
    }
    return index;
  }

  #person(key: string): Person {
    const known = this.#known(key);
    return { key, name: shortName(known?.name ?? key), kind: known?.kind ?? 'agent' };
  }

  #known(key: string): LookupName | undefined {
    return this.#modifiersTable === null ? undefined : this.#lookups.get(this.#modifiersTable, key);
  }
}

/** Index of no {@link OtherModifier}. */
const NOBODY = -1;
