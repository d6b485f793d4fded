import type pg from 'pg';
import { codeOf, WaltrailError } from '../../errors.js';
import { QUERY_CANCELED } from '../../pg/sql-state.js';
import { ID_SQL } from '../entry-id.js';
import { COVERAGE_SQL } from './coverage.js';
import type { GreatestIds, ReaderDictionaries } from './dictionaries.js';
import type { TrailCoverage, TrailHead } from './entry.js';
import { isWornOut, preparedOnce, queryPlanned, type Query } from './plans.js';

/**
 * One consistent state of the trail. Every statement sees the same entries, and the dictionaries contain
 * everything that these entries refer to.
 */
export interface Snapshot {
  readonly client: pg.ClientBase;
  /** Runs a statement. {@link Plans} determines how it is planned. */
  readonly query: Query;
  /** Runs a statement that reads lists or summaries, not entries. Its plan is always kept. */
  readonly queryKept: Query;
  readonly dictionaries: ReaderDictionaries;
  /** Greatest id of each dictionary. */
  readonly greatest: GreatestIds;
  /** End of the trail; undefined before the trail has begun. */
  readonly head: TrailHead | undefined;
  readonly coverage: TrailCoverage;
  /** Lowest possible id of an entry. */
  readonly firstId: bigint;
  /**
   * First id after the last complete chunk. Complete chunks have lists and a summary. From this id on, all
   * entries must be read.
   */
  readonly openFrom: bigint;
  /** Days that have entries from `openFrom` on, ascending; usually only the current day. */
  readonly openDays: readonly number[];
  /** Limit in milliseconds for reading the entries of one day. */
  readonly timeoutMs: number;
  /** Runs statements that may read much to find little; see {@link inTurn}. */
  readonly turns: Turns;
}

/** Runs long work when it is its turn among other long work. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * How statements of a snapshot are planned. `kept`, for pages: plans are kept, and do not depend on values.
 * `fresh`, for statements that read much or run rarely: they are planned for their values each time.
 */
export type Plans = 'kept' | 'fresh';

/**
 * Settings for every statement. JIT, parallel plans and memoize would cost more than the statements
 * themselves. Entries are found by their id. Sequential and bitmap scans are off, because the planner chose
 * them wrongly with BRIN (measured: 1,000 ms instead of 10 ms for entries of a list).
 */
const FRESH = `set local jit = off; set local max_parallel_workers_per_gather = 0; set local enable_memoize = off;
  set local enable_seqscan = off; set local enable_bitmapscan = off;`;
const KEPT = `${FRESH} set local plan_cache_mode = force_generic_plan;`;

/**
 * Runs `work` in a read-only transaction of one snapshot. Throws TRAIL_QUERY_TIMEOUT if a statement takes
 * longer than `timeoutMs`.
 */
export async function withSnapshot<T>(
  options: {
    readonly pool: pg.Pool;
    readonly dictionaries: ReaderDictionaries;
    readonly timeoutMs: number;
    readonly plans: Plans;
    readonly turns: Turns;
  },
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  const client = await options.pool.connect();
  try {
    const seen = await begin(client, options);
    await options.dictionaries.refresh(client, seen.greatest);
    const queryKept: Query = (text, values) => queryPlanned(client, text, values);
    const queryFresh: Query = (text, values) => client.query({ text, values: [...values] });
    const result = await work({
      client,
      query: options.plans === 'kept' ? queryKept : queryFresh,
      queryKept,
      dictionaries: options.dictionaries,
      timeoutMs: options.timeoutMs,
      turns: options.turns,
      ...seen,
    });
    // Nothing was written, so the caller does not wait for the end of the transaction. This saves one of the
    // four round trips of a page. The connection becomes free when the answer has arrived.
    void end(client, 'commit');
    return result;
  } catch (error) {
    await end(client, 'rollback');
    throw codeOf(error) === QUERY_CANCELED ? tookTooLong(options.timeoutMs, error) : error;
  }
}

/** Ends the transaction and releases the connection. Never rejects. A broken connection is not used again. */
async function end(client: pg.PoolClient, how: 'commit' | 'rollback'): Promise<void> {
  let broken: Error | undefined;
  await client.query(how).catch((reason: unknown) => {
    broken = reason as Error;
  });
  client.release(broken ?? isWornOut(client));
}

/**
 * Reads the end of the trail, its coverage and the greatest ids of its dictionaries: one row, even before the
 * trail has begun.
 */
const STATE_SQL = /* sql */ `
  with open as (
    select ${ID_SQL.firstIdOfChunk(`least(coalesce((select max(chunk) + 1 from trail.chunk), 0), ${ID_SQL.chunkOfId('next_id')})`)} as first
      from trail.checkpoint)
  select coalesce((select max(id) from trail.modifier), -1) as modifier,
         coalesce((select max(id) from trail.action), 0) as action,
         coalesce((select max(id) from trail.entity_type), 0) as entity_type,
         coalesce((select max(id) from trail.tenant), 0) as tenant,
         coalesce((select max(id) from trail.relation), 0) as relation,
         coalesce((select max(id) from trail.configuration), 0) as configuration,
         head.*, coverage.*
    from (${COVERAGE_SQL}) coverage
    left join (
      select source, start_lsn::text, end_lsn::text, next_id::text, entries::text,
             to_char(last_committed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_committed_at,
             ${ID_SQL.firstIdOfDay(`coalesce((select min(day) from trail.day where dropped_at is null), ${ID_SQL.dayOfId('next_id')})`)}::text as first_id,
             open.first::text as open_from,
             array(select day from trail.days() where entries > 0 and day >= ${ID_SQL.dayOfId('open.first')} order by day) as open_days
        from trail.checkpoint cross join open) head on true`;

/** The columns of the checkpoint are null before the trail has begun. */
type StateRow = GreatestIds &
  TrailCoverage &
  (
    | {
        readonly source: string;
        readonly start_lsn: string;
        readonly end_lsn: string;
        readonly next_id: string;
        readonly entries: string;
        readonly last_committed_at: string | null;
        readonly first_id: string;
        readonly open_from: string;
        readonly open_days: number[];
      }
    | { readonly source: null }
  );

/**
 * Begins the transaction and reads the state of the trail in one round trip. Planning this statement would
 * take half of the time, so a connection prepares it once.
 */
async function begin(
  client: pg.ClientBase,
  { timeoutMs, plans }: { readonly timeoutMs: number; readonly plans: Plans },
): Promise<Pick<Snapshot, 'greatest' | 'head' | 'coverage' | 'firstId' | 'openFrom' | 'openDays'>> {
  const state = await preparedOnce(client, STATE_SQL);
  const results = (await client.query(`
    begin isolation level repeatable read, read only;
    set local statement_timeout = ${timeoutMs};
    execute ${state};
    ${plans === 'kept' ? KEPT : FRESH}`)) as unknown as pg.QueryResult<StateRow>[];
  const row = results[2]!.rows[0]!;
  const { modifier, action, entity_type, tenant, relation, configuration } = row;
  const { since, droppedBefore, until, asOf, capture } = row;
  const seen = {
    greatest: { modifier, action, entity_type, tenant, relation, configuration },
    coverage: { since, droppedBefore, until, asOf, capture },
  };
  if (row.source === null) return { ...seen, head: undefined, firstId: 0n, openFrom: 0n, openDays: [] };
  return {
    ...seen,
    head: {
      source: row.source,
      startLsn: row.start_lsn,
      endLsn: row.end_lsn,
      nextId: row.next_id,
      entries: Number(row.entries),
      lastCommittedAt: row.last_committed_at,
    },
    firstId: BigInt(row.first_id),
    openFrom: BigInt(row.open_from),
    openDays: row.open_days,
  };
}

/**
 * Limits the time that all statements together may spend on the entries of one day. Without it, a search for
 * a rare text among the entries of a frequent value would occupy a connection for minutes.
 */
export class DayClock {
  readonly #timeoutMs: number;
  #day = -1;
  #since = 0;

  constructor(snapshot: Pick<Snapshot, 'timeoutMs'>) {
    this.#timeoutMs = snapshot.timeoutMs;
  }

  /** Must be called before entries of a day are read. Throws TRAIL_QUERY_TIMEOUT. */
  reads(day: number): void {
    const now = performance.now();
    if (day !== this.#day) {
      this.#day = day;
      this.#since = now;
    } else if (now - this.#since > this.#timeoutMs) throw tookTooLong(this.#timeoutMs);
  }

  /** Excludes time in which nothing was read, because it was the turn of others. */
  waited(ms: number): void {
    this.#since += ms;
  }
}

/**
 * Reads entries when it is the reader's turn. Only statements that may read much to find little wait for a
 * turn. The waiting time does not count for the {@link DayClock}.
 */
export async function inTurn<T>(
  snapshot: Snapshot,
  options: { readonly clock: DayClock; readonly takesTurns: boolean },
  read: () => Promise<T>,
): Promise<T> {
  if (!options.takesTurns) return read();
  const asked = performance.now();
  return snapshot.turns(() => {
    options.clock.waited(performance.now() - asked);
    return read();
  });
}

function tookTooLong(timeoutMs: number, cause?: unknown): WaltrailError {
  return new WaltrailError(
    'TRAIL_QUERY_TIMEOUT',
    `Reading the trail took longer than ${timeoutMs / 1000} s and was stopped.`,
    { cause },
  );
}
