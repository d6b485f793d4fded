import { describe, expect, test } from '@jest/globals';
import {
  hasTwoOffsets,
  inputInstant,
  inputText,
  instantText,
  isoText,
  lengthText,
  printedInstantText,
  timeText,
} from '../../src/web/time/format.js';
import { checkRange, isOpenEnded, quickRanges, resolveRange, type Range } from '../../src/web/time/ranges.js';
import { instantOf, isZone, startOfDay, wallTime } from '../../src/web/time/zone.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const now = Date.parse('2026-11-23T09:30:00Z');
const custom = (from: string | null, to: string | null): Range => ({ kind: 'custom', from, to });

describe('zones', () => {
  test('a local time leads to its instant and back, even near every clock change of a year', () => {
    for (const zone of [
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Asia/Jerusalem',
    ]) {
      for (let instant = Date.UTC(2026, 0, 1); instant < Date.UTC(2027, 0, 1); instant += 5 * HOUR + 7_000) {
        const wall = wallTime(instant, zone);
        const back = instantOf(wall, zone);
        // A repeated local time means its first instant, which is at most one hour earlier.
        expect([0, -HOUR, -HOUR / 2]).toContain(back - instant);
        expect(wallTime(back, zone)).toEqual(wall);
      }
    }
  });

  test('a local time that a clock change skips is moved forward by the skipped time', () => {
    const skipped = { year: 2026, month: 3, day: 29, hour: 2, minute: 30, second: 0 };
    expect(isoText(instantOf(skipped, 'Europe/Berlin'))).toBe('2026-03-29T01:30:00Z');
  });

  test('a local time that a clock change repeats is the first of the two', () => {
    const repeated = { year: 2026, month: 10, day: 25, hour: 2, minute: 30, second: 0 };
    expect(isoText(instantOf(repeated, 'Europe/Berlin'))).toBe('2026-10-25T00:30:00Z');
  });

  test('a day with a clock change has 25 hours if the clock is set back', () => {
    const noon = Date.parse('2026-10-25T12:00:00Z');
    expect(startOfDay(noon, 'Europe/Berlin', 1) - startOfDay(noon, 'Europe/Berlin')).toBe(25 * HOUR);
  });

  test('a name that the browser does not know is not a zone', () => {
    expect(['Europe/Berlin', 'UTC', 'Mars/Olympus', ''].map(isZone)).toEqual([true, true, false, false]);
  });
});

describe('formats', () => {
  test('microseconds are shown unchanged', () => {
    expect(timeText('2026-11-23T09:51:07.123456Z', 'Asia/Kathmandu', 6)).toBe('15:36:07.123456');
  });

  test('the value of an input is read in the shown zone', () => {
    expect(inputInstant('2026-11-23T10:00', 'Europe/Berlin')).toBe('2026-11-23T09:00:00Z');
    expect(inputText('2026-11-23T09:00:00Z', 'Europe/Berlin')).toBe('2026-11-23T10:00:00');
    expect(inputInstant('', 'UTC')).toBeNull();
    // As while a year is being typed. It must not be taken for 1925.
    expect(inputInstant('0025-11-23T10:00', 'UTC')).toBe('0025-11-23T10:00:00Z');
  });

  test('a length is shown in its two largest units', () => {
    expect([9 * DAY + 2 * HOUR + 60_000, DAY, 30_000].map(lengthText)).toEqual([
      '9 days and 2 hours',
      '1 day',
      'less than a minute',
    ]);
  });
});

const LIMIT = { now, zone: 'UTC', maxRangeDays: 7, calendarDays: true };

describe('instants', () => {
  test('have the offset of the zone, which distinguishes the two passes of a repeated hour', () => {
    expect(instantText('2026-10-25T00:30:00.123456Z', 'Europe/Berlin', 6)).toBe(
      '2026-10-25 02:30:00.123456 +02:00',
    );
    expect(instantText('2026-10-25T01:30:00.5Z', 'Europe/Berlin', 0)).toBe('2026-10-25 02:30:00 +01:00');
    expect(instantText('2026-11-23T09:51:07Z', 'America/St_Johns', 0)).toBe('2026-11-23 06:21:07 -03:30');
    expect(hasTwoOffsets('2026-10-25T12:00:00Z', 'Europe/Berlin')).toBe(true);
    expect(hasTwoOffsets('2026-10-26T12:00:00Z', 'Europe/Berlin')).toBe(false);
  });

  test('in values use the same clock, with the digits that PostgreSQL printed', () => {
    const shown = (printed: string) => printedInstantText(printed, 'Europe/Berlin');
    expect(shown('2026-11-23 20:29:02.027018+00')).toBe('2026-11-23 21:29:02.027018 +01:00');
    expect(shown('2026-11-23 20:29:02.5+05:30')).toBe('2026-11-23 15:59:02.5 +01:00');
    expect(shown('2026-10-25 00:30:00+00')).toBe('2026-10-25 02:30:00 +02:00');
    for (const other of ['infinity', '0044-03-15 12:00:00+00 BC', '[redacted]', '12026-11-23 20:29:02+00'])
      expect(shown(other)).toBeNull();
  });
});

describe('ranges', () => {
  const resolve = (range: Range, maxRangeDays = 7) =>
    resolveRange(range, { now, zone: 'Europe/Berlin', maxRangeDays });

  test('a quick range that ends now leaves the end to the server', () => {
    expect(resolve({ kind: 'last-hour' })).toEqual({ from: '2026-11-23T08:30:00Z' });
    expect(resolve({ kind: 'today' })).toEqual({ from: '2026-11-22T23:00:00Z' });
    expect(resolve({ kind: 'yesterday' })).toEqual({
      from: '2026-11-21T23:00:00Z',
      to: '2026-11-22T23:00:00Z',
    });
  });

  test("a range of exactly the limit is sent without times, because the server's clock decides", () => {
    expect(resolve({ kind: 'last-7-days' })).toEqual({});
    expect(resolve({ kind: 'last-7-days' }, 30)).toEqual({ from: '2026-11-16T09:30:00Z' });
    expect(resolve({ kind: 'last-24-hours' }, 1)).toEqual({});
  });

  test('quick ranges longer than the limit are not offered', () => {
    expect(quickRanges(7)).toHaveLength(5);
    expect(quickRanges(1)).not.toContain('last-7-days');
  });

  test('a range over the limit is explained, with the two nearest ranges that fit', () => {
    const from = '2026-11-10T00:00:00Z';
    const to = '2026-11-19T02:00:00Z';
    expect(checkRange(custom(from, to), LIMIT)).toEqual({
      text: 'This range is 9 days and 2 hours long. A report covers at most 7 days.',
      fixes: [
        { text: 'Keep the start', range: custom(from, '2026-11-17T00:00:00Z') },
        { text: 'Keep the end', range: custom('2026-11-12T02:00:00Z', to) },
      ],
    });
  });

  test('an open end counts as now', () => {
    expect(checkRange(custom('2026-11-10T00:00:00Z', null), LIMIT)?.text).toContain('13 days');
    expect(checkRange(custom('2026-11-20T00:00:00Z', null), LIMIT)).toBeNull();
  });

  test('a range of exactly the limit is permitted', () => {
    expect(checkRange(custom('2026-11-10T00:00:00Z', '2026-11-17T00:00:00Z'), LIMIT)).toBeNull();
  });

  test('days are calendar days, even in a week with a clock change', () => {
    const berlin = { ...LIMIT, zone: 'Europe/Berlin' };
    const autumn = custom('2026-10-19T00:00:00+02:00', '2026-10-26T00:00:00+01:00');
    expect(checkRange(autumn, berlin)).toBeNull();
    expect(checkRange(autumn, { ...berlin, zone: 'UTC' })).not.toBeNull();
    expect(checkRange(autumn, { ...berlin, calendarDays: false })).not.toBeNull();
    const spring = custom('2026-03-23T00:00:00+01:00', '2026-03-30T01:00:00+02:00');
    expect(checkRange(spring, berlin)).toEqual({
      text: 'This range is longer than 7 days of the calendar in Europe/Berlin. A report covers at most 7 days.',
      fixes: [
        { text: 'Keep the start', range: custom('2026-03-23T00:00:00+01:00', '2026-03-29T22:00:00Z') },
        { text: 'Keep the end', range: custom('2026-03-23T00:00:00Z', '2026-03-29T23:00:00Z') },
      ],
    });
    const beforeAutumn = Date.parse('2026-10-27T12:00:00+01:00');
    expect(resolveRange({ kind: 'last-7-days' }, { ...berlin, now: beforeAutumn, maxRangeDays: 30 })).toEqual(
      { from: '2026-10-20T10:00:00Z' },
    );
  });

  test('a range that ends before it begins is refused with that reason', () => {
    expect(checkRange(custom('2026-11-12T00:00:00Z', '2026-11-11T00:00:00Z'), LIMIT)?.text).toContain(
      'ends before it begins',
    );
  });

  test('only a range with an end excludes new entries', () => {
    expect(isOpenEnded({ kind: 'yesterday' })).toBe(false);
    expect(isOpenEnded(custom('2026-11-12T00:00:00Z', null))).toBe(true);
    expect(isOpenEnded(custom(null, '2026-11-12T00:00:00Z'))).toBe(false);
  });
});
