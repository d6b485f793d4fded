import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { TrackingPlan } from '../../src/tracking/findings.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { troublesOf } from '../../src/tracking/troubles.js';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';
import { freshDatabase, majorVersion, type TestDatabase } from '../support/database.ts';
import { HARMLESS, REFUSALS } from '../support/refusals.ts';
import { processorSeconds } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { applyConfig, catalogOf, trackingConfig } from '../support/tracking.ts';

const ITEMS = 'create table items (id int primary key, x int); insert into items values (1, 1)';
const ITEM_TABLES = '{ public.items: { entity: item } }';
const EVENTS = `create table events (id int, x int) partition by range (id);
  create table events_1 partition of events for values from (0) to (10)`;
const EVENT_TABLES = '{ public.events: { entity: event } }';

const guarded = (database: TestDatabase, tables: string): TrackingConfig =>
  trackingConfig(database, { tables, eventTrigger: true });

const planOf = async (config: TrackingConfig): Promise<TrackingPlan> =>
  planTracking({ config, catalog: await catalogOf(config.source.url) });

const identityOf = async (database: TestDatabase, table: string): Promise<string> => {
  const [row] = await database.query<{ identity: string }>(
    'select relreplident as identity from pg_class where oid = $1::regclass',
    [table],
  );
  return row!.identity;
};

const published = async (database: TestDatabase): Promise<string[]> =>
  (
    await database.query<{ name: string }>(
      `select prrelid::regclass::text as name from pg_publication_rel r
         join pg_publication p on p.oid = r.prpubid where pubname = 'waltrail' order by 1`,
    )
  ).map(({ name }) => name);

/**
 * One session of a role that owns the tables of schema public and is no superuser, as used for migrations.
 */
async function asOwner<T>(database: TestDatabase, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const role = `${database.name}_owner`;
  await database.query(`create role ${role}; grant create on database ${database.name} to ${role};
    grant usage, create on schema public to ${role};
    do $$ declare t regclass; begin
      for t in select oid from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') loop
        execute format('alter table %s owner to ${role}', t);
      end loop;
      for t in select oid from pg_type where typnamespace = 'public'::regnamespace and typtype = 'd' loop
        execute format('alter domain %s owner to ${role}', t::oid::regtype);
      end loop;
    end $$`);
  const client = new pg.Client(database.url);
  await client.connect();
  try {
    await client.query(`set role ${role}`);
    return await work(client);
  } finally {
    await client.end();
    await database.query(
      `reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`,
    );
  }
}

describe.each(REFUSALS)('with the event trigger, after $name', (refusal) => {
  test('no write of the application fails', async () => {
    await using database = await freshDatabase('empty');
    const major = await majorVersion(database);
    await database.query(refusal.schemaSql);
    const config = guarded(database, refusal.tables);
    expect((await applyConfig(config)).problems).toEqual([]);
    const migrate = async (client: { query(sql: string): Promise<unknown> }): Promise<void> => {
      await client.query(refusal.migration(major));
      for (const sql of refusal.writes) await client.query(sql);
    };
    if (refusal.superuser === true) await migrate(database);
    else await asOwner(database, migrate);
    const catalog = await catalogOf(database.url);
    expect(troublesOf({ config, catalog }).filter(({ effect }) => effect === 'writes refused')).toEqual([]);
    const left = refusal.leaves === true && major >= refusal.since;
    expect(await published(database)).toHaveLength(left ? 0 : 1);
  });
});

test.each(HARMLESS)('the event trigger leaves tables unchanged after: $name', async ({ sql }) => {
  await using database = await freshDatabase('empty');
  await database.query(ITEMS);
  await applyConfig(guarded(database, ITEM_TABLES));
  await database.query(sql);
  expect([await published(database), await identityOf(database, 'items')]).toEqual([['items'], 'f']);
});

describe('the event trigger', () => {
  test('is shown by plan, created once, renewed after a change, and removed without a trace', async () => {
    await using database = await freshDatabase('empty');
    await database.query(ITEMS);
    const config = guarded(database, ITEM_TABLES);
    const { steps } = await applyConfig(config);
    expect(steps[0]).toMatchObject({ kind: 'event_trigger', tables: [] });
    expect(steps[0]!.sql).toContain('create event trigger "waltrail_follow" on ddl_command_end');
    expect((await planOf(config)).steps).toEqual([]);
    for (const change of [
      'alter event trigger waltrail_follow disable',
      `comment on event trigger waltrail_follow is 'another version'`,
      'drop event trigger waltrail_follow',
    ]) {
      await database.query(change);
      expect((await applyConfig(config)).steps.map(({ kind }) => kind)).toEqual(['event_trigger']);
      expect((await planOf(config)).steps).toEqual([]);
    }
    const without = trackingConfig(database, { tables: ITEM_TABLES });
    expect((await applyConfig(without)).steps.map(({ kind }) => kind)).toEqual(['event_trigger']);
    expect((await planOf(without)).steps).toEqual([]);
    expect(
      await database.query(
        `select from pg_event_trigger union all select from pg_namespace where nspname = 'waltrail_source'`,
      ),
    ).toEqual([]);
  });

  test('needs a superuser, and plan reports that to other roles', async () => {
    await using database = await freshDatabase('empty');
    await database.query(ITEMS);
    const config = guarded(database, ITEM_TABLES);
    const catalog = await catalogOf(database.url);
    const role = { name: 'app', superuser: false, replication: true };
    expect(planTracking({ config, catalog }).warnings.join()).not.toContain('Only a superuser');
    expect(planTracking({ config, catalog: { ...catalog, role } }).warnings.join()).toContain(
      'Only a superuser may create an event trigger, and role app is not a superuser',
    );
  });

  test('gives new partitions full identity, even with a key, so that previous values are known', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table events (id int primary key) partition by range (id)`);
    await applyConfig(guarded(database, EVENT_TABLES));
    await asOwner(database, (client) =>
      client.query('create table events_2 partition of events for values from (10) to (20)'),
    );
    expect(await identityOf(database, 'events_2')).toBe('f');
  });

  test('leaves tables that are not published alone, and harmless choices of a DBA', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${ITEMS}; create table other (id int, x int) partition by range (id)`);
    await applyConfig(guarded(database, ITEM_TABLES));
    await database.query(`create table other_1 partition of other for values from (0) to (10);
      create table loose (id int); alter table loose add column x int; alter table items replica identity default`);
    const identities = ['other', 'other_1', 'loose', 'items'].map((table) => identityOf(database, table));
    expect(await Promise.all(identities)).toEqual(['d', 'd', 'd', 'd']);
  });

  test('warns and lets the migration pass where it cannot work: without publication, without its functions, without a lock', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${ITEMS}; create table more (id int primary key, x int); ${EVENTS}`);
    const config = guarded(
      database,
      '{ public.items: { entity: item }, public.more: { entity: more }, public.events: { entity: event } }',
    );
    await applyConfig(config);
    const warnings: string[] = [];
    const holder = new pg.Client(database.url);
    const client = new pg.Client(database.url);
    client.on('notice', ({ severity, message }) => {
      if (severity === 'WARNING') warnings.push(message ?? '');
    });
    await holder.connect();
    await client.connect();
    try {
      if ((await majorVersion(database)) >= 15) {
        await holder.query('begin; lock table items in access share mode');
        await client.query('create publication narrow for table items (id)');
        await holder.query('rollback');
        // The other publication makes PostgreSQL refuse writes with the unchanged identity. A warning is all
        // that helps.
        expect(warnings).toEqual([
          expect.stringMatching(/replica identity of (?:public\.)?items could not be set \(55000\)/),
        ]);
        const catalog = await catalogOf(database.url);
        expect(troublesOf({ config, catalog })).toMatchObject([
          { table: 'public.items', code: 'SOURCE_WRITES_REFUSED', effect: 'writes refused' },
        ]);
        warnings.length = 0;
        await client.query('drop publication narrow');
      }
      await client.query('drop function waltrail_source.waltrail_identity(oid)');
      await client.query('create table events_2 partition of events for values from (10) to (20)');
      expect(warnings).toEqual([expect.stringContaining('were not checked (42883): run waltrail plan')]);
      warnings.length = 0;
      await client.query('drop publication waltrail');
      await client.query('create table events_3 partition of events for values from (20) to (30)');
      expect(warnings).toEqual([]);
    } finally {
      await holder.end();
      await client.end();
    }
  });

  test('runs nothing that others have planted in the search path or created in its schema before', async () => {
    await using database = await freshDatabase('empty');
    const role = `${database.name}_planter`;
    await database.query(`${EVENTS}; create table robbed (who text); grant insert on robbed to public;
      create role ${role}; grant create on database ${database.name} to ${role}; grant create on schema public to ${role}`);
    const client = new pg.Client(database.url);
    await client.connect();
    try {
      await client.query(`set role ${role}`);
      await client.query(`create schema waltrail_source;
        create function waltrail_source.waltrail_identity(member oid, out refused boolean, out best text) language plpgsql
          as $$ begin insert into public.robbed values (current_user); end $$;
        create function waltrail_source.waltrail_leave(member oid) returns void language plpgsql security definer
          as $$ begin insert into public.robbed values (current_user); end $$;
        create function public.robbing(a oid, b oid) returns boolean language plpgsql
          as $$ begin insert into public.robbed values (current_user); return true; end $$;
        create operator public.= (leftarg = oid, rightarg = oid, function = public.robbing);
        create function public.to_jsonb(a anyelement) returns jsonb language plpgsql
          as $$ begin insert into public.robbed values (current_user); return null; end $$;
        create function public.format(a text, b name, c name, d text) returns text language plpgsql
          as $$ begin insert into public.robbed values (current_user); return null; end $$`);
      await applyConfig(guarded(database, EVENT_TABLES));
      await client.query('reset role; set search_path = public, pg_catalog');
      await client.query(`create table events_2 partition of events for values from (10) to (20);
        insert into events values (11, 1); update events set x = 2; create publication other for all tables`);
      expect(await database.query('select * from public.robbed')).toEqual([]);
      const owners = await database.query<{ owner: string }>(
        `select distinct pg_get_userbyid(x.owner) as owner from (
           select proowner as owner from pg_proc where pronamespace = 'waltrail_source'::regnamespace
           union all select nspowner from pg_namespace where nspname = 'waltrail_source') x`,
      );
      expect(owners.map(({ owner }) => owner)).toEqual([new URL(database.url).username]);
      // The functions that everyone may call do nothing to a table that can be written.
      await client.query(
        `set role ${role}; select waltrail_source.waltrail_leave('public.events_1'::regclass)`,
      );
      expect(await published(database)).toEqual(['events']);
    } finally {
      await client.end();
      await database.query(`drop owned by ${role} cascade; drop role ${role}`);
    }
  });

  test('guards its own publication when there are two', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`${EVENTS}; create table logs (id int, x int) partition by range (id)`);
    await applyConfig(guarded(database, EVENT_TABLES));
    const second = trackingConfig(database, {
      tables: '{ public.logs: { entity: log } }',
      eventTrigger: true,
      publication: 'second',
    });
    await applyConfig(second);
    await database.query(`create table events_2 partition of events for values from (10) to (20);
      create table logs_1 partition of logs for values from (0) to (10)`);
    expect([await identityOf(database, 'events_2'), await identityOf(database, 'logs_1')]).toEqual([
      'f',
      'f',
    ]);
    await applyConfig(
      trackingConfig(database, {
        tables: '{ public.logs: { entity: log, new_partitions: may_refuse_writes } }',
        publication: 'second',
      }),
    );
    await database.query('create table events_3 partition of events for values from (20) to (30)');
    expect(await identityOf(database, 'events_3')).toBe('f');
  });

  test('costs migrations of unpublished tables little', async () => {
    await using database = await freshDatabase('empty');
    await database.query(ITEMS);
    const many = `do $$ begin for i in 1..100 loop execute format('create table t%s (id int); alter table t%1$s add x int; drop table t%1$s', i); end loop; end $$`;
    await applyConfig(guarded(database, ITEM_TABLES));
    const triggers = await database.query<{ name: string }>('select evtname as name from pg_event_trigger');
    expect(triggers.length).toBeGreaterThan(1);
    const client = new pg.Client(database.url);
    await client.connect();
    try {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const set = async (state: 'enable' | 'disable'): Promise<void> => {
        for (const { name } of triggers) await client.query(`alter event trigger ${name} ${state}`);
      };
      const spent = async (): Promise<number> => {
        const before = await processorSeconds(rows[0]!.pid);
        await client.query(many);
        return (await processorSeconds(rows[0]!.pid)) - before;
      };
      // Processor time, measured in turns. Elapsed time depends on the load of the machine.
      let [without, withThem] = [0, 0];
      for (let round = 0; round < 8; round++) {
        await set('disable');
        without += await spent();
        await set('enable');
        withThem += await spent();
      }
      // 200 calls in addition to 300 of the cheapest commands take 15 times as long as these commands alone.
      expect(withThem / without).toBeLessThan(30);
    } finally {
      await client.end();
    }
  });
});

describe('what the event triggers report', () => {
  const reporting = (schemaSql: string, yaml: string, lookMs = 200): Promise<CaptureGround> =>
    captureGround({ schemaSql, yaml, sourceYaml: ', event_trigger: true', options: { pace: { lookMs } } });
  const items = (): Promise<CaptureGround> =>
    reporting(
      `create table items (id int primary key, x int, note text); insert into items values (1, 1), (2, 2);
       create table others (id int, x int)`,
      'tables: { public.items: { entity: item } }',
    );

  /** Rows as `operation id`, and the texts of Waltrail's own entries, in the order of the trail. */
  const told = (entries: readonly PlainEntry[]): string[] =>
    entries.flatMap((entry) => {
      if (entry.rung !== 'w') return [`${entry.operation} ${entry.entityId}`];
      return entry.action === 'tracking'
        ? [`${entry.entityName}: ${entry.updated!['change']}`]
        : [entry.action];
    });
  const user = (g: CaptureGround): string => new URL(g.source.url).username;
  const gapsOf = (g: CaptureGround) =>
    g.trail.query(
      `select code, tables, from_lsn = to_lsn as "isPosition", closed_at is not null as closed, entry_id > 0 as told from trail.gap order by id`,
    );

  test('a command that rewrites rows is an entry at its position, with who ran it, and a gap of that one position', async () => {
    await using g = await items();
    const role = `${g.source.name}_migrator`;
    await g.source.query(
      `create role ${role}; grant create on schema public to ${role}; alter table items owner to ${role}`,
    );
    try {
      const before = told(await g.caughtUp()).length;
      const client = new pg.Client(g.source.url);
      await client.connect();
      await client.query(`set role ${role}; begin`);
      await client.query('update items set x = 5 where id = 1');
      await client.query('alter table items alter x type int using x + 1');
      await client.query('update items set x = 7 where id = 1; commit');
      await client.end();
      const entries = await g.caughtUp();
      const by = `run by ${user(g)} as ${role}`;
      expect(
        told(entries)
          .slice(before)
          .filter((text) => !text.includes('gap') && !text.includes('may have been')),
      ).toEqual([
        'u 1',
        `public.items: rows rewritten by ALTER TABLE, ${by}: their new values were not sent`,
        `public.items: ALTER TABLE, ${by}`,
        'u 1',
      ]);
      await until('the gap to be reported', async () =>
        (await g.entries()).some(({ action }) => action === 'gap_closed'),
      );
      expect(await gapsOf(g)).toEqual([
        {
          code: 'SOURCE_TABLE_REWRITTEN',
          tables: ['public.items'],
          isPosition: true,
          closed: true,
          told: true,
        },
      ]);
      const [row] = await g.trail.query<{ same: boolean }>(
        'select from_lsn = $1::pg_lsn as same from trail.gap',
        [entries.find(({ updated }) => updated?.['change']?.startsWith('rows rewritten'))!.commitLsn],
      );
      expect(row).toEqual({ same: true });
    } finally {
      await g.source.query(
        `reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`,
      );
    }
  });

  test('a gap that was recorded but not reported when the daemon was killed is reported and closed by the next one, at its position', async () => {
    await using g = await reporting(
      'create table items (id int primary key, x int, note text); insert into items values (1, 1)',
      'tables: { public.items: { entity: item } }',
      60_000,
    );
    await g.source.query('alter table items alter x type int using x + 1');
    await g.caughtUp();
    expect(await gapsOf(g)).toMatchObject([{ isPosition: true, closed: false, told: false }]);
    await g.restart();
    expect(await gapsOf(g)).toMatchObject([{ isPosition: true, closed: true, told: true }]);
    expect(
      (await g.entries()).map(({ action }) => action).filter((action) => action.startsWith('gap')),
    ).toEqual(['gap', 'gap_closed']);
  });

  test('identity, dropped columns, partitions, dropped tables and renamed values are reported, other commands are not', async () => {
    await using g = await reporting(
      `create type mood as enum ('sad', 'glad');
       create table items (id int primary key, x int, note text, mood mood);
       create table others (id int, x int);
       create table events (id int, x int) partition by range (id);
       create table events_1 partition of events for values from (0) to (10);
       insert into events values (1, 1)`,
      'tables: { public.items: { entity: item }, public.events: { entity: event } }',
      60_000,
    );
    await g.caughtUp();
    const before = told(await g.entries()).length;
    await g.source.query(
      `begin; alter table items replica identity default; update items set x = 2; alter table items replica identity full; commit`,
    );
    await g.source.query('alter table items drop x, drop note, add x int default 3');
    await g.source.query(`alter type mood rename value 'sad' to 'blue'`);
    await g.source.query('alter table events alter x type bigint');
    await g.source.query(
      'alter table others add y int; alter table others alter y type bigint; drop table others',
    );
    await g.source.query(
      'create index on items (x); grant select on items to public; truncate items; comment on table items is null',
    );
    await g.source.query('drop table items');
    const by = `run by ${user(g)}`;
    expect(told(await g.caughtUp()).slice(before)).toEqual([
      `public.items: ALTER TABLE, ${by}`,
      `public.items: ALTER TABLE, ${by}: dropped x, note`,
      `public.items: ALTER TABLE, ${by}`,
      `public.items: ALTER TYPE, ${by}`,
      `public.events: rows rewritten by ALTER TABLE, ${by}: their new values were not sent`,
      `public.events: ALTER TABLE, ${by}`,
      't null',
      `public.items: DROP TABLE, ${by}`,
    ]);
  });

  test('a command on a table without rows, or one that only moves rows, is no gap', async () => {
    await using g = await items();
    await g.source.query('truncate items');
    await g.source.query('alter table items alter x type int using x + 1');
    await g.source.query('vacuum full items');
    await g.source.query('alter table items rename to seen');
    await until('a look', async () =>
      (await g.entries()).some(({ entityName }) => entityName === 'public.seen'),
    );
    expect(await gapsOf(g)).toEqual([]);
  });

  test('a report is sent even where its author may emit no message, and no role can call the function that sends it', async () => {
    await using g = await items();
    const before = told(await g.caughtUp()).length;
    await asOwner(g.source, async (client) => {
      await g.source
        .query('revoke execute on function pg_logical_emit_message(boolean, text, text) from public')
        .catch(() => undefined);
      for (const { oid } of await g.source.query<{ oid: string }>(
        `select oid::regprocedure::text as oid from pg_proc where proname = 'pg_logical_emit_message'`,
      ))
        await g.source.query(`revoke execute on function ${oid} from public`);
      await expect(
        client.query(`select pg_logical_emit_message(true, 'waltrail.ddl', '{}')`),
      ).rejects.toThrow('permission denied');
      await expect(client.query('select waltrail_source.waltrail_report()')).rejects.toThrow(
        /permission denied|can only be called/,
      );
      await client.query('alter table items add y int');
      const { rows } = await client.query<{ role: string }>('select current_user as role');
      expect(told(await g.caughtUp()).slice(before)).toContain(
        `public.items: ALTER TABLE, run by ${user(g)} as ${rows[0]!.role}`,
      );
    });
  });

  test.each([
    ['no JSON', `'{'`],
    ['an array', `'[]'`],
    ['null', `'null'`],
    [
      'another table',
      `'{"what":"rewritten","relation":1,"schema":"public","table":"others","command":"ALTER TABLE","session":"x"}'`,
    ],
    [
      'an unknown event',
      `'{"what":"stop","relation":1,"schema":"public","table":"items","command":"ALTER TABLE","session":"x"}'`,
    ],
    [
      'free text as the command',
      `'{"what":"run","relation":1,"schema":"public","table":"items","command":"the boss said so","session":"x"}'`,
    ],
    [
      'a name with two lines',
      `e'{"what":"run","relation":1,"schema":"public","table":"items","command":"DROP TABLE","session":"x\\\\ny"}'`,
    ],
    [
      'a long name',
      `'{"what":"run","relation":1,"schema":"public","table":"items","command":"DROP TABLE","session":"' || repeat('x', 300) || '"}'`,
    ],
    [
      '1 MB',
      `'{"what":"run","relation":1,"schema":"public","table":"items","command":"DROP TABLE","session":"' || repeat('x', 1000000) || '"}'`,
    ],
    ['deep nesting', `repeat('[', 8000)`],
    ['bytes that are not text', `'\\xc300ff'::bytea`],
    ['a message outside the transaction', null],
  ])('a forged report with %s has no effect and stops nothing', async (_, content) => {
    await using g = await items();
    const before = told(await g.caughtUp()).length;
    await g.source.query(
      content === null
        ? `select pg_logical_emit_message(false, 'waltrail.ddl', '{"what":"run","relation":1,"schema":"public","table":"items","command":"DROP TABLE","session":"x"}')`
        : `select pg_logical_emit_message(true, 'waltrail.ddl', ${content})`,
    );
    await g.source.query('insert into items values (3, 3)');
    expect(told(await g.caughtUp()).slice(before)).toEqual(['i 3']);
    expect(await gapsOf(g)).toEqual([]);
  });

  test('a flood of forged reports is cut, and the trail states that; without event_trigger in the YAML there is no entry at all', async () => {
    const flood = `do $$ begin for n in 1..5000 loop perform pg_logical_emit_message(true, 'waltrail.ddl', format(
      '{"what":"run","relation":1,"schema":"public","table":"items","command":"DROP TABLE","session":"x%s"}', n)); end loop; end $$`;
    await using g = await items();
    const before = told(await g.caughtUp()).length;
    await g.source.query(flood);
    await g.source.query('insert into items values (3, 3)');
    const after = told(await g.caughtUp()).slice(before);
    expect([after.length, after.at(-2), after.at(-1)]).toEqual([
      1_002,
      'source: more than 1000 commands are reported by this transaction, and only the first 1000 are shown',
      'i 3',
    ]);
    await using without = await captureGround({
      schemaSql: 'create table items (id int primary key)',
      yaml: 'tables: { public.items: { entity: item } }',
    });
    await without.source.query(flood);
    expect(await without.caughtUp()).toEqual([]);
  });
});
