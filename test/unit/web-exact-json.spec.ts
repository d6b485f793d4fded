import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ExactNumber, parseExact, printExact, type Json } from '../../src/web/exact-json.js';

const roundTrip = (text: string): string => printExact(parseExact(text) as Json);

describe('exact JSON', () => {
  test.each([
    '12345678901234567890',
    '-9223372036854775808',
    '1.50',
    '0.1000000000000000055511151231257827',
    '1e400',
    '-0',
    '98765432109876543210.10',
  ])('the number %s keeps its text, alone and inside', (text) => {
    expect(roundTrip(text)).toBe(text);
    expect(roundTrip(`{"a":[${text},{"b":${text}}]}`)).toBe(`{"a":[${text},{"b":${text}}]}`);
    expect(parseExact(text)).toBeInstanceOf(ExactNumber);
  });

  test('a number that a double keeps is a number', () => {
    expect(parseExact('[0,1,-42,1.5,9007199254740991]')).toEqual([0, 1, -42, 1.5, 9007199254740991]);
  });

  test('digits inside of strings and keys are left alone', () => {
    const text = String.raw`{"1.50":"1.50","q\"2.50":"say \"3.50\" \\","x":[4.50]}`;
    expect(roundTrip(text)).toBe(text);
  });

  test('no string can pose as a number, whatever it begins with', () => {
    const text = String.raw`["\u0000n1.50","\u0000","\u0000s","\\u0000n1"]`;
    expect(parseExact(text)).toEqual(['\0n1.50', '\0', '\0s', '\\u0000n1']);
    expect(roundTrip(text)).toBe(text);
  });

  test('a string of many megabytes is read, of plain characters and of escapes', () => {
    for (const part of ['a', '\\n', '\\\\', '\\u0000']) {
      const text = `{"a":"${part.repeat(6_000_000)}","b":1.50}`;
      expect(parseExact(text)).toEqual({
        a: JSON.parse(`"${part.repeat(6_000_000)}"`) as string,
        b: new ExactNumber('1.50'),
      });
    }
  });

  test('it agrees with JSON.parse about everything that a double keeps', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isPretty) => {
        const text = JSON.stringify(value, null, isPretty ? 2 : 0);
        expect(roundTrip(text)).toBe(JSON.stringify(JSON.parse(text)));
        expect(printExact(parseExact(text) as Json, 2)).toBe(JSON.stringify(JSON.parse(text), null, 2));
      }),
    );
  });

  test('broken JSON is an error', () => {
    expect(() => parseExact('{"a":1.50')).toThrow(SyntaxError);
    expect(() => parseExact('[01]')).toThrow(SyntaxError);
  });
});
