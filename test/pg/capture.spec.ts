import { describe, expect, test } from '@jest/globals';
import { captureGround, readEntries } from '../support/capture.ts';

const SCHEMA = `
  create table agents (id int primary key, full_name text, role text, updated_by int);
  insert into agents values (7, 'Dana Levi', 'admin'), (12, 'Omer Katz', 'support'), (9, 'Tagger', 'bot');
  create table customers (
    id bigint generated always as identity primary key, organization_id int, name text, email text, balance numeric(12,2),
    attributes jsonb, vip boolean, password_hash text, seen_at timestamptz, updated_by int);
  create table teams (id int primary key, name text);
  create table untracked (id int primary key, x text);`;

const YAML = `
modifiers: { table: public.agents, key: id, name: "{full_name}", kind: { column: role, bot: [bot] } }
redact: [ { columns: ["password*"], with: mask } ]
tables:
  public.agents: { entity: agent, name: "{full_name}", modifier: updated_by }
  public.customers:
    entity: customer
    name: "{name} <{email}>"
    modifier: updated_by
    tenant: organization_id
    ignore: [seen_at]
    actions:
      - { on: update, changed: vip, to: true, action: activate }
`;

const ground = () => captureGround({ schemaSql: SCHEMA, yaml: YAML });

describe('capture', () => {
  test('an insert, an update and a delete become entries with names, values and the modifier as of the change', async () => {
    await using g = await ground();
    await g.source.query(
      `insert into customers (organization_id, name, email, balance, vip, updated_by) values (3, 'Ada', 'ada@x', 12.50, false, 7)`,
    );
    await g.source.query(`update customers set balance = 99.90, vip = true, updated_by = 12`);
    await g.source.query(`delete from customers`);
    const [insert, update, remove] = await g.caughtUp();
    expect(insert).toMatchObject({
      operation: 'i',
      action: 'add',
      modifier: 'Dana Levi',
      modifierKey: '7',
      kind: 'agent',
      rung: 'c',
      entityType: 'customer',
      entityId: '1',
      entityName: 'Ada <ada@x>',
      tenant: '3',
      table: 'public.customers',
      previous: null,
      seq: 0,
      updated: { id: '1', name: 'Ada', balance: '12.50', vip: 'f', password_hash: null, attributes: null },
    });
    expect(update).toMatchObject({
      operation: 'u',
      action: 'activate',
      modifier: 'Omer Katz',
      rung: 'c',
      previous: { balance: '12.50', vip: 'f', updated_by: '7' },
      updated: { balance: '99.90', vip: 't', updated_by: '12' },
    });
    expect(Object.keys(update!.updated!)).toEqual(['balance', 'vip', 'updated_by']);
    expect(remove).toMatchObject({
      operation: 'd',
      action: 'delete',
      updated: null,
      previous: { name: 'Ada' },
      rung: '-',
      modifierKey: null,
    });
  });

  test('the changes of one transaction keep their order and share its commit LSN', async () => {
    await using g = await ground();
    await g.source.query(
      `begin; insert into customers (name) values ('a'), ('b'); update customers set name = name || '!'; update customers set name = name || '?' where name = 'a!'; commit`,
    );
    const entries = await g.caughtUp();
    expect(entries.map(({ seq, operation, updated }) => [seq, operation, updated?.name])).toEqual([
      [0, 'i', 'a'],
      [1, 'i', 'b'],
      [2, 'u', 'a!'],
      [3, 'u', 'b!'],
      [4, 'u', 'a!?'],
    ]);
    expect(new Set(entries.map(({ commitLsn }) => commitLsn)).size).toBe(1);
  });

  test('an update of ignored columns only, or of nothing, makes no entry and is counted', async () => {
    await using g = await ground();
    await g.source.query(`insert into customers (name) values ('a')`);
    await g.source.query(`update customers set seen_at = now()`);
    await g.source.query(`update customers set name = name`);
    expect(await g.caughtUp()).toHaveLength(1);
    expect(g.capture.status().ignored).toBe(2);
  });

  test('a renamed agent keeps the old name on older entries, also across a restart', async () => {
    await using g = await ground();
    await g.source.query(`insert into customers (name, updated_by) values ('a', 7)`);
    await g.source.query(`update agents set full_name = 'Dana Cohen' where id = 7`);
    await g.source.query(`insert into customers (name, updated_by) values ('b', 7)`);
    await g.caughtUp();
    await g.restart();
    await g.source.query(`insert into customers (name, updated_by) values ('c', 7)`);
    const entries = await g.caughtUp();
    expect(
      entries.filter(({ entityType }) => entityType === 'customer').map(({ modifier }) => modifier),
    ).toEqual(['Dana Levi', 'Dana Cohen', 'Dana Cohen']);
  });

  test('a logical message attributes its whole transaction, wherever it stands in it', async () => {
    await using g = await ground();
    const message = `select pg_logical_emit_message(true, 'waltrail', '{"modifier": 9, "context": {"job": "tagging", "password": "x"}}')`;
    await g.source.query(
      `begin; ${message}; insert into customers (name, updated_by) values ('first', 7); commit`,
    );
    await g.source.query(
      `begin; insert into customers (name, updated_by) values ('last', 7); ${message}; commit`,
    );
    await g.source.query(`insert into customers (name, updated_by) values ('other', 7)`);
    const entries = await g.caughtUp();
    const conflict = { rung: 'column', key: '7', name: 'Dana Levi', kind: 'agent' };
    const context = { context: { job: 'tagging', password: '***' }, conflict };
    expect(
      entries.map(({ updated, modifier, kind, rung, extra }) => [updated!.name, modifier, kind, rung, extra]),
    ).toEqual([
      ['first', 'Tagger', 'bot', 'm', context],
      ['last', 'Tagger', 'bot', 'm', context],
      ['other', 'Dana Levi', 'agent', 'c', null],
    ]);
  });

  test('a logical message at the end of a transaction larger than memory still attributes all of it', async () => {
    await using g = await ground();
    await g.source
      .query(`begin; insert into customers (name, attributes) select 'n' || i, jsonb_build_object('pad', repeat('x', 200)) from generate_series(1, 20000) i;
      select pg_logical_emit_message(true, 'waltrail', '{"modifier": 9}'); commit`);
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(20_000);
    expect(new Set(entries.map(({ modifier, rung }) => `${modifier} ${rung}`))).toEqual(
      new Set(['Tagger m']),
    );
  });

  test('a truncate is one entry for each tracked table', async () => {
    await using g = await ground();
    await g.source.query(`insert into customers (name) values ('a'), ('b')`);
    await g.source.query(`truncate customers`);
    expect((await g.caughtUp()).at(-1)).toMatchObject({
      operation: 't',
      action: 'delete',
      entityType: 'customer',
      entityId: null,
      entityName: '(all)',
      previous: null,
      updated: null,
    });
  });

  test('redacted values never reach the trail, but the fact of their change does', async () => {
    await using g = await ground();
    await g.source.query(`insert into customers (name, password_hash) values ('a', 'secret-1')`);
    await g.source.query(`update customers set password_hash = 'secret-2'`);
    const entries = await g.caughtUp();
    expect(entries[1]).toMatchObject({
      previous: { password_hash: '***' },
      updated: { password_hash: '***' },
    });
    expect(JSON.stringify(await g.trail.query('select * from trail.entry'))).not.toContain('secret');
  });

  test('values are stored as PostgreSQL prints them, whatever the settings of the database', async () => {
    await using g = await captureGround({
      schemaSql: `
        create table values (id int primary key, f float8, n numeric, t timestamptz, d date, i interval, b bytea, a text[], j json, big bigint, x text);
        do $$ begin execute format('alter database %I set datestyle = german', current_database()); execute format('alter database %I set extra_float_digits = -15', current_database());
          execute format('alter database %I set timezone = ''Asia/Tokyo''', current_database()); end $$;`.replace(
        'table values',
        'table vals',
      ),
      yaml: `tables: { public.vals: { entity: value } }`,
    });
    await g.source
      .query(`insert into vals values (1, 0.1::float8 + 0.2::float8, 'NaN', '2026-01-02 03:04:05.678901+00', '0044-03-15 BC', '1 mon 2 days 03:04:05',
      '\\xdeadbeef', array['a,b', null, '"'], '{"a": "\\u0000", "n": 1e400000}', 9223372036854775807, E'line\\n\\x1b[31m\\x1f\\x01 \\\\ end')`);
    expect((await g.caughtUp())[0]!.updated).toEqual({
      id: '1',
      f: '0.30000000000000004',
      n: 'NaN',
      t: '2026-01-02 03:04:05.678901+00',
      d: '0044-03-15 BC',
      i: '1 mon 2 days 03:04:05',
      b: '\\xdeadbeef',
      a: '{"a,b",NULL,"\\""}',
      j: '{"a": "\\u0000", "n": 1e400000}',
      big: '9223372036854775807',
      x: 'line\n\u001b[31m\u001f\u0001 \\ end',
    });
  });

  test('an unchanged TOAST value is neither null nor a change', async () => {
    await using g = await captureGround({
      schemaSql: `create table docs (id int primary key, body text, rev int); alter table docs alter body set storage external;`,
      yaml: `tables: { public.docs: { entity: document, name: "{id}" } }`,
    });
    await g.source.query(`insert into docs values (1, repeat('0123456789', 1000), 1)`);
    await g.source.query(`update docs set rev = 2`);
    const entries = await g.caughtUp();
    expect(entries[1]).toMatchObject({ previous: { rev: '1' }, updated: { rev: '2' }, unknown: [] });
    expect(Object.keys(entries[1]!.updated!)).toEqual(['rev']);
  });

  test('tables that are not tracked make no entries, and the slot still advances', async () => {
    await using g = await ground();
    await g.source.query(`insert into untracked select i, 'x' from generate_series(1, 1000) i`);
    expect(await g.caughtUp()).toHaveLength(0);
  });

  test('a stopped capture resumes exactly where it was', async () => {
    await using g = await ground();
    await g.source.query(`insert into customers (name) values ('a')`);
    await g.caughtUp();
    await g.capture.stop();
    await g.source.query(`insert into customers (name) values ('b'), ('c')`);
    await g.restart();
    const entries = await g.caughtUp();
    expect(entries.map(({ updated }) => updated!.name)).toEqual(['a', 'b', 'c']);
    expect(await readEntries(g.trail)).toEqual(entries);
  });
});
