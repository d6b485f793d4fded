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
  ])('keeps the text of the number %s, alone and inside other values', (text) => {
    expect(roundTrip(text)).toBe(text);
    expect(roundTrip(`{"a":[${text},{"b":${text}}]}`)).toBe(`{"a":[${text},{"b":${text}}]}`);
    expect(parseExact(text)).toBeInstanceOf(ExactNumber);
  });

  test('reads a number as a number if a double can represent it', () => {
    expect(parseExact('[0,1,-42,1.5,9007199254740991]')).toEqual([0, 1, -42, 1.5, 9007199254740991]);
  });

  test('does not change digits in strings and keys', () => {
    const text = String.raw`{"1.50":"1.50","q\"2.50":"say \"3.50\" \\","x":[4.50]}`;
    expect(roundTrip(text)).toBe(text);
  });

  test('never reads a string as a number, whatever it begins with', () => {
    const text = String.raw`["\u0000n1.50","\u0000","\u0000s","\\u0000n1"]`;
    expect(parseExact(text)).toEqual(['\0n1.50', '\0', '\0s', '\\u0000n1']);
    expect(roundTrip(text)).toBe(text);
  });

  test('reads strings of many megabytes, with and without escapes', () => {
    for (const part of ['a', '\\n', '\\\\', '\\u0000']) {
      const text = `{"a":"${part.repeat(6_000_000)}","b":1.50}`;
      expect(parseExact(text)).toEqual({
        a: JSON.parse(`"${part.repeat(6_000_000)}"`) as string,
        b: new ExactNumber('1.50'),
      });
    }
  });

  test('agrees with JSON.parse if doubles can represent all numbers', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isPretty) => {
        const text = JSON.stringify(value, null, isPretty ? 2 : 0);
        expect(roundTrip(text)).toBe(JSON.stringify(JSON.parse(text)));
        expect(printExact(parseExact(text) as Json, 2)).toBe(JSON.stringify(JSON.parse(text), null, 2));
      }),
    );
  });

  test('throws an error for invalid JSON', () => {
    expect(() => parseExact('{"a":1.50')).toThrow(SyntaxError);
    expect(() => parseExact('[01]')).toThrow(SyntaxError);
  });
});
