import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';

let ground: ApiGround;
let admin: string;
let one: string;

/** Entries by their places in the order of storing. */
const entries: string[] = [];

beforeAll(async () => {
  ground = await apiGround();
  admin = await ground.token();
  one = await ground.token({ name: 'one', tenant: 'one' });
  const add = async (entry: Parameters<ApiGround['add']>[0]): Promise<void> =>
    void entries.push(await ground.add({ entityName: 'x', entityId: '1', ...entry }));
  const values = (blocked: string, team: string): [string, string, string, string] => [
    '1',
    'x',
    blocked,
    team,
  ];
  await add({ tenant: 'one', updated: values('f', '7'), modifier: { key: 'k1', name: 'Rina Cohen' } });
  await add({ tenant: 'one', updated: values('t', '8'), modifier: { key: 'k1', name: 'Rina Levi' } });
  await add({ tenant: 'two', updated: values('t', '9'), modifier: { key: 'k1', name: 'Rina Secret' } });
  await add({ tenant: 'two', updated: values('t', '9'), action: 'moved_away', entityType: 'sales_lead' });
  // The last column gets labels from a lookup table. The third gets words of the YAML where it is true.
  await ground.pool.query(`update trail.relation set columns = $1`, [
    JSON.stringify([
      { name: 'id', type: 23 },
      { name: 'full_name', type: 25 },
      { name: 'blocked', type: 16, values: { true: 'locked out' } },
      { name: 'team', type: 23, label: 'public.teams' },
    ]),
  ]);
  await ground.pool.query(
    `insert into trail.lookup (table_name, key, from_id, name, tenant) values
       ('public.teams', '7', 0, 'Night shift', 'one'), ('public.teams', '8', 0, 'Old day shift', 'one'),
       ('public.teams', '8', $1, 'Day shift', 'one'), ('public.teams', '9', 0, 'Their shift', 'two')`,
    [entries[2]],
  );
});
afterAll(async () => ground[Symbol.asyncDispose]());

const found = async (q: string, token = admin): Promise<number[]> => {
  const response = await ground.get(`/v1/entries?q=${encodeURIComponent(q)}`, token);
  const { items } = (await response.json()) as { items: { id: string }[] };
  return items.map(({ id }) => entries.indexOf(id)).sort();
};

test('a search finds booleans as the words that are shown, and by their column only', async () => {
  expect(await found('false')).toEqual([0]);
  expect(await found('TRUE')).toEqual([1, 2, 3]);
  expect(await found('locked OUT')).toEqual([1, 2, 3]);
});

test('it finds labels as of the change', async () => {
  expect(await found('night')).toEqual([0]);
  expect(await found('old day')).toEqual([1]);
  expect(await found('day shift')).toEqual([1]);
  expect(await found('shift')).toEqual([0, 1, 2, 3]);
});

test('it finds a modifier by every name, an action, an entity type, and unattributed entries', async () => {
  for (const name of ['rina cohen', 'Rina Levi', 'secret']) expect(await found(name)).toEqual([0, 1, 2]);
  expect(await found('moved away')).toEqual([3]);
  expect(await found('moved_away')).toEqual([3]);
  expect(await found('Sales lead')).toEqual([3]);
  expect(await found('unattributed')).toEqual([3]);
});

test('the filter of modifiers finds a renamed one by its former names, in the range', async () => {
  const search = async (text: string, token = admin): Promise<unknown> => {
    const response = await ground.get(`/v1/facets/modifiers?search=${encodeURIComponent(text)}`, token);
    return ((await response.json()) as { items: { value: string }[] }).items.map(({ value }) => value);
  };
  for (const name of ['cohen', 'levi', 'secret']) expect(await search(name)).toEqual(['k1']);
  expect(await search('cohen', one)).toEqual(['k1']);
  expect(await search('secret', one)).toEqual([]);
});

test("a reader of one tenant finds nothing by names and labels of others' rows", async () => {
  expect(await found('shift', one)).toEqual([0, 1]);
  expect(await found('their', one)).toEqual([]);
  expect(await found('secret', one)).toEqual([]);
  expect(await found('cohen', one)).toEqual([0]);
  expect(await found('true', one)).toEqual([1]);
});

test('a search that matches more names than are resolved checks entries one by one, with the same answer', async () => {
  await ground.pool.query(
    `insert into trail.lookup (table_name, key, from_id, name, tenant)
     select 'public.teams', 'many' || n, 0, 'shift ' || n, 'one' from generate_series(1, 1100) n`,
  );
  await ground.pool.query(
    `insert into trail.modifier (id, key, name, kind)
     select 1000 + n, 'many' || n, 'rina ' || n, 'agent' from generate_series(1, 1100) n`,
  );
  expect(await found('shift')).toEqual([0, 1, 2, 3]);
  expect(await found('shift', one)).toEqual([0, 1]);
  expect(await found('rina')).toEqual([0, 1, 2]);
  expect(await found('rina', one)).toEqual([0, 1]);
});
