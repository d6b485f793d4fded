import type { EntryFilters } from '../api/filters.js';
import { coveredPart, type MissingPart } from '../trail/read/covered.js';
import { NOBODY, type TrailCoverage } from '../trail/read/entry.js';
import type { Gap, GapsInRange } from '../trail/read/gap-list.js';
import type { RowBatch } from '../trail/read/row-batch.js';
import type { ZoneClock } from './dates.js';
import type { ExportOrder, Kept } from './export.js';
import type { CoverLine } from './workbook-shell.js';
import type { WorkbookCounts } from './workbook.js';

/**
 * What a file holds, counted while it is written. Entries come newest first, in the order of their commits.
 */
export class Coverage {
  entries = 0;
  firstLsn: string | null = null;
  lastLsn: string | null = null;
  /** Commit times may go backwards, so these are the least and the greatest. */
  firstCommittedAt: string | null = null;
  lastCommittedAt: string | null = null;

  /** Begins with what a file has already. Of its commit times nothing is known. */
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
    // Instants of one form compare as text.
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
/** More than this is a range of years; the rest of the changes then goes without saying. */
const MAX_OFFSETS = 6;
/** Gaps that the cover names one by one. */
export const MAX_COVER_GAPS = 20;

/**
 * The lines of the cover sheet, as many at the end of the run as at its beginning, in the order an auditor
 * asks.
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

/** The last moments of a range that reaches to now are never stored yet, and "Covers" says where it ends. */
const MOMENTS_MS = 60_000;
const isWorthTelling = ({ why, from, to }: MissingPart): boolean =>
  why !== 'after' || Date.parse(to) - Date.parse(from) > MOMENTS_MS;

/**
 * What of the range the trail covers, and a red line for each part that it does not: without them, a range in
 * which nothing was recorded looks like one in which nothing was changed.
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
  // As of the request: what was stored after it is not in the file.
  const { from, to, missing } = coveredPart(range, { ...trail, until: currentUntil, asOf: createdAt });
  const reasons: Readonly<Record<MissingPart['why'], string>> = {
    before: 'recording had not begun',
    dropped: 'entries were dropped by the retention',
    after: 'what was committed then was not known to be stored at the request',
    unknown: 'it is not known up to when the trail is current',
  };
  const newest =
    file.lastCommittedAt === null ? '' : `; this file has entries up to ${time(file.lastCommittedAt)}`;
  const covered =
    from === null
      ? 'nothing of this range'
      : to === null
        ? `from ${time(from)} on, up to when was not known yet at the request${newest}`
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

/** A red line for each gap: what the file does not have must be seen before what it has. */
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

/** A tenant learns of the gap, but not which tables there are. */
function gapText(
  gap: Gap,
  options: { readonly time: (instant: string) => string; readonly withTables: boolean },
): string {
  const { time, withTables } = options;
  const from =
    gap.lastEntryAt === null ? `from before ${time(gap.foundAt)}` : `from ${time(gap.lastEntryAt)}`;
  const lasting = gap.scope === 'stream' ? 'on; recording stands still' : 'on';
  const to = gap.closedAt === null ? lasting : `to ${time(gap.closedAt)}`;
  const tables = withTables ? `; ${gap.tables?.join(', ') ?? 'all tracked tables'}` : '';
  return `${gap.summary}, ${from} ${to} (${gap.code}${tables})`;
}

function filtersText(filters: EntryFilters): string {
  const lines: string[] = [];
  for (const [name, label] of FILTERS) {
    const value = filters[name];
    if (value === undefined) continue;
    // In brackets, as what is no value is in the cells: a key may be the same word.
    // In quotes, what could be taken for two of a list, or for another line.
    const texts = [value]
      .flat()
      .map((text) => (text === NOBODY ? '(unattributed)' : isPlain(text) ? text : JSON.stringify(text)));
    lines.push(`${label}: ${texts.join(', ')}`);
  }
  return lines.length === 0 ? 'none' : lines.join('\n');
}

const isPlain = (text: string): boolean => /^[^\s"(][^,"\r\n]*$/.test(text);

/**
 * Names the offsets of the range: in the night a clock is put back, an hour of the file has two meanings
 * without them.
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
