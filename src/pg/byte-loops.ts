/*
 * Loops that read four bytes at once. They use a DataView, because values in a message are not aligned. V8
 * compiles its calls to plain loads; little-endian reads need no byte swap on usual processors. For the
 * values of a usual row, these loops take half the time of a loop over single bytes. A native call would cost
 * more than the loop, because such values are short.
 */

const WORD = 4;

/**
 * Keeps the view of the buffer that was requested last. A new view for each row would cost as much as it
 * saves, and consecutive rows mostly lie in one buffer.
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

/** Whether two ranges of `length` bytes in one buffer are equal. */
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
  // The last word may overlap the one before it. That is cheaper than a loop over single bytes.
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
  // The last word may overlap the one before it, as above.
  to.setInt32(last + apart, from.getInt32(last, true), true);
}
