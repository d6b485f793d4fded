import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { silentLog } from '../../src/log.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { encodedDatabase } from '../support/database.ts';

/** A trail in a database that knows upper and lower case of ASCII letters only. */
let ground: ApiGround;
let admin: string;
let one: string;

beforeAll(async () => {
  const trail = await encodedDatabase('UTF8');
  await migrateTrail({ url: trail.url, log: silentLog });
  ground = await apiGround({ trail });
  admin = await ground.token();
  one = await ground.token({ name: 'one', tenant: 'one' });
  await ground.add({
    tenant: 'one',
    entityId: 'ЖУК-7',
    entityName: 'Österreich',
    updated: ['1', 'ÇELİK GmbH', 'f', '7'],
    modifier: { key: 'k1', name: 'Ünal Žižek' },
  });
  await ground.pool.query(`update trail.relation set columns = $1`, [
    JSON.stringify([
      { name: 'id', type: 23 },
      { name: 'full_name', type: 25 },
      { name: 'blocked', type: 16 },
      { name: 'team', type: 23, label: 'public.teams' },
    ]),
  ]);
  await ground.pool.query(
    `insert into trail.lookup (table_name, key, from_id, name, tenant)
     values ('public.teams', '7', 0, 'Équipe Été', 'one')`,
  );
});
afterAll(async () => ground[Symbol.asyncDispose]());

const found = async (q: string, token: string): Promise<number> => {
  const response = await ground.get(`/v1/entries?q=${encodeURIComponent(q)}`, token);
  expect(response.status).toBe(200);
  return ((await response.json()) as { items: unknown[] }).items.length;
};

test.each(['жук', 'öster', 'ÖSTER', 'çel', 'ünal ž', 'ÜNAL Ž', 'équipe été', 'ÉQUIPE ÉTÉ'])(
  'a trail with the locale C finds %s in upper and lower case, for an admin and a reader of one tenant',
  async (q) => {
    expect(await found(q, admin)).toBe(1);
    expect(await found(q, one)).toBe(1);
  },
);

test('a letter is not found as another one', async () => {
  expect(await found('osterr', admin)).toBe(0);
  expect(await found('ûnal', admin)).toBe(0);
});

test('so does the search in a list of filter values', async () => {
  const response = await ground.get(`/v1/facets/modifiers?search=${encodeURIComponent('žIŽEK ÜNAL')}`, admin);
  expect(await response.json()).toMatchObject({ items: [{ value: 'k1', name: 'Ünal Žižek' }] });
});
