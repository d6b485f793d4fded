import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect } from '../../src/pg/connect.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { planTracking } from '../../src/tracking/plan.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { captureGround } from '../support/capture.ts';

let ground: ApiGround;
let admin: string;

const configure = (names: object) =>
  ground.pool.query(
    `insert into trail.configuration (digest, document, from_id, from_lsn) values ('d', $1, 0, '0/0')`,
    [JSON.stringify({ tables: {}, action_names: names })],
  );
const get = async <T>(url: string): Promise<T> => (await (await ground.get(url, admin)).json()) as T;
type Page = {
  readonly items: { readonly id: string; readonly action: string; readonly actionName?: string }[];
};
type Facets = { readonly actions: { readonly value: string; readonly name: string }[] };
const shown = async (query = ''): Promise<unknown[]> =>
  (await get<Page>(`/v1/entries${query}`)).items.map(({ action, actionName }) => [action, actionName]);

beforeAll(async () => {
  ground = await apiGround();
  admin = await ground.token();
  for (const action of ['block', 'edit']) await ground.add({ action, entityName: 'x', entityId: '1' });
  await configure({ block: 'חסימת משתמש' });
});
afterAll(async () => ground[Symbol.asyncDispose]());

test('entries have their action and the name shown for it, and filters take the action', async () => {
  expect(await shown()).toEqual([
    ['edit', undefined],
    ['block', 'חסימת משתמש'],
  ]);
  expect(await shown('?action=block')).toEqual([['block', 'חסימת משתמש']]);
});

test('facets show the name of an action, and a search in them finds it', async () => {
  const { actions } = await get<Facets>('/v1/facets');
  expect(actions.map(({ value, name }) => [value, name]).sort()).toEqual([
    ['block', 'חסימת משתמש'],
    ['edit', 'edit'],
  ]);
  const search = async (words: string) =>
    (
      await get<{ items: Facets['actions'] }>(`/v1/facets/actions?search=${encodeURIComponent(words)}`)
    ).items.map(({ value }) => value);
  expect(await search('משתמש')).toEqual(['block']);
  expect(await search('blo')).toEqual(['block']);
  expect(await search('edi')).toEqual(['edit']);
});

test('a search finds the shown name of an action', async () => {
  expect(await shown(`?q=${encodeURIComponent('חסימת')}`)).toEqual([['block', 'חסימת משתמש']]);
});

test('a new configuration changes the shown names of old entries, too', async () => {
  await configure({ edit: 'Ändern' });
  expect(await shown()).toEqual([
    ['edit', 'Ändern'],
    ['block', undefined],
  ]);
});

test('the names of actions come from the YAML in effect', async () => {
  await using source = await captureGround({
    schemaSql: 'create table cats (id int primary key, name text)',
    yaml: 'tables: { public.cats: }\naction_names: { add: Geboren, ad: x }',
  });
  const [{ document }] = (await source.trail.query<{ document: string }>(
    'select document from trail.configuration',
  )) as [{ document: string }];
  expect(JSON.parse(document)).toMatchObject({ action_names: { add: 'Geboren' } });
  const client = await connect({ url: source.source.url, purpose: 'test' });
  try {
    const { warnings } = planTracking({ config: source.config, catalog: await readCatalog(client) });
    expect(warnings).toContain(
      'test.yaml:5:31: action_names.ad: no change has this action. Did you mean "add"?',
    );
  } finally {
    await client.end();
  }
});
