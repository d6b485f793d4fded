import type { MemberStatistics, Statistics } from './statistics.js';
import { keyWidth, rowWidth } from './row-width.js';
import type { WidenedTable } from './findings.js';

/** What REPLICA IDENTITY FULL adds to the WAL of one table, as its statistics tell. */
export interface IdentityCost {
  readonly table: string;
  readonly columns: number;
  /** Bytes that an update adds on average; null where that is not known. */
  readonly rowBytes: number | null;
  /** Why {@link IdentityCost.rowBytes} is null, and what would change it; null where it is known. */
  readonly unknown: string | null;
  /** Seconds over which the source has counted; null where it does not say since when. */
  readonly windowSeconds: number | null;
  /** Updates and deletes in that window. */
  readonly changes: number;
  /** What they would have added; null where it is not known. */
  readonly walBytes: number | null;
  /** The same as rates of a day; null where the window is shorter than one: nights differ from days. */
  readonly changesPerDay: number | null;
  readonly walBytesPerDay: number | null;
}

const DAY_S = 86_400;

/** Forecasts the cost of each table that gets a full identity. Pure. */
export const forecast = (widened: readonly WidenedTable[], statistics: Statistics): IdentityCost[] =>
  widened.map((table) => costOf(table, statistics));

function costOf({ table, columns, oids }: WidenedTable, statistics: Statistics): IdentityCost {
  const { windowSeconds } = statistics;
  const members = oids.flatMap((oid) => statistics.members.get(oid) ?? []);
  const changes = sum(members.map(({ updates, deletes }) => updates + deletes));
  const costs = members
    .filter((member) => rowsOf(member) > 0)
    .map((member) => ({ member, ...bytesOf(member) }));
  const unknown =
    costs.length === 0 ? NO_ROWS : (costs.find((cost) => cost.unknown !== null)?.unknown ?? null);
  const rows = sum(costs.map(({ member }) => rowsOf(member)));
  const days = windowSeconds === null || windowSeconds < DAY_S ? null : windowSeconds / DAY_S;
  // A partition without rows has no changes that could be weighed.
  const walBytes =
    unknown === null
      ? sum(
          costs.map(
            ({ member, update, delete: removed }) => member.updates * update + member.deletes * removed,
          ),
        )
      : null;
  return {
    table,
    columns,
    rowBytes:
      unknown === null ? sum(costs.map(({ member, update }) => update * rowsOf(member))) / rows : null,
    unknown,
    windowSeconds,
    changes,
    walBytes,
    changesPerDay: days === null ? null : changes / days,
    walBytesPerDay: days === null || walBytes === null ? null : walBytes / days,
  };
}

const NO_ROWS = 'no rows yet';

/** Rows of a table, as PostgreSQL has counted or estimated them. */
export const rowsOf = ({ liveRows, analyzedRows }: MemberStatistics): number =>
  liveRows > 0 ? liveRows : Math.max(analyzedRows, 0);

interface Bytes {
  readonly update: number;
  readonly delete: number;
  readonly unknown: string | null;
}

/** Bytes that one change adds to the WAL of a table; zero where `unknown` says why not. */
function bytesOf(member: MemberStatistics): Bytes {
  const unknown = unreliable(member);
  if (unknown !== null) return { update: 0, delete: 0, unknown };
  const full = inRecord(rowWidth(member.columns) + largeBytes(member) / rowsOf(member));
  // With another identity, the WAL of a delete has the key already.
  const key = member.key.length === 0 ? 0 : inRecord(keyWidth(member.columns, member.key));
  return { update: full, delete: Math.max(full - key, 0), unknown: null };
}

/**
 * Bytes of a row in a WAL record: more than 255 take three more for their length, and each page of the WAL
 * has a header.
 */
const inRecord = (bytes: number): number => bytes + (bytes > 255 ? 3 : 0) + (bytes / 8168) * 24;

/** Rows that differ between ANALYZE and now by more than this make its widths those of another table. */
const STALE = 0.2;
/** As PostgreSQL's autovacuum_analyze_threshold: until so many, nobody analyzes again. */
const STALE_ROWS = 50;
/** Removed chunks of large values, of all that were written: above this, free space is in the way. */
const REMOVED = 0.1;

/** Why the statistics of a table say nothing that could be relied on; null where they do. */
function unreliable(member: MemberStatistics): string | null {
  const { analyzedRows, liveRows, changedSince, columns, readable, large } = member;
  if (analyzedRows < 0) return 'not analyzed yet: run analyze';
  if (columns.some((column) => !column.dropped && column.width === null))
    return readable
      ? 'no statistics of some columns: run analyze'
      : 'its statistics are not for this role: run plan as the owner';
  if (liveRows === 0) return 'counters were reset: run analyze';
  if (changedSince > STALE_ROWS + STALE * liveRows || isOther(liveRows, analyzedRows))
    return 'much has changed since it was analyzed: run analyze';
  if (large === null) return null;
  if (large.bytes === null) return 'it is locked at the moment';
  if (large.bytes === 0) return null;
  if (large.written === 0) return 'counters of its large values were reset';
  return large.removed > REMOVED * large.written ? 'its large values change, and leave free space' : null;
}

const isOther = (one: number, other: number): boolean => Math.abs(one - other) > STALE * Math.max(one, other);

/** Data in a whole chunk of a large value; what a chunk has beside it: header, ids, length, line pointer. */
const CHUNK_DATA = 1996;
const CHUNK_OVERHEAD = 40;
const PAGE_BYTES = 8192;
const PAGE_HEADER = 24;

/**
 * Data that lies outside of the rows (TOAST), as it is stored: an old row has it whole, compressed or not.
 * Chunks that are not whole leave more room at the end of a page, where the next one has no place.
 */
function largeBytes({ large }: MemberStatistics): number {
  if (large?.bytes == null || large.bytes === 0) return 0;
  const chunks = large.written - large.removed;
  const pages = large.bytes / PAGE_BYTES;
  const data = large.bytes - chunks * CHUNK_OVERHEAD - pages * PAGE_HEADER;
  const whole = Math.min(data / (chunks * CHUNK_DATA), 1);
  return Math.max(data - pages * (1 - whole) * CHUNK_DATA, 0);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
