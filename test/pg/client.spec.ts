import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { withClient } from '../../src/pg/connect.js';
import { freshDatabase } from '../support/database.ts';

/** Each way of asking gets 92 MB of rows. */
const MOST_LEFT_MB = 5;

test("rows of a statement's answer are freed after their use", async () => {
  await using database = await freshDatabase('empty');
  const program = path.resolve(import.meta.dirname, '../support/ask-often.mjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--no-incremental-marking', program, database.url],
    { timeout: 60_000 },
  );
  const left = JSON.parse(stdout) as readonly number[];
  expect(left).toHaveLength(3);
  expect(Math.max(...left)).toBeLessThan(MOST_LEFT_MB);
});

describe('a client answers like the client of pg', () => {
  test('with a promise; its error leads to the calling line', async () => {
    await using database = await freshDatabase('empty');
    await withClient({ url: database.url, purpose: 'test' }, async (client) => {
      expect((await client.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }]);
      expect((await client.query({ text: 'select 2', rowMode: 'array' })).rows).toEqual([[2]]);
      const askWrongly = async (): Promise<unknown> => client.query('select 1/0');
      await expect(askWrongly()).rejects.toMatchObject({
        code: '22012',
        stack: expect.stringContaining('client.spec.ts'),
      });
      expect((await client.query('select 3 as n')).rows).toEqual([{ n: 3 }]);
      await expect(client.query(null as never)).rejects.toThrow('null or undefined');
    });
  });

  test('with a callback, also of a statement with values', async () => {
    await using database = await freshDatabase('empty');
    await withClient({ url: database.url, purpose: 'test' }, async (client) => {
      const answers: unknown[] = [];
      await new Promise<void>((resolve) => {
        client.query('select 1 as n', (_, result) => answers.push(result.rows));
        client.query('select $1::int as n', [2], (_, result) => answers.push(result.rows));
        client.query('select 1/0', (error) => {
          answers.push((error as { code?: string }).code);
          resolve();
        });
      });
      expect(answers).toEqual([[{ n: 1 }], [{ n: 2 }], '22012']);
    });
  });
});
