import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { MessageReader } from '../../src/pgoutput/reader.js';
import { InProgressTransactions } from '../../src/source/in-progress.js';
import { removeLeftSpools, Spool } from '../../src/source/spool.js';
import * as bytes from '../support/pgoutput-bytes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-spool-unit-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Ground {
  readonly seen: string[];
  readonly send: (...messages: readonly Buffer[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Records what the receiver gets, one text for each message, read with the real decoder. */
function ground(options: { folder?: string | null; paused?: () => Promise<void> | undefined } = {}): Ground {
  const seen: string[] = [];
  const refused = (): never => {
    throw new Error('a message of streaming was handed on');
  };
  const reader = new MessageReader({
    begin: (at, start) => seen.push(`begin ${at.readInt32BE(start + 16)} at ${at.readBigInt64BE(start)}`),
    commit: (at, start) => seen.push(`commit until ${at.readBigInt64BE(start + 8)}`),
    relation: ({ table, columns }) => seen.push(`${table}(${columns.map(({ name }) => name).join()})`),
    insert: (_oid, row) => seen.push(`insert ${row.text(0)!.slice(0, 20)}`),
    update: (_oid, { updated }) => seen.push(`update ${updated.text(0)}`),
    delete: (_oid, { previous }) => seen.push(`delete ${previous.text(0)}`),
    truncate: () => seen.push('truncate'),
    logicalMessage: ({ content }) => seen.push(`message ${content.toString()}`),
    origin: ({ name }) => seen.push(`origin ${name}`),
    transaction: refused,
    streamed: refused,
  });
  const inProgress = new InProgressTransactions({
    folder: options.folder === undefined ? folder : options.folder,
    receiver: {
      begins: () => undefined,
      described: () => undefined,
      message: (at, start, end) => reader.read(at, start, end),
      readDone: () => undefined,
    },
    messagePrefixes: ['ours', 'theirs'],
    paused: options.paused ?? (() => undefined),
  });
  return {
    seen,
    send: async (...messages) => {
      for (const message of messages) {
        const padded = Buffer.concat([Buffer.from('pad'), message, Buffer.from('more')]);
        const work = inProgress.message(padded, 3, 3 + message.length);
        // The caller reads into the same buffer again.
        padded.fill(0xff);
        await work;
      }
    },
    close: () => inProgress.close(),
  };
}

const commit = (xid: number, lsn = 10n) => bytes.streamCommit({ xid, lsn, endLsn: lsn + 1n, at: 5n });
const table = (...columns: readonly string[]) =>
  bytes.relation({
    oid: 7,
    schema: 's',
    table: 't',
    identity: 'f',
    columns: columns.map((name) => ({ name, type: 25 })),
  });
const say = (content: string, of: { prefix?: string; transactional?: boolean } = {}) =>
  bytes.logicalMessage({ transactional: true, lsn: 1n, prefix: 'aside', content, ...of });
/** A message that attributes changes. */
const ours = (content: string) => say(content, { prefix: content.length % 2 === 0 ? 'ours' : 'theirs' });
const insert = (text: string) => bytes.insert(7, [text]);
const block = (xid: number, first: boolean, ...messages: readonly (readonly [number, Buffer])[]) => [
  bytes.streamStart(xid, first),
  ...messages.map(([of, message]) => bytes.streamed(of, message)),
  bytes.streamStop(),
];

describe('transactions in progress', () => {
  test('are passed on at their commit as if they had come complete, with the origin before the changes', async () => {
    const { seen, send } = ground();
    const [start, ...rest] = block(
      5,
      true,
      [5, table('a')],
      [5, insert('one')],
      [6, say('six')],
      [6, insert('two')],
    );
    await send(start!, bytes.origin({ lsn: 0n, name: 'elsewhere' }), ...rest);
    await send(
      bytes.begin({ lsn: 3n, at: 1n, xid: 4 }),
      insert('whole'),
      bytes.commit({ lsn: 3n, endLsn: 4n, at: 1n }),
    );
    await send(...block(5, false, [5, bytes.remove(7, ['one'])], [7, bytes.truncate([7])], [5, say('five')]));
    expect(seen.splice(0)).toEqual(['begin 4 at 3', 'insert whole', 'commit until 4']);
    await send(commit(5), insert('after'));
    expect(seen).toEqual([
      'begin 5 at 10', 'origin elsewhere', 't(a)', 'insert one', 'message six', 'insert two', 'delete one', 'truncate', 'message five',
      'commit until 11', 'insert after',
    ]); // prettier-ignore
  });

  test('have the first attributing message before their changes, and every message in its place', async () => {
    const { seen, send } = ground();
    const aside = [
      say('other'),
      say('not ours at all', { prefix: 'our' }),
      say('nor this', { prefix: 'ours2' }),
      say('of no transaction', { prefix: 'ours', transactional: false }),
    ].map((message) => [5, message] as const);
    await send(...block(5, true, [5, table('a')], ...aside, [6, insert('one')], [5, ours('first')]));
    await send(...block(5, false, [6, insert('two')], [5, ours('second')], [5, insert('three')]), commit(5));
    expect(seen).toEqual([
      'begin 5 at 10', 'message first', 't(a)', 'message other', 'message not ours at all', 'message nor this',
      'message of no transaction', 'insert one', 'message first', 'insert two', 'message second', 'insert three', 'commit until 11',
    ]); // prettier-ignore
  });

  test('are not passed on if an attributing message may have been rolled back', async () => {
    const doubtful = ground();
    await doubtful.send(...block(5, true, [5, ours('x')], [6, insert('gone')]), bytes.streamAbort(5, 6));
    await doubtful.send(...block(7, true, [7, insert('kept')]), commit(7));
    await expect(doubtful.send(commit(5))).rejects.toMatchObject({
      code: 'SOURCE_READ_WHOLE',
      retry: 'backoff',
    });
    expect(doubtful.seen).toEqual(['begin 7 at 10', 'insert kept', 'commit until 11']);
    await doubtful.close();
    // There is no doubt if the rollback comes before the message or covers the whole transaction, or if the
    // message attributes nothing.
    const { seen, send } = ground();
    await send(...block(5, true, [6, insert('gone')], [5, say('aside')]), bytes.streamAbort(5, 6));
    await send(...block(5, false, [5, ours('after')], [5, insert('kept')]), commit(5));
    await send(...block(7, true, [7, ours('gone')], [7, insert('gone')]), bytes.streamAbort(7, 7));
    expect(seen).toEqual(['begin 5 at 10', 'message after', 'message aside', 'message after', 'insert kept', 'commit until 11']); // prettier-ignore
  });

  test('do not contain subtransactions that were rolled back, wherever those are', async () => {
    const { seen, send } = ground();
    await send(...block(5, true, [5, table('a')], [6, insert('gone')], [7, insert('gone')]));
    await send(bytes.streamAbort(5, 7), bytes.streamAbort(5, 6), bytes.streamAbort(99, 98));
    await send(...block(5, false, [5, insert('kept')], [-8, insert('kept too')]), bytes.streamAbort(5, 8));
    await send(...block(9, true, [9, insert('all gone')]), bytes.streamAbort(9, 9));
    await send(...block(9, true, [9, insert('the xid again')]), commit(9), commit(5, 20n));
    expect(seen).toEqual([
      'begin 9 at 10', 'insert the xid again', 'commit until 11',
      'begin 5 at 20', 't(a)', 'insert kept', 'insert kept too', 'commit until 21',
    ]); // prettier-ignore
  });

  test('leave the newest description of a relation in effect if another transaction brought it', async () => {
    const { seen, send } = ground();
    await send(
      ...block(5, true, [5, table('a')], [5, insert('old')]),
      table('a', 'b'),
      commit(5),
      insert('new'),
    );
    expect(seen.splice(0)).toEqual([
      't(a,b)',
      'begin 5 at 10',
      't(a)',
      'insert old',
      't(a,b)',
      'commit until 11',
      'insert new',
    ]);
    // The reverse: the streamed description is the newest, except for what was rolled back.
    await send(...block(6, true, [6, table('c')], [7, table('gone')]), bytes.streamAbort(6, 7), commit(6));
    expect(seen.splice(0)).toEqual(['begin 6 at 10', 't(c)', 'commit until 11']);
    await send(...block(6, true, [6, table('d')]), ...block(8, true, [8, table('e')]), commit(8), commit(6));
    expect(seen).toEqual([
      'begin 8 at 10',
      't(e)',
      'commit until 11',
      'begin 6 at 10',
      't(d)',
      't(e)',
      'commit until 11',
    ]);
  });

  test('of any size come out unchanged, many at the same time', async () => {
    const size = fc.integer({ min: 1, max: 400_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ xid: fc.integer({ min: 1, max: 40 }), size }), { maxLength: 60 }),
        async (parts) => {
          const { seen, send, close } = ground();
          const open = new Map<number, string[]>();
          for (const [n, part] of parts.entries()) {
            const rows = open.get(part.xid);
            const text = `${n} ${'x'.repeat(part.size)}`;
            await send(...block(part.xid, rows === undefined, [part.xid, insert(text)]));
            open.set(part.xid, [...(rows ?? []), `insert ${text.slice(0, 20)}`]);
          }
          const expected = [...open].flatMap(([xid, rows]) => [
            `begin ${xid} at 10`,
            ...rows,
            'commit until 11',
          ]);
          await send(...Array.from(open.keys(), (xid) => commit(xid)));
          await close();
          expect(seen).toEqual(expected);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('wait while the receiver is paused, and end without an error when they are closed', async () => {
    let go = (): void => undefined;
    const paused = new Promise<void>((resolve) => (go = resolve));
    const { seen, send, close } = ground({ paused: () => paused });
    await send(...block(5, true, [5, insert('a'.repeat(600_000))], [5, insert('last')]));
    const replay = send(commit(5));
    await new Promise(setImmediate);
    expect(seen).toEqual(['begin 5 at 10']);
    const closed = close();
    go();
    await Promise.all([replay, closed]);
    expect(seen).toEqual(['begin 5 at 10']);
  });

  test.each<[string, readonly Buffer[]]>([
    ['a commit without a transaction', [commit(5)]],
    ['a later block without a first one', block(5, false, [5, insert('x')])],
    ['a second first block', [...block(5, true, [5, insert('x')]), ...block(5, true)]],
    ['a stop without a start', [bytes.streamStop()]],
    ['a block within a block', [bytes.streamStart(5), bytes.streamStart(6)]],
    ['a commit within a block', [bytes.streamStart(5), commit(5)]],
  ])('are refused as malformed: %s', async (_what, messages) => {
    const { send, close } = ground();
    await expect(send(...messages)).rejects.toMatchObject({ code: 'PGOUTPUT_MALFORMED' });
    await close();
  });

  test('are refused if streaming was not requested', async () => {
    const { send } = ground({ folder: null });
    await expect(send(bytes.streamStart(5))).rejects.toMatchObject({ code: 'PGOUTPUT_MALFORMED' });
  });
});

describe('a spool', () => {
  const SECRET = 'a secret that is not redacted yet ';

  async function filesOnDisk(): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const fd of await readdir('/proc/self/fd')) {
      const link = await readlink(`/proc/self/fd/${fd}`).catch(() => '');
      if (link.startsWith(folder)) found.push(await readFile(`/proc/self/fd/${fd}`));
    }
    return found;
  }

  test('is an encrypted file without a name, or no file at all while it is small', async () => {
    const spool = new Spool(folder);
    const secret = Buffer.from(SECRET.repeat(100));
    spool.append(secret, 0, secret.length);
    await spool.written();
    expect(await filesOnDisk()).toEqual([]);
    for (let n = 0; n < 300; n++) spool.append(secret, 0, secret.length);
    await spool.written();
    const [file, ...others] = await filesOnDisk();
    expect(others).toEqual([]);
    expect(file!.length).toBeGreaterThan(700_000);
    expect(file!.includes('secret')).toBe(false);
    expect(await readdir(folder)).toEqual([]);
    const pieces: Buffer[] = [];
    for await (const piece of spool.read()) pieces.push(Buffer.from(piece));
    expect(Buffer.concat(pieces).toString()).toBe(SECRET.repeat(30_100));
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
    await spool.close();
    expect(await filesOnDisk()).toEqual([]);
  });

  test('reports with its next call that its folder cannot be used', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    const spool = new Spool(path.join(file, 'below'));
    const bytes = Buffer.alloc(300_000);
    spool.append(bytes, 0, bytes.length);
    await expect(spool.written()).rejects.toMatchObject({ code: 'SOURCE_SPOOL_FAILED' });
    expect(() => spool.append(bytes, 0, 1)).toThrow(expect.objectContaining({ code: 'SOURCE_SPOOL_FAILED' }));
    await expect(spool.read().next()).rejects.toMatchObject({ code: 'SOURCE_SPOOL_FAILED' });
    await spool.close();
  });

  test('of a killed process is removed, and no other file is', async () => {
    await writeFile(path.join(folder, `waltrail-${'0a'.repeat(12)}.spool`), '');
    await writeFile(path.join(folder, 'waltrail-mine.spool'), '');
    await removeLeftSpools(folder);
    expect(await readdir(folder)).toEqual(['waltrail-mine.spool']);
    await removeLeftSpools(path.join(folder, 'is not there'));
  });
});
