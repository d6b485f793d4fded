import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { freshDatabase } from '../support/database.ts';

const MODIFIERS = 200_000;
const NAMES = 400_000;
/** Twice the size of the texts themselves. Maps of them took 239 MB. */
const MAX_MB = 120;

test('a writer opens with 200,000 modifiers and 400,000 names in memory in proportion to their texts', async () => {
  await using trail = await freshDatabase('trail');
  await trail.query(
    `insert into trail.modifier select n, 'key ' || n, rpad('Invented ' || n, 60), 'agent' from generate_series(1, ${MODIFIERS}) n`,
  );
  await trail.query(
    `insert into trail.lookup (table_name, key, from_id, name)
     select 'public.customers', n::text, 0, rpad('Customer ' || n, 40) from generate_series(1, ${NAMES}) n`,
  );
  await trail.query(
    `insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, next_id) values ('crm', '1', 1, 's', '0/1', '0/1', 0)`,
  );
  const program = path.resolve(import.meta.dirname, '../support/open-writer.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [program, trail.url, 'public.customers']);
  const { grewMb, name } = JSON.parse(stdout) as { grewMb: number; name: string };
  expect(name.trimEnd()).toBe('Customer 7');
  expect(grewMb).toBeLessThan(MAX_MB);
});
