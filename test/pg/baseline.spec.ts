import { describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startCapture, type Capture } from '../../src/capture/capture.js';
import type { Pace } from '../../src/capture/pace.js';
import { readBaseline } from '../../src/capture/read-baseline.js';
import { explainStored } from '../../src/explain/explain.js';
import { close, connect } from '../../src/pg/connect.js';
import { verifyQuick } from '../../src/proof/quick.js';
import { createSlot } from '../../src/source/slot.js';
import { baselineTables } from '../../src/tracking/baseline.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { NOBODY, type EntryFilter } from '../../src/trail/read/entry.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { makePlan, planAnswer } from '../../src/cli/source-plan.js';
import { createLog, silentLog, type Log } from '../../src/log.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import {
  applyTracking,
  captureGround,
  readEntries,
  streaming,
  testConfig,
  untilCaughtUp,
  type PlainEntry,
} from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const PACE = { tickMs: 1_000, lookMs: 100, patienceMs: 20_000 };

const SCHEMA = `
  create table teams (id int primary key, name text);
  create table roles (id int primary key, name text, secret text, team_id int, tenant text, level int,
                      at timestamptz default '2026-01-02 03:04:05+02', shown text generated always as (upper(name)) stored);
  insert into teams values (1, 'Blue'), (2, 'Red');
  insert into roles (id, name, secret, team_id, tenant, level)
    values (1, 'admin', 'hunter2', 1, 'a', 1), (2, E'tab\\t and \\\\N', null, 2, 'b', 2), (3, 'draft', 'x', null, null, 0)`;
const TABLES = `
tables:
  public.roles:
    entity: role
    name: "{name} of {team_id}"
    tenant: tenant
    baseline: true
    where: { name: { not: draft } }
    labels: { team_id: { table: public.teams, key: id, name: "{name}" } }
    values: { level: { 1: high, 2: low } }
    actions: [{ on: insert, action: grant }]
redact: [{ columns: [secret], with: mask }]`;

type Row = Readonly<Record<string, string | null>>;

/**
 * Replays the entries of a table and compares each with all before it. Entries after a baseline have to find
 * the rows as the baseline has them. Returns the rows at the end, by id.
 */
function replayed(entries: readonly PlainEntry[], table: string): Record<string, Row> {
  const rows = new Map<string, Row>();
  /** Ids known to be deleted, or never to have existed. */
  const gone = new Set<string>();
  let existed: Set<string> | null = null;
  for (const { table: of, operation, entityId, previous, updated } of entries) {
    if (of !== table) {
      // The baseline is complete where its note comes: rows that it lacks do not exist.
      if (existed !== null) for (const id of rows.keys()) expect([...existed]).toContain(id);
      existed = null;
      continue;
    }
    const id = entityId ?? '';
    if (operation === 'b') {
      existed ??= new Set();
      existed.add(id);
      expect(gone).not.toContain(id);
      if (rows.has(id)) expect(updated).toEqual(rows.get(id));
      rows.set(id, updated!);
    } else if (operation === 't') {
      for (const key of rows.keys()) gone.add(key);
      rows.clear();
    } else if (operation === 'i') {
      expect(rows.has(id)).toBe(false);
      rows.set(id, updated!);
      gone.delete(id);
    } else if (operation === 'd') {
      if (rows.has(id)) expect(previous).toEqual(rows.get(id));
      rows.delete(id);
      gone.add(id);
    } else {
      const before = rows.get(id);
      if (before !== undefined) {
        expect(previous).toEqual(Object.fromEntries(Object.keys(previous!).map((key) => [key, before[key]])));
        rows.set(id, { ...before, ...updated });
      }
    }
  }
  return Object.fromEntries(rows);
}

/** The rows of the source, by id, as text. */
async function rowsOf(source: TestDatabase, table: string): Promise<Record<string, Row>> {
  const rows = await source.query<{ row: Row }>(
    `select (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(t))) as row from ${table} t`,
  );
  return Object.fromEntries(rows.map(({ row }) => [row['id']!, row]));
}

const ofBaseline = (entries: readonly PlainEntry[]): PlainEntry[] =>
  entries.filter(({ operation }) => operation === 'b');

const told = (entries: readonly PlainEntry[]): string[] =>
  entries.flatMap(({ table, entityName, previous, updated }) =>
    table === 'waltrail.tracking' ? [`${entityName}: ${previous!['change']} -> ${updated!['change']}`] : [],
  );

describe('a baseline when a trail begins', () => {
  test('has an entry for each row before the first change: with names, tenant, labels and redaction as for an insert, and no modifier', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: TABLES, options: { pace: PACE } });
    await g.source.query(
      `update roles set level = 2 where id = 1; insert into roles (id, name) values (9, 'new')`,
    );
    const entries = (await g.caughtUp()).filter(({ table }) => table === 'public.roles');
    expect(entries.map(({ operation, action, entityId }) => `${operation} ${action} ${entityId}`)).toEqual([
      'b baseline 1',
      'b baseline 2',
      'u edit 1',
      'i grant 9',
    ]);
    const [first, second] = entries;
    expect(first).toMatchObject({
      rung: 'b',
      entityType: 'role',
      entityName: 'admin of Blue',
      tenant: 'a',
      xid: '0',
      previous: null,
      updated: {
        id: '1',
        name: 'admin',
        secret: '***',
        team_id: '1',
        level: '1',
        at: '2026-01-02 01:04:05+00',
      },
      extra: null,
    });
    expect(second!.updated).toMatchObject({ name: 'tab\t and \\N', secret: null });
    const [begun] = await g.trail.query<{ lsn: string; outcome: string; entries: number }>(
      'select b.lsn::text, b.outcome, b.entries from trail.baseline b join trail.checkpoint c on c.start_lsn = b.lsn',
    );
    expect([begun?.lsn, begun?.outcome, begun?.entries]).toEqual([first!.commitLsn, 'taken', 2]);
    expect(told(await g.entries())).toEqual(['public.roles: no baseline -> baseline of 2 rows']);
    // The stream describes the same version of the table.
    expect(await g.trail.query(`select from trail.relation where table_name = 'roles'`)).toHaveLength(1);
    await g.restart();
    expect(ofBaseline(await g.caughtUp())).toHaveLength(2);

    const client = await connect({ url: g.trail.url, purpose: 'test' });
    const report = await verifyQuick({ client, progress: () => undefined });
    await close(client);
    expect(report.findings.total).toBe(0);
    const pool = new pg.Pool({ connectionString: g.trail.url, max: 2 });
    const reader = new TrailReader({ pool });
    const range = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
    const ids = async (filter: Partial<EntryFilter>): Promise<(string | null)[]> =>
      (await reader.page({ ...range, ...filter }, { limit: 50 })).items.map(({ entity }) => entity.id);
    expect(await ids({ actions: ['baseline'] })).toEqual(['2', '1']);
    expect(await ids({ rungs: ['baseline'] })).toEqual(['2', '1']);
    expect(await ids({ q: 'existed already' })).toEqual(['2', '1']);
    expect(await ids({ modifiers: [NOBODY] })).toEqual(['9', '1']);
    expect(await ids({ actions: ['grant'] })).toEqual(['9']);
    const { items } = await reader.page({ ...range, actions: ['baseline'] }, { limit: 1 });
    expect(JSON.parse(entryToJson(items[0]!))).toMatchObject({
      modifier: { key: null, name: 'Not known', kind: null, rung: 'baseline' },
      action: 'baseline',
      actionName: 'Existed already',
      operation: 'baseline',
      entity: { type: 'role', id: '2' },
      tenant: 'b',
      previous: null,
      labels: { updated: { team_id: 'Red', level: 'low' } },
    });
    const facets = await reader.facets(range);
    expect(facets.actions).toContainEqual({ value: 'baseline', name: 'Existed already', count: 2 });
    expect(facets.modifiers).toEqual([{ value: '', name: 'Unattributed', kind: null, count: 2 }]);
    await pool.end();
    const [readable] = await g.trail.query(
      `select modified_by, modifier_key, modifier_kind, rung, operation from trail.readable where entity_id = '1' and action = 'baseline'`,
    );
    expect(readable).toEqual({
      modified_by: 'Not known',
      modifier_key: null,
      modifier_kind: null,
      rung: 'baseline',
      operation: 'baseline',
    });
    const [explained] = await g.trail.query<{ id: string }>(
      `select id::text from trail.readable where entity_id = '1' and action = 'baseline'`,
    );
    const explanation = await explainStored({ config: g.config, id: explained!.id });
    expect([explanation.operation, explanation.action.category, explanation.remarks]).toEqual([
      'baseline',
      'baseline',
      [expect.stringContaining('the row existed already')],
    ]);
  });

  test('includes rows of partitions with another column order, and is not taken of a table with more rows than its limit', async () => {
    await using g = await ground(
      `create table parted (id int, gone int, name text, primary key (id)) partition by range (id);
       alter table parted drop column gone;
       create table parted_a (name text, extra int, id int not null);
       alter table parted_a drop column extra;
       alter table parted attach partition parted_a for values from (0) to (100);
       create table parted_b partition of parted for values from (100) to (200);
       insert into parted values (1, 'one'), (101, 'hundred');
       create table many (id int primary key);
       insert into many select generate_series(1, 11);
       create table empty (id int primary key)`,
      `tables: { "public.*": { baseline: { max_rows: 10 } } }\nexclude: ["public.parted_*"]`,
    );
    const entries = await g.taken(3);
    expect(ofBaseline(entries).map(({ updated }) => updated)).toEqual([
      { id: '1', name: 'one' },
      { id: '101', name: 'hundred' },
    ]);
    const outcomes = [
      'public.empty: no baseline -> baseline of 0 rows',
      'public.many: no baseline -> no baseline: more than 10 rows',
      'public.parted: no baseline -> baseline of 2 rows',
    ];
    expect(told(entries).sort()).toEqual(outcomes);
    // A table that is too large is not read again until its limit changes.
    await g.capture.stop();
    await g.start();
    await g.source.query('insert into many values (12)');
    expect(told(await g.taken(3)).sort()).toEqual(outcomes);
    await g.reload(
      `tables: { "public.*": { baseline: { max_rows: 10 } }, public.many: { extends: "public.*", baseline: true } }\nexclude: ["public.parted_*"]`,
    );
    const later = await g.taken(4);
    expect(ofBaseline(later)).toHaveLength(2 + 12);
    expect(replayed(later, 'public.many')).toEqual(await rowsOf(g.source, 'many'));
  });
});

interface Ground extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  yaml: string;
  capture: Capture;
  start(): Promise<void>;
  reload(yaml: string): Promise<void>;
  apply(): Promise<void>;
  /** Waits for this number of baselines, taken or found too large. Returns the entries. */
  taken(count: number): Promise<PlainEntry[]>;
}

async function ground(schemaSql: string, yaml: string, pace: Pace = PACE): Promise<Ground> {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  await source.query(schemaSql);
  const config = (): TrackingConfig => testConfig({ source, trail, yaml: g.yaml });
  const g: Ground = {
    source,
    trail,
    yaml,
    capture: undefined as unknown as Capture,
    start: async () => {
      g.capture = startCapture({ config: config(), readConfig: config, log: testLog(), pace });
      await streaming(g.capture);
    },
    apply: () => applyTracking(config()),
    reload: async (text) => {
      g.yaml = text;
      await g.capture.reload(config(), { by: null });
    },
    taken: async (count) => {
      await until(`${count} baselines`, async () => {
        const rows = await trail.query(
          `select from trail.readable where source_table = 'waltrail.tracking' and updated::text like '%baseline%'`,
        );
        return rows.length >= count;
      });
      await untilCaughtUp(source, trail);
      return readEntries(trail);
    },
    [Symbol.asyncDispose]: async () => {
      await g.capture.stop();
      await trail[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
  await g.apply();
  await g.start();
  return g;
}

const testLog = (): Log => (process.env.WALTRAIL_TEST_LOG ? createLog({ level: 'debug' }) : silentLog);

const SETTINGS = `create table settings (id int primary key, value text);
  insert into settings select n, 'v' || n from generate_series(1, 40) n`;
const settings = (rule: string): string => `tables: { public.settings: { entity: setting, ${rule} } }`;

describe('a baseline while capture streams', () => {
  test('has each concurrently written row once, in the baseline or after it, also when a transaction commits late', async () => {
    await using g = await ground(SETTINGS, settings('name: "{id}"'));
    const stop = new AbortController();
    const writer = async (number: number): Promise<void> => {
      const client = new pg.Client(g.source.url);
      await client.connect();
      for (let turn = 0; !stop.signal.aborted; turn++) {
        const id = 100 * number + (turn % 50);
        await client.query('begin');
        await client.query(
          `insert into settings values ($1, 'new') on conflict (id) do update set value = $2`,
          [id, `${turn}`],
        );
        await client
          .query(`update settings set value = $1 where id = $2`, [`w${number} ${turn}`, 1 + (turn % 40)])
          .catch(() => undefined);
        if (turn % 3 === 0) await client.query('delete from settings where id = $1', [id - 1]);
        await client.query(turn % 7 === 0 ? 'rollback' : 'commit');
        await delay(number * 2);
      }
      await client.end();
    };
    const writers = [writer(1), writer(2), writer(3)];
    try {
      for (let count = 1; count <= 2; count++) {
        await g.reload(settings('name: "{id}", baseline: true'));
        await g.taken(count);
        await g.reload(settings('name: "{id}"'));
        // A baseline that the YAML drops is forgotten, so that the next one begins again.
        await until(
          'the baseline to be forgotten',
          async () => (await g.trail.query('select from trail.baseline')).length === 0,
        );
      }
    } finally {
      stop.abort();
      await Promise.all(writers);
    }
    const entries = await g.taken(2);
    const now = await rowsOf(g.source, 'settings');
    expect(replayed(entries, 'public.settings')).toEqual(now);
    expect(ofBaseline(entries).length).toBeGreaterThanOrEqual(2 * 40);
    expect(await g.trail.query('select from trail.gap')).toEqual([]);
  });

  test('waits for a writing transaction without holding a slot, while changes of others are stored', async () => {
    await using g = await ground(SETTINGS, settings('name: "{id}"'));
    const client = new pg.Client(g.source.url);
    await client.connect();
    await client.query(`begin; insert into settings values (77, 'late')`);
    await g.reload(settings('name: "{id}", baseline: true'));
    await until('the wait to be reported', () => g.capture.status().waiting?.what === 'A baseline of tables');
    await g.source.query(`update settings set value = 'x' where id = 1`);
    await untilCaughtUp(g.source, g.trail);
    expect(ofBaseline(await readEntries(g.trail))).toEqual([]);
    expect(await g.source.query('select from pg_replication_slots where temporary')).toEqual([]);
    await client.query('commit');
    await client.end();
    const entries = await g.taken(1);
    expect(ofBaseline(entries)).toHaveLength(41);
    expect(replayed(entries, 'public.settings')).toEqual(await rowsOf(g.source, 'settings'));
    expect(g.capture.status().waiting).toBeNull();
  });

  test('is taken of a table that is added later, and again after the table was recreated', async () => {
    await using g = await ground(SETTINGS, settings('name: "{id}"'));
    await g.source.query(`create table roles (id int primary key); insert into roles values (1), (2)`);
    g.yaml = `tables: { public.settings: { entity: setting, name: "{id}" }, public.roles: { entity: role, baseline: true } }`;
    await g.apply();
    await g.source.query('insert into roles values (3)');
    const entries = await g.taken(1);
    expect(replayed(entries, 'public.roles')).toEqual(await rowsOf(g.source, 'roles'));
    await g.source.query(`begin; drop table roles; create table roles (id int primary key);
                          insert into roles values (5); commit`);
    await g.apply();
    const again = await g.taken(2);
    expect(ofBaseline(again).filter(({ entityId }) => entityId === '5')).toHaveLength(1);
  });

  test('is taken again after a gap of the table', async () => {
    await using g = await ground(SETTINGS, settings('name: "{id}", baseline: true'), { ...PACE, lookMs: 10 });
    await g.taken(1);
    await g.source.query('alter publication waltrail drop table settings');
    await until('the gap', async () => (await g.trail.query('select from trail.gap')).length > 0);
    await g.source.query(`update settings set value = 'unseen' where id = 7`);
    await g.apply();
    const entries = await g.taken(2);
    expect(ofBaseline(entries)).toHaveLength(80);
    const again = ofBaseline(entries).slice(40);
    expect(again.find(({ entityId }) => entityId === '7')!.updated).toEqual({ id: '7', value: 'unseen' });
  });
});

describe('rows that are read as of a slot', () => {
  /** Returns the outcome for each table when `meanwhile` runs between the snapshot and the reading. */
  const reading = async (options: {
    readonly schemaSql: string;
    readonly meanwhile?: string;
    readonly mostBytes?: number;
  }): Promise<string[]> => {
    await using source = await freshDatabase('empty');
    await source.query(options.schemaSql);
    const config = testConfig({ source, trail: source, yaml: 'tables: { "public.*": { baseline: true } }' });
    const client = await connect({ url: source.url, purpose: 'test' });
    const catalog = await readCatalog(client);
    await close(client);
    const other = new pg.Client(source.url);
    await other.connect();
    const found: string[] = [];
    await createSlot({
      url: source.url,
      slot: `test_${source.name}`,
      temporary: true,
      signal: new AbortController().signal,
      begin: async ({ snapshot }) => {
        if (options.meanwhile !== undefined) await other.query(options.meanwhile);
        const { tables } = await readBaseline({
          ...{ config, catalog, snapshot },
          tables: baselineTables({ config, catalog }),
          published: { publication: null, options: null, tables: {} },
          signal: new AbortController().signal,
          ...(options.mostBytes === undefined ? {} : { mostBytes: options.mostBytes }),
        });
        for (const read of tables) {
          const says =
            read.outcome === 'taken'
              ? Array.from(read.rows, (row) => `${row.text(0)} ${row.text(1)}`).join(', ')
              : read.outcome === 'not read'
                ? read.unread.reason
                : read.outcome;
          found.push(`${read.table.key}: ${says}`);
        }
      },
    });
    await other.end();
    return found;
  };
  const SETTINGS_OF_TWO = `create table a (id int primary key, value text); insert into a values (1, 'x'), (2, 'y');
    create table b (id int primary key, value text); insert into b values (3, 'z')`;

  test("are those of the slot's position, whatever is committed before they are read", async () => {
    const meanwhile = `insert into a values (9, 'new'); delete from a where id = 1; update b set value = 'other'`;
    expect(await reading({ schemaSql: SETTINGS_OF_TWO, meanwhile })).toEqual([
      'public.a: 1 x, 2 y',
      'public.b: 3 z',
    ]);
  });

  test.each([
    'truncate a',
    'alter table a alter column value type varchar(7)',
    'alter table a alter column id type int8',
  ])('are reported as unread, not as absent, when the table got a new file (%s)', async (meanwhile) => {
    const [first, second] = await reading({ schemaSql: SETTINGS_OF_TWO, meanwhile });
    // PostgreSQL rewrites the table for some of these.
    expect(['public.a: it was emptied or rewritten while it was read', 'public.a: 1 x, 2 y']).toContain(
      first,
    );
    if (meanwhile !== 'alter table a alter column value type varchar(7)')
      expect(first).toContain('emptied or rewritten');
    expect(second).toBe('public.b: 3 z');
  });

  test('wait for no lock, and have a limit of bytes: a table above it is not read, and further tables take another turn', async () => {
    expect(await reading({ schemaSql: SETTINGS_OF_TWO, meanwhile: 'begin; lock table a' })).toEqual([
      expect.stringMatching(/^public\.a: the source refused/),
      'public.b: 3 z',
    ]);
    expect(await reading({ schemaSql: SETTINGS_OF_TWO, mostBytes: 300 })).toEqual(['public.a: 1 x, 2 y']);
    expect(await reading({ schemaSql: SETTINGS_OF_TWO, mostBytes: 200 })).toEqual([
      'public.a: too many bytes',
      'public.b: 3 z',
    ]);
  });
});

test('plan shows the number of entries of a baseline, the tables without one, and the tables that the role may not read', async () => {
  await using source = await freshDatabase('empty');
  const role = `${source.name}_reader`;
  await source.query(`
    create table roles (id int primary key); insert into roles select generate_series(1, 12);
    create table many (id int primary key); insert into many select generate_series(1, 40);
    create table hidden (id int primary key);
    analyze roles, many;
    create role ${role} login replication password 'x';
    grant select on roles, many to ${role}`);
  const url = new URL(source.url);
  [url.username, url.password] = [role, 'x'];
  const config = testConfig({
    source: { ...source, url: url.href },
    trail: source,
    yaml: `tables: { "public.*": { baseline: { max_rows: 20 } } }`,
  });
  const client = await connect({ url: url.href, purpose: 'test' });
  try {
    const { data, text } = planAnswer(await makePlan({ config, client }));
    expect(text).toContain('- about 12 entries: public.roles (12)');
    expect(text).toContain(
      '- none of public.many: it has about 40 rows, more than the limit of 20 (test.yaml:4:',
    );
    expect((data as { baselines: unknown }).baselines).toContainEqual(
      expect.objectContaining({ table: 'public.roles', rows: 12 }),
    );
    expect(text).toMatch(/baseline: public\.hidden gets no baseline: role \S+ may not read public\.hidden/);
  } finally {
    await close(client);
    await source.query(`drop owned by ${role}; drop role ${role}`);
  }
});
