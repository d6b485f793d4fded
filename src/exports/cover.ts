import type { EntryFilters } from '../api/filters.js';
import { coveredPart, type MissingPart } from '../trail/read/covered.js';
import { NOBODY, type TrailCoverage } from '../trail/read/entry.js';
import type { Gap, GapsInRange } from '../trail/read/gap-list.js';
import type { RowBatch } from '../trail/read/row-batch.js';
import type { ZoneClock } from './dates.js';
import type { ExportOrder, Kept } from './export.js';
import type { CoverLine } from './workbook-shell.js';
import type { WorkbookCounts } from './workbook.js';

/** Counts what a file contains while it is written. Entries come newest first, in commit order. */
export class Coverage {
  entries = 0;
  firstLsn: string | null = null;
  lastLsn: string | null = null;
  /** Commit times may decrease in commit order, so these are the earliest and the latest. */
  firstCommittedAt: string | null = null;
  lastCommittedAt: string | null = null;

  /** Begins with the counts of an earlier run. The commit times of its entries are not known. */
  continueAt(kept: Pick<Kept, 'entries' | 'firstLsn' | 'lastLsn'>): void {
    this.entries = kept.entries;
    this.firstLsn = kept.firstLsn;
    this.lastLsn = kept.lastLsn;
  }

  add(batch: RowBatch): void {
    if (batch.count === 0) return;
    const { firstLsn, lastLsn, firstCommittedAt, lastCommittedAt } = batch.coverage();
    this.lastLsn ??= lastLsn;
    this.firstLsn = firstLsn;
    // Instants of the same form compare as text.
    if (this.firstCommittedAt === null || firstCommittedAt < this.firstCommittedAt)
      this.firstCommittedAt = firstCommittedAt;
    if (this.lastCommittedAt === null || lastCommittedAt > this.lastCommittedAt)
      this.lastCommittedAt = lastCommittedAt;
    this.entries += batch.count;
  }
}

const FILTERS: readonly (readonly [keyof EntryFilters, string])[] = [
  ['modifier', 'Modified by (key)'],
  ['actingAs', 'Acting as (key)'],
  ['action', 'Action category'],
  ['entityType', 'Modified entity type'],
  ['rung', 'Modifier found by'],
  ['entity', 'Entity id'],
  ['tenant', 'Tenant'],
  ['q', 'Text'],
];
/**
 * Largest number of offsets that the cover names. A range with more covers years, and further changes are not
 * listed.
 */
const MAX_OFFSETS = 6;
/** Number of gaps that get a line each on the cover. */
export const MAX_COVER_GAPS = 20;

/**
 * Returns the lines of the cover sheet, in the order in which an auditor asks. Their number is the same at
 * the beginning and at the end of the run.
 */
export function coverLines(options: {
  readonly order: ExportOrder;
  readonly clock: ZoneClock;
  readonly coverage: Coverage;
  readonly gaps: GapsInRange;
  readonly counts: WorkbookCounts;
  readonly createdAt: string;
  readonly version: string;
}): CoverLine[] {
  const { order, clock, coverage, gaps, counts } = options;
  const time = (instant: string): string => clock.rfc3339(instant).replace('T', ' ');
  const covered =
    coverage.firstLsn === null
      ? 'none'
      : `LSN ${coverage.firstLsn} to ${coverage.lastLsn!}, ${time(coverage.firstCommittedAt!)} to ${time(coverage.lastCommittedAt!)}`;
  return [
    ...gapLines(order, { gaps, time }),
    ...coveredLines(order, { trail: gaps.coverage, file: coverage, time }),
    { label: 'Entries', text: entriesText(coverage.entries, counts.sheets) },
    { label: 'From (included)', text: time(order.range.from) },
    { label: 'To (not included)', text: time(order.range.to) },
    { label: 'Time zone of all dates', text: zoneText(order, clock) },
    { label: 'Filters', text: filtersText(order.filters) },
    { label: 'Tenant of the requester', text: order.tenant ?? 'not restricted' },
    { label: 'Requested by', text: order.requestedBy },
    { label: 'Requested at', text: time(order.createdAt) },
    { label: 'Written at', text: time(options.createdAt) },
    { label: 'Commits covered', text: covered },
    {
      label: 'Trail read up to',
      text: `LSN ${order.trailLsn}: entries stored after the request are not in this file`,
    },
    { label: 'Clipped cells', text: clippedText(counts.clipped) },
    { label: 'Export', text: order.id },
    { label: 'Written by', text: `Waltrail ${options.version}` },
  ];
}

function entriesText(entries: number, sheets: number): string {
  if (entries === 0) return '0: no entry in this range matches the filters';
  return sheets === 1 ? String(entries) : `${entries}, newest first, on ${sheets} sheets`;
}

/** The last moments of a range that reaches to now are never stored yet, and "Covers" states its end. */
const MOMENTS_MS = 60_000;
const isWorthTelling = ({ why, from, to }: MissingPart): boolean =>
  why !== 'after' || Date.parse(to) - Date.parse(from) > MOMENTS_MS;

/**
 * Returns which part of the range the trail covers, and a red line for each part that it does not. Without
 * these, a range in which nothing was recorded would look like one without changes.
 */
function coveredLines(
  { range, currentUntil, createdAt }: ExportOrder,
  options: {
    readonly trail: TrailCoverage;
    readonly file: Coverage;
    readonly time: (instant: string) => string;
  },
): CoverLine[] {
  const { trail, file, time } = options;
  // As of the request, because entries that were stored later are not in the file.
  const { from, to, missing } = coveredPart(range, { ...trail, until: currentUntil, asOf: createdAt });
  const reasons: Readonly<Record<MissingPart['why'], string>> = {
    before: 'recording had not begun',
    dropped: 'entries were dropped by the retention',
    after: 'at the request, it was not known whether all changes of this time were stored',
    unknown: 'the time up to which the trail is current is not known',
  };
  const newest =
    file.lastCommittedAt === null ? '' : `; this file has entries up to ${time(file.lastCommittedAt)}`;
  const covered =
    from === null
      ? 'nothing of this range'
      : to === null
        ? `from ${time(from)} on; the end was not known yet at the request${newest}`
        : `${time(from)} to ${time(to)}`;
  return [
    { label: 'Covers', text: covered },
    ...missing.filter(isWorthTelling).map(({ why, from: first, to: end }) => ({
      label: why === 'unknown' ? 'May be incomplete' : 'Not covered',
      text: `${time(first)} to ${time(end)}: ${reasons[why]}`,
      isAlarm: true,
    })),
  ];
}

/** Returns a red line for each gap. They come first, so that missing changes are seen before the entries. */
function gapLines(
  { tenant }: ExportOrder,
  options: { readonly gaps: GapsInRange; readonly time: (instant: string) => string },
): CoverLine[] {
  const { gaps, total } = options.gaps;
  if (total === 0) return [{ label: 'Gaps', text: 'none known in this range' }];
  const line = (text: string): CoverLine => ({ label: 'May be incomplete', text, isAlarm: true });
  const rest = total - gaps.length;
  return [
    ...gaps.map((gap) => line(gapText(gap, { time: options.time, withTables: tenant === null }))),
    ...(rest === 0 ? [] : [line(`and ${rest} more gaps in this range`)]),
  ];
}

/** Describes a gap. A requester of one tenant sees the gap, but not the names of tables. */
function gapText(
  gap: Gap,
  options: { readonly time: (instant: string) => string; readonly withTables: boolean },
): string {
  const { time, withTables } = options;
  const from =
    gap.lastEntryAt === null ? `from before ${time(gap.foundAt)}` : `from ${time(gap.lastEntryAt)}`;
  const lasting = gap.scope === 'stream' ? 'on; recording has stopped' : 'on';
  const to = gap.closedAt === null ? lasting : `to ${time(gap.closedAt)}`;
  const tables = withTables ? `; ${gap.tables?.join(', ') ?? 'all tracked tables'}` : '';
  return `${gap.summary}, ${from} ${to} (${gap.code}${tables})`;
}

function filtersText(filters: EntryFilters): string {
  const lines: string[] = [];
  for (const [name, label] of FILTERS) {
    const value = filters[name];
    if (value === undefined) continue;
    // Text that is not a value is in brackets, as in the cells, because a key may be the same word. A value
    // that could be read as two of a list, or as another line, is in quotes.
    const texts = [value]
      .flat()
      .map((text) => (text === NOBODY ? '(unattributed)' : isPlain(text) ? text : JSON.stringify(text)));
    lines.push(`${label}: ${texts.join(', ')}`);
  }
  return lines.length === 0 ? 'none' : lines.join('\n');
}

const isPlain = (text: string): boolean => /^[^\s"(][^,"\r\n]*$/.test(text);

/**
 * Names the offsets of the range. Without them, an hour of the night in which clocks are set back would be
 * ambiguous.
 */
function zoneText(order: ExportOrder, clock: ZoneClock): string {
  const [first, ...changes] = clock.offsetsIn(order.range, MAX_OFFSETS);
  const later = changes.map(
    ({ sinceMs, offset }) => `, UTC${offset} from ${new Date(sinceMs).toISOString().slice(0, 16)}Z`,
  );
  return `${order.timezone} (UTC${first!.offset}${later.join('')})`;
}

function clippedText(clipped: number): string {
  if (clipped === 0) return '0';
  return `${clipped}: Excel holds at most 32,767 characters in a cell; the formats csv and ndjson hold the whole values`;
}
