import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { daemonGround, untilStreaming, type DaemonGround, type DaemonProcess } from '../support/daemon.ts';
import { captureGround } from '../support/capture.ts';
import { freshDatabase, slotFree, type TestDatabase } from '../support/database.ts';
import { dropOwner, plantTraps, type TrappedDatabase } from '../support/traps.ts';
import { until } from '../support/until.ts';

const DIST = process.env.WALTRAIL_TEST_DIST ?? path.resolve(import.meta.dirname, '../../dist');

/** Tables with everything that runs its owner's code when somebody plans, reads or prints. */
const TABLES = `
create type public.mood as enum ('calm', 'cross');
create function traps.mood_text(public.mood) returns text language plpgsql immutable as $$
  begin perform traps.spring('cast of an enum'); return 'calm'; end $$;
create cast (public.mood as text) with function traps.mood_text(public.mood) as implicit;
create type public.pair as (a int4, b text);
create function traps.pair_json(public.pair) returns json language plpgsql immutable as $$
  begin perform traps.spring('cast of a composite type'); return 'null'; end $$;
create cast (public.pair as json) with function traps.pair_json(public.pair) as implicit;
create function traps.pair_equal(public.pair, public.pair) returns boolean language plpgsql immutable as $$
  begin perform traps.spring('operator of a composite type'); return true; end $$;
create operator public.= (leftarg = public.pair, rightarg = public.pair, function = traps.pair_equal);
create domain public.full_name as text check (traps.spring('domain'));
create table public.agents (
  id int4 primary key,
  full_name public.full_name default case when traps.spring('default') then 'nobody' end,
  mood public.mood,
  pair public.pair,
  doubled int4 generated always as (id + traps.constant(1)) stored,
  check (traps.spring('check'))
);
create index on public.agents ((traps.constant(1)), id);
create index on public.agents (id) where traps.constant(1) = 1;
create statistics public.agents_statistics on (id + traps.constant(1)), full_name from public.agents;
create table public.former_agents (left_at int4) inherits (public.agents);
create view public.nobody as select * from public.agents where traps.spring('view');
create rule loud as on delete to public.agents do also select traps.spring('rule');
alter table public.agents enable row level security;
create policy only_some on public.agents using (traps.spring('policy'));
create table public.notes (id int4 primary key, body text, author int4, mood public.mood, pair public.pair);
insert into public.agents (id, full_name, mood, pair) values (1, 'Dana', 'calm', (1, 'x'));`;

const YAML = (slot: string) => `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: ${slot}, publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
modifiers: { table: public.agents, key: id, name: "{full_name}", kind: { column: mood, bot: [cross] } }
tables:
  public.notes: { entity: note, name: "{body}", modifier: author, labels: { author: { table: public.agents, key: id, name: "{full_name}" } } }
  public.agents: { entity: agent, name: "{full_name}" }
exclude: [public.former_agents]`;

/** A source and a trail full of traps, and every command of Waltrail on them. */
interface HostileGround extends AsyncDisposable {
  readonly source: TrappedDatabase;
  readonly trail: TrappedDatabase;
  readonly daemons: DaemonGround;
  readonly slot: string;
  command(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
}

async function hostileGround(): Promise<HostileGround> {
  const admin = await freshDatabase('empty');
  const source = await plantTraps(await freshDatabase('empty'));
  const trail = await plantTraps(await freshDatabase('empty'));
  await source.asOwner(TABLES);
  const slot = `slot_${source.name}`;
  // As an operator may have it in the URL, for another client.
  const spoiled = (url: string): string =>
    `${url}?options=${encodeURIComponent('-c search_path=public,pg_catalog')}`;
  const daemons = await daemonGround({
    sourceUrl: spoiled(source.url),
    trailUrl: spoiled(trail.url),
    yaml: YAML(slot),
  });
  return {
    source,
    trail,
    daemons,
    slot,
    command: async (...args) => {
      const environment = {
        PATH: process.env.PATH,
        WALTRAIL_SOURCE_URL: spoiled(source.url),
        WALTRAIL_TRAIL_URL: spoiled(trail.url),
        WALTRAIL_CONFIG: path.join(daemons.folder, 'waltrail.yaml'),
      };
      return promisify(execFile)(process.execPath, [path.join(DIST, 'cli/cli.js'), ...args], {
        env: environment,
      }).then(
        ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
        (error: { code: number; stdout: string; stderr: string }) => ({
          code: error.code,
          output: error.stdout + error.stderr,
        }),
      );
    },
    [Symbol.asyncDispose]: async () => {
      await daemons[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
      await trail[Symbol.asyncDispose]();
      for (const { owner } of [source, trail]) await dropOwner(admin, owner);
      await admin[Symbol.asyncDispose]();
    },
  };
}

describe('a source and a trail whose users plant operators, functions, types, views and policies', () => {
  test('no command and no part of the daemon executes one of them, and everything works', async () => {
    await using g = await hostileGround();
    const { source, trail } = g;

    const planned = await g.command('plan');
    expect(planned).toMatchObject({ code: 0, output: expect.stringContaining('create publication') });
    expect(await g.command('apply')).toMatchObject({ code: 0, output: expect.stringContaining('Applied') });
    let daemon = g.daemons.start(['--port', '0']);
    const token = async (): Promise<string> =>
      /wt_\S+/.exec((await g.command('token', 'create', '--name', 'test', '--role', 'admin')).output)![0];
    let api = apiOf(await addressOf(daemon), await token());
    await untilStreaming(daemon);

    await source.asOwner(`insert into public.notes values (1, 'first', 1, 'cross', (1, 'y'))`);
    await until('the first entry', async () => (await api.items('/v1/entries')).length === 1);
    expect((await api.items('/v1/entries'))[0]).toMatchObject({
      modifier: { key: '1', name: 'Dana' },
      entity: { name: 'first' },
    });
    await looks(source, 2);
    expect(await api.json('/v1/facets')).toHaveProperty('modifiers');
    expect(await api.json('/v1/entries?q=first')).toHaveProperty('items');
    expect(await api.json('/v1/status')).toHaveProperty('capture');
    const { id } = await api.json('/v1/exports', { method: 'POST', body: '{}' });
    await until('the export', async () => (await api.json(`/v1/exports/${String(id)}`))['state'] === 'ready');

    // A gap, and names that are read again in the snapshot of a new slot.
    await daemon.kill('SIGTERM');
    await slotFree(source, g.slot);
    await source.query('select pg_drop_replication_slot($1)', [g.slot]);
    daemon = g.daemons.start(['--port', '0']);
    await until('the gap', async () => (await g.command('gaps')).output.includes('SOURCE_SLOT_LOST'));
    expect(await g.command('gaps')).toMatchObject({ code: 1 });
    expect(await g.command('gaps', '--accept')).toMatchObject({ code: 0 });
    await untilStreaming(daemon);
    api = apiOf(await addressOf(daemon), await token());
    await source.asOwner(
      `update public.agents set full_name = 'Dana Levi'; update public.notes set body = 'second'`,
    );
    await until('an entry after the gap', async () =>
      (await api.items('/v1/entries')).some(({ entity }) => entity.name === 'second'),
    );

    await daemon.kill('SIGTERM');
    expect(daemon.log()).not.toContain('SOURCE_NAMES_UNREAD');
    expect(await source.sprung()).toEqual({ calls: 0, what: null });
    expect(await trail.sprung()).toEqual({ calls: 0, what: null });
  });

  test('an operator that fits a query on the publication better than the built-in one is never executed', async () => {
    await using g = await captureGround({
      // As any role with create on public may create it, in the default search_path of PostgreSQL.
      schemaSql: `create table public.items (id int4 primary key);
        create function public.planted(text, xid) returns text language plpgsql as $$
          begin perform public.sprung(); return 'planted'; end $$;
        create function public.sprung() returns void language plpgsql as $$ begin null; end $$;
        create operator public.|| (leftarg = text, rightarg = xid, function = public.planted);
        do $$ begin execute format('alter database %I set track_functions = ''all''', current_database()); end $$`,
      yaml: 'tables: { public.items: { entity: item } }',
    });
    await looks(g.source, 3);
    await g.capture.stop();
    const calls = await g.source.query('select calls from pg_stat_user_functions');
    expect(calls).toEqual([]);
  });

  test('the traps work: on a connection that is not pinned each kind of them runs', async () => {
    await using g = await hostileGround();
    const statements = {
      operator: `select 'x'::pg_catalog.text || xmin from pg_catalog.pg_class limit 1`,
      function: `select current_setting('server_version')`,
      type: 'select 1::int8',
      relation: 'select 1 from pg_class limit 1',
      'expression of an index': 'select id from only public.agents',
      view: 'select id from public.nobody',
      cast: `select mood::pg_catalog.text from only public.agents`,
    };
    for (const [kind, sql] of Object.entries(statements)) {
      const { calls } = await g.source.sprung();
      const client = new pg.Client(g.source.url);
      await client.connect();
      // What a trap returns may break the statement, too.
      await client.query(sql).catch(() => undefined);
      await client.end();
      await until(`a trap to spring: ${kind}`, async () => (await g.source.sprung()).calls > calls, 10_000);
    }
  });
});

interface ApiEntry {
  readonly modifier: { readonly key: string | null; readonly name: string };
  readonly entity: { readonly name: string | null };
}

function apiOf(base: string, token: string) {
  const json = async (route: string, init: RequestInit = {}): Promise<Record<string, unknown>> => {
    const response = await fetch(`${base}${route}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    expect(response.ok).toBe(true);
    return (await response.json()) as Record<string, unknown>;
  };
  return {
    json,
    items: async (route: string) => (await json(route))['items'] as readonly ApiEntry[],
  };
}

async function addressOf(daemon: DaemonProcess): Promise<string> {
  let address: string | undefined;
  await until('the address of the daemon', () => {
    if (daemon.exited) throw new Error(`the daemon ended: ${daemon.log()}`);
    address = /"url":"(http[^"]+)"/.exec(daemon.log())?.[1];
    return address !== undefined;
  });
  return address!.replace(/\/$/, '');
}

/** Waits until capture has looked at the publication this number of times. */
async function looks(source: TestDatabase, count: number): Promise<void> {
  const seen = new Set<string>();
  await until(`${count} looks at the publication`, async () => {
    const rows = await source.query<{ at: string }>(
      `select query_start::text as at from pg_stat_activity where application_name = 'waltrail watch' and state = 'idle' and datname = current_database()`,
    );
    for (const { at } of rows) seen.add(at);
    return seen.size > count;
  });
}
