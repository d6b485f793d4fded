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

/** No statement of a look takes longer: it may be made every second, and beside whatever is wrong. */
const STATEMENT_LIMIT_MS = 1_000;
/** Entity types with most entries that are told. */
const MOST_TYPES = 20;
const DAY_MS = 86_400_000;

/** Where the source is. */
export interface SourceLook extends SourceFacts {
  /** Its clock: RFC 3339. */
  readonly at: string;
  /** Where its WAL ends. */
  readonly lsn: bigint;
}

/** One look at both sides. A side that does not answer is the error that says why. */
export interface Look {
  readonly source: SourceLook | WaltrailError;
  /** Null: no trail has begun. */
  readonly trail: TrailStanding | null | WaltrailError;
  /** When the look was made, in milliseconds of the clock of `performance.now()`. */
  readonly madeAtMs: number;
}

/** Looks at both sides at once. Changes nothing. */
export async function lookAround(config: TrackingConfig): Promise<Look> {
  const looking = answered(config.trail.url, 'trail', () => lookAtTrail(config));
  // The slot on which the trail stands is not always that of the YAML (DECISIONS 59).
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
          `The trail is that of source ${standing.source}, and the YAML names ${config.source.name}.`,
        );
      return standing ?? null;
    },
  );

/** Entries of the last 24 hours by entity type, most first; null: the trail took too long to count them. */
export type RecentCounts = readonly { readonly entityType: string; readonly entries: number }[] | null;

/** Counts by the summaries of the trail. Null where that fails, for whatever reason. */
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
    // Everything else of the look was answered, and says more than why this was not.
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
    // A connection that breaks in the middle has no SQLSTATE.
    return isWaltrailError(error) ? error : queryError({ url, side }, error);
  }
}
