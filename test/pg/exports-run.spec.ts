import { describe, expect, test } from '@jest/globals';
import { open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ExportBody } from '../../src/api/requests.js';
import { ExportFiles, PartFile } from '../../src/exports/files.js';
import { MAX_ATTEMPTS, runExport, type RunOptions } from '../../src/exports/run.js';
import { ExportStore } from '../../src/exports/store.js';
import { silentLog } from '../../src/log.js';
import { createPool } from '../../src/pg/connect.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { ADMIN, ALL, exportGround, idsOf, type ExportGround } from '../support/exports.ts';
import { batchOf, sampleEntry } from '../support/entries.ts';
import { until } from '../support/until.ts';

async function runGround(entries: number) {
  const ground = await exportGround({ backend: 'postgres', entries });
  const pool = createPool({ url: ground.db.url, purpose: 'test', max: 6 });
  const store = new ExportStore({ pool });
  const run = (id: string, changes: Partial<RunOptions> = {}) =>
    runExport({
      id,
      store,
      files: new ExportFiles({ directory: ground.directory }),
      reader: new TrailReader({ pool }),
      signal: new AbortController().signal,
      version: '0.0.0',
      log: silentLog,
      ...changes,
    });
  return {
    ground,
    pool,
    store,
    run,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await ground[Symbol.asyncDispose]();
    },
  };
}

const ask = async (ground: ExportGround, format = 'ndjson') =>
  (await ground.exports.create(ExportBody.parse({ ...ALL, format }), { requester: ADMIN })).export.id;

describe('a run of an export', () => {
  test('has nothing to do when it comes after another run has ended', async () => {
    await using room = await runGround(100);
    const id = await ask(room.ground);
    expect(await room.run(id)).toBe('ready');
    const before = await stat(path.join(room.ground.directory, `${id}.ndjson`));
    expect(await room.run(id)).toBe('skipped');
    expect(await room.run('00000000-0000-4000-8000-00000000dead')).toBe('skipped');
    expect((await stat(path.join(room.ground.directory, `${id}.ndjson`))).mtimeMs).toBe(before.mtimeMs);
  });

  test('takes over from a run of the same export, which stops, so that there is one file', async () => {
    await using room = await runGround(1000);
    const { ground } = room;
    const id = await ask(ground);
    const hold = await ground.holdEntries();
    const first = room.run(id);
    await until('the first run', async () => (await ground.files()).length === 1);
    const second = room.run(id);
    expect(await first).toBe('lost');
    await hold.release();
    expect(await second).toBe('ready');
    expect(await ground.files()).toEqual([`${id}.ndjson`]);
    expect(idsOf(await ground.download(id))).toHaveLength(1000);
  });

  test('puts no file in place when another run took over', async () => {
    await using room = await runGround(10);
    const id = await ask(room.ground);
    const order = (await room.store.claim(id))!;
    const later = (await room.store.claim(id))!;
    let published = false;
    const file = {
      name: 'x',
      bytes: 1,
      sha256: '0'.repeat(64),
      entries: 1,
      firstLsn: null,
      lastLsn: null,
      gaps: 0,
    };
    const publish = () => Promise.resolve(void (published = true));
    expect(await room.store.finish(order, { file, keepDays: 7, publish })).toBe(false);
    expect(published).toBe(false);
    expect(await room.store.finish(later, { file, keepDays: 7, publish })).toBe(true);
    expect(published).toBe(true);
  });

  test('leaves the row running when the rename fails, so that another run makes the file', async () => {
    await using room = await runGround(10);
    const id = await ask(room.ground);
    const order = (await room.store.claim(id))!;
    const file = {
      name: 'x',
      bytes: 1,
      sha256: '0'.repeat(64),
      entries: 1,
      firstLsn: null,
      lastLsn: null,
      gaps: 0,
    };
    const publish = () => Promise.reject(new Error('no such directory'));
    await expect(room.store.finish(order, { file, keepDays: 7, publish })).rejects.toThrow(
      'no such directory',
    );
    expect((await room.ground.exports.get(id, ADMIN)).state).toBe('running');
    expect(await room.run(id)).toBe('ready');
  });

  test.each(['ndjson', 'csv', 'xlsx'])(
    'gives the export back when the directory of a %s file is removed meanwhile, and the next run makes both',
    async (format) => {
      await using room = await runGround(1000);
      const { ground } = room;
      const id = await ask(ground, format);
      const hold = await ground.holdEntries();
      const first = room.run(id).catch((error: unknown) => error);
      await until('the file', async () => (await ground.files()).length === 1);
      await rm(ground.directory, { recursive: true });
      await hold.release();
      expect(await first).toMatchObject({ code: 'ENOENT' });
      expect((await ground.exports.get(id, ADMIN)).state).toBe('queued');
      expect(await room.run(id)).toBe('ready');
      expect(await ground.files()).toEqual([`${id}.${format}`]);
    },
  );

  test('gives the export back after a passing error, and fails it after the last attempt', async () => {
    await using room = await runGround(10);
    const id = await ask(room.ground);
    const reader = {
      count: () =>
        Promise.reject(Object.assign(new Error('terminating connection: secret value'), { code: '57P01' })),
      walkRows: () => {
        throw new Error('never reached');
      },
      gaps: () => Promise.reject(new Error('never reached')),
    };
    for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
      await expect(room.run(id, { reader })).rejects.toMatchObject({ code: '57P01' });
      expect((await room.ground.exports.get(id, ADMIN)).state).toBe('queued');
    }
    expect(await room.run(id, { reader })).toBe('failed');
    const { error } = await room.ground.exports.get(id, ADMIN);
    expect(error).toMatchObject({ code: 'EXPORT_FAILED' });
    expect(error!.detail).toContain('57P01');
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(await room.ground.files()).toEqual([]);
  });

  test('is not repeated forever when it killed its worker every time', async () => {
    await using room = await runGround(10);
    const id = await ask(room.ground);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) await room.store.claim(id);
    expect(await room.run(id)).toBe('failed');
    expect((await room.ground.exports.get(id, ADMIN)).error).toMatchObject({ code: 'EXPORT_GAVE_UP' });
  });

  test('deletes the files of earlier runs, and only its owner may read its file', async () => {
    await using room = await runGround(10);
    const id = await ask(room.ground);
    await writeFile(
      path.join(room.ground.directory, `${id}.00000000-0000-4000-8000-00000000dead.part`),
      'left',
    );
    await room.run(id);
    expect(await readdir(room.ground.directory)).toEqual([`${id}.ndjson`]);
    expect((await stat(path.join(room.ground.directory, `${id}.ndjson`))).mode & 0o777).toBe(0o600);
  });

  test('reports its progress, and stops within a second when its export is removed', async () => {
    await using room = await runGround(10);
    const { ground } = room;
    /** Endless, at 2,000 entries a second: the pace does not depend on the machine. */
    const endless: RunOptions['reader'] = {
      count: () => Promise.resolve(1_000_000),
      gaps: (...given) => new TrailReader({ pool: room.pool }).gaps(...given),
      async *walkRows() {
        for (let id = 1_000_000; ; id -= 100) {
          await delay(50);
          yield batchOf(Array.from({ length: 100 }, (_, index) => sampleEntry({ id: String(id - index) })));
        }
      },
    };
    for (const format of ['xlsx', 'csv', 'ndjson']) {
      const id = await ask(ground, format);
      const running = room.run(id, { reader: endless });
      const toldAt: number[] = [];
      let told = 0;
      while (toldAt.length < 4) {
        const { done } = (await ground.exports.get(id, ADMIN)).progress;
        if (done > told) toldAt.push(performance.now());
        told = done;
        await delay(10);
      }
      const pauses = toldAt.slice(1).map((at, index) => at - toldAt[index]!);
      expect(Math.max(...pauses)).toBeLessThan(1_000);
      await ground.exports.remove(id, ADMIN);
      const removedAt = performance.now();
      expect(await running).toBe('lost');
      expect(performance.now() - removedAt).toBeLessThan(1_000);
      expect(await ground.files()).toEqual([]);
    }
  });

  test('ends with a clear error on a full disk', async () => {
    const handle = await open('/dev/full', 'w');
    const part = new PartFile({ handle, part: '/nowhere/part', target: '/nowhere/file' });
    await expect(part.write(Buffer.alloc(10))).rejects.toMatchObject({ code: 'EXPORT_DISK_FULL' });
    await handle.close();
  });
});
