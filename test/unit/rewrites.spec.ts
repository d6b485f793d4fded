import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readCommandReport, reportText } from '../../src/pipeline/command-report.js';
import { modifiedTypeName } from '../../src/pg/type-name.js';
import {
  rewritingOf,
  untoldColumns,
  type HeapState,
  type TableContents,
} from '../../src/tracking/rewrites.js';

const HEAP: HeapState = { file: '1', toast: '5' };
const table = (
  heaps: Readonly<Record<string, Partial<HeapState>>>,
  columns = ['id', 'x'],
): TableContents => ({
  columns,
  defaulted: [],
  heaps: Object.fromEntries(Object.entries(heaps).map(([oid, heap]) => [oid, { ...HEAP, ...heap }])),
});

test.each<[string, Partial<HeapState>, Partial<HeapState>, string]>([
  ['the file is the same', {}, { touched: 2 }, 'none'],
  ['the TOAST table is the same', {}, { file: '2', touched: 2 }, 'none'],
  ['a column was altered with it', {}, { file: '2', toast: '6', touched: 2 }, 'certain'],
  [
    'a column was altered with it, and there is no TOAST table',
    { toast: '0' },
    { file: '2', toast: '0', touched: 2 },
    'certain',
  ],
  ['a column was added with it and filled', {}, { file: '2', toast: '6', touched: 3, filled: 3 }, 'certain'],
  ['a column was added with it and is empty', {}, { file: '2', toast: '6', touched: 3 }, 'perhaps'],
  ['no column was altered or added', {}, { file: '2', toast: '6' }, 'perhaps'],
  ['it held no rows', { toast: '0' }, { file: '2', toast: '0', empty: true }, 'none'],
  [
    'it held no rows and a column was altered',
    {},
    { file: '2', toast: '6', touched: 1, empty: true },
    'perhaps',
  ],
])('detects whether rows of a table with a new file were rewritten, if %s', (_, before, after, said) => {
  expect(rewritingOf(table({ 7: before }), table({ 7: after }))).toBe(said);
  // A partitioned table is as certain as the most certain of its partitions.
  expect(rewritingOf(table({ 7: before, 8: {} }), table({ 7: after, 8: {}, 9: { touched: 1 } }))).toBe(said);
});

test('an older look without files and columns is compared with nothing', () => {
  const older: TableContents = {};
  const now = table({ 7: { file: '2', toast: '6', touched: 1 } }, ['id', 'x', 'y']);
  expect([rewritingOf(older, now), untoldColumns(older, { ...now, defaulted: [3] })]).toEqual(['none', []]);
});

test('a report with any bytes and members is read or ignored, and never throws', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => readCommandReport(Buffer.from(bytes)) === null));
  const members = ['what', 'relation', 'schema', 'table', 'command', 'columns', 'more', 'session', 'role'];
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom('rewritten', 'run', 'ALTER TABLE', 'items', 7, ['a']),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...members), value), (report) => {
      const read = readCommandReport(Buffer.from(JSON.stringify(report)));
      if (read !== null) expect(reportText(read).length).toBeLessThan(10_000);
    }),
  );
});

test.each([
  [1043, 24, 'varchar(20)'],
  [1043, -1, 'varchar'],
  [1700, ((10 << 16) | 2) + 4, 'numeric(10,2)'],
  [1700, ((3 << 16) | (-2 & 0x7ff)) + 4, 'numeric(3,-2)'],
  [1184, 3, 'timestamptz(3)'],
  [16_385, 7, 'type 16385(7)'],
])('the type %i with modifier %i is called %s', (oid, modifier, name) => {
  expect(modifiedTypeName(oid, modifier)).toBe(name);
});
