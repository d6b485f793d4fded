/*
 * Loops over bytes that read four at once, through a DataView because places in a message are not aligned. V8
 * compiles these calls to plain loads; for the values of a usual row they take half the time of a loop over
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
  for (let at = left; at < last; at += WORD)
    if (view.getInt32(at) !== view.getInt32(at + apart)) return false;
  // The last word may compare bytes a second time, which is cheaper than comparing byte by byte.
  return view.getInt32(last) === view.getInt32(last + apart);
}

/** Copies `length` bytes from `start` to place `at` of another buffer. */
export function copyBytes(from: DataView, start: number, length: number, to: DataView, at: number): void {
  if (length < WORD) {
    for (let index = 0; index < length; index++) to.setUint8(at + index, from.getUint8(start + index));
    return;
  }
  const last = start + length - WORD;
  const apart = at - start;
  for (let source = start; source < last; source += WORD) to.setInt32(source + apart, from.getInt32(source));
  // The last word may copy bytes a second time, as above.
  to.setInt32(last + apart, from.getInt32(last));
}
