import { expect, jest, test } from '@jest/globals';
import { elect } from '../../src/trail/write/checkpoint.js';
import { freshDatabase, majorVersion } from '../support/database.ts';
import { endTransaction, openWriter, writeEntry } from '../support/writer.ts';

const name = (text: string) => ({ name: text, kind: 'agent' as const, tenant: null });

test('a restart does not use a name that was given after the committed transactions', async () => {
  await using trail = await freshDatabase('trail');
  const writer = await openWriter(trail);
  writer.lookups.set('public.agents', '7', name('Dana Levi'));
  writeEntry(writer);
  endTransaction(writer, 200n);
  // The next transactions: an entry by agent 7, then the rename.
  writeEntry(writer);
  writer.lookups.set('public.agents', '7', name('Dana Cohen'));
  await writer.commit();
  await writer.close();

  const again = await openWriter(trail);
  expect(again.lookups.get('public.agents', '7')).toEqual(name('Dana Levi'));
  writeEntry(again);
  again.lookups.set('public.agents', '7', name('Dana Cohen'));
  endTransaction(again, 300n);
  await again.commit();
  await again.close();

  const versions = await trail.query(
    `select from_id - min(from_id) over () as entry, name from trail.lookup order by from_id`,
  );
  expect(versions).toEqual([
    { entry: '0', name: 'Dana Levi' },
    { entry: '2', name: 'Dana Cohen' },
  ]);
});

test.each([30, 2, -30])(
  'a clock of this process that jumps by %s days does not keep entries from being stored',
  async (days) => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    const now = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + days * 86_400_000);
    try {
      for (const endLsn of [200n, 300n, 400n]) {
        writeEntry(writer);
        endTransaction(writer, endLsn);
        await writer.commit();
      }
      await writer.close();
      const again = await openWriter(trail);
      writeEntry(again);
      endTransaction(again, 500n);
      await again.commit();
      await again.close();
    } finally {
      clock.mockRestore();
    }
    const [stored] = await trail.query<{ entries: number; ahead: number }>(
      `select count(*)::int4 as entries, max((id >> 32)::int4) - trail.today() as ahead from trail.entry`,
    );
    expect(stored).toEqual({ entries: 4, ahead: days > 0 ? 1 : 0 });
  },
);

test('names that are given, cleared and given again at one entry end as the last one, stored and in memory', async () => {
  await using trail = await freshDatabase('trail');
  const writer = await openWriter(trail);
  writer.lookups.set('public.agents', '1', name('first'));
  writer.lookups.set('public.agents', '2', name('first'));
  writer.lookups.clear('public.agents');
  writer.lookups.set('public.agents', '2', name('second'));
  endTransaction(writer, 200n);
  await writer.commit();
  await writer.close();
  const again = await openWriter(trail);
  expect(again.lookups.get('public.agents', '1')).toBeUndefined();
  expect(again.lookups.get('public.agents', '2')).toEqual(name('second'));
  await again.close();
});

test('the session of the writer overrides settings of the database that would lose or end its work', async () => {
  await using trail = await freshDatabase('trail');
  const limits = [
    'idle_in_transaction_session_timeout',
    'statement_timeout',
    ...((await majorVersion(trail)) >= 17 ? ['transaction_timeout'] : []),
  ];
  await trail.query(`alter database ${trail.name} set synchronous_commit = off`);
  for (const limit of limits) await trail.query(`alter database ${trail.name} set ${limit} = 1000`);
  const client = (await elect(trail.url))!;
  const { rows } = await client.query<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1) order by name',
    [['synchronous_commit', ...limits]],
  );
  await client.end();
  expect(rows.map(({ name, setting }) => `${name} ${setting}`)).toEqual(
    ['synchronous_commit on', ...limits.map((limit) => `${limit} 0`)].sort(),
  );
});
