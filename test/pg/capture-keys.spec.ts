import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';

const YAML = `tables: { "public.*": { entity: thing, name: "{name}" } }`;

/** Capture is stopped while changes are made: the catalog is then ahead of the stream. */
async function whileAway(g: CaptureGround, ...transactions: string[]): Promise<string[]> {
  await g.capture.stop();
  for (const sql of transactions) await g.source.query(sql);
  await g.restart();
  return shown(await g.caughtUp());
}

/** Operation, id, and whether the key is marked as a later one. */
const shown = (entries: readonly PlainEntry[]): string[] =>
  entries
    .filter(({ rung }) => rung !== 'w')
    .map(({ operation, entityId, extra }) =>
      [operation, entityId, ...(isLater(extra) ? ['later'] : [])].join(' '),
    );
const isLater = (extra: unknown): boolean => (extra as { laterKey?: boolean } | null)?.laterKey === true;

const ground = (schemaSql: string, yaml = YAML): Promise<CaptureGround> => captureGround({ schemaSql, yaml });
const TABLE = `create table items (a int not null, b int not null, name text)`;

describe('the id of a row whose key was changed before the source could be asked', () => {
  test('uses the later key, and the entry states that; rows after the change use it without doubt', async () => {
    await using g = await ground(TABLE);
    expect(
      await whileAway(
        g,
        `insert into items values (1, 2, 'x')`,
        `alter table items add primary key (a, b)`,
        `insert into items values (3, 4, 'y')`,
      ),
    ).toEqual(['i 1,2 later', 'i 3,4']);
    await g.source.query(`update items set name = 'z' where a = 1`);
    expect(shown(await g.caughtUp()).at(-1)).toBe('u 1,2');
  });

  test.each(['a', 'id'])('is missing where the row had only a part of the later key, %s', async (column) => {
    await using g = await ground(`create table items (${column} int primary key, name text)`);
    expect(
      await whileAway(
        g,
        `insert into items values (1, 'x')`,
        `alter table items add column c int not null default 7, drop constraint items_pkey, add primary key (${column}, c)`,
        `insert into items values (2, 'y', 8)`,
      ),
    ).toEqual(['i  later', 'i 2,8']);
  });

  test('uses the key of its time where the source sends it, with the default replica identity', async () => {
    await using g = await ground(`create table items (a int primary key, b int not null, name text)`);
    await g.source.query('alter table items replica identity default');
    expect(
      await whileAway(
        g,
        `insert into items values (1, 2, 'x')`,
        `alter table items drop constraint items_pkey, add primary key (b)`,
        `insert into items values (3, 4, 'y')`,
      ),
    ).toEqual(['i 1', 'i 4']);
  });

  test.each([
    ['in another transaction', 1],
    ['in the same transaction', 3],
  ])('is the same where a column of the key was only renamed, %s', async (_, together) => {
    await using g = await ground(`create table items (a int, b int, name text, primary key (b, a))`);
    const statements = [
      `insert into items values (1, 2, 'x')`,
      `alter table items rename a to z`,
      `insert into items values (3, 4, 'y')`,
    ];
    const transactions = [statements.slice(0, together).join(';'), ...statements.slice(together)];
    expect(await whileAway(g, ...transactions)).toEqual(['i 2,1', 'i 4,3']);
  });

  test('is marked as possibly a later one where the table no longer exists', async () => {
    await using g = await ground(`create table items (id int primary key, name text)`);
    expect(await whileAway(g, `insert into items values (1, 'x')`, `drop table items`)).toEqual([
      'i 1 later',
    ]);
  });
});

test('the id of a partitioned table uses its primary key, although full identity flags every column', async () => {
  await using g = await ground(`
    create table parts (id int, region text, name text, primary key (region, id)) partition by list (region);
    create table parts_eu partition of parts for values in ('eu')`);
  await g.source.query(`insert into parts values (1, 'eu', 'x'); update parts set name = 'y'`);
  expect(shown(await g.caughtUp())).toEqual(['i eu,1', 'u eu,1']);
});

test('an id that the YAML computes from columns is missing when the table has lost one of them', async () => {
  await using g = await ground(
    `create table items (id int primary key, region text, name text)`,
    `tables: { public.items: { entity: thing, id: [id, region] } }`,
  );
  await g.source.query(`insert into items values (1, 'eu', 'x')`);
  await g.source.query(`alter table items rename region to zone`);
  await g.source.query(`insert into items values (2, 'eu', 'y')`);
  expect(shown(await g.caughtUp())).toEqual(['i 1,eu', 'i ']);
});
