import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { Conversation } from '../../src/pg/conversation.js';
import { captureGround, type PlainEntry } from '../support/capture.ts';
import { majorVersion } from '../support/database.ts';

type Values = Readonly<Record<string, string | null>> | null;

/** An entry in short: operation, table and entity id; values before; values after. */
const short = (entries: readonly PlainEntry[]): [what: string, previous: Values, updated: Values][] =>
  entries.map(({ operation, table, entityId, previous, updated }) => [
    `${operation} ${table.replace('public.', '')} ${entityId}`,
    previous,
    updated,
  ]);

const ITEMS = {
  schemaSql: 'create table items (id int primary key, name text, qty int)',
  yaml: 'tables: { public.items: { entity: item, name: "{name}" } }',
};

describe('one statement, many rows', () => {
  test('a COPY of 10,000 rows gives 10,000 entries in the order of its lines', async () => {
    await using g = await captureGround(ITEMS);
    const client = new pg.Client(g.source.url);
    await client.connect();
    const server = new Conversation(client);
    const copied = server.say('copy items from stdin');
    for (let id = 1; id <= 10_000; id++) server.copyData(copyData(`${id}\tname ${id}\t\\N\n`));
    server.endCopy();
    await copied;
    await client.end();
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(10_000);
    const wrong = entries.filter(
      ({ seq, operation, entityId, updated }, index) =>
        seq !== index ||
        operation !== 'i' ||
        entityId !== String(index + 1) ||
        updated!['name'] !== `name ${index + 1}` ||
        updated!['qty'] !== null,
    );
    expect(wrong).toEqual([]);
    expect(new Set(entries.map(({ commitLsn }) => commitLsn)).size).toBe(1);
  });

  test('INSERT … ON CONFLICT records the row that was added, the one that was changed, and none for DO NOTHING', async () => {
    await using g = await captureGround(ITEMS);
    await g.source.query(`insert into items values (1, 'a', 1), (2, 'b', 1)`);
    await g.source.query(
      `insert into items values (2, 'B', 5), (3, 'c', 1) on conflict (id) do update set name = excluded.name, qty = items.qty + 1`,
    );
    await g.source.query(`insert into items values (1, 'x', 9), (4, 'd', 1) on conflict do nothing`);
    await g.source.query(
      `insert into items values (1, 'x', 9) on conflict (id) do update set name = 'never' where items.qty > 100`,
    );
    expect(short(await g.caughtUp()).slice(2)).toEqual([
      ['u items 2', { name: 'b', qty: '1' }, { name: 'B', qty: '2' }],
      ['i items 3', null, { id: '3', name: 'c', qty: '1' }],
      ['i items 4', null, { id: '4', name: 'd', qty: '1' }],
    ]);
  });

  test('MERGE is recorded as the inserts, updates and deletes that it made, in their order', async () => {
    await using g = await captureGround(ITEMS);
    await g.source.query(`insert into items values (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (5, 'e', 5)`);
    // Before PostgreSQL 17 a MERGE only reaches rows that have a match.
    const bySource = (await majorVersion(g.source)) >= 17;
    await g.source.query(`
      merge into items using (values (1, 'A'), (2, null), (4, 'd')) as s (id, name) on items.id = s.id
      when matched and s.name is null then delete
      when matched then update set name = s.name
      when not matched then insert values (s.id, s.name, 0)
      ${
        bySource
          ? `when not matched by source and items.qty = 3 then update set qty = -3
             when not matched by source then delete
             returning merge_action(), items.id`
          : ''
      }`);
    const entries = (await g.caughtUp()).slice(4);
    expect(entries.map(({ seq }) => seq)).toEqual(bySource ? [0, 1, 2, 3, 4] : [0, 1, 2]);
    // The planner decides in which order a statement reaches its rows. The test asserts one entry a row.
    expect(short(entries).sort(([left], [right]) => left.slice(2).localeCompare(right.slice(2)))).toEqual([
      ['u items 1', { name: 'a' }, { name: 'A' }],
      ['d items 2', { id: '2', name: 'b', qty: '2' }, null],
      ...(bySource ? [['u items 3', { qty: '3' }, { qty: '-3' }]] : []),
      ['i items 4', null, { id: '4', name: 'd', qty: '0' }],
      ...(bySource ? [['d items 5', { id: '5', name: 'e', qty: '5' }, null]] : []),
    ]);
  });

  test('UPDATE … FROM, DELETE … USING and statements that write inside WITH are recorded row by row', async () => {
    await using g = await captureGround({
      schemaSql: `${ITEMS.schemaSql}; create table moved (id int primary key, name text); create table prices (id int primary key, qty int);
        insert into prices values (1, 10), (2, 20)`,
      yaml: 'tables: { public.items: { entity: item }, public.moved: { entity: moved } }',
    });
    await g.source.query(`insert into items values (1, 'a', 0), (2, 'b', 0), (3, 'c', 0)`);
    // Row 1 joins twice and is updated once.
    await g.source.query(
      `update items set qty = p.qty from (select * from prices union all select 1, 10) p where p.id = items.id and items.id = 1`,
    );
    await g.source.query(`delete from items using prices p where p.id = items.id and p.id = 2`);
    await g.source.query(`
      with gone as (delete from items where id = 3 returning id, name),
           kept as (update items set name = 'kept' returning id)
      insert into moved select id, name from gone`);
    expect(short(await g.caughtUp()).slice(3)).toEqual([
      ['u items 1', { qty: '0' }, { qty: '10' }],
      ['d items 2', { id: '2', name: 'b', qty: '0' }, null],
      ['d items 3', { id: '3', name: 'c', qty: '0' }, null],
      ['i moved 3', null, { id: '3', name: 'c' }],
      ['u items 1', { name: 'a' }, { name: 'kept' }],
    ]);
  });

  test('statements that change nothing make no entries: reads, locks, rollbacks, temporary and unlogged tables', async () => {
    await using g = await captureGround({
      schemaSql: `${ITEMS.schemaSql}; create unlogged table scratch (id int primary key)`,
      yaml: 'tables: { "public.*": { entity: item } }',
    });
    await g.source.query(`insert into items values (1, 'a', 1)`);
    await g.source.query(`begin; select * from items for update; select * from items for share; commit`);
    await g.source.query(`begin; update items set name = 'b'; delete from items; rollback`);
    await g.source.query(`insert into scratch values (1)`);
    await g.source.query(
      `begin; create temp table items (like public.items) on commit drop; insert into items values (2, 'temporary', 1); commit`,
    );
    await g.source.query(`update items set name = name, qty = 1`);
    await g.source.query(`delete from items where id = 77`);
    await g.source.query(`insert into items values (3, 'c', 1)`);
    expect(short(await g.caughtUp())).toEqual([
      ['i items 1', null, { id: '1', name: 'a', qty: '1' }],
      ['i items 3', null, { id: '3', name: 'c', qty: '1' }],
    ]);
    expect(g.capture.status().ignored).toBe(1);
  });
});

describe('one row, several changes', () => {
  test('two updates of one row in one transaction are two entries, each with the values before it', async () => {
    await using g = await captureGround(ITEMS);
    await g.source.query(`insert into items values (1, 'a', 1)`);
    await g.source.query(`begin; update items set name = 'b'; update items set name = 'c', qty = 2; commit`);
    const [, first, second] = await g.caughtUp();
    expect(short([first!, second!])).toEqual([
      ['u items 1', { name: 'a' }, { name: 'b' }],
      ['u items 1', { name: 'b', qty: '1' }, { name: 'c', qty: '2' }],
    ]);
    expect([first!.seq, second!.seq]).toEqual([0, 1]);
    expect(second!.commitLsn).toBe(first!.commitLsn);
  });

  test('a changed key shows the key before and after; the entity is the one after the change', async () => {
    await using g = await captureGround(ITEMS);
    await g.source.query(`insert into items values (1, 'a', 1), (2, 'b', 1)`);
    await g.source.query(`update items set id = 10 where id = 1`);
    await g.source.query(`update items set id = -id`);
    expect(short(await g.caughtUp()).slice(2)).toEqual([
      ['u items 10', { id: '1' }, { id: '10' }],
      ['u items -2', { id: '2' }, { id: '-2' }],
      ['u items -10', { id: '10' }, { id: '-10' }],
    ]);
  });

  test('changes after a savepoint are missing when it was rolled back, also for the same row and nested', async () => {
    await using g = await captureGround(ITEMS);
    await g.source.query(`
      begin;
      insert into items values (1, 'a', 1);
      savepoint s1; update items set name = 'rolled back'; insert into items values (2, 'rolled back', 1); rollback to s1;
      update items set name = 'b';
      savepoint s2; update items set name = 'c'; savepoint s3; update items set name = 'rolled back'; rollback to s3;
      update items set qty = 2; release s2;
      savepoint s4; savepoint s5; delete from items; release s5; rollback to s4;
      commit`);
    const entries = await g.caughtUp();
    expect(short(entries)).toEqual([
      ['i items 1', null, { id: '1', name: 'a', qty: '1' }],
      ['u items 1', { name: 'a' }, { name: 'b' }],
      ['u items 1', { name: 'b' }, { name: 'c' }],
      ['u items 1', { qty: '1' }, { qty: '2' }],
    ]);
    expect(entries.map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
    expect(new Set(entries.map(({ xid }) => xid)).size).toBe(1);
  });

  test('more subtransactions than a backend caches (64), every third rolled back, are recorded in order', async () => {
    await using g = await captureGround(ITEMS);
    await g.source.query(`
      do $$ begin
        for n in 1..300 loop
          begin
            insert into items values (n, 'n', n);
            if n % 3 = 0 then raise exception 'no'; end if;
          exception when raise_exception then null;
          end;
        end loop;
      end $$`);
    const entries = await g.caughtUp();
    const expected = Array.from({ length: 300 }, (_, index) => index + 1).filter((n) => n % 3 !== 0);
    expect(entries.map(({ updated }) => Number(updated!['id']))).toEqual(expected);
    expect(entries.map(({ seq }) => seq)).toEqual(expected.map((_, index) => index));
  });
});

describe('one statement that changes other tables', () => {
  test('cascades over three levels are recorded for every row they reach', async () => {
    await using g = await captureGround({
      schemaSql: `
        create table firms (id int primary key, name text);
        create table teams (id int primary key, firm int references firms on update cascade on delete cascade);
        create table seats (id int primary key, firm int, team int references teams on delete cascade);
        create table notes (id int primary key, seat int references seats on delete set null, text text)`,
      yaml: 'tables: { public.*: { entity: thing } }',
    });
    await g.source.query(`insert into firms values (1, 'f'); insert into teams values (11, 1), (12, 1);
      insert into seats values (21, 1, 11), (22, 1, 11); insert into notes values (31, 21, 'x'), (32, 22, 'y')`);
    await g.source.query(`update firms set id = 2`);
    await g.source.query(`delete from firms`);
    const entries = (await g.caughtUp()).slice(7);
    const [renamed, ...rest] = short(entries);
    expect(renamed).toEqual(['u firms 2', { id: '1' }, { id: '2' }]);
    expect(rest.slice(0, 2)).toEqual([
      ['u teams 11', { firm: '1' }, { firm: '2' }],
      ['u teams 12', { firm: '1' }, { firm: '2' }],
    ]);
    expect(rest.slice(2)).toEqual([
      ['d firms 2', { id: '2', name: 'f' }, null],
      ['d teams 11', { id: '11', firm: '2' }, null],
      ['d teams 12', { id: '12', firm: '2' }, null],
      ['d seats 21', { id: '21', firm: '1', team: '11' }, null],
      ['d seats 22', { id: '22', firm: '1', team: '11' }, null],
      ['u notes 31', { seat: '21' }, { seat: null }],
      ['u notes 32', { seat: '22' }, { seat: null }],
    ]);
    expect(entries.slice(3).map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('changes that triggers make elsewhere, at once or deferred to the commit, belong to the transaction', async () => {
    await using g = await captureGround({
      schemaSql: `${ITEMS.schemaSql}; create table totals (id int primary key, total int); insert into totals values (1, 0);
        create table checks (id int primary key, item int);
        create function count_item() returns trigger language plpgsql as $$ begin update totals set total = total + new.qty; return new; end $$;
        create function stamp() returns trigger language plpgsql as $$ begin new.name = upper(new.name); return new; end $$;
        create function check_later() returns trigger language plpgsql as $$ begin insert into checks values (new.id, new.id); return null; end $$;
        create trigger stamp before insert on items for each row execute function stamp();
        create trigger count_item after insert on items for each row execute function count_item();
        create constraint trigger check_later after insert on items deferrable initially deferred for each row execute function check_later();`,
      yaml: 'tables: { public.*: { entity: thing } }',
    });
    await g.source.query(
      `begin; insert into items values (1, 'a', 5); insert into items values (2, 'b', 7); commit`,
    );
    const entries = await g.caughtUp();
    expect(short(entries)).toEqual([
      ['i items 1', null, { id: '1', name: 'A', qty: '5' }],
      ['u totals 1', { total: '0' }, { total: '5' }],
      ['i items 2', null, { id: '2', name: 'B', qty: '7' }],
      ['u totals 1', { total: '5' }, { total: '12' }],
      ['i checks 1', null, { id: '1', item: '1' }],
      ['i checks 2', null, { id: '2', item: '2' }],
    ]);
    expect(new Set(entries.map(({ commitLsn }) => commitLsn)).size).toBe(1);
  });

  test('a deferred constraint that fails at the commit leaves no entry; keys swapped under one are two entries', async () => {
    await using g = await captureGround({
      schemaSql: `create table places (id int primary key, place int unique deferrable initially deferred, item int references places deferrable initially deferred)`,
      yaml: 'tables: { public.places: { entity: place } }',
    });
    await g.source.query(
      `begin; insert into places values (1, 1, 2); insert into places values (2, 2, null); commit`,
    );
    await expect(g.source.query(`begin; insert into places values (3, 3, 99); commit`)).rejects.toThrow();
    await g.source.query(`update places set place = 3 - place`);
    expect(short(await g.caughtUp())).toEqual([
      ['i places 1', null, { id: '1', place: '1', item: '2' }],
      ['i places 2', null, { id: '2', place: '2', item: null }],
      ['u places 1', { place: '1' }, { place: '2' }],
      ['u places 2', { place: '2' }, { place: '1' }],
    ]);
  });

  test('TRUNCATE … RESTART IDENTITY CASCADE of several tables is one entry for each tracked table, and ids restart', async () => {
    await using g = await captureGround({
      schemaSql: `create table parents (id int generated always as identity primary key, name text);
        create table children (id int primary key, parent int references parents);
        create table others (id int primary key); create table untracked (id int primary key, parent int references parents)`,
      yaml: 'tables: { public.parents: { entity: parent }, public.children: { entity: child }, public.others: { entity: other } }',
    });
    await g.source.query(
      `insert into parents (name) values ('a'), ('b'); insert into children values (1, 2); insert into others values (1)`,
    );
    await g.source.query(
      `begin; truncate others, parents restart identity cascade; insert into parents (name) values ('c'); commit`,
    );
    const entries = (await g.caughtUp()).slice(4);
    expect(short(entries.slice(0, 3)).sort(([left], [right]) => left.localeCompare(right))).toEqual([
      ['t children null', null, null],
      ['t others null', null, null],
      ['t parents null', null, null],
    ]);
    expect(short(entries.slice(3))).toEqual([['i parents 1', null, { id: '1', name: 'c' }]]);
    expect(entries.map(({ seq }) => seq)).toEqual([0, 1, 2, 3]);
    expect(entries[0]).toMatchObject({ entityName: '(all)', action: 'delete' });
  });
});

const copyData = (line: string): Buffer => {
  const data = Buffer.from(line);
  const header = Buffer.alloc(5);
  header[0] = 0x64;
  header.writeInt32BE(data.length + 4, 1);
  return Buffer.concat([header, data]);
};
