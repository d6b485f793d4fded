import { execFile, execFileSync } from 'node:child_process';
import { test } from '@jest/globals';

/** What openpyxl finds in a workbook. It shares no code with exceljs or SheetJS. */
export interface ReadWorkbook {
  readonly creator: string;
  readonly sheets: readonly {
    readonly title: string;
    /** The first cell that scrolls. */
    readonly freezePanes: string | null;
    readonly autoFilter: string | null;
    readonly rows: readonly (readonly ReadCell[])[];
  }[];
}

export interface ReadCell {
  /** `s` text, `n` number or nothing, `d` date, `b` boolean, `f` formula, `e` error. */
  readonly type: string;
  /** For a date, its local time with milliseconds. For a text, the characters that its escapes stand for. */
  readonly value: string | number | boolean | null;
  readonly format: string;
  /** Colour of the fill as ARGB; `00000000` without one. */
  readonly fill: string;
}

const SCRIPT = `
import datetime, io, json, sys
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

def value(cell):
    if isinstance(cell.value, datetime.datetime):
        return cell.value.isoformat(timespec='milliseconds')
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value

def read(cell):
    return {'type': cell.data_type, 'value': value(cell), 'format': cell.number_format, 'fill': str(cell.fill.fgColor.rgb)}

book = load_workbook(io.BytesIO(sys.stdin.buffer.read()))
json.dump({'creator': book.properties.creator, 'sheets': [{
    'title': sheet.title,
    'freezePanes': sheet.freeze_panes,
    'autoFilter': sheet.auto_filter.ref,
    'rows': [[read(cell) for cell in row] for row in sheet.iter_rows()],
} for sheet in book.worksheets]}, sys.stdout)
`;

/** Debian's openpyxl belongs to Debian's Python. Another Python on the PATH may hide it. */
const python: string | undefined = ['python3', '/usr/bin/python3'].find((program) => {
  try {
    execFileSync(program, ['-c', 'import openpyxl'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/**
 * Defines a test that needs openpyxl. If it is not installed, the test is skipped. In CI the test fails,
 * because an install step is missing there.
 */
export function openpyxlTest(name: string, run: () => Promise<void>): void {
  if (python === undefined && process.env.CI !== 'true')
    test.skip(`${name} (needs Python with openpyxl: Debian's python3-openpyxl)`, run);
  else test(name, run);
}

export async function readWithOpenpyxl(workbook: Buffer): Promise<ReadWorkbook> {
  if (python === undefined) throw new Error("No Python with openpyxl. Install Debian's python3-openpyxl.");
  const text = await new Promise<string>((resolve, reject) => {
    const child = execFile(
      python,
      ['-c', SCRIPT],
      { maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`openpyxl cannot read the workbook: ${stderr}`));
      },
    );
    child.stdin!.end(workbook);
  });
  return JSON.parse(text) as ReadWorkbook;
}
