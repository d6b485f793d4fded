import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import { appendFile, readdir, readFile, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ExportBody } from '../../src/api/requests.js';
import type { Kept } from '../../src/exports/export.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { ExportFiles } from '../../src/exports/files.js';
import { MAX_ATTEMPTS, runExport, type RunOptions } from '../../src/exports/run.js';
import { ExportStore } from '../../src/exports/store.js';
import { writeCsv, writeNdjson } from '../../src/exports/text-formats.js';
import { silentLog } from '../../src/log.js';
import { createPool } from '../../src/pg/connect.js';
import type { RowBatch } from '../../src/trail/read/row-batch.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { ADMIN, ALL, exportGround, type ExportGround } from '../support/exports.ts';
import { runNode } from '../support/processes.ts';
import { onSmallDisk, smallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

/** Smaller than in a daemon: these tests need several batches and few rows. */
const BATCH_ROWS = 4_000;
/** Seven batches, over more than one chunk. */
const ENTRIES = 26_000;
const VERSION = '0.0.0';
/** Longer than the time between two marks. */
const SLOW_BATCH_MS = 600;

let ground: ExportGround;
let pool: pg.Pool;
let store: ExportStore;
/** Where the walks of a test's runs began. */
let walks: string[] = [];
beforeAll(async () => {
  ground = await exportGround({ backend: 'postgres', entries: ENTRIES });
  pool = createPool({ url: ground.db.url, purpose: 'test', max: 8 });
  store = new ExportStore({ pool });
});
beforeEach(async () => {
  walks = [];
  await ground.db.query('delete from trail.export');
  for (const name of await ground.files()) await rm(path.join(ground.directory, name));
});
afterAll(async () => {
  await pool.end();
  await ground[Symbol.asyncDispose]();
});

const ask = async (format: string): Promise<string> =>
  (await ground.exports.create(ExportBody.parse({ ...ALL, format }), { requester: ADMIN })).export.id;

/** A reader that records where walks begin, and lets a test act between batches. */
function watchedReader(between: (batches: number) => Promise<void>): RunOptions['reader'] {
  const reader = new TrailReader({ pool, batchRows: BATCH_ROWS });
  return {
    count: (...given) => reader.count(...given),
    gaps: (...given) => reader.gaps(...given),
    async *walkRows(...given): AsyncGenerator<RowBatch> {
      walks.push(given[1].below);
      let batches = 0;
      for await (const batch of reader.walkRows(...given)) {
        await between(batches++);
        yield batch;
      }
    },
  };
}

const run = (id: string, changes: Partial<RunOptions> = {}) =>
  runExport({
    id,
    store,
    files: new ExportFiles({ directory: ground.directory }),
    reader: watchedReader(() => Promise.resolve()),
    signal: new AbortController().signal,
    version: VERSION,
    log: silentLog,
    ...changes,
  });

/** Runs the export until its fourth batch, where the connection breaks. */
async function breakOff(id: string): Promise<Kept> {
  const reader = watchedReader(async (batches) => {
    if (batches === 1) await delay(SLOW_BATCH_MS);
    if (batches === 3) throw Object.assign(new Error('gone'), { code: '57P01' });
  });
  await expect(run(id, { reader })).rejects.toMatchObject({ code: '57P01' });
  const kept = await keptOf(id);
  expect(kept!.entries).toBeGreaterThanOrEqual(2 * BATCH_ROWS);
  return kept!;
}

async function keptOf(id: string): Promise<Kept | null> {
  const [row] = await ground.db.query<{ kept: Kept | null }>(
    `select kept from trail.export where id = '${id}'`,
  );
  return row!.kept;
}

const references = new Map<string, Buffer>();
/** The file that an undisturbed run writes. */
async function undisturbed(format: string): Promise<Buffer> {
  const known = references.get(format);
  if (known !== undefined) return known;
  const id = await ask(format);
  expect(await run(id)).toBe('ready');
  const file = await ground.download(id);
  references.set(format, file);
  await ground.exports.remove(id, ADMIN);
  walks = [];
  return file;
}

/** Compares with a readable message. The default message would be millions of bytes. */
async function expectSame(id: string, reference: Buffer): Promise<void> {
  const file = await ground.download(id);
  const view = await ground.exports.get(id, ADMIN);
  const sha256 = createHash('sha256').update(reference).digest('hex');
  expect([file.length, view.file!.sha256, view.progress.done]).toEqual([reference.length, sha256, ENTRIES]);
  expect(file.equals(reference)).toBe(true);
}

test('parts of a file are in the order in which they were given, whichever is on disk first', async () => {
  const files = new ExportFiles({ directory: ground.directory });
  const id = randomUUID();
  const part = await files.begin({ id, claim: randomUUID(), format: 'csv' });
  const parts = Array.from({ length: 200 }, (_, index) =>
    Buffer.alloc(index % 2 === 0 ? 1_000_000 : 10, index),
  );
  await Promise.all(parts.map((bytes) => part.write(bytes)));
  const { bytes } = await part.seal();
  await part.publish();
  const handle = (await files.read({ id, format: 'csv', bytes }))!;
  expect((await handle.readFile()).equals(Buffer.concat(parts))).toBe(true);
  await handle.close();
});

describe.each(['csv', 'ndjson'])('a run of a %s that broke off', (format) => {
  test('resumes after its durable part, and its file equals that of a single run', async () => {
    const reference = await undisturbed(format);
    const id = await ask(format);
    const kept = await breakOff(id);
    const part = path.join(ground.directory, `${id}.${kept.part}.part`);
    // Bytes after the mark have no effect, whatever they are.
    expect((await readFile(part)).length).toBeGreaterThanOrEqual(kept.bytes);
    await appendFile(part, 'half a row');
    expect(await run(id)).toBe('ready');
    expect(walks.at(-1)).toBe(kept.belowId);
    await expectSame(id, reference);
    // Entries come newest first, so the first part of the file has the last commit.
    expect(
      await ground.db.query(`
        select (select commit_lsn from trail.entry order by id limit 1) = first_lsn as first,
               (select commit_lsn from trail.entry order by id desc limit 1) = last_lsn as last
          from trail.export where id = '${id}'`),
    ).toEqual([{ first: true, last: true }]);
    expect((await ground.files()).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test.each<[string, (part: string, kept: Kept) => Promise<void>, Partial<RunOptions>]>([
    ['when its file is missing', (part) => rm(part), {}],
    ['when its file is shorter than its row states', (part, { bytes }) => truncate(part, bytes - 1), {}],
    ['when another version wrote it', () => Promise.resolve(), { version: '0.0.1' }],
  ])('begins again %s', async (_, spoil, changes) => {
    const reference = await undisturbed(format);
    const id = await ask(format);
    const kept = await breakOff(id);
    await spoil(path.join(ground.directory, `${id}.${kept.part}.part`), kept);
    expect(await run(id, changes)).toBe('ready');
    expect(walks).toHaveLength(2);
    expect(walks[1]).toBe(walks[0]);
    await expectSame(id, reference);
    expect((await ground.files()).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('writes one part of the file after the other, and changes none before it is written', async () => {
    const reader = new TrailReader({ pool, batchRows: BATCH_ROWS });
    const parts: Buffer[] = [];
    let running = 0;
    const sink = {
      async write(bytes: Uint8Array): Promise<void> {
        expect(++running).toBe(1);
        await delay(2);
        parts.push(Buffer.from(bytes));
        running--;
      },
    };
    const options = {
      batches: reader.walkRows(ALL, { below: (await reader.head()).nextId, withContexts: true }),
      sink,
    };
    await (format === 'csv' ? writeCsv({ ...options, clock: new ZoneClock('UTC') }) : writeNdjson(options));
    expect(Buffer.concat(parts).equals(await undisturbed(format))).toBe(true);
  });

  test('does not write into the file of the next run when it only seemed to be dead', async () => {
    const reference = await undisturbed(format);
    const id = await ask(format);
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    const reader = watchedReader(async (batches) => {
      if (batches === 1) await delay(SLOW_BATCH_MS);
      if (batches === 3) await held;
    });
    const earlier = run(id, { reader });
    await until('the mark', async () => (await keptOf(id)) !== null);
    const kept = await keptOf(id);
    expect(await run(id)).toBe('ready');
    letGo();
    expect(await earlier).toBe('lost');
    // Another mark may have been set since. The walk goes down.
    expect(BigInt(walks.at(-1)!)).toBeLessThanOrEqual(BigInt(kept!.belowId));
    await expectSame(id, reference);
    expect((await ground.files()).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('is killed again and again at random moments, and its file equals that of a single run', async () => {
    const reference = await undisturbed(format);
    const id = await ask(format);
    const script = path.join(import.meta.dirname, '../support/export-run.mjs');
    const order = JSON.stringify({
      id,
      url: ground.db.url,
      directory: ground.directory,
      batchRows: BATCH_ROWS,
    });
    const kept: number[] = [];
    let kills = 0;
    const isReady = async (): Promise<boolean> =>
      (await ground.db.query<{ state: string }>(`select state from trail.export`))[0]!.state === 'ready';
    // A run may be killed when the file is in place and its row does not state that yet.
    while (!(await isReady())) {
      await using child = runNode([script, order]);
      await until('the run', () => child.stdout() !== '');
      const before = await keptOf(id);
      const randomly = delay(Math.random() * 1_200);
      // Every other kill comes after the file has grown, so that the loop ends.
      const moment =
        kills % 2 === 0
          ? randomly
          : until('a mark', async () => (await keptOf(id))?.belowId !== before?.belowId).then(() =>
              delay(Math.random() * 300),
            );
      const first = await Promise.race([moment.then(() => 'kill' as const), child.ended]);
      if (first === 'kill') {
        child.process.kill('SIGKILL');
        await child.ended;
        kills++;
        if (!(await isReady())) kept.push((await keptOf(id))?.entries ?? 0);
        // Runs that end without progress are given up. That is not the subject of this test.
        await ground.db.query('update trail.export set attempts = 0');
      } else expect(child.stdout()).toBe('begun ready');
      if (kills > 40) throw new Error(`after ${kills} kills: ${kept.join(', ')}`);
    }
    expect(kills).toBeGreaterThan(0);
    expect(kept).toEqual([...kept].sort((one, other) => one - other));
    await expectSame(id, reference);
  });
});

describe('a run that broke off', () => {
  test('is not given up while its file grows, and is given up when it does not', async () => {
    const id = await ask('ndjson');
    await ground.db.query(`update trail.export set attempts = ${MAX_ATTEMPTS - 1}`);
    await breakOff(id);
    const reader = watchedReader(() => Promise.reject(Object.assign(new Error('gone'), { code: '57P01' })));
    let outcome: string | undefined;
    let attempts = 0;
    while (outcome === undefined) {
      attempts++;
      outcome = await run(id, { reader }).catch(() => undefined);
    }
    expect([attempts, outcome]).toEqual([MAX_ATTEMPTS - 1, 'failed']);
    expect(await ground.files()).toEqual([]);
  });

  test('leaves no file when its export is removed before the next run', async () => {
    const id = await ask('csv');
    await breakOff(id);
    expect(await readdir(ground.directory)).toHaveLength(1);
    await ground.exports.remove(id, ADMIN);
    expect(await readdir(ground.directory)).toEqual([]);
  });

  test('leaves its file to the next run when its worker was stopped', async () => {
    const reference = await undisturbed('csv');
    const id = await ask('csv');
    const stop = new AbortController();
    const reader = watchedReader(async (batches) => {
      if (batches === 1) await delay(SLOW_BATCH_MS);
      if (batches === 3) stop.abort();
    });
    expect(await run(id, { reader, signal: stop.signal })).toBe('released');
    const kept = await keptOf(id);
    expect(await run(id)).toBe('ready');
    expect(walks.at(-1)).toBe(kept!.belowId);
    await expectSame(id, reference);
  });

  onSmallDisk()('begins again where there is no room for its file and a copy', async () => {
    const reference = await undisturbed('csv');
    using disk = smallDisk(Math.ceil((1.2 * reference.length) / 1024 ** 2));
    const files = new ExportFiles({ directory: disk.folder });
    const id = await ask('csv');
    const reader = watchedReader(async (batches) => {
      if (batches === 4) await delay(SLOW_BATCH_MS);
      if (batches === 6) throw Object.assign(new Error('gone'), { code: '57P01' });
    });
    await expect(run(id, { files, reader })).rejects.toMatchObject({ code: '57P01' });
    expect((await keptOf(id))!.entries).toBeGreaterThanOrEqual(5 * BATCH_ROWS);
    expect(await run(id, { files })).toBe('ready');
    expect(walks[1]).toBe(walks[0]);
    const [name] = await readdir(disk.folder);
    expect((await readFile(path.join(disk.folder, name!))).equals(reference)).toBe(true);
  });
});
