import type { OtherModifier } from './other-modifier.js';
import type { Person } from './people.js';
import { rowSpeakers } from './row-speakers.js';

/** Somebody whom a witness names. One for each person of a transaction. */
export interface Speaker {
  /** Index of the table of modifiers. */
  readonly table: number;
  /** As the witness has it: never stored, where the column is redacted. */
  readonly key: string;
  /** As of the witness. */
  readonly person: Person;
  /** The same where another counts. */
  readonly other: OtherModifier;
}

/** What the witnesses of a transaction say of one change. */
export interface Testimony {
  readonly speaker: Speaker;
  /** They are about its row. Else it is what all witnesses agree on, and says less than the row itself. */
  readonly isOfRow: boolean;
}

/** The witnesses of one row, and where its changes stand among them. */
class WitnessesOfRow {
  readonly #places: number[] = [];
  readonly #said: (Speaker | null)[] = [];
  /** By number of witnesses before: whether the row changed there. */
  readonly #changed: boolean[] = [false];
  #speakers: readonly (Speaker | null)[] | null = null;

  add(place: number, speaker: Speaker | null): void {
    this.#places.push(place);
    this.#said.push(speaker);
    this.#changed.push(false);
  }

  /** The row has changed at this place. */
  changedAt(place: number): void {
    this.#changed[this.#before(place)] = true;
  }

  /**
   * Whom they name for the change at this place. All changes of the row are known by the first call, but for
   * those before the first witness, of which the first one that is asked for tells.
   */
  speakerAt(place: number): Speaker | null {
    if (this.#speakers === null) {
      this.changedAt(place);
      this.#speakers = rowSpeakers(this.#said, this.#changed);
    }
    return this.#speakers[this.#before(place)]!;
  }

  /** How many witnesses stand before a place. Places ascend, and there may be thousands of one row. */
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
 * As many witnesses of a transaction are kept with their rows. Where there are more, only what all of them
 * agree on counts: whoever writes a million that disagree takes names away, and no memory.
 */
const MAX_WITNESSES = 20_000;

/** What the witnesses of one transaction say (DECISIONS 86). */
export class TransactionWitnesses {
  /** Null: no row is named any more. */
  #rows: Map<string, WitnessesOfRow> | null = new Map();
  /** By person. */
  readonly #speakers = new Map<string, Speaker>();
  #count = 0;
  /** Whom all name that name somebody; null: nobody, or they disagree. */
  #agreed: Speaker | null = null;
  #disagree = false;
  /** Some of them name nobody, or somebody who is not known. */
  #someNobody = false;

  /** One that names somebody whom the rules do not know. */
  addUnknown(place: number, rows: readonly string[]): void {
    this.#disagree = true;
    this.#add(place, rows, null);
  }

  /** One that names nobody. */
  addNobody(place: number, rows: readonly string[]): void {
    this.#add(place, rows, null);
  }

  /** @param make called for a person who was not named before */
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

  /** A row, under any of its names, has changed. */
  changed(place: number, rows: readonly string[]): void {
    for (const row of rows) this.#rows?.get(row)?.changedAt(place);
  }

  /** Nothing is known but what all of them agree on, and one that is not seen could disagree. */
  isIncomplete(): void {
    this.#disagree = true;
  }

  /** Whether they name anybody. */
  get nameSomebody(): boolean {
    if (this.#rows === null && this.#someNobody) return false;
    return this.#agreed !== null && (this.#rows !== null || !this.#disagree);
  }

  /** What they say of a change of a row, under any of its names; null: nothing. */
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

/** Tells people apart, whatever the names of keys are. */
export const personOf = (table: number, key: string): string => `${table}:${key}`;
