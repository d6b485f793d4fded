import type { OtherModifier } from './other-modifier.js';
import type { Person } from './people.js';
import { rowSpeakers } from './row-speakers.js';

/** A person that a witness names. There is one for each person of a transaction. */
export interface Speaker {
  /** Index of the table of modifiers. */
  readonly table: number;
  /** The key as the witness has it. It is never stored if its column is redacted. */
  readonly key: string;
  /** The person at the time of the witness. */
  readonly person: Person;
  /** The same person, for entries with another modifier. */
  readonly other: OtherModifier;
}

/** What the witnesses of a transaction state about one change. */
export interface Testimony {
  readonly speaker: Speaker;
  /**
   * Whether they are about the changed row. Otherwise the speaker is the one on whom all witnesses agree,
   * which counts less than the row itself.
   */
  readonly isOfRow: boolean;
}

/** The witnesses of one row, and the places of its changes among them. */
class WitnessesOfRow {
  readonly #places: number[] = [];
  readonly #said: (Speaker | null)[] = [];
  /** By the number of witnesses before: whether the row changed there. */
  readonly #changed: boolean[] = [false];
  #speakers: readonly (Speaker | null)[] | null = null;

  add(place: number, speaker: Speaker | null): void {
    this.#places.push(place);
    this.#said.push(speaker);
    this.#changed.push(false);
  }

  /** Notes that the row has changed at this place. */
  changedAt(place: number): void {
    this.#changed[this.#before(place)] = true;
  }

  /**
   * Returns the person that they name for the change at this place. At the first call, all changes of the row
   * are known except those before the first witness. If there are any, the first call is for one of them, and
   * notes it.
   */
  speakerAt(place: number): Speaker | null {
    if (this.#speakers === null) {
      this.changedAt(place);
      this.#speakers = rowSpeakers(this.#said, this.#changed);
    }
    return this.#speakers[this.#before(place)]!;
  }

  /** Returns the number of witnesses before a place. Places ascend, and one row may have thousands. */
  #before(place: number): number {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#places[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Most witnesses of a transaction that are kept with their rows. If there are more, only what all of them
 * agree on counts. A million witnesses that disagree then remove names, but take no memory.
 */
const MAX_WITNESSES = 20_000;

/** What the witnesses of one transaction state (DECISIONS 86). */
export class TransactionWitnesses {
  /** Witnesses by row. Null: there are too many, so they are not kept. */
  #rows: Map<string, WitnessesOfRow> | null = new Map();
  /** Speakers by person. */
  readonly #speakers = new Map<string, Speaker>();
  #count = 0;
  /** The first person that a witness names. Null: none names anybody. */
  #agreed: Speaker | null = null;
  #disagree = false;
  /** Whether some witnesses name nobody, or an unknown person. */
  #someNobody = false;

  /** Adds a witness that names a person whom the rules do not know. */
  addUnknown(place: number, rows: readonly string[]): void {
    this.#disagree = true;
    this.#add(place, rows, null);
  }

  /** Adds a witness that names nobody. */
  addNobody(place: number, rows: readonly string[]): void {
    this.#add(place, rows, null);
  }

  /**
   * Adds a witness that names a person.
   *
   * @param make called for a person who was not named before
   */
  addSpeaker(place: number, rows: readonly string[], person: string, make: () => Speaker): void {
    const first = this.#agreed;
    if (this.#rows === null) {
      this.#disagree ||= first === null || personOf(first.table, first.key) !== person;
      return;
    }
    let speaker = this.#speakers.get(person);
    if (speaker === undefined) this.#speakers.set(person, (speaker = make()));
    if (first === null) this.#agreed = speaker;
    else this.#disagree ||= first !== speaker;
    this.#add(place, rows, speaker);
  }

  /** Notes that a row, under any of its names, has changed. */
  changed(place: number, rows: readonly string[]): void {
    for (const row of rows) this.#rows?.get(row)?.changedAt(place);
  }

  /**
   * Notes that witnesses may be missing. A missing one could disagree, so only witnesses about a row count.
   */
  isIncomplete(): void {
    this.#disagree = true;
  }

  /** Whether the witnesses name anybody. */
  get nameSomebody(): boolean {
    if (this.#rows === null && this.#someNobody) return false;
    return this.#agreed !== null && (this.#rows !== null || !this.#disagree);
  }

  /** Returns what they state about a change of a row, under any of its names. Null: nothing. */
  testimonyFor(place: number, rows: readonly string[]): Testimony | null {
    if (!this.nameSomebody) return null;
    const own = rows.flatMap((row) => this.#rows?.get(row) ?? []);
    if (own.length > 0) {
      const [first, ...others] = own.map((witnesses) => witnesses.speakerAt(place));
      return first && others.every((other) => other === first) ? { speaker: first, isOfRow: true } : null;
    }
    return this.#disagree || this.#agreed === null ? null : { speaker: this.#agreed, isOfRow: false };
  }

  #add(place: number, rows: readonly string[], speaker: Speaker | null): void {
    this.#someNobody ||= speaker === null;
    if (this.#rows === null) return;
    if (++this.#count > MAX_WITNESSES) {
      this.#rows = null;
      this.#speakers.clear();
      return;
    }
    for (const row of rows) {
      let witnesses = this.#rows.get(row);
      if (witnesses === undefined) this.#rows.set(row, (witnesses = new WitnessesOfRow()));
      witnesses.add(place, speaker);
    }
  }
}

/** Returns a text that identifies a person, whatever is in the key. */
export const personOf = (table: number, key: string): string => `${table}:${key}`;
