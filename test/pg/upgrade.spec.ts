import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import xlsx from '@e965/xlsx';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Answer as ApiAnswer } from '../../src/api/answers.js';
import { silentLog } from '../../src/log.js';
import { startDaemon, type Daemon } from '../../src/main.js';
import { readSettings, type Role } from '../../src/settings.js';
import { startCapture } from '../../src/capture/capture.js';
import { uncovered } from '../../src/web/texts/coverage-texts.ts';
import { testConfig as apiConfig } from '../support/api.ts';
import {
  askedNow,
  bodiesNow,
  expectedAnswer,
  fileBefore,
  NOBODY_BEFORE,
  NOBODY_NOW,
  UNATTRIBUTED_NOW,
  withFormerName,
  withoutLookedUp,
  type Answer,
  type Facets,
  withoutChanges,
} from '../support/corrected-answers.ts';
import { applyTracking, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { recordedTrail, type RecordedAnswers, type RecordedQuestion } from '../support/recorded-trail.ts';
import { until } from '../support/until.ts';

type Status = ApiAnswer<'Status'>;

/** A trail written by commit 032e7d8, with the migrations 0001 to 0008. */
const RECORDED = 'trail-0.1';

let trail: TestDatabase;
let answers: RecordedAnswers;
let daemon: Daemon;
let dataDir: string;

const start = (roles: readonly Role[]): Promise<Daemon> =>
  startDaemon({
    settings: readSettings({ WALTRAIL_PORT: '0', WALTRAIL_DATA_DIR: dataDir }),
    config: apiConfig(trail.url),
    roles,
    log: silentLog,
  });
const request = (route: string, as: RecordedQuestion['as'], init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(`/v1/${route}`, daemon.url), {
    ...init,
    headers: { authorization: `Bearer ${answers.tokens[as]}`, ...init.headers },
  });

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'waltrail-upgrade-'));
  ({ trail, answers } = await recordedTrail(RECORDED));
  // Exports wait: first the answers of the old version about them are compared.
  daemon = await start(['api']);
});
afterAll(async () => {
  await daemon.stop();
  await trail[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

describe('a trail of an older version', () => {
  test('gets the same answers as before: pages, counts, histories, gaps, exports and refusals', async () => {
    let compared = 0;
    for (const question of answers.questions) {
      const asked = askedNow(question.path);
      if (asked === null) continue;
      compared++;
      const response = await request(asked.path, question.as);
      const own = asked.ownPath === null ? null : await request(asked.ownPath, question.as);
      const answer = expectedAnswer({
        before: JSON.parse(question.body) as Answer,
        now: withoutChanges((await response.json()) as Answer),
        own: own === null ? null : ((await own.json()) as Facets),
        asked,
      });
      const isList = asked.ownPath !== null;
      const scoped = (shown: unknown): unknown => (isList ? withFormerName(shown) : shown);
      const expected =
        question.as === 'tenant'
          ? { now: scoped(answer.now), before: scoped(withoutLookedUp(answer.before)) }
          : answer;
      expect({ asked, status: response.status, answer: expected.now }).toEqual({
        asked,
        status: question.status,
        answer: expected.before,
      });
    }
    expect(compared).toBeGreaterThan(95);
  });

  test('finds the agent whose key is the word that older filters took for unattributed', async () => {
    const range = new URLSearchParams({ from: answers.from, to: answers.to });
    const { modifiers } = (await (await request(`facets?${range}`, 'admin')).json()) as Facets;
    const [nobody, una] = ['', 'unattributed'].map((key) => modifiers.find(({ value }) => value === key)!);
    expect(nobody).toMatchObject({ name: 'Unattributed', kind: null });
    expect(una).toMatchObject({ name: 'Una Tributed', kind: 'agent' });
    // In the older version they were one line of the list, together with Waltrail's own entries.
    const before = answers.questions.find(({ path }) => path.startsWith('facets?from'))!;
    const facets = JSON.parse(before.body) as Facets;
    const merged = facets.modifiers.find(({ value }) => value === NOBODY_BEFORE);
    const own = facets.entityTypes.find(({ value }) => value === 'waltrail');
    expect(own!.count).toBeGreaterThan(5);
    expect(nobody!.count + una!.count + own!.count).toBe(merged!.count);

    const page = await request(`entries?modifier=unattributed&${range}&limit=500`, 'admin');
    const { items } = (await page.json()) as { items: { modifier: unknown }[] };
    expect(items.length).toBeGreaterThan(100);
    for (const { modifier } of items)
      expect(modifier).toEqual({ key: 'unattributed', name: 'Una Tributed', kind: 'agent', rung: 'column' });
  });

  test('reads the same with psql', async () => {
    const counts = await trail.query(/* sql */ `
      select modified_by, modifier_kind, rung, count(*)::int4 as count
        from trail.readable where modifier_key is null group by 1, 2, 3 order by 3`);
    expect(counts).toEqual([
      { modified_by: 'Unattributed', modifier_kind: null, rung: 'unattributed', count: expect.any(Number) },
      { modified_by: 'Waltrail', modifier_kind: null, rung: 'waltrail', count: expect.any(Number) },
    ]);
    const [of] = await trail.query<{ entries: number; system: string[] }>(/* sql */ `
      select (select count(*)::int4 from trail.entry where modifier_id = 0) as entries,
             array(select distinct modified_by from trail.readable where modifier_kind = 'system' order by 1) as system`);
    expect(counts.map((row) => (row as { count: number }).count).reduce((a, b) => a + b)).toBe(of!.entries);
    // Whom the configuration names as the system stays the system.
    expect(of!.system).toEqual(['Cron', 'Nightly job']);
  });

  test('accepts its own tokens only', async () => {
    for (const as of ['revoked', 'expired'] as const) expect((await request('entries', as)).status).toBe(401);
  });

  test('exports the same files, also for a request that was waiting, and knows its idempotency keys', async () => {
    await daemon.stop();
    daemon = await start(['api', 'exports']);
    const waiting = (await listExports()).find(({ state }) => state === 'queued' || state === 'running');
    for (const { body, entries, sha256 } of answers.files) {
      const files = [];
      for (const asked of bodiesNow(body)) files.push(await finished((await askExport(asked)).id));
      expect({
        body,
        entries: files.reduce((sum, file) => sum + file.entries, 0),
        sha256: sha256Of(
          fileBefore(
            files.map(({ text }) => text),
            body.format,
          ),
        ),
      }).toEqual({ body, entries, sha256 });
    }
    const file = await finished(waiting!.id);
    expect(waiting!.filters).toEqual({ modifier: [NOBODY_NOW], entityType: ['agent'] });
    const modifiers = file.text
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { modifier: unknown }).modifier);
    expect(modifiers.length).toBeGreaterThan(40);
    expect(new Set(modifiers.map((modifier) => JSON.stringify(modifier)))).toEqual(
      new Set([JSON.stringify(UNATTRIBUTED_NOW)]),
    );

    const { from, to } = answers;
    const repeated = { from, to, format: 'ndjson', modifier: [NOBODY_BEFORE, '1'] };
    const first = (await listExports()).find(
      ({ state, filters }) => state === 'ready' && filters.modifier?.length === 2,
    );
    expect(await askExport(repeated, { as: 'exporter', key: 'recorded', status: 200 })).toMatchObject({
      id: first!.id,
    });
  });

  test('has an unknown end of coverage until capture runs, and states that', async () => {
    const { trail: head, coverage } = (await (await request('status', 'admin')).json()) as Status;
    expect(coverage).toMatchObject({ since: expect.any(String), until: null, capture: 'unknown' });
    const range = { from: Date.parse(answers.from), to: Date.parse(answers.to) };
    const newest = head!.lastCommittedAt;
    const said = uncovered(range, { coverage: { ...coverage, since: answers.from }, newest }, String);
    expect(said).toEqual({
      lacks: 'unknown',
      sentences: [
        expect.stringContaining(
          `not known yet up to what time the trail is current; it has entries up to ${newest}`,
        ),
      ],
    });

    // For such a trail, recording began with the first table that it described.
    await trail.query('update trail.checkpoint set began_at = $1', [answers.from]);
    const { id } = await askExport({ from: answers.from, to: answers.to, format: 'xlsx', timezone: 'UTC' });
    const { bytes, entries } = await finished(id);
    const cover = xlsx.utils.sheet_to_json<string[]>(xlsx.read(bytes).Sheets['About this report']!, {
      header: 1,
    });
    expect(entries).toBeGreaterThan(0);
    const told = cover.filter(([label]) => ['Covers', 'Not covered', 'May be incomplete'].includes(label!));
    expect(told.map((line) => line.join(': ')).filter((line) => !line.includes('Changes'))).toEqual([
      expect.stringMatching(
        /^Covers: from .* on; the end was not known yet at the request; this file has entries up to \d{4}-/,
      ),
      expect.stringMatching(
        /^May be incomplete: .*: the time up to which the trail is current is not known$/,
      ),
    ]);
  });

  test('is continued after its last entry by the capture of another source', async () => {
    await using source = await freshDatabase('empty');
    await source.query(`create table agents (id text primary key, full_name text, updated_by text)`);
    const config = testConfig({
      source,
      trail,
      yaml: `
modifiers: { table: public.agents, key: id, name: "{full_name}" }
tables: { public.agents: { entity: agent, name: "{full_name}", modifier: updated_by } }`,
    });
    const moved = { ...config, source: { ...config.source, name: 'crm', onGap: 'continue' as const } };
    await applyTracking(moved);
    const [before] = await trail.query<{ next_id: string; entries: string }>(
      `select next_id::text, entries::text from trail.checkpoint`,
    );
    const capture = startCapture({ config: moved, log: silentLog });
    try {
      await streaming(capture, { fromStopped: true });
      await source.query(
        `insert into agents values ('1', 'Dana Levi-Cohen', null), ('unattributed', 'Una Tributed', 'unattributed')`,
      );
      await untilCaughtUp(source, trail);
    } finally {
      await capture.stop();
    }
    const written = await trail.query<Record<string, unknown>>(
      /* sql */ `select modified_by, modifier_key, rung, entity_name from trail.readable where id >= $1 and entity_type = 'agent' order by id`,
      [before!.next_id],
    );
    expect(written).toEqual([
      {
        modified_by: 'Unattributed',
        modifier_key: null,
        rung: 'unattributed',
        entity_name: 'Dana Levi-Cohen',
      },
      {
        modified_by: 'Una Tributed',
        modifier_key: 'unattributed',
        rung: 'column',
        entity_name: 'Una Tributed',
      },
    ]);
    const [after] = await trail.query<{ entries: string; stored: string; gaps: number }>(/* sql */ `
      select entries::text, (select count(*) from trail.entry)::text as stored,
             (select count(*)::int4 from trail.gap where closed_at is null) as gaps from trail.checkpoint`);
    expect(after).toEqual({ entries: after!.stored, stored: after!.stored, gaps: 0 });
    expect(BigInt(after!.entries)).toBeGreaterThan(BigInt(before!.entries) + 2n);
  });
});

interface ExportItem {
  readonly id: string;
  readonly state: string;
  readonly filters: Readonly<Record<string, string[] | undefined>>;
}
const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

const listExports = async (): Promise<ExportItem[]> =>
  ((await (await request('exports', 'admin')).json()) as { items: ExportItem[] }).items;

async function askExport(
  body: Readonly<Record<string, unknown>>,
  { as = 'admin', key, status = 202 }: { as?: RecordedQuestion['as']; key?: string; status?: number } = {},
): Promise<ExportItem> {
  const response = await request('exports', as, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(status);
  return (await response.json()) as ExportItem;
}

/** Waits for an export. Returns its file. */
async function finished(
  id: string,
): Promise<{ readonly bytes: Buffer; readonly text: string; readonly entries: number }> {
  let view: ExportItem & { progress?: { done: number } };
  await until('the export to be ready', async () => {
    view = (await (await request(`exports/${id}`, 'admin')).json()) as ExportItem;
    return view.state === 'ready';
  });
  const file = await request(`exports/${id}/file`, 'admin');
  // Not as text(), which would remove the byte order mark.
  const bytes = Buffer.from(await file.arrayBuffer());
  return { bytes, text: bytes.toString(), entries: view!.progress!.done };
}
