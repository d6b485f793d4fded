import type ExcelJS from 'exceljs';
// Loading all of exceljs takes three times as long, and 12 MB more memory.
import Workbook from 'exceljs/lib/doc/workbook.js';
import { readArchive } from './archive.js';
import { columnLetters, escapeForExcel } from './cells.js';
import { REPORT_COLUMNS, type ColumnKind } from './columns.js';
import type { SharedStrings } from './shared-strings.js';

/** A line of the cover sheet. */
export interface CoverLine {
  readonly label: string;
  readonly text: string;
  /** Shown in red. */
  readonly isAlarm?: boolean;
}

export interface CellStyles extends Readonly<Record<ColumnKind, string>> {
  readonly header: string;
}

/** A workbook without the rows of its data sheets. */
export interface WorkbookShell {
  /** All parts except the data sheets, by name. */
  readonly parts: ReadonlyMap<string, Buffer>;
  /** The XML around the rows of a data sheet, and the styles of its cells. */
  readonly sheet: { readonly before: string; readonly after: string; readonly styles: CellStyles };
}

export const COVER_SHEET = 'About this report';
export const DATA_SHEET = 'Audit trail';

/**
 * Returns the name of the part with the n-th data sheet, from 1. The cover is the first sheet of the
 * workbook.
 */
export const dataSheetPart = (n: number): string => `xl/worksheets/sheet${n + 1}.xml`;

const WORKBOOK_PART = 'xl/workbook.xml';
const COVER_PART = 'xl/worksheets/sheet1.xml';
const STRINGS_PART = 'xl/sharedStrings.xml';
const LAST_COLUMN = columnLetters(REPORT_COLUMNS.length - 1);

const FONT = { name: 'Calibri', size: 11 } as const;
const TOP = { vertical: 'top' } as const;
const ALARM = {
  font: { ...FONT, bold: true, color: { argb: 'FF9C0006' } },
  fill: { type: 'pattern', pattern: 'solid', fgColor: { argb: 'FFFFC7CE' } },
  alignment: { ...TOP, wrapText: true },
} as const satisfies Partial<ExcelJS.Style>;
const HEADER_FILL = {
  type: 'pattern',
  pattern: 'solid',
  fgColor: { argb: 'FF1F3A5F' },
} as const satisfies ExcelJS.Fill;
const STYLES: Readonly<Record<ColumnKind | 'header', Partial<ExcelJS.Style>>> = {
  header: {
    font: { ...FONT, bold: true, color: { argb: 'FFFFFFFF' } },
    fill: HEADER_FILL,
    alignment: { vertical: 'middle', wrapText: true },
  },
  // "@" keeps the cell a text if somebody edits it and presses Enter. Otherwise, "=1+1" would become a
  // formula.
  text: { numFmt: '@', alignment: TOP },
  lines: { alignment: { ...TOP, wrapText: true } },
  offset: { numFmt: '@', alignment: TOP },
  date: { numFmt: 'yyyy-mm-dd hh:mm:ss.000', alignment: TOP },
  count: { numFmt: '0', alignment: TOP },
};

/**
 * Has exceljs create everything but the rows: cover sheet, styles, widths, panes, properties.
 *
 * exceljs writes rows slowly (measured: 39 s when tuned, instead of 12 s as bytes into this shell, for
 * 1,000,000 rows) and not always correctly. One U+FFFE or U+FFFF in a value makes the file malformed, control
 * characters are dropped, and a literal `_x0041_` is not escaped.
 *
 * If the covers of two shells have lines of the same kinds, the shells have the same `sheet`.
 */
export async function makeShell(options: {
  readonly cover: readonly CoverLine[];
  /** The number of the last row of each data sheet. */
  readonly lastRows: readonly number[];
  /** Strings that cells of the data sheets refer to. */
  readonly strings: SharedStrings;
  readonly createdAt: Date;
}): Promise<WorkbookShell> {
  const workbook = new Workbook();
  workbook.creator = 'Waltrail';
  workbook.title = 'Audit trail';
  workbook.created = options.createdAt;
  workbook.modified = options.createdAt;
  addCover(workbook, options.cover);
  const names = options.lastRows.map((_, index) => (index === 0 ? DATA_SHEET : `${DATA_SHEET} ${index + 1}`));
  for (const name of names) addDataSheet(workbook, name);
  const parts = readArchive(Buffer.from(await workbook.xlsx.writeBuffer()));
  const sheet = splitSheet(parts.get(dataSheetPart(1))!.toString());
  for (const index of names.keys()) parts.delete(dataSheetPart(index + 1));
  const ranges = names.map((name, index) => `'${name}'!$A$1:$${LAST_COLUMN}$${options.lastRows[index]!}`);
  parts.set(WORKBOOK_PART, withFilterNames(parts.get(WORKBOOK_PART)!, ranges));
  putStrings(parts, options.strings);
  return { parts, sheet };
}

/**
 * Adds hidden names, by which LibreOffice finds the range of a filter and shows its buttons (ECMA-376, part
 * 1, 18.2.5). exceljs writes none. The cover is the sheet before the ranges.
 */
function withFilterNames(workbook: Buffer, ranges: readonly string[]): Buffer {
  const names = ranges.map(
    (range, index) =>
      `<definedName name="_xlnm._FilterDatabase" localSheetId="${index + 1}" hidden="1">${range}</definedName>`,
  );
  return Buffer.from(workbook.toString().replace('<definedNames>', `<definedNames>${names.join('')}`));
}

/**
 * Puts the strings of the data sheets before those of the cover, and renumbers the cells of the cover. The
 * data sheets are written before the number of the cover's strings is known.
 */
function putStrings(parts: Map<string, Buffer>, strings: SharedStrings): void {
  const cover = parts
    .get(COVER_PART)!
    .toString()
    .replace(/( t="s"><v>)(\d+)(?=<)/g, (_, before, number) => `${before}${Number(number) + strings.count}`);
  parts.set(COVER_PART, Buffer.from(cover));
  const table = parts
    .get(STRINGS_PART)!
    .toString()
    // The counts are optional.
    .replace(/(<sst [^>]*?)(?: (?:count|uniqueCount)="\d+")+>/, (_, open) => `${open}>${strings.items}`);
  parts.set(STRINGS_PART, Buffer.from(table));
}

function addCover(workbook: ExcelJS.Workbook, lines: readonly CoverLine[]): void {
  const sheet = workbook.addWorksheet(COVER_SHEET, {
    pageSetup: { orientation: 'portrait', fitToPage: true, fitToWidth: 1, fitToHeight: 1 },
  });
  sheet.columns = [{ width: 26 }, { width: 90 }];
  const title = sheet.addRow([DATA_SHEET]);
  title.getCell(1).font = { ...FONT, bold: true, size: 16 };
  sheet.addRow([]);
  for (const line of lines) {
    const row = sheet.addRow([line.label, escapeForExcel(line.text)]);
    row.getCell(1).style = { font: { ...FONT, bold: true }, alignment: TOP };
    row.getCell(2).style = STYLES.lines;
    if (line.isAlarm === true) for (const column of [1, 2]) row.getCell(column).style = ALARM;
  }
}

function addDataSheet(workbook: ExcelJS.Workbook, name: string): void {
  const sheet = workbook.addWorksheet(name, {
    views: [{ state: 'frozen', ySplit: 1 }],
    pageSetup: {
      orientation: 'landscape',
      fitToPage: true,
      fitToWidth: 1,
      fitToHeight: 0,
      printTitlesRow: '1:1',
    },
    headerFooter: { oddFooter: '&L&A&R&P / &N' },
  });
  sheet.columns = REPORT_COLUMNS.map(({ width }) => ({ width }));
  // Rows with one cell of each style. splitSheet reads the numbers of the styles from them.
  sheet.addRow(REPORT_COLUMNS.map(() => 0)).eachCell((cell) => (cell.style = STYLES.header));
  sheet.addRow(REPORT_COLUMNS.map(() => 0)).eachCell((cell, column) => {
    cell.style = STYLES[REPORT_COLUMNS[column - 1]!.kind];
  });
  sheet.autoFilter = { from: { row: 1, column: 1 }, to: { row: 1, column: REPORT_COLUMNS.length } };
}

function splitSheet(xml: string): WorkbookShell['sheet'] {
  const start = xml.indexOf('<sheetData>') + '<sheetData>'.length;
  const end = xml.indexOf('</sheetData>');
  const numbers = [...xml.slice(start, end).matchAll(/<c r="[A-Z]+[12]" s="(\d+)"/g)].map(
    (match) => match[1]!,
  );
  const styleOf = (kind: ColumnKind): string =>
    numbers[REPORT_COLUMNS.length + REPORT_COLUMNS.findIndex((column) => column.kind === kind)]!;
  return {
    // The dimension describes the sample rows. It is optional, and the number of rows is not known yet.
    before: xml.slice(0, start).replace(/<dimension [^>]*\/>/, ''),
    after: xml
      .slice(end)
      // Ids are text on purpose, so Excel's warnings about numbers stored as text are disabled.
      .replace(
        '</worksheet>',
        '<ignoredErrors><ignoredError sqref="A1:XFD1048576" numberStoredAsText="1"/></ignoredErrors></worksheet>',
      ),
    styles: {
      header: numbers[0]!,
      text: styleOf('text'),
      lines: styleOf('lines'),
      date: styleOf('date'),
      offset: styleOf('offset'),
      count: styleOf('count'),
    },
  };
}
