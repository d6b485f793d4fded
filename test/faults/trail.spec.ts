import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { WaltrailError } from '../../src/errors.js';
import type { TrailWriter } from '../../src/trail/write/trail-writer.js';
import { streaming } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { startLoad, STEADY } from '../support/load.ts';
import { fillDisk, onSmallDisk, smallDisk } from '../support/small-disk.ts';
import { expectIndexed } from '../support/trail-index.ts';
import { until } from '../support/until.ts';
import { endTransaction, openWriter, writeEntry } from '../support/writer.ts';
import { note, notes, ownTrail, streamingGround, untilError, type FaultGround } from './ground.ts';

const OF_THE_WRITER = `datname = current_database() and application_name = 'waltrail capture'`;

/** Only one in a few hundred cancels hits the first statement of a transaction. */
const CANCELLED_SESSIONS = process.env['WALTRAIL_TEST_FAULTS'] === 'full' ? 2_000 : 50;
const CANCELLING_LIMIT_MS = 600_000;

/** Makes the writer open a new session, which gets the database's settings. */
const newSession = (g: FaultGround): Promise<unknown> =>
  g.trail.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${OF_THE_WRITER}`);

const writerWaits = (trail: TestDatabase): Promise<void> =>
  until('the writer to wait for a lock', async () => {
    const waiting = await trail.query(
      `select from pg_stat_activity where ${OF_THE_WRITER} and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });

/** Opens a session with a transaction that has run `sql`. */
async function holding(
  trail: TestDatabase,
  sql: string,
): Promise<{ readonly client: pg.Client; release(): Promise<void> }> {
  const client = new pg.Client(trail.url);
  await client.connect();
  await client.query(`begin; ${sql}`);
  return {
    client,
    release: async () => {
      await client.query('rollback');
      await client.end();
    },
  };
}

/** Expects the changes before, during and after the trouble to be stored once each. */
async function healed(g: FaultGround): Promise<void> {
  await note(g.source, 'after');
  await g.exact({ atLeast: 3 });
  expect(notes(await g.caughtUp())).toEqual(['before', 'meanwhile', 'after']);
  await streaming(g.capture);
}

describe('a trail that accepts no entries is written to as soon as it accepts them again:', () => {
  test('the writer may not insert', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    await g.trail.query('revoke insert on trail.entry from waltrail_writer');
    await newSession(g);
    await note(g.source, 'meanwhile');
    await untilError(g.capture, 'TRAIL_WRITE_FAILED');
    expect(g.capture.status()).toMatchObject({
      state: 'reconnecting',
      error: { message: expect.stringContaining('42501') },
    });
    await g.trail.query('grant insert on trail.entry to waltrail_writer');
    await healed(g);
  });

  test('it is read-only because it was made a standby, until it is promoted', async () => {
    await using server = await ownTrail();
    await using g = await streamingGround({ servers: { trail: server } });
    await note(g.source, 'before');
    await g.caughtUp();
    await server.restart((cluster) => writeFile(path.join(cluster, 'standby.signal'), ''));
    await note(g.source, 'meanwhile');
    await untilError(g.capture, 'TRAIL_WRITE_FAILED');
    expect(await g.stored()).toBe(1);
    await g.trail.query('select pg_promote()');
    await healed(g);
  });

  test('it is locked for longer than the daemon waits', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    const lock = await holding(g.trail, 'lock table trail.entry in access exclusive mode');
    await note(g.source, 'meanwhile');
    await writerWaits(g.trail);
    await until('the writer to be given up', () => g.capture.status().state !== 'streaming');
    await lock.release();
    await healed(g);
  });

  test('the checkpoint is locked: a commit that was given up arrives late and is not repeated', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    const lock = await holding(g.trail, 'select from trail.checkpoint for update');
    await note(g.source, 'meanwhile');
    await writerWaits(g.trail);
    await until('the writer to be given up', () => g.capture.status().state !== 'streaming');
    await lock.release();
    await healed(g);
  });

  test('its session is ended while the commit waits: entries and checkpoint are stored together or not at all', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    const lock = await holding(g.trail, 'select from trail.checkpoint for update');
    await note(g.source, 'meanwhile');
    await writerWaits(g.trail);
    await newSession(g);
    await lock.release();
    await healed(g);
  });

  test('it is locked for a moment, with settings for read-only transactions and a short lock_timeout', async () => {
    await using g = await streamingGround();
    await note(g.source, 'before');
    await g.caughtUp();
    await g.trail.query(`alter database ${g.trail.name} set lock_timeout = '100ms';
      alter database ${g.trail.name} set default_transaction_read_only = on`);
    await newSession(g);
    await until('the end to be noticed', () => g.capture.status().state !== 'streaming');
    await streaming(g.capture);
    const lock = await holding(
      g.trail,
      'set transaction read write; lock table trail.entry in access exclusive mode',
    );
    await note(g.source, 'meanwhile');
    await writerWaits(g.trail);
    await delay(500);
    expect(g.capture.status().state).toBe('streaming');
    await lock.release();
    await healed(g);
  });

  test('the writer loses a deadlock', async () => {
    await using g = await streamingGround({ tickMs: 1_000 });
    await note(g.source, 'before');
    await g.caughtUp();
    // The writer checks for a deadlock once, this long after it began to wait. The other session never
    // checks.
    await g.trail.query(`alter database ${g.trail.name} set deadlock_timeout = '2s'`);
    await newSession(g);
    await until('the end to be noticed', () => g.capture.status().state !== 'streaming');
    await streaming(g.capture);
    // A new session moves the checkpoint at its first keepalive. If it waited there, it would hold nothing
    // that the other session wants.
    await g.source.query(`insert into orders (account_id, item) values (1, 'of the new session')`);
    await g.caughtUp();
    const other = await holding(
      g.trail,
      `set local deadlock_timeout = '1h'; lock table trail.checkpoint in exclusive mode`,
    );
    await note(g.source, 'meanwhile');
    await writerWaits(g.trail);
    const both = other.client.query('lock table trail.entry in access exclusive mode');
    await untilError(g.capture, 'TRAIL_WRITE_FAILED');
    expect(g.capture.status().error!.message).toContain('40P01');
    await both;
    await other.release();
    await healed(g);
  });
});

describe('sessions that are ended or cancelled under load, again and again', () => {
  test.each([
    ['the trail session is ended', 'trail', 'pg_terminate_backend', OF_THE_WRITER],
    [
      'a statement of the trail session is cancelled',
      'trail',
      'pg_cancel_backend',
      `${OF_THE_WRITER} and state = 'active'`,
    ],
    [
      'the walsender is ended',
      'source',
      'pg_terminate_backend',
      `backend_type = 'walsender' and datname = current_database()`,
    ],
  ] as const)('%s', async (_, which, act, whom) => {
    await using g = await streamingGround();
    await using load = startLoad({ url: g.source.url, seed: 21, ...STEADY });
    for (let round = 0; round < 3; round++) {
      await g.storesMore();
      await until('the session to end', async () => {
        if (g.capture.status().state !== 'streaming') return true;
        await g[which].query(`select ${act}(pid) from pg_stat_activity where ${whom}`);
        return false;
      });
    }
    await g.storesMore();
    await g.exact({ load, atLeast: 100 });
    expect(load.bulks()).toBeGreaterThan(0);
  });
});

/**
 * Writes until something fails. Each trail transaction has three source transactions of five entries, sent in
 * pieces.
 */
async function writeUntilFailure(writer: TrailWriter, stop: () => boolean): Promise<void> {
  let lsn = writer.checkpointLsn;
  while (!stop()) {
    for (let transaction = 0; transaction < 3; transaction++) {
      for (let entry = 0; entry < 5; entry++) writeEntry(writer);
      endTransaction(writer, (lsn += 10n));
      writer.spill();
    }
    await writer.commit();
  }
}

describe('a writer with statements that are cancelled at any moment, even the first of a transaction', () => {
  test(
    'stores each batch whole or not at all',
    async () => {
      await using trail = await freshDatabase('trail');
      const canceller = new pg.Client(trail.url);
      await canceller.connect();
      const failures: (WaltrailError | undefined)[] = [];
      const stop = { is: false };
      for (let session = 0; session < CANCELLED_SESSIONS; session++) {
        stop.is = false;
        const writer = await openWriter(trail, (error) => failures.push(error));
        const written = writeUntilFailure(writer, () => stop.is).catch(() => (stop.is = true));
        while (!stop.is) {
          await canceller.query(`select pg_sleep(random() * 0.003)`);
          await canceller.query(
            `select pg_cancel_backend(pid) from pg_stat_activity where ${OF_THE_WRITER} and state = 'active'`,
          );
        }
        await written;
        await writer.close();
        const [stored] = await trail.query(
          `select count(*) - (select entries from trail.checkpoint) as beyond,
                count(*) * 2 - (select end_lsn - '0/64' from trail.checkpoint) as lost from trail.entry`,
        );
        expect(stored).toEqual({ beyond: '0', lost: '0' });
      }
      await canceller.end();
      expect(failures.map((error) => error?.message)).toEqual(
        Array(CANCELLED_SESSIONS).fill(expect.stringContaining('57014')),
      );
      await expectIndexed(trail);
    },
    CANCELLING_LIMIT_MS,
  );
});

describe('a trail whose disk is full', () => {
  onSmallDisk()('is written to when there is space again, and no entry is stored in part', async () => {
    using disk = smallDisk(64);
    await using server = await ownTrail();
    await server.restart((cluster) => {
      const { uid, gid } = statSync(cluster);
      execFileSync('chown', [`${uid}:${gid}`, disk.folder]);
      return Promise.resolve();
    });
    await moveTo(disk.folder, server.database);
    await using g = await streamingGround({ servers: { trail: server } });
    await note(g.source, 'before');
    await g.caughtUp();
    const filler = await fillDisk(disk.folder);
    await g.source.query(
      `insert into orders (account_id, item) select 1 + i % 200, 'an item with a long name ' || i from generate_series(1, 5000) i`,
    );
    await untilError(g.capture, 'TRAIL_WRITE_FAILED');
    expect(g.capture.status().error!.message).toContain('53100');
    expect(await g.stored()).toBe(1);
    await rm(filler);
    await note(g.source, 'after');
    await g.exact({ atLeast: 5_002 });
  });
});

/** Moves the whole database to a tablespace; its WAL stays in place. */
async function moveTo(folder: string, { url, name }: TestDatabase): Promise<void> {
  const other = new URL(url);
  other.pathname = '/postgres';
  const client = new pg.Client(other.href);
  await client.connect();
  await client.query(`create tablespace small location '${folder}'`);
  await client.query(`alter database ${name} set tablespace small`);
  await client.end();
}
