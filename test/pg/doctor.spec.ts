import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Check } from '../../src/doctor/check.js';
import { captureGround, saidCurrent, type CaptureGround } from '../support/capture.ts';
import { waltrail } from '../support/command.ts';
import { ownServer } from '../support/server.ts';
import { freshDatabase, majorVersion, slotFree, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

interface Doctor {
  readonly environment: Readonly<Record<string, string>>;
  readonly code: number;
  readonly checks: readonly Check[];
  /** Outcomes of checks, without those that are `pass`. */
  readonly amiss: Readonly<Record<string, string>>;
  says(id: string): string;
}

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'))));
afterAll(() => rm(folder, { recursive: true }));

async function doctor(options: {
  readonly source: string;
  readonly trail: string;
  readonly yaml: string;
  readonly slot: string;
}): Promise<Doctor> {
  const file = path.join(folder, `${options.slot}.yaml`);
  const head = `source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: ${options.slot} }\ntrail: { url: "\${WALTRAIL_TRAIL_URL}" }\n`;
  await writeFile(file, `${head}${options.yaml}\n`);
  const environment = {
    WALTRAIL_CONFIG: file,
    WALTRAIL_SOURCE_URL: options.source,
    WALTRAIL_TRAIL_URL: options.trail,
  };
  const { code, output, errors } = await waltrail(['doctor', '--json'], environment);
  expect(errors).toBe('');
  const { checks } = JSON.parse(output) as { readonly checks: Check[] };
  return {
    environment,
    code,
    checks,
    amiss: Object.fromEntries(
      ['warn', 'fail'].flatMap((amiss) =>
        checks.filter(({ outcome }) => outcome === amiss).map(({ id, outcome }) => [id, outcome]),
      ),
    ),
    says: (id) =>
      checks
        .filter((check) => check.id === id)
        .map(({ says, remedy }) => `${says} ${remedy ?? ''}`)
        .join('\n'),
  };
}

/**
 * Outcomes that every source of the tests has: no limit of WAL, messages allowed for everyone, one login for
 * the trail, and no fsync. Since PostgreSQL 18 there is also a note about virtual columns.
 */
const USUAL = {
  'source.durability': 'warn',
  'source.wal_keep': 'warn',
  'source.messages': 'warn',
  'trail.durability': 'fail',
  'trail.logins': 'warn',
};
const VIRTUAL = { 'source.replica_identity': 'warn' };
const usual = async (database: TestDatabase) =>
  (await majorVersion(database)) >= 18 ? { ...USUAL, ...VIRTUAL } : USUAL;
const TABLES = 'tables: { public.agents: { entity: agent } }';

const at = ({ source, trail }: { readonly source: TestDatabase; readonly trail: TestDatabase }) => ({
  source: source.url,
  trail: trail.url,
  slot: `slot_${source.name}`,
});

describe('doctor', () => {
  let ground: CaptureGround;
  beforeAll(async () => {
    ground = await captureGround({
      schemaSql: 'create table agents (id int primary key, name text)',
      yaml: TABLES,
    });
    await ground.source.query(`insert into agents values (1, 'Dana')`);
    await ground.caughtUp();
    await saidCurrent(ground.trail);
  });
  afterAll(async () => {
    await ground[Symbol.asyncDispose]();
  });

  test('finds nothing wrong with a running system, and reports that in lines for people, too', async () => {
    const found = await doctor({ ...at(ground), yaml: TABLES });
    expect(found.amiss).toEqual(await usual(ground.source));
    expect(found.says('source.slot')).toContain(`slot slot_${ground.source.name} is being read`);
    expect(found.says('trail.begun')).toMatch(/^1 entries/);
    const { output } = await waltrail(['doctor'], {
      WALTRAIL_CONFIG: path.join(folder, `slot_${ground.source.name}.yaml`),
      WALTRAIL_SOURCE_URL: ground.source.url,
      WALTRAIL_TRAIL_URL: ground.trail.url,
    });
    expect(output).toMatch(/^pass {2}source\.connection +database /);
    expect(output).toMatch(/\n\d+ passed, \d to know, 1 failed\n$/);
    expect(output).not.toContain(new URL(ground.source.url).password || 'no password');
  });

  test('reports that another file is in effect, and which tables are neither tracked nor excluded', async () => {
    await ground.source.query('create table notes (id int primary key)');
    try {
      const found = await doctor({ ...at(ground), yaml: `${TABLES}\nexclude: [public.nothing]` });
      expect(found.amiss).toEqual({
        ...(await usual(ground.source)),
        'trail.configuration': 'warn',
        'tables.rules': 'warn',
        'tables.unmatched': 'warn',
      });
      expect(found.says('tables.rules')).toContain('"public.nothing" excludes no table');
      expect(found.says('tables.unmatched')).toContain('public.notes is neither tracked nor excluded');
      const excluded = await doctor({ ...at(ground), yaml: `${TABLES}\nexclude: [public.notes]` });
      expect(excluded.amiss).not.toHaveProperty('tables.unmatched');
    } finally {
      await ground.source.query('drop table notes');
    }
  });

  test('lists what has to be applied, and passes once it is', async () => {
    await ground.source.query('create table teams (id int primary key)');
    try {
      const yaml = 'tables: { public.agents: { entity: agent }, public.teams: { entity: team } }';
      const found = await doctor({ ...at(ground), yaml });
      expect(found.code).toBe(1);
      expect(found.amiss).toMatchObject({ 'source.publication': 'fail', 'source.replica_identity': 'fail' });
      expect(found.says('source.publication')).toContain('public.teams');
      await ground.source.query(
        'alter table teams replica identity full; alter publication waltrail add table only teams',
      );
      const after = await doctor({ ...at(ground), yaml });
      expect(after.amiss).toEqual({ ...(await usual(ground.source)), 'trail.configuration': 'warn' });
    } finally {
      await ground.source.query('drop table teams');
    }
  });

  test('reports that nothing captures', async () => {
    await ground.capture.stop();
    const found = await doctor({ ...at(ground), yaml: TABLES });
    expect(found.code).toBe(1);
    expect(found.amiss).toEqual({
      ...(await usual(ground.source)),
      'source.slot': 'warn',
      'trail.capture': 'fail',
    });
    await ground.restart();
  });

  test('reports that a gap is open', async () => {
    await using other = await captureGround({
      schemaSql: 'create table t (id int primary key)',
      yaml: 'tables: { public.t: { entity: t } }',
    });
    await other.capture.stop();
    const slot = `slot_${other.source.name}`;
    await slotFree(other.source, slot);
    await other.source.query('select pg_drop_replication_slot($1)', [slot]);
    await other.restart().catch(() => undefined);
    await until('the gap', async () => (await other.trail.query('select from trail.gap')).length > 0);
    const found = await doctor({ ...at(other), yaml: 'tables: { public.t: { entity: t } }' });
    expect(found.amiss).toMatchObject({ 'trail.gaps': 'fail' });
    expect(found.says('trail.gaps')).toContain('waltrail gaps');
  });
});

test('doctor exits with 0 when nothing fails', async () => {
  await using own = await ownServer('doctor');
  const { database } = own;
  await database.query('create database trail');
  const trail = new URL(database.url);
  trail.pathname = '/trail';
  await database.query('create table agents (id int primary key)');
  const options = { source: database.url, trail: trail.href, slot: 'doctor', yaml: TABLES };
  const before = await doctor(options);
  expect(before.code).toBe(1);
  const { code } = await waltrail(['apply'], before.environment);
  expect(code).toBe(0);
  const found = await doctor(options);
  expect(found.checks.filter(({ outcome }) => outcome === 'fail')).toEqual([]);
  expect(found.code).toBe(0);
});

describe('before anything runs', () => {
  test('doctor reports what is missing, and raises no false alarm', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('empty');
    await source.query('create table agents (id int primary key, name text)');
    const found = await doctor({ ...at({ source, trail }), yaml: TABLES });
    expect(found.amiss).toEqual({
      'source.durability': 'warn',
      'source.wal_keep': 'warn',
      'source.messages': 'warn',
      'source.publication': 'fail',
      'source.replica_identity': 'fail',
      'trail.durability': 'fail',
    });
    expect(found.says('trail.begun')).toContain('no trail has begun');
  });

  test('doctor warns about tables just as plan does', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('empty');
    await source.query(`create table agents (id int primary key, password text);
      create table keys (api_token text primary key);
      create table agents_old () inherits (agents);
      create unlogged table jobs (id int primary key);
      create table no_key (x int);
      create publication other for table agents`);
    const found = await doctor({
      ...at({ source, trail }),
      yaml: `tables: { public.agents: { entity: agent, name: "{nmae}" }, public.no_key: { entity: x }, public.keys: { entity: key }, "public.j*": { entity: job }, public.gone: { entity: y } }`,
    });
    expect(found.amiss).toMatchObject({
      'tables.named': 'fail',
      'tables.columns': 'fail',
      'tables.children': 'warn',
      'tables.secrets': 'warn',
      'tables.unmatched': 'warn',
      'tables.not_in_wal': 'warn',
    });
    expect(
      found.checks
        .filter(({ id, outcome }) => id === 'tables.named' && outcome === 'fail')
        .map(({ says }) => says)
        .join('\n'),
    ).toContain('public.gone');
    expect(found.says('tables.columns')).toContain('no column "nmae"');
    expect(found.says('tables.children')).toContain('public.agents_old');
    expect(found.says('tables.secrets')).toContain('public.keys.api_token');
    expect(found.says('tables.not_in_wal')).toContain('public.jobs (unlogged)');
    expect(found.says('source.other_publications')).toContain('other may also contain tracked tables');
  });

  test('doctor works with few rights, and names the missing ones', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('empty');
    await source.query(
      `create table agents (id int primary key); create role ${source.name} login password 'few'`,
    );
    try {
      const url = new URL(source.url);
      url.username = source.name;
      url.password = 'few';
      const found = await doctor({ ...at({ source, trail }), source: url.href, yaml: TABLES });
      expect(found.amiss).toMatchObject({ 'source.replication': 'fail' });
      expect(found.says('source.replication')).toContain(`alter role "${source.name}" replication`);
      expect(found.amiss).not.toHaveProperty('source.look');
    } finally {
      await source.query(`drop role ${source.name}`);
    }
  });

  test('doctor checks one side when the other cannot be reached', async () => {
    await using trail = await freshDatabase('trail');
    const secret = 'sup3r-s3cret';
    const found = await doctor({
      source: `postgres://someone:${secret}@127.0.0.1:1/nowhere`,
      trail: trail.url,
      slot: trail.name,
      yaml: TABLES,
    });
    expect(found.code).toBe(1);
    expect(found.amiss).toMatchObject({ 'source.connection': 'fail' });
    expect(found.checks.map(({ id }) => id)).toContain('trail.connection');
    expect(JSON.stringify(found.checks)).not.toContain(secret);
  });

  test('doctor reports a trail in its own source, and a trail of an earlier release', async () => {
    await using source = await freshDatabase('empty');
    await source.query('create table agents (id int primary key)');
    const same = await doctor({ ...at({ source, trail: source }), yaml: TABLES });
    expect(same.amiss).toMatchObject({ 'trail.apart': 'fail' });
    await using trail = await freshDatabase('trail');
    await trail.query(`delete from trail.migration where name = (select max(name) from trail.migration)`);
    const old = await doctor({ ...at({ source, trail }), yaml: TABLES });
    expect(old.amiss).toMatchObject({ 'trail.schema': 'warn' });
    await trail.query(`insert into trail.migration (name, run_on) values ('9999_newer', now())`);
    const newer = await doctor({ ...at({ source, trail }), yaml: TABLES });
    expect(newer.says('trail.look')).toContain('newer version');
  });
});
