/**
 * Writes the texts of a workbook's cells for other writers, row after row. Each cell is the length of its
 * text in four bytes (little-endian), then the text; dates are numbers as Excel counts them. Written once,
 * before anything is measured.
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { REPORT_COLUMNS } from '../../../dist/exports/columns.js';
import { ZoneClock } from '../../../dist/exports/dates.js';
import { excelDate } from '../../../dist/exports/excel-dates.js';
import { createPool } from '../../../dist/pg/connect.js';
import { TrailReader } from '../../../dist/trail/read/trail-reader.js';

process.once('message', async ({ url, range, timezone, file }) => {
  const pool = createPool({ url, purpose: 'bench', max: 2 });
  const reader = new TrailReader({ pool, statementTimeoutMs: 600_000 });
  const clock = new ZoneClock(timezone);
  const { nextId } = await reader.head();
  const out = createWriteStream(file);
  let entries = 0;
  for await (const batch of reader.walkRows(range, { below: nextId, withContexts: false }))
    for (let index = 0; index < batch.count; index++, entries++)
      if (!out.write(rowOf(batch.entry(index), clock))) await once(out, 'drain');
  out.end();
  await once(out, 'finish');
  await pool.end();
  const letters = { date: 'd', count: 'n', lines: 'l' };
  process.send({ entries, kinds: REPORT_COLUMNS.map(({ kind }) => letters[kind] ?? 't').join('') });
});
process.once('disconnect', () => process.exit());

function rowOf(entry, clock) {
  return Buffer.concat(
    REPORT_COLUMNS.flatMap(({ kind, text }) => {
      const said = text(entry, clock);
      const cell = Buffer.from(
        kind === 'date'
          ? excelDate(clock.local(said).localMs)
          : kind === 'offset'
            ? clock.offset(said)
            : said,
      );
      const length = Buffer.alloc(4);
      length.writeUInt32LE(cell.length);
      return [length, cell];
    }),
  );
}
