import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';
import { addGap } from '../support/gaps.ts';

interface GapList {
  readonly items: readonly Record<string, unknown>[];
  readonly total: number;
}

let ground: ApiGround;
let admin: string;
let scoped: string;
let closed: number;
let unknownStart: number;
let open: number;

beforeAll(async () => {
  ground = await apiGround();
  admin = await ground.token();
  scoped = await ground.token({ name: 'tenant one', tenant: 'one' });
  await ground.add({ tenant: 'one' });
  closed = await addGap(ground.pool, {
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    tables: ['public.agents'],
    lastEntryAt: '2026-03-02T09:00:00Z',
    foundAt: '2026-03-02T11:00:00Z',
    closedAt: '2026-03-02T12:00:00Z',
  });
  unknownStart = await addGap(ground.pool, {
    foundAt: '2026-02-02T11:00:00Z',
    closedAt: '2026-02-02T12:00:00Z',
  });
  open = await addGap(ground.pool, { lastEntryAt: '2026-05-02T09:00:00Z' });
});
afterAll(async () => ground[Symbol.asyncDispose]());

const list = async (query: string, token = admin): Promise<GapList> => {
  const response = await ground.get(`/v1/gaps${query}`, token);
  expect(response.status).toBe(200);
  return (await response.json()) as GapList;
};
const idsIn = async (from: string, to: string): Promise<unknown[]> =>
  (await list(`?from=${from}&to=${to}`)).items.map(({ id }) => id);

describe('the gaps of a range', () => {
  test('reach from the last entry before them to the moment when capture resumed', async () => {
    expect(await idsIn('2026-03-01', '2026-03-02T09:00:00Z')).toEqual([]);
    expect(await idsIn('2026-03-01', '2026-03-02T09:00:00.000001Z')).toEqual([closed]);
    expect(await idsIn('2026-03-02T10:00:00Z', '2026-03-02T10:01:00Z')).toEqual([closed]);
    expect(await idsIn('2026-03-02T12:00:00Z', '2026-03-03')).toEqual([closed]);
    expect(await idsIn('2026-03-02T12:00:00.000001Z', '2026-03-03')).toEqual([]);
  });

  test('reach back forever where nothing was stored before, and to now while they are open', async () => {
    expect(await idsIn('2026-01-01', '2026-01-02')).toEqual([unknownStart]);
    expect(await idsIn('2026-02-02', '2026-02-02T11:30:00Z')).toEqual([unknownStart]);
    expect(await idsIn('2026-02-02T12:00:00.000001Z', '2026-02-03')).toEqual([]);
    expect(await idsIn('2026-05-01', '2026-05-02T09:00:00Z')).toEqual([]);
    expect(await idsIn('2026-05-02', '2026-05-03')).toEqual([open]);
    expect((await list('')).items.map(({ id }) => id)).toEqual([open]);
    expect(await idsIn('2999-01-01', '2999-01-02')).toEqual([]);
  });

  test('come newest first, at most the number asked for, with the total', async () => {
    const later = await addGap(ground.pool, {
      code: 'SOURCE_SLOT_AHEAD',
      lastEntryAt: '2026-05-02T10:00:00Z',
      closedAt: '2026-05-02T11:00:00Z',
    });
    expect(await idsIn('2026-05-02', '2026-05-03')).toEqual([later, open]);
    const first = await list('?from=2026-05-02&to=2026-05-03&limit=1');
    expect(first).toMatchObject({ items: [{ id: later }], total: 2 });
  });

  test('describe what happened in words and positions', async () => {
    const { items } = await list('?from=2026-03-02&to=2026-03-03');
    expect(items).toEqual([
      {
        id: closed,
        code: 'SOURCE_PUBLICATION_INCOMPLETE',
        summary: 'Changes may be missing: tables were not published',
        scope: 'tables',
        tables: ['public.agents'],
        fromLsn: '0/2000',
        toLsn: '0/3000',
        lastEntryAt: '2026-03-02T09:00:00.000000Z',
        foundAt: '2026-03-02T11:00:00.000000Z',
        acceptedAt: null,
        closedAt: '2026-03-02T12:00:00.000000Z',
      },
    ]);
  });

  test('are shown to a tenant without the names of tables', async () => {
    const { items, total } = await list('?from=2026-03-02&to=2026-03-03', scoped);
    expect(total).toBe(1);
    expect(items[0]).toMatchObject({ id: closed, code: 'SOURCE_PUBLICATION_INCOMPLETE' });
    expect(items[0]).not.toHaveProperty('tables');
  });

  test('need a token, a valid range, and known parameters', async () => {
    const statusOf = async (query: string, token = admin): Promise<unknown[]> => {
      const response = await ground.get(`/v1/gaps${query}`, token);
      return [response.status, ((await response.json()) as { code: string }).code];
    };
    expect(await statusOf('', 'wt_nobody')).toEqual([401, 'HTTP_TOKEN_INVALID']);
    expect(await statusOf('?from=2026-03-01&to=2026-04-01')).toEqual([422, 'RANGE_TOO_LONG']);
    expect(await statusOf('?from=yesterday')).toEqual([400, 'RANGE_INVALID']);
    expect(await statusOf('?limit=0')).toEqual([400, 'HTTP_QUERY_INVALID']);
    expect(await statusOf('?action=gap')).toEqual([400, 'HTTP_QUERY_INVALID']);
  });
});

test('the status counts gaps and names the last one, except for a tenant', async () => {
  const status = async (token: string): Promise<{ gaps: unknown }> =>
    (await (await ground.get('/v1/status', token)).json()) as { gaps: unknown };
  expect((await status(admin)).gaps).toMatchObject({
    open: 1,
    total: 4,
    last: { code: 'SOURCE_SLOT_AHEAD', closedAt: '2026-05-02T11:00:00.000000Z' },
  });
  expect((await status(scoped)).gaps).toBeNull();
});

test('the metrics count open and closed gaps', async () => {
  const lines = (await (await ground.get('/metrics', admin)).text()).split('\n');
  expect(lines).toContain('waltrail_trail_gaps{state="open"} 1');
  expect(lines).toContain('waltrail_trail_gaps{state="closed"} 3');
});

test('the entry of a gap is shown as one: in JSON, by Waltrail, which is not a modifier', async () => {
  const response = await ground.get('/v1/entries?entityType=waltrail&action=gap&limit=1', admin);
  const { items } = (await response.json()) as { items: unknown[] };
  expect(items[0]).toMatchObject({
    modifier: { key: null, name: 'Waltrail', kind: null, rung: 'waltrail' },
    entity: { type: 'waltrail' },
    table: 'waltrail.gap',
    updated: { code: 'SOURCE_SLOT_AHEAD', tables: null },
  });
  const rungs = await ground.pool.query(
    `select distinct rung from trail.readable where entity_type = 'waltrail'`,
  );
  expect(rungs.rows).toEqual([{ rung: 'waltrail' }]);
});

test('the version in the status changes when a gap is found, extended, accepted or closed, for a tenant too', async () => {
  await using own = await apiGround();
  const tokens = [await own.token(), await own.token({ name: 'tenant one', tenant: 'one' })];
  const versions = async (): Promise<unknown[]> =>
    Promise.all(
      tokens.map(async (token) => {
        const status = (await (await own.get('/v1/status', token)).json()) as { gapsVersion: unknown };
        return status.gapsVersion;
      }),
    );
  await own.add();
  const seen = new Set<unknown>();
  for (const sql of [
    undefined,
    `select trail.open_gap('SOURCE_SLOT_LOST', 'Changes may be missing', null, '0/2000', null)`,
    `select trail.open_gap('SOURCE_SLOT_LOST', 'Changes may be missing', null, '0/1000', null)`,
    `select trail.accept_gaps()`,
    `select trail.close_gaps(array(select id from trail.gap), '0/3000', 'Capture resumes')`,
    `select trail.open_gap('SOURCE_SLOT_LOST', 'Changes may be missing', array['public.a'], '0/4000', null)`,
  ]) {
    if (sql !== undefined) await own.trail.query(sql);
    const [all, one] = await versions();
    expect(one).toBe(all);
    expect(seen.has(all)).toBe(false);
    seen.add(all);
    await own.add();
    expect(await versions()).toEqual([all, all]);
  }
  // Whoever follows this route leaves no row.
  expect(await own.trail.query(`select 1 from trail.access`)).toEqual([]);
});
