import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { csvField } from '../../src/exports/csv-field.js';

describe('a field of a csv file', () => {
  test.each([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['+cmd', "'+cmd"],
    ['-cmd', "'-cmd"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "\t'=1"],
    ['=1,2', '"\'=1,2"'],
    ['-12.50', '-12.50'],
    ['+972', '+972'],
    ['-1+1', "'-1+1"],
    ['', ''],
    ['a;=1+1', "a;'=1+1"],
    ['a\t@SUM(A1)', "a\t'@SUM(A1)"],
    ['a|-x', "a|'-x"],
    ['a: +cmd', "a: '+cmd"],
    ['a\n=1', '"a\n\'=1"'],
    ['a\u2028=1', "a\u2028'=1"],
    ['a;"=1"', '"a;""\'=1"""'],
    ['＝1+1', "'＝1+1"],
    ['a;＋1', "a;'＋1"],
    ['－1', "'－1"],
    ['x ＠y', "x '＠y"],
    ['balance: -12.50', 'balance: -12.50'],
    ['-1;+2;3', "'-1;'+2;3"],
    ['1;+2', '1;+2'],
    ['-1;+2x', "'-1;'+2x"],
    // Blanks and line ends may stand within a formula, and so may some separators.
    ["+1 *cmd|' /C calc'!A0", "'+1 *cmd|' /C calc'!A0"],
    ['-1\n*A1', '"\'-1\n*A1"'],
    ['-1\u2028*A1', "'-1\u2028*A1"],
    ['+1:1*A1', "'+1:1*A1"],
    ['-1,A1', '"\'-1,A1"'],
    ['a;-1 &A1', "a;'-1 &A1"],
    [
      '2026-10-25 02:30:00 +02:00 (2026-10-25 00:30:00+00)',
      '2026-10-25 02:30:00 +02:00 (2026-10-25 00:30:00+00)',
    ],
    ['+01:02 (A1)', "'+01:02 (A1)"],
    ['2026-10-25 02:30:00+02:00', '2026-10-25 02:30:00+02:00'],
    ['someone@example.org, a-b, x=y', '"someone@example.org, a-b, x=y"'],
  ])('%j is written as %j', (text, field) => {
    expect(csvField(text)).toBe(field);
  });

  test('is never a formula, whichever separator or quote a program splits it by', () => {
    const separators = [',', ';', ':', '|', '\t', ' ', '\n', '\r', '\v', '\f', '\u0085', '\u2028', '\u2029'];
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...separators, ...'=+-@＝＋－＠"\'a1.'), maxLength: 20 }),
        (text) => {
          for (const separator of separators)
            for (const [index, field] of csvField(text).split(separator).entries()) {
              const isLast = index === csvField(text).split(separator).length - 1;
              if (isLast && /^["\s]*[+-]\d+(\.\d+)?"?$/.test(field)) continue;
              expect(field.replace(/^["\s]+/, '')).not.toMatch(/^[=+\-@＝＋－＠]/);
            }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
