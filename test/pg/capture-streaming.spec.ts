import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import pg from 'pg';
import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.js';
import { createLog } from '../../src/log.js';
import { MessageReader } from '../../src/pgoutput/reader.js';
import type { Pace } from '../../src/capture/pace.js';
import { captureGround, untilCaughtUp, type CaptureGround, type PlainEntry } from '../support/capture.ts';
import { freshDatabase, majorVersion } from '../support/database.ts';
import { judge, oracleOn, ORACLE_SQL } from '../support/oracle.ts';
import { openFiles } from '../support/processes.ts';
import { onSmallDisk, smallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

// A separate server: transactions that stay open would keep other tests from creating slots.
let server: EmbeddedPostgres;
const shared = process.env.WALTRAIL_TEST_POSTGRES;

beforeAll(async () => {
  server = await startPostgres({
    home: null,
    bin: process.env.WALTRAIL_TEST_POSTGRES_BIN,
    settings: {
      logical_decoding_work_mem: '64kB',
      max_prepared_transactions: '10',
      max_replication_slots: '20',
      max_wal_senders: '20',
    },
  });
  process.env.WALTRAIL_TEST_POSTGRES = server.url('postgres');
});

afterAll(async () => {
  process.env.WALTRAIL_TEST_POSTGRES = shared;
  await server.stop();
});

const SCHEMA = `
  create table items (id bigint generated always as identity primary key, name text, updated_by text, spare text);
  alter table items replica identity full;
  ${ORACLE_SQL} ${oracleOn('items')}`;
const YAML = `tables: { public.items: { entity: item, name: "{name}" } }`;

interface StreamingGround extends CaptureGround {
  readonly spoolFolder: string;
  readonly logged: string[];
  /** Opens a connection, to the source by default. It is closed with the ground. */
  connect(to?: 'source' | 'trail'): Promise<pg.Client>;
  /** Transactions that the source has streamed so far. */
  streamed(): Promise<number>;
}

async function streamingGround(
  options: { spoolFolder?: string; pace?: Partial<Pace> } = {},
): Promise<StreamingGround> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-spool-test-'));
  const spoolFolder = options.spoolFolder ?? folder;
  const logged: string[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(chunk.toString());
      done();
    },
  });
  const ground = await captureGround({
    schemaSql: SCHEMA,
    yaml: YAML,
    log: createLog({ level: 'debug', destination }),
    options: { ...options, spoolFolder },
  });
  const clients: pg.Client[] = [];
  const dispose = ground[Symbol.asyncDispose];
  return Object.assign(ground, {
    spoolFolder,
    logged,
    connect: async (to: 'source' | 'trail' = 'source') => {
      const client = new pg.Client(ground[to].url);
      client.on('error', () => undefined);
      clients.push(client);
      await client.connect();
      return client;
    },
    streamed: async () => {
      const [row] = await ground.source.query<{ n: number }>(
        'select stream_txns::int as n from pg_stat_replication_slots where slot_name = $1',
        [ground.config.source.slot],
      );
      return row?.n ?? 0;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.end()));
      await dispose();
      await rm(folder, { recursive: true, force: true });
    },
  });
}

/** Rows that are too many for the memory of the source, so that it streams the transaction. */
const rows = (count: number, name = 'some name of an item') =>
  `insert into items (name, updated_by) select '${name} ' || i, '7' from generate_series(1, ${count}) i;`;
/** Rows of ten times the size, so that fewer are enough: triggers and entries cost time by the row. */
const wideRows = (count: number) => rows(count, 'x'.repeat(700));
const say = (message: string) => `select pg_logical_emit_message(true, 'waltrail', '${message}');`;
const CLEAN = { lost: 0, doubled: 0, wrong: 0, outOfOrder: 0 };
const names = (entries: readonly PlainEntry[]) => entries.map(({ updated }) => updated?.['name']);
const untilStreamed = (g: StreamingGround, count: number) =>
  until(`the source to have streamed ${count} transactions`, async () => (await g.streamed()) >= count);

describe('a transaction that is streamed while it runs', () => {
  test('is stored whole, at its place in commit order, without what was rolled back', async () => {
    await using g = await streamingGround();
    const [first, second] = [await g.connect(), await g.connect()];
    await first.query(`begin; ${rows(2000, 'first')} savepoint a; ${rows(1500, 'gone')}`);
    await untilStreamed(g, 1);
    await g.source.query(rows(3, 'small'));
    await second.query(`begin; ${rows(2500, 'second')}`);
    await untilStreamed(g, 2);
    await first.query(`savepoint b; ${rows(1500, 'gone too')} release b; ${rows(10, 'gone as well')}`);
    await first.query(
      `rollback to a; update items set name = name || '!' where id % 3 = 0; ${rows(5, 'after')}`,
    );
    await first.query(`savepoint c; delete from items where id % 5 = 0; release c; ${rows(1500, 'last')}`);
    await second.query(`savepoint a; ${rows(1500, 'kept')} release a; commit`);
    await g.source.query(rows(2, 'between'));
    await first.query('commit');
    await g.source.query(rows(1, 'end'));
    const entries = await g.caughtUp();
    expect(await judge(g)).toMatchObject(CLEAN);
    expect(entries.length).toBeGreaterThan(8000);
    expect(names(entries).filter((name) => name?.startsWith('gone'))).toEqual([]);
    const order = [...new Set(names(entries).map((name) => name?.split(' ')[0]))];
    expect(order.slice(0, 4)).toEqual(['small', 'second', 'kept', 'between']);
    expect(g.logged.filter((line) => line.includes('"code"'))).toEqual([]);
  });

  test('leaves nothing when it is rolled back, and later transactions are stored', async () => {
    await using g = await streamingGround();
    const client = await g.connect();
    await client.query(`begin; ${rows(5000)}`);
    await untilStreamed(g, 1);
    await client.query('rollback');
    await g.source.query(rows(1, 'later'));
    expect(names(await g.caughtUp())).toEqual(['later 1']);
  });

  test("has the table's shape as of each change: ALTER TABLE within it, in a rolled back savepoint, and in others in the meantime", async () => {
    await using g = await streamingGround();
    const client = await g.connect();
    await g.source
      .query(`create table other (like items including all); alter table other replica identity full;
      alter publication waltrail add table other`);
    await g.source.query(rows(1, 'before'));
    await client.query(`begin; ${rows(2000, 'two')}`);
    await untilStreamed(g, 1);
    await client.query(`savepoint a; alter table items add gone text default 'gone'; ${rows(1500, 'gone')}`);
    await g.source.query(`insert into other (name) values ('x')`);
    await client.query(`rollback to a; ${rows(1500, 'still two')}`);
    await client.query(`alter table items add third text default 'third'; alter table items drop spare;
      insert into items (name, third) select 'three', i from generate_series(1, 1500) i`);
    await g.source.query(`alter table other add more text; insert into other (name) values ('y')`);
    await client.query('commit');
    await g.source.query(`insert into items (name, third) values ('after', 'x')`);
    const all = await g.caughtUp();
    const changesOfShape = all.filter(({ action }) => action === 'schema_change');
    expect(changesOfShape.map(({ entityName }) => entityName)).toEqual(['public.items']);
    const entries = all.filter(({ table }) => table === 'public.items');
    const shapes = new Map<string, string>();
    for (const { updated } of entries)
      shapes.set(updated!['name']!.replace(/ \d+$/, ''), Object.keys(updated!).sort().join());
    expect(Object.fromEntries(shapes)).toEqual({
      before: 'id,name,spare,updated_by',
      two: 'id,name,spare,updated_by',
      'still two': 'id,name,spare,updated_by',
      three: 'id,name,third,updated_by',
      after: 'id,name,third,updated_by',
    });
    expect(entries).toHaveLength(1 + 2000 + 1500 + 1500 + 1);
    expect(await g.streamed()).toBeGreaterThan(0);
  });

  test('has the entity ids of a primary key that it creates', async () => {
    await using g = await streamingGround();
    await g.source.query(rows(1, 'before'));
    // Read before the other key exists.
    await g.caughtUp();
    const client = await g.connect();
    await client.query(`begin; alter table items drop constraint items_pkey, add primary key (name, id);
      ${rows(2000, 'within')}`);
    await untilStreamed(g, 1);
    await client.query('commit');
    await g.source.query(rows(1, 'after'));
    const ids = new Set((await g.caughtUp()).map(({ entityId }) => entityId!.split(' ')[0]));
    expect([...ids]).toEqual(['1', 'within', 'after']);
  });

  test('is attributed by its messages at their places, the first also to earlier changes, without a second reading', async () => {
    await using g = await streamingGround();
    const client = await g.connect();
    await client.query(`begin; ${rows(3000)} ${say('{"modifier": "import"}')} ${rows(3000)}`);
    await untilStreamed(g, 1);
    await client.query(`savepoint a; ${say('{"context": {"job": 1}}')} ${rows(3000)} release a`);
    await client.query(
      `${say('{"modifier": "other"}')} ${rows(3000)} ${say('{"modifier": "nobody"}')} commit`,
    );
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(12_000);
    const by = (from: number, to: number) => [
      ...new Set(
        entries.slice(from, to).map(({ modifier, extra }) => `${modifier} ${JSON.stringify(extra)}`),
      ),
    ];
    expect(by(0, 6000)).toEqual(['import null']);
    expect(by(6000, 9000)).toEqual(['import {"context":{"job":1}}']);
    expect(by(9000, 12_000)).toEqual(['other null']);
    expect(g.logged.filter((line) => line.includes('"code"'))).toEqual([]);
  });

  test('is read again after its commit when its message may belong to a rolled back savepoint, and then streaming resumes', async () => {
    await using g = await streamingGround();
    const [client, other] = [await g.connect(), await g.connect()];
    const needsReplay = () => g.logged.filter((line) => line.includes('SOURCE_READ_WHOLE')).length;
    await client.query(
      `begin; ${rows(3000)} savepoint a; ${say('{"modifier": "nobody"}')} ${rows(3000, 'gone')}`,
    );
    await untilStreamed(g, 1);
    await other.query(`begin; ${rows(3000, 'open meanwhile')}`);
    await untilStreamed(g, 2);
    // The range takes five seconds at least, and everything that is committed when it begins. On a slow
    // machine, too, no session begins before everything below it is stored.
    const blocker = await g.connect('trail');
    await blocker.query('begin; lock table trail.checkpoint in access exclusive mode');
    await client.query(`rollback to a; ${rows(3000)} ${say('{"modifier": "import"}')} ${rows(10)} commit`);
    // Any number of further transactions is read in the same range.
    for (let times = 0; times < 5; times++)
      await client.query(
        `begin; ${rows(2000)} savepoint a; ${say('{"modifier": "nobody"}')} ${rows(2000)} rollback to a; commit`,
      );
    await other.query('commit');
    await blocker.query('rollback');
    const entries = await g.caughtUp();
    expect(names(entries).filter((name) => name?.startsWith('gone'))).toEqual([]);
    expect(entries.slice(0, 6010).every(({ modifier }) => modifier === 'import')).toBe(true);
    expect(entries.slice(6010).some(({ rung }) => rung === 'm')).toBe(false);
    expect(entries).toHaveLength(6010 + 5 * 2000 + 3000);
    expect(needsReplay()).toBe(1);
    await until('streaming to come back', () =>
      g.logged.some((line) => line.includes('The backlog has been read')),
    );
    const before = await g.streamed();
    await client.query(`begin; ${rows(2500, 'running')}`);
    await untilStreamed(g, before + 1);
    await client.query('commit');
    expect(await g.caughtUp()).toHaveLength(6010 + 5 * 2000 + 3000 + 2500);
    expect(needsReplay()).toBe(1);
    expect(g.capture.status()).toMatchObject({ state: 'streaming', error: null });
  });

  test('keeps its replication origin', async () => {
    await using g = await streamingGround();
    await g.source.query(`select pg_replication_origin_create('elsewhere')`);
    const client = await g.connect();
    await client.query(`select pg_replication_origin_session_setup('elsewhere')`);
    await client.query(`begin; ${rows(5000)} commit`);
    await client.query(`select pg_replication_origin_session_reset()`);
    const entries = await g.caughtUp();
    await g.source.query(`select pg_replication_origin_drop('elsewhere')`);
    expect(await g.streamed()).toBeGreaterThan(0);
    expect(entries).toHaveLength(5000);
    expect(new Set(entries.map(({ extra }) => JSON.stringify(extra)))).toEqual(
      new Set(['{"origin":"elsewhere"}']),
    );
  });

  test('is sent again from its beginning when capture ends before its commit, although later commits were stored', async () => {
    await using g = await streamingGround();
    const client = await g.connect();
    await client.query(`begin; ${rows(4000, 'long')}`);
    await untilStreamed(g, 1);
    await g.source.query(rows(10, 'short'));
    expect(await g.caughtUp()).toHaveLength(10);
    await g.restart();
    await g.source.query(rows(10, 'shorter'));
    await g.caughtUp();
    await client.query(`${rows(1000, 'long')} commit`);
    const entries = await g.caughtUp();
    expect(await judge(g)).toMatchObject(CLEAN);
    expect(entries).toHaveLength(5020);
  });

  test('does not hold the checkpoint back: a quiet stream moves it past the beginning, and nothing is lost', async () => {
    await using g = await streamingGround();
    const client = await g.connect();
    await client.query(`begin; ${rows(4000, 'long')}`);
    await untilStreamed(g, 1);
    await g.source.query('create table elsewhere ()');
    const [now] = await g.source.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
    await until('the slot to be confirmed beyond the rows so far', async () => {
      const [row] = await g.source.query<{ beyond: boolean }>(
        'select confirmed_flush_lsn >= $2::pg_lsn as beyond from pg_replication_slots where slot_name = $1',
        [g.config.source.slot, now!.lsn],
      );
      return row?.beyond === true;
    });
    await g.restart();
    await client.query('commit');
    const entries = await g.caughtUp();
    expect(await judge(g)).toMatchObject(CLEAN);
    expect(entries).toHaveLength(4000);
  });
});

describe('a prepared transaction', () => {
  test.each([
    ['small', 3],
    ['large, streamed before its PREPARE', 5000],
  ])('is stored at its COMMIT PREPARED, and never when it is rolled back (%s)', async (name, count) => {
    await using g = await streamingGround();
    const client = await g.connect();
    const [kept, gone] = [`kept ${g.source.name}`, `gone ${g.source.name}`];
    await client.query(`begin; ${rows(count, 'kept')} ${say('{"context": {"prepared": true}}')}`);
    await client.query(`prepare transaction '${kept}'`);
    await client.query(`begin; ${rows(count, 'gone')}`);
    await client.query(`prepare transaction '${gone}'`);
    await g.source.query(rows(2, 'between'));
    expect(await g.caughtUp()).toHaveLength(2);
    await g.restart();
    await g.source.query(rows(1, 'after a restart'));
    expect(await g.caughtUp()).toHaveLength(3);
    await client.query(`rollback prepared '${gone}'`);
    await client.query(`commit prepared '${kept}'`);
    await g.source.query(rows(1, 'last'));
    const entries = await g.caughtUp();
    expect(entries).toHaveLength(count + 4);
    expect(names(entries).slice(2, 4)).toEqual(['after a restart 1', 'kept 1']);
    expect(names(entries).at(-1)).toBe('last 1');
    const prepared = entries.filter(({ updated }) => updated!['name']!.startsWith('kept'));
    expect(new Set(prepared.map(({ extra }) => JSON.stringify(extra)))).toEqual(
      new Set(['{"context":{"prepared":true}}']),
    );
    if (name !== 'small') expect(await g.streamed()).toBeGreaterThan(0);
  });
});

test('every message of the newest protocol that PostgreSQL sends is read', async () => {
  await using database = await freshDatabase('empty');
  const slot = `binary_${database.name}`;
  // Protocol 4, with the position of an abort, came with PostgreSQL 16.
  const parallel = (await majorVersion(database)) >= 16;
  const gid = (n: number) => `'${database.name} ${n}'`;
  const client = new pg.Client(database.url);
  await client.connect();
  try {
    await client.query(`create table items (id int generated always as identity, name text, updated_by text);
      create publication p for table items`);
    await client.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput', false, true)`);
    await client.query(`begin; ${rows(3000)} savepoint a; ${rows(3000)} rollback to a; ${rows(3000)} commit`);
    await client.query(`begin; ${rows(3000)}`);
    await client.query(`rollback`);
    for (const [n, count] of [1, 3000, 2].entries()) {
      await client.query(`begin; ${rows(count)} prepare transaction ${gid(n)}`);
      await client.query(`${n === 2 ? 'rollback' : 'commit'} prepared ${gid(n)}`);
    }
    await client.query(
      `select pg_replication_origin_create('here'), pg_replication_origin_session_setup('here')`,
    );
    await client.query(`begin; ${rows(1)} ${say('{}')} truncate items; commit`);
    await client.query(`select pg_replication_origin_session_reset()`);
    const { rows: changes } = await client.query<{ data: Buffer }>(
      `select data from pg_logical_slot_get_binary_changes('${slot}', null, null, 'proto_version', '${parallel ? 4 : 3}', 'publication_names', 'p',
         'streaming', '${parallel ? 'parallel' : 'true'}', 'two_phase', 'true', 'messages', 'true')`,
    );
    const seen = new Map<string, number>();
    const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    const prepared: unknown[] = [];
    const nothing = (): void => undefined;
    const reader = new MessageReader({
      begin: () => note('begin'),
      commit: () => note('commit'),
      relation: ({ table }) => note(`relation ${table}`),
      insert: (_oid, updated) => note(`insert of ${updated.count} columns, by ${updated.text(2)}`),
      update: nothing,
      delete: nothing,
      truncate: (oids) => note(`truncate ${oids.length}`),
      logicalMessage: ({ prefix }) => note(`message ${prefix}`),
      origin: ({ name }) => note(`origin ${name}`),
      streamed: () => note('streamed'),
      transaction: (message) => {
        note(message.kind);
        if (message.kind === 'stream abort') expect((message.aborted?.lsn ?? 0n) > 0n).toBe(parallel);
        if ('gid' in message) prepared.push([message.kind, message.gid]);
      },
    });
    for (const { data } of changes) reader.read(data, 0, data.length);
    const inserts = seen.get('insert of 3 columns, by 7')!;
    // Rows streamed before the rollback was known: their number depends on the source.
    expect(inserts).toBeGreaterThanOrEqual(9004);
    expect(seen.get('streamed')).toBeGreaterThanOrEqual(9000);
    expect([...seen.keys()].sort()).toEqual(
      [
        'begin', 'begin prepare', 'commit', 'commit prepared', 'insert of 3 columns, by 7', 'message waltrail', 'origin here', 'prepare',
        'relation items', 'rollback prepared', 'stream abort', 'stream commit', 'stream prepare', 'stream start', 'stream stop',
        'streamed', 'truncate 1',
      ].sort(), // prettier-ignore
    );
    const text = (n: number) => gid(n).slice(1, -1);
    expect(prepared).toEqual([
      ['begin prepare', text(0)],
      ['prepare', text(0)],
      ['commit prepared', text(0)],
      ['stream prepare', text(1)],
      ['commit prepared', text(1)],
      ['begin prepare', text(2)],
      ['prepare', text(2)],
      ['rollback prepared', text(2)],
    ]);
  } finally {
    await client.query(`select pg_replication_origin_drop('here')`).catch(nothingToDo);
    await client.end();
  }
});

const nothingToDo = (): void => undefined;

describe('the spool', () => {
  test('has no name in its folder and is closed when the transaction has ended', async () => {
    await using g = await streamingGround();
    const client = await g.connect();
    const open = async () => (await openFiles(process.pid, g.spoolFolder)).length;
    await client.query(`begin; ${rows(10_000)}`);
    await until('a spool to be open', async () => (await open()) > 0);
    expect(await readdir(g.spoolFolder)).toEqual([]);
    await client.query('commit');
    expect(await g.caughtUp()).toHaveLength(10_000);
    await until('it to be closed', async () => (await open()) === 0);
  });

  test('makes capture read transactions after their commit when it cannot be written, and reports that once', async () => {
    const file = path.join(await mkdtemp(path.join(os.tmpdir(), 'waltrail-no-spool-')), 'file');
    await writeFile(file, '');
    await using g = await streamingGround({ spoolFolder: path.join(file, 'folder') });
    await g.source.query(`begin; ${rows(10_000)} commit`);
    await g.source.query(`begin; ${rows(10_000)} commit`);
    const entries = await g.caughtUp();
    expect(await judge(g)).toMatchObject(CLEAN);
    expect(entries).toHaveLength(20_000);
    expect(g.logged.filter((line) => line.includes('SOURCE_SPOOL_FAILED'))).toHaveLength(1);
    await rm(path.dirname(file), { recursive: true });
  });
});

describe('a spool whose disk is full', () => {
  onSmallDisk()('gives way to reading the transaction when it has committed', async () => {
    using disk = smallDisk(1);
    await using g = await streamingGround({ spoolFolder: disk.folder });
    const client = await g.connect();
    await client.query(`begin; ${wideRows(6_000)}`);
    await until('the spool to fail', () => g.logged.some((line) => line.includes('SOURCE_SPOOL_FAILED')));
    expect(g.logged.find((line) => line.includes('SOURCE_SPOOL_FAILED'))).toContain('ENOSPC');
    await client.query('commit');
    const entries = await g.caughtUp();
    expect(await judge(g)).toMatchObject(CLEAN);
    expect(entries).toHaveLength(6_000);
  });
});

test('a replay waits for the trail without the source losing patience', async () => {
  // The trail may be silent for 12 ticks, three times as long as here.
  await using g = await streamingGround({ pace: { tickMs: 1_500 } });
  await g.source.query(`alter system set wal_sender_timeout = '4s'`);
  await g.source.query('select pg_reload_conf()');
  const [client, blocker] = [await g.connect(), await g.connect('trail')];
  try {
    await g.source.query(rows(1));
    await g.caughtUp();
    await client.query(`begin; ${wideRows(6_000)}`);
    await untilStreamed(g, 1);
    await blocker.query('begin; lock table trail.checkpoint in access exclusive mode');
    await client.query('commit');
    await g.source.query('select pg_sleep(6)');
    await blocker.query('commit');
    await untilCaughtUp(g.source, g.trail);
    const entries = await g.entries();
    expect(await judge(g)).toMatchObject(CLEAN);
    expect(entries).toHaveLength(6_001);
    expect(g.logged.filter((line) => line.includes('"code"'))).toEqual([]);
  } finally {
    await g.source.query('alter system reset wal_sender_timeout');
    await g.source.query('select pg_reload_conf()');
  }
});

test('a session that begins far behind reads committed transactions, and streams again once it has caught up', async () => {
  await using g = await streamingGround();
  await g.capture.stop();
  await g.source.query(`do $$ begin for i in 1..70 loop
    perform pg_logical_emit_message(false, 'noise', repeat('x', 1048576)); end loop; end $$`);
  await g.source.query(rows(3000, 'backlog'));
  await g.restart();
  await g.caughtUp();
  expect(await g.streamed()).toBe(0);
  await until('the next session', () => g.logged.some((line) => line.includes('The backlog has been read')));
  const client = await g.connect();
  await client.query(`begin; ${rows(2500, 'running')}`);
  await untilStreamed(g, 1);
  await client.query('commit');
  await g.caughtUp();
  expect(await judge(g)).toMatchObject(CLEAN);
});
