import { expect, test } from '@jest/globals';
import { createPool } from '../../src/pg/connect.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround } from '../support/capture.ts';

const ALWAYS = { from: '2026-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
const ROWS = 7;
/** A walk reads two of the small ones at a time. The large one alone exceeds its limit. */
const MIB = [6, 6, 6, 20, 6, 6, 6];

test('large values make pages shorter, without more memory, and nothing is left out', async () => {
  await using g = await captureGround({
    schemaSql: 'create table files (id int primary key, body text)',
    yaml: 'tables: { public.files: { entity: file } }',
  });
  for (const [index, mib] of MIB.entries())
    await g.source.query(`insert into files values (${index + 1}, repeat('x', ${mib} * 1024 * 1024))`);
  await g.caughtUp();
  const pool = createPool({ url: g.trail.url, purpose: 'test', max: 1 });
  try {
    const reader = new TrailReader({ pool });
    const newestFirst = Array.from({ length: ROWS }, (_, index) => String(ROWS - index));
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await reader.page(ALWAYS, { limit: 50, cursor });
      pages.push(page.items.map(({ entity }) => entity.id!));
      for (const { updated } of page.items)
        expect(updated!.get('body')!.text).toHaveLength(
          MIB[Number(updated!.get('id')!.text) - 1]! * 1024 * 1024,
        );
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(pages).toEqual([['7', '6'], ['5'], ['4'], ['3', '2'], ['1']]);

    const { nextId } = await reader.head();
    const walked: (string | null)[] = [];
    for await (const batch of reader.walkRows(ALWAYS, { below: nextId, withContexts: false }))
      for (let index = 0; index < batch.count; index++) walked.push(batch.entry(index).entity.id);
    expect(walked).toEqual(newestFirst);

    const tail: (string | null)[] = [];
    for (let id = '0', more = true; more;) {
      const batch = await reader.after({}, { id, limit: 100 });
      tail.push(...batch.items.map(({ entity }) => entity.id));
      id = batch.items.at(-1)?.id ?? id;
      ({ more } = batch);
    }
    expect(tail).toEqual(newestFirst.toReversed());
  } finally {
    await pool.end();
  }
});
