import { hash } from 'node:crypto';

const FEWEST_PLACES = 64;
/** Number of 32-bit words that are kept of a digest: 128 bits. */
const WORDS = 4;
/** Marks the place of a text that was forgotten. The place stays used. */
const FORGOTTEN = -1;

/**
 * Numbers of texts. A text of any length takes 27 to 53 bytes. Clients that may emit messages can invent
 * modifiers, and a Map with a million of their names takes 300 MB. Only 128 bits of a text's SHA-256 are
 * kept. Two texts with the same 128 bits do not occur, even if an attacker searches for them.
 */
export class TextIds {
  #digests = new Uint32Array(WORDS * FEWEST_PLACES);
  /** Number of the text at each place; 0: the place is free. Numbers begin with 1. */
  #ids = new Int32Array(FEWEST_PLACES);
  #used = 0;

  get(text: string): number | undefined {
    const id = this.#ids[this.#placeOf(hash('sha256', text, 'buffer'))]!;
    return id > 0 ? id : undefined;
  }

  set(text: string, id: number): void {
    if (4 * (this.#used + 1) > 3 * this.#ids.length) this.#grow();
    const digest = hash('sha256', text, 'buffer');
    this.#setAt(this.#placeOf(digest), digest, id);
  }

  /** Returns the number of a text. If it has none yet, `next` becomes its number. */
  getOrSet(text: string, next: number): number {
    if (4 * (this.#used + 1) > 3 * this.#ids.length) this.#grow();
    const digest = hash('sha256', text, 'buffer');
    const place = this.#placeOf(digest);
    const id = this.#ids[place]!;
    if (id > 0) return id;
    this.#setAt(place, digest, next);
    return next;
  }

  forget(text: string): void {
    const place = this.#placeOf(hash('sha256', text, 'buffer'));
    if (this.#ids[place] !== 0) this.#ids[place] = FORGOTTEN;
  }

  #setAt(place: number, digest: Buffer, id: number): void {
    if (this.#ids[place] === 0) {
      this.#used++;
      for (let word = 0; word < WORDS; word++)
        this.#digests[WORDS * place + word] = digest.readUInt32LE(4 * word);
    }
    this.#ids[place] = id;
  }

  /** Returns the place of a digest, or the free place where it belongs. */
  #placeOf(digest: Buffer): number {
    const first = digest.readUInt32LE(0);
    const second = digest.readUInt32LE(4);
    const third = digest.readUInt32LE(8);
    const fourth = digest.readUInt32LE(12);
    const [ids, digests] = [this.#ids, this.#digests];
    const mask = ids.length - 1;
    let place = first & mask;
    for (; ids[place] !== 0; place = (place + 1) & mask) {
      const at = WORDS * place;
      if (
        digests[at] === first &&
        digests[at + 1] === second &&
        digests[at + 2] === third &&
        digests[at + 3] === fourth
      )
        break;
    }
    return place;
  }

  #grow(): void {
    const [ids, digests] = [this.#ids, this.#digests];
    this.#ids = new Int32Array(2 * ids.length);
    this.#digests = new Uint32Array(2 * digests.length);
    const [newIds, newDigests] = [this.#ids, this.#digests];
    const mask = newIds.length - 1;
    for (let from = 0; from < ids.length; from++) {
      if (ids[from] === 0) continue;
      let place = digests[WORDS * from]! & mask;
      while (newIds[place] !== 0) place = (place + 1) & mask;
      newIds[place] = ids[from]!;
      for (let word = 0; word < WORDS; word++)
        newDigests[WORDS * place + word] = digests[WORDS * from + word]!;
    }
  }
}
