/*
 * Copies short stretches of text and examines their content at the same time, because it reads every byte
 * anyway. It reads words of four bytes, as pg/byte-loops.ts does.
 */

const WORD = 4;
const SIGN_BITS = 0x80808080;
const ONES = 0x01010101;
const BLANKS = 0x20202020;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7f;
/**
 * Constants that find the signs of secrets (pipeline/secret-signs.ts) in ASCII bytes. Adding the first sets
 * the sign bit of ':' and all later characters. Adding the second sets that of all characters after '='. XOR
 * with the third makes 'B' zero. They also find ';' and '<', which are not signs.
 */
const FROM_COLON = 0x46464646;
const AFTER_EQUALS = 0x42424242;
const CAPITAL_B = 0x42424242;

/** Results of {@link copyLooked}. */
export const NO_SIGN = 0;
export const SIGN = 1;
export const NOT_PLAIN = 2;

/**
 * Copies `length` bytes from `start` to offset `at` of another buffer. Returns false if a byte is not
 * printable ASCII. The caller must then ignore the copied bytes.
 */
export function copyPlain(from: DataView, start: number, length: number, to: DataView, at: number): boolean {
  const end = start + length;
  const apart = at - start;
  let source = start;
  for (const last = end - WORD; source <= last; source += WORD) {
    const word = from.getInt32(source, true);
    // A byte of 0x80 or more has its sign bit set. Subtracting a blank from a byte below 0x20 also sets its
    // sign bit.
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
 * Copies like {@link copyPlain}, and also looks for signs of secrets. Returns {@link NO_SIGN}, {@link SIGN}
 * or {@link NOT_PLAIN}. This takes twice as long, so only texts are copied with it.
 */
export function copyLooked(from: DataView, start: number, length: number, to: DataView, at: number): number {
  const end = start + length;
  const apart = at - start;
  let source = start;
  let signs = 0;
  for (const last = end - WORD; source <= last; source += WORD) {
    const word = from.getInt32(source, true);
    if (((word | (word - BLANKS)) & SIGN_BITS) !== 0) return NOT_PLAIN;
    signs |= ((word + FROM_COLON) & ~(word + AFTER_EQUALS)) | ((word ^ CAPITAL_B) - ONES);
    to.setInt32(source + apart, word, true);
  }
  for (; source < end; source++) {
    const byte = from.getUint8(source);
    if (byte < FIRST_PRINTABLE || byte > LAST_ASCII) return NOT_PLAIN;
    signs |= ((byte + FROM_COLON) & ~(byte + AFTER_EQUALS) & 0x80) | ((byte ^ 0x42) - 1);
    to.setUint8(source + apart, byte);
  }
  return (signs & SIGN_BITS) === 0 ? NO_SIGN : SIGN;
}
