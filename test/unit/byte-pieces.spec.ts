import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../../src/exports/byte-writer.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { NumberedPieces } from '../../src/exports/numbered-pieces.js';
import { Piece } from '../../src/exports/piece.js';
import { RowTimes } from '../../src/exports/row-times.js';
import { ByteTable } from '../../src/trail/read/byte-table.js';
import { instantText, lsnText } from '../../src/trail/read/row-bytes.js';

describe('numbers of byte strings', () => {
  test('equal those of a Map by text, for any number of texts', () => {
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
  test('contain each number, whichever number came before', () => {
    const pieces = new NumberedPieces([
      { before: '<row r="', after: '">' },
      { before: 'é', after: '' },
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
      expect([0, 1].map((index) => Buffer.from(pieces.at(index).bytes).toString())).toEqual([
        `<row r="${number}">`,
        `é${number}`,
      ]);
      expect(pieces.number).toBe(number);
    }
  });
});

describe('a byte writer', () => {
  test('writes everything in order, and nothing of the content that was overwritten', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }).map((text) => ['piece', text] as const),
      fc.string({ unit: 'binary', maxLength: 80 }).map((text) => ['range', text] as const),
      fc.string({ unit: 'binary', maxLength: 80 }).map((text) => ['text', text] as const),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const out = new ByteWriter(1);
        for (const [how, text] of parts) {
          const bytes = Buffer.from(`<${text}>`);
          if (how === 'piece') out.piece(new Piece(text));
          else if (how === 'range') out.range(bytes, 1, bytes.length - 1);
          else out.text(text);
        }
        expect(out.take().toString()).toBe(Buffer.from(parts.map(([, text]) => text).join('')).toString());
      }),
    );
  });

  test('copies a piece exactly, even if eight of its bytes form an invalid number (NaN)', () => {
    const hostile = '\u{10ffff}\u007f\u{10ffff}\u{3ffff}\u007f\uffff\u00ff\u007f\u007f';
    for (let shift = 0; shift < 8; shift++) {
      const text = 'x'.repeat(shift) + hostile;
      const out = new ByteWriter();
      out.text('y'.repeat(shift));
      out.piece(new Piece(text));
      expect(out.take()).toEqual(Buffer.from('y'.repeat(shift) + text));
    }
  });

  test('writes hexadecimal digits like those of an LSN', () => {
    const out = new ByteWriter();
    fc.assert(
      fc.property(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffff_ffff })), (number) => {
        out.at = 0;
        out.hexadecimal(number);
        expect(`0/${out.bytes.toString('latin1', 0, out.at)}`).toBe(lsnText(0, number));
      }),
    );
  });

  test('keeps the bytes of a part unchanged while the next part is written', () => {
    const out = new ByteWriter(4);
    out.text('first');
    const first = out.take();
    out.text('the second, which is longer');
    expect(first.toString()).toBe('first');
    expect(out.take().toString()).toBe('the second, which is longer');
  });

  test('keeps no buffer that a single entry has made large', () => {
    const out = new ByteWriter();
    out.room(64 * 1024 * 1024);
    out.take();
    for (let part = 0; part < 3; part++) {
      expect(out.bytes.length).toBeLessThan(1024 * 1024);
      out.take();
    }
  });
});

describe('commit times of rows', () => {
  // Offsets of 30 and 45 minutes, no offset, and offsets that are not multiples of 15 minutes.
  const zones = [
    'UTC',
    'Europe/Berlin',
    'America/St_Johns',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Africa/Monrovia',
    'Europe/Amsterdam',
  ];

  test.each(zones)('are what the clock of %s shows, whichever time came before', (zone) => {
    const clock = new ZoneClock(zone);
    const times = new RowTimes(clock);
    const out = new ByteWriter();
    const written = (write: () => void): string => {
      out.at = 0;
      write();
      return out.bytes.toString('latin1', 0, out.at);
    };
    const year = (of: number): number => Date.UTC(of, 0, 1) * 1_000;
    const anywhere = fc.integer({ min: year(1890), max: year(2040) });
    const nearAChange = fc
      .tuple(
        fc.constantFrom('2026-10-25T01:00Z', '2026-03-29T01:00Z', '1937-06-30T23:40Z', '1972-01-07T00:44Z'),
      )
      .chain(([at]) =>
        fc.integer({ min: -3_000_000_000, max: 3_000_000_000 }).map((by) => Date.parse(at) * 1_000 + by),
      );
    fc.assert(
      fc.property(fc.array(fc.oneof(anywhere, nearAChange), { minLength: 1, maxLength: 20 }), (all) => {
        for (const micros of all) {
          const instant = instantText(micros);
          expect(written(() => times.write(micros, out))).toBe(clock.rfc3339(instant));
          expect(written(() => times.writeOffset(micros, out))).toBe(clock.offset(instant));
          expect(times.localMs(micros)).toBe(clock.local(instant)?.localMs);
        }
      }),
      { numRuns: 200 },
    );
  });
});
