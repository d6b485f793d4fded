import { afterEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import {
  applyTracking,
  captureGround,
  readEntries,
  streaming,
  testConfig,
  untilCaughtUp,
  type PlainEntry,
} from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';

describe('days', () => {
  const realNow = Date.now;
  afterEach(() => {
    Date.now = realNow;
  });

  test('entries after midnight belong to the next day, numbered from 0 without gaps, in commit order; a clock set back changes nothing', async () => {
    await using g = await captureGround({
      schemaSql: 'create table items (id int generated always as identity primary key, name text)',
      yaml: 'tables: { public.items: { entity: item, name: "{name}" } }',
    });
    const add = (names: string) => g.source.query(`insert into items (name) select unnest(array[${names}])`);
    await add(`'a', 'b'`);
    const before = await g.caughtUp();
    Date.now = () => realNow() + 86_400_000;
    await add(`'c'`);
    await g.caughtUp();
    await add(`'d', 'e'`);
    await g.caughtUp();
    Date.now = realNow;
    await add(`'f'`);
    await g.caughtUp();
    await g.restart();
    await add(`'g'`);
    const entries = await g.caughtUp();
    expect(entries.map(({ updated }) => updated!['name'])).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    const day = before[0]!.id >> 32n;
    const places = entries.map(({ id }) => [Number((id >> 32n) - day), Number(id & 0xffffffffn)]);
    const first = places.findIndex(([of]) => of === 1);
    expect(places).toEqual([
      ...Array.from({ length: first }, (_, index) => [0, index]),
      ...Array.from({ length: 7 - first }, (_, index) => [1, index]),
    ]);
    expect(first).toBeLessThanOrEqual(3);
    expect(await g.trail.query('select day::text, entries::text from trail.day')).toEqual([
      { day: String(day), entries: String(first) },
    ]);
  });
});

const ofParts = (entries: readonly PlainEntry[]): PlainEntry[] =>
  entries.filter(({ entityType }) => entityType === 'part');

test('a table of 1,600 columns is captured whole, and its update has the columns that changed', async () => {
  const columns = Array.from({ length: 1599 }, (_, index) => `c${index} int`).join(', ');
  await using g = await captureGround({
    schemaSql: `create table wide (id int primary key, ${columns})`,
    yaml: 'tables: { public.wide: { entity: wide } }',
  });
  await g.source.query('insert into wide (id, c0, c1598) values (1, 5, 6)');
  await g.source.query('update wide set c0 = 7, c900 = 8, c1598 = 9');
  const [insert, update] = await g.caughtUp();
  expect(Object.keys(insert!.updated!)).toHaveLength(1600);
  expect(insert!.updated).toMatchObject({ id: '1', c0: '5', c1: null, c1598: '6' });
  expect(update).toMatchObject({
    previous: { c0: '5', c900: null, c1598: '6' },
    updated: { c0: '7', c900: '8', c1598: '9' },
  });
});

test('a truncate that cascades is one entry for each tracked table; keys identify rows where only they are sent', async () => {
  await using g = await captureGround({
    schemaSql: `create table parents (id int primary key, name text); create table children (id int primary key, parent int references parents, name text);`,
    yaml: 'tables: { public.parents: { entity: parent }, public.children: { entity: child } }',
  });
  await g.source.query(`insert into parents values (1, 'p'); insert into children values (1, 1, 'c')`);
  await g.source.query('truncate parents cascade');
  const entries = await g.caughtUp();
  expect(
    entries
      .slice(2)
      .map(({ operation, entityType }) => `${operation} ${entityType}`)
      .sort(),
  ).toEqual(['t child', 't parent']);
  expect(new Set(entries.slice(2).map(({ seq }) => seq)).size).toBe(2);
  await g.source.query('alter table children replica identity default');
  await g.source.query(`insert into children values (2, null, 'x')`);
  await g.source.query(`update children set id = 3`);
  await g.source.query(`delete from children`);
  const [, update, remove] = (await g.caughtUp()).filter(({ rung }) => rung !== 'w').slice(4);
  expect(update).toMatchObject({
    previous: { id: '2' },
    updated: { id: '3', name: 'x' },
    unknown: ['parent', 'name'],
  });
  expect(remove).toMatchObject({ entityId: '3', previous: { id: '3' }, unknown: ['parent', 'name'] });
});

test('where only a key is sent, a column of it that did not change is not listed', async () => {
  await using g = await captureGround({
    schemaSql: 'create table parts (a int, b int, name text, size int, primary key (a, b))',
    yaml: 'tables: { public.parts: { entity: part } }',
  });
  await g.source.query('alter table parts replica identity default');
  await g.source.query(`insert into parts values (1, 2, 'x', 5)`);
  await g.source.query('update parts set a = 3, size = null');
  const [, update] = ofParts(await g.caughtUp());
  expect(update).toMatchObject({ updated: { a: '3', name: 'x', size: null }, unknown: ['name', 'size'] });
  expect(update!.previous).toEqual({ a: '1' });
});

test('an update through a partitioned table whose identity has just become its key lists what changed', async () => {
  await using g = await captureGround({
    schemaSql: `create table parts (id int primary key, name text, size int) partition by range (id);
      create table parts_1 partition of parts for values from (0) to (100)`,
    yaml: 'tables: { public.parts: { entity: part } }',
  });
  await g.source.query(`insert into parts values (1, 'x', 5)`);
  await g.source.query(`update parts set name = 'y'`);
  // PostgreSQL does not describe the partitioned table again: the stream still marks every column as part of
  // the key.
  await g.source.query('alter table only parts replica identity default');
  await g.source.query(`update parts set name = 'z'`);
  const updates = ofParts(await g.caughtUp()).slice(1);
  expect(updates.map(({ previous, updated, unknown }) => ({ previous, updated, unknown }))).toEqual([
    { previous: { name: 'x' }, updated: { name: 'y' }, unknown: [] },
    { previous: { name: 'y' }, updated: { name: 'z' }, unknown: [] },
  ]);
});

test('a column added, renamed and dropped in the middle of transactions is captured as it was at each change', async () => {
  await using g = await captureGround({
    schemaSql: 'create table items (id int primary key, name text)',
    yaml: 'tables: { public.items: { entity: item } }',
  });
  await g.source
    .query(`begin; insert into items values (1, 'a'); alter table items add extra text default 'd'; update items set extra = 'e';
    alter table items rename name to title; update items set title = 'b'; alter table items drop extra; insert into items values (2, 'c'); commit`);
  const entries = await g.caughtUp();
  const changes = entries.filter(({ entityType }) => entityType === 'item');
  expect(changes.map(({ previous, updated }) => [previous, updated])).toEqual([
    [null, { id: '1', name: 'a' }],
    [{ extra: 'd' }, { extra: 'e' }],
    [{ title: 'a' }, { title: 'b' }],
    [null, { id: '2', title: 'c' }],
  ]);
  // Each shape is reported before the first change in it.
  expect(entries.map(({ action }) => action)).toEqual([
    'add',
    'schema_change',
    'edit',
    'schema_change',
    'edit',
    'schema_change',
    'add',
  ]);
});

test('rows of partitions are entries of their partitioned table', async () => {
  await using g = await captureGround({
    schemaSql: `create table items (id int, name text, primary key (id)) partition by range (id);
      create table items_low partition of items for values from (0) to (100); create table items_high partition of items for values from (100) to (200);`,
    yaml: 'tables: { public.items: { entity: item } }',
  });
  await g.source.query(`insert into items values (1, 'a'); update items set id = 101`);
  const entries = await g.caughtUp();
  // PostgreSQL moves a row between partitions as a delete and an insert, also when it is published through
  // the root.
  expect(entries.map(({ operation, table }) => `${operation} ${table}`)).toEqual([
    'i public.items',
    'd public.items',
    'i public.items',
  ]);
});

test('bytes of a source without an encoding are kept as they are', async () => {
  const name = `test_ascii_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client(process.env['WALTRAIL_TEST_POSTGRES']);
  await admin.connect();
  await admin.query(`create database ${name} encoding 'SQL_ASCII' template template0 locale 'C'`);
  const url = new URL(process.env['WALTRAIL_TEST_POSTGRES']!);
  url.pathname = `/${name}`;
  const query = async <T>(sql: string): Promise<T[]> => {
    const client = new pg.Client(url.href);
    await client.connect();
    try {
      return (await client.query(sql)).rows as T[];
    } finally {
      await client.end();
    }
  };
  const source = { url: url.href, name, query, [Symbol.asyncDispose]: () => Promise.resolve() };
  await using trail = await freshDatabase('trail');
  await query(`create table items (id int primary key, name text, tenant text, by_whom text);
    create table people (id text primary key, name text); insert into people values (E'm\\xe9', E'Ren\\xe9')`);
  const config = testConfig({
    source,
    trail,
    yaml: `
modifiers: { table: public.people, key: id, name: "{name}" }
tables: { public.items: { entity: item, name: "{name}", tenant: tenant, modifier: by_whom } }`,
  });
  await applyTracking(config);
  const capture = startCapture({ config, log: silentLog });
  try {
    await streaming(capture);
    await query(
      `insert into items values (1, E'caf\\xe9', E't\\xe9', E'm\\xe9'), (2, E'caf\\xc3\\xa9', null, null)`,
    );
    await untilCaughtUp(source, trail);
    const entries = await readEntries(trail);
    expect(entries.map(({ updated }) => updated!['name'])).toEqual(['bytes:636166e9', 'café']);
    expect(entries[0]).toMatchObject({
      modifier: '\\x{52656ee9}',
      modifierKey: '\\x{6de9}',
      tenant: '\\x{74e9}',
      entityName: '\\x{636166e9}',
      rung: 'c',
    });
  } finally {
    await capture.stop();
    await admin.query(`select pg_drop_replication_slot('${config.source.slot}')`).catch(() => undefined);
    await query(`select pg_drop_replication_slot('${config.source.slot}')`).catch(() => undefined);
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  }
});
