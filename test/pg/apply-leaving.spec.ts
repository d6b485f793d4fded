import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { waltrail } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

const BOTH = '{ public.items: { entity: item }, public.parts: { entity: part } }';
const ONE = '{ public.items: { entity: item } }';

let folder: string;
let source: TestDatabase;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'))));
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  source = await freshDatabase('empty');
  await source.query('create table items (id int primary key); create table parts (id int primary key)');
  await run(BOTH, ['apply']);
});
afterEach(async () => {
  await source[Symbol.asyncDispose]();
});

async function run(tables: string, words: readonly string[], answer?: (question: string) => boolean) {
  const file = path.join(folder, 'w.yaml');
  await writeFile(
    file,
    `source: { name: crm, url: "${source.url}", slot: one }\ntrail: { url: "postgres://nobody@127.0.0.1:1/none" }\ntables: ${tables}\n`,
  );
  const confirm = answer === undefined ? null : (question: string) => Promise.resolve(answer(question));
  return waltrail(words, { WALTRAIL_CONFIG: file }, { confirm });
}

const published = async (): Promise<string[]> =>
  (
    await source.query<{ name: string }>('select tablename as name from pg_publication_tables order by 1')
  ).map(({ name }) => name);

test('tables leave the publication only with a confirmation: by --yes, or on a terminal', async () => {
  const refused = await run(ONE, ['apply']);
  expect([refused.code, refused.errors]).toEqual([
    1,
    expect.stringMatching(/public\.parts leaves the publication.*waltrail apply --yes/),
  ]);
  expect((await run(ONE, ['apply', '--json'], () => true)).errors).toContain('TRACKING_TABLES_LEAVE');
  const denied = await run(ONE, ['apply'], () => false);
  expect([denied.code, denied.output]).toEqual([1, expect.stringContaining('Nothing was applied.')]);
  expect(await published()).toEqual(['items', 'parts']);

  const asked: string[] = [];
  expect((await run(ONE, ['apply'], (question) => asked.push(question) > 0)).code).toBe(0);
  expect(asked).toEqual([expect.stringContaining('public.parts leaves the publication')]);
  expect(await published()).toEqual(['items']);
  // Added tables need no confirmation.
  expect((await run(BOTH, ['apply'])).code).toBe(0);
  expect((await run(ONE, ['apply', '--yes'])).code).toBe(0);
  expect(await published()).toEqual(['items']);
});

test('plan --sql prints nothing but the SQL, and no SQL where a problem prevents it', async () => {
  const { code, output, errors } = await run(ONE, ['plan', '--sql']);
  expect([code, errors]).toEqual([0, '']);
  expect(output).toMatch(/^begin;\nset local lock_timeout = '5s';\n-- .*^commit;\n$/ms);
  expect(JSON.parse((await run(ONE, ['plan', '--sql', '--json'])).output)).toEqual({ sql: output.trimEnd() });
  // Run by hand, as psql runs it.
  await source.query(output);
  expect(await published()).toEqual(['items']);
  expect(await run(ONE, ['plan', '--sql'])).toEqual({ code: 0, output: '', errors: '' });

  const mistaken = await run('{ public.items: { entity: item, name: "{nme}" } }', ['plan', '--sql']);
  expect(mistaken).toMatchObject({ code: 1, output: '', errors: expect.stringContaining('nme') });
});
