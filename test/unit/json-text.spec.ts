import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compactJson } from '../../src/pg/compact-json.js';
import { isAnswerable, memberTexts } from '../../src/trail/read/json-text.js';
import { expectSame } from '../support/same.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** JSON with white space and escapes, and text that is almost JSON. */
const nearlyJson = fc.oneof(
  fc.json({ maxDepth: 8, noUnicodeString: false }),
  fc.jsonValue().map((value) => JSON.stringify(value, null, '\t\r\n ')),
  fc
    .array(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"a"',
        '"',
        '\\n',
        '1',
        '-0.5e+3',
        '01',
        'true',
        'nul',
        ' ',
        '\u00a0',
      ),
      {
        maxLength: 9,
      },
    )
    .map((parts) => parts.join('')),
);

describe('JSON as text', () => {
  test('is recognised exactly if JSON.parse accepts it', () => {
    let valid = 0;
    fc.assert(
      fc.property(nearlyJson, (text) => {
        expectSame(isAnswerable(text), isJson(text));
        if (isJson(text)) valid++;
      }),
      { numRuns: 5_000 },
    );
    expect(valid).toBeGreaterThan(1_000);
  });

  test('the members of an object are extracted unchanged', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), nearlyJson.filter(isJson)), (members) => {
        const text = ` { ${Object.entries(members)
          .map(([name, json]) => `${JSON.stringify(name)} : ${json} `)
          .join(', ')}}`;
        expect(Object.fromEntries(memberTexts(text)!)).toEqual(
          Object.fromEntries(Object.entries(members).map(([name, json]) => [name, json.trim()])),
        );
      }),
    );
    for (const text of ['', 'null', '[]', '1', '{"a":}', '{"a":1', '{"a":1}}'])
      expect(memberTexts(text)).toBeNull();
    expect(memberTexts('{"context":{"ua":"x \\ud83d"},"origin":"\\u0000"}')).toEqual(
      new Map([
        ['context', '{"ua":"x \\ud83d"}'],
        ['origin', '"\\u0000"'],
      ]),
    );
  });

  test('is read at any depth, width and length', () => {
    const deep = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;
    expect(isAnswerable(deep)).toBe(false);
    expect(memberTexts(`{"context":${deep}}`)!.get('context')).toBe(deep);
    const wide = `[${'{},'.repeat(1_000_000)}{}]`;
    expect(isAnswerable(wide)).toBe(true);
    for (const part of ['a', '\\n', 'é', '\\ud83d\\ude00']) {
      const long = `{"v": "${part.repeat(5_000_000)}"}`;
      expect(isAnswerable(long)).toBe(true);
      expect(compactJson(long)).toBe(long.replace('": "', '":"'));
    }
  });
});
