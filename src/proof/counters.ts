import type pg from 'pg';
import { parseLsn, type Lsn } from '../pg/lsn.js';
import {
  CHUNK_ENTRIES,
  chunkOf,
  chunkOfId,
  firstIdOfChunk,
  firstIdOfDay,
  numberOfId,
} from '../trail/entry-id.js';
import { STRETCH_CHUNKS, type StretchBounds } from './stretch.js';

/** Counters of the trail, read in one snapshot. */
export interface Counters {
  /** Null: the trail is still empty. */
  readonly checkpoint: {
    readonly nextId: bigint;
    readonly endLsn: Lsn;
    /** Entries stored since the trail began. */
    readonly entries: bigint;
  } | null;
  /** Days that have entries, ascending, with the number of their entries. The present day is included. */
  readonly days: readonly { readonly day: number; readonly entries: number }[];
  /** Number of entries that the retention has dropped. */
  readonly dropped: bigint;
  /** The first chunk after the last one that has a summary. */
  readonly openFrom: number;
  /** The last block that has a summary; -1: none. */
  readonly lastBlock: number;
}

export async function readCounters(client: pg.Client): Promise<Counters> {
  const { rows } = await client.query<{
    next_id: string | null;
    end_lsn: string | null;
    entries: string | null;
    days: number[];
    counts: string[];
    dropped: string;
    open_from: number;
    last_block: number;
  }>(/* sql */ `
    with day as materialized (select day, entries from trail.days() where entries > 0 order by day)
    select c.next_id::text, c.end_lsn::text, c.entries::text,
           array(select day from day) as days, array(select entries::text from day) as counts,
           (select coalesce(sum(entries), 0)::text from trail.day where dropped_at is not null) as dropped,
           (select coalesce(max(chunk) + 1, 0) from trail.chunk) as open_from,
           (select coalesce(max(block), -1) from trail.block) as last_block
      from (values (true)) one left join trail.checkpoint c on true`);
  const row = rows[0]!;
  return {
    checkpoint:
      row.next_id === null
        ? null
        : {
            nextId: BigInt(row.next_id),
            endLsn: parseLsn(row.end_lsn!),
            entries: BigInt(row.entries!),
          },
    days: row.days.map((day, index) => ({ day, entries: Number(row.counts[index]) })),
    dropped: BigInt(row.dropped),
    openFrom: row.open_from,
    lastBlock: row.last_block,
  };
}

/**
 * A range of ids: those of a stretch of chunks, and those around it that no entry may have. Parts are
 * adjacent, so that together they cover every id that can be stored.
 */
export interface Part {
  /** The chunks, and the entries that must exist. */
  readonly bounds: StretchBounds;
  /** Null: from the smallest id. */
  readonly fromId: bigint | null;
  /** Null: to the largest id. */
  readonly endId: bigint | null;
  /**
   * The same range in chunks. Rows of dropped days are left out, because housekeeping removes them shortly
   * afterwards.
   */
  readonly firstChunk: number;
  readonly endChunk: number | null;
}

const NO_ENTRIES: StretchBounds = { day: 0, firstChunk: 0, chunks: 0, firstNumber: 0, entries: 0 };

/**
 * Returns the part that begins at an id (null: at the smallest). It ends after its stretch, or before the
 * next day.
 */
export function partAt(counters: Counters, fromId: bigint | null): Part {
  const { days } = counters;
  const firstChunk = Math.max(fromId === null ? 0 : chunkOfId(fromId), chunkOf(days[0]?.day ?? 0, 0));
  const index = days.findIndex(
    ({ day, entries }) => fromId === null || firstIdOfDay(day) + BigInt(entries) > fromId,
  );
  if (index < 0) return { bounds: NO_ENTRIES, fromId, endId: null, firstChunk, endChunk: null };
  const bounds = stretchAt(days[index]!, fromId);
  const isLastOfDay = bounds.firstNumber + bounds.entries === days[index]!.entries;
  const next = days[index + 1];
  const endId = !isLastOfDay
    ? firstIdOfChunk(bounds.firstChunk + bounds.chunks)
    : next === undefined
      ? null
      : firstIdOfDay(next.day);
  return { bounds, fromId, endId, firstChunk, endChunk: endId === null ? null : chunkOfId(endId) };
}

function stretchAt(
  { day, entries }: { readonly day: number; readonly entries: number },
  fromId: bigint | null,
): StretchBounds {
  const firstNumber = fromId === null || fromId < firstIdOfDay(day) ? 0 : numberOfId(fromId);
  const chunks = Math.min(Math.ceil((entries - firstNumber) / CHUNK_ENTRIES), STRETCH_CHUNKS);
  return {
    day,
    firstChunk: chunkOf(day, firstNumber),
    chunks,
    firstNumber,
    entries: Math.min(entries - firstNumber, chunks * CHUNK_ENTRIES),
  };
}

/**
 * Returns conditions on the ids of a part. They are literals, so that the planner opens only the partitions
 * of the part.
 */
export const inPart = ({ fromId, endId }: Part): string =>
  [
    `true`,
    ...(fromId === null ? [] : [`id >= ${fromId}`]),
    ...(endId === null ? [] : [`id < ${endId}`]),
  ].join(' and ');
