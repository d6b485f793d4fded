import { expect, test } from '@jest/globals';
import { listNames } from '../../src/tracking/list-names.js';

test('names of a sentence are listed, of many the first ten and how many more there are', () => {
  const many = Array.from({ length: 137 }, (_, n) => `public.t${n}`);
  expect(listNames(['a'])).toBe('a');
  expect(listNames(['a', 'b', 'c'])).toBe('a, b and c');
  expect(listNames(many)).toBe(`${many.slice(0, 10).join(', ')} and 127 more`);
});
