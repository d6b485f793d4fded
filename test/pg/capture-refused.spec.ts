import { expect, test } from '@jest/globals';
import { captureGround, streaming } from '../support/capture.ts';
import { until } from '../support/until.ts';

const SCHEMA = `create table customers (id bigint generated always as identity primary key, name text, organization_id text, updated_by text);`;
const YAML = `
messages: { trust_names: true }
tables:
  public.customers: { entity: customer, name: "{name}", modifier: updated_by, tenant: organization_id }`;

const ground = () => captureGround({ schemaSql: SCHEMA, yaml: YAML });

test('a trail that refuses a batch (disk full) is reported, and its entries are stored once it has room again', async () => {
  await using g = await ground();
  await g.trail.query(`create function public.refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no room for %', new.entity_name using errcode = '53100'; end $$`);
  await g.trail.query(
    `create trigger refuse before insert on trail.entry for each row execute function public.refuse()`,
  );
  await g.source.query(`insert into customers (name) values ('Ada Lovelace')`);
  await until('the refusal to be reported', () => g.capture.status().error?.code === 'TRAIL_WRITE_FAILED');
  expect(g.capture.status()).toMatchObject({
    state: 'reconnecting',
    error: { message: expect.stringContaining('53100') },
  });
  expect(JSON.stringify(g.capture.status())).not.toContain('Ada');
  await g.trail.query(`drop trigger refuse on trail.entry`);
  await g.source.query(`insert into customers (name) values ('Grace')`);
  const entries = await g.caughtUp();
  expect(entries.map(({ updated }) => updated!.name)).toEqual(['Ada Lovelace', 'Grace']);
});

test('a refusal in the middle of a transaction larger than memory is reported, and the whole transaction is stored once', async () => {
  await using g = await ground();
  await g.trail.query(`create function public.refuse() returns trigger language plpgsql as
    $$ begin if new.seq = 15000 then raise exception 'no' using errcode = '53100'; end if; return new; end $$`);
  await g.trail.query(
    `create trigger refuse before insert on trail.entry for each row execute function public.refuse()`,
  );
  await g.source.query(
    `insert into customers (name) select 'a name of some length ' || i from generate_series(1, 40000) i`,
  );
  await until('the refusal to be reported', () => g.capture.status().error?.code === 'TRAIL_WRITE_FAILED');
  await g.trail.query(`drop trigger refuse on trail.entry`);
  const entries = await g.caughtUp();
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 40_000 }, (_, index) => index));
});

test('a trail connection that is terminated is replaced', async () => {
  await using g = await ground();
  await g.source.query(`insert into customers (name) values ('a')`);
  await g.caughtUp();
  await g.trail.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'waltrail capture'`,
  );
  await g.source.query(`insert into customers (name) values ('b')`);
  expect((await g.caughtUp()).map(({ updated }) => updated!.name)).toEqual(['a', 'b']);
  await streaming(g.capture);
});

const random = (bytes: number) =>
  `(select string_agg(md5(i::text || random()), '') from generate_series(1, ${bytes / 32}) i)`;

test('a key too long for an index does not stop capture: modifier, tenant, name', async () => {
  await using g = await captureGround({
    schemaSql: `${SCHEMA} create table agents (id text primary key, name text);`,
    yaml: `
modifiers: { table: public.agents, key: id, name: "{name}" }
${YAML}`,
  });
  await g.source.query(
    `insert into customers (name, updated_by, organization_id) values ('a', ${random(16_000)}, ${random(16_000)})`,
  );
  await g.source
    .query(`begin; select pg_logical_emit_message(true, 'waltrail', json_build_object('modifier', ${random(16_000)})::text);
    insert into customers (name) values ('b'); commit`);
  await g.source.query(`alter table agents drop constraint agents_pkey`);
  await g.source.query(`insert into agents values (${random(16_000)}, ${random(16_000)})`);
  await g.source.query(`insert into customers (name) values ('c')`);
  const entries = await g.caughtUp();
  expect(entries.map(({ updated, rung }) => [updated!.name, rung])).toEqual([
    ['a', 'c'],
    ['b', 'm'],
    ['c', '-'],
  ]);
  await g.restart();
  await g.source.query(
    `insert into customers (name, organization_id, updated_by) select 'd', organization_id, updated_by from customers where name = 'a'`,
  );
  // An entry about Waltrail states that the identity of agents was lost with its key.
  const later = (await g.caughtUp()).find(({ updated }) => updated?.name === 'd');
  expect(later).toMatchObject({ tenant: entries[0]!.tenant, modifierKey: entries[0]!.modifierKey });
});

test('a logical message with NUL characters does not stop capture', async () => {
  await using g = await ground();
  await g.source
    .query(`begin; select pg_logical_emit_message(true, 'waltrail', '{"modifier": "a\\u0000b", "name": "\\u0000", "context": {"k\\u0000": "\\u0000", "s": "\\ud800"}}');
    insert into customers (name) values ('b'); commit`);
  const [entry] = await g.caughtUp();
  expect(entry).toMatchObject({ rung: 'm', modifierKey: 'a\ufffdb', modifier: '\ufffd' });
});

test('a large number in a logical message keeps all its digits', async () => {
  await using g = await ground();
  await g.source
    .query(`begin; select pg_logical_emit_message(true, 'waltrail', '{"modifier": 9007199254740993, "context": {"request": 12345678901234567890, "text": "9007199254740993", "ratio": 0.50, "huge": 1e400}}');
    insert into customers (name) values ('b'); commit`);
  const [entry] = await g.caughtUp();
  expect(entry).toMatchObject({ modifierKey: '9007199254740993' });
  // Compared as text: a double would change the digits here, too.
  expect(await g.trail.query('select extra from trail.entry')).toEqual([
    {
      extra:
        '{"context":{"request":12345678901234567890,"text":"9007199254740993","ratio":0.50,"huge":1e400}}',
    },
  ]);
});
