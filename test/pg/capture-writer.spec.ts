import { expect, test } from '@jest/globals';
import { beginTrail, elect, readCheckpoint } from '../../src/trail/checkpoint.js';
import { TrailWriter } from '../../src/trail/write.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

const HEAD = {
  seq: 0,
  modifierId: 0,
  relationId: 1,
  tenantId: 0,
  entityTypeId: 1,
  actionId: 1,
  operation: 0x69,
  rung: 0x2d,
};

async function openWriter(trail: TestDatabase): Promise<TrailWriter> {
  const client = await elect(trail.url);
  if (client === null) throw new Error('another writer is elected');
  if ((await readCheckpoint(client, 'test')) === undefined) {
    await beginTrail(client, {
      source: 'test',
      identity: { systemIdentifier: '1', timeline: 1 },
      slot: 's',
      startLsn: 100n,
      names: (async function* () {})(),
    });
  }
  return TrailWriter.open({
    client,
    checkpoint: (await readCheckpoint(client, 'test'))!,
    held: new Set(['public.agents']),
    checkUtf8: false,
    tickMs: 5_000,
    failed: () => undefined,
  });
}

function write(writer: TrailWriter): void {
  writer.rows.transaction(Buffer.alloc(20), 0);
  writer.rows.head(HEAD);
  for (let text = 0; text < 6; text++) writer.rows.nullText();
}

/** As a Commit message ends: end LSN and commit time. */
function position(endLsn: bigint): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE(endLsn);
  return bytes;
}

const name = (text: string) => ({ name: text, kind: 'agent' as const });

test('a name given after the committed transactions is not the one that a restart begins with', async () => {
  await using trail = await freshDatabase('trail');
  const writer = await openWriter(trail);
  writer.lookups.set('public.agents', '7', name('Dana Levi'));
  write(writer);
  writer.boundary(position(200n), 0);
  // The next transactions: an entry by agent 7, then the rename.
  write(writer);
  writer.lookups.set('public.agents', '7', name('Dana Cohen'));
  await writer.commit();
  await writer.close();

  const again = await openWriter(trail);
  expect(again.lookups.get('public.agents', '7')).toEqual(name('Dana Levi'));
  write(again);
  again.lookups.set('public.agents', '7', name('Dana Cohen'));
  again.boundary(position(300n), 0);
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

test('names given, cleared and given again at one entry end as the last one, stored and held', async () => {
  await using trail = await freshDatabase('trail');
  const writer = await openWriter(trail);
  writer.lookups.set('public.agents', '1', name('first'));
  writer.lookups.set('public.agents', '2', name('first'));
  writer.lookups.clear('public.agents');
  writer.lookups.set('public.agents', '2', name('second'));
  writer.boundary(position(200n), 0);
  await writer.commit();
  await writer.close();
  const again = await openWriter(trail);
  expect(again.lookups.get('public.agents', '1')).toBeUndefined();
  expect(again.lookups.get('public.agents', '2')).toEqual(name('second'));
  await again.close();
});

test('the session of the writer overrides settings of the database that would lose or end its work', async () => {
  await using trail = await freshDatabase('trail');
  await trail.query(`do $$ begin
    execute format('alter database %I set synchronous_commit = off', current_database());
    execute format('alter database %I set statement_timeout = 1000', current_database());
    execute format('alter database %I set idle_in_transaction_session_timeout = 1000', current_database());
    execute format('alter database %I set transaction_timeout = 1000', current_database());
  end $$`);
  const client = (await elect(trail.url))!;
  const { rows } = await client.query<{ name: string; setting: string }>(
    `select name, setting from pg_settings
      where name in ('synchronous_commit', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout') order by name`,
  );
  await client.end();
  expect(rows.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
    'idle_in_transaction_session_timeout 0',
    'statement_timeout 0',
    'synchronous_commit on',
    'transaction_timeout 0',
  ]);
});
