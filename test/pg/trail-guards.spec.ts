import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createToken } from '../../src/admin/auth/tokens.js';
import type { TrailLogin } from '../../src/trail/roles.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { makeLogins, type TrailLogins } from '../support/logins.ts';
import { seedTrail } from '../support/trail-data.ts';

const REFUSED = '42501';

let trail: TestDatabase;
let logins: TrailLogins;
let owner: pg.Pool;
beforeAll(async () => {
  trail = await freshDatabase('trail');
  await seedTrail({ url: trail.url, entries: 100 });
  logins = await makeLogins(trail);
  owner = new pg.Pool({ connectionString: trail.url, max: 2 });
  owner.on('error', () => undefined);
});
afterAll(async () => {
  await owner.end();
  await logins[Symbol.asyncDispose]();
  await trail[Symbol.asyncDispose]();
});

/** Both ways to have a role: a separate login, and SET ROLE by the owner without a reset. */
const WAYS = ['login', 'set role'] as const;

async function connectAs(login: TrailLogin, way: (typeof WAYS)[number]): Promise<pg.Client> {
  const client = new pg.Client(way === 'login' ? logins.urls[login] : trail.url);
  await client.connect();
  if (way === 'set role') await client.query(`set role waltrail_${login}`);
  return client;
}

/**
 * Runs statements one after the other. Returns the SQLSTATE of the first that fails, or 00000 if none fails.
 */
async function sqlStateOf(client: pg.Client, statements: readonly string[]): Promise<string> {
  try {
    for (const sql of statements) await client.query(sql);
    return '00000';
  } catch (error) {
    await client.query('rollback');
    return (error as pg.DatabaseError).code ?? 'none';
  }
}

const proofOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const hex = (bytes: Buffer): string => `'\\x${bytes.toString('hex')}'::bytea`;

describe.each(WAYS)('a role obtained by %s:', (way) => {
  test('the API cannot make itself a token or a session, whatever it knows about existing ones', async () => {
    await createToken(owner, { name: 'Ada', role: 'admin' });
    const stored = await trail.query<{ sha256: Buffer }>('select sha256 from trail.token');
    const client = await connectAs('api', way);
    try {
      const mine = proofOf(randomBytes(32).toString('base64url'));
      for (const { sha256 } of stored) {
        // The stored hash, as from a backup, is no proof.
        const { rows } = await client.query(
          `select * from trail.open_session(${hex(sha256)}, ${hex(mine)}, interval '1 hour')`,
        );
        expect(rows).toEqual([]);
        expect((await client.query(`select * from trail.token_principal(${hex(sha256)})`)).rows).toEqual([]);
      }
      expect((await client.query(`select * from trail.session_principal(${hex(mine)}, true)`)).rows).toEqual(
        [],
      );
      for (const sql of [
        `insert into trail.token (name, sha256, role) values ('mine', sha256(${hex(mine)}), 'admin')`,
        `update trail.token set sha256 = sha256(${hex(mine)})`,
        `update trail.token set role = 'admin', tenant = null`,
        `insert into trail.session (sha256, token_id, expires_at, idle) select sha256(${hex(mine)}), id, 'infinity', interval '1 day' from trail.token`,
        `update trail.session set sha256 = sha256(${hex(mine)})`,
        `copy trail.token (name, sha256, role) from stdin`,
        `copy trail.session (sha256, token_id, expires_at, idle) from stdin`,
        `merge into trail.token t using (select 1) x on true when matched then update set role = 'admin'`,
        `create rule mine as on insert to trail.access do also insert into trail.token (name, sha256, role) values ('m', ${hex(mine)}, 'admin')`,
        `create or replace function trail.token_principal(p_proof bytea) returns table (token_id uuid, name text, role text, tenant text) language sql as 'select null::uuid, ''m'', ''admin'', null'`,
        `alter function trail.open_session owner to current_user`,
        `grant insert on trail.token to waltrail_api`,
        `alter table trail.token disable trigger all`,
      ])
        expect([sql, await sqlStateOf(client, [sql])]).toEqual([sql, REFUSED]);
    } finally {
      await client.end();
    }
    expect(await trail.query(`select from trail.token where name = 'mine'`)).toEqual([]);
  });

  test("the functions use no objects of the API's temporary schema", async () => {
    const client = await connectAs('api', way);
    try {
      const mine = proofOf('mine');
      await client.query(
        `create temp table token as select gen_random_uuid() as id, 'me' as name, 'admin' as role, null::text as tenant, false as single_use,
                sha256(${hex(mine)}) as sha256, null::timestamptz as revoked_at, null::timestamptz as expires_at, null::timestamptz as last_used_at`,
      );
      await client.query(
        `create function pg_temp.sha256(bytea) returns bytea language sql as 'select (select sha256 from trail.token limit 1)'`,
      );
      expect((await client.query(`select * from trail.token_principal(${hex(mine)})`)).rows).toEqual([]);
    } finally {
      await client.end();
    }
  });

  test('the API opens a session with the secret of a token, for 12 hours at most, and with a code only once', async () => {
    const token = await createToken(owner, { name: 'Grace', role: 'viewer' });
    const code = await createToken(owner, { name: 'Once', role: 'admin', singleUse: true });
    const client = await connectAs('api', way);
    try {
      const open = async (secret: string): Promise<readonly unknown[]> =>
        (
          await client.query<Record<string, unknown>>(
            `select name, role, expires_at <= clock_timestamp() + interval '12 hours' as "atMost12h"
               from trail.open_session($1, $2, interval '100 years')`,
            [proofOf(secret), randomBytes(32)],
          )
        ).rows;
      expect(await open(token)).toEqual([{ name: 'Grace', role: 'viewer', atMost12h: true }]);
      expect(await open(code)).toEqual([{ name: 'Once', role: 'admin', atMost12h: true }]);
      expect(await open(code)).toEqual([]);
    } finally {
      await client.end();
    }
  });

  test('the API cannot backdate an access, nor remove or change one', async () => {
    const client = await connectAs('api', way);
    try {
      const before = new Date();
      await client.query(
        `insert into trail.access (action, route, status, address) values ('read', '${way}', 200, 'x')`,
      );
      const [row] = await trail.query<{ at: Date }>(`select at from trail.access where route = '${way}'`);
      expect(row!.at.getTime()).toBeGreaterThanOrEqual(before.getTime() - 1_000);
      for (const sql of [
        `insert into trail.access (at, action, route, status, address) values ('2020-01-01', 'read', 'x', 200, 'x')`,
        `insert into trail.access values ('2020-01-01', null, null, null, 'read', 'x', null, 200, 'x')`,
        `copy trail.access (at, action, route, status, address) from stdin`,
        `update trail.access set at = '2020-01-01'`,
        `update trail.access set token_name = 'other'`,
        `delete from trail.access`,
        `truncate trail.access`,
        `select trail.retain_access(30)`,
        `alter table trail.access alter column at set default '2020-01-01'`,
        `alter table trail.access add column more text`,
      ])
        expect([sql, await sqlStateOf(client, [sql])]).toEqual([sql, REFUSED]);
    } finally {
      await client.end();
    }
  });

  test('the keeper drops nothing that is younger than the floor, and cannot lower it', async () => {
    const client = await connectAs('keeper', way);
    try {
      for (const days of [29, 1, 0, -1, 'null'])
        expect([days, await sqlStateOf(client, [`select trail.retain_days(${days})`])]).toEqual([
          days,
          days === 29 || days === 1 ? 'WT004' : '22023',
        ]);
      for (const days of [29, 1, 0, -1, 'null'])
        expect([days, await sqlStateOf(client, [`select trail.retain_access(${days})`])]).toEqual([
          days,
          'WT004',
        ]);
      for (const sql of [
        `update trail.retention_floor set days = 1`,
        `insert into trail.retention_floor values (1)`,
        `delete from trail.retention_floor`,
        `truncate trail.retention_floor`,
        `select trail.drop_before(trail.today())`,
        `create or replace function trail.today() returns int4 language sql as 'select 100000'`,
        `update trail.day set dropped_at = now()`,
      ])
        expect([sql, await sqlStateOf(client, [sql])]).toEqual([sql, REFUSED]);
      // A table that hides the floor, in the schema that every login may write to.
      await client.query('create temp table retention_floor as select 1 as days');
      expect(await sqlStateOf(client, [`select trail.retain_days(1)`])).toBe('WT004');
    } finally {
      await client.end();
    }
    expect(await trail.query('select days from trail.retention_floor')).toEqual([{ days: 30 }]);
    expect((await trail.query('select from trail.entry')).length).toBe(100);
  });

  test('the writer cannot rename a stored entry', async () => {
    const [{ next: next } = { next: '' }] = await trail.query<{ next: string }>(
      'select next_id::text as next from trail.checkpoint',
    );
    await trail.query(
      `insert into trail.lookup (table_name, key, from_id, name) values ('public.teams', '${way}', 0, 'Blue') on conflict do nothing`,
    );
    const before = await trail.query('select * from trail.lookup order by table_name, key, from_id');
    const client = await connectAs('writer', way);
    const names = (fromId: string): string =>
      `select trail.store_names('{public.teams}', '{${way}}', array[${fromId}]::int8[], '{Red}', '{null}', '{null}')`;
    try {
      for (const fromId of ['0', '1', `${next} - 1`])
        expect([fromId, await sqlStateOf(client, [names(fromId)])]).toEqual([fromId, 'WT005']);
      expect(
        await sqlStateOf(client, [
          `select trail.store_names('{public.teams,public.teams}', '{a,b}', array[${next}, 0]::int8[], '{x,y}', '{null,null}', '{null,null}')`,
        ]),
      ).toBe('WT005');
      expect(await sqlStateOf(client, [`select trail.clear_names('public.teams', 0)`])).toBe('WT005');
      for (const sql of [
        `update trail.lookup set name = 'Red'`,
        `delete from trail.lookup`,
        `insert into trail.lookup (table_name, key, from_id, name) values ('public.teams', '${way}', 1, 'Red')`,
        `insert into trail.lookup (table_name, key, from_id, name) values ('public.teams', '${way}', 0, 'Red') on conflict (table_name, key, from_id) do update set name = 'Red'`,
        `copy trail.lookup (table_name, key, from_id, name) from stdin`,
        `update trail.modifier set name = 'Red'`,
        `delete from trail.modifier`,
        `update trail.checkpoint set next_id = 0`,
        `delete from trail.checkpoint`,
      ])
        expect([sql, await sqlStateOf(client, [sql])]).toEqual([sql, REFUSED]);
    } finally {
      await client.end();
    }
    expect(await trail.query('select * from trail.lookup order by table_name, key, from_id')).toEqual(before);
  });

  test('the writer cannot rename an entry with a snapshot from before it was stored, or in a transaction that waited', async () => {
    const client = await connectAs('writer', way);
    const advance = (): Promise<unknown> =>
      trail.query('update trail.checkpoint set next_id = next_id + 1, entries = entries + 1');
    const names = `select trail.store_names('{public.teams}', '{late}', array[(select next_id from trail.checkpoint)], '{Red}', '{null}', '{null}')`;
    try {
      await client.query('begin isolation level repeatable read');
      await client.query('select next_id from trail.checkpoint');
      await advance();
      expect(await sqlStateOf(client, [names])).toBe('40001');
      // The checkpoint stays where it is until this transaction ends, so no entry comes between.
      await client.query('begin');
      await client.query(names);
      const advanced = advance();
      const winner = await Promise.race([
        advanced.then(() => 'advanced'),
        new Promise((resolve) => setTimeout(resolve, 300, 'waits')),
      ]);
      expect(winner).toBe('waits');
      await client.query('rollback');
      await advanced;
    } finally {
      await client.end();
    }
  });
});

test('a login of a role stays in it: it cannot switch to another one', async () => {
  for (const login of ['writer', 'reader', 'api', 'keeper'] as const) {
    const client = await connectAs(login, 'login');
    try {
      for (const sql of ['reset role', 'set role none', 'reset session authorization'])
        expect(await sqlStateOf(client, [sql, 'select * from trail.token'])).toBe(REFUSED);
      for (const other of ['waltrail_writer', 'waltrail_keeper', 'waltrail_api', 'postgres']) {
        if (other === `waltrail_${login}`) continue;
        expect([login, other, await sqlStateOf(client, [`set role ${other}`])]).toEqual([
          login,
          other,
          other === 'postgres' ? expect.stringMatching(/42501|22023/) : REFUSED,
        ]);
      }
    } finally {
      await client.end();
    }
  }
});

test("functions with the owner's rights have a pinned search_path, and each is executable only by the roles that need it", async () => {
  const functions = await trail.query<{ name: string; config: string[] | null; by: string[] }>(
    `select p.proname as name, p.proconfig as config,
            array(select coalesce(r.rolname, 'public')::text from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                    left join pg_roles r on r.oid = a.grantee where a.grantee <> p.proowner order by 1) as by
       from pg_proc p where p.pronamespace = 'trail'::regnamespace and p.prosecdef order by 1`,
  );
  expect(functions.length).toBeGreaterThan(30);
  const shared: string[] = [];
  for (const { name, config, by } of functions) {
    expect([name, config]).toEqual([name, expect.arrayContaining(['search_path=pg_catalog, pg_temp'])]);
    if (by.length > 1 || by.includes('public')) shared.push(`${name}: ${by.join(', ')}`);
  }
  expect(shared).toEqual(['ensure_partitions: waltrail_keeper, waltrail_writer']);
});
