import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { tableChecks } from '../../src/doctor/table-checks.js';
import { planTracking } from '../../src/tracking/plan.js';
import { troublesOf } from '../../src/tracking/troubles.js';
import { applyTracking, captureGround, testConfig, type CaptureGround } from '../support/capture.ts';
import { freshDatabase, majorVersion, type TestDatabase } from '../support/database.ts';
import { catalogOf } from '../support/tracking.ts';

const SCHEMA = `
  create table items (id int primary key, name text);
  create table others (id int primary key, name text);`;
const SESSION = 'session: [{ setting: app.user_id }]';
const YAML = `${SESSION}\ntables: { public.items: { entity: item } }`;

const is = (user: number) => `set local app.user_id = '${user}'`;
const inOne = (...statements: readonly string[]) => `begin; ${statements.join('; ')}; commit`;
const named = async (g: CaptureGround): Promise<string[]> =>
  (await g.caughtUp())
    .filter(({ rung }) => rung !== 'w')
    .map(({ operation, table, rung, modifierKey }) => `${operation} ${table} ${rung} ${modifierKey}`);
const triggers = async (source: TestDatabase): Promise<string[]> =>
  (
    await source.query<{ on: string }>(
      `select tgrelid::regclass::text as on from pg_trigger where tgname = 'waltrail_session' order by 1`,
    )
  ).map(({ on }) => on);
const planOf = async (g: Pick<CaptureGround, 'config' | 'source'>) => {
  const catalog = await catalogOf(g.source.url);
  return { catalog, plan: planTracking({ config: g.config, catalog }) };
};

/** Only roles with a grant may emit messages, as waltrail plan advises. */
const REVOKE_SQL = `do $$ declare f regprocedure; begin
  for f in select oid from pg_proc where proname = 'pg_logical_emit_message' loop
    execute format('revoke execute on function %s from public', f);
  end loop; end $$;`;

const urlAs = (source: TestDatabase, role: string): string => {
  const url = new URL(source.url);
  url.username = role;
  url.password = 'p';
  return url.href;
};

/** Roles belong to the whole server, so each test has its own. */
const roleOf = (source: TestDatabase, name: string): string => `${name}_${source.name}`;

describe('the trigger', () => {
  test('works for a role that may emit no message, and reports the role that was set', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    const role = roleOf(g.source, 'app');
    await g.source.query(`create role ${role}; grant all on items to ${role}; ${REVOKE_SQL}`);
    await g.source.query(inOne(`set local role ${role}`, is(7), `insert into items values (1, 'a')`));
    const [entry] = await g.caughtUp();
    expect([entry!.rung, entry!.modifierKey]).toEqual(['s', '7']);
    expect(entry!.extra).toMatchObject({ session: { role } });
    await g.source.query(`drop owned by ${role}; drop role ${role}`);
  });

  test('never makes a write fail: its owner may not emit, a role was dropped, settings hold anything', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    const { source } = g;
    const [owner, app] = [roleOf(source, 'owner'), roleOf(source, 'app')];
    await source.query(`create role ${app} login password 'p'; grant insert on items to public`);
    const client = new pg.Client(urlAs(source, app));
    await client.connect();
    try {
      await source.query(`drop role ${app}`);
      await client.query(inOne(is(7), `insert into items values (1, 'a')`));
    } finally {
      await client.end();
    }
    const long = `select set_config('app.user_id', repeat(chr(1) || '"\\é', 200000), true)`;
    await source.query(inOne(long, `insert into items values (2, 'a')`));
    await source.query(`create role ${owner}; ${REVOKE_SQL}
      alter function waltrail_source.waltrail_session() owner to ${owner}`);
    await source.query(inOne(is(7), `insert into items values (3, 'a')`));
    expect((await planOf(g)).plan.warnings.join('\n')).toContain(
      `grant execute on function pg_catalog.pg_logical_emit_message`,
    );
    await source.query(
      `alter function waltrail_source.waltrail_session() owner to current_user; drop role ${owner}`,
    );
    expect(await named(g)).toEqual(['i public.items s 7', 'i public.items - null', 'i public.items - null']);
  });

  test('is on partitions, and on tables through which rows can be changed', async () => {
    await using g = await captureGround({
      schemaSql: `
        create table parts (id int primary key, name text) partition by range (id);
        create table parts_low partition of parts for values from (0) to (10);
        create table parts_high partition of parts for values from (10) to (20);
        create table base (id int primary key, name text);
        create table child (primary key (id)) inherits (base);
        create table alone (id int primary key)`,
      yaml: `${SESSION}\ntables: { public.parts: { entity: part }, public.child: { entity: child } }`,
    });
    expect(await triggers(g.source)).toEqual(['base', 'child', 'parts', 'parts_high', 'parts_low']);
    await g.source.query(
      inOne(
        is(7),
        `insert into parts values (1, 'a'), (11, 'b')`,
        is(2),
        `update parts_high set name = 'c'`,
        is(7),
        `insert into child values (1, 'a')`,
        is(2),
        `update base set name = 'b'`,
        'truncate parts',
      ),
    );
    expect(await named(g)).toEqual([
      'i public.parts s 7',
      'i public.parts s 7',
      'u public.parts s 2',
      'i public.child s 7',
      'u public.child s 2',
      't public.parts s 2',
    ]);
  });

  test('is reported where it is missing or disabled, and apply restores it', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    const doctor = async () => {
      const { catalog } = await planOf(g);
      const { outcome, says } = tableChecks({ config: g.config, catalog }).find(
        ({ id }) => id === 'source.session',
      )!;
      return `${outcome} ${says}`;
    };
    const codes = async () => {
      const { catalog } = await planOf(g);
      return troublesOf({ config: g.config, catalog }).map(({ code, table }) => `${code} ${table}`);
    };
    expect(await doctor()).toContain('pass every tracked table has the session trigger');
    expect((await planOf(g)).plan.steps).toEqual([]);
    for (const sql of [
      'alter table items disable trigger waltrail_session',
      'drop trigger waltrail_session on items',
    ]) {
      await g.source.query(sql);
      expect(await codes()).toEqual(['SOURCE_SESSION_TRIGGER public.items']);
      expect(await doctor()).toMatch(/^warn .*1 step must be applied, for public.items/);
      await applyTracking(g.config);
      expect(await codes()).toEqual([]);
    }
    await g.source.query(`create or replace function waltrail_source.waltrail_session() returns trigger
      language plpgsql as 'begin return null; end'`);
    expect((await planOf(g)).plan.steps.map(({ kind }) => kind)).toEqual(['session_function']);
    await applyTracking(g.config);
    await g.source.query(inOne(is(7), `insert into items values (1, 'a')`));
    expect(await named(g)).toEqual(['i public.items s 7']);
  });

  test('is left out on tables where the role may not create it, with the GRANT for their owner', async () => {
    await using source = await freshDatabase('empty');
    const role = roleOf(source, 'dba');
    await source.query(`${SCHEMA} create role ${role} login replication password 'p'; grant create on database ${source.name} to ${role};
      alter table items owner to ${role}`);
    const owned = { ...source, url: urlAs(source, role) };
    const config = testConfig({
      source: owned,
      trail: source,
      yaml: `${SESSION}\ntables: { "public.*": { entity: item } }`,
    });
    const own = { config, source: owned };
    const problem = async () =>
      (await planOf(own)).plan.problems.find(({ effect }) => effect === 'modifiers unknown');
    expect(await problem()).toMatchObject({ code: 'SOURCE_PRIVILEGE', tables: ['public.others'] });
    const grants = /grant trigger on [^;]*/.exec((await problem())!.remedy)![0];
    await source.query(grants);
    const { plan } = await planOf(own);
    expect(await problem()).toBeUndefined();
    expect(plan.steps.filter(({ kind }) => kind === 'session_trigger')).toHaveLength(2);
    await source.query(`reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`);
  });

  test('is removed with its table, and with the key of the YAML', async () => {
    await using g = await captureGround({
      schemaSql: SCHEMA,
      yaml: `${SESSION}\ntables: { "public.*": { entity: item } }`,
    });
    expect(await triggers(g.source)).toEqual(['items', 'others']);
    const config = (yaml: string) => testConfig({ source: g.source, trail: g.trail, yaml });
    await applyTracking(config(YAML));
    expect(await triggers(g.source)).toEqual(['items']);
    await applyTracking(config('tables: { public.items: { entity: item } }'));
    expect(await triggers(g.source)).toEqual([]);
    expect(await g.source.query(`select from pg_namespace where nspname = 'waltrail_source'`)).toHaveLength(
      0,
    );
  });

  test('is put on new tables by the event trigger, before their first row', async () => {
    await using g = await captureGround({
      schemaSql: SCHEMA,
      yaml: `${SESSION}\ntables: { "public.*": { entity: thing } }`,
      sourceYaml: ', event_trigger: true, on_new_table: follow',
    });
    if ((await majorVersion(g.source)) < 15) return;
    const role = roleOf(g.source, 'migrator');
    await g.source.query(`create role ${role}; grant create, usage on schema public to ${role}`);
    await g.source.query(
      inOne(
        `set local role ${role}`,
        is(7),
        'create table fresh (id int primary key, name text)',
        `insert into fresh values (1, 'a')`,
        'create table parts (id int primary key) partition by range (id)',
        'create table parts_low partition of parts for values from (0) to (10)',
        is(2),
        'insert into parts_low values (1)',
      ),
    );
    expect(await named(g)).toEqual(['i public.fresh s 7', 'i public.parts s 2']);
    expect((await planOf(g)).plan.steps).toEqual([]);
    await g.source.query(
      `reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`,
    );
  });
});

test('is part of a restored dump, and needs nothing else', async () => {
  const programs = process.env.WALTRAIL_TEST_POSTGRES_BIN;
  // The embedded PostgreSQL has no pg_dump. npm run test:installed runs this test.
  if (programs === undefined) return;
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  await using copy = await freshDatabase('empty');
  const dump = await promisify(execFile)(path.join(programs, 'pg_dump'), [
    ...['--dbname', g.source.url],
    ...['--schema-only', '--no-publications'],
  ]);
  // Its first lines may be commands of psql.
  await copy.query(`${dump.stdout.replaceAll(/^\\.*$/gm, '')}; reset search_path`);
  expect(await triggers(copy)).toEqual(['items']);
  const config = testConfig({ source: copy, trail: g.trail, yaml: YAML });
  const kinds = (await planOf({ config, source: copy })).plan.steps.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind.startsWith('session'))).toEqual([]);
});
