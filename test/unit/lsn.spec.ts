import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatLsn, parseLsn } from '../../src/pg/lsn.js';

describe('LSN', () => {
  test('text and number are two forms of one position', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (lsn) => parseLsn(formatLsn(lsn)) === lsn),
    );
    expect(parseLsn('16/B374D848')).toBe(0x16b374d848n);
    expect(formatLsn(0x16b374d848n)).toBe('16/B374D848');
  });

  test('text that is not an LSN is refused', () => {
    for (const text of ['', '1', '1/', '/1', 'g/0', '1/2/3', '123456789/0', ' 1/2']) {
      expect(() => parseLsn(text)).toThrow(RangeError);
    }
  });
});
