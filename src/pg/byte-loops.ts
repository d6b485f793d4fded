/*
 * Loops over bytes that read four at once, through a DataView because places in a message are not aligned. V8
 * compiles these calls to plain loads, in the order of bytes that processors have (little-endian) without
 * turning them around; for the values of a usual row they take half the time of a loop over
 * bytes, and a native call costs more to begin than such a value is long.
 */

const WORD = 4;

/**
 * The view of the buffer that was asked for last: a view per row would cost what it saves, and rows that
 * follow each other mostly lie in one buffer.
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
export function sameBytes(view: DataView, left: number, right: number, length: number): boolean {
  if (length < WORD) {
    for (let index = 0; index < length; index++)
      if (view.getUint8(left + index) !== view.getUint8(right + index)) return false;
    return true;
  }
  const last = left + length - WORD;
  const apart = right - left;
  let at = left;
  for (const pairs = last - WORD; at < pairs; at += 2 * WORD) {
    const first = view.getInt32(at, true) ^ view.getInt32(at + apart, true);
    const second = view.getInt32(at + WORD, true) ^ view.getInt32(at + WORD + apart, true);
    if ((first | second) !== 0) return false;
  }
  if (at < last && view.getInt32(at, true) !== view.getInt32(at + apart, true)) return false;
  // The last word may compare bytes a second time, which is cheaper than comparing byte by byte.
  return view.getInt32(last, true) === view.getInt32(last + apart, true);
}

/** Copies `length` bytes from `start` to place `at` of another buffer. */
export function copyBytes(from: DataView, start: number, length: number, to: DataView, at: number): void {
  if (length < WORD) {
    for (let index = 0; index < length; index++) to.setUint8(at + index, from.getUint8(start + index));
    return;
  }
  const last = start + length - WORD;
  const apart = at - start;
  let source = start;
  for (const pairs = last - WORD; source < pairs; source += 2 * WORD) {
    to.setInt32(source + apart, from.getInt32(source, true), true);
    to.setInt32(source + WORD + apart, from.getInt32(source + WORD, true), true);
  }
  if (source < last) to.setInt32(source + apart, from.getInt32(source, true), true);
  // The last word may copy bytes a second time, as above.
  to.setInt32(last + apart, from.getInt32(last, true), true);
}
