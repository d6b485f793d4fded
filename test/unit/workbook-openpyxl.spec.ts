import { describe, expect } from '@jest/globals';
import { COVER_SHEET, DATA_SHEET } from '../../src/exports/workbook-shell.js';
import { sampleEntry } from '../support/entries.ts';
import { openpyxlTest, readWithOpenpyxl } from '../support/openpyxl.ts';
import { NAUGHTY, workbookOf } from '../support/workbook.ts';

describe('openpyxl reads the same from the workbook:', () => {
  openpyxlTest('sheets, header and cells with their types', async () => {
    const { file } = await workbookOf([sampleEntry()], { zone: 'Europe/Berlin' });
    const { creator, sheets } = await readWithOpenpyxl(file);
    expect(creator).toBe('Waltrail');
    expect(sheets.map(({ title }) => title)).toEqual([COVER_SHEET, DATA_SHEET]);
    const { freezePanes, autoFilter, rows } = sheets[1]!;
    expect([freezePanes, autoFilter, rows.length]).toEqual(['A2', 'A1:U2', 2]);
    expect(rows[0]!.slice(0, 3).map(({ value }) => value)).toEqual([
      'Modified by',
      'Action category',
      'Modified entity type',
    ]);
    expect(rows[1]!.map(({ type, value }) => [type, value])).toEqual([
      ['s', 'Dana Levi'],
      ['s', 'block'],
      ['s', 'agent'],
      ['s', 'Omer Katz'],
      ['s', 'blocked: false'],
      ['s', 'blocked: true'],
      ['d', '2026-11-23T10:51:07.123'],
      ['s', '12'],
      ['s', 'agent'],
      ['s', 'column'],
      ['s', '1'],
      ['s', 'public.agents'],
      ['s', '0/16B3748'],
      ['s', '812'],
      ['n', 0],
      ['n', null],
      ['n', null],
      ['n', null],
      ['s', '+01:00'],
      ['n', null],
      ['n', null],
    ]);
    // The format "@" keeps text as text when somebody edits the cell.
    expect(
      rows[1]!.filter((_, index) => [0, 3, 6, 7, 14].includes(index)).map(({ format }) => format),
    ).toEqual(['@', '@', 'yyyy-mm-dd hh:mm:ss.000', '@', '0']);
  });

  openpyxlTest('any text as text, never as a formula, a number, a date or an error', async () => {
    const entries = NAUGHTY.map((name) =>
      sampleEntry({ entity: { type: name, name, id: name, previousId: null } }),
    );
    const { sheets } = await readWithOpenpyxl((await workbookOf(entries)).file);
    const rows = sheets[1]!.rows.slice(1);
    expect(rows.map((row) => [2, 3, 7].map((index) => row[index]!.value))).toEqual(
      NAUGHTY.map((text) => [text, text, text]),
    );
    expect(new Set(rows.flatMap((row) => [2, 3, 7].map((index) => row[index]!.type)))).toEqual(
      new Set(['s']),
    );
  });

  openpyxlTest('dates before and after the clock is set back, and one that is not an instant', async () => {
    const commits = [
      '2026-10-25T00:59:59.999999Z',
      '2026-10-25T01:00:00.000000Z',
      '1900-03-01T00:00:00.000000Z',
      'infinity',
    ];
    const entries = commits.map((committedAt) => sampleEntry({ committedAt }));
    const { sheets } = await readWithOpenpyxl((await workbookOf(entries, { zone: 'Europe/Berlin' })).file);
    expect(sheets[1]!.rows.slice(1).map((row) => [row[6]!.type, row[6]!.value])).toEqual([
      ['d', '2026-10-25T02:59:59.999'],
      ['d', '2026-10-25T02:00:00.000'],
      ['d', '1900-03-01T01:00:00.000'],
      ['s', 'infinity'],
    ]);
  });

  openpyxlTest('all sheets of a report that needs more than one, and a warning on the cover', async () => {
    const ids = Array.from({ length: 250 }, (_, index) => String(index));
    const { file } = await workbookOf(
      ids.map((id) => sampleEntry({ entity: { type: 'agent', name: 'Omer Katz', id, previousId: null } })),
      {
        limits: { maxRows: 101, maxBytes: 1e9 },
        cover: [{ label: 'May be incomplete', text: 'the slot was dropped', isAlarm: true }],
      },
    );
    const { sheets } = await readWithOpenpyxl(file);
    const [cover, ...data] = sheets;
    expect(data.map(({ title, rows }) => [title, rows.length])).toEqual([
      [DATA_SHEET, 101],
      [`${DATA_SHEET} 2`, 101],
      [`${DATA_SHEET} 3`, 51],
    ]);
    expect(data.flatMap(({ rows }) => rows.slice(1).map((row) => row[7]!.value))).toEqual(ids);
    const line = (label: string) => cover!.rows.find(([first]) => first!.value === label)!;
    expect(line('May be incomplete').map(({ value, fill }) => [value, fill])).toEqual([
      ['May be incomplete', 'FFFFC7CE'],
      ['the slot was dropped', 'FFFFC7CE'],
    ]);
    expect(line('Entries').map(({ value, fill }) => [value, fill])).toEqual([
      ['Entries', '00000000'],
      ['250', '00000000'],
    ]);
  });
});
