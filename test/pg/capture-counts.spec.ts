import { describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { applyTracking, captureGround, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { faultyProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';

const SCHEMA = 'create table items (id int primary key generated always as identity, name text, seen int)';
const YAML = 'tables: { public.items: { entity: item, ignore: [seen] } }';

const stored = async (trail: TestDatabase): Promise<{ entries: number; transactions: number }> =>
  (
    await trail.query<{ entries: number; transactions: number }>(
      `select count(*)::int4 as entries, count(distinct commit_lsn)::int4 as transactions from trail.entry`,
    )
  )[0]!;

describe('the counts of capture are those of the trail', () => {
  test('when a transaction is read again because its logical message came late', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(`begin;
      select pg_logical_emit_message(true, 'waltrail.configuration', 'of no file');
      insert into items (name) select 'a name of some length ' || i from generate_series(1, 5000) i;
      select pg_logical_emit_message(true, 'waltrail', '{"modifier": "late"}');
      select pg_logical_emit_message(true, 'waltrail', '{"nothing": "understood"}');
      update items set seen = 1 where id <= 10;
      commit`);
    await g.caughtUp();
    const { entries, changes, ignored, transactions, messagesUnread, configuration } = g.capture.status();
    expect({ entries, changes, ignored, messagesUnread, configurations: configuration.ignored }).toEqual({
      entries: (await stored(g.trail)).entries,
      changes: 5010,
      ignored: 10,
      messagesUnread: 1,
      configurations: 1,
    });
    // The transaction that marks the end has no change.
    expect(transactions).toBe(2);
  });

  test('when connections break, and with them the answer to a commit that is stored', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query(SCHEMA);
    await using proxy = await faultyProxy(trail.url);
    const config = testConfig({ source, trail: { ...trail, url: proxy.through(trail.url) }, yaml: YAML });
    await applyTracking(config);
    const capture = startCapture({ config, log: silentLog, pace: { tickMs: 50 } });
    try {
      await streaming(capture);
      for (let round = 1; round <= 4; round++) {
        const before = proxy.connections();
        // The commit is stored but its answer is lost, or the connection breaks at any other moment.
        const cut = round % 2 === 0 ? proxy.cutAt({ after: ['trail.advance'] }) : undefined;
        await source.query(`insert into items (name) select 'x' from generate_series(1, 500)`);
        await source.query(`update items set seen = ${round} where id = 1`);
        if (cut === undefined) proxy.reset();
        else await until('the answer to be lost', cut);
        await until('another connection', () => proxy.connections() > before);
        // The trail has not noticed: the lost connection would keep the lock of the election.
        if (cut !== undefined) proxy.reset();
        await untilCaughtUp(source, trail);
      }
      await until('the last commit to be counted', async () => {
        const { entries, ignored } = capture.status();
        return entries >= (await stored(trail)).entries && ignored >= 4;
      });
      const { entries, changes, ignored } = capture.status();
      expect({ entries, changes, ignored }).toEqual({ entries: 2000, changes: 2004, ignored: 4 });
      expect(await stored(trail)).toEqual({ entries: 2000, transactions: 4 });
    } finally {
      await capture.stop();
    }
  });
});
