import { readableText } from '../pg/text.js';
import type { ModifiersRule } from '../tracking/rules.js';
import { ModifierKeys } from './modifier-keys.js';
import { shortName } from './naming.js';
import type { OtherModifier } from './other-modifier.js';
import { People, type Person } from './people.js';
import type { Dictionary, Lookups } from './ports.js';
import type { Redactor } from './redaction.js';
import type { NamedActingAs, NamedModifier, UnreadActingAs } from './statement.js';

/** A key as its source has it, and the index of its table among those of modifiers. */
export interface TableKey {
  readonly table: number;
  readonly key: string;
}

/** Whom a message means: who acted, and in whose name; undefined: in their own. */
export interface MeantByMessage extends TableKey {
  readonly actingAs?: TableKey | undefined;
}

/** What a message has said of who made changes. */
export interface ByMessage {
  readonly modifierId: number;
  readonly meant: MeantByMessage;
  /** Why it is not known whom the modifier acted as; null: it is. */
  readonly unread: UnreadActingAs | null;
}

/** Numbers modifiers, and knows whom a key of which table means. */
export class Attribution {
  readonly #dictionary: Dictionary;
  readonly #trustNames: boolean;
  readonly #keys: ModifierKeys;
  /** By index of their table; the first is there without one. */
  readonly #people: readonly People[];
  /** Names of the tables of modifiers, as the YAML calls them. */
  readonly #tables: readonly (string | null)[];

  constructor(options: {
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    readonly modifiers: readonly ModifiersRule[];
    /** Names and kinds that a message gives win over those of the modifiers table. */
    readonly trustNames: boolean;
    /** Logins of the database are modifiers too. */
    readonly databaseUsers: boolean;
  }) {
    const { dictionary, lookups, modifiers, databaseUsers } = options;
    this.#dictionary = dictionary;
    this.#trustNames = options.trustNames;
    const keys = (this.#keys = new ModifierKeys({ tables: modifiers, databaseUsers }));
    this.#tables = modifiers.map(({ called }) => called);
    const tables = modifiers.length === 0 ? [null] : modifiers.map(({ table }) => table);
    this.#people = tables.map((table, index) => new People({ dictionary, lookups, keys, index, table }));
  }

  /** @param index of their table */
  people(index: number): People {
    return this.#people[index]!;
  }

  /** Whom an id means that a column was given; undefined where that is no longer known. */
  otherById(modifierId: number): OtherModifier | undefined {
    for (const people of this.#people) {
      const other = people.otherById(modifierId);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  /**
   * Whom a logical message names, which speaks of the first table. Name and kind come from that table: any
   * login may send a message, and one must not rename somebody for everybody (DECISIONS 52). Where the YAML
   * trusts messages, from the message first.
   */
  byMessage(named: NamedModifier): ByMessage {
    const person = this.#named(0, named);
    const meant = { table: 0, key: named.key };
    const acting = named.actingAs === null ? null : this.#actingAs(named.actingAs);
    if (acting === null || typeof acting === 'string')
      return { modifierId: this.#dictionary.modifier(person), meant, unread: acting };
    // An application may always send both. Who acts in their own name acts as nobody.
    if (acting.person.key === person.key)
      return { modifierId: this.#dictionary.modifier(person), meant, unread: null };
    return {
      modifierId: this.#dictionary.modifier({ ...person, actingAs: acting.person }),
      meant: { ...meant, actingAs: acting.meant },
      unread: null,
    };
  }

  #actingAs(named: NamedActingAs): { readonly person: Person; readonly meant: TableKey } | UnreadActingAs {
    const table = named.table === null ? 0 : this.#tables.indexOf(named.table);
    if (table < 0) return 'acting_as_table is no table of modifiers';
    return { person: this.#named(table, { ...named, kind: null }), meant: { table, key: named.key } };
  }

  /** Somebody of a table, with what the message says of them where that is trusted. */
  #named(table: number, { key, name, kind }: Pick<NamedModifier, 'key' | 'name' | 'kind'>): Person {
    const person = this.people(table).person(key);
    if (!this.#trustNames) return person;
    return {
      key: person.key,
      name: name === null ? person.name : shortName(name),
      kind: kind ?? person.kind,
    };
  }

  /** A login of the database, which is in no table of modifiers. */
  databaseUser(name: string): Person {
    return {
      key: this.#keys.databaseUser(name),
      name: shortName(`database user ${name}`),
      kind: 'agent',
    };
  }

  /** Numbers whom {@link People.person} or {@link databaseUser} gave. */
  idOf(person: Person): number {
    return this.#dictionary.modifier(person);
  }

  /** Whether a key of a table means the same modifier, as the column of the other shows it. */
  isSame(other: OtherModifier, { table, key }: TableKey): boolean {
    const { redactor } = other;
    return other.key === this.#keys.shown(table, redactor === null ? key : redactedKey(redactor, key));
  }

  /** The name or kind of some modifier changed: entries from here on use the new one. */
  namesChanged(table: string): void {
    for (const people of this.#people) people.namesChanged(table);
  }
}

/** A key as it is stored where its column is redacted. */
export function redactedKey(redactor: Redactor, key: string): string {
  const bytes = Buffer.from(key);
  const redacted = redactor(bytes, 0, bytes.length);
  return redacted === null ? key : readableText(redacted, 0, redacted.length);
}
