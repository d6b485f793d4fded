import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { WaltrailError } from '../../src/errors.js';
import { Conversation } from '../../src/pg/conversation.js';
import { elect } from '../../src/trail/write/checkpoint.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import { endTransaction, openWriter, writeEntry } from '../support/writer.ts';

/** What is durable: the checkpoint, and the entity ids of its entries in order. */
async function stored(trail: TestDatabase): Promise<{ endLsn: string; entries: string[] }> {
  const [checkpoint] = await trail.query<{ end_lsn: string }>('select end_lsn::text from trail.checkpoint');
  const entries = await trail.query<{ entity_id: string }>('select entity_id from trail.entry order by id');
  return { endLsn: checkpoint!.end_lsn, entries: entries.map((entry) => entry.entity_id) };
}

/** 0/64: the beginning of the writer's trail. */
const BEGINNING = { endLsn: '0/64', entries: [] };

describe('batches of the writer', () => {
  test('entries sent while a commit is on its way are stored by the next commit, and only by it', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    writeEntry(writer, 'first');
    endTransaction(writer, 200n);
    const first = writer.commit();
    expect({ busy: writer.busy, committable: writer.committable }).toEqual({
      busy: true,
      committable: false,
    });
    writeEntry(writer, 'second');
    endTransaction(writer, 300n);
    writer.spill();
    expect({ unsent: writer.rows.bytes, committable: writer.committable }).toEqual({
      unsent: 0,
      committable: true,
    });
    expect((await first).entries).toBe(1);
    expect(writer.checkpointLsn).toBe(200n);
    expect(await stored(trail)).toEqual({ endLsn: '0/C8', entries: ['first'] });
    expect((await writer.commit()).entries).toBe(1);
    expect(await stored(trail)).toEqual({ endLsn: '0/12C', entries: ['first', 'second'] });
    await writer.close();
  });

  test('complete transactions are sent without the part of the transaction after them, which waits for the commit', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    writeEntry(writer, 'whole');
    endTransaction(writer, 200n);
    writeEntry(writer, 'part');
    writer.spill();
    writer.spill();
    expect({ entries: writer.rows.entries, committable: writer.committable }).toEqual({
      entries: 1,
      committable: true,
    });
    const commit = writer.commit();
    writer.spill();
    expect({ entries: writer.rows.entries, committable: writer.committable }).toEqual({
      entries: 0,
      committable: false,
    });
    await commit;
    expect(await stored(trail)).toEqual({ endLsn: '0/C8', entries: ['whole'] });
    writeEntry(writer, 'rest');
    endTransaction(writer, 300n);
    await writer.commit();
    expect(await stored(trail)).toEqual({ endLsn: '0/12C', entries: ['whole', 'part', 'rest'] });
    await writer.close();
  });

  test('a batch that the trail refuses discards the batches sent after it, and none before it', async () => {
    await using trail = await freshDatabase('trail');
    const failures: WaltrailError[] = [];
    const writer = await openWriter(trail, (error) => failures.push(error));
    writeEntry(writer, 'good');
    endTransaction(writer, 200n);
    await writer.commit();
    writeEntry(writer, 'fine');
    writeEntry(writer, 'refused', { operation: 0x3f });
    endTransaction(writer, 300n);
    const refused = writer.commit();
    for (let lsn = 400n; lsn < 600n; lsn += 100n) {
      writeEntry(writer, `behind ${lsn}`);
      endTransaction(writer, lsn);
      writer.spill();
    }
    await expect(refused).rejects.toMatchObject({ code: 'TRAIL_WRITE_FAILED' });
    await expect(writer.commit()).rejects.toBe(failures[0]);
    expect(() => writer.spill()).toThrow(failures[0]);
    expect(failures).toHaveLength(1);
    await writer.close();
    await released(trail);
    expect(await stored(trail)).toEqual({ endLsn: '0/C8', entries: ['good'] });
  });

  test('a commit that fails at its very end also discards the batch sent after it, which has begun a new transaction', async () => {
    await using trail = await freshDatabase('trail');
    await trail.query(`
      create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
      create constraint trigger refuse after update on trail.checkpoint deferrable initially deferred
        for each row when (new.end_lsn = '0/C8') execute function public.refuse()`);
    const failures: WaltrailError[] = [];
    const writer = await openWriter(trail, (error) => failures.push(error));
    writeEntry(writer, 'first');
    endTransaction(writer, 200n);
    const commit = writer.commit();
    writeEntry(writer, 'second');
    endTransaction(writer, 300n);
    writer.spill();
    await expect(commit).rejects.toMatchObject({ code: 'TRAIL_WRITE_FAILED' });
    await expect(writer.commit()).rejects.toBe(failures[0]);
    await writer.close();
    await released(trail);
    expect(await stored(trail)).toEqual(BEGINNING);
  });

  test('a checkpoint that another process moved refuses the batch and the batches sent after it', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    await trail.query(`update trail.checkpoint set end_lsn = '0/70'`);
    writeEntry(writer, 'first');
    endTransaction(writer, 200n);
    const commit = writer.commit();
    writeEntry(writer, 'second');
    endTransaction(writer, 300n);
    writer.spill();
    await expect(commit).rejects.toMatchObject({ code: 'TRAIL_FENCED' });
    await writer.close();
    await released(trail);
    expect(await stored(trail)).toEqual({ endLsn: '0/70', entries: [] });
  });
});

/** The server notices a lost socket after some time. Until then the backend may still be working. */
async function released(trail: TestDatabase): Promise<void> {
  await until('the end of the writer on the server', async () => {
    const client = await elect(trail.url);
    await client?.end();
    return client !== null;
  });
}

describe('a conversation', () => {
  test('answers come in the order of the statements, although the caller waited for none', async () => {
    await using database = await freshDatabase('empty');
    await using talk = await converse(database);
    const heard: string[] = [];
    const say = (sql: string): Promise<unknown> => talk.server.say(sql).then(() => heard.push(sql));
    await Promise.all(
      ['create table t (n int)', 'insert into t values (1)', 'select pg_sleep(0.05)', ''].map(say),
    );
    expect(heard).toEqual([
      'create table t (n int)',
      'insert into t values (1)',
      'select pg_sleep(0.05)',
      '',
    ]);
    expect(await talk.server.say('insert into t values (2)')).toBeUndefined();
    expect(await database.query('select n from t order by n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('an error fails every statement that is not answered', async () => {
    await using database = await freshDatabase('empty');
    await using talk = await converse(database);
    const answers = ['select 1', 'select 1/0', 'select 2', 'select 3'].map((sql) => talk.server.say(sql));
    const settled = await Promise.allSettled(answers);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    for (const answer of settled.slice(1)) expect(answer).toMatchObject({ reason: { code: '22012' } });
  });

  test('a broken connection fails every statement that is not answered', async () => {
    await using database = await freshDatabase('empty');
    await using talk = await converse(database);
    const answers = ['select pg_terminate_backend(pg_backend_pid())', 'select 1'].map((sql) =>
      talk.server.say(sql),
    );
    const settled = await Promise.allSettled(answers);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(talk.server.say('select 1')).rejects.toThrow();
  });
});

/** The part of pg's connection that sends statements. */
type Speaker = Record<'query', (this: Speaker, text: string) => void>;

/** As when the first `begin` is cancelled: the message fails before the server has executed any of it. */
function failFirstBegin(): Disposable & { readonly failed: boolean } {
  const { prototype } = (pg as unknown as { readonly Connection: { readonly prototype: Speaker } })
    .Connection;
  const query = prototype['query'];
  let failed = false;
  prototype['query'] = function (this: Speaker, text) {
    const fails = !failed && text.startsWith('begin; ');
    failed ||= fails;
    query.call(this, fails ? `select 1/0; ${text}` : text);
  };
  return {
    get failed() {
      return failed;
    },
    [Symbol.dispose]: () => {
      prototype['query'] = query;
    },
  };
}

describe('a begin that fails', () => {
  test('discards everything that was sent after it', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table t (n int)');
    await using talk = await converse(database);
    using begin = failFirstBegin();
    const answers = [
      talk.server.within('insert into t values (1)'),
      talk.server.within('insert into t values (2)'),
      talk.server.commit(['insert into t values (3)']),
    ];
    const settled = await Promise.allSettled(answers);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(begin.failed).toBe(true);
    await talk.end();
    expect(await database.query('select n from t')).toEqual([]);
  });

  test('does not let the checkpoint pass the entries that were sent in its transaction', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    using begin = failFirstBegin();
    writeEntry(writer);
    endTransaction(writer, 200n);
    await expect(writer.commit()).rejects.toMatchObject({ code: 'TRAIL_WRITE_FAILED' });
    await writer.close();
    expect(begin.failed).toBe(true);
    expect(await stored(trail)).toEqual(BEGINNING);
  });
});

async function converse(
  database: TestDatabase,
): Promise<{ server: Conversation; end(): Promise<void> } & AsyncDisposable> {
  const client = new pg.Client(database.url);
  client.on('error', () => undefined);
  await client.connect();
  return {
    server: new Conversation(client),
    end: () => client.end(),
    [Symbol.asyncDispose]: () => client.end().catch(() => undefined),
  };
}
