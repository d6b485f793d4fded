import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { test } from '@jest/globals';

/** A cell as LibreOffice Calc reads it; `formula` is set if Calc calculates it. */
export interface CalcCell {
  readonly formula: string | null;
  /** `string`, `float`, `date` …; null for an empty cell. */
  readonly type: string | null;
  /** As it is shown. */
  readonly text: string;
}

export type CalcSheet = readonly (readonly CalcCell[])[];

/** A file for Calc, with the way to open it if it is not a workbook. */
export interface CalcFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LIMIT_MS = 120_000;
const program: string | undefined = ['soffice', '/usr/bin/soffice'].find((name) => {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/**
 * Defines a test that needs LibreOffice Calc. If it is not installed, the test is skipped. In CI the test
 * fails, because an install step is missing there.
 */
export function calcTest(name: string, run: () => Promise<void>, limitMs: number): void {
  if (program === undefined && process.env.CI !== 'true')
    test.skip(`${name} (needs LibreOffice Calc: Debian's libreoffice-calc)`, run);
  else test(name, run, limitMs);
}

/** Tokens 5 to 13 of Calc's options of CSV: columns, numbers and dates found, formulas calculated. */
const EAGER = ',0,false,true,false,false,false,0,true';

/**
 * Returns Calc's options for CSV in UTF-8. Everything that could be a number, a date or a formula becomes
 * one.
 */
export const separatedBy = (...separators: readonly string[]): string =>
  `${separators.map((separator) => separator.charCodeAt(0)).join('/')},34,76,1,${EAGER}`;

/** Returns the same options, but with the first columns as text. */
export const asTexts = (separator: string, columns: number): string =>
  `${separator.charCodeAt(0)},34,76,1,${Array.from({ length: columns }, (_, index) => `${index + 1}/2`).join('/')}${EAGER}`;

/**
 * LibreOffice with its own profile. Each call of `open` starts it, which takes seconds: give it several
 * files.
 */
export class Calc implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<Calc> {
    if (program === undefined) throw new Error("No LibreOffice. Install Debian's libreoffice-calc.");
    return new Calc(await mkdtemp(path.join(tmpdir(), 'waltrail-calc-')));
  }

  /** Opens files and reads all their sheets. `options` are of CSV; a workbook has none. */
  async open(files: readonly CalcFile[], options?: string): Promise<CalcSheet[][]> {
    const folder = this.#folder;
    for (const { name, bytes } of files) await writeFile(path.join(folder, name), bytes);
    await promisify(execFile)(
      program!,
      [
        `-env:UserInstallation=file://${folder}/profile`,
        '--headless',
        ...(options === undefined ? [] : [`--infilter=CSV:${options}`]),
        ...['--convert-to', 'fods:OpenDocument Spreadsheet Flat XML', '--outdir', `${folder}/opened`],
        ...files.map(({ name }) => path.join(folder, name)),
      ],
      { timeout: LIMIT_MS, killSignal: 'SIGKILL' },
    );
    const read: CalcSheet[][] = [];
    for (const { name } of files) {
      const { stdout } = await promisify(execFile)(
        '/usr/bin/python3',
        ['-c', SCRIPT, path.join(folder, 'opened', name.replace(/[^.]+$/, 'fods'))],
        { maxBuffer: 256 * 1024 ** 2 },
      );
      read.push(JSON.parse(stdout) as CalcSheet[]);
    }
    return read;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Rows of RFC 4180 as Python's module csv reads them, without the byte order mark. */
export async function readCsv(file: Uint8Array): Promise<string[][]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-csv-'));
  try {
    await writeFile(path.join(folder, 'csv'), file);
    const script = `
import csv, json, sys
csv.field_size_limit(1 << 30)
json.dump(list(csv.reader(open(sys.argv[1], encoding='utf-8-sig', newline=''), strict=True)), sys.stdout)`;
    const { stdout } = await promisify(execFile)(
      '/usr/bin/python3',
      ['-c', script, path.join(folder, 'csv')],
      {
        maxBuffer: 256 * 1024 ** 2,
      },
    );
    return JSON.parse(stdout) as string[][];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Reads a flat OpenDocument spreadsheet (OASIS OpenDocument 1.3, part 3, chapter 9). */
const SCRIPT = `
import json, sys
import xml.etree.ElementTree as tree

def named(space, name):
    return '{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}%s' % (space, name)

def text(element):
    parts = [element.text or '']
    for child in element:
        if child.tag == named('text', 's'):
            parts.append(' ' * int(child.get(named('text', 'c'), '1')))
        elif child.tag == named('text', 'tab'):
            parts.append('\\t')
        elif child.tag == named('text', 'line-break'):
            parts.append('\\n')
        else:
            parts.append(text(child))
        parts.append(child.tail or '')
    return ''.join(parts)

def cell(element):
    lines = [text(line) for line in element.findall(named('text', 'p'))]
    return {'formula': element.get(named('table', 'formula')), 'type': element.get(named('office', 'value-type')),
            'text': '\\n'.join(lines)}

def cells(row):
    read = []
    for element in row:
        if element.tag not in (named('table', 'table-cell'), named('table', 'covered-table-cell')):
            continue
        count = int(element.get(named('table', 'number-columns-repeated'), '1'))
        read += [cell(element)] * min(count, 64)
    while read and read[-1]['type'] is None and read[-1]['formula'] is None:
        read.pop()
    return read

sheets = []
for sheet in tree.parse(sys.argv[1]).iter(named('table', 'table')):
    rows = []
    for row in sheet.iter(named('table', 'table-row')):
        read = cells(row)
        count = int(row.get(named('table', 'number-rows-repeated'), '1'))
        rows += [read] * (count if read else min(count, 1))
    while rows and not rows[-1]:
        rows.pop()
    sheets.append(rows)
json.dump(sheets, sys.stdout)
`;
