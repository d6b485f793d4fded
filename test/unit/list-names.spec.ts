import { expect, test } from '@jest/globals';
import { listNames } from '../../src/tracking/list-names.js';

test('a sentence lists names; with many, the first ten and the number of the others', () => {
  const many = Array.from({ length: 137 }, (_, n) => `public.t${n}`);
  expect(listNames(['a'])).toBe('a');
  expect(listNames(['a', 'b', 'c'])).toBe('a, b and c');
  expect(listNames(many)).toBe(`${many.slice(0, 10).join(', ')} and 127 more`);
});
