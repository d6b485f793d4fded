import { describe, expect, test } from '@jest/globals';
import { requestedRange } from '../../src/admin/routes/byte-range.js';

const ETAG = '"abc"';
const of = (range: string | undefined, changes: { ifRange?: string; size?: number } = {}) =>
  requestedRange({ range, ifRange: undefined, etag: ETAG, size: 10, ...changes });

describe('the byte range of a request', () => {
  test.each([
    ['bytes=0-', { first: 0, last: 9 }],
    ['bytes=4-', { first: 4, last: 9 }],
    ['bytes=4-4', { first: 4, last: 4 }],
    ['bytes=4-99', { first: 4, last: 9 }],
    ['bytes=9-99999999999999999999', { first: 9, last: 9 }],
    ['bytes=-3', { first: 7, last: 9 }],
    ['bytes=-99', { first: 0, last: 9 }],
    ['Bytes=1-2', { first: 1, last: 2 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    // A header that is not understood counts as absent (RFC 9110, section 14.2).
    ['bytes=5-4', undefined],
    ['bytes=-', undefined],
    ['bytes=', undefined],
    ['bytes=a-b', undefined],
    ['bytes=0x1-', undefined],
    ['bytes=+1-', undefined],
    ['bytes=1.5-', undefined],
    ['lines=0-1', undefined],
    ['0-1', undefined],
    ['', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=0-1,', undefined],
  ])('%j selects %j', (range, expected) => {
    expect(of(range)).toEqual(expected);
  });

  test('is the whole file without a Range header, and nothing of an empty file', () => {
    expect(of(undefined)).toBeUndefined();
    expect(of('bytes=0-', { size: 0 })).toBe('unsatisfiable');
    expect(of('bytes=-1', { size: 0 })).toBe('unsatisfiable');
  });

  test.each([
    [ETAG, { first: 4, last: 9 }],
    ['"other"', undefined],
    [`W/${ETAG}`, undefined],
    ['abc', undefined],
    ['Mon, 23 Nov 2026 09:51:07 GMT', undefined],
  ])('is the whole file unless the client has bytes of the same file: If-Range %j', (ifRange, expected) => {
    expect(of('bytes=4-', { ifRange })).toEqual(expected);
    expect(of('bytes=10-', { ifRange })).toEqual(expected === undefined ? undefined : 'unsatisfiable');
  });
});
