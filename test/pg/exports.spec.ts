import * as xlsx from '@e965/xlsx';
import { describe, expect, test } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ExportBody } from '../../src/api/requests.js';
import type { Requester } from '../../src/exports/export.js';
import { createPool } from '../../src/pg/connect.js';
import type { Entry } from '../../src/trail/read/entry.js';
import { ADMIN, ALL, exportGround, idsOf, kill, untilState, type ExportGround } from '../support/exports.ts';
import { addGap } from '../support/gaps.ts';
import { openpyxlTest, readWithOpenpyxl } from '../support/openpyxl.ts';
import { redisBinary } from '../support/redis.ts';
import { until } from '../support/until.ts';

const backends: readonly ('postgres' | 'redis')[] = [
  'postgres',
  ...(redisBinary ? (['redis'] as const) : []),
];

const ask = async (ground: ExportGround, body: object = {}, requester: Requester = ADMIN) =>
  (await ground.exports.create(ExportBody.parse({ ...ALL, ...body }), { requester })).export;

/** Attempts of the only export. */
async function attemptsOf(ground: ExportGround): Promise<number> {
  const [row] = await ground.db.query<{ attempts: number }>('select attempts from trail.export');
  return row!.attempts;
}

const exporter = (changes: Partial<Requester> = {}): Requester => ({
  tokenId: randomUUID(),
  name: 'Erik Exporter',
  role: 'exporter',
  tenant: null,
  ...changes,
});

describe.each(backends)('an export with its queue on %s', (backend) => {
  test('is queued, then running, then ready, and its file has the checksum of its row', async () => {
    await using ground = await exportGround({ backend, entries: 5000 });
    const created = await ask(ground);
    expect(created).toMatchObject({
      state: 'queued',
      format: 'xlsx',
      timezone: 'UTC',
      requestedBy: 'Ada Admin',
      file: null,
    });
    const states = new Set<string>();
    const watched = (async () => {
      for await (const view of ground.exports.watch(created.id, ADMIN)) states.add(view.state);
    })();
    await ground.startWorker();
    const view = await ground.finished(created.id);
    await watched;
    expect(view).toMatchObject({ state: 'ready', progress: { done: 5000, total: 5000 }, error: null });
    expect([...states].at(0)).toBe('queued');
    expect([...states].at(-1)).toBe('ready');
    const bytes = await ground.download(created.id);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(view.file!.sha256);
    expect(view.file!.name).toBe('audit-trail_2026-10-23_2026-10-27.xlsx');
    expect(await ground.files()).toEqual([`${created.id}.xlsx`]);
    const workbook = xlsx.read(bytes);
    expect(workbook.SheetNames).toEqual(['About this report', 'Audit trail']);
    expect(workbook.Sheets['Audit trail']!['!ref']).toBe('A1:U5001');
  });

  test('is finished by another worker when the first is killed in the middle', async () => {
    await using ground = await exportGround({ backend, entries: 2000 });
    const hold = await ground.holdEntries();
    const worker = await ground.spawnWorker();
    const { id } = await ask(ground, { format: 'ndjson' });
    await untilState(ground, id, 'running');
    await until('a temporary file', async () => (await ground.files()).length === 1);
    await kill(worker);
    await hold.release();
    expect((await ground.exports.get(id, ADMIN)).state).toBe('running');
    await ground.startWorker();
    expect(await ground.finished(id)).toMatchObject({ error: null, state: 'ready' });
    expect(idsOf(await ground.download(id))).toHaveLength(2000);
    expect(await ground.files()).toEqual([`${id}.ndjson`]);
  });

  test('is found by its row when the queue has lost its job', async () => {
    await using ground = await exportGround({ backend, entries: 100 });
    const { id } = await ask(ground, { format: 'csv' });
    await ground.forgetQueue();
    await ground.startWorker();
    expect(await ground.finished(id)).toMatchObject({ error: null, state: 'ready' });
  });

  test('is cancelled and leaves nothing when it is removed while it runs', async () => {
    await using ground = await exportGround({ backend, entries: 2000 });
    const hold = await ground.holdEntries();
    await ground.startWorker();
    const { id } = await ask(ground);
    const states: string[] = [];
    const watched = (async () => {
      for await (const view of ground.exports.watch(id, ADMIN)) states.push(view.state);
    })();
    await until('a temporary file', async () => (await ground.files()).length === 1);
    await ground.exports.remove(id, ADMIN);
    await watched;
    expect(states.at(-1)).toBe('cancelled');
    await until('the temporary file to be removed', async () => (await ground.files()).length === 0);
    await hold.release();
    await expect(ground.exports.get(id, ADMIN)).rejects.toMatchObject({
      code: 'EXPORT_NOT_FOUND',
      status: 404,
    });
    // The worker is free for the next export.
    const next = await ask(ground, { format: 'csv' });
    expect(await ground.finished(next.id)).toMatchObject({ error: null, state: 'ready' });
  });

  test('goes back to the queue when its worker is stopped, and the next worker makes it', async () => {
    await using ground = await exportGround({ backend, entries: 500 });
    const hold = await ground.holdEntries();
    const first = await ground.startWorker();
    const { id } = await ask(ground, { format: 'ndjson' });
    await until('a temporary file', async () => (await ground.files()).length === 1);
    await first.stop();
    expect((await ground.exports.get(id, ADMIN)).state).toBe('queued');
    expect(await ground.files()).toEqual([]);
    await hold.release();
    await ground.startWorker();
    expect(await ground.finished(id)).toMatchObject({ error: null, state: 'ready' });
    expect(await attemptsOf(ground)).toBe(1);
  });
});

describe('the file of an export', () => {
  test('holds the entries that the filters ask for, and no others', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 9000 });
    await ground.startWorker();
    const bodies = [
      { action: ['block', 'activate'] },
      { entityType: ['customer'], action: ['add'] },
      { tenant: '3' },
      { modifier: [''] },
      { from: '2026-10-24T00:00:00Z', to: '2026-10-25T00:00:00Z' },
    ];
    const conditions = [
      `a.name in ('block', 'activate')`,
      `t.name = 'customer' and a.name = 'add'`,
      `e.tenant_id = 3`,
      `e.modifier_id = 0`,
      `committed_at >= '2026-10-24T00:00:00Z' and committed_at < '2026-10-25T00:00:00Z'`,
    ];
    for (const [index, body] of bodies.entries()) {
      const { id } = await ask(ground, { ...body, format: 'ndjson' });
      const view = await ground.finished(id);
      const expected = await ground.db.query<{ id: string }>(
        `select e.id::text as id from trail.entry e join trail.action a on a.id = e.action_id
           join trail.entity_type t on t.id = e.entity_type_id where ${conditions[index]!} order by e.id desc`,
      );
      expect(expected.length).toBeGreaterThan(0);
      expect(idsOf(await ground.download(id))).toEqual(expected.map((row) => row.id));
      expect(view.progress).toEqual({ done: expected.length, total: expected.length });
    }
  });

  test('ends at the newest entry at the time of the request', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 300 });
    const { id } = await ask(ground, { format: 'ndjson' });
    // Adds 300 entries to the trail before any worker has looked at it.
    await ground.db.query(
      `insert into trail.entry select (jsonb_populate_record(e, jsonb_build_object('id', (select next_id from trail.checkpoint) - 1 + row_number() over ()))).*
         from trail.entry e`,
    );
    await ground.db.query('update trail.checkpoint set next_id = next_id + 300');
    await ground.startWorker();
    const before = await ground.finished(id);
    const after = await ground.finished((await ask(ground, { format: 'ndjson' })).id);
    expect([before.progress.done, after.progress.done]).toEqual([300, 600]);
  });

  test('shows its dates in two zones, also in the night when the clock is put back', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 3000 });
    await ground.startWorker();
    const night = { from: '2026-10-25T00:30:00Z', to: '2026-10-25T01:30:00Z' };
    const rows = await Promise.all(
      ['Europe/Berlin', 'Asia/Jerusalem'].map(async (timezone) => {
        const { id } = await ask(ground, { ...night, timezone });
        await ground.finished(id);
        const workbook = xlsx.read(await ground.download(id));
        const cover = xlsx.utils.sheet_to_json<string[]>(workbook.Sheets['About this report']!, {
          header: 1,
        });
        const data = xlsx.utils
          .sheet_to_json<unknown[]>(workbook.Sheets['Audit trail']!, { header: 1 })
          .slice(1);
        return {
          cover: Object.fromEntries(cover) as Record<string, string>,
          serials: data.map((row) => Number(row[6])),
        };
      }),
    );
    const instants = await ground.db.query<{ ms: number }>(
      `select floor(extract(epoch from committed_at) * 1000)::float8 as ms from trail.entry
        where committed_at >= $1 and committed_at < $2 order by id desc`,
      [night.from, night.to],
    );
    expect(instants.length).toBeGreaterThan(10);
    const HOUR_MS = 3_600_000;
    const change = Date.parse('2026-10-25T01:00:00Z');
    const serial = (ms: number) => ms / 86_400_000 + 25_569;
    const [berlin, jerusalem] = rows;
    instants.forEach(({ ms }, index) => {
      expect(berlin!.serials[index]).toBeCloseTo(serial(ms + (ms < change ? 2 : 1) * HOUR_MS), 9);
      expect(jerusalem!.serials[index]).toBeCloseTo(serial(ms + 2 * HOUR_MS), 9);
    });
    expect(berlin!.cover['Time zone of all dates']).toBe(
      'Europe/Berlin (UTC+02:00, UTC+01:00 from 2026-10-25T01:00Z)',
    );
    expect(jerusalem!.cover['Time zone of all dates']).toBe('Asia/Jerusalem (UTC+02:00)');
    expect(jerusalem!.cover['From (included)']).toBe('2026-10-25 02:30:00.000000+02:00');
  });

  openpyxlTest('is read by openpyxl with the same values as in the text formats', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 500 });
    await ground.startWorker();
    const fileOf = async (format: string): Promise<Buffer> => {
      const { id } = await ask(ground, { format, timezone: 'UTC' });
      await ground.finished(id);
      return ground.download(id);
    };
    const lines = (await fileOf('ndjson')).toString().split('\n').slice(0, -1);
    const { sheets } = await readWithOpenpyxl(await fileOf('xlsx'));
    expect(sheets.map(({ title }) => title)).toEqual(['About this report', 'Audit trail']);
    const rows = sheets[1]!.rows.slice(1);
    expect(rows).toHaveLength(500);
    expect(
      rows.map((row) =>
        row
          .map(({ value }) => value ?? '')
          .toSpliced(20, 1)
          .toSpliced(4, 2),
      ),
    ).toEqual(
      lines.map((line) => {
        const entry = JSON.parse(line) as Entry;
        return [
          entry.modifier.name,
          entry.action,
          entry.entity.type,
          entry.entity.name ?? '',
          entry.committedAt.slice(0, -4),
          entry.entity.id ?? '',
          entry.modifier.kind ?? '',
          entry.modifier.rung,
          entry.tenant ?? '',
          entry.table,
          entry.transaction.commitLsn,
          entry.transaction.xid,
          entry.transaction.seq,
          '',
          '',
          '',
          '+00:00',
          '',
        ];
      }),
    );
    expect(new Set(rows.map((row) => [row[6]!.type, row[14]!.type].join()))).toEqual(new Set(['d,n']));
  });

  test('is valid and states it when nothing matches', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    await ground.startWorker();
    for (const format of ['xlsx', 'csv', 'ndjson']) {
      const { id } = await ask(ground, { q: 'no such text anywhere', format });
      expect(await ground.finished(id)).toMatchObject({ state: 'ready', progress: { done: 0, total: 0 } });
      const bytes = await ground.download(id);
      if (format === 'ndjson') expect(bytes).toHaveLength(0);
      if (format === 'csv') expect(bytes.toString().split('\r\n')).toHaveLength(2);
      if (format !== 'xlsx') continue;
      const cover = xlsx.utils.sheet_to_csv(xlsx.read(bytes).Sheets['About this report']!);
      expect(cover).toContain('no entry in this range matches the filters');
      expect(cover).toContain('no such text anywhere');
    }
  });

  test('states what it covers: who asked, filters, commits, trail', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 1000 });
    await ground.startWorker();
    const { id } = await ask(ground, { modifier: ['', '7', '15'], entityType: ['customer', 'agent'] });
    await ground.finished(id);
    const workbook = xlsx.read(await ground.download(id));
    const cover = Object.fromEntries(
      xlsx.utils.sheet_to_json<string[]>(workbook.Sheets['About this report']!, { header: 1 }),
    ) as Record<string, string>;
    const rows = xlsx.utils.sheet_to_json<Record<string, unknown>>(workbook.Sheets['Audit trail']!);
    expect(cover).toMatchObject({
      Entries: String(rows.length),
      Filters: 'Modified by (key): (unattributed), 7, 15\nModified entity type: customer, agent',
      'Requested by': 'Ada Admin',
      'Tenant of the requester': 'not restricted',
      'Clipped cells': '0',
      Export: id,
    });
    expect(cover['Written by']).toMatch(/^Waltrail \d+\.\d+\.\d+$/);
    expect(cover['Commits covered']).toContain(
      `LSN ${String(rows.at(-1)!['Commit LSN'])} to ${String(rows[0]!['Commit LSN'])}`,
    );
    const [head] = await ground.db.query<{ lsn: string }>(
      'select end_lsn::text as lsn from trail.checkpoint',
    );
    expect(cover['Trail read up to']).toContain(`LSN ${head!.lsn}`);
    const [row] = await ground.db.query<Record<string, string>>(
      'select first_lsn::text as first, last_lsn::text as last from trail.export',
    );
    expect(row).toEqual({ first: rows.at(-1)!['Commit LSN'], last: rows[0]!['Commit LSN'] });
  });

  test('states in red which gaps of the trail overlap its range, and so does the export', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    await ground.startWorker();
    const pool = createPool({ url: ground.db.url, purpose: 'test', max: 1 });
    await addGap(pool, {
      code: 'SOURCE_PUBLICATION_INCOMPLETE',
      tables: ['public.agents', 'public.teams'],
      lastEntryAt: '2026-10-24T09:00:00Z',
      closedAt: '2026-10-24T10:00:00Z',
    });
    await addGap(pool, { lastEntryAt: '2026-10-25T09:00:00Z' });
    await addGap(pool, {
      code: 'SOURCE_SLOT_AHEAD',
      lastEntryAt: '2026-10-27T00:00:00Z',
      closedAt: '2026-10-28T00:00:00Z',
    });
    await pool.end();
    const coverOf = async (id: string): Promise<{ text: string[]; red: string[] }> => {
      const sheet = xlsx.read(await ground.download(id), { cellStyles: true }).Sheets['About this report']!;
      const rows = xlsx.utils.sheet_to_json<string[]>(sheet, { header: 1 });
      const cells = Object.entries(sheet) as [string, { v?: unknown; s?: { fgColor?: { rgb?: string } } }][];
      const red = cells.filter(([, cell]) => cell.s?.fgColor?.rgb === 'FFC7CE').map(([name]) => name);
      return { text: rows.map((row) => row.join(': ')), red };
    };

    // Without it the coverage of the trail is unknown, which is red, too.
    await ground.db.query('select trail.note_current(clock_timestamp())');
    const { id } = await ask(ground, { timezone: 'Europe/Berlin' });
    expect(await ground.finished(id)).toMatchObject({ state: 'ready', gaps: 2 });
    const cover = await coverOf(id);
    expect(cover.text.filter((line) => /^(?:May be|Entries)/.test(line))).toEqual([
      'May be incomplete: Changes may be missing: the replication slot no longer exists, from 2026-10-25 10:00:00.000000+01:00 on; recording has stopped (SOURCE_SLOT_LOST; all tracked tables)',
      'May be incomplete: Changes may be missing: tables were not published, from 2026-10-24 11:00:00.000000+02:00 to 2026-10-24 12:00:00.000000+02:00 (SOURCE_PUBLICATION_INCOMPLETE; public.agents, public.teams)',
      'Entries: 100',
    ]);
    expect(cover.red).toEqual(['A3', 'B3', 'A4', 'B4']);

    const before = await ask(ground, { to: '2026-10-24T00:00:00Z' });
    expect(before).toMatchObject({ gaps: null });
    expect(await ground.finished(before.id)).toMatchObject({ state: 'ready', gaps: 0 });
    const clean = await coverOf(before.id);
    expect([clean.text[2], clean.red]).toEqual(['Gaps: none known in this range', []]);

    const csv = await ask(ground, { format: 'csv' });
    expect(await ground.finished(csv.id)).toMatchObject({ state: 'ready', gaps: 2 });

    const theirs = await ask(ground, {}, exporter({ tenant: '3' }));
    await ground.finished(theirs.id);
    const shown = (await coverOf(theirs.id)).text.join('\n');
    expect(shown).toContain('SOURCE_PUBLICATION_INCOMPLETE');
    expect(shown).not.toContain('public.agents');
  });

  test('cannot be written to a disk that refuses it: the export fails and states the remedy', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    const file = path.join(ground.directory, 'not-a-directory');
    await writeFile(file, '');
    await ground.startWorker({ exportDir: path.join(file, 'exports') });
    const view = await ground.finished((await ask(ground)).id);
    expect(view).toMatchObject({ state: 'failed', file: null });
    expect(view.error).toMatchObject({ code: 'EXPORT_STORAGE', type: 'urn:waltrail:error:EXPORT_STORAGE' });
    expect(view.error!.detail).toContain('ENOTDIR');
    expect(view.error!.remedy).toContain('WALTRAIL_EXPORT_DIR');
  });

  test('is deleted when it has expired, and its row states that', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    const worker = await ground.startWorker();
    const { id } = await ask(ground);
    const view = await ground.finished(id);
    const days = (Date.parse(view.expiresAt!) - Date.parse(view.finishedAt!)) / 86_400_000;
    expect(days).toBeCloseTo(7, 3);
    await worker.stop();
    await ground.db.query(`update trail.export set expires_at = clock_timestamp()`);
    await ground.startWorker();
    await until('the file to be deleted', async () => (await ground.files()).length === 0);
    expect(await ground.exports.get(id, ADMIN)).toMatchObject({ state: 'expired', file: null });
    await expect(ground.exports.file(id, ADMIN)).rejects.toMatchObject({
      code: 'EXPORT_NOT_READY',
      status: 409,
    });
  });

  test('is an error that names the cause when it is damaged', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    await ground.startWorker();
    const { id } = await ask(ground, { format: 'csv' });
    await ground.finished(id);
    await writeFile(path.join(ground.directory, `${id}.csv`), 'cut');
    await expect(ground.exports.file(id, ADMIN)).rejects.toMatchObject({
      code: 'EXPORT_FILE_MISSING',
      status: 410,
    });
  });
});

describe('a worker', () => {
  test('makes an export with values that do not fit into memory together, batch by batch, at the first attempt', async () => {
    // Their first character makes strings of two bytes a character: 300 MB, where a thread has 256 MB. The
    // bytes to store, read and write are only half of that.
    await using ground = await exportGround({ backend: 'postgres', entries: 150 });
    await ground.db.query(
      `update trail.entry set previous = null, columns = '$', operation = 'i', updated = 'ж' || repeat(md5(id::text), 32768) || chr(31)`,
    );
    await ground.startWorker();
    const { id } = await ask(ground);
    // Ten times the duration on a busy machine: the test is that it ends.
    expect(await ground.finished(id, 500_000)).toMatchObject({
      error: null,
      state: 'ready',
      progress: { done: 150 },
    });
    expect(await attemptsOf(ground)).toBe(1);
    const cover = xlsx.utils.sheet_to_csv(xlsx.read(await ground.download(id)).Sheets['About this report']!);
    expect(cover).toContain('Clipped cells,"150: Excel holds');
  }, 600_000);

  test('makes an export of a table with 1,600 columns at the first attempt', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 4000 });
    await ground.db.query(
      `update trail.relation set columns = (select jsonb_agg(jsonb_build_object('name', 'c' || i, 'type', 23)) from generate_series(1, 1600) i)`,
    );
    await ground.db.query(
      `update trail.entry set previous = null, columns = null, operation = 'i', updated = repeat('12345678' || chr(31), 1600)`,
    );
    await ground.startWorker();
    const { id } = await ask(ground, { format: 'ndjson' });
    expect(await ground.finished(id)).toMatchObject({
      error: null,
      state: 'ready',
      progress: { done: 4000 },
    });
    expect(await attemptsOf(ground)).toBe(1);
  });

  test('writes values of the largest stored size to ndjson, whatever JSON has to escape', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 2 });
    await ground.db.query(
      `update trail.entry set columns = '"', previous = repeat('ж"', 22000000) || chr(31), updated = repeat('яя', 16000000) || chr(31)
        where id = (select max(id) from trail.entry)`,
    );
    await ground.startWorker();
    const { id } = await ask(ground, { format: 'ndjson' });
    expect(await ground.finished(id)).toMatchObject({ error: null, state: 'ready', progress: { done: 2 } });
    const file = await ground.download(id);
    const line = file.subarray(0, file.indexOf('\n'));
    expect(line.length).toBeGreaterThan(22_000_000 * 4 + 64_000_000);
    expect(line.includes('ж\\"ж\\"ж')).toBe(true);
  });

  test('fails an export with an entry that does not fit into its memory, and makes the next one', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 2 });
    // The largest stored value, with quotes: a value that has to be escaped becomes a string of two bytes a
    // character, times the copies that this takes.
    await ground.db.query(
      `update trail.entry set columns = '$', previous = repeat('ж"', 22369000) || chr(31), updated = repeat('я"', 22369000) || chr(31)
        where id = (select max(id) from trail.entry)`,
    );
    await ground.startWorker();
    const { id } = await ask(ground, { format: 'csv' });
    expect(await ground.finished(id)).toMatchObject({
      state: 'failed',
      error: { code: 'EXPORT_OUT_OF_MEMORY' },
    });
    expect(await attemptsOf(ground)).toBe(1);
    await ground.db.query('delete from trail.entry where id = (select max(id) from trail.entry)');
    const next = await ask(ground, { format: 'ndjson' });
    expect(await ground.finished(next.id)).toMatchObject({ state: 'ready', progress: { done: 1 } });
  });
});

describe('asking for an export', () => {
  test('returns the same export for the same idempotency key, and refuses another request with that key', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    const request = ExportBody.parse({ action: ['block'] });
    const context = { requester: exporter(), idempotencyKey: 'a key' };
    // Without a range: "now" differs between the two, the request does not.
    const [first, second] = [
      await ground.exports.create(request, context),
      await ground.exports.create(request, context),
    ];
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.export).toEqual(first.export);
    await expect(ground.exports.create(ExportBody.parse({ action: ['add'] }), context)).rejects.toMatchObject(
      { code: 'EXPORT_KEY_REUSED', status: 422 },
    );
    const other = await ground.exports.create(request, { ...context, requester: exporter() });
    expect(other.created).toBe(true);
    const twice = await Promise.all(
      [1, 2, 3, 4].map(() => ground.exports.create(request, { ...context, idempotencyKey: 'at once' })),
    );
    expect(new Set(twice.map((one) => one.export.id)).size).toBe(1);
    expect(twice.filter((one) => one.created)).toHaveLength(1);
  });

  test("is refused for a range that is too long or a tenant that is not the token's", async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 10 });
    await expect(ask(ground, { from: '2026-10-01', to: '2026-10-27' })).rejects.toMatchObject({
      code: 'RANGE_TOO_LONG',
      status: 422,
    });
    await expect(ask(ground, { tenant: '2' }, exporter({ tenant: '3' }))).rejects.toMatchObject({
      code: 'HTTP_FORBIDDEN',
      status: 403,
    });
    expect(await ground.exports.list(ADMIN)).toEqual([]);
  });

  test('shows an exporter only his own exports, and an admin of a tenant only those of that tenant', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 2000 });
    const [erik, tina] = [exporter(), exporter({ tenant: '3' })];
    const [his, hers] = [await ask(ground, {}, erik), await ask(ground, { format: 'ndjson' }, tina)];
    const ids = async (requester: Requester) => (await ground.exports.list(requester)).map((view) => view.id);
    expect(await ids(erik)).toEqual([his.id]);
    expect(await ids(tina)).toEqual([hers.id]);
    expect(await ids(ADMIN)).toEqual([hers.id, his.id]);
    expect(await ids({ ...ADMIN, tenant: '3' })).toEqual([hers.id]);
    for (const refused of [
      ground.exports.get(hers.id, erik),
      ground.exports.file(hers.id, erik),
      ground.exports.remove(hers.id, erik),
      ground.exports.watch(hers.id, erik).next(),
      ground.exports.get('nonsense', ADMIN),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'EXPORT_NOT_FOUND' });
    }
    await ground.startWorker();
    await ground.finished(hers.id);
    const lines = (await ground.download(hers.id)).toString().split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.every((line) => (JSON.parse(line) as { tenant: string }).tenant === '3')).toBe(true);
  });

  test('removing an export removes its file', async () => {
    await using ground = await exportGround({ backend: 'postgres', entries: 100 });
    await ground.startWorker();
    const { id } = await ask(ground);
    await ground.finished(id);
    await ground.exports.remove(id, ADMIN);
    expect(await ground.files()).toEqual([]);
    expect(await ground.exports.list(ADMIN)).toEqual([]);
  });
});
