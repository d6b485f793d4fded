import { readableText } from '../pg/text.js';
import type { ModifiersRule } from '../tracking/rules.js';
import { ModifierKeys } from './modifier-keys.js';
import { shortName } from './naming.js';
import type { OtherModifier } from './other-modifier.js';
import { People, type Person } from './people.js';
import type { Dictionary, Lookups } from './ports.js';
import type { Redactor } from './redaction.js';
import type { NamedActingAs, NamedModifier, UnreadActingAs } from './statement.js';

/** A key as the source stores it, and the index of its table among the tables of modifiers. */
export interface TableKey {
  readonly table: number;
  readonly key: string;
}

/**
 * Whom a message names: who acted, and in whose name. `actingAs` is undefined if they acted in their own
 * name.
 */
export interface MeantByMessage extends TableKey {
  readonly actingAs?: TableKey | undefined;
}

/** What a message states about who made changes. */
export interface ByMessage {
  readonly modifierId: number;
  readonly meant: MeantByMessage;
  /** Why it is unknown whom the modifier acted as. Null: it is known, or they acted in their own name. */
  readonly unread: UnreadActingAs | null;
}

/** Assigns numbers to modifiers, and finds the modifier that a key of a table means. */
export class Attribution {
  readonly #dictionary: Dictionary;
  readonly #trustNames: boolean;
  readonly #keys: ModifierKeys;
  /** By the index of their table. The first one exists even if the YAML has no table of modifiers. */
  readonly #people: readonly People[];
  /** Names that the YAML gives to the tables of modifiers. Null: it gives none. */
  readonly #tables: readonly (string | null)[];

  constructor(options: {
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    readonly modifiers: readonly ModifiersRule[];
    /** Whether name and kind from a message take precedence over those from the table of modifiers. */
    readonly trustNames: boolean;
    /** Whether database logins are modifiers too. */
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

  /**
   * Returns the modifiers of a table.
   *
   * @param index of the table among the tables of modifiers
   */
  people(index: number): People {
    return this.#people[index]!;
  }

  /** Returns the modifier that a column named, by its id. Undefined: it is no longer in memory. */
  otherById(modifierId: number): OtherModifier | undefined {
    for (const people of this.#people) {
      const other = people.otherById(modifierId);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  /**
   * Returns the modifier that a logical message names by a key of the first table of modifiers. Name and kind
   * come from that table: any login may send a message, and must not rename somebody for everybody (DECISIONS
   * 52). If the YAML trusts messages, the message's name and kind take precedence.
   */
  byMessage(named: NamedModifier): ByMessage {
    const person = this.#named(0, named);
    const meant = { table: 0, key: named.key };
    const acting = named.actingAs === null ? null : this.#actingAs(named.actingAs);
    if (acting === null || typeof acting === 'string')
      return { modifierId: this.#dictionary.modifier(person), meant, unread: acting };
    // An application may always send both `modifier` and `acting_as`. Equal keys mean that the person acted
    // in their own name.
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

  /** Returns a person of a table. If messages are trusted, name and kind come from the message. */
  #named(table: number, { key, name, kind }: Pick<NamedModifier, 'key' | 'name' | 'kind'>): Person {
    const person = this.people(table).person(key);
    if (!this.#trustNames) return person;
    return {
      key: person.key,
      name: name === null ? person.name : shortName(name),
      kind: kind ?? person.kind,
    };
  }

  /** Returns the modifier for a database login, which is in no table of modifiers. */
  databaseUser(name: string): Person {
    return {
      key: this.#keys.databaseUser(name),
      name: shortName(`database user ${name}`),
      kind: 'agent',
    };
  }

  /** Returns the number of a person that {@link People.person} or {@link databaseUser} returned. */
  idOf(person: Person): number {
    return this.#dictionary.modifier(person);
  }

  /**
   * Whether a key of a table means the same modifier as `other`. If the other's column is redacted, the key
   * is compared in its redacted form.
   */
  isSame(other: OtherModifier, { table, key }: TableKey): boolean {
    const { redactor } = other;
    return other.key === this.#keys.shown(table, redactor === null ? key : redactedKey(redactor, key));
  }

  /** Handles a changed name or kind of a modifier. Later entries use the new one. */
  namesChanged(table: string): void {
    for (const people of this.#people) people.namesChanged(table);
  }
}

/** Returns a key as it is stored if its column is redacted. */
export function redactedKey(redactor: Redactor, key: string): string {
  const bytes = Buffer.from(key);
  const redacted = redactor(bytes, 0, bytes.length);
  return redacted === null ? key : readableText(redacted, 0, redacted.length);
}
