import { expect, test } from '@jest/globals';
import { startLoad } from '../support/load.ts';
import { expectExact, judge, type Verdict } from '../support/oracle.ts';
import { streamingGround } from './ground.ts';

/**
 * Ways to tamper with a stored entry, and the count of the verdict that must rise. The entry is never the
 * last one.
 */
const TAMPERINGS: readonly (readonly [keyof Verdict, string, string])[] = [
  ['lost', 'deletes an entry', `delete from trail.entry where id = $id`],
  [
    'lost',
    'deletes a whole transaction',
    `delete from trail.entry where commit_lsn = (select commit_lsn from trail.entry where id = $id)`,
  ],
  [
    'doubled',
    'stores an entry twice',
    `insert into trail.entry select (jsonb_populate_record(e, jsonb_build_object('id', (select max(id) + 1 from trail.entry)))).* from trail.entry e where id = $id`,
  ],
  [
    'doubled',
    'adds what never happened',
    `insert into trail.entry select (jsonb_populate_record(e, jsonb_build_object('id', e.id + (1::bigint << 32), 'xid', '1', 'commit_lsn', 'FFFF/0'))).* from trail.entry e where id = $id`,
  ],
  [
    'outOfOrder',
    'moves an entry to the end',
    `update trail.entry set id = id + (1::bigint << 32) where id = $id`,
  ],
  [
    'outOfOrder',
    'swaps two transactions that changed one row, with their LSNs',
    `update trail.entry e set id = other.id, commit_lsn = other.commit_lsn, seq = other.seq
       from trail.entry other
      where e.extra is null and (e.entity_name, other.entity_name) in (('swap', 'swap')) and e.id <> other.id`,
  ],
  [
    'wrong',
    "exchanges the values of one transaction's changes",
    `update trail.entry e set updated = other.updated from trail.entry other
      where e.entity_name = 'pair' and other.entity_name = 'pair' and e.commit_lsn = other.commit_lsn and e.id <> other.id`,
  ],
  [
    'wrong',
    'alters a value',
    `update trail.entry set updated = replace(updated, 'as written', 'as altered') where updated like '%as written%'`,
  ],
  ['wrong', 'forgets a value', `update trail.entry set previous = null where id = $id`],
  [
    'wrong',
    'calls an update an insert',
    `update trail.entry set operation = 'i', previous = null where id = $id`,
  ],
  [
    'wrong',
    'names another modifier',
    `update trail.entry set modifier_id = (select max(id) from trail.modifier) where id = $id`,
  ],
];

test('the oracle detects each single entry that is lost, doubled, moved or altered', async () => {
  await using g = await streamingGround();
  const { source, trail } = g;
  await using load = startLoad({ url: source.url, writers: 2, seed: 5, bulk: 60 });
  await g.storesMore();
  await source.query(`
    insert into accounts values (1001, 'swap', 1, 'first'), (1002, 'pair', 1, null), (1003, 'pair', 1, null), (1004, 'plain', 1, null)`);
  await source.query(`update accounts set note = 'as written' where id = 1001`);
  await source.query(
    `begin; update accounts set note = 'a' where id = 1002; update accounts set note = 'b' where id = 1003; commit`,
  );
  await source.query(`update accounts set amount = 2 where id = 1004`);
  await g.storesMore();
  await load.stop(100);
  await source.query(
    `begin; select oracle.say('the last one'); update accounts set note = 'end' where id = 1; commit`,
  );
  await g.caughtUp();
  const verdict = await expectExact({ source, trail, atLeast: 100 });
  expect(verdict.transactions).toBeGreaterThan(20);

  const [plain] = await trail.query<{ id: string }>(
    `select id::text from trail.entry where entity_name = 'plain' and operation = 'u'`,
  );
  await trail.query('create table kept as select * from trail.entry');
  for (const [count, what, sql] of TAMPERINGS) {
    await trail.query(sql.replaceAll('$id', plain!.id));
    expect({ what, count: (await judge({ source, trail }))[count] }).not.toEqual({ what, count: 0 });
    await trail.query('truncate trail.entry; insert into trail.entry select * from kept');
  }
  await expectExact({ source, trail, atLeast: 100 });
});
