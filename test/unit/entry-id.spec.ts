import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  blockOfChunk,
  CHUNK_ENTRIES,
  chunkOf,
  chunkOfId,
  dayAt,
  dayOfId,
  entryId,
  firstIdOfChunk,
  firstIdOfDay,
  MAX_ENTRY_ID,
  numberOfId,
  placeOf,
} from '../../src/trail/entry-id.js';

const days = fc.integer({ min: 0, max: 2 ** 13 - 1 });
const numbers = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test('an id contains its day and number, and leads to the chunk and place that the writer counts', () => {
  fc.assert(
    fc.property(days, numbers, (day, number) => {
      const id = entryId(day, number);
      expect([dayOfId(id), dayOfId(Number(id)), numberOfId(id)]).toEqual([day, day, number]);
      expect(chunkOf(day, number)).toBe(chunkOfId(id));
      expect(firstIdOfChunk(chunkOfId(id)) + BigInt(placeOf(number))).toBe(id);
    }),
  );
});

test('ids increase with the day and the number, up to the highest', () => {
  expect(entryId(7, 2 ** 32 - 1) + 1n).toBe(firstIdOfDay(8));
  expect(entryId(2 ** 13 - 1, 2 ** 32 - 1)).toBe(MAX_ENTRY_ID);
  expect(chunkOfId(MAX_ENTRY_ID)).toBe(2 ** 31 - 1);
});

test('four chunks of 16,384 entries are a block', () => {
  expect(CHUNK_ENTRIES).toBe(16_384);
  expect([7, 8, 11, 12].map(blockOfChunk)).toEqual([1, 2, 2, 3]);
  expect(blockOfChunk(chunkOfId(firstIdOfDay(300)))).toBe(300 * 65_536);
});

test('days begin at midnight UTC; the first is 2026-01-01', () => {
  const at = (time: string): number => dayAt(Date.parse(time));
  expect(at('2026-01-01T00:00:00Z')).toBe(0);
  expect(at('2026-01-01T23:59:59.999Z')).toBe(0);
  expect(at('2026-11-29T00:30:00+02:00')).toBe(331);
});
