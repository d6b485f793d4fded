import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../../src/exports/byte-writer.js';
import { compactJson } from '../../src/pg/compact-json.js';
import { JsonBytes } from '../../src/exports/json-bytes.js';
import { byteTable, PLAIN, type TextForm } from '../../src/exports/text-form.js';
import { isAnswerable } from '../../src/trail/read/json-text.js';

const AS_IT_IS: TextForm = { ...byteTable({}), ask: () => PLAIN, encode: (text) => text };
const out = new ByteWriter();

/** JSON with white space wherever JSON permits it, or with one character changed. */
const nearlyJson = fc
  .tuple(
    fc.jsonValue({ maxDepth: 4 }),
    fc.constantFrom('', ' ', '\n\t', '\r\n '),
    fc.option(fc.tuple(fc.nat(), fc.constantFrom(...'{}[],:"\\ 0-+.eEtnu\u0001\u2028é'))),
  )
  .map(([value, space, change]) => {
    const text = JSON.stringify(value, null, space === '' ? undefined : 1).replaceAll('\n', `\n${space}`);
    if (change === null || text.length === 0) return text;
    const at = change[0] % text.length;
    return text.slice(0, at) + change[1] + text.slice(at + 1);
  });
const texts = fc.oneof(
  nearlyJson,
  fc.string({ unit: fc.constantFrom(...'{}[],:"\\ 01-.eu'), maxLength: 8 }),
  fc.constantFrom(
    '-',
    '01',
    '-0',
    '1.',
    '.1',
    '1e',
    '1e+',
    '1E-5',
    'tru',
    'nulls',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"\\ude00"',
    '"\\ud83dx\\ude00"',
    '"\\u00"',
    '"\\x"',
    '',
    ' ',
    `${'['.repeat(60)}${']'.repeat(60)}`,
    `${'['.repeat(61)}${']'.repeat(61)}`,
    '[[],{}]]',
  ),
);

describe('JSON in bytes', () => {
  test('is recognised and written exactly as by the functions for strings', () => {
    const json = new JsonBytes(AS_IT_IS);
    const onlyLooks = new JsonBytes(null);
    let right = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = Buffer.from(`x${text}x`);
        const end = bytes.length - 1;
        out.at = 0;
        expect(onlyLooks.write(bytes, 1, end, out)).toBe(isAnswerable(text));
        expect(out.at).toBe(0);
        expect(json.write(bytes, 1, end, out)).toBe(isAnswerable(text));
        expect(out.bytes.toString('utf8', 0, out.at)).toBe(isAnswerable(text) ? compactJson(text) : '');
        if (isAnswerable(text)) right++;
      }),
      { numRuns: 5_000 },
    );
    expect(right).toBeGreaterThan(500);
  });
});
