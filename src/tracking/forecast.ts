import type { MemberStatistics, Statistics } from './statistics.js';
import { keyWidth, rowWidth } from './row-width.js';
import type { WidenedTable } from './findings.js';

/** What REPLICA IDENTITY FULL adds to the WAL of one table, estimated from its statistics. */
export interface IdentityCost {
  readonly table: string;
  readonly columns: number;
  /** Bytes that an update adds on average; null if unknown. */
  readonly rowBytes: number | null;
  /** Why {@link IdentityCost.rowBytes} is null, and what would make it known; null if it is known. */
  readonly unknown: string | null;
  /** Seconds since the source's counters were reset; null if unknown. */
  readonly windowSeconds: number | null;
  /** Updates and deletes in that time. */
  readonly changes: number;
  /** Bytes that these would have added; null if unknown. */
  readonly walBytes: number | null;
  /** The same as rates per day. Null if the time is shorter than a day: nights differ from days. */
  readonly changesPerDay: number | null;
  readonly walBytesPerDay: number | null;
}

const DAY_S = 86_400;

/** Estimates the cost of each table that gets a full identity. Pure. */
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
  // Partitions without rows count nothing: their changes have no known size.
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

/**
 * Returns the bytes that one change adds to the WAL of a table; zero if `unknown` says why they are unknown.
 */
function bytesOf(member: MemberStatistics): Bytes {
  const unknown = unreliable(member);
  if (unknown !== null) return { update: 0, delete: 0, unknown };
  const full = inRecord(rowWidth(member.columns) + largeBytes(member) / rowsOf(member));
  // With another identity than full, the WAL of a delete has the key already.
  const key = member.key.length === 0 ? 0 : inRecord(keyWidth(member.columns, member.key));
  return { update: full, delete: Math.max(full - key, 0), unknown: null };
}

/**
 * Returns the size of a row in a WAL record. More than 255 bytes need three more for their length, and each
 * WAL page has a header.
 */
const inRecord = (bytes: number): number => bytes + (bytes > 255 ? 3 : 0) + (bytes / 8168) * 24;

/** If the number of rows differs more than this between ANALYZE and now, the column widths are outdated. */
const STALE = 0.2;
/** As PostgreSQL's autovacuum_analyze_threshold: for fewer changed rows, autovacuum runs no ANALYZE. */
const STALE_ROWS = 50;
/**
 * Share of removed chunks among all written chunks of large values. Above this, free space distorts the
 * estimate.
 */
const REMOVED = 0.1;

/** Returns why the statistics of a table are unreliable; null if they are reliable. */
function unreliable(member: MemberStatistics): string | null {
  const { analyzedRows, liveRows, changedSince, columns, readable, large } = member;
  if (analyzedRows < 0) return 'not analyzed yet: run analyze';
  if (columns.some((column) => !column.dropped && column.width === null))
    return readable
      ? 'no statistics of some columns: run analyze'
      : 'this role may not read its statistics: run plan as the owner';
  if (liveRows === 0) return 'counters were reset: run analyze';
  if (changedSince > STALE_ROWS + STALE * liveRows || isOther(liveRows, analyzedRows))
    return 'much has changed since it was analyzed: run analyze';
  if (large === null) return null;
  if (large.bytes === null) return 'it is locked now: run plan again';
  if (large.bytes === 0) return null;
  if (large.written === 0) return 'counters of its large values were reset';
  return large.removed > REMOVED * large.written
    ? 'its large values change and leave free space of unknown size'
    : null;
}

const isOther = (one: number, other: number): boolean => Math.abs(one - other) > STALE * Math.max(one, other);

/**
 * Data bytes in a full chunk of a large value. CHUNK_OVERHEAD is what else a chunk needs: header, ids,
 * length, line pointer.
 */
const CHUNK_DATA = 1996;
const CHUNK_OVERHEAD = 40;
const PAGE_BYTES = 8192;
const PAGE_HEADER = 24;

/**
 * Returns the bytes stored outside of the rows (TOAST). An old row contains them as stored, compressed or
 * not. Chunks that are not full leave unused space at the end of a page, because the next chunk does not fit
 * there.
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
