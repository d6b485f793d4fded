const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Masks the elements of an array in PostgreSQL's text form, of any dimension: `{"{\\"a\\": 1}",NULL}`.
 * Returns null if nothing is masked.
 *
 * @param mask returns the masked text of an element without quotes and escapes, or null if the element stays
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 */
export function maskElements(array: Buffer, mask: (element: Buffer) => Buffer | null): Buffer | null {
  const pieces: Buffer[] = [];
  let done = 0;
  let at = 0;
  while (at < array.length) {
    const element = array[at] === QUOTE ? quotedElement(array, at) : plainElement(array, at);
    if (element === null) {
      at++;
      continue;
    }
    const masked = mask(element.value);
    if (masked !== null) {
      pieces.push(array.subarray(done, at), quoted(masked));
      done = element.end;
    }
    at = element.end;
  }
  return pieces.length === 0 ? null : Buffer.concat([...pieces, array.subarray(done)]);
}

interface Element {
  readonly value: Buffer;
  readonly end: number;
}

function quotedElement(array: Buffer, start: number): Element {
  let end = start + 1;
  while (end < array.length && array[end] !== QUOTE) end += array[end] === BACKSLASH ? 2 : 1;
  const value = Buffer.alloc(end - start);
  let length = 0;
  for (let at = start + 1; at < end; at++) {
    if (array[at] === BACKSLASH) at++;
    value[length++] = array[at]!;
  }
  return { value: value.subarray(0, length), end: Math.min(end + 1, array.length) };
}

/** Returns null if no element begins at `start`. */
function plainElement(array: Buffer, start: number): Element | null {
  let end = start;
  while (end < array.length && !'{},'.includes(String.fromCharCode(array[end]!))) end++;
  return end === start ? null : { value: array.subarray(start, end), end };
}

function quoted(value: Buffer): Buffer {
  const bytes = Buffer.alloc(2 * value.length + 2);
  let length = 0;
  bytes[length++] = QUOTE;
  for (const byte of value) {
    if (byte === QUOTE || byte === BACKSLASH) bytes[length++] = BACKSLASH;
    bytes[length++] = byte;
  }
  bytes[length++] = QUOTE;
  return bytes.subarray(0, length);
}
