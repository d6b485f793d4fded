import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Answer } from '../../src/api/answers.js';
import { ReaderDictionaries } from '../../src/trail/read/dictionaries.js';
import { withSnapshot } from '../../src/trail/read/snapshot.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { indexTrail } from '../support/trail-data.ts';

/** Invented modifiers, each with a name of 900 characters. */
const INVENTED = 40_000;
const ENTRIES = 2 * INVENTED + 1_000;
/** Facets of everything with a word for each invented modifier would be 40 MB. */
const MAX_ANSWER_BYTES = 128 * 1024;

/**
 * Modifier n has the key `key n`. The first 20 have 52 entries, all others two. Modifier 7 was renamed, and
 * its entries are under both names. There is a tenant for each modifier, and entries without a tenant.
 */
const FLOOD = `
  insert into trail.action values (1, 'edit'), (2, 'login_failed');
  insert into trail.entity_type values (1, 'agent');
  insert into trail.relation values (1, 'public', 'agents', '[{"name": "id", "type": 20}]');
  insert into trail.modifier select n, 'key ' || n, rpad('Invented ' || n || ' ', 900, 'é'), 'agent' from generate_series(1, ${INVENTED}) n;
  insert into trail.modifier values (${INVENTED + 1}, 'key 7', 'Dana Levi', 'bot');
  insert into trail.tenant select n, 'tenant ' || n from generate_series(1, ${INVENTED}) n;
  insert into trail.entry (id, committed_at, commit_lsn, seq, xid, modifier_id, relation_id, tenant_id, entity_type_id, action_id, operation, rung)
    select (trail.today()::int8 << 32) + n, now() - interval '1 h', '0/1000'::pg_lsn + n, 0, '1',
           case when n < ${2 * INVENTED} then case when n = 6 then ${INVENTED + 1} else n % ${INVENTED} + 1 end else n % 20 + 1 end,
           1, case when n < ${INVENTED} then n + 1 else 0 end, 1, 1, 'u', 'm'
      from generate_series(0, ${ENTRIES - 1}) n;
  insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, next_id, entries)
    select 'crm', '1', 1, 'waltrail', '0/1000', '1/0', (trail.today()::int8 << 32) + ${ENTRIES}, ${ENTRIES}`;

let ground: ApiGround;
let admin: string;

beforeAll(async () => {
  ground = await apiGround();
  admin = await ground.token();
  await ground.pool.query(FLOOD);
  await indexTrail(ground.trail.url);
});
afterAll(async () => ground[Symbol.asyncDispose]());

async function get<T>(path: string, token = admin): Promise<{ readonly answer: T; readonly bytes: number }> {
  const response = await ground.get(`/v1/${path}`, token);
  const text = await response.text();
  expect([response.status, response.status === 200 ? '' : text]).toEqual([200, '']);
  return { answer: JSON.parse(text) as T, bytes: text.length };
}

describe('40,000 invented modifiers and tenants', () => {
  test('leave an answer with facets small, which states the number that it leaves out', async () => {
    const { answer, bytes } = await get<Answer<'Facets'>>('facets');
    expect(bytes).toBeLessThan(MAX_ANSWER_BYTES);
    expect(answer.modifiers).toHaveLength(100);
    expect(answer.modifiers.slice(0, 20).map(({ count }) => count)).toEqual(Array(20).fill(52));
    expect(answer.more.modifiers).toEqual({
      values: INVENTED - 100,
      entries: ENTRIES - 20 * 52 - 80 * 2,
    });
    expect(answer.tenants).toHaveLength(100);
    expect(answer.more.tenants).toEqual({ values: INVENTED - 100, entries: INVENTED - 100 });
    expect(answer.actions).toEqual([{ value: 'edit', name: 'edit', count: ENTRIES }]);
    expect(answer.more.actions).toEqual({ values: 0, entries: 0 });
  });

  test('have names that end after 200 characters in lists', async () => {
    const { answer } = await get<Answer<'FacetList'>>('facets/modifiers?limit=3');
    expect(answer.items).toHaveLength(3);
    const [first] = answer.items.filter(({ value }) => value !== 'key 7');
    expect(first!.name).toHaveLength(201);
    expect(first!.name).toMatch(/é…$/);
  });

  test('are counted under their newest name, with the entries of all their names', async () => {
    const { answer } = await get<Answer<'FacetList'>>('facets/modifiers?search=dana');
    expect(answer).toEqual({
      items: [{ value: 'key 7', name: 'Dana Levi', kind: 'bot', count: 52 }],
      more: { values: 0, entries: 0 },
    });
    // The old name finds them, too.
    const { answer: old } = await get<Answer<'FacetList'>>(
      `facets/modifiers?search=${encodeURIComponent('invented 7 key')}`,
    );
    expect(old.items).toContainEqual({ value: 'key 7', name: 'Dana Levi', kind: 'bot', count: 52 });
  });

  test('are found by a search, which is limited, too', async () => {
    const { answer } = await get<Answer<'FacetList'>>('facets/modifiers?search=KEY%2031234');
    expect(answer.items).toEqual([expect.objectContaining({ value: 'key 31234', count: 2 })]);
    const many = await get<Answer<'FacetList'>>('facets/modifiers?search=invented&limit=10');
    expect(many.answer.items).toHaveLength(10);
    expect(many.answer.more.values).toBe(INVENTED - 10);
    expect((await get<Answer<'FacetList'>>('facets/tenants?search=tenant%2031234')).answer.items).toEqual([
      { value: 'tenant 31234', name: 'tenant 31234', count: 1 },
    ]);
    expect((await get<Answer<'FacetList'>>('facets/modifiers?search=100%25')).answer.items).toEqual([]);
    expect((await get<Answer<'FacetList'>>('facets/actions?search=ED')).answer.items).toHaveLength(1);
  });

  test('are listed when the filter names them, however few entries they have', async () => {
    const { answer } = await get<Answer<'Facets'>>('facets?modifier=key%2039999&modifier=key%2039998');
    expect(answer.modifiers).toHaveLength(102);
    expect(answer.modifiers.map(({ value }) => value)).toEqual(
      expect.arrayContaining(['key 39999', 'key 39998']),
    );
    expect(answer.actions).toEqual([{ value: 'edit', name: 'edit', count: 4 }]);
  });

  test("are limited to the reader's tenant", async () => {
    const scoped = await ground.token({ role: 'viewer', tenant: 'tenant 500' });
    const { answer } = await get<Answer<'Facets'>>('facets', scoped);
    expect(answer.modifiers).toEqual([expect.objectContaining({ value: 'key 500', count: 1 })]);
    expect(answer.more.modifiers).toEqual({ values: 0, entries: 0 });
    expect(answer.tenants).toEqual([{ value: 'tenant 500', name: 'tenant 500', count: 1 }]);
    for (const list of ['modifiers', 'tenants']) {
      const { answer } = await get<Answer<'FacetList'>>(`facets/${list}?search=9`, scoped);
      expect(answer).toEqual({ items: [], more: { values: 0, entries: 0 } });
    }
  });

  test('have pages with their names, filters included', async () => {
    const { answer } = await get<Answer<'EntryPage'>>('entries?modifier=key%2031234');
    expect(answer.items.map(({ modifier, tenant }) => [modifier.key, tenant])).toEqual([
      ['key 31234', null],
      ['key 31234', 'tenant 31234'],
    ]);
    expect((await get<Answer<'EntryPage'>>('entries?tenant=nobody%20has%20it')).answer.items).toEqual([]);
  });

  test('have in each snapshot the newest name of its time, whatever others read in the meantime', async () => {
    const dictionaries = new ReaderDictionaries();
    const named = (work: (names: () => Promise<readonly string[]>) => Promise<void>): Promise<void> =>
      withSnapshot(
        { pool: ground.pool, dictionaries, timeoutMs: 20_000, plans: 'fresh', turns: (work) => work() },
        (snapshot) =>
          work(async () => {
            await dictionaries.firstIds(snapshot.query, snapshot.greatest);
            const firsts = { firstIds: [7, 8], greatest: snapshot.greatest };
            const newest = await dictionaries.newestModifiers(snapshot.query, firsts);
            return [7, 8].map((id) => newest.get(id)!.name.trim().slice(0, 12));
          }),
      );
    await named(async (early) => {
      expect(await early()).toEqual(['Dana Levi', 'Invented 8 é']);
      const rename = `insert into trail.modifier values ($1, 'key 7', 'Dana Cohen', 'bot'), ($2, 'key 8', 'Omer Katz', 'agent')`;
      await ground.pool.query(rename, [INVENTED + 2, INVENTED + 3]);
      await named(async (late) => {
        expect(await late()).toEqual(['Dana Cohen', 'Omer Katz']);
      });
      expect(await early()).toEqual(['Dana Levi', 'Invented 8 é']);
    });
  });

  test('a list that does not exist is not found', async () => {
    const response = await ground.get('/v1/facets/people', admin);
    expect([response.status, await response.json()]).toEqual([
      404,
      expect.objectContaining({ code: 'HTTP_NOT_FOUND' }),
    ]);
    expect((await ground.get('/v1/facets/modifiers?limit=501', admin)).status).toBe(400);
  });
});
