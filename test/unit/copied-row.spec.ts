import { expect, test } from '@jest/globals';
import { copiedRow } from '../../src/capture/copied-row.js';

const values = (line: Buffer | string): (string | null)[] => {
  const row = copiedRow(Buffer.from(line));
  return Array.from({ length: row.count }, (_, column) => row.text(column));
};

test('a line of COPY becomes the values that it was written from', () => {
  expect(values('1\tDana\n')).toEqual(['1', 'Dana']);
  expect(values('\\N\t\t\\N\n')).toEqual([null, '', null]);
  expect(values('\n')).toEqual(['']);
});

test('escaped bytes are decoded, and \\N means null only if it is the whole field', () => {
  expect(values('a\\tb\\nc\\rd\\be\\ff\\vg\\\\h\t\\\\N\n')).toEqual(['a\tb\nc\rd\be\ff\vg\\h', '\\N']);
});

test('bytes that are not text are kept', () => {
  const row = copiedRow(Buffer.from([0xc3, 0x09, 0xff, 0x5c, 0x74, 0x0a]));
  const bytes = [0, 1].map((column) =>
    row.bytes.subarray(row.offsets[column], row.offsets[column]! + row.lengths[column]!),
  );
  expect(bytes).toEqual([Buffer.from([0xc3]), Buffer.from([0xff, 0x09])]);
});
