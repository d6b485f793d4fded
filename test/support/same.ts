import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';

/**
 * `expect(actual).toEqual(expected)` for what is compared ten thousands of times: a call of it takes dozens
 * of microseconds also where nothing differs.
 */
export function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}
