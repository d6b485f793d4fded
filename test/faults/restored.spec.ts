import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { acceptGaps } from '../../src/trail/write/gaps.js';
import { streaming } from '../support/capture.ts';
import { copyFolder, type OwnServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import {
  gapFound,
  note,
  notes,
  ownSource,
  stopAndFree,
  streamingGround,
  untilStopped,
  type FaultGround,
} from './ground.ts';

/** Takes a snapshot of the server's disk, and then captures again. What is returned puts it back. */
async function snapshot(g: FaultGround, server: OwnServer): Promise<() => Promise<void>> {
  await stopAndFree(g);
  let copy = '';
  await server.restart(async (cluster) => {
    copy = path.join(path.dirname(cluster), 'snapshot');
    await copyFolder(cluster, copy);
  });
  await streaming(g.startCapture());
  return () =>
    server.restart(async (cluster) => {
      await rm(cluster, { recursive: true });
      await rename(copy, cluster);
    });
}

interface Positions {
  readonly end: string;
  readonly last: string;
  readonly isSlotBefore: boolean;
  readonly isSourceBehind: boolean;
}

/** The trail's positions, compared with those of the source. */
async function positions(g: FaultGround): Promise<Positions> {
  const [trail] = await g.trail.query<{ end: string; last: string }>(
    `select end_lsn::text as end, last_commit_lsn::text as last from trail.checkpoint`,
  );
  const [source] = await g.source.query<Pick<Positions, 'isSlotBefore' | 'isSourceBehind'>>(
    `select confirmed_flush_lsn <= $1::pg_lsn as "isSlotBefore", pg_current_wal_flush_lsn() < $2::pg_lsn as "isSourceBehind"
       from pg_replication_slots where slot_name = $3`,
    [trail!.last, trail!.end, g.slot],
  );
  return { ...trail!, ...source! };
}

/** Writes WAL that the stream has nothing of. */
const writeAside = (g: FaultGround, bytes: number): Promise<unknown> =>
  g.source.query(`select pg_logical_emit_message(false, 'aside', repeat('x', $1))`, [bytes]);

const gapsOf = (entries: Awaited<ReturnType<FaultGround['entries']>>): unknown[] =>
  entries.flatMap(({ action, updated }) => (action === 'gap' ? [updated!['code']] : []));

async function accept(g: FaultGround): Promise<void> {
  const client = new pg.Client(g.trail.url);
  await client.connect();
  await acceptGaps(client).finally(() => client.end());
}

describe('a source whose disk was put back to a snapshot:', () => {
  test('what it has written past the checkpoint is a gap, and the rest of its new history is stored', async () => {
    await using server = await ownSource();
    await using g = await streamingGround({ servers: { source: server } });
    await note(g.source, 'before');
    await g.caughtUp();
    const restore = await snapshot(g, server);
    for (const text of ['abandoned 1', 'abandoned 2']) await note(g.source, text);
    await g.caughtUp();
    await stopAndFree(g);
    await restore();
    await note(g.source, 'anew 1');
    await until('it to have written past the checkpoint', async () => {
      await note(g.source, 'anew 2');
      await writeAside(g, 100_000);
      return !(await positions(g)).isSourceBehind;
    });
    await note(g.source, 'anew 3');
    expect(await positions(g)).toMatchObject({ isSlotBefore: true, isSourceBehind: false });
    g.startCapture();
    const { updated } = await gapFound(g, 'SOURCE_TIMELINE_FORKED');
    await untilStopped(g, 'SOURCE_TIMELINE_FORKED');
    const [slot] = await g.source.query<{ lsn: string }>(
      `select confirmed_flush_lsn::text as lsn from pg_replication_slots where slot_name = $1`,
      [g.slot],
    );
    expect(updated).toMatchObject({ from_lsn: slot!.lsn, to_lsn: (await positions(g)).end });
    // While nobody has accepted the gap, it is looked at again. What is written meanwhile is not lost.
    await note(g.source, 'anew 4');
    await accept(g);
    await streaming(g.capture, { fromStopped: true });
    await note(g.source, 'anew 5');
    const entries = await g.caughtUp();
    expect([...new Set(notes(entries))]).toEqual([
      'before',
      'abandoned 1',
      'abandoned 2',
      ...[1, 2, 3, 4, 5].map((n) => `anew ${n}`),
    ]);
    expect(gapsOf(entries)).toEqual(['SOURCE_TIMELINE_FORKED']);
    await stopAndFree(g);
    await streaming(g.startCapture());
    await note(g.source, 'later');
    expect(notes(await g.caughtUp()).at(-1)).toBe('later');
    expect(gapsOf(await g.entries())).toEqual(['SOURCE_TIMELINE_FORKED']);
  });

  test.each([
    ['is still before the checkpoint', 0],
    ['has written past the checkpoint', 1_500_000],
  ])('if it had all that is stored and %s, nothing is a gap and nothing is lost', async (_, bytes) => {
    await using server = await ownSource();
    await using g = await streamingGround({ servers: { source: server } });
    await note(g.source, 'before');
    await g.caughtUp();
    const restore = await snapshot(g, server);
    // The checkpoint moves, although no change is stored.
    await writeAside(g, 1_000_000);
    await g.caughtUp();
    await stopAndFree(g);
    await restore();
    await note(g.source, 'anew 1');
    await writeAside(g, bytes);
    await note(g.source, 'anew 2');
    expect((await positions(g)).isSourceBehind).toBe(bytes === 0);
    await streaming(g.startCapture());
    await note(g.source, 'anew 3');
    const entries = await g.caughtUp();
    expect(notes(entries)).toEqual(['before', 'anew 1', 'anew 2', 'anew 3']);
    expect(gapsOf(entries)).toEqual([]);
  });
});

test('a source that has lost only the position of the slot is known by the last stored transaction', async () => {
  await using server = await ownSource();
  await using g = await streamingGround({ servers: { source: server } });
  for (const text of ['one', 'two']) await note(g.source, text);
  await g.caughtUp();
  await stopAndFree(g);
  // A position that was acknowledged is written to disk at the next checkpoint of the source.
  await server.crash();
  expect((await positions(g)).isSlotBefore).toBe(true);
  await streaming(g.startCapture());
  await note(g.source, 'three');
  expect(notes(await g.caughtUp())).toEqual(['one', 'two', 'three']);
  expect(gapsOf(await g.entries())).toEqual([]);
  await stopAndFree(g);

  // Another transaction at the same position is not the same transaction.
  await server.crash();
  expect((await positions(g)).isSlotBefore).toBe(true);
  await g.trail.query(`update trail.checkpoint set last_sent_at = last_sent_at + 1`);
  g.startCapture();
  await gapFound(g, 'SOURCE_TIMELINE_FORKED');
});
