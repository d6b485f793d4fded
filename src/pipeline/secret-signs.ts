/**
 * First and last byte of the range with all signs of secrets. The signs are the colon of `://`, of a name in
 * JSON and of a header, the `=` of a parameter, and the capital letter of `Bearer` and `Basic`. They are
 * close together in ASCII, so one comparison of four bytes finds the next sign. It also finds a few bytes
 * that are none: `;`, `<`, `>`, `?`, `@` and `A`.
 */
const FIRST_SIGN = 0x3a; // ':'
const LAST_SIGN = 0x42; // 'B'

const FOUR_ONES = 0x01010101;
const HIGH_BITS = 0x80808080 | 0;
const LOW_BITS = 0x7f7f7f7f;
/**
 * Added to an ASCII byte, `FROM_FIRST` sets its high bit from the first sign, and `AFTER_LAST` after the
 * last one.
 */
const FROM_FIRST = (0x80 - FIRST_SIGN) * FOUR_ONES;
const AFTER_LAST = (0x7f - LAST_SIGN) * FOUR_ONES;

/**
 * Returns the place of the next byte from `start` that may be a sign, or `end` if there is none. Reads all
 * texts that are stored (measured: DECISIONS 64).
 */
export function nextSign(view: DataView, start: number, end: number): number {
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const word = view.getInt32(at, true);
    const low = word & LOW_BITS;
    // No byte carries into the next one, because its high bit was cleared.
    const found = (low + FROM_FIRST) & ~((low + AFTER_LAST) | word) & HIGH_BITS;
    // The lowest of these bits belongs to the first byte.
    if (found !== 0) return at + ((31 - Math.clz32(found & -found)) >> 3);
  }
  for (; at < end; at++) {
    const byte = view.getUint8(at);
    if (byte >= FIRST_SIGN && byte <= LAST_SIGN) return at;
  }
  return end;
}
