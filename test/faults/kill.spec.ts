import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { openFiles } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { faultGround, note, type FaultGround } from './ground.ts';

/** Returns the position of the slot: what the source was told is durable. */
const acknowledged = async (g: FaultGround): Promise<bigint> =>
  BigInt(
    (
      await g.source.query<{ bytes: string }>(
        `select confirmed_flush_lsn - '0/0' as bytes from pg_replication_slots where slot_name = $1`,
        [g.slot],
      )
    )[0]!.bytes,
  );

const checkpoint = async (g: FaultGround): Promise<bigint> =>
  BigInt(
    (await g.trail.query<{ bytes: string }>(`select end_lsn - '0/0' as bytes from trail.checkpoint`))[0]!
      .bytes,
  );

describe('a daemon that is killed (SIGKILL)', () => {
  test('before its commit reaches the trail stores the change once', async () => {
    await using g = await faultGround();
    const daemon = await g.startDaemon();
    const reached = g.toTrail.cutAt({ before: ['never committed', 'trail.advance'] });
    await note(g.source, 'never committed by the first');
    await until('the commit to be sent', reached);
    await daemon.kill('SIGKILL');
    expect(await g.stored()).toBe(0);
    g.toTrail.pass();
    await g.startDaemon();
    await g.exact({ atLeast: 1 });
  });

  test('after its commit, before it could acknowledge, does not store the change twice', async () => {
    await using g = await faultGround();
    const daemon = await g.startDaemon();
    const reached = g.toTrail.cutAt({ after: ['never knew', 'trail.advance'] });
    await note(g.source, 'committed, but the first never knew');
    await until('the commit to be sent', reached);
    await until('the commit', async () => (await g.stored()) === 1);
    expect(await acknowledged(g)).toBeLessThan(await checkpoint(g));
    await daemon.kill('SIGKILL');
    g.toTrail.pass();
    await g.startDaemon();
    await note(g.source, 'of the second');
    const verdict = await g.exact({ atLeast: 2 });
    expect(verdict.entries).toBe(2);
  });

  test('in the middle of a transaction that is partly sent to the trail stores the whole once', async () => {
    await using g = await faultGround();
    const daemon = await g.startDaemon();
    await note(g.source, 'before');
    await until('the entry before', async () => (await g.stored()) === 1);
    const reached = g.toSource.cutAt({ streamed: 1_000_000 });
    await g.source.query(
      `insert into orders (account_id, item) select 1 + i % 200, 'an item with a long name ' || i from generate_series(1, 20000) i`,
    );
    await until('half of the transaction to arrive', reached);
    await until('rows of it to be in the open trail transaction', async () => {
      const [copy] = await g.trail.query<{ rows: string }>(
        `select tuples_processed as rows from pg_stat_progress_copy where datname = current_database()`,
      );
      return Number(copy?.rows ?? 0) > 0;
    });
    await daemon.kill('SIGKILL');
    expect(await g.stored()).toBe(1);
    g.toSource.pass();
    await g.startDaemon();
    await g.exact({ atLeast: 20_001 });
  });

  test('in the middle of the stream, within a message, stores each transaction once', async () => {
    await using g = await faultGround();
    const daemon = await g.startDaemon();
    // Changes have about 300 bytes each: the cut is somewhere within the seventh.
    const reached = g.toSource.cutAt({ streamed: 2_001 });
    for (let index = 0; index < 30; index++) await note(g.source, `note ${index}`);
    await until('the stream to be cut', reached);
    await until('what came before to be stored', async () => (await g.stored()) > 0);
    await daemon.kill('SIGKILL');
    expect(await g.stored()).toBeLessThan(30);
    g.toSource.pass();
    await g.startDaemon();
    await g.exact({ atLeast: 30 });
  });

  test('while a transaction in progress is in its spool stores it once, and leaves nothing of it in the folder', async () => {
    await using g = await faultGround();
    await g.source.query(`alter database ${g.source.name} set logical_decoding_work_mem = '64kB'`);
    const folder = path.join(g.daemons.folder, 'spool');
    const killed = await g.startDaemon({ WALTRAIL_SPOOL_DIR: folder });
    const client = new pg.Client(g.source.url);
    await client.connect();
    try {
      await client.query(
        `begin; insert into orders (account_id, item) select 1 + i % 200, 'an item with a long name ' || i from generate_series(1, 20000) i`,
      );
      await until('a spool to be open', async () => (await openFiles(killed.pid, folder)).length > 0);
      await killed.kill('SIGKILL');
      expect(await readdir(folder)).toEqual([]);
      await g.startDaemon({ WALTRAIL_SPOOL_DIR: folder });
      await client.query('commit');
    } finally {
      await client.end();
    }
    await g.exact({ atLeast: 20_000 });
  });

  test('at its first start, between making the slot and beginning the trail, stores every change from the slot on', async () => {
    await using g = await faultGround();
    const reached = g.toTrail.cutAt({ before: ['insert into trail.checkpoint'] });
    const daemon = g.daemons.start();
    await until('the slot to be created', reached);
    await daemon.kill('SIGKILL');
    await note(g.source, 'after the slot, before the trail');
    g.toTrail.pass();
    await g.startDaemon();
    await g.exact({ atLeast: 1 });
  });
});
