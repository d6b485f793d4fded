/**
 * Where the benches run: a source and a trail on the loopback interface, each in a separate cluster, durable
 * as in production.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startPostgres } from '../../dist/embedded/postgres.js';
import { silentLog } from '../../dist/log.js';
import { connect } from '../../dist/pg/connect.js';
import { applyPlan } from '../../dist/tracking/apply.js';
import { readCatalog } from '../../dist/tracking/catalog.js';
import { parseConfig } from '../../dist/tracking/load.js';
import { planTracking } from '../../dist/tracking/plan.js';
import { migrateTrail } from '../../dist/trail/migrate.js';
import { until } from './lib.mjs';

export const PUBLICATION = 'waltrail';
const FEWEST_CUSTOMERS = 20_000;

/**
 * Settings of both clusters. An ephemeral embedded cluster runs without fsync, but a bench of durable writing
 * must not. Checkpoints and changes of WAL segments are rare, so that they do not fall into single runs.
 */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '512MB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
};
const TRAIL_SETTINGS = { ...SETTINGS, min_wal_size: '4GB' };
/** Segments have 16 MB each. */
const TRAIL_SEGMENTS = 96;
/** Without autovacuum, because a vacuum would fall into one run and not into the next. */
export const SOURCE_SETTINGS = { ...SETTINGS, autovacuum: 'off' };

/**
 * Creates WAL segments that can be reused, as a cluster has after an hour. Creating a segment, filled with
 * zeros and flushed, is a cost of only the first gigabyte of a trail.
 */
async function fillSegments(client) {
  for (let segment = 0; segment < TRAIL_SEGMENTS; segment++)
    await client.query(`select pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()`);
  await client.query('checkpoint');
}

/**
 * Writes to every page of the shared buffers once, as in a cluster that has run for a day. The kernel creates
 * and clears each page at its first use. That would be a tenth of the processor time of a trail's first half
 * gigabyte.
 */
async function touchBuffers(client) {
  const { rows } = await client.query(
    `select setting::int4 as pages from pg_settings where name = 'shared_buffers'`,
  );
  await client.query(
    `create unlogged table public.filler (page text); alter table public.filler alter column page set storage plain`,
  );
  await client.query(`insert into public.filler select repeat('x', 7000) from generate_series(1, $1)`, [
    rows[0].pages,
  ]);
  await client.query(`drop table public.filler`);
}

/** Runs `work` with a new cluster, which is ended in any case. */
export async function withCluster(settings, work) {
  const server = await startPostgres({ home: null, settings });
  const client = await connect({ url: server.url('postgres'), purpose: 'bench' }).catch(async (error) => {
    await server.stop();
    throw error;
  });
  try {
    return await work({ server, client });
  } finally {
    await client.end().catch(() => undefined);
    await server.stop();
  }
}

/**
 * Runs `work` with the source, seeded for loads of up to `changes` changes and set up for Waltrail, and an
 * empty trail cluster.
 */
export async function withGround({ changes }, work) {
  const customers = Math.max(FEWEST_CUSTOMERS, Math.ceil(changes * 0.75));
  return withCluster(SOURCE_SETTINGS, async (source) =>
    withCluster(TRAIL_SETTINGS, async (trail) => {
      await touchBuffers(trail.client);
      await fillSegments(trail.client);
      const ground = {
        source: source.client,
        sourceUrl: source.server.url('postgres'),
        trail: trail.client,
        trailUrl: (database) => trail.server.url(database),
        customers,
        postgres: (await source.client.query('show server_version')).rows[0].server_version,
      };
      await source.client.query(readFileSync(path.resolve(import.meta.dirname, 'source.sql'), 'utf8'));
      await source.client.query(`call bench.seed(${customers})`);
      const config = trackingConfig({ ground, slot: 'none', trailUrl: 'postgres://none' });
      const catalog = await readCatalog(source.client);
      await applyPlan(source.client, planTracking({ config, catalog }));
      await source.client.query('vacuum analyze');
      return work(ground);
    }),
  );
}

const headYaml = ({ sourceUrl, slot, trailUrl }) => `
source: { name: bench, url: "${sourceUrl}", slot: ${slot}, publication: ${PUBLICATION} }
trail: { url: "${trailUrl}" }
modifiers: { table: public.agents, key: id, name: "{name}" }`;

/** The YAML of the source's tables, with every kind of filter in use. */
export function trackingYaml(addresses) {
  return `${headYaml(addresses)}
tables:
  public.customers:
    { entity: customer, name: "{name}", modifier: updated_by, tenant: organization_id, ignore: [updated_at, updated_by] }
  public.conversations:
    { entity: conversation, name: "{subject}", modifier: updated_by, tenant: organization_id, ignore: [updated_at, updated_by] }
  public.settings: { entity: setting, name: "{key}", modifier: updated_by, ignore: [updated_at, updated_by] }
  public.documents:
    { entity: document, name: "{title}", modifier: updated_by, tenant: organization_id, ignore: [updated_at, updated_by] }
`;
}

/** The same tables with rules of every kind, which every change has to pass. */
export function rulesYaml(addresses) {
  return `${headYaml(addresses)}
defaults: { modifier: updated_by, ignore: [updated_at, updated_by] }
action_names: { charge: Charge, block: Block }
redact: [{ columns: ["value.password"], with: mask }]
tables:
  public.customers:
    name: "{name|email}"
    tenant: organization_id
    where: { status: { not: draft } }
    values: { status: { active: Active, paused: Paused }, attributes.tier: { gold: Gold } }
    actions:
      - { on: update, changed: attributes.tier, to: gold, action: upgrade }
      - { on: update, changed: is_active, from: true, to: false, action: block }
      - { on: update, decreased: balance, when: { status: [active, paused] }, action: charge }
      - { on: update, changed: notes, action: skip }
  public.conversations:
    name: "{subject}"
    tenant: organization_id
    modifier:
      - { column: updated_by, on: update, when: { state: { not: spam } } }
      - { column: updated_by, on: insert }
    labels: { customer_id: { table: public.customers, key: id, name: "{name}" } }
    values: { priority: { 0: none, 1: low, 2: high }, unread: { bits: { 0: new, 1: seen } } }
    actions: [{ on: update, changed: state, from: open, to: [pending, closed], action: answer }]
  public.settings:
    name: "{key}"
    actions: [{ on: update, changed: value.limit, action: limit }]
  public.documents: { entity: document, name: "{title}", tenant: organization_id }
`;
}

export function trackingConfig({ ground, slot, trailUrl }) {
  const text = trackingYaml({ sourceUrl: ground.sourceUrl, slot, trailUrl });
  return parseConfig({ text, file: 'bench.yaml', environment: {} });
}

/** Creates a migrated trail in the trail cluster; `drop` removes it. */
export async function makeTrail(ground, name) {
  await ground.trail.query(`create database ${name}`);
  const url = ground.trailUrl(name);
  await migrateTrail({ url, log: silentLog });
  return { url, drop: () => ground.trail.query(`drop database ${name} with (force)`) };
}

/** Runs a load on a separate connection, which by default does not wait for the flush of its commits. */
export async function load(ground, statement, { synchronousCommit = 'off' } = {}) {
  const client = await connect({ url: ground.sourceUrl, purpose: 'bench load' });
  try {
    await client.query(`set synchronous_commit = ${synchronousCommit}`);
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * A stretch of WAL with a load of `changes` changes. A slot keeps it, and copies of the slot give every
 * reader exactly the same. One more change follows after `until`: a reader that sees it has read the load.
 * `counts` are the changes of each kind including that one, as the server counted them. Every reader has to
 * find them.
 */
export async function makeWindow(ground, { name, changes, statement }) {
  const slot = `window_${name}`;
  await ground.source.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  const start = await position(ground);
  const counts = await loadCounted(ground, { changes, statement });
  const end = await position(ground);
  await touch(ground);
  return {
    name,
    slot,
    changes,
    counts: { ...counts, update: counts.update + 1 },
    until: end,
    walMb:
      Number((await ground.source.query(`select '${end}'::pg_lsn - '${start}'::pg_lsn as n`)).rows[0].n) /
      1e6,
    drop: () => ground.source.query(`select pg_drop_replication_slot('${slot}')`),
  };
}

/** Runs a load and returns its changes. Their number must equal the number of rows requested. */
async function loadCounted(ground, { changes, statement }) {
  const before = await changedRows(ground);
  await load(ground, statement);
  return until(
    `the server's count of ${changes} changes`,
    async () => {
      const now = await changedRows(ground);
      const counts = {
        insert: now.insert - before.insert,
        update: now.update - before.update,
        delete: now.delete - before.delete,
      };
      const found = counts.insert + counts.update + counts.delete;
      if (found > changes) throw new Error(`a load of ${changes} changes made ${JSON.stringify(counts)}`);
      return found === changes ? counts : null;
    },
    { limitMs: 30_000 },
  );
}

/**
 * Reads the server's counts of changes. Sessions report their changes when they are idle for a while or end;
 * this session's own are reported at once.
 */
async function changedRows(ground) {
  await ground.source.query('select pg_stat_force_next_flush()');
  const { rows } = await ground.source.query(
    `select sum(n_tup_ins)::float8 as insert, sum(n_tup_upd)::float8 as update, sum(n_tup_del)::float8 as delete
       from pg_stat_user_tables where schemaname = 'public'`,
  );
  return rows[0];
}

/** Makes one more change, and returns the WAL position before it. */
export async function touch(ground) {
  const before = await position(ground);
  await ground.source.query(
    `update public.settings set value = value || jsonb_build_object('touched', clock_timestamp()) where id = 1`,
  );
  return before;
}

async function position(ground) {
  return (await ground.source.query('select pg_current_wal_insert_lsn()::text as lsn')).rows[0].lsn;
}

/** Runs `work` with a copy of a window's slot. */
export async function withSlot(ground, { window, slot }, work) {
  await ground.source.query(`select pg_copy_logical_replication_slot('${window.slot}', '${slot}')`);
  try {
    return await work();
  } finally {
    await dropSlot(ground, slot);
  }
}

/** Ends a process that still reads from the slot, and drops it. */
export async function dropSlot(ground, slot) {
  await ground.source.query(
    `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = '${slot}' and active`,
  );
  await ground.source.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}'`,
  );
}
