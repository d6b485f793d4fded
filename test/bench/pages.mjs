/**
 * First pages of 50, next pages, facets and histories over a week of entries; page-filters.mjs says which.
 */
import { performance } from 'node:perf_hooks';
import { createPool } from '../../dist/pg/connect.js';
import { countDimensions } from '../../dist/trail/read/count-dimensions.js';
import { ReaderDictionaries } from '../../dist/trail/read/dictionaries.js';
import { storedFilter } from '../../dist/trail/read/filter.js';
import { withSnapshot } from '../../dist/trail/read/snapshot.js';
import { TrailReader } from '../../dist/trail/read/trail-reader.js';
import { withCluster } from './ground.mjs';
import { quantile, say } from './lib.mjs';
import { ABSENT_WORDS, GROUPS } from './page-filters.mjs';
import { seedWeek } from './trail-data.mjs';

export const defaults = { entries: 1_000_000, runs: 100 };
const PAGE = 50;
/** Limit of statements: some of the measured queries take seconds. */
const STATEMENT_TIMEOUT_MS = 120_000;

export async function run({ entries, runs }) {
  return withCluster({ shared_buffers: '512MB', max_wal_size: '16GB' }, async ({ server, client }) => {
    const url = server.url('postgres');
    say('  seeding …');
    const week = await seedWeek({ url, entries });
    await client.query(ABSENT_WORDS);
    await client.query('vacuum analyze trail.entry');
    const results = await measure({ url, week, runs });
    const { rows } = await client.query(SIZES, [entries]);
    return {
      versions: { postgres: rows[0].version },
      bytesPerEntry: Object.fromEntries(rows.map(({ part, bytes }) => [part, bytes])),
      rows: results.map(({ what, ms, found }) => ({
        what,
        'p50 ms': quantile(ms, 0.5),
        'p99 ms': quantile(ms, 0.99),
        'max ms': quantile(ms, 1),
        'entries found, least and most': found,
      })),
      runs: results,
    };
  });
}

/**
 * Measures every group on one connection, as a request of the API would run: plans are warm, values differ.
 */
export async function measure({ url, week, runs, groups = GROUPS }) {
  const pool = createPool({ url, purpose: 'bench', max: 1 });
  try {
    const trail = {
      reader: new TrailReader({ pool, statementTimeoutMs: STATEMENT_TIMEOUT_MS }),
      pool,
      dictionaries: new ReaderDictionaries(),
    };
    const results = [];
    for (const group of groups) {
      say(`  ${group.name} …`);
      const read = (filter, n) => READS[group.read](trail, { filter, range: group.range(week, n) });
      const times = Math.min(runs, group.most ?? runs);
      results.push(...(await measureAll(group, read, times)));
    }
    return results;
  } finally {
    await pool.end();
  }
}

const READS = {
  page: ({ reader }, { filter, range }) => timed(() => reader.page({ ...filter, ...range }, { limit: PAGE })),
  text: ({ reader }, { filter, range }) => timed(() => reader.page({ ...filter, ...range }, { limit: PAGE })),
  next: async ({ reader }, { filter, range }) => {
    const { next } = await reader.page({ ...filter, ...range }, { limit: PAGE });
    if (next === null) return timed(() => reader.page({ ...filter, ...range }, { limit: PAGE }));
    return timed(() => reader.page({ ...filter, ...range }, { limit: PAGE, cursor: next }));
  },
  facets: ({ reader }, { filter, range }) => timed(() => reader.facets({ ...filter, ...range })),
  /** Counts only some dimensions of facets. */
  counts: ({ pool, dictionaries }, { filter, range }) =>
    timed(() =>
      withSnapshot(
        { pool, dictionaries, timeoutMs: STATEMENT_TIMEOUT_MS, plans: 'fresh' },
        async (snapshot) =>
          countDimensions(snapshot, {
            filter: await storedFilter(range, snapshot),
            dimensions: filter.dimensions,
          }),
      ),
    ),
  history: ({ reader }, { filter }) => timed(() => reader.history({ ...filter, limit: PAGE })),
};

async function timed(read) {
  const start = performance.now();
  const { items } = await read();
  return { ms: performance.now() - start, found: items?.length };
}

/**
 * Measures each query with other values every time, the queries in turn. A quick query runs once before
 * without being measured, so that its plans exist and its pages are in memory.
 */
async function measureAll(group, read, runs) {
  const results = Object.keys(group.filters).map((what) => ({
    what: `${group.name}: ${what}`,
    ms: [],
    counts: [],
  }));
  const filters = Object.values(group.filters);
  for (const isMeasured of group.most === undefined ? [false, true] : [true]) {
    for (let index = 0; index < runs; index++) {
      for (const [place, { ms, counts }] of results.entries()) {
        const { ms: took, found } = await read(filters[place](index), index);
        if (!isMeasured) continue;
        ms.push(took);
        if (found !== undefined) counts.push(found);
      }
    }
  }
  return results.map(({ what, ms, counts }) => ({
    what,
    ms,
    found: counts.length === 0 ? null : `${Math.min(...counts)} to ${Math.max(...counts)}`,
  }));
}

/** Bytes per entry of the heap with its TOAST, of each index, of the posting lists and of the summaries. */
const SIZES = /* sql */ `
select 'heap' as part, sum(pg_table_size(inhrelid))::float8 / $1 as bytes, current_setting('server_version') as version
  from pg_inherits where inhparent = 'trail.entry'::regclass
union all
select p.relname, sum(pg_relation_size(c.indexrelid))::float8 / $1, null
  from pg_inherits i
  join pg_index c on c.indrelid = i.inhrelid
  join pg_inherits part on part.inhrelid = c.indexrelid
  join pg_class p on p.oid = part.inhparent
 where i.inhparent = 'trail.entry'::regclass group by p.relname
union all
select relname, pg_total_relation_size(oid)::float8 / $1, null
  from pg_class where relnamespace = 'trail'::regnamespace and relkind = 'r' and relname in ('posting', 'chunk', 'block', 'block_value')`;
