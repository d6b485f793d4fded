/**
 * Measures who made the changes of simulated days on real schemas, as found by the YAML of `waltrail init`
 * and by one that knows only columns such as `updated_by`. Both capture the same days at once. The results
 * are compared with what the simulation itself knows.
 */
import path from 'node:path';
import pg from 'pg';
import { runnerImport } from 'vite';
import { startCapture } from '../../dist/capture/capture.js';
import { draftYaml } from '../../dist/init/draft.js';
import { silentLog } from '../../dist/log.js';
import { connect } from '../../dist/pg/connect.js';
import { applyPlan } from '../../dist/tracking/apply.js';
import { readCatalog } from '../../dist/tracking/catalog.js';
import { parseConfig } from '../../dist/tracking/load.js';
import { planTracking } from '../../dist/tracking/plan.js';
import { migrateTrail } from '../../dist/trail/migrate.js';
import { withCluster } from './ground.mjs';
import { say, until } from './lib.mjs';

export const defaults = { changes: 2_000 };
const SCHEMAS = path.resolve(import.meta.dirname, '../schemas');
const SEED = 71;
/** Average number of changes in a transaction of a day. */
const CHANGES_PER_TRANSACTION = 2;
const LIMIT_MS = 120_000;
const SETTING = 'app.user_id';
const DAYS = [
  { schema: 'chatwoot' },
  { schema: 'chatwoot', setting: SETTING },
  { schema: 'lago' },
  { schema: 'mastodon' },
  { schema: 'pagila' },
  { schema: 'pagila', setting: SETTING },
  { schema: 'northwind' },
  { schema: 'northwind', setting: SETTING },
];

export async function run({ changes }) {
  const simulated = await simulatedDays();
  const transactions = Math.ceil(changes / CHANGES_PER_TRANSACTION);
  return withCluster({}, async ({ server, client }) => {
    const rows = [];
    for (const day of DAYS) {
      const found = await attributed({ server, client, simulated }, { ...day, transactions });
      const name = day.setting === undefined ? day.schema : `${day.schema}, which sets ${day.setting}`;
      for (const [way, shares] of Object.entries(found))
        rows.push({ 'schema, YAML': `${name}, ${way}`, ...figuresOf(shares, simulated) });
      say(`  ${name}: ${JSON.stringify(rows.at(-1))}`);
    }
    const { rows: versions } = await client.query('show server_version');
    return { versions: { postgres: versions[0].server_version }, rows };
  });
}

/** Compiles the modules of test/schemas, which are TypeScript. */
async function simulatedDays() {
  const load = async (file) =>
    (await runnerImport(path.join(SCHEMAS, file), { configFile: false, logLevel: 'error' })).module;
  const modules = await Promise.all(
    ['attribution.ts', 'seed.ts', 'simulate.ts', 'truth.ts'].map((file) => load(file)),
  );
  return Object.assign({}, ...modules);
}

async function attributed({ server, client, simulated }, { schema, setting, transactions }) {
  const database = `source_${schema}${setting === undefined ? '' : '_set'}`;
  await client.query(`create database ${database}`);
  const url = server.url(database);
  // Connects as the application does, with its tables in the search path.
  const source = new pg.Client(url);
  await source.connect();
  try {
    await source.query(await simulated.schemaSql(schema));
    if (setting !== undefined)
      await source.query(
        `create function who_is_at_work() returns text language sql stable return current_setting('${setting}', true)`,
      );
    const asked = { query: async (sql, parameters) => (await source.query(sql, parameters)).rows };
    const truth = await simulated.truthOf(schema);
    const world = await simulated.seed(asked, { truth, seed: SEED });
    const day = (seed, count) => simulated.simulate({ url }, world, { seed, transactions: count, setting });
    await day(SEED + 1, transactions);
    await source.query('analyze');
    const yaml = await drafted(url);
    const ground = { server, client, url };
    const after = await capture(ground, { name: `after_${database}`, yaml });
    const alone = simulated.withColumnsAlone(yaml, `before_${database}`);
    const before = await capture(ground, { name: `before_${database}`, yaml: alone });
    const deeds = await day(SEED + 2, transactions);
    const sharesOf = async ({ config, entries }) => {
      const people = config.modifiers.map(({ called, table }) => ({ called, table }));
      const given = { entries: await entries(source), world, people };
      return {
        all: simulated.sharesOf({ ...given, deeds }),
        audited: simulated.sharesOf({ ...given, deeds: simulated.audited(deeds) }),
      };
    };
    const shares = {
      'columns alone': await sharesOf(before),
      'as init writes it': await sharesOf(after),
    };
    await source.query(DROP_SLOTS);
    return shares;
  } finally {
    await source.end();
  }
}

async function drafted(url) {
  const client = await connect({ url, purpose: 'bench' });
  try {
    return (await draftYaml(client, { progress: () => undefined })).text;
  } finally {
    await client.end();
  }
}

/**
 * Applies a YAML and captures with it. `entries` returns the entries once all are stored, and ends capture.
 */
async function capture({ server, client, url }, { name, yaml }) {
  await client.query(`create database trail_${name}`);
  const trailUrl = server.url(`trail_${name}`);
  await migrateTrail({ url: trailUrl, log: silentLog });
  const environment = { WALTRAIL_SOURCE_URL: url, WALTRAIL_TRAIL_URL: trailUrl };
  const config = parseConfig({ text: yaml, file: 'init.yaml', environment });
  const source = await connect({ url, purpose: 'bench' });
  await applyPlan(source, planTracking({ config, catalog: await readCatalog(source) }));
  await source.end();
  const capturing = startCapture({ config, log: silentLog });
  await until('capture streams', () => capturing.status().state === 'streaming', { limitMs: LIMIT_MS });
  const entries = async (asked) => {
    const trail = await connect({ url: trailUrl, purpose: 'bench' });
    try {
      const marker = await asked.query(
        `select pg_catalog.pg_logical_emit_message(true, 'bench', 'end')::text as lsn`,
      );
      await until(
        'the trail to have all',
        async () => (await trail.query(STORED, [marker.rows[0].lsn])).rows[0].is,
        {
          limitMs: LIMIT_MS,
        },
      );
      return (await trail.query(ENTRIES)).rows;
    } finally {
      await trail.end();
      await capturing.stop();
    }
  };
  return { config, entries };
}

/** Slots are dropped because a cluster has only ten. */
const DROP_SLOTS = /* sql */ `
  select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where database = current_database() and active;
  select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()`;
const STORED = /* sql */ `select end_lsn >= $1::pg_lsn as is from trail.checkpoint`;
const ENTRIES = /* sql */ `
  select e.xid::text, e.rung::text, m.key as "modifierKey", r.schema_name || '.' || r.table_name as table
    from trail.entry e
    join trail.modifier m on m.id = e.modifier_id
    join trail.relation r on r.id = e.relation_id
   order by e.id`;

/** `audited` counts the transactions in which the application wrote an audit row. */
function figuresOf({ all, audited }, { named }) {
  const percent = (count) => (100 * count) / all.changes;
  return {
    changes: all.changes,
    'named %': 100 * named(all),
    'witness %': percent(all.right.witness),
    'column %': percent(all.right.column),
    'session %': percent(all.right.session),
    'unnamed %': percent(all.unnamed),
    audited: audited.changes,
    'of audited %': audited.changes === 0 ? null : 100 * named(audited),
    wrong: all.wrong.length,
  };
}
