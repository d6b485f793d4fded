import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../../src/exports/byte-writer.js';
import { NumberedPieces } from '../../src/exports/numbered-pieces.js';
import { ByteTable } from '../../src/trail/read/byte-table.js';
import { lsnText } from '../../src/trail/read/row-bytes.js';

describe('numbers of byte strings', () => {
  test('are those of a map over texts, however many there are', () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 6 }), { maxLength: 400, size: 'max' });
    fc.assert(
      fc.property(texts, (all) => {
        const table = new ByteTable();
        const numbers = new Map<string, number>();
        for (const text of all) {
          const bytes = Buffer.from(`<${text}>`);
          const known = numbers.get(text) ?? -1;
          expect(table.find(bytes, 1, bytes.length - 1)).toBe(known);
          if (known < 0) numbers.set(text, numbers.size);
          expect(table.add(bytes, 1, bytes.length - 1)).toBe(numbers.get(text));
        }
        expect(table.count).toBe(numbers.size);
      }),
      { numRuns: 50 },
    );
  });
});

describe('pieces with the number of the row', () => {
  test('have each number, whichever came before', () => {
    const pieces = new NumberedPieces([
      { before: '<row r="', behind: '">' },
      { before: 'é', behind: '' },
    ]);
    const numbers = [
      ...Array.from({ length: 1_200 }, (_, index) => index),
      1_048_576,
      9,
      99,
      1_000_000,
      999_999,
      0,
    ];
    for (const number of numbers) {
      pieces.goTo(number);
      expect([0, 1].map((index) => Buffer.from(pieces.at(index)).toString())).toEqual([
        `<row r="${number}">`,
        `é${number}`,
      ]);
      expect(pieces.number).toBe(number);
    }
  });
});

describe('bytes that are written', () => {
  test('have hexadecimal digits as an LSN has them', () => {
    const out = new ByteWriter();
    fc.assert(
      fc.property(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffff_ffff })), (number) => {
        out.at = 0;
        out.hexadecimal(number);
        expect(`0/${out.bytes.toString('latin1', 0, out.at)}`).toBe(lsnText(0, number));
      }),
    );
  });

  test('stay until the bytes after the next are taken', () => {
    const out = new ByteWriter(4);
    out.text('first');
    const first = out.take();
    out.text('the second, which is longer');
    expect(first.toString()).toBe('first');
    expect(out.take().toString()).toBe('the second, which is longer');
  });

  test('keep no buffer that one entry has made large', () => {
    const out = new ByteWriter();
    out.room(64 * 1024 * 1024);
    out.take();
    for (let part = 0; part < 3; part++) {
      expect(out.bytes.length).toBeLessThan(1024 * 1024);
      out.take();
    }
  });
});
