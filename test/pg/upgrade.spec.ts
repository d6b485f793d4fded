import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/log.js';
import { startDaemon, type Daemon } from '../../src/main.js';
import { readSettings, type Role } from '../../src/settings.js';
import { startCapture } from '../../src/capture/capture.js';
import { testConfig as apiConfig } from '../support/api.ts';
import { applyTracking, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { recordedTrail, type RecordedAnswers, type RecordedQuestion } from '../support/recorded-trail.ts';
import { until } from '../support/until.ts';

/** A trail written by commit 032e7d8, with the migrations 0001 to 0008. */
const RECORDED = 'trail-0.1';

/** Whom entries without a modifier show, then and now: the only things that were corrected since (DECISIONS 39). */
const CORRECTED = [
  {
    before: { key: null, name: 'System', kind: 'system', rung: 'system' },
    now: { key: null, name: 'Unattributed', kind: null, rung: 'unattributed' },
  },
  {
    before: { key: null, name: 'System', kind: 'system', rung: 'waltrail' },
    now: { key: null, name: 'Waltrail', kind: null, rung: 'waltrail' },
  },
];
/** The word that a filter took for nobody, and what it takes now. */
const NOBODY_BEFORE = 'unattributed';
const NOBODY_NOW = '';

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
  // Exports wait: what the old version answered about them is compared first.
  daemon = await start(['api']);
});
afterAll(async () => {
  await daemon.stop();
  await trail[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

describe('a trail of an older version', () => {
  test('is answered about as before: pages, counts, histories, gaps, exports and refusals', async () => {
    expect(answers.questions.length).toBeGreaterThan(100);
    // A cursor belongs to its filter, so that of a page by nobody is another one now.
    let next: string | null = null;
    for (const { as, path: asked, status, body } of answers.questions) {
      const response = await request(pathNow(asked, next), as);
      const text = await response.text();
      const answer = JSON.parse(text) as Answer;
      if (status === 200) next = answer.next ?? null;
      expect({ asked, status: response.status, answer: comparable(answer) }).toEqual({
        asked,
        status,
        answer: comparable(correctedAnswer(JSON.parse(body) as Answer)),
      });
    }
  });

  test('finds the agent whose key is the word that a filter once took for nobody', async () => {
    const range = new URLSearchParams({ from: answers.from, to: answers.to });
    const { modifiers } = (await (await request(`facets?${range}`, 'admin')).json()) as Facets;
    const [nobody, una] = ['', 'unattributed'].map((key) => modifiers.find(({ value }) => value === key)!);
    expect(nobody).toMatchObject({ name: 'Unattributed', kind: null });
    expect(una).toMatchObject({ name: 'Una Tributed', kind: 'agent' });
    // Before, they were one line of the list.
    const before = answers.questions.find(({ path }) => path.startsWith('facets?from'))!;
    const merged = (JSON.parse(before.body) as Facets).modifiers.find(({ value }) => value === NOBODY_BEFORE);
    expect(nobody!.count + una!.count).toBe(merged!.count);

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
    // Who the configuration says is the system stays it.
    expect(of!.system).toEqual(['Cron', 'Nightly job']);
  });

  test('opens to its tokens only', async () => {
    for (const as of ['revoked', 'expired'] as const) expect((await request('entries', as)).status).toBe(401);
  });

  test('exports the same files, also for a request that was waiting, and knows its idempotency keys', async () => {
    await daemon.stop();
    daemon = await start(['api', 'exports']);
    const waiting = (await listExports()).find(({ state }) => state === 'queued' || state === 'running');
    for (const { body, entries, sha256 } of answers.files) {
      const { id } = await askExport(bodyNow(body));
      const file = await finished(id);
      expect({ body, entries: file.entries, sha256: sha256Of(asBefore(file.text, body.format)) }).toEqual({
        body,
        entries,
        sha256,
      });
    }
    const file = await finished(waiting!.id);
    expect(waiting!.filters).toEqual({ modifier: [NOBODY_NOW], entityType: ['agent'] });
    const modifiers = file.text
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { modifier: unknown }).modifier);
    expect(modifiers.length).toBeGreaterThan(40);
    expect(new Set(modifiers.map((modifier) => JSON.stringify(modifier)))).toEqual(
      new Set([JSON.stringify(CORRECTED[0]!.now)]),
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

  test('is written on behind its last entry, by the capture of another source', async () => {
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

interface Facets {
  readonly modifiers: readonly { value: string; name: string; kind: string | null; count: number }[];
}
interface ExportItem {
  readonly id: string;
  readonly state: string;
  readonly filters: Readonly<Record<string, string[] | undefined>>;
}
type Answer = Record<string, unknown> & { readonly next?: string | null };

/** The question of today: nobody by the empty value, with the cursor that the page before gave. */
function pathNow(asked: string, next: string | null): string {
  const [route, query] = asked.split('?');
  if (query === undefined) return asked;
  const parameters = [...new URLSearchParams(query)];
  const isNobody = parameters.some(([name, value]) => name === 'modifier' && value === NOBODY_BEFORE);
  const now = parameters.map(([name, value]): [string, string] => [
    name,
    name === 'modifier' && value === NOBODY_BEFORE
      ? NOBODY_NOW
      : name === 'cursor' && isNobody
        ? next!
        : value,
  ]);
  return `${route}?${new URLSearchParams(now)}`;
}

const bodyNow = (body: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Array.isArray(body['modifier'])
    ? {
        ...body,
        modifier: (body['modifier'] as string[]).map((key) => (key === NOBODY_BEFORE ? NOBODY_NOW : key)),
      }
    : { ...body };

/** An answer of the old version as this one gives it. */
function correctedAnswer(answer: Answer): Answer {
  return mapped(answer, (value) => {
    const corrected = CORRECTED.find(({ before }) => same(value, before));
    if (corrected !== undefined) return corrected.now;
    // The filters of an export.
    if (isObject(value) && 'requestedBy' in value)
      return { ...value, filters: bodyNow(value['filters'] as object as Record<string, unknown>) };
    return value;
  }) as Answer;
}

/**
 * What does not depend on the filter's spelling: of a cursor the entry, of the modifiers the names with their counts, the agent with the
 * word for a key and nobody together.
 */
function comparable(answer: Answer): unknown {
  const next =
    typeof answer.next === 'string'
      ? Buffer.from(answer.next, 'base64url').toString().split('.').slice(0, 2)
      : answer.next;
  const modifiers = answer['modifiers'] as Facets['modifiers'] | undefined;
  if (modifiers === undefined) return { ...answer, next };
  const isMerged = ({ value }: { value: string }): boolean => value === NOBODY_BEFORE || value === NOBODY_NOW;
  const merged = modifiers.filter(isMerged).reduce((sum, { count }) => sum + count, 0);
  return { ...answer, modifiers: { merged, others: modifiers.filter((facet) => !isMerged(facet)) } };
}

/** A file of this version as the old one wrote it. */
function asBefore(text: string, format: string): string {
  if (format === 'ndjson')
    return CORRECTED.reduce(
      (result, { before, now }) =>
        result.replaceAll(`"modifier":${JSON.stringify(now)}`, `"modifier":${JSON.stringify(before)}`),
      text,
    );
  // Of a row of csv the first field is the name; kind and rung stand side by side.
  return CORRECTED.reduce(
    (result, { before, now }) =>
      result
        .replaceAll(new RegExp(`^${now.name},`, 'gm'), `${before.name},`)
        .replaceAll(`,,${now.rung},`, `,${before.kind},${before.rung},`),
    text,
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const same = (value: unknown, other: unknown): boolean => JSON.stringify(value) === JSON.stringify(other);
const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A copy of a JSON value with everything in it replaced, from the inside out. */
function mapped(value: unknown, replace: (value: unknown) => unknown): unknown {
  const inside = Array.isArray(value)
    ? value.map((item) => mapped(item, replace))
    : isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, mapped(item, replace)]))
      : value;
  return replace(inside);
}

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

/** Waits for an export; gives its file. */
async function finished(id: string): Promise<{ readonly text: string; readonly entries: number }> {
  let view: ExportItem & { progress?: { done: number } };
  await until('the export to be ready', async () => {
    view = (await (await request(`exports/${id}`, 'admin')).json()) as ExportItem;
    return view.state === 'ready';
  });
  const file = await request(`exports/${id}/file`, 'admin');
  // Not as text(), which would take the byte order mark away.
  return { text: Buffer.from(await file.arrayBuffer()).toString(), entries: view!.progress!.done };
}
