import { describe, expect, test } from '@jest/globals';
import { applyTracking, captureGround, type PlainEntry } from '../support/capture.ts';

type Values = Readonly<Record<string, string | null>> | null;

const short = (
  entries: readonly PlainEntry[],
): [what: string, previous: Values, updated: Values, unknown: readonly string[]][] =>
  entries
    // Gaps of tables without full identity are entries, too.
    .filter(({ rung }) => rung !== 'w')
    .map(({ operation, table, entityId, previous, updated, unknown }) => [
      `${operation} ${table.replace('public.', '')} ${entityId}`,
      previous,
      updated,
      unknown,
    ]);

const BODY = '0123456789'.repeat(1000);

describe('replica identity and TOAST', () => {
  const ground = () =>
    captureGround({
      schemaSql: `create table docs (id int primary key, code text not null unique, body text, rev int); alter table docs alter body set storage external`,
      yaml: 'tables: { public.docs: { entity: document, name: "{code} {body}" } }',
    });

  test('full: an unchanged TOAST value is taken from the old row', async () => {
    await using g = await ground();
    await g.source.query(`insert into docs values (1, 'a', repeat('0123456789', 1000), 1)`);
    await g.source.query(`update docs set rev = 2`);
    await g.source.query(`update docs set body = body || '!'`);
    await g.source.query(`update docs set body = null`);
    await g.source.query(`delete from docs`);
    const [, rev, body, toNull, remove] = await g.caughtUp();
    expect(short([rev!, body!, toNull!, remove!])).toEqual([
      ['u docs 1', { rev: '1' }, { rev: '2' }, []],
      ['u docs 1', { body: BODY }, { body: `${BODY}!` }, []],
      ['u docs 1', { body: `${BODY}!` }, { body: null }, []],
      ['d docs 1', { id: '1', code: 'a', body: null, rev: '2' }, null, []],
    ]);
    expect(rev!.entityName).toBe(`a ${BODY.slice(0, 1000)}…`);
  });

  test.each([
    ['default', ['id'], { id: '1' }],
    ['using index docs_code_key', ['code'], { code: 'a' }],
  ] as const)(
    '%s: a value that was not sent is unknown, never null and never a change',
    async (identity, [key], sent) => {
      await using g = await ground();
      await g.source.query(`alter table docs replica identity ${identity}`);
      await g.source.query(`insert into docs values (1, 'a', repeat('0123456789', 1000), 1)`);
      await g.source.query(`update docs set rev = 2`);
      await g.source.query(`update docs set id = 2, code = 'b'`);
      await g.source.query(`delete from docs`);
      const [, rev, keys, remove] = (await g.caughtUp()).filter(({ rung }) => rung !== 'w');
      // Without an old row every sent value may have changed, except those of the replica identity. Unchanged
      // TOAST has not.
      const updated = Object.fromEntries(
        Object.entries({ id: '1', code: 'a', rev: '2' }).filter(([column]) => column !== key),
      );
      expect(short([rev!])).toEqual([['u docs 1', {}, updated, Object.keys(updated)]]);
      expect(keys).toMatchObject({ previous: sent, updated: { id: '2', code: 'b', rev: '2' } });
      expect(keys!.updated).not.toHaveProperty('body');
      expect(keys!.unknown).toEqual(['id', 'code', 'rev'].filter((column) => column !== key));
      expect(remove!.previous).toEqual(key === 'id' ? { id: '2' } : { code: 'b' });
      expect(remove!.unknown).toEqual(['id', 'code', 'body', 'rev'].filter((column) => column !== key));
    },
  );

  test('nothing: the source refuses updates and deletes, and inserts are captured', async () => {
    await using g = await ground();
    await g.source.query(`alter table docs replica identity nothing`);
    await g.source.query(`insert into docs values (1, 'a', 'b', 1)`);
    await expect(g.source.query(`update docs set rev = 2`)).rejects.toThrow(/replica identity/);
    await expect(g.source.query(`delete from docs`)).rejects.toThrow(/replica identity/);
    expect(short(await g.caughtUp())).toEqual([
      ['i docs 1', null, { id: '1', code: 'a', body: 'b', rev: '1' }, []],
    ]);
  });
});

describe('partitions', () => {
  const ground = () =>
    captureGround({
      schemaSql: `create table items (id int primary key, name text, qty int) partition by range (id);
        create table items_1 partition of items for values from (0) to (100);
        create table items_2 (qty int, gone int, name text, id int not null);
        alter table items_2 drop gone; alter table items attach partition items_2 for values from (100) to (200)`,
      yaml: 'tables: { public.items: { entity: item } }',
    });

  test('a row that moves between partitions is a delete and an insert with all values, also with another column order', async () => {
    await using g = await ground();
    await g.source.query(`insert into items values (1, 'a', 7)`);
    await g.source.query(`update items set id = 101, name = 'b'`);
    await g.source.query(`update items set name = 'c' where id = 101`);
    await g.source.query(`update items_2 set id = 102`);
    const entries = await g.caughtUp();
    expect(short(entries)).toEqual([
      ['i items 1', null, { id: '1', name: 'a', qty: '7' }, []],
      ['d items 1', { id: '1', name: 'a', qty: '7' }, null, []],
      ['i items 101', null, { id: '101', name: 'b', qty: '7' }, []],
      ['u items 101', { name: 'b' }, { name: 'c' }, []],
      ['u items 102', { id: '101' }, { id: '102' }, []],
    ]);
    expect(entries.map(({ seq }) => seq)).toEqual([0, 0, 1, 0, 0]);
  });

  test('rows that are attached or detached with a partition make no entries; changes in between do', async () => {
    await using g = await ground();
    await g.source
      .query(`create table items_3 (like items including all); insert into items_3 values (201, 'before', 1);
      alter table items_3 replica identity full; alter table items attach partition items_3 for values from (200) to (300)`);
    await g.source.query(`update items set name = 'attached' where id = 201`);
    await g.source
      .query(`begin; insert into items values (202, 'in', 1); alter table items detach partition items_3;
      insert into items_3 values (203, 'out', 1); update items_3 set name = 'out'; commit`);
    expect(short(await g.caughtUp())).toEqual([
      ['u items 201', { name: 'before' }, { name: 'attached' }, []],
      ['i items 202', null, { id: '202', name: 'in', qty: '1' }, []],
    ]);
  });

  test('a partition that is added later without full identity sends keys only: the other values are unknown, not null', async () => {
    await using g = await ground();
    await g.source.query(`create table items_3 partition of items for values from (200) to (300)`);
    await g.source.query(`insert into items values (201, 'a', 1)`);
    await g.source.query(`update items set name = 'b'`);
    await g.source.query(`update items set id = 202`);
    await g.source.query(`delete from items`);
    expect(short(await g.caughtUp()).slice(1)).toEqual([
      ['u items 201', {}, { name: 'b', qty: '1' }, ['name', 'qty']],
      ['u items 202', { id: '201' }, { id: '202', name: 'b', qty: '1' }, ['name', 'qty']],
      ['d items 202', { id: '202' }, null, ['name', 'qty']],
    ]);
    await applyTracking(g.config);
    await g.source.query(`insert into items values (203, null, 1)`);
    await g.source.query(`delete from items`);
    expect(short(await g.caughtUp()).slice(-1)).toEqual([
      ['d items 203', { id: '203', name: null, qty: '1' }, null, []],
    ]);
  });
});
