import { expect, test } from '@jest/globals';
import { createPool } from '../../src/pg/connect.js';
import { freshDatabase } from '../support/database.ts';

test('a connection that is ended while it is in use ends nothing else, and the pool opens another', async () => {
  await using database = await freshDatabase('empty');
  const pool = createPool({ url: database.url, side: 'trail', purpose: 'test', max: 1 });
  try {
    const client = await pool.connect();
    const ended = new Promise<void>((resolve) => client.once('end', resolve));
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    await ended;
    await expect(client.query('select 1')).rejects.toThrow();
    client.release();
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await pool.end();
  }
});
