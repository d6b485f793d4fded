import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { copyBytes, LastView, sameBytes, viewOf } from '../../src/pg/byte-loops.js';

/** Only a few different bytes, so that many byte ranges begin alike. */
const bytes = fc
  .array(fc.constantFrom(0x00, 0x61, 0xff), { minLength: 1, maxLength: 40 })
  .map((values) => Buffer.from(values));

describe('byte loops that work on words', () => {
  test('two byte ranges are equal exactly if all of their bytes are', () => {
    fc.assert(
      fc.property(
        bytes.chain((all) =>
          fc.tuple(fc.constant(all), fc.nat(all.length), fc.nat(all.length), fc.nat(all.length)),
        ),
        ([all, left, right, wanted]) => {
          const length = Math.min(wanted, all.length - left, all.length - right);
          const expected = all.subarray(left, left + length).equals(all.subarray(right, right + length));
          expect(sameBytes(viewOf(all), left, right, length)).toBe(expected);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('a difference is found at any position', () => {
    for (let length = 1; length <= 20; length++) {
      for (let place = 0; place < length; place++) {
        const pair = Buffer.alloc(2 * length, 0x61);
        pair[length + place] = 0x62;
        expect(sameBytes(viewOf(pair), 0, length, length)).toBe(false);
      }
    }
  });

  test('a copy has the bytes of its range and changes nothing beside it', () => {
    fc.assert(
      fc.property(bytes, fc.nat(8), (all, at) => {
        const target = Buffer.alloc(all.length + 16, 0x2e);
        copyBytes(viewOf(all), 0, all.length, viewOf(target), at);
        const expected = Buffer.concat([Buffer.alloc(at, 0x2e), all, Buffer.alloc(16 - at, 0x2e)]);
        expect(target.equals(expected)).toBe(true);
      }),
    );
  });

  test('the view follows a change of the buffer, also to another part of the same memory', () => {
    const views = new LastView();
    const memory = Buffer.from('abcdef');
    expect(views.of(memory).getUint8(0)).toBe(0x61);
    expect(views.of(memory.subarray(2)).getUint8(0)).toBe(0x63);
    expect(views.of(memory).byteLength).toBe(6);
  });
});
