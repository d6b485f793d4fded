import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import {
  applyTracking,
  captureGround,
  streaming,
  testConfig,
  type CaptureGround,
} from '../support/capture.ts';
import { freshDatabase, slotFree } from '../support/database.ts';
import { until } from '../support/until.ts';
import { gapFound, untilStopped } from './ground.ts';

const YAML = `tables: { public.items: { entity: item, name: "{name}" } }`;
const ground = () =>
  captureGround({
    schemaSql: 'create table items (id int generated always as identity primary key, name text)',
    yaml: YAML,
  });

const add = (g: CaptureGround, name: string) => g.source.query(`insert into items (name) values ('${name}')`);
const slotOf = (g: CaptureGround): string => g.config.source.slot;

/** Ends the walsender and runs `sql` before capture has reconnected. */
async function behindItsBack(g: CaptureGround, sql: string): Promise<void> {
  const client = new pg.Client(g.source.url);
  await client.connect();
  try {
    await client.query(`
      do $$ declare n int := 0; begin
        loop
          begin
            perform pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '${slotOf(g)}' and active;
            ${sql};
            return;
          exception when object_in_use then
            n := n + 1;
            if n > 500 then raise; end if;
            perform pg_sleep(0.01);
          end;
        end loop;
      end $$`);
  } finally {
    await client.end();
  }
}

/** Returns the names of the items that were stored. */
const items = async (g: CaptureGround): Promise<unknown[]> =>
  (await g.entries())
    .filter(({ entityType }) => entityType === 'item')
    .map(({ updated }) => updated!['name']);

describe("an operator's change that capture was not told about stops it with a clear error, and nothing is skipped:", () => {
  test('a slot that is dropped', async () => {
    await using g = await ground();
    await add(g, 'a');
    await g.caughtUp();
    await behindItsBack(g, `perform pg_drop_replication_slot('${slotOf(g)}')`);
    await add(g, 'b');
    await gapFound(g, 'SOURCE_SLOT_LOST');
    await untilStopped(g, 'SOURCE_SLOT_LOST');
    expect(await items(g)).toEqual(['a']);
  });

  test('a slot that is advanced', async () => {
    await using g = await ground();
    await add(g, 'a');
    await g.caughtUp();
    await g.capture.stop();
    await add(g, 'b');
    await slotFree(g.source, slotOf(g));
    await g.source.query(`select pg_replication_slot_advance('${slotOf(g)}', pg_current_wal_lsn())`);
    await add(g, 'c');
    g.capture = startCapture({ config: g.config, log: silentLog });
    await gapFound(g, 'SOURCE_SLOT_AHEAD');
    await untilStopped(g, 'SOURCE_SLOT_AHEAD');
    expect(await items(g)).toEqual(['a']);
  });

  test('a trail that is restored to an older state', async () => {
    await using g = await ground();
    await add(g, 'a');
    await g.caughtUp();
    const [before] = await g.trail.query<{ end_lsn: string; next_id: string }>(
      `select end_lsn::text, next_id::text from trail.checkpoint`,
    );
    await add(g, 'b');
    await g.caughtUp();
    const acknowledged = async () =>
      (
        await g.source.query(
          `select from pg_replication_slots where slot_name = $1 and confirmed_flush_lsn > $2::pg_lsn`,
          [slotOf(g), before!.end_lsn],
        )
      ).length > 0;
    await until('the second to be acknowledged', acknowledged);
    await g.capture.stop();
    await g.trail.query(`delete from trail.entry where id >= $1`, [before!.next_id]);
    await g.trail.query(`update trail.checkpoint set end_lsn = $1, next_id = $2`, [
      before!.end_lsn,
      before!.next_id,
    ]);
    g.capture = startCapture({ config: g.config, log: silentLog });
    const gap = await gapFound(g, 'SOURCE_SLOT_AHEAD');
    expect(gap.updated!['from_lsn']).toBe(before!.end_lsn);
    await untilStopped(g, 'SOURCE_SLOT_AHEAD');
    await add(g, 'c');
    expect(await items(g)).toEqual(['a']);
  });

  test('a publication that is dropped, even if it is created again', async () => {
    await using g = await ground();
    await add(g, 'a');
    await g.caughtUp();
    await g.source.query(`drop publication waltrail`);
    await add(g, 'lost to the stream');
    await gapFound(g, 'SOURCE_PUBLICATION_MISSING');
    await untilStopped(g, 'SOURCE_PUBLICATION_MISSING');
    await g.capture.stop();
    await applyTracking(g.config);
    await add(g, 'b');
    g.capture = startCapture({ config: g.config, log: silentLog });
    await untilStopped(g, 'SOURCE_PUBLICATION_MISSING');
    expect(await items(g)).toEqual(['a']);
  });

  test('a slot of another database', async () => {
    await using other = await freshDatabase('empty');
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query('create table items (id int primary key, name text)');
    const config = testConfig({ source, trail, yaml: YAML });
    await applyTracking(config);
    await other.query(`select pg_create_logical_replication_slot('${config.source.slot}', 'pgoutput')`);
    const capture = startCapture({ config, log: silentLog });
    try {
      await until('capture to stop', () => capture.status().state === 'stopped');
      expect(capture.status().error).toMatchObject({ code: 'SOURCE_SLOT_FOREIGN' });
      expect(capture.status().error!.message).toContain(other.name);
      // Capture could never continue a trail that was begun on it.
      expect(await trail.query('select from trail.checkpoint')).toHaveLength(0);
    } finally {
      await capture.stop();
    }
  });

  test('another writer that moved the checkpoint; capture then reads again from there', async () => {
    await using g = await ground();
    await add(g, 'a');
    await g.caughtUp();
    await g.trail.query(`update trail.checkpoint set entries = entries, next_id = next_id + 1`);
    await add(g, 'b');
    expect((await g.caughtUp()).map(({ updated }) => updated!['name'])).toEqual(['a', 'b']);
    await streaming(g.capture);
  });
});
