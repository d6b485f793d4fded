import { describe, expect, test } from '@jest/globals';
import { ByteWriter } from '../../src/exports/byte-writer.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { excelDate, isExcelDate, writeExcelDate } from '../../src/exports/excel-dates.js';

const range = (from: string, to: string) => ({ from, to });

describe('dates in a zone', () => {
  test.each([
    ['UTC', '2026-11-23T09:51:07.123456Z', '2026-11-23T09:51:07.123456+00:00'],
    ['Asia/Jerusalem', '2026-11-23T09:51:07.123456Z', '2026-11-23T11:51:07.123456+02:00'],
    ['Asia/Kathmandu', '2026-11-23T20:00:00.000001Z', '2026-11-24T01:45:00.000001+05:45'],
    ['America/New_York', '2026-03-08T06:59:59.999999Z', '2026-03-08T01:59:59.999999-05:00'],
    ['America/New_York', '2026-03-08T07:00:00.000000Z', '2026-03-08T03:00:00.000000-04:00'],
    ['Australia/Lord_Howe', '2026-04-04T14:59:00.000000Z', '2026-04-05T01:59:00.000000+11:00'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00.000000Z', '2026-04-05T01:30:00.000000+10:30'],
    ['Pacific/Apia', '2026-12-31T11:00:00.000000Z', '2027-01-01T00:00:00.000000+13:00'],
  ])('in %s: %s is %s', (zone, instant, expected) => {
    expect(new ZoneClock(zone).rfc3339(instant)).toBe(expected);
  });

  test('count days as Excel does, truncated to milliseconds', () => {
    const clock = new ZoneClock('Europe/Berlin');
    const out = new ByteWriter();
    const numberOf = (instant: string): string => {
      const { localMs } = clock.local(instant)!;
      out.at = 0;
      writeExcelDate(localMs, out);
      expect(out.bytes.toString('latin1', 0, out.at)).toBe(excelDate(localMs));
      return excelDate(localMs);
    };
    expect(numberOf('1999-12-31T23:00:00.000000Z')).toBe('36526.0000000000');
    expect(numberOf('2000-01-01T11:00:00.000000Z')).toBe('36526.5000000000');
    expect(Number(numberOf('1999-12-31T23:00:00.001999Z'))).toBeCloseTo(36526 + 1 / 86_400_000, 10);
    expect(numberOf('2026-11-30T22:59:59.999999Z')).toBe('46356.9999999884');
    expect(Number(numberOf('9999-12-31T22:59:59.999000Z'))).toBeLessThan(2_958_466);
    expect(clock.local('infinity')).toBeUndefined();
  });

  test('are recognised if Excel can show them', () => {
    const shows = (instant: string): boolean => isExcelDate(new ZoneClock('UTC').local(instant)!.localMs);
    expect(shows('1900-03-01T00:00:00.000000Z')).toBe(true);
    expect(shows('1900-02-28T23:59:59.999999Z')).toBe(false);
    expect(shows('9999-12-31T23:59:59.999999Z')).toBe(true);
  });

  test('have a list of the offsets in a range, each with the instant at which it begins', () => {
    const clock = new ZoneClock('Europe/Berlin');
    const since = (text: string) => Date.parse(text);
    expect(clock.offsetsIn(range('2026-10-20T00:00:00.000000Z', '2026-10-27T00:00:00.000000Z'), 6)).toEqual([
      { sinceMs: since('2026-10-20T00:00:00Z'), offset: '+02:00' },
      { sinceMs: since('2026-10-25T01:00:00Z'), offset: '+01:00' },
    ]);
    expect(
      clock.offsetsIn(range('2026-01-20T00:00:00.000000Z', '2026-01-27T00:00:00.000000Z'), 6),
    ).toHaveLength(1);
    expect(
      clock.offsetsIn(range('2000-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z'), 6),
    ).toHaveLength(6);
    // The clock change is the end of the range, which is exclusive.
    expect(
      clock.offsetsIn(range('2026-10-24T12:00:00.000000Z', '2026-10-25T01:00:00.000000Z'), 6),
    ).toHaveLength(1);
  });
});
