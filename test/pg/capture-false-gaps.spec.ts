import { expect, test } from '@jest/globals';
import pg from 'pg';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { until } from '../support/until.ts';

const SCHEMA = `
  create table items (id int primary key, name text);
  create table parts (id int primary key, name text);
  create table events (id int primary key, name text) partition by range (id);
  create table events_low partition of events for values from (0) to (1000);`;
const YAML = `tables: { "public.*": { entity: thing, name: "{name}" } }`;

const ground = (): Promise<CaptureGround> =>
  captureGround({ schemaSql: SCHEMA, yaml: YAML, options: { pace: { lookMs: 200 } } });

const gaps = (g: CaptureGround): Promise<unknown[]> =>
  g.trail.query('select code, tables, closed_at is not null as closed from trail.gap');

/** Gaps, open and ended. */
const begun = (g: CaptureGround): Promise<unknown[]> => g.trail.query('select code, tables from trail.gap');

/** A note about `subject` is in the trail: a look has happened after the change. */
const noted = (g: CaptureGround, subject: string): Promise<void> =>
  until(`a note about ${subject}`, async () =>
    (await g.entries()).some(({ action, entityName }) => action === 'tracking' && entityName === subject),
  );

test('two published tables that swap their names lose nothing, and are no gap', async () => {
  await using g = await ground();
  await g.source.query(`insert into items values (1, 'item'); insert into parts values (1, 'part')`);
  await g.source.query(`
    begin; alter table items rename to passing; alter table parts rename to items; alter table passing rename to parts; commit`);
  await g.source.query(
    `insert into items values (2, 'was a part'); insert into parts values (2, 'was an item')`,
  );
  await noted(g, 'public.items');
  await g.source.query(`insert into items values (3, 'still'); insert into parts values (3, 'still')`);
  const rows = (await g.caughtUp()).filter(({ rung }) => rung !== 'w');
  expect(rows.map(({ table, entityName }) => `${table} ${entityName}`)).toEqual([
    'public.items item',
    'public.parts part',
    'public.items was a part',
    'public.parts was an item',
    'public.items still',
    'public.parts still',
  ]);
  expect(await gaps(g)).toEqual([]);
});

test.each([
  ['written', `create table items (id int primary key, name text); insert into items values (1, 'unsent')`],
  ['created with rows', `create table items as select 1 as id, 'unsent' as name`],
])('a table that is %s before it is published, in one transaction, is a gap', async (_, make) => {
  await using g = await ground();
  await g.source.query(
    `begin; drop table items; ${make}; alter table items replica identity full; alter publication waltrail add table items; commit`,
  );
  await until('a gap', async () => (await gaps(g)).length > 0);
  expect(await gaps(g)).toMatchObject([{ code: 'SOURCE_PUBLICATION_INCOMPLETE', tables: ['public.items'] }]);
});

test.each([
  ['a table', `create table items (id int primary key, name text)`],
  [
    'a partitioned table',
    `create table items (id int primary key, name text) partition by range (id);
     create table items_low partition of items for values from (0) to (1000);
     alter table items_low replica identity full`,
  ],
])(
  '%s that is recreated and published before it is written, in one transaction, is no gap',
  async (_, make) => {
    await using g = await ground();
    await g.source.query(`insert into items values (1, 'of before')`);
    await g.source.query(
      `begin; drop table items; ${make}; alter table items replica identity full; alter publication waltrail add table items; commit`,
    );
    await noted(g, 'public.items');
    await g.source.query(`insert into items values (2, 'of the new one')`);
    const rows = (await g.caughtUp()).filter(({ rung }) => rung !== 'w');
    expect(rows.map(({ entityName }) => entityName)).toEqual(['of before', 'of the new one']);
    expect(await gaps(g)).toEqual([]);
  },
);

test('a new owner of the publication loses nothing: no gap, and no new session', async () => {
  await using g = await ground();
  const role = `owner_${g.source.name}`;
  await g.source.query(`create role ${role} superuser`);
  const pid = async () =>
    (
      await g.source.query(`select active_pid from pg_replication_slots where database = current_database()`)
    )[0];
  const before = await pid();
  await g.source.query(`alter publication waltrail owner to ${role}`);
  await noted(g, 'waltrail');
  await g.source.query(`insert into items values (1, 'kept')`);
  expect((await g.caughtUp()).filter(({ rung }) => rung !== 'w')).toHaveLength(1);
  expect(await gaps(g)).toEqual([]);
  expect(await pid()).toEqual(before);
  await g.source.query(`reassign owned by ${role} to current_user; drop role ${role}`);
});

test('a published table that becomes a partition of a published one is no gap, and its rows are still captured', async () => {
  await using g = await ground();
  await g.source.query(`
    create table events_high (id int primary key, name text);
    alter table events_high replica identity full; alter publication waltrail add table events_high`);
  await noted(g, 'public.events_high');
  const before = await begun(g);
  await g.source.query(`insert into events_high values (1000, 'alone')`);
  await g.source.query('alter table events attach partition events_high for values from (1000) to (2000)');
  await g.source.query(`insert into events values (1001, 'through the root')`);
  const rows = (await g.caughtUp()).filter(({ rung }) => rung !== 'w');
  expect(rows.map(({ entityName }) => entityName)).toEqual(['alone', 'through the root']);
  expect(await begun(g)).toEqual(before);
});

test('a gap ends although somebody writes another table for a long time, and although tables are created all the time', async () => {
  await using g = await ground();
  const long = new pg.Client(g.source.url);
  await long.connect();
  await long.query(`begin; insert into parts values (1, 'for long')`);
  await g.source.query('alter publication waltrail drop table items');
  await until('a gap', async () => (await gaps(g)).length > 0);
  let making = true;
  const isMaking = (): boolean => making;
  const maker = (async () => {
    for (let n = 0; isMaking(); n++)
      await g.source.query(
        `create table made_${n} (id int primary key); alter table made_${n} rename to remade_${n}; drop table remade_${n}`,
      );
  })();
  await g.source.query('alter publication waltrail add table items');
  await until(
    'the gap to end',
    async () =>
      (await g.trail.query(`select from trail.gap where tables = '{public.items}' and closed_at is null`))
        .length === 0,
    15_000,
  ).finally(() => (making = false));
  await maker;
  await long.query('commit');
  await long.end();
});
