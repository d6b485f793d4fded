import { expect, test } from '@jest/globals';
import { QuickStarts } from '../../src/exports/worker.js';

test('each token gets one quick start of an export in 30 seconds, independent of other tokens', () => {
  const quick = new QuickStarts();
  expect(quick.take('one', 0)).toBe(true);
  expect(quick.take('one', 29_999)).toBe(false);
  expect(quick.take('two', 29_999)).toBe(true);
  expect(quick.take('one', 30_000)).toBe(true);
  expect(quick.take('one', 30_001)).toBe(false);
});
