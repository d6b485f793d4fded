import { isWaltrailError, WaltrailError } from '../errors.js';
import { withClient } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { currentPosition } from '../pg/wal.js';
import { readServer } from '../tracking/catalog.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { checkedCheckpointSlot, hasTrail } from '../trail/checkpoint-slot.js';
import { openTrailPool, urlOf } from '../trail/roles.js';
import { TrailReader } from '../trail/read/trail-reader.js';
import { readSourceFacts, type SourceFacts } from './source-facts.js';
import { readTrailStanding, type TrailStanding } from './trail-facts.js';

/** Limit for each statement of a look: looks may be made every second, and while something is wrong. */
const STATEMENT_LIMIT_MS = 1_000;
/** Maximum number of entity types that are shown, those with most entries first. */
const MOST_TYPES = 20;
const DAY_MS = 86_400_000;

/** The state of the source. */
export interface SourceLook extends SourceFacts {
  /** The time of its clock, in RFC 3339. */
  readonly at: string;
  /** The end of its WAL. */
  readonly lsn: bigint;
}

/** One look at both sides. For a side that does not answer, it has the error. */
export interface Look {
  readonly source: SourceLook | WaltrailError;
  /** Null: the trail has not begun. */
  readonly trail: TrailStanding | null | WaltrailError;
  /** When the look was made, in milliseconds of the clock of `performance.now()`. */
  readonly madeAtMs: number;
}

/** Looks at both sides at the same time. Changes nothing. */
export async function lookAround(config: TrackingConfig): Promise<Look> {
  const looking = answered(config.trail.url, 'trail', () => lookAtTrail(config));
  // The trail does not always use the slot that the YAML names (decision 59).
  const slotOf = (trail: Look['trail']): string =>
    trail instanceof WaltrailError || trail === null ? config.source.slot : trail.slot;
  const source = await answered(config.source.url, 'source', () =>
    lookAtSource(config, looking.then(slotOf)),
  );
  return { source, trail: await looking, madeAtMs: performance.now() };
}

const lookAtSource = (config: TrackingConfig, slot: Promise<string>): Promise<SourceLook> =>
  withClient(
    {
      url: config.source.url,
      side: 'source',
      purpose: 'status',
      statementTimeoutMs: STATEMENT_LIMIT_MS,
    },
    async (client) => {
      const server = await readServer(client);
      const facts = await readSourceFacts(client, { slot: await slot, server });
      return { ...facts, ...(await currentPosition(client)) };
    },
  );

const lookAtTrail = (config: TrackingConfig): Promise<TrailStanding | null> =>
  withClient(
    { url: config.trail.url, side: 'trail', purpose: 'status', statementTimeoutMs: STATEMENT_LIMIT_MS },
    async (client) => {
      const { url } = config.trail;
      await checkedCheckpointSlot(client, { url, source: config.source.name });
      if (!(await hasTrail(client))) return null;
      const standing = await readTrailStanding(client);
      if (standing !== undefined && standing.source !== config.source.name)
        throw new WaltrailError(
          'TRAIL_OTHER_SOURCE',
          `The trail belongs to source ${standing.source}, but the YAML names ${config.source.name}.`,
        );
      return standing ?? null;
    },
  );

/** Entries of the last 24 hours by entity type, most first. Null if they could not be counted in time. */
export type RecentCounts = readonly { readonly entityType: string; readonly entries: number }[] | null;

/** Counts entries with the summaries of the trail. Returns null if that fails, for any reason. */
export async function countRecent(config: TrackingConfig, now: Date): Promise<RecentCounts> {
  const pool = openTrailPool({
    url: urlOf(config.trail, 'reader'),
    purpose: 'status',
    role: 'waltrail_reader',
    max: 1,
    statementTimeoutMs: STATEMENT_LIMIT_MS,
  });
  try {
    const reader = new TrailReader({ pool, statementTimeoutMs: STATEMENT_LIMIT_MS });
    const { items } = await reader.facetList(
      { from: new Date(now.getTime() - DAY_MS).toISOString(), to: now.toISOString() },
      { list: 'entityTypes', limit: MOST_TYPES, search: undefined },
    );
    return items.map(({ value, count }) => ({ entityType: value, entries: count }));
  } catch {
    // The rest of the look was answered and matters more. The cause of this failure is not reported.
    return null;
  } finally {
    await pool.end();
  }
}

async function answered<T>(
  url: string,
  side: 'source' | 'trail',
  work: () => Promise<T>,
): Promise<T | WaltrailError> {
  try {
    return await work();
  } catch (error) {
    // The error of a connection that breaks during a query has no SQLSTATE.
    return isWaltrailError(error) ? error : queryError({ url, side }, error);
  }
}
