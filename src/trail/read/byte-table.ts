const FIRST_SLOTS = 64;
const FIRST_BYTES = 256;
/** Constants of the FNV-1a hash. */
const BASIS = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

/**
 * Numbers byte strings in the order in which they are added, from 0. They are found by their bytes, so no
 * JavaScript string is created.
 */
export class ByteTable {
  /** Number plus one by hash; 0: empty. At least half of the slots are empty. */
  #slots = new Int32Array(FIRST_SLOTS);
  readonly #hashes: number[] = [];
  readonly #starts: number[] = [0];
  #keys = Buffer.allocUnsafe(FIRST_BYTES);

  get count(): number {
    return this.#hashes.length;
  }

  /** Returns the number of a stretch of bytes, or -1 if it has none. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#slots[this.#slotOf(bytes, { start, end, hash: hashOf(bytes, start, end) })]! - 1;
  }

  /** Returns the number of a stretch of bytes. If it has none, it gets the next one. */
  add(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const slot = this.#slotOf(bytes, { start, end, hash });
    const known = this.#slots[slot]!;
    if (known !== 0) return known - 1;
    const at = this.#starts.at(-1)!;
    const keyEnd = at + end - start;
    if (keyEnd > this.#keys.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#keys.length, keyEnd));
      this.#keys.copy(larger, 0, 0, at);
      this.#keys = larger;
    }
    this.#keys.set(bytes.subarray(start, end), at);
    this.#starts.push(keyEnd);
    this.#slots[slot] = this.#hashes.push(hash);
    if (2 * this.#hashes.length > this.#slots.length) this.#grow();
    return this.#hashes.length - 1;
  }

  /** Returns the slot of a stretch of bytes, or the empty slot where it belongs. */
  #slotOf(
    bytes: Uint8Array,
    { start, end, hash }: { readonly start: number; readonly end: number; readonly hash: number },
  ): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let is = slots[slot]!; is !== 0; is = slots[slot]!) {
      if (this.#hashes[is - 1] === hash && this.#is(is - 1, bytes, start, end)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #is(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = this.#starts[number]!;
    if (this.#starts[number + 1]! - at !== end - start) return false;
    const keys = this.#keys;
    const apart = at - start;
    for (let index = start; index < end; index++) if (keys[index + apart] !== bytes[index]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    this.#hashes.forEach((hash, number) => {
      let slot = hash & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    });
    this.#slots = slots;
  }
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = BASIS;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, PRIME);
  return hash ^ (hash >>> 15);
}
