import type pg from 'pg';
import { codeOf, WaltrailError } from '../errors.js';
import type { TrailHead } from './entry.js';
import type { StoredFilter } from './filter.js';
import { Parameters } from './filter.js';
import { isWornOut, queryPlanned } from './plans.js';
import type { TrailWords, WordCounts } from './words.js';

/** Runs a statement by a plan as the snapshot has them. */
export type Query = <T extends pg.QueryResultRow>(
  text: string,
  values: readonly unknown[],
) => Promise<pg.QueryResult<T>>;

/** One consistent look at the trail: every statement sees the same entries and the words they need are held. */
export interface Snapshot {
  readonly client: pg.ClientBase;
  readonly query: Query;
  readonly words: TrailWords;
  /** Undefined before the trail has begun. */
  readonly head: TrailHead | undefined;
}

/** A day's entries that may match: all in `chunks`, which are numbers (id >> 14), in the order of the walk. */
export interface DaySpan {
  readonly day: number;
  /** Ids of the day that the walk covers: `>= above` and `< below`. */
  readonly above: bigint;
  readonly below: bigint;
  readonly chunks: readonly number[];
}

const QUERY_CANCELED = '57014';

/**
 * How statements of a snapshot are planned: pages are found through the index that their statement names, by plans that are
 * `kept` and know no values; what reads much, or seldom, is planned for its values each time.
 */
export type Plans = 'kept' | 'fresh';

/**
 * JIT, parallel plans and memoize cost more than these statements. A BRIN index looks dearer to the planner than it is: of two
 * trails with the same entries one was read whole for the ends of a range, 140 ms instead of 2.
 */
const FRESH = `set local jit = off; set local max_parallel_workers_per_gather = 0; set local enable_memoize = off;
  set local enable_seqscan = off;`;
/** Without bitmaps: knowing no values, the planner takes the BRIN index into each, and a page takes 11 ms instead of 1. */
const KEPT = `${FRESH} set local plan_cache_mode = force_generic_plan; set local enable_bitmapscan = off;`;

/**
 * Runs `work` in a read-only transaction of one snapshot. Throws TRAIL_QUERY_TIMEOUT when a statement takes longer than
 * `timeoutMs`.
 */
export async function withSnapshot<T>(
  options: {
    readonly pool: pg.Pool;
    readonly words: TrailWords;
    readonly timeoutMs: number;
    readonly plans: Plans;
  },
  work: (snapshot: Snapshot) => Promise<T>,
): Promise<T> {
  const client = await options.pool.connect();
  let broken: Error | undefined;
  try {
    const { head, counts } = await begin(client, options);
    await options.words.refresh(client, counts);
    const query: Query = (text, values) =>
      options.plans === 'kept'
        ? queryPlanned(client, text, values)
        : client.query({ text, values: [...values] });
    const result = await work({ client, query, words: options.words, head });
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((reason: unknown) => {
      broken = reason as Error;
    });
    if (codeOf(error) !== QUERY_CANCELED) throw error;
    throw new WaltrailError(
      'TRAIL_QUERY_TIMEOUT',
      `Reading the trail took longer than ${options.timeoutMs / 1000} s and was stopped.`,
      { cause: error },
    );
  } finally {
    client.release(broken ?? isWornOut(client));
  }
}

/**
 * The spans of ids that may hold entries of a filter, newest first (or oldest first): blocks whose summary rules the
 * filter out are left away, and of the others the chunks of another time. What is not summarised yet always stays.
 */
export async function candidateSpans(
  snapshot: Snapshot,
  options: {
    readonly filter: StoredFilter;
    /** Ids `>= above` and `< below`. */
    readonly above: bigint;
    readonly below: bigint;
    readonly order: 'desc' | 'asc';
    /** Blocks with a summary that are left away whatever it says. */
    readonly answered?: readonly number[];
  },
): Promise<DaySpan[]> {
  const { filter, above, below, order, answered = [] } = options;
  if (below <= above) return [];
  const parameters = new Parameters();
  const first = parameters.add((above >> 14n).toString(), 'int8');
  const last = parameters.add(((below - 1n) >> 14n).toString(), 'int8');
  const ofChunkTime = timeSql('k', filter, parameters);
  // Without a range of time every chunk of the trail would be looked up, though a usual word is in all of them.
  const ofChunk = ofChunkTime === '' ? '' : ofChunkTime + wordsSql('k', filter, parameters);
  const { rows } = await snapshot.query<{ day: number; end: string; chunks: number[] }>(
    /* sql */ `
    with day as materialized (select day, entries from trail.days() where entries > 0), candidate as materialized (
      select d.day, d.entries, s.block
        from trail.block s join day d on d.day = s.block >> 16
       -- Not by the number where a time is given: with unknown values the planner cannot tell which of them says more.
       where s.block${filter.from === '-infinity' ? '' : ' + 0'} between (${first} >> 2)::int4 and (${last} >> 2)::int4
             ${summarySql(filter, parameters)}
             ${answered.length === 0 ? '' : `and s.block <> all(${parameters.add(answered, 'int4[]')})`}
      union all
      -- Mostly the running day alone: in the others every block has a summary, and counting them is cheap.
      select d.day, d.entries, b.block
        from day d
       cross join lateral generate_series(
               greatest(d.day << 16, (${first} >> 2)::int4),
               least((d.day << 16) + ((d.entries - 1) >> 16)::int4, (${last} >> 2)::int4)) as b (block)
       where (select count(*) from trail.block s where s.block between d.day << 16 and (d.day << 16) + 65535)
             < (d.entries + 65535) >> 16
         -- Not "not exists", for which the planner would read the summaries of all days.
         and (select s.block from trail.block s where s.block = b.block) is null
    )
    select b.day, ((b.day::int8 << 32) + b.entries)::text as end, array_agg(c.chunk::int4 order by c.chunk ${order}) as chunks
      from candidate b
     cross join lateral generate_series(
             greatest(b.block::int8 << 2, ${first}),
             least((b.block::int8 << 2) + 3, (b.day::int8 << 18) + ((b.entries - 1) >> 14), ${last})) as c (chunk)
      ${ofChunk === '' ? '' : `left join lateral (select * from trail.chunk k where k.chunk = c.chunk limit 1) k on true where k.chunk is null or (true ${ofChunk})`}
     group by b.day, b.entries
     order by b.day ${order}`,
    parameters.values,
  );
  return rows.map(({ day, end, chunks }) => {
    const start = BigInt(day) << 32n;
    return {
      day,
      above: above > start ? above : start,
      below: below < BigInt(end) ? below : BigInt(end),
      chunks,
    };
  });
}

/** What the summary `s` of a block must say for the block to hold entries of the filter; each condition with its `and`. */
function summarySql(filter: StoredFilter, parameters: Parameters): string {
  const conditions = timeSql('s', filter, parameters) + wordsSql('s', filter, parameters);
  const filtered = filteredLists(filter);
  // Two words may be frequent and never together: what the block has under one value tells. A missing row tells nothing.
  const one = filtered.find(({ ids, letter }) => ids.length === 1 && letter !== 'm');
  if (one === undefined || filtered.length === 1) return conditions;
  const others = filtered
    .filter((other) => other !== one)
    .map(({ lists, ids }) => `p.${lists} && ${parameters.add(ids, 'int4[]')}`);
  return `${conditions} and (select p.block from trail.block_value p
       where p.dimension = '${one.letter}' and p.value = ${parameters.add(one.ids[0], 'int4')} and p.block = s.block
         and not (${others.join(' and ')})) is null`;
}

/**
 * That a summary has the words of the filter. Of a chunk not its modifiers: it lacks few of those that its block has, and to
 * read the lists of hundreds takes milliseconds.
 */
function wordsSql(summary: 's' | 'k', filter: StoredFilter, parameters: Parameters): string {
  return filteredLists(filter)
    .filter(({ letter }) => summary === 's' || letter !== 'm')
    .map(({ lists, ids }) => ` and ${summary}.${lists} && ${parameters.add(ids, 'int4[]')}`)
    .join('');
}

function filteredLists(
  filter: StoredFilter,
): { readonly letter: string; readonly lists: string; readonly ids: readonly number[] }[] {
  return [
    { letter: 'a', lists: 'actions', ids: filter.actions },
    { letter: 't', lists: 'entity_types', ids: filter.entityTypes },
    { letter: 'n', lists: 'tenants', ids: filter.tenant === null ? null : [filter.tenant] },
    { letter: 'm', lists: 'modifiers', ids: filter.modifiers },
  ].flatMap(({ ids, ...list }) => (ids === null ? [] : [{ ...list, ids }]));
}

function timeSql(summary: 's' | 'k', filter: StoredFilter, parameters: Parameters): string {
  const { from, to } = filter;
  return [
    ...(from === '-infinity'
      ? []
      : [` and ${summary}.last_committed_at >= ${parameters.add(from, 'timestamptz')}`]),
    ...(to === 'infinity'
      ? []
      : [` and ${summary}.first_committed_at < ${parameters.add(to, 'timestamptz')}`]),
  ].join('');
}

async function begin(
  client: pg.ClientBase,
  { timeoutMs, plans }: { readonly timeoutMs: number; readonly plans: Plans },
): Promise<{ head: TrailHead | undefined; counts: WordCounts }> {
  // Several statements in one message: one round trip.
  const results = (await client.query(`
    begin isolation level repeatable read, read only;
    set local statement_timeout = ${timeoutMs};
    select coalesce((select max(id) from trail.modifier), -1) as modifier,
           coalesce((select max(id) from trail.action), 0) as action,
           coalesce((select max(id) from trail.entity_type), 0) as entity_type,
           coalesce((select max(id) from trail.tenant), 0) as tenant,
           coalesce((select max(id) from trail.relation), 0) as relation;
    select source, start_lsn::text, end_lsn::text, next_id::text, entries::text,
           to_char(last_committed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_committed_at
      from trail.checkpoint;
    ${plans === 'kept' ? KEPT : FRESH}`)) as unknown as pg.QueryResult[];
  const counts = results[2]!.rows[0] as WordCounts;
  const row = results[3]!.rows[0] as
    | {
        source: string;
        start_lsn: string;
        end_lsn: string;
        next_id: string;
        entries: string;
        last_committed_at: string | null;
      }
    | undefined;
  const head = row && {
    source: row.source,
    startLsn: row.start_lsn,
    endLsn: row.end_lsn,
    nextId: row.next_id,
    entries: Number(row.entries),
    lastCommittedAt: row.last_committed_at,
  };
  return { head, counts };
}
