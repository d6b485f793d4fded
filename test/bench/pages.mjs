/** First pages of 50 and facets over a week of entries: every single filter, every pair, and words that match nothing. */
import { performance } from 'node:perf_hooks';
import { createPool } from '../../dist/pg/connect.js';
import { TrailReader } from '../../dist/trail/read.js';
import { withCluster } from './ground.mjs';
import { quantile, say } from './lib.mjs';
import { seedWeek } from './trail-data.mjs';

export const defaults = { entries: 1_000_000, runs: 100 };
const PAGE = 50;
const WARM_UP_RUNS = 3;

// What test/support/trail-data.ts makes; 'never' is an action that the dictionary knows and no entry has.
const FILTERS = {
  modifier: (n) => ({ modifiers: [String(1 + ((n * 37) % 400))] }),
  type: (n) => ({
    entityTypes: [pick(['agent', 'customer', 'conversation', 'setting', 'campaign', 'module', 'team'], n)],
  }),
  action: (n) => ({
    actions: [pick(['add', 'edit', 'delete', 'set', 'block', 'activate', 'assign', 'merge', 'archive'], n)],
  }),
  entity: (n) => ({ entity: String(1 + ((n * 7919) % 100_000)) }),
  tenant: (n) => ({ tenant: String(1 + (n % 5)) }),
};
const PAGES = {
  'no filter': () => ({}),
  ...FILTERS,
  'five modifiers': (n) => ({
    modifiers: Array.from({ length: 5 }, (_, index) => String(1 + ((n * 37 + index * 71) % 400))),
  }),
  ...pairs(FILTERS),
  'action that matches nothing': () => ({ actions: ['never'] }),
  'pair that matches nothing': (n) => ({ actions: ['login'], entityTypes: [pick(['team', 'module'], n)] }),
};
const FACETS = {
  'facets, no filter': () => ({}),
  'facets, modifier': FILTERS.modifier,
  'facets, action': FILTERS.action,
};

export async function run({ entries, runs }) {
  return withCluster({ shared_buffers: '512MB', max_wal_size: '16GB' }, async ({ server, client }) => {
    const url = server.url('postgres');
    say('  seeding …');
    const range = await seedWeek({ url, entries });
    await client.query(`insert into trail.action (id, name) values (1000, 'never')`);
    await client.query('vacuum analyze trail.entry');
    const pool = createPool({ url, purpose: 'bench', max: 1 });
    try {
      const reader = new TrailReader({ pool });
      const page = (filter) => reader.page({ ...filter, ...range }, { limit: PAGE });
      const facets = (filter) => reader.facets({ ...filter, ...range });
      const results = [...(await measureAll(PAGES, page, runs)), ...(await measureAll(FACETS, facets, runs))];
      const { rows } = await client.query(
        `select sum(pg_total_relation_size(inhrelid))::float8 / $1 as bytes, current_setting('server_version') as version
           from pg_inherits where inhparent = 'trail.entry'::regclass`,
        [entries],
      );
      return {
        versions: { postgres: rows[0].version },
        bytesPerEntry: rows[0].bytes,
        rows: results.map(({ what, ms, found }) => ({
          'first page, or facets': what,
          'p50 ms': quantile(ms, 0.5),
          'p99 ms': quantile(ms, 0.99),
          'max ms': quantile(ms, 1),
          'entries found, least and most': found,
        })),
        runs: results,
      };
    } finally {
      await pool.end();
    }
  });
}

/** Each with other values every time, the different queries by turns. */
async function measureAll(filters, read, runs) {
  const results = Object.keys(filters).map((what) => ({ what, ms: [], counts: [] }));
  for (let index = -WARM_UP_RUNS; index < runs; index++) {
    for (const { what, ms, counts } of results) {
      const filter = filters[what](Math.abs(index));
      const start = performance.now();
      const { items } = await read(filter);
      if (index < 0) continue;
      ms.push(performance.now() - start);
      if (items !== undefined) counts.push(items.length);
    }
  }
  return results.map(({ what, ms, counts }) => ({
    what,
    ms,
    found: counts.length === 0 ? null : `${Math.min(...counts)} to ${Math.max(...counts)}`,
  }));
}

function pairs(filters) {
  const names = Object.keys(filters);
  return Object.fromEntries(
    names.flatMap((one, index) =>
      names
        .slice(index + 1)
        .map((other) => [`${one} + ${other}`, (n) => ({ ...filters[one](n), ...filters[other](n + 1) })]),
    ),
  );
}

function pick(words, n) {
  return words[n % words.length];
}
