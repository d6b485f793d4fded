import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { addAnother, misuse, type MisuseFigures } from '../support/misuse.ts';
import { seedTrail } from '../support/trail-data.ts';
import { until } from '../support/until.ts';

const ENTRIES = 80_000;
const DAY_MS = 86_400_000;
const SECONDS = 8;
/** A machine that is busy with other tests takes many times longer than an idle one. */
const PAGE_MS = 20_000;
/** An entry that has not arrived after this time counts with this time. */
const LIVE_MS = 10_000;
const SMALL_EXPORT_MS = 30_000;
/** The misuser, the daemon, its exports and this test share the process. */
const GROWTH_MB = 400;

let ground: ApiGround;
let firstId: string;
beforeAll(async () => {
  ground = await apiGround({ roles: ['api', 'exports'] });
  const to = new Date();
  await seedTrail({ url: ground.trail.url, entries: ENTRIES, from: new Date(to.getTime() - 2 * DAY_MS), to });
  const [first] = await ground.trail.query<{ id: string }>('select min(id)::text as id from trail.entry');
  firstId = first!.id;
});
afterAll(async () => ground[Symbol.asyncDispose]());

describe('while one token misuses the API in every way', () => {
  let figures: MisuseFigures;
  let search: Response;
  let smallExportMs: number;
  let growthMb = 0;

  beforeAll(async () => {
    const misuser = await ground.token({ name: 'misuser', role: 'exporter' });
    const admin = await ground.token({ name: 'admin' });
    const given = {
      url: ground.daemon.url,
      misuser,
      admin,
      addEntry: () => addAnother(ground.pool),
      resumeAfter: firstId,
    };
    // The admin was active before: its token is known, and connections are open.
    await misuse({ ...given, seconds: 1, idle: true });
    const before = process.memoryUsage.rss();
    const look = setInterval(() => {
      growthMb = Math.max(growthMb, (process.memoryUsage.rss() - before) / 1e6);
    }, 100);
    try {
      [figures, search, smallExportMs] = await Promise.all([
        misuse({ ...given, seconds: SECONDS }),
        delay(1_000).then(() => ground.get('/v1/entries?q=zzz-nothing', admin)),
        delay(2_000).then(() => exportSmall(admin)),
      ]);
    } finally {
      clearInterval(look);
    }
  });

  test('every page and every search of an admin is answered', () => {
    expect(figures.pageMs.length).toBeGreaterThan(0);
    expect(Math.max(...figures.pageMs)).toBeLessThan(PAGE_MS);
    expect(search.status).toBe(200);
  });

  test('the live view shows each entry that is stored during the misuse', () => {
    expect(figures.liveMs.length).toBeGreaterThan(0);
    expect(Math.max(...figures.liveMs)).toBeLessThan(LIVE_MS);
  });

  test('a small export of an admin ends', () => {
    expect(smallExportMs).toBeLessThan(SMALL_EXPORT_MS);
  });

  test('excess requests are refused with the time to retry, and nothing breaks', () => {
    const { answers } = figures;
    const allowed = {
      stream: [200, 429],
      search: [200, 429],
      export: [202, 429],
      'sign-in': [401, 429],
    };
    const expected = Object.entries(allowed).flatMap(([kind, statuses]) =>
      statuses.map((status) => `${kind} ${status}`),
    );
    expect(expected).toEqual(expect.arrayContaining(Object.keys(answers)));
    for (const kind of ['stream 200', 'search 429', 'export 202', 'export 429', 'sign-in 401', 'sign-in 429'])
      expect(answers).toHaveProperty([kind], expect.any(Number));
    // A token has at most ten unfinished exports. Two secrets are looked up at once when the thirtieth has
    // failed.
    expect(answers['export 202']).toBeLessThanOrEqual(10);
    expect(answers['sign-in 401']).toBeLessThanOrEqual(31);
  });

  test('memory stays bounded', () => {
    expect(growthMb).toBeLessThan(GROWTH_MB);
  });

  test('every refusal is in the access record, as a row or counted in one', async () => {
    await ground.daemon.stop();
    const rows = await ground.trail.query<{ name: string | null; rows: number; counted: number }>(
      `select token_name as name, count(*) filter (where action = 'refused')::int4 as rows,
              coalesce(sum(refusals) filter (where action = 'unrecorded'), 0)::int4 as counted
         from trail.access where action in ('refused', 'unrecorded') group by token_name order by token_name`,
    );
    const { answers } = figures;
    const sum = (...kinds: string[]): number => kinds.reduce((all, kind) => all + (answers[kind] ?? 0), 0);
    const [ofToken, ofAddress] = rows;
    expect(ofToken!.name).toBe('misuser');
    expect(ofAddress!.name).toBeNull();
    // Refusals that the client did not wait for at the end are recorded, too.
    expect(ofToken!.rows + ofToken!.counted).toBeGreaterThanOrEqual(
      sum('stream 429', 'search 429', 'export 429'),
    );
    expect(ofAddress!.rows + ofAddress!.counted).toBeGreaterThanOrEqual(sum('sign-in 401', 'sign-in 429'));
    for (const { counted } of rows) expect(counted).toBeGreaterThan(0);
  });
});

/** Asks for a workbook of a handful of entries. Returns the milliseconds until it was ready. */
async function exportSmall(admin: string): Promise<number> {
  const began = performance.now();
  const asked = await ground.get('/v1/exports', admin, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ format: 'xlsx', q: 'zzz-nothing', from: new Date(Date.now() - 60_000) }),
  });
  expect(asked.status).toBe(202);
  const { id } = (await asked.json()) as { id: string };
  await until(
    'the small export to be ready',
    async () => {
      const { state } = (await (await ground.get(`/v1/exports/${id}`, admin)).json()) as { state: string };
      return state === 'ready';
    },
    2 * SMALL_EXPORT_MS,
  );
  return performance.now() - began;
}

describe('a search for a text', () => {
  const range = (): { from: string; to: string } => ({
    from: new Date(Date.now() - 3 * DAY_MS).toISOString(),
    to: new Date().toISOString(),
  });

  test('reads in slices that let other requests in between, and finds the same as in one reading', async () => {
    const reader = new TrailReader({ pool: ground.pool });
    let slices = 0;
    let atOnce = 0;
    const sliced = reader.inTurns(async (work) => {
      slices += 1;
      expect(++atOnce).toBe(1);
      try {
        return await work();
      } finally {
        atOnce -= 1;
      }
    });
    const filter = { q: 'Levi-Katz 7', ...range() };
    const ids = async (from: TrailReader): Promise<string[]> =>
      (await from.page(filter, { limit: 500 })).items.map(({ id }) => id);
    expect(await ids(sliced)).toEqual(await ids(reader));
    expect(slices).toBeGreaterThan(1);
    slices = 0;
    expect(await sliced.facets(filter)).toEqual(await reader.facets(filter));
    expect(slices).toBeGreaterThan(1);
  });

  test('ends when its turn does not come again, and frees its connection', async () => {
    const reader = new TrailReader({ pool: ground.pool });
    let slices = 0;
    const leaving = reader.inTurns((work) =>
      ++slices === 2 ? Promise.reject(new Error('the client disconnected')) : work(),
    );
    for (let n = 0; n < 5; n++, slices = 0)
      await expect(leaving.page({ q: 'zzz-nothing', ...range() }, { limit: 50 })).rejects.toThrow(
        'disconnected',
      );
  });

  test('reads at once when it has no text', async () => {
    const reader = new TrailReader({ pool: ground.pool }).inTurns(() =>
      Promise.reject(new Error('not this one')),
    );
    expect((await reader.page(range(), { limit: 50 })).items).toHaveLength(50);
  });
});
