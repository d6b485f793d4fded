import { describe, expect, test } from '@jest/globals';
import { csvField } from '../../src/exports/text-formats.js';

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
    ['\t=1', "'\t=1"],
    ['=1,2', '"\'=1,2"'],
    ['-12.50', '-12.50'],
    ['+972', '+972'],
    ['-1+1', "'-1+1"],
    ['', ''],
  ])('%j is written as %j', (text, field) => {
    expect(csvField(text)).toBe(field);
  });
});
