import { describe, expect, test } from '@jest/globals';
import { ZoneClock } from '../../src/exports/dates.js';

const range = (from: string, to: string) => ({ from, to });

describe('the clock of a zone', () => {
  test.each([
    ['UTC', '2026-11-23T09:51:07.123456Z', '2026-11-23T09:51:07.123456+00:00'],
    ['Asia/Jerusalem', '2026-11-23T09:51:07.123456Z', '2026-11-23T11:51:07.123456+02:00'],
    ['Asia/Kathmandu', '2026-11-23T20:00:00.000001Z', '2026-11-24T01:45:00.000001+05:45'],
    ['America/New_York', '2026-03-08T06:59:59.999999Z', '2026-03-08T01:59:59.999999-05:00'],
    ['America/New_York', '2026-03-08T07:00:00.000000Z', '2026-03-08T03:00:00.000000-04:00'],
    ['Australia/Lord_Howe', '2026-04-04T14:59:00.000000Z', '2026-04-05T01:59:00.000000+11:00'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00.000000Z', '2026-04-05T01:30:00.000000+10:30'],
    ['Pacific/Apia', '2026-12-31T11:00:00.000000Z', '2027-01-01T00:00:00.000000+13:00'],
  ])('in %s %s is %s', (zone, instant, expected) => {
    expect(new ZoneClock(zone).rfc3339(instant)).toBe(expected);
  });

  test('counts days as Excel does, cut to the millisecond', () => {
    const clock = new ZoneClock('UTC');
    expect(clock.local('1900-03-01T00:00:00.000000Z')!.serial).toBe(61);
    expect(clock.local('2000-01-01T12:00:00.000000Z')!.serial).toBe(36526.5);
    expect(clock.local('2000-01-01T00:00:00.001999Z')!.serial).toBeCloseTo(36526 + 1 / 86_400_000, 12);
    expect(clock.local('1900-02-28T00:00:00.000000Z')!.serial).toBeUndefined();
    expect(clock.local('infinity')).toBeUndefined();
  });

  test('names every offset of a range with the instant it begins', () => {
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
    // The change is the end of the range, which does not belong to it.
    expect(
      clock.offsetsIn(range('2026-10-24T12:00:00.000000Z', '2026-10-25T01:00:00.000000Z'), 6),
    ).toHaveLength(1);
  });
});
