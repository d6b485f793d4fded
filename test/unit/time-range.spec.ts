import { describe, expect, test } from '@jest/globals';
import type { WaltrailError } from '../../src/errors.js';
import { resolveRange } from '../../src/trail/read/range.js';

const DAY_MS = 86_400_000;
const now = new Date('2026-11-23T12:00:00Z');

function errorOf(work: () => unknown): WaltrailError {
  try {
    work();
  } catch (error) {
    return error as WaltrailError;
  }
  throw new Error('nothing was thrown');
}

describe('the range of a report', () => {
  const limit = { now, maxRangeMs: 7 * DAY_MS, maxRangeDays: 7, timezone: 'UTC' };
  const resolve = (from?: string, to?: string, zone: Partial<typeof limit> = {}) =>
    resolveRange({ from, to, ...limit, ...zone });

  test('is the longest one until now by default', () => {
    expect(resolve()).toEqual({ from: '2026-11-16T12:00:00.000000Z', to: '2026-11-23T12:00:00.000000Z' });
    expect(resolve(undefined, '2026-11-08')).toEqual({
      from: '2026-11-01T00:00:00.000000Z',
      to: '2026-11-08T00:00:00.000000Z',
    });
    expect(resolve('2026-11-20').to).toBe('2026-11-23T12:00:00.000000Z');
  });

  test('keeps microseconds and accepts offsets', () => {
    expect(resolve('2026-11-23T09:51:07.123456+02:00', '2026-11-23T09:51:07.123457-00:30')).toEqual({
      from: '2026-11-23T07:51:07.123456Z',
      to: '2026-11-23T10:21:07.123457Z',
    });
  });

  test('rounds digits after the sixth up, so that the range has the same entries', () => {
    expect(resolve('2026-11-23T09:00:00.0000001Z').from).toBe('2026-11-23T09:00:00.000001Z');
    expect(resolve('2026-11-23T09:00:00.9999999Z').from).toBe('2026-11-23T09:00:01.000000Z');
    expect(resolve('2026-11-23T09:00:00.1234560Z').from).toBe('2026-11-23T09:00:00.123456Z');
  });

  test('may have exactly the longest length, and not a microsecond more', () => {
    expect(() => resolve('2026-11-01', '2026-11-08')).not.toThrow();
    const error = errorOf(() => resolve('2026-11-01', '2026-11-08T00:00:00.000001Z'));
    expect(error).toMatchObject({ code: 'RANGE_TOO_LONG', status: 422 });
    expect(error.message).toMatch(/^The range covers more than 7 days; reports cover at most 7 days/);
  });

  test('has only ends whose years in UTC have four digits', () => {
    for (const to of ['9999-12-31T23:59:59-12:00', '9999-12-31T23:59:59.9999999Z', '0050-01-01']) {
      const error = errorOf(() => resolve(undefined, to));
      expect(error).toMatchObject({ code: 'RANGE_INVALID', status: 400 });
      expect(error.message).toBe('"to" must be in the years 100 to 9999 in UTC.');
    }
    expect(errorOf(() => resolve('9999-12-31', undefined, { timezone: 'Etc/GMT+12' })).code).toBe(
      'RANGE_INVALID',
    );
    expect(resolve(undefined, '9999-12-31T23:59:59.999999Z').to).toBe('9999-12-31T23:59:59.999999Z');
    expect(resolve(undefined, '0100-01-01T00:00:00+14:00').to).toBe('0099-12-31T10:00:00.000000Z');
  });

  test('counts days on the calendar of the zone, and hours as elapsed time', () => {
    const berlin = { timezone: 'Europe/Berlin' };
    // The week in which the clock is set back has 169 hours, the week in which it is set forward 167.
    expect(resolve('2026-10-19', '2026-10-26', berlin)).toEqual({
      from: '2026-10-18T22:00:00.000000Z',
      to: '2026-10-25T23:00:00.000000Z',
    });
    expect(resolve(undefined, '2026-10-27T12:00:00.123456+01:00', berlin).from).toBe(
      '2026-10-20T10:00:00.123456Z',
    );
    expect(resolve('2026-03-23', '2026-03-30', berlin).to).toBe('2026-03-29T22:00:00.000000Z');
    const late = errorOf(() => resolve('2026-03-23', '2026-03-30T01:00:00+02:00', berlin));
    expect(late).toMatchObject({ code: 'RANGE_TOO_LONG' });
    expect(late.message).toContain('at most 7 days on the calendar of Europe/Berlin');
    const hours = { ...berlin, maxRangeDays: null as unknown as number };
    expect(errorOf(() => resolve('2026-10-19', '2026-10-26', hours)).message).toContain('169 hours');
    expect(() => resolve('2026-03-23', '2026-03-30T01:00:00+02:00', hours)).not.toThrow();
  });

  test('reads a date without a time as midnight of the zone, even where that does not exist', () => {
    expect(resolve('2026-11-20', '2026-11-21', { timezone: 'Asia/Jerusalem' })).toEqual({
      from: '2026-11-19T22:00:00.000000Z',
      to: '2026-11-20T22:00:00.000000Z',
    });
    // In Beirut the clock is set forward at midnight.
    expect(resolve('2026-03-29', '2026-03-30', { timezone: 'Asia/Beirut' })).toEqual({
      from: '2026-03-28T22:00:00.000000Z',
      to: '2026-03-29T21:00:00.000000Z',
    });
  });

  test('accepts both instants of a repeated local time, and times next to a skipped one', () => {
    const berlin = { timezone: 'Europe/Berlin' };
    expect(resolve(undefined, '2026-11-01T02:30:00+01:00', berlin).from).toBe('2026-10-25T00:30:00.000000Z');
    expect(resolve(undefined, '2026-04-05T02:30:00+02:00', berlin).from).toBe('2026-03-29T00:30:00.000000Z');
  });

  test.each([
    ['2026-02-30', undefined, 'from'],
    ['2026-11-23T25:00:00Z', undefined, 'from'],
    ['2026-11-23T10:00:00', undefined, 'from'],
    ['yesterday', undefined, 'from'],
    ['', undefined, 'from'],
    ['0099-13-01', undefined, 'from'],
    [undefined, 'infinity', 'to'],
    ['2026-11-20', '2026-11-20', 'to'],
    ['2026-11-21', '2026-11-20', 'to'],
    ['2026-12-01', undefined, 'from'],
  ])('refuses %s to %s and names %3$s', (from, to, path) => {
    const error = errorOf(() => resolve(from, to));
    expect(error).toMatchObject({ code: 'RANGE_INVALID', status: 400 });
    expect(error.details.errors).toEqual([{ path, message: expect.any(String) }]);
  });
});
