import { expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { acceptGaps } from '../../src/trail/write/gaps.js';
import { applyTracking, readEntries, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';
import { failoverPair } from '../support/failover.ts';
import { until } from '../support/until.ts';

const DETECTION_LIMIT_MS = 5_000;
const YAML = `tables: { public.items: { entity: item, name: "{name}" } }`;

async function ground() {
  const pair = await failoverPair();
  const trail = await freshDatabase('trail');
  const source = pair.database;
  await source.query('create table items (id int generated always as identity primary key, name text)');
  const config = testConfig({ source, trail, yaml: YAML });
  await applyTracking(config);
  const capture = startCapture({ config, log: silentLog, pace: { tickMs: 500 } });
  await streaming(capture);
  const own = async () => (await readEntries(trail)).filter(({ entityType }) => entityType === 'waltrail');
  return {
    pair,
    source,
    trail,
    capture,
    slot: config.source.slot,
    add: (name: string) => source.query(`insert into items (name) values ('${name}')`),
    caughtUp: () => untilCaughtUp(source, trail),
    names: async () =>
      (await readEntries(trail))
        .filter(({ entityType }) => entityType === 'item')
        .map(({ entityName }) => entityName),
    own,
    gapFound: async (code: string) => {
      const found = async () =>
        (await own()).find(({ action, updated }) => action === 'gap' && updated!['code'] === code);
      await until(`an entry for ${code}`, async () => (await found()) !== undefined, DETECTION_LIMIT_MS);
      return (await found())!;
    },
    accept: async () => {
      const client = new pg.Client(trail.url);
      await client.connect();
      await acceptGaps(client).finally(() => client.end());
    },
    [Symbol.asyncDispose]: async () => {
      await capture.stop();
      await trail[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

test('a failover to a standby that has everything, slot included, loses nothing and is recorded', async () => {
  await using g = await ground();
  await g.add('before');
  await g.caughtUp();
  await g.pair.standbyHasAll({ slot: g.slot });
  await g.pair.failOver();
  await g.add('after');
  await streaming(g.capture);
  await g.caughtUp();
  expect(await g.names()).toEqual(['before', 'after']);
  const own = await g.own();
  expect(own.map(({ action, entityName, previous }) => [action, entityName, previous!['change']])).toEqual([
    ['tracking', 'source', 'timeline 1'],
  ]);
  expect(own[0]!.updated!['change']).toMatch(/^timeline 2 from [0-9A-F]+\/[0-9A-F]+ on$/);
});

test('a failover without the slot is a gap within five seconds of the new primary', async () => {
  await using g = await ground();
  await g.add('before');
  await g.caughtUp();
  await g.pair.standbyHasAll({ slot: null });
  // As before PostgreSQL 17, where a slot cannot be synchronised.
  await g.pair.failOver({ withoutSlot: g.slot });
  await g.gapFound('SOURCE_SLOT_LOST');
  await g.add('lost');
  await g.accept();
  await streaming(g.capture, { fromStopped: true });
  await g.add('after');
  await g.caughtUp();
  expect(await g.names()).toEqual(['before', 'after']);
});

test('a failover to a standby that lags behind the trail names the entries that the new primary lacks, and captures what it wrote instead', async () => {
  await using g = await ground();
  await g.add('before');
  await g.caughtUp();
  await g.pair.standbyHasAll({ slot: g.slot });
  await g.pair.detachStandby();
  await g.add('lost in the failover');
  await g.caughtUp();
  await g.pair.failOver();
  const gap = await g.gapFound('SOURCE_TIMELINE_FORKED');
  await g.add('instead');
  await g.accept();
  await streaming(g.capture, { fromStopped: true });
  await g.caughtUp();
  expect(await g.names()).toEqual(['before', 'lost in the failover', 'instead']);
  const phantom = (await readEntries(g.trail)).find(
    ({ entityName }) => entityName === 'lost in the failover',
  )!;
  const [within] = await g.trail.query<{ within: boolean }>(
    `select $1::pg_lsn >= $2::pg_lsn and $1::pg_lsn < $3::pg_lsn as within`,
    [phantom.commitLsn, gap.updated!['from_lsn'], gap.updated!['to_lsn']],
  );
  expect(within!.within).toBe(true);
  // A report of the time when the lost entry was committed is marked, although the entry was stored before
  // the gap was found.
  const [marked] = await g.trail.query<{ name: string }>(
    `select e.entity_name as name from trail.gap join trail.entry e on e.committed_at = last_entry_at`,
  );
  expect(marked).toEqual({ name: 'before' });
});
