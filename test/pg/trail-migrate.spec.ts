import { describe, expect, test } from '@jest/globals';
import { silentLog } from '../../src/log.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { freshDatabase } from '../support/database.ts';

describe('migrateTrail', () => {
  test('several processes may start on one empty database at once', async () => {
    await using database = await freshDatabase('empty');
    await Promise.all(Array.from({ length: 4 }, () => migrateTrail({ url: database.url, log: silentLog })));

    const [applied] = await database.query<{ twice: number; all: number }>(
      'select count(*)::int as all, (count(*) - count(distinct name))::int as twice from trail.migration',
    );
    expect(applied!.twice).toBe(0);
    expect(applied!.all).toBeGreaterThan(0);
  });

  test('partitions exist for today and the next seven days, and there is no default partition', async () => {
    await using database = await freshDatabase('trail');
    const partitions = await database.query<{ name: string; bound: string }>(
      `select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
         from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'trail.entry'::regclass order by 1`,
    );
    const names = partitions.map(({ name }) => name);
    for (let ahead = 0; ahead <= 7; ahead++) {
      const day = new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '_');
      expect(names).toContain(`entry_${day}`);
    }
    expect(partitions.filter(({ bound }) => bound === 'DEFAULT')).toEqual([]);
  });

  test('values are compressed with lz4 in every partition where the server has it, and else as the server does', async () => {
    await using database = await freshDatabase('trail');
    const [server] = await database.query<{ lz4: boolean }>(
      `select 'lz4' = any (enumvals) as lz4 from pg_settings where name = 'default_toast_compression'`,
    );
    const compressions = await database.query<{ compression: string }>(
      `select distinct attcompression::text as compression from pg_inherits join pg_attribute on attrelid = inhrelid
        where inhparent = 'trail.entry'::regclass and attname in ('previous', 'updated')`,
    );
    expect(compressions).toEqual([{ compression: server!.lz4 ? 'l' : '' }]);
  });

  test('a trail that a newer version has migrated is refused and left unchanged', async () => {
    await using database = await freshDatabase('trail');
    await database.query(`insert into trail.migration (name, run_on) values ('9999_later', now())`);
    await expect(migrateTrail({ url: database.url, log: silentLog })).rejects.toMatchObject({
      code: 'PG_MIGRATION_NEWER',
      message: expect.stringContaining('9999_later'),
    });
  });

  test('a migration that fails leaves nothing and is reported with its SQLSTATE', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create schema trail; create table trail.checkpoint (of_someone_else int)');
    await expect(migrateTrail({ url: database.url, log: silentLog })).rejects.toMatchObject({
      code: 'PG_MIGRATION_FAILED',
      message: expect.stringMatching(/0001_trail failed \(42P07: relation "checkpoint" already exists\)/),
    });
    const [left] = await database.query<{ tables: number }>(
      `select count(*)::int as tables from pg_class where relnamespace = 'trail'::regnamespace and relname in ('day', 'entry', 'modifier')`,
    );
    expect(left!.tables).toBe(0);
  });

  test('an unreachable server is reported without its password', async () => {
    await expect(
      migrateTrail({ url: 'postgres://someone:s3cret@127.0.0.1:1/trail', log: silentLog }),
    ).rejects.toMatchObject({ code: 'PG_UNREACHABLE', message: expect.not.stringContaining('s3cret') });
  });
});
