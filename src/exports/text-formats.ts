import type { Entry } from '../trail/read/entry.js';
import { entryToJson } from '../trail/read/json.js';
import { REPORT_COLUMNS } from './columns.js';
import type { ZoneClock } from './dates.js';
import type { Sink } from './files.js';

interface TextOptions {
  readonly batches: AsyncIterable<readonly Entry[]>;
  readonly sink: Sink;
}

/** Without it Excel takes the bytes for the machine's old code page. */
const BYTE_ORDER_MARK = '\ufeff';

/**
 * What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"). A plain number may keep its
 * sign.
 */
const FORMULA_START = /^[=+\-@\t\r]/;
const PLAIN_NUMBER = /^[+-]\d+(?:\.\d+)?$/;

/**
 * Writes the report's columns as CSV: RFC 4180 with a header, CRLF and UTF-8 with a byte order mark. Dates
 * are RFC 3339 in the requested zone with microseconds. A field that a spreadsheet would take for a formula
 * begins with an apostrophe: whoever reads the file with a program and needs the exact values takes the
 * format ndjson.
 */
export async function writeCsv(options: TextOptions & { readonly clock: ZoneClock }): Promise<void> {
  const { clock, sink } = options;
  const header = REPORT_COLUMNS.map((column) => column.header).join(',');
  await sink.write(Buffer.from(`${BYTE_ORDER_MARK}${header}\r\n`));
  for await (const batch of options.batches) {
    let text = '';
    for (const entry of batch) {
      const fields = REPORT_COLUMNS.map(({ kind, text: of }) =>
        kind === 'date' ? csvField(clock.rfc3339(of(entry))) : csvField(of(entry)),
      );
      text += `${fields.join(',')}\r\n`;
    }
    await sink.write(Buffer.from(text));
  }
}

/** One field, guarded and quoted where it needs to be. */
export function csvField(text: string): string {
  const safe = FORMULA_START.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Writes the entries as the API shows them, one JSON object a line, every value exactly as PostgreSQL printed
 * it.
 */
export async function writeNdjson(options: TextOptions): Promise<void> {
  for await (const batch of options.batches) {
    await options.sink.write(Buffer.from(batch.map((entry) => `${entryToJson(entry)}\n`).join('')));
  }
}
