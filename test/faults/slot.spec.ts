import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { copyFolder } from '../support/server.ts';
import { until } from '../support/until.ts';
import {
  gapFound,
  note,
  notes,
  ownSource,
  ownTrail,
  stopAndFree,
  streamingGround,
  untilStopped,
  type FaultGround,
} from './ground.ts';

interface SlotRow {
  readonly wal_status: string;
  readonly invalidation_reason: string | null;
}

const slotRow = async (g: FaultGround): Promise<SlotRow> =>
  (
    await g.source.query<SlotRow>(
      'select wal_status, invalidation_reason from pg_replication_slots where slot_name = $1',
      [g.slot],
    )
  )[0]!;

/** Writes more WAL than the slot may hold back, until a checkpoint removes it. */
async function outrun(g: FaultGround): Promise<void> {
  await until('the slot to be invalidated', async () => {
    await g.source.query(
      `select pg_logical_emit_message(false, 'filler', repeat('x', 1000000)) from generate_series(1, 20)`,
    );
    await g.source.query('select pg_switch_wal()');
    await g.source.query('checkpoint');
    return (await slotRow(g)).wal_status === 'lost';
  });
}

describe('a slot that the source has invalidated is a gap that stops capture, and nothing is stored beyond it:', () => {
  test('for holding back too much WAL while capture was away (max_slot_wal_keep_size)', async () => {
    await using server = await ownSource({ max_slot_wal_keep_size: '1MB' });
    await using g = await streamingGround({ servers: { source: server } });
    await note(g.source, 'a');
    await g.caughtUp();
    await stopAndFree(g);
    await note(g.source, 'b');
    await outrun(g);
    g.startCapture();
    await gapFound(g, 'SOURCE_SLOT_INVALID');
    await untilStopped(g, 'SOURCE_SLOT_INVALID');
    expect(notes(await g.entries())).toEqual(['a']);
  });

  test('for holding back too much WAL while capture waited for the trail', async () => {
    await using server = await ownSource({ max_slot_wal_keep_size: '1MB' });
    await using g = await streamingGround({ servers: { source: server }, tickMs: 5_000 });
    await note(g.source, 'a');
    await g.caughtUp();
    g.toTrail.blackhole();
    await note(g.source, 'b');
    await outrun(g);
    expect((await slotRow(g)).invalidation_reason).toBe('wal_removed');
    g.toTrail.pass();
    await gapFound(g, 'SOURCE_SLOT_INVALID');
    await untilStopped(g, 'SOURCE_SLOT_INVALID');
    await note(g.source, 'c');
    expect(notes(await g.entries())).toEqual(['a']);
  });

  test('for idling (idle_replication_slot_timeout of PostgreSQL 18)', async () => {
    await using server = await ownSource({ idle_replication_slot_timeout: '1s' });
    await using g = await streamingGround({ servers: { source: server } });
    await note(g.source, 'a');
    await g.caughtUp();
    await stopAndFree(g);
    await note(g.source, 'b');
    await until('the slot to be invalidated', async () => {
      await g.source.query('checkpoint');
      return (await slotRow(g)).invalidation_reason === 'idle_timeout';
    });
    g.startCapture();
    await gapFound(g, 'SOURCE_SLOT_INVALID');
    await untilStopped(g, 'SOURCE_SLOT_INVALID');
    expect(notes(await g.entries())).toEqual(['a']);
  });
});

test('a trail whose data directory is put back to an older copy is a gap, and is not written beyond it', async () => {
  await using server = await ownTrail();
  await using g = await streamingGround({ servers: { trail: server } });
  await note(g.source, 'a');
  await g.caughtUp();
  let copy = '';
  await server.restart(async (cluster) => {
    copy = path.join(path.dirname(cluster), 'copy');
    await copyFolder(cluster, copy);
  });
  await note(g.source, 'b');
  await g.caughtUp();
  const [{ lsn } = { lsn: '' }] = await g.trail.query<{ lsn: string }>(
    'select end_lsn::text as lsn from trail.checkpoint',
  );
  await until('the second to be acknowledged', async () => {
    const [row] = await g.source.query<{ passed: boolean }>(
      `select confirmed_flush_lsn >= $2::pg_lsn as passed from pg_replication_slots where slot_name = $1`,
      [g.slot, lsn],
    );
    return row!.passed;
  });
  await server.restart(async (cluster) => {
    await rm(cluster, { recursive: true });
    await rename(copy, cluster);
  });
  // The limit counts from when the trail is reachable again, and the pauses between attempts grow.
  await gapFound(g, 'TRAIL_RESTORED', 15_000);
  await untilStopped(g, 'TRAIL_RESTORED');
  await note(g.source, 'c');
  expect(notes(await g.entries())).toEqual(['a']);
});
