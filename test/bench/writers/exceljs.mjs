/**
 * Writes the cells of export-cells.mjs with the streaming writer of exceljs.
 *
 *   exceljs.mjs CELLS FILE KINDS documented|tuned
 *
 * `documented`: columns with styles and each row an object that is committed, as its README has it. `tuned`:
 * no styles of columns, one object for the style of each kind of cell, rows as lists, level 1 of zlib, and a
 * pause whenever the compressor has more to take than it wants.
 */
import ExcelJS from 'exceljs';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';

const ROWS_OF_SHEET = 1_048_576;
const TOP = { vertical: 'top' };
const STYLES = {
  t: Object.freeze({ numFmt: '@', alignment: TOP }),
  l: Object.freeze({ alignment: { ...TOP, wrapText: true } }),
  d: Object.freeze({ numFmt: 'yyyy-mm-dd hh:mm:ss.000', alignment: TOP }),
  n: Object.freeze({ numFmt: '0', alignment: TOP }),
};

const [cells, filename, letters, mode] = process.argv.slice(2);
const kinds = [...letters];
const isTuned = mode === 'tuned';
const workbook = new ExcelJS.stream.xlsx.WorkbookWriter({
  filename,
  useStyles: true,
  useSharedStrings: false,
  ...(isTuned ? { zip: { zlib: { level: 1 } } } : {}),
});
let sheet;
let rowsOfSheet = ROWS_OF_SHEET;

for await (const rows of rowsOf(cells)) {
  for (const row of rows) {
    if (rowsOfSheet === ROWS_OF_SHEET) {
      sheet?.commit();
      sheet = addSheet();
      rowsOfSheet = 0;
    }
    rowsOfSheet++;
    if (isTuned) addTuned(row);
    else sheet.addRow(Object.fromEntries(row.map((value, column) => [`c${column}`, value]))).commit();
  }
  if (isTuned) await drained(sheet);
}
sheet.commit();
await workbook.commit();

/** Waits until the sheet's compressor wants more data. The library forwards data without a limit. */
async function drained({ stream }) {
  const [compressor] = stream.pipes;
  if (compressor?.writableNeedDrain === true) await once(compressor, 'drain');
}

function addSheet() {
  const added = workbook.addWorksheet();
  if (!isTuned)
    added.columns = kinds.map((kind, column) => ({
      header: `Column ${column}`,
      key: `c${column}`,
      style: STYLES[kind],
    }));
  return added;
}

function addTuned(values) {
  const row = sheet.addRow(values);
  for (const [column, kind] of kinds.entries())
    if (values[column] !== undefined) row.getCell(column + 1).style = STYLES[kind];
  row.commit();
}

/** Yields the rows of each part of the file. Four bytes before each cell give its length. */
async function* rowsOf(file) {
  let rest = Buffer.alloc(0);
  let row = [];
  for await (const part of createReadStream(file, { highWaterMark: 1 << 18 })) {
    const bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const rows = [];
    let at = 0;
    while (at + 4 <= bytes.length) {
      const length = bytes.readUInt32LE(at);
      if (at + 4 + length > bytes.length) break;
      const text = bytes.toString('utf8', at + 4, at + 4 + length);
      const kind = kinds[row.length];
      row.push(length === 0 ? undefined : kind === 'd' || kind === 'n' ? Number(text) : text);
      at += 4 + length;
      if (row.length === kinds.length) {
        rows.push(row);
        row = [];
      }
    }
    rest = bytes.subarray(at);
    yield rows;
  }
}
