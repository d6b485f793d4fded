import { expect, test } from '@jest/globals';
import { SharedStrings } from '../../src/exports/shared-strings.js';

test('strings are numbered once each, in order of appearance', () => {
  const strings = new SharedStrings();
  expect(['Dana', 'edit', 'Dana', ''].map((text) => strings.numberOf(text))).toEqual([0, 1, 0, 2]);
  expect(strings.count).toBe(3);
});

test('a full table accepts no more strings and keeps those that it has', () => {
  const strings = new SharedStrings(8);
  expect(['Dana', 'Omer', 'Eva', 'Dana', 'Eva'].map((text) => strings.numberOf(text))).toEqual([
    0,
    1,
    undefined,
    0,
    undefined,
  ]);
  expect(strings.count).toBe(2);
});

test('items are XML that preserves every character', () => {
  const strings = new SharedStrings();
  for (const text of [' a & <b>', '_x0041_', '\u0001']) strings.numberOf(text);
  expect(strings.items).toBe(
    '<si><t xml:space="preserve"> a &amp; &lt;b&gt;</t></si>' +
      '<si><t xml:space="preserve">_x005F_x0041_</t></si>' +
      '<si><t xml:space="preserve">_x0001_</t></si>',
  );
});
