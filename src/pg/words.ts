/*
 * Loops over bytes that read four at once, through a DataView because places in a message are not aligned. V8 compiles
 * these calls to plain loads; for the values of a usual row they take half the time of a loop over bytes, and a native
 * call costs more to begin than such a value is long.
 */

const WORD = 4;

/**
 * The view of the buffer that was asked for last: a view per row would cost what it saves, and rows that follow each
 * other mostly lie in one buffer.
 */
export class LastView {
  #bytes: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  of(bytes: Buffer): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = viewOf(bytes);
    }
    return this.#view;
  }
}

export const viewOf = (bytes: Buffer): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether the `length` bytes at two places of one buffer are the same. */
export function sameWords(view: DataView, left: number, right: number, length: number): boolean {
  const end = left + length;
  let a = left;
  let b = right;
  for (const last = end - WORD; a <= last; a += WORD, b += WORD)
    if (view.getInt32(a) !== view.getInt32(b)) return false;
  for (; a < end; a++, b++) if (view.getUint8(a) !== view.getUint8(b)) return false;
  return true;
}

/** Copies `length` bytes from `start` to place `at` of another buffer. */
export function copyWords(from: DataView, start: number, length: number, to: DataView, at: number): void {
  const end = start + length;
  let source = start;
  let target = at;
  for (const last = end - WORD; source <= last; source += WORD, target += WORD)
    to.setInt32(target, from.getInt32(source));
  for (; source < end; source++, target++) to.setUint8(target, from.getUint8(source));
}
