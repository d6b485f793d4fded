import * as xlsx from '@e965/xlsx';
import { describe, expect, test } from '@jest/globals';
import ExcelJS from 'exceljs';
import fc from 'fast-check';
import { columnLetters, CLIP_MARK, escapeXml, MAX_CELL_LENGTH } from '../../src/exports/cells.js';
import { readArchive } from '../../src/exports/archive.js';
import { REPORT_COLUMNS } from '../../src/exports/columns.js';
import { ZoneClock } from '../../src/exports/dates.js';
import type { Sink } from '../../src/exports/files.js';
import { writeWorkbook } from '../../src/exports/workbook.js';
import { COVER_SHEET, DATA_SHEET } from '../../src/exports/workbook-shell.js';
import type { Entry } from '../../src/trail/read/entry.js';
import type { RowBatch } from '../../src/trail/read/row-batch.js';
import { batchesOf, batchOf, sampleEntry, textValue } from '../support/entries.ts';
import { MemorySink, NAUGHTY, workbookOf } from '../support/workbook.ts';

const REPORT_HEADERS = [
  'Modified by',
  'Action category',
  'Modified entity type',
  'Modified entity name',
  'Previous value',
  'Updated value',
  'Date of modification',
];

type Cell = xlsx.CellObject | undefined;

/** Rows of a sheet without the header, read with another library. */
function rowsOf(file: Buffer, sheetName: string = DATA_SHEET): Cell[][] {
  const sheet = xlsx.read(file, { cellNF: true }).Sheets[sheetName]!;
  const last = xlsx.utils.decode_range(sheet['!ref']!).e.r;
  return Array.from({ length: last }, (_, row) =>
    REPORT_COLUMNS.map((_column, index) => sheet[`${columnLetters(index)}${row + 2}`] as Cell),
  );
}

/** That library turns CR LF into one character. Another test checks the bytes of the file. */
const asRead = (text: string): string => text.replaceAll('\r\n', '\n');

const named = (name: string): Entry =>
  sampleEntry({ entity: { type: 'agent', name, id: '12', previousId: null } });

describe('the workbook', () => {
  test("begins with the report's seven columns and their names", async () => {
    const { file } = await workbookOf([sampleEntry()]);
    const [header] = xlsx.utils.sheet_to_json<string[]>(xlsx.read(file).Sheets[DATA_SHEET]!, { header: 1 });
    expect(header!.slice(0, 7)).toEqual(REPORT_HEADERS);
    expect(header!.slice(7)).toEqual([
      'Entity id',
      'Modifier kind',
      'Attribution',
      'Tenant',
      'Table',
      'Commit LSN',
      'Transaction',
      'Seq',
      'Previous entity id',
      'Previous tenant',
      'Note',
      'UTC offset',
      'Acting as',
      'Changes within values',
    ]);
  });

  test('has one cell for each field of an entry, with the right type', async () => {
    const { file } = await workbookOf([sampleEntry()]);
    const [row] = rowsOf(file);
    expect(row!.map((cell) => cell?.t ?? '-').join('')).toBe('ssssssnsssssssn---s--');
    expect(row!.map((cell) => cell?.v)).toEqual([
      'Dana Levi',
      'block',
      'agent',
      'Omer Katz',
      'blocked: false',
      'blocked: true',
      expect.closeTo(46349.4105, 4),
      '12',
      'agent',
      'column',
      '1',
      'public.agents',
      '0/16B3748',
      '812',
      0,
      ...[undefined, undefined, undefined],
      '+00:00',
      ...[undefined, undefined],
    ]);
    expect(row![6]!.z).toBe('yyyy-mm-dd hh:mm:ss.000');
  });

  test('is read equally by exceljs, with frozen header, filter and widths', async () => {
    const { file } = await workbookOf([sampleEntry(), named('second')]);
    const workbook = new ExcelJS.Workbook();
    await workbook.xlsx.load(file as unknown as ArrayBuffer);
    expect(workbook.worksheets.map((sheet) => sheet.name)).toEqual([COVER_SHEET, DATA_SHEET]);
    const sheet = workbook.getWorksheet(DATA_SHEET)!;
    expect(sheet.views[0]).toMatchObject({ state: 'frozen', ySplit: 1 });
    expect(sheet.autoFilter).toBe('A1:U3');
    expect(sheet.getColumn(5).width).toBe(48);
    expect(sheet.getCell('D3').value).toBe('second');
    expect(sheet.getCell('E2').alignment).toMatchObject({ wrapText: true, vertical: 'top' });
    expect(sheet.getCell('A1').font).toMatchObject({ bold: true });
    expect(sheet.getCell('G2').value).toEqual(new Date('2026-11-23T09:51:07.123Z'));
  });

  test('has filter buttons in LibreOffice, a header on every printed page and a cover of one page', async () => {
    const { file } = await workbookOf(
      Array.from({ length: 5 }, () => sampleEntry()),
      {
        limits: { maxRows: 4, maxBytes: 1e9 },
      },
    );
    const parts = readArchive(file);
    const workbook = parts.get('xl/workbook.xml')!.toString().replaceAll('&apos;', "'");
    const names = [...workbook.matchAll(/<definedName ([^>]*)>([^<]*)</g)].map((match) => match.slice(1));
    const last = columnLetters(REPORT_COLUMNS.length - 1);
    expect(names).toEqual([
      ['name="_xlnm._FilterDatabase" localSheetId="1" hidden="1"', `'Audit trail'!$A$1:$${last}$4`],
      ['name="_xlnm._FilterDatabase" localSheetId="2" hidden="1"', `'Audit trail 2'!$A$1:$${last}$3`],
      ['name="_xlnm.Print_Titles" localSheetId="1"', "'Audit trail'!$1:$1"],
      ['name="_xlnm.Print_Titles" localSheetId="2"', "'Audit trail 2'!$1:$1"],
    ]);
    const sheet = (n: number): string => parts.get(`xl/worksheets/sheet${n}.xml`)!.toString();
    expect(sheet(1)).toMatch(
      /<pageSetUpPr fitToPage="1"\/>.*<pageSetup orientation="portrait" [^>]*fitToHeight="1"/s,
    );
    expect(sheet(2)).toMatch(/<pageSetup orientation="landscape" [^>]*fitToHeight="0"/);
    expect(sheet(3)).toContain('&amp;P / &amp;N');
  });

  test.each(NAUGHTY)('keeps %j as text', async (text) => {
    const { file } = await workbookOf([named(text)]);
    expect(rowsOf(file)[0]![3]).toMatchObject({ t: 's', v: asRead(text) });
  });

  test('keeps any text that XML permits, in any cell', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({
            unit: fc.oneof(
              {
                weight: 4,
                arbitrary: fc.constantFrom('_', 'x', '0', '4', '1', '\u0001', '\r', '\n', '<', '&', ' '),
              },
              { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
            ),
            minLength: 1,
            maxLength: 30,
          }),
          { minLength: 1, maxLength: 40 },
        ),
        async (texts) => {
          const { file } = await workbookOf(texts.map(named));
          expect(rowsOf(file).map((row) => row[3]?.v)).toEqual(
            texts.map((text) => asRead(text).replace(/[\ufffe\uffff]/g, '\ufffd')),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test('escapes carriage returns, because XML would turn them into line feeds', () => {
    expect(escapeXml('a\r\nb\rc_x000D_')).toBe('a_x000D_\nb_x000D_c_x005F_x000D_');
  });

  test('replaces characters that XML forbids, so that the file stays valid', async () => {
    const { file } = await workbookOf([named('a\ufffeb\uffffc\ud800d\udc00e')]);
    expect(rowsOf(file)[0]![3]!.v).toBe('a\ufffdb\ufffdc\ufffdd\ufffde');
  });

  test("truncates a cell at Excel's limit, marks it and counts it", async () => {
    const long = '😀'.repeat(20_000);
    const { file, counts } = await workbookOf([named(long), named('x'.repeat(MAX_CELL_LENGTH))]);
    const [clipped, whole] = rowsOf(file).map((row) => String(row[3]!.v));
    expect(clipped!.length).toBeLessThanOrEqual(MAX_CELL_LENGTH);
    expect(clipped!.endsWith(CLIP_MARK)).toBe(true);
    expect(clipped!).not.toMatch(/\p{Surrogate}/u);
    expect(whole).toHaveLength(MAX_CELL_LENGTH);
    expect(counts.clipped).toBe(1);
  });

  test('truncates each value separately, so that the cell still has every column', async () => {
    const updated = new Map([
      ['first', textValue('😀'.repeat(40_000))],
      ['short', textValue('kept')],
      ['second', textValue('b'.repeat(50_000))],
      ['last', textValue('also kept')],
    ]);
    const { file, counts } = await workbookOf([sampleEntry({ updated })]);
    const text = asRead(String(rowsOf(file)[0]![5]!.v));
    expect(text.length).toBeLessThanOrEqual(MAX_CELL_LENGTH);
    expect(text.length).toBeGreaterThan(MAX_CELL_LENGTH - 10);
    expect(text).not.toMatch(/\p{Surrogate}/u);
    const lines = text.split('\n');
    expect(lines.map((line) => line.slice(0, 8))).toEqual([
      'first: 😀'.slice(0, 8),
      'short: k',
      'second: ',
      'last: al',
    ]);
    expect(lines.map((line) => line.endsWith(CLIP_MARK))).toEqual([true, false, true, false]);
    expect(counts.clipped).toBe(1);
  });

  test('writes one line for each column: labels with the stored value, null, unknown, empty text, compact json', async () => {
    const { file } = await workbookOf([
      sampleEntry({
        previous: null,
        updated: new Map([
          ['status', textValue('2', 'away')],
          ['team_id', { kind: 'null', text: '' }],
          ['settings', { kind: 'json', text: '{"a b": [1, 2.50],  "c\\"": "x  y"}' }],
          ['payload', { kind: 'json', text: 'null' }],
          ['nick', textValue('')],
          ['owner', { kind: 'null', text: '', label: 'nobody' }],
          ['note', textValue('two\nlines')],
        ]),
        unknown: ['body', 'scan'],
        tooLarge: [{ side: 'updated', column: 'scan', bytes: 70_000_000, sha256: '00ff' }],
      }),
    ]);
    const [row] = rowsOf(file);
    expect(row![4]).toBeUndefined();
    expect(row![5]!.v).toBe(
      'status: away (2)\nteam_id: (null)\nsettings: {"a b":[1,2.50],"c\\"":"x  y"}\npayload: null\nnick: (empty text)\nowner: nobody (null)\nnote: two\n  lines\nbody: (not sent)\nscan: (too large: 70000000 bytes)',
    );
  });

  test('quotes a text of the source that reads like a word for no value', async () => {
    const texts = [
      ...['(null)', '(empty text)', '(not sent)', '(too large: 7 bytes)', '"(null)"', '"\\"(null)\\""'],
      ...['(null) ', '(NULL)', '((null))', '"null"'],
    ];
    const { file } = await workbookOf([
      sampleEntry({
        previous: null,
        updated: new Map([
          ['none', { kind: 'null', text: '' }],
          ...texts.map((text, index) => [`c${index}`, textValue(text)] as const),
          ['labelled', textValue('3', '(null)')],
        ]),
      }),
    ]);
    expect(String(rowsOf(file)[0]![5]!.v).split('\n')).toEqual([
      'none: (null)',
      ...texts.slice(0, 6).map((text, index) => `c${index}: ${JSON.stringify(text)}`),
      ...texts.slice(6).map((text, index) => `c${index + 6}: ${text}`),
      'labelled: (null) (3)',
    ]);
  });

  test('shows dates in the requested zone, even through the night when the clock is set back', async () => {
    const instants = [
      '2026-10-25T00:59:59.999000Z',
      '2026-10-25T01:00:00.000000Z',
      '2026-10-25T01:30:00.500000Z',
    ];
    const { file } = await workbookOf(
      instants.map((committedAt) => sampleEntry({ committedAt })),
      { zone: 'Europe/Berlin' },
    );
    const shown = rowsOf(file).map((row) => row[6]!.w);
    expect(shown).toEqual(['2026-10-25 02:59:59.999', '2026-10-25 02:00:00.000', '2026-10-25 02:30:00.500']);
    // The offset distinguishes the two passes of the repeated hour.
    expect(rowsOf(file).map((row) => row[18]!.v)).toEqual(['+02:00', '+01:00', '+01:00']);
  });

  test.each(['1899-12-31T00:00:00.000000Z', '0044-03-15T12:00:00.000000Z', 'infinity', '-infinity'])(
    'writes a date as text if Excel cannot show it: %s',
    async (committedAt) => {
      const { file } = await workbookOf([sampleEntry({ committedAt })]);
      const cell = rowsOf(file)[0]![6]!;
      expect(cell.t).toBe('s');
      expect(cell.v).toBe(committedAt.replace('Z', '+00:00'));
    },
  );

  test('is valid and has a header if there are no entries', async () => {
    const { file, counts } = await workbookOf([]);
    const sheet = xlsx.read(file).Sheets[DATA_SHEET]!;
    expect(sheet['!ref']).toBe('A1:U1');
    expect(counts).toEqual({ sheets: 1, clipped: 0 });
  });

  test('continues on further sheets after a number of rows, without losing or repeating one', async () => {
    const entries = Array.from({ length: 250 }, (_, index) => named(`entity ${index}`));
    const { file, counts } = await workbookOf(entries, { limits: { maxRows: 101, maxBytes: 1e9 } });
    const sheets = [DATA_SHEET, `${DATA_SHEET} 2`, `${DATA_SHEET} 3`];
    expect(xlsx.read(file).SheetNames).toEqual([COVER_SHEET, ...sheets]);
    const rows = sheets.map((name) => rowsOf(file, name));
    expect(rows.map((sheet) => sheet.length)).toEqual([100, 100, 50]);
    expect(rows.flat().map((row) => row[3]!.v)).toEqual(entries.map((entry) => entry.entity.name));
    expect(counts.sheets).toBe(3);
  });

  test('continues on further sheets after a number of bytes, and never begins an empty one', async () => {
    const entries = Array.from({ length: 300 }, (_, index) => named(`${index} ${'x'.repeat(2000)}`));
    const { file } = await workbookOf(entries, { limits: { maxRows: 1_048_576, maxBytes: 200_000 } });
    const names = xlsx.read(file).SheetNames.slice(1);
    expect(names.length).toBeGreaterThan(2);
    const rows = names.map((name) => rowsOf(file, name));
    expect(rows.every((sheet) => sheet.length > 0)).toBe(true);
    expect(rows.flat().map((row) => row[3]!.v)).toEqual(entries.map((entry) => entry.entity.name));
    const exact = await workbookOf(entries.slice(0, 200), { limits: { maxRows: 101, maxBytes: 1e9 } });
    expect(exact.counts.sheets).toBe(2);
  });

  test('requests entries only as fast as the file accepts them', async () => {
    let read = 0;
    let written = 0;
    async function* endless(): AsyncGenerator<RowBatch> {
      for (; read < 200_000; read += 500) {
        await Promise.resolve();
        yield batchOf(Array.from({ length: 500 }, (_, index) => named(`${read + index} ${Math.random()}`)));
      }
    }
    const slow: Sink = {
      write(bytes) {
        written += bytes.length;
        return written > 100_000 ? new Promise(() => undefined) : Promise.resolve();
      },
    };
    void writeWorkbook({
      batches: endless(),
      sink: slow,
      clock: new ZoneClock('UTC'),
      createdAt: new Date(0),
      cover: () => [],
    });
    // The disk accepts nothing more, so reading must stop, too. It has stopped when the count is unchanged
    // after a pause.
    let before = -1;
    for (let look = 0; look < 50 && before !== read; look++) {
      before = read;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(read).toBe(before);
    expect(read).toBeLessThan(20_000);
  });

  test('ends with the error of the reader or of the disk', async () => {
    async function* broken(): AsyncGenerator<RowBatch> {
      yield batchOf([sampleEntry()]);
      await Promise.resolve();
      throw new Error('connection lost');
    }
    const rest = { clock: new ZoneClock('UTC'), createdAt: new Date(0), cover: () => [] };
    await expect(writeWorkbook({ ...rest, batches: broken(), sink: new MemorySink() })).rejects.toThrow(
      'connection lost',
    );
    const full: Sink = { write: () => Promise.reject(new Error('disk full')) };
    await expect(writeWorkbook({ ...rest, batches: batchesOf([sampleEntry()]), sink: full })).rejects.toThrow(
      'disk full',
    );
  });
});
