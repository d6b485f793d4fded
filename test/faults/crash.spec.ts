import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { startLoad, STEADY } from '../support/load.ts';
import { until } from '../support/until.ts';
import { faultGround, note, ownSource, ownTrail, streamingGround } from './ground.ts';

test.each(['source', 'trail'] as const)(
  'a %s that is shut down immediately under load costs no change',
  async (which) => {
    await using server = await (which === 'source' ? ownSource() : ownTrail());
    await using g = await faultGround({ servers: { [which]: server } });
    const daemon = await g.startDaemon();
    await using load = startLoad({ url: g.source.url, seed: 100, reconnect: true, ...STEADY });
    for (let round = 0; round < 2; round++) {
      await g.storesMore();
      await delay(100 + 100 * round);
      await server.crash();
    }
    await g.storesMore();
    await g.exact({ load, atLeast: 100 });
    expect(load.bulks()).toBeGreaterThan(0);
    expect(daemon.exited).toBe(false);
  },
);

test('what is acknowledged survives a trail that is set not to wait for its disk (synchronous_commit = off)', async () => {
  await using server = await ownTrail({
    synchronous_commit: 'off',
    // Makes the WAL writer flush late. With wal_writer_flush_after = 0 every commit would wake it.
    wal_writer_delay: '10s',
    wal_writer_flush_after: '1GB',
  });
  await using g = await streamingGround({ servers: { trail: server } });
  for (let index = 0; index < 20; index++) await note(g.source, `note ${index}`);
  await until('the notes to be stored', async () => (await g.stored()) === 20);
  await server.crash();
  await note(g.source, 'after');
  await g.exact({ atLeast: 21 });
});
