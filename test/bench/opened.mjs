/**
 * Opens a workbook of several full sheets with openpyxl and with LibreOffice. Each cell that they find is
 * compared with its entry.
 */
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { withCluster } from './ground.mjs';
import { PYTHON, reportOf, say, temporaryFolder, toolVersion } from './lib.mjs';
import { seedWeek } from './trail-data.mjs';

export const defaults = { entries: 3_000_000 };
const TIMEZONE = 'Europe/Berlin';
const LIMIT_MS = 3 * 3_600_000;
const COMPARE = path.resolve(import.meta.dirname, 'openers/compare.py');
/** Tokens of LibreOffice's filter: UTF-8, cells as they are shown, a file for each sheet. */
const CSV_OF_SHEETS = 'csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1';

export async function run({ entries: seeded }) {
  const folder = temporaryFolder();
  const cells = path.join(folder, 'cells');
  const { kinds, entries, workbook } = await withCluster({}, async ({ server }) => {
    const url = server.url('postgres');
    say('  seeding …');
    const range = await seedWeek({ url, entries: seeded });
    say('  writing the cells that are expected, and the workbook …');
    const order = { url, range, timezone: TIMEZONE };
    const expected = await reportOf('export-cells.mjs', { ...order, file: cells }, { limitMs: LIMIT_MS });
    const made = await reportOf(
      'export.mjs',
      { ...order, exportDir: folder, format: 'xlsx', isKept: true },
      { limitMs: LIMIT_MS },
    );
    if (made.entries !== expected.entries) throw new Error(`the workbook has ${made.entries} entries`);
    return { ...expected, workbook: path.join(folder, made.file) };
  });
  // Both run at the same time, because each uses one processor.
  const rows = await Promise.all(
    [
      ['openpyxl', () => [workbook]],
      ['LibreOffice', () => sheetsOfLibreOffice(workbook, folder)],
    ].map(async ([reader, filesOf]) => {
      const start = performance.now();
      const files = await filesOf();
      const { stdout } = await promisify(execFile)(
        PYTHON,
        [COMPARE, cells, kinds, reader.toLowerCase(), ...files],
        { timeout: LIMIT_MS },
      );
      const found = JSON.parse(stdout);
      const seconds = Math.round((performance.now() - start) / 1000);
      for (const wrong of found.told) say(`  ${reader}: ${JSON.stringify(wrong)}`);
      say(`  ${reader}: ${found.wrong} of ${found.cells} cells are wrong, ${seconds} s`);
      return { reader, entries, rows: found.rows, cells: found.cells, 'wrong cells': found.wrong, seconds };
    }),
  );
  const openpyxl = execFileSync(PYTHON, ['-c', 'import openpyxl; print(openpyxl.__version__)'], {
    encoding: 'utf8',
  }).trim();
  return { versions: { openpyxl, libreoffice: toolVersion('soffice') }, rows };
}

/** Saves each data sheet as CSV, and returns the files in the order of the sheets. */
async function sheetsOfLibreOffice(workbook, folder) {
  const saved = path.join(folder, 'saved');
  await promisify(execFile)(
    'soffice',
    [
      `-env:UserInstallation=file://${folder}/profile`,
      '--headless',
      ...['--convert-to', CSV_OF_SHEETS, '--outdir', saved],
      workbook,
    ],
    { timeout: LIMIT_MS, killSignal: 'SIGKILL' },
  );
  // The cover is the first sheet; the first data sheet has no number.
  return readdirSync(saved)
    .filter((name) => /-Audit trail(?: \d+)?\.csv$/.test(name))
    .sort((one, other) => one.length - other.length || (one < other ? -1 : 1))
    .map((name) => path.join(saved, name));
}
