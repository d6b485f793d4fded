import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture, type Capture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { applyTracking, readEntries, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const SCHEMA = `
  create table accounts (id int primary key, note text, team_id int);
  create table orders (id int primary key, note text);
  create table teams (id int primary key, name text);
  insert into teams values (1, 'Blue'), (2, 'Red')`;
const ACCOUNTS = `tables: { public.accounts: { entity: account } }`;
const BOTH = `tables: { public.accounts: { entity: account }, public.orders: { entity: order } }`;
const ORDERS = `tables: { public.orders: { entity: order } }`;
const RENAMED = `tables: { public.accounts: { entity: client } }`;
const LABELLED = `tables: { public.accounts: { entity: account, labels: { team_id: { table: public.teams, key: id, name: "{name}" } } } }`;

interface Ground extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  /** The file that the daemon reads when it starts, reloads or hears of another configuration. */
  file: string;
  capture: Capture;
  start(): Promise<void>;
  apply(): Promise<void>;
  reload(): ReturnType<Capture['reload']>;
  /**
   * Lists changes as `entity operation note`, and Waltrail's own entries as `subject before -> after` or by
   * name.
   */
  told(): Promise<string[]>;
}

async function ground(yaml: string): Promise<Ground> {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  await source.query(SCHEMA);
  const config = (): TrackingConfig => testConfig({ source, trail, yaml: g.file });
  const g: Ground = {
    source,
    trail,
    file: yaml,
    capture: undefined as unknown as Capture,
    start: async () => {
      g.capture = startCapture({ config: config(), readConfig: config, log: silentLog });
      await streaming(g.capture);
    },
    apply: () => applyTracking(config()),
    reload: () => g.capture.reload(config(), { by: 'dana' }),
    told: async () => {
      await untilCaughtUp(source, trail);
      return (await readEntries(trail)).map((entry) => {
        const { updated, previous, entityName, entityType, operation } = entry;
        if (entityType !== 'waltrail') return `${entityType} ${operation} ${(updated ?? previous)!['note']}`;
        if (entry.table === 'waltrail.tracking')
          return `${entityName} ${previous!['change']} -> ${updated!['change']}`;
        return entry.table === 'waltrail.configuration'
          ? `configuration ${updated!['how']} ${updated!['asked_by']}`
          : `${entry.action} ${updated!['tables']}`;
      });
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

const change = (g: Ground, table: string, id: number, note: string): Promise<unknown> =>
  g.source.query(`insert into ${table} (id, note) values ($1, $2)`, [id, note]);

const gaps = (g: Ground): Promise<unknown[]> => g.trail.query('select code, tables from trail.gap');

test('settings that tables share, and the rows that they track, take effect with a reload and stay after a restart', async () => {
  await using g = await ground(BOTH);
  await g.source.query(`insert into accounts values (1, 'quiet')`);
  await g.told();
  g.file = `defaults: { where: { note: { not: quiet } } }
tables: { public.accounts: , public.orders: { extends: public.accounts, where: { id: 1 } } }`;
  await g.reload();
  await g.source.query(
    `insert into accounts values (2, 'quiet'), (3, 'loud'); insert into orders values (1, 'quiet'), (2, 'loud')`,
  );
  const told = ['account i quiet', 'configuration reload dana', 'account i loud', 'order i quiet'];
  expect(await g.told()).toEqual(told);
  await g.capture.stop();
  await g.source.query(`insert into accounts values (4, 'quiet'), (5, 'late')`);
  await g.start();
  expect(await g.told()).toEqual([...told, 'account i late']);
});

describe('a table that the YAML adds', () => {
  test.each([
    ['while capture runs, and the file is reloaded before apply', 'reload apply'],
    ['while capture runs, and the file is reloaded after apply', 'apply reload'],
    ['while capture runs, and nobody reloads', 'apply'],
    ['while capture is stopped', 'stop apply start'],
    ['and applied between a stop and a start, with a reload after it', 'stop start apply reload'],
  ])('%s: each row after apply is stored, none before it, and there is no gap', async (_, order) => {
    await using g = await ground(ACCOUNTS);
    await change(g, 'accounts', 1, 'one');
    await change(g, 'orders', 1, 'before');
    g.file = BOTH;
    let id = 2;
    let applied = false;
    for (const step of order.split(' ')) {
      if (step === 'stop') await g.capture.stop();
      if (step === 'start') await g.start();
      if (step === 'reload') await g.reload();
      if (step === 'apply') {
        await g.apply();
        applied = true;
      }
      await change(g, 'orders', id++, applied ? 'behind' : 'before');
    }
    await until(
      'the configuration to be in effect',
      () => g.capture.status().configuration.waitsFor === null,
    );
    await change(g, 'accounts', 2, 'two');
    const told = await g.told();
    expect(told.filter((entry) => entry === 'order i before')).toEqual([]);
    const steps = order.split(' ');
    expect(told.filter((entry) => entry === 'order i behind')).toHaveLength(
      steps.length - steps.indexOf('apply'),
    );
    expect(told.filter((entry) => entry.startsWith('account '))).toEqual(['account i one', 'account i two']);
    expect(told).toContain('public.orders not tracked -> tracked');
    expect(told.filter((entry) => entry.startsWith('configuration'))).toHaveLength(1);
    expect(await gaps(g)).toEqual([]);
  });
});

describe('a table that the YAML removes', () => {
  test.each([
    ['apply, nobody reloads', 'apply'],
    ['reload, then apply', 'reload apply'],
    ['apply, then reload', 'apply reload'],
    ['apply while capture is stopped', 'stop apply start'],
  ])('%s: leaves a tracking entry and no gap, and no row before it is lost', async (_, order) => {
    await using g = await ground(BOTH);
    await change(g, 'orders', 1, 'before');
    g.file = ACCOUNTS;
    let id = 2;
    let applied = false;
    for (const step of order.split(' ')) {
      if (step === 'stop') await g.capture.stop();
      if (step === 'start') await g.start();
      if (step === 'reload') await g.reload();
      if (step === 'apply') {
        await change(g, 'orders', id++, 'before');
        await g.apply();
        applied = true;
      }
      await change(g, 'orders', id++, applied ? 'behind' : 'before');
    }
    await until(
      'the configuration to be in effect',
      () => g.capture.status().configuration.waitsFor === null,
    );
    const told = await g.told();
    expect(told.filter((entry) => entry.startsWith('order '))).toEqual(
      Array.from({ length: 2 + order.split(' ').indexOf('apply') }, () => 'order i before'),
    );
    expect(told).toContain('public.orders tracked -> not tracked');
    expect(await gaps(g)).toEqual([]);
  });
});

test('a change without anything to apply takes effect with a reload, and its entry states the previous configuration and who asked', async () => {
  await using g = await ground(ACCOUNTS);
  await change(g, 'accounts', 1, 'one');
  await g.told();
  g.file = RENAMED;
  expect(await g.reload()).toBe('in effect');
  await change(g, 'accounts', 2, 'two');
  expect(await g.told()).toEqual(['account i one', 'configuration reload dana', 'client i two']);
  const [entry] = (await readEntries(g.trail)).filter(({ action }) => action === 'configuration');
  expect(
    [entry!.previous!['definition'], entry!.updated!['definition']].map(
      (text) => JSON.parse(text!) as unknown,
    ),
  ).toEqual([
    { 'tables.public.accounts': { entity: 'account' } },
    { 'tables.public.accounts': { entity: 'client' } },
  ]);
});

test('until apply has run, capture uses the previous configuration and reports that, also after a restart', async () => {
  await using g = await ground(ACCOUNTS);
  g.file = `tables: { public.accounts: { entity: client }, public.orders: { entity: order } }`;
  expect(await g.reload()).toBe('waits for apply');
  await change(g, 'accounts', 1, 'one');
  await g.told();
  await g.capture.stop();
  await g.start();
  expect(g.capture.status().configuration).toMatchObject({ waitsFor: 'apply' });
  await change(g, 'accounts', 2, 'two');
  await g.apply();
  await change(g, 'accounts', 3, 'three');
  await change(g, 'orders', 3, 'three');
  expect((await g.told()).filter((entry) => !entry.includes('->'))).toEqual([
    'account i one',
    'account i two',
    'configuration apply null',
    'client i three',
    'order i three',
  ]);
});

test('a digest of another file changes nothing, however often it is sent', async () => {
  await using g = await ground(ACCOUNTS);
  const old = testConfig({ source: g.source, trail: g.trail, yaml: ACCOUNTS }).definition.digest;
  g.file = RENAMED;
  await g.reload();
  for (const digest of [old, old, 'x'.repeat(64), '', 'x'.repeat(100_000)])
    await g.source.query(`select pg_logical_emit_message(true, 'waltrail.configuration', $1)`, [digest]);
  await g.source.query(`select pg_logical_emit_message(false, 'waltrail.configuration', $1)`, [old]);
  await change(g, 'accounts', 1, 'one');
  expect((await g.told()).at(-1)).toBe('client i one');
  expect(g.capture.status().configuration.ignored).toBe(4);
});

test('the SQL that plan prints marks the position as apply does; a publication changed by hand alone marks it, too, later', async () => {
  await using g = await ground(ACCOUNTS);
  g.file = BOTH;
  const client = new pg.Client(g.source.url);
  await client.connect();
  const config = testConfig({ source: g.source, trail: g.trail, yaml: BOTH });
  const { lock, steps, configurationSql } = planTracking({ config, catalog: await readCatalog(client) });
  await client.query(
    ['begin', lock!.sql, ...steps.map(({ sql }) => sql), configurationSql, 'commit'].join(';\n'),
  );
  await client.end();
  await change(g, 'orders', 1, 'behind');
  expect(await g.told()).toContain('order i behind');
  expect(await gaps(g)).toEqual([]);

  g.file = ORDERS;
  expect(await g.reload()).toBe('waits for apply');
  await g.source.query('alter publication waltrail drop table accounts');
  await until('the configuration to be in effect', () => g.capture.status().configuration.waitsFor === null);
  await change(g, 'orders', 2, 'later');
  expect((await g.told()).slice(-3)).toEqual([
    'configuration source as configured null',
    'public.accounts tracked -> not tracked',
    'order i later',
  ]);
  expect(await gaps(g)).toEqual([]);
});

test('signing keys are in no stored configuration, and take effect with a reload', async () => {
  await using g = await ground(ACCOUNTS);
  const key = 'k'.repeat(40);
  g.file = `messages: { signing_keys: ["${key}"] }\n${ACCOUNTS}`;
  expect(await g.reload()).toBe('in effect');
  await g.source.query(`
    begin; select pg_logical_emit_message(true, 'waltrail', '{"modifier": "7"}'); insert into accounts values (1, 'unsigned'); commit`);
  await untilCaughtUp(g.source, g.trail);
  expect((await readEntries(g.trail)).at(-1)).toMatchObject({ modifierKey: null });
  expect(JSON.stringify(await g.trail.query('select document from trail.configuration'))).not.toContain(key);
});

describe('names', () => {
  const label = async (g: Ground, key: number): Promise<unknown> =>
    (
      await g.trail.query(
        `select name from trail.lookup where table_name = 'public.teams' and key = $1 order by from_id desc limit 1`,
        [String(key)],
      )
    )[0];

  test('are read from existing rows when a label is added, and again when its template changes', async () => {
    await using g = await ground(ACCOUNTS);
    g.file = LABELLED;
    await g.reload();
    await g.apply();
    await until(
      'the configuration to be in effect',
      () => g.capture.status().configuration.waitsFor === null,
    );
    await until('the names to be read', async () => (await label(g, 1)) !== undefined);
    expect(await label(g, 1)).toEqual({ name: 'Blue' });
    g.file = LABELLED.replace('"{name}"', '"team {name}"');
    expect(await g.reload()).toBe('in effect');
    expect(await label(g, 2)).toEqual({ name: 'team Red' });
    // A rule that returns is read again, although it was read before.
    g.file = LABELLED;
    expect(await g.reload()).toBe('in effect');
    expect(await label(g, 2)).toEqual({ name: 'Red' });
  });

  test('are read again with their tenants when the YAML begins to state those', async () => {
    await using g = await ground(ACCOUNTS);
    await g.source.query(
      `alter table teams add column org int, add column owner int; update teams set org = id + 10, owner = 7`,
    );
    const tenants = (): Promise<unknown[]> =>
      g.trail.query(
        `select distinct on (key) key, name, tenant from trail.lookup where table_name = 'public.teams' order by key, from_id desc`,
      );
    const hasTenants = async (): Promise<unknown> =>
      (await g.trail.query<{ has: boolean }>(`select has_tenants as has from trail.lookup_table`))[0]?.has;
    const labelled = (more: string): string => LABELLED.replace('"{name}"', `"{name}"${more}`);
    g.file = labelled('');
    await g.apply();
    await g.reload();
    await until('the names to be read', async () => (await hasTenants()) === false);
    expect(await tenants()).toEqual([
      { key: '1', name: 'Blue', tenant: null },
      { key: '2', name: 'Red', tenant: null },
    ]);
    g.file = labelled(', tenant: org');
    expect(await g.reload()).toBe('in effect');
    await until('rows of the table to have tenants', async () => (await hasTenants()) === true);
    expect(await tenants()).toEqual([
      { key: '1', name: 'Blue', tenant: '11' },
      { key: '2', name: 'Red', tenant: '12' },
    ]);
    // From here on the label names no tenant, but the tracked table has one, each time in another column.
    for (const [column, tenant] of [
      ['owner', '7'],
      ['org', '11'],
    ]) {
      g.file = `${labelled('').slice(0, -1)}, public.teams: { entity: team, tenant: ${column} } }`;
      await g.apply();
      await g.reload();
      await until('the names to be read', async () =>
        JSON.stringify(await tenants()).includes(`"tenant":"${tenant}"`),
      );
    }
  });

  test('are read at the next start when they could not be read before, with the right to the named columns alone', async () => {
    await using g = await ground(ACCOUNTS);
    await g.source.query(`
      create role reader_${g.source.name} login replication password 'reader';
      alter table teams add column secret text`);
    const url = new URL(g.source.url);
    url.username = `reader_${g.source.name}`;
    url.password = 'reader';
    g.file = LABELLED;
    await g.apply();
    await g.capture.stop();
    const limited = (): TrackingConfig =>
      testConfig({ source: { ...g.source, url: url.href }, trail: g.trail, yaml: LABELLED });
    const start = async (): Promise<void> => {
      g.capture = startCapture({ config: limited(), readConfig: limited, log: silentLog });
      await streaming(g.capture);
      await until(
        'the configuration to be in effect',
        () => g.capture.status().configuration.waitsFor === null,
      );
    };
    await start();
    expect(await label(g, 1)).toBeUndefined();
    await g.capture.stop();
    await g.source.query(`grant select (id, name) on teams to reader_${g.source.name}`);
    await start();
    expect(await label(g, 1)).toEqual({ name: 'Blue' });
    await g.capture.stop();
    await g.source.query(`drop owned by reader_${g.source.name}; drop role reader_${g.source.name}`);
  });
});
