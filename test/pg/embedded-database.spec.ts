import { describe, expect, test } from '@jest/globals';
import { freshDatabase } from '../support/database.ts';

describe('the test ground', () => {
  test('gives every test file a separate database on a server with logical decoding', async () => {
    await using one = await freshDatabase('empty');
    await using other = await freshDatabase('empty');
    await one.query('create table only_here (id int)');
    const [row] = await other.query<{ level: string; found: string | null; version: number }>(
      `select current_setting('wal_level') as level, to_regclass('only_here')::text as found,
              current_setting('server_version_num')::int / 10000 as version`,
    );
    expect(row).toEqual({ level: 'logical', found: null, version: 18 });
  });

  test('two tests that want the trail at once get copies of one template', async () => {
    await using one = await freshDatabase('trail');
    await using other = await freshDatabase('trail');
    for (const database of [one, other]) {
      const [row] = await database.query<{ found: string }>(
        `select to_regclass('trail.entry')::text as found`,
      );
      expect(row!.found).toBe('trail.entry');
    }
  });

  test('a database is dropped together with a slot that is still being read', async () => {
    const database = await freshDatabase('empty');
    await database.query(`select pg_create_logical_replication_slot('left_${database.name}', 'pgoutput')`);
    await database[Symbol.asyncDispose]();
    await using other = await freshDatabase('empty');
    const rows = await other.query('select 1 from pg_database where datname = $1', [database.name]);
    expect(rows).toEqual([]);
  });
});
