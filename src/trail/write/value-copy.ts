/*
 * Copies short stretches of text, and says what they hold while each of their bytes is read anyway. Words of
 * four bytes are read at once, as in pg/byte-loops.ts.
 */

const WORD = 4;
const SIGN_BITS = 0x80808080;
const ONES = 0x01010101;
const BLANKS = 0x20202020;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7f;
/**
 * Added to a byte of ASCII, these set its sign bit from ':' on, and from behind '='. With the third one, 'B'
 * is zero. These are the signs of secrets (pipeline/secret-signs.ts), and ';' and '<'.
 */
const FROM_COLON = 0x46464646;
const BEHIND_EQUALS = 0x42424242;
const CAPITAL_B = 0x42424242;

/** What {@link copyLooked} found. */
export const NO_SIGN = 0;
export const SIGN = 1;
export const NOT_PLAIN = 2;

/**
 * Copies `length` bytes from `start` to place `at` of another buffer. False where one of them is not
 * printable ASCII: what was copied then is of no use.
 */
export function copyPlain(from: DataView, start: number, length: number, to: DataView, at: number): boolean {
  const end = start + length;
  const apart = at - start;
  let source = start;
  for (const last = end - WORD; source <= last; source += WORD) {
    const word = from.getInt32(source, true);
    // A byte of 0x80 or more has its sign bit set. A byte below 0x20 borrows, which sets its sign bit.
    if (((word | (word - BLANKS)) & SIGN_BITS) !== 0) return false;
    to.setInt32(source + apart, word, true);
  }
  for (; source < end; source++) {
    const byte = from.getUint8(source);
    if (byte < FIRST_PRINTABLE || byte > LAST_ASCII) return false;
    to.setUint8(source + apart, byte);
  }
  return true;
}

/**
 * Does the same, and says whether a byte is a sign of a secret: {@link NO_SIGN}, {@link SIGN} or
 * {@link NOT_PLAIN}. This takes twice as long, so texts alone are copied by it.
 */
export function copyLooked(from: DataView, start: number, length: number, to: DataView, at: number): number {
  const end = start + length;
  const apart = at - start;
  let source = start;
  let signs = 0;
  for (const last = end - WORD; source <= last; source += WORD) {
    const word = from.getInt32(source, true);
    if (((word | (word - BLANKS)) & SIGN_BITS) !== 0) return NOT_PLAIN;
    signs |= ((word + FROM_COLON) & ~(word + BEHIND_EQUALS)) | ((word ^ CAPITAL_B) - ONES);
    to.setInt32(source + apart, word, true);
  }
  for (; source < end; source++) {
    const byte = from.getUint8(source);
    if (byte < FIRST_PRINTABLE || byte > LAST_ASCII) return NOT_PLAIN;
    signs |= ((byte + FROM_COLON) & ~(byte + BEHIND_EQUALS) & 0x80) | ((byte ^ 0x42) - 1);
    to.setUint8(source + apart, byte);
  }
  return (signs & SIGN_BITS) === 0 ? NO_SIGN : SIGN;
}
