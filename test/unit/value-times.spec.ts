import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteWriter } from '../../src/exports/byte-writer.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { PrintedTimes } from '../../src/exports/printed-times.js';
import { writeCsv } from '../../src/exports/text-formats.js';
import type { Entry } from '../../src/trail/read/entry.js';
import { printedInstantText } from '../../src/web/time/format.js';
import { batchesOf, sampleEntry } from '../support/entries.ts';
import { MemorySink, sheetXmlOf } from '../support/workbook.ts';

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Africa/Monrovia',
  'Pacific/Apia',
];
const two = (number: number): string => String(number).padStart(2, '0');

const printedTime = fc
  .record({
    at: fc.oneof(
      fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) }),
      fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }),
      // Near clock changes in Europe and America.
      fc.integer({ min: -7_200_000, max: 7_200_000 }).map((ms) => Date.UTC(2026, 9, 25, 1) + ms),
      fc.integer({ min: -7_200_000, max: 7_200_000 }).map((ms) => Date.UTC(2026, 2, 8, 7) + ms),
      fc.integer({ min: -7_200_000, max: 7_200_000 }).map((ms) => Date.UTC(1893, 2, 31, 23) + ms),
    ),
    fraction: fc.constantFrom('', '.5', '.25', '.123456', '.000001'),
    offset: fc.constantFrom('+00', '+00', '+00', '+01', '-03', '+05:30', '-03:30', '+00:53:28'),
  })
  .map(({ at, fraction, offset }) => {
    const date = new Date(at);
    const day = `${String(date.getUTCFullYear()).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
    return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}${fraction}${offset}`;
  });

const changed = (printed: string): Entry =>
  sampleEntry({
    previous: new Map([['closed_at', { kind: 'text', text: printed, isInstant: true } as const]]),
    updated: new Map([['closed_at', { kind: 'text', text: 'infinity', isInstant: true } as const]]),
  });

describe('times among the values', () => {
  test.each([
    ['2026-10-25 00:30:00+00', '2026-10-25 02:30:00 +02:00 (2026-10-25 00:30:00+00)'],
    ['2026-10-25 01:30:00.25+00', '2026-10-25 02:30:00.25 +01:00 (2026-10-25 01:30:00.25+00)'],
    ['2026-12-31 23:59:59.999999+00', '2027-01-01 00:59:59.999999 +01:00 (2026-12-31 23:59:59.999999+00)'],
    // The zone's clock shows the same time as PostgreSQL printed.
    ['2026-07-01 12:00:00+02', '2026-07-01 12:00:00+02'],
    ['infinity', 'infinity'],
    ['0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00+00 BC'],
    ['12026-11-23 20:29:02+00', '12026-11-23 20:29:02+00'],
    ['[redacted]', '[redacted]'],
  ])('%s is shown in Berlin as %s in workbook and csv', async (printed, shown) => {
    const csv = new MemorySink();
    const entries = [changed(printed)];
    await writeCsv({ batches: batchesOf(entries), sink: csv, clock: new ZoneClock('Europe/Berlin') });
    expect(csv.bytes.toString()).toContain(`,closed_at: ${shown},closed_at: infinity,`);
    const sheet = (await sheetXmlOf(batchesOf(entries), 'Europe/Berlin')).toString();
    expect(sheet).toContain(`<t>closed_at: ${shown}</t>`);
  });

  test('are shown equally by the page, by files written from entries and by files written from bytes', () => {
    const clocks = new Map(ZONES.map((zone) => [zone, new ZoneClock(zone)]));
    const times = new Map(ZONES.map((zone) => [zone, new PrintedTimes(clocks.get(zone)!)]));
    const out = new ByteWriter();
    let written = 0;
    fc.assert(
      fc.property(printedTime, fc.constantFrom(...ZONES), (printed, zone) => {
        const shown = clocks.get(zone)!.printed(printed);
        expect(printedInstantText(printed, zone)).toBe(shown);
        out.at = 0;
        const bytes = Buffer.from(` ${printed}`);
        const how = times.get(zone)!.write(bytes, 1, bytes.length, out);
        if (how === 'clock') written++;
        // If the bytes alone are not enough, the writer asks the zone's clock.
        if (how !== 'unknown')
          expect([how, out.bytes.toString('utf8', 0, out.at)]).toEqual(
            shown === null ? ['printed', ''] : ['clock', shown],
          );
      }),
      { numRuns: 3_000 },
    );
    expect(written).toBeGreaterThan(500);
  });
});
