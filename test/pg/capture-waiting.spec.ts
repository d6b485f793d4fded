import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { createLog } from '../../src/log.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { applyTracking, streaming, testConfig } from '../support/capture.ts';
import { freshDatabase, slotFree } from '../support/database.ts';
import { ownServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const YAML = 'tables: { public.a: { entity: a } }';

function capturing(config: TrackingConfig) {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const capture = startCapture({ config, log: createLog({ level: 'info', destination }) });
  const said = () => lines.filter(({ msg }) => String(msg).includes('waits for transactions'));
  return { capture, said, lines };
}

describe('capture reports the transactions of the source that it waits for', () => {
  test('at the first start: process, user, application and database, in status and log, without the statement', async () => {
    await using source = await freshDatabase('empty');
    await using elsewhere = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query('create table a (id int primary key)');
    await elsewhere.query('create table b (secret text)');
    const config = testConfig({ source, trail, yaml: YAML });
    await applyTracking(config);
    // A slot waits for transactions of every database of the cluster.
    const holder = new pg.Client({ connectionString: elsewhere.url, application_name: 'nightly import' });
    await holder.connect();
    await holder.query(`begin; insert into b values ('canary')`);
    const { rows } = await holder.query<{ pid: number; xid: string; user: string }>(
      'select pg_backend_pid() as pid, pg_current_xact_id()::text as xid, current_user::text as user',
    );
    const { capture, said, lines } = capturing(config);
    try {
      await until('the wait to be reported', () => said().length > 0);
      const transaction = {
        ...rows[0]!,
        gid: null,
        since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        application: 'nightly import',
        database: elsewhere.name,
      };
      expect(capture.status().waiting).toMatchObject({
        what: 'A new replication slot',
        transactions: expect.arrayContaining([transaction]),
      });
      expect(said()[0]).toMatchObject({
        msg: 'A new replication slot waits for transactions that run on the source. End them, or wait.',
        transactions: expect.arrayContaining([transaction]),
      });
      expect(JSON.stringify([capture.status(), lines])).not.toContain('canary');
      await holder.query('rollback');
      await streaming(capture);
      expect(capture.status().waiting).toBeNull();
    } finally {
      await holder.end();
      await capture.stop();
    }
  });

  test('by its gid, when it is a prepared transaction, which no process has', async () => {
    await using server = await ownServer('waiting', { max_prepared_transactions: '5' });
    await using trail = await freshDatabase('trail');
    const { database } = server;
    await database.query('create table a (id int primary key)');
    const config = testConfig({ source: database, trail, yaml: YAML });
    await applyTracking(config);
    await database.query(`begin; insert into a values (1); prepare transaction 'left by the broker'`);
    const { capture } = capturing(config);
    try {
      await until('the wait to be reported', () => (capture.status().waiting?.transactionCount ?? 0) > 0);
      expect(capture.status().waiting!.transactions).toEqual([
        expect.objectContaining({
          pid: null,
          gid: 'left by the broker',
          user: 'waltrail',
          database: 'waiting',
        }),
      ]);
      await database.query(`rollback prepared 'left by the broker'`);
      await streaming(capture);
    } finally {
      await capture.stop();
    }
  });

  test('at the end of a gap', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query('create table a (id int primary key); create table other (id int)');
    const config = testConfig({ source, trail, yaml: YAML, sourceYaml: ', on_gap: continue' });
    await applyTracking(config);
    const first = capturing(config);
    await streaming(first.capture);
    await first.capture.stop();
    await source.query('drop publication waltrail');
    await applyTracking(config);
    const holder = new pg.Client({ connectionString: source.url, application_name: 'report' });
    await holder.connect();
    await holder.query('begin; insert into other values (1)');
    const { capture, said } = capturing(config);
    try {
      await until('the wait to be reported', () => said().length > 0);
      expect(said()[0]).toMatchObject({
        msg: 'The end of a gap waits for transactions that run on the source. End them, or wait.',
        transactions: [expect.objectContaining({ application: 'report' })],
      });
      await holder.query('commit');
      await streaming(capture);
      expect(capture.status().waiting).toBeNull();
    } finally {
      await holder.end();
      await capture.stop();
    }
  });

  test('is no longer stopped while it waits, once the gap that stopped it is accepted', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query('create table a (id int primary key); create table other (id int)');
    const config = testConfig({ source, trail, yaml: YAML });
    await applyTracking(config);
    const first = capturing(config);
    await streaming(first.capture);
    await first.capture.stop();
    await slotFree(source, config.source.slot);
    await source.query('select pg_drop_replication_slot($1)', [config.source.slot]);
    const holder = new pg.Client({ connectionString: source.url, application_name: 'report' });
    await holder.connect();
    await holder.query('begin; insert into other values (1)');
    const { capture, said } = capturing(config);
    try {
      await until('the gap to be found', () => capture.status().error?.code === 'SOURCE_SLOT_LOST');
      expect(capture.status().state).toBe('stopped');
      await trail.query('select trail.accept_gaps()');
      await until('the wait to be reported', () => said().length > 0);
      expect(capture.status()).toMatchObject({
        state: 'reconnecting',
        error: null,
        waiting: { what: 'A new replication slot' },
      });
      await holder.query('commit');
      await streaming(capture);
    } finally {
      await holder.end();
      await capture.stop();
    }
  });
});
