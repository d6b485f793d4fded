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
  const resolve = (from?: string, to?: string) => resolveRange({ from, to, now, maxRangeMs: 7 * DAY_MS });

  test('is the longest one until now when nothing is said', () => {
    expect(resolve()).toEqual({ from: '2026-11-16T12:00:00.000000Z', to: '2026-11-23T12:00:00.000000Z' });
    expect(resolve(undefined, '2026-11-08')).toEqual({
      from: '2026-11-01T00:00:00.000000Z',
      to: '2026-11-08T00:00:00.000000Z',
    });
    expect(resolve('2026-11-20').to).toBe('2026-11-23T12:00:00.000000Z');
  });

  test('keeps microseconds and understands offsets', () => {
    expect(resolve('2026-11-23T09:51:07.123456+02:00', '2026-11-23T09:51:07.123457-00:30')).toEqual({
      from: '2026-11-23T07:51:07.123456Z',
      to: '2026-11-23T10:21:07.123457Z',
    });
  });

  test('rounds digits past the sixth up, so that it holds the same entries', () => {
    expect(resolve('2026-11-23T09:00:00.0000001Z').from).toBe('2026-11-23T09:00:00.000001Z');
    expect(resolve('2026-11-23T09:00:00.9999999Z').from).toBe('2026-11-23T09:00:01.000000Z');
    expect(resolve('2026-11-23T09:00:00.1234560Z').from).toBe('2026-11-23T09:00:00.123456Z');
  });

  test('may be exactly as long as allowed and not a microsecond longer', () => {
    expect(() => resolve('2026-11-01', '2026-11-08')).not.toThrow();
    const error = errorOf(() => resolve('2026-11-01', '2026-11-08T00:00:00.000001Z'));
    expect(error).toMatchObject({ code: 'RANGE_TOO_LONG', status: 422 });
    expect(error.message).toContain('at most 7 days');
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
  ])('from %s to %s is refused, naming %3$s', (from, to, path) => {
    const error = errorOf(() => resolve(from, to));
    expect(error).toMatchObject({ code: 'RANGE_INVALID', status: 400 });
    expect(error.details.errors).toEqual([{ path, message: expect.any(String) }]);
  });
});
