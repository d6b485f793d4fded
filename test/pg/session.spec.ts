import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';

const SCHEMA = `
  create table users (id int primary key, name text);
  create table contacts (id int primary key, name text);
  insert into users values (2, 'Omer Katz'), (7, 'Dana Levi');
  insert into contacts values (7, 'A customer');
  create table notes (id int primary key, content text, updated_by int);
  create table tags (id int primary key, name text);`;

const MODIFIERS = `
modifiers:
  users: { table: public.users, key: id, name: "{name}" }
  contacts: { table: public.contacts, key: id, name: "{name}" }`;
const TABLES = `
tables:
  public.notes: { entity: note, modifier: updated_by }
  public.tags: { entity: tag }`;
const OWN = '[{ setting: app.user_id }, { setting: app.contact_id, as: contacts }]';

const ground = (session = OWN, schemaSql = SCHEMA): Promise<CaptureGround> =>
  captureGround({ schemaSql, yaml: `${MODIFIERS}\nsession: ${session}${TABLES}` });

const inOne = (...statements: readonly string[]) => `begin; ${statements.join('; ')}; commit`;
const is = (user: number | string) => `set local app.user_id = '${user}'`;
const say = (content: string) => `select pg_logical_emit_message(true, 'waltrail', $json$${content}$json$)`;

/** What was captured, without the login. */
const lines = (entries: readonly PlainEntry[]): string[] =>
  entries
    .filter(({ rung }) => rung !== 'w')
    .map(({ operation, rung, modifierKey, modifier, extra }) => {
      const beside = Object.entries((extra ?? {}) as Readonly<Record<string, unknown>>).filter(
        ([name]) => name !== 'session',
      );
      return [
        `${operation} ${rung}`,
        ...(modifierKey === null ? [] : [modifierKey, modifier]),
        ...(beside.length === 0 ? [] : [JSON.stringify(Object.fromEntries(beside))]),
      ].join(' | ');
    });

const OMER = '2 | Omer Katz';
const DANA = '7 | Dana Levi';
const conflict = (rung: string, key: string, name: string) =>
  JSON.stringify({ conflict: { rung, key, name, kind: 'agent' } });

describe('the session names who makes changes', () => {
  test('for every operation, including deletes, truncate, COPY and statements with many rows', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        is(7),
        `insert into tags select i, 'x' from generate_series(1, 3) i`,
        `copy tags (id, name) from program 'echo "9,copied"' (format csv)`,
        `update tags set name = 'y' where id = 1`,
        `delete from tags where id < 3`,
        'truncate tags, notes',
      ),
    );
    expect(lines(await g.caughtUp())).toEqual(
      ['i', 'i', 'i', 'i', 'u', 'd', 'd', 't', 't'].map((operation) => `${operation} s | ${DANA}`),
    );
  });

  test('from each change of a setting on, and nobody before any is set', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        `insert into tags values (1, 'a')`,
        is(7),
        `insert into tags values (2, 'b')`,
        `insert into tags values (3, 'b')`,
        is(2),
        `delete from tags where id = 1`,
        `set local app.user_id = ''`,
        `set local app.contact_id = 7`,
        `delete from tags where id = 2`,
        `set local app.contact_id = ''`,
        `delete from tags where id = 3`,
      ),
    );
    expect(lines(await g.caughtUp())).toEqual([
      'i -',
      `i s | ${DANA}`,
      `i s | ${DANA}`,
      `d s | ${OMER}`,
      'd s | contacts:7 | A customer',
      'd -',
    ]);
  });

  test('as it was before a savepoint that was rolled back', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        is(7),
        `insert into tags values (1, 'a')`,
        'savepoint s',
        is(2),
        `insert into tags values (2, 'b')`,
        'rollback to s',
        `insert into tags values (3, 'c')`,
        'savepoint s',
        is(2),
        `insert into tags values (4, 'd')`,
        'release s',
        `insert into tags values (5, 'e')`,
      ),
    );
    // The first statement of the transaction is rolled back together with its message.
    await g.source.query(
      inOne(
        'savepoint s',
        is(2),
        `insert into tags values (6, 'f')`,
        'rollback to s',
        is(2),
        `insert into tags values (7, 'g')`,
      ),
    );
    expect(lines(await g.caughtUp())).toEqual([
      `i s | ${DANA}`,
      `i s | ${DANA}`,
      `i s | ${OMER}`,
      `i s | ${OMER}`,
      `i s | ${OMER}`,
    ]);
  });

  test('on one connection that serves one user after another', async () => {
    await using g = await ground();
    const pooled = new pg.Client(g.source.url);
    await pooled.connect();
    try {
      await pooled.query(inOne(is(7), `insert into tags values (1, 'a')`));
      await pooled.query(`insert into tags values (2, 'b')`);
      await pooled.query(inOne(is(2), `insert into tags values (3, 'c')`));
      await pooled.query(`set app.user_id = '7'`);
      await pooled.query(`insert into tags values (4, 'd')`);
      await pooled.query('discard all');
      await pooled.query(`insert into tags values (5, 'e')`);
    } finally {
      await pooled.end();
    }
    expect(lines(await g.caughtUp())).toEqual([
      `i s | ${DANA}`,
      'i -',
      `i s | ${OMER}`,
      `i s | ${DANA}`,
      'i -',
    ]);
  });

  test('except for rows after a statement for which a trigger of the application has changed a setting', async () => {
    await using g = await ground(
      OWN,
      `${SCHEMA}
      create table orders (id int);
      create function tagged() returns trigger language plpgsql set app.user_id = '2' as
        $$ begin insert into tags values (new.id, 'by the system'); return new; end $$;
      create trigger tagged before insert on notes for each row execute function tagged();
      create trigger tagged before insert on orders for each row execute function tagged();`,
    );
    await g.source.query(
      inOne(
        is(7),
        `insert into notes values (1, 'a', null), (2, 'b', null)`,
        `insert into notes values (3, 'c', null)`,
        'delete from tags where id = 1',
      ),
    );
    // The outer statement is on a table that is not tracked.
    await g.source.query(inOne(is(7), `insert into orders values (9)`));
    expect(lines(await g.caughtUp())).toEqual([
      ...['i -', 'i -', 'i -', 'i -'],
      ...['i -', 'i -'],
      `d s | ${DANA}`,
      `i s | ${OMER}`,
    ]);
  });

  test('with one message a transaction, and another one when a setting changes', async () => {
    await using g = await ground();
    await g.source.query(
      `select pg_create_logical_replication_slot('s_' || current_database(), 'test_decoding')`,
    );
    await g.source.query(
      inOne(
        'set local synchronous_commit = on',
        is(7),
        ...[1, 2, 3].map((id) => `insert into tags values (${id}, 'a')`),
        is(2),
        'delete from tags',
        'delete from notes',
      ),
    );
    const [row] = await g.source.query<{ said: number }>(
      `select count(*)::int as said from pg_logical_slot_get_changes('s_' || current_database(), null, null)
        where data like '%prefix: waltrail.session,%'`,
    );
    expect(row!.said).toBe(2);
  });
});

describe('the session together with other rungs', () => {
  test('counts less than a column and a message, and a disagreement is kept', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        is(7),
        `insert into notes values (1, 'a', 7)`,
        `insert into notes values (2, 'b', 2)`,
        // Set by an earlier change, so the session counts.
        `update notes set content = 'c' where id = 2`,
      ),
    );
    await g.source.query(
      inOne(
        say('{"modifier": 2}'),
        is(7),
        `insert into notes values (3, 'a', 2)`,
        `delete from notes where id = 3`,
        is(2),
        `delete from notes where id = 2`,
      ),
    );
    const session = conflict('session', '7', 'Dana Levi');
    expect(lines(await g.caughtUp())).toEqual([
      `i c | ${DANA}`,
      `i c | ${OMER} | ${session}`,
      `u s | ${DANA}`,
      `i m | ${OMER} | ${session}`,
      `d m | ${OMER} | ${session}`,
      `d m | ${OMER}`,
    ]);
  });

  test('leads to the same entries when a message comes last', async () => {
    await using g = await ground();
    await g.source.query(
      inOne(
        is(7),
        `insert into notes values (1, 'a', 2)`,
        `insert into notes values (2, 'b', 7)`,
        `update notes set content = 'c'`,
        is(2),
        `delete from notes`,
        say('{"modifier": 2, "context": {"ip": "::1"}}'),
      ),
    );
    const entries = await g.caughtUp();
    const context = '{"context":{"ip":"::1"}';
    const session = `${context},"conflict":{"rung":"session","key":"7","name":"Dana Levi","kind":"agent"}}`;
    expect(lines(entries)).toEqual([
      `i m | ${OMER} | ${session}`,
      `i m | ${OMER} | ${context},"conflict":{"rung":"column","key":"7","name":"Dana Levi","kind":"agent"}}`,
      `u m | ${OMER} | ${session}`,
      `u m | ${OMER} | ${session}`,
      `d m | ${OMER} | ${context}}`,
      `d m | ${OMER} | ${context}}`,
    ]);
    // Each entry keeps who was connected.
    expect(entries.every(({ extra }) => 'session' in (extra as object))).toBe(true);
  });

  test('names nobody when a message was not understood', async () => {
    await using g = await ground();
    await g.source.query(inOne(say('{"modifier": {}}'), is(7), `insert into tags values (1, 'a')`));
    await g.source.query(inOne(is(7), `insert into tags values (2, 'a')`, say('{"modifier": {}}')));
    const entries = lines(await g.caughtUp());
    for (const line of entries) {
      expect(line).toMatch(/^i - \| \{"unread"/);
      expect(line).toContain('"conflict":{"rung":"session","key":"7"');
    }
    expect(entries).toHaveLength(2);
  });
});

describe('a login of the database', () => {
  test('is shown, and is the modifier only where the YAML asks for it', async () => {
    await using g = await ground();
    await g.source.query(inOne(`set local application_name = 'psql'`, `insert into tags values (1, 'a')`));
    const [entry] = await g.caughtUp();
    expect([entry!.rung, entry!.modifierKey]).toEqual(['-', null]);
    const [{ login } = { login: '' }] = await g.source.query<{ login: string }>(
      'select session_user as login',
    );
    expect(entry!.extra).toMatchObject({ session: { user: login, application: 'psql' } });
  });

  test('is the modifier when no setting is present, cannot be claimed by a setting, and causes no conflict', async () => {
    await using g = await ground(`[{ setting: app.user_id }, session_user]`);
    const [{ login } = { login: '' }] = await g.source.query<{ login: string }>(
      'select session_user as login',
    );
    await g.source.query(
      inOne(
        `insert into notes values (1, 'a', 7)`,
        'delete from notes',
        is(2),
        `insert into tags values (1, 'a')`,
        is(`database user:${login}`),
        `insert into tags values (2, 'a')`,
      ),
    );
    await g.source.query(inOne(`insert into tags values (3, 'a')`, say('{"modifier": 2}')));
    expect(lines(await g.caughtUp())).toEqual([
      `i c | ${DANA}`,
      `d s | database user:${login} | database user ${login}`,
      `i s | ${OMER}`,
      `i s | users:database user:${login} | database user:${login}`,
      `i m | ${OMER}`,
    ]);
  });
});

test('presets find the user in what each product sets', async () => {
  await using g = await ground('[supabase, hasura, postgraphile, pgmemento, django, jdbc]');
  const settings = [
    ['request.jwt.claims', '{"sub": "7", "role": "authenticated"}'],
    ['request.jwt.claim.sub', '2'],
    ['hasura.user', '{"x-hasura-role": "user", "x-hasura-user-id": "7"}'],
    ['jwt.claims.user_id', '2'],
    ['pgmemento.session_info', '{"client_user": 7, "message": "x"}'],
    ['pghistory.context_metadata', '{"user": 2, "url": "/"}'],
    ['application_name', '7'],
    // Names of programs are not users.
    ['application_name', 'PostgreSQL JDBC Driver'],
    ['application_name', 'DBeaver - Main'],
    // Each of these could have named another user, so no later setting counts.
    ['request.jwt.claims', '{"sub": {"id": 7}}'],
    ['request.jwt.claims', 'no JSON'],
    ['request.jwt.claims', `{"sub": "${'7'.repeat(5_000)}"}`],
    ['hasura.user', '{"x-hasura-role": "admin"}'],
    ['pghistory.context_metadata', '{"user": 12345678901234567890}'],
  ];
  for (const [index, [name, value]] of settings.entries())
    await g.source.query(
      inOne(
        `set local application_name = ''`,
        `select set_config('${name}', '${value}', true)`,
        `insert into tags values (${index}, 'a')`,
      ),
    );
  expect((await g.caughtUp()).map(({ modifierKey }) => modifierKey)).toEqual([
    '7',
    '2',
    '7',
    '2',
    '7',
    '2',
    '7',
    null,
    null,
    null,
    null,
    null,
    null,
    '12345678901234567890',
  ]);
});
