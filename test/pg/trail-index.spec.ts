import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { viewOf } from '../../src/pg/byte-loops.js';
import { SAME_TENANT } from '../../src/pipeline/ports.js';
import { entityHash } from '../../src/trail/posting-lists.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { openTrailPool } from '../../src/trail/roles.js';
import type { TrailWriter } from '../../src/trail/write/trail-writer.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { indexTrail, seedTrail } from '../support/trail-data.ts';
import { expectIndexed } from '../support/trail-index.ts';
import { until } from '../support/until.ts';
import { endTransaction, openWriter, writeEntry } from '../support/writer.ts';

const CHUNK = 16_384;
const DAY_MS = 86_400_000;

/**
 * Writes entries of many kinds. No two neighbours have the same words. Each 7th has no entity. Each 17th is
 * of a row that moved from a tenant, from an id or from both.
 */
function writeMixed(writer: TrailWriter, count: number, from = 0): void {
  for (let n = from; n < from + count; n++) {
    const words = {
      modifierId: n % 5 === 0 ? n % 4_001 : n % 3,
      entityTypeId: n % 11,
      actionId: n % 2 === 0 ? 1 : n % 1_500,
      tenantId: n % 13 === 0 ? 1_000_000 + (n % 900) : 0,
    };
    const before = {
      tenantId: n % 3 === 0 ? SAME_TENANT : 2_000_000 + (n % 31),
      entityId: n % 4 === 0 ? null : `entity ${(n + (n % 5)) % 3_001}`,
    };
    writeEntry(writer, n % 7 === 0 ? null : `entity ${n % 3_001}`, words, n % 17 === 0 ? before : undefined);
  }
}

/** The same as a source transaction that is committed. */
async function storeMixed(
  writer: TrailWriter,
  count: number,
  at: { readonly lsn: bigint; readonly from?: number },
): Promise<void> {
  writeMixed(writer, count, at.from);
  endTransaction(writer, at.lsn);
  await writer.commit();
}

/** Number of complete chunks of the current day, on which the trail began. */
async function chunksOf(trail: TestDatabase): Promise<number> {
  const indexed = await expectIndexed(trail);
  const [{ chunks }] = (await trail.query<{ chunks: number }>(
    `select coalesce(sum(entries >> 14), 0)::int4 as chunks from trail.days()`,
  )) as [{ chunks: number }];
  expect(indexed).toHaveLength(chunks);
  return chunks;
}

describe('the lists of a chunk', () => {
  test('are stored with its last entry, whatever the batches are', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    let lsn = 200n;
    for (const count of [1, 5_000, CHUNK - 5_002]) {
      await storeMixed(writer, count, { lsn: lsn++ });
      expect(await chunksOf(trail)).toBe(0);
    }
    await storeMixed(writer, 1, { lsn: lsn++ });
    expect(await chunksOf(trail)).toBe(1);
    // One batch of several chunks.
    await storeMixed(writer, 2 * CHUNK + 10, { lsn: lsn++ });
    expect(await chunksOf(trail)).toBe(3);
    await writer.close();
  });

  test('are in the transaction that stores its entries: all or nothing', async () => {
    await using trail = await freshDatabase('trail');
    const torn = await openWriter(trail);
    writeMixed(torn, CHUNK + 5);
    torn.spill();
    writeMixed(torn, CHUNK);
    torn.spill();
    await torn.close();
    await until('the end of the torn session', async () => {
      const others = await trail.query(
        `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      );
      return others.length === 0;
    });
    expect(
      await trail.query(`select chunk from trail.chunk union all select chunk from trail.posting`),
    ).toEqual([]);

    const again = await openWriter(trail);
    writeMixed(again, CHUNK + 5);
    again.spill();
    await storeMixed(again, CHUNK, { lsn: 300n, from: 77 });
    await again.close();
    expect(await chunksOf(trail)).toBe(2);
  });

  test('are whole when its entries were stored by several writers', async () => {
    await using trail = await freshDatabase('trail');
    let lsn = 200n;
    for (const count of [3_000, 0, 10_000, 5_000]) {
      const writer = await openWriter(trail);
      await storeMixed(writer, count, { lsn: lsn++, from: 19 });
      await writer.close();
    }
    expect(await chunksOf(trail)).toBe(1);
  });

  test('are created by the next writer when its last entry was one of the trail itself', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    await storeMixed(writer, CHUNK - 1, { lsn: 200n });
    await writer.close();
    await trail.query(`select trail.open_gap('SOURCE_SLOT_LOST', 'a gap', null, '0/C8', null)`);
    expect(await expectIndexed(trail)).toEqual([]);
    await (await openWriter(trail)).close();
    expect(await chunksOf(trail)).toBe(1);
  });

  test('are removed, and used by no reader, when entries and checkpoint were reset by hand', async () => {
    await using trail = await freshDatabase('trail');
    const writer = await openWriter(trail);
    await storeMixed(writer, 3 * CHUNK + 5, { lsn: 200n });
    await writer.close();
    await trail.query(`delete from trail.entry where id & 4294967295 >= $1`, [CHUNK + 100]);
    await trail.query(`update trail.checkpoint set next_id = next_id - $1, entries = entries - $1`, [
      2 * CHUNK - 95,
    ]);
    const pool = openTrailPool({ url: trail.url, purpose: 'test', role: 'waltrail_reader', max: 1 });
    try {
      const reader = new TrailReader({ pool });
      const { nextId } = await reader.head();
      const range = { from: '1999-01-01T00:00:00Z', to: '2001-01-01T00:00:00Z' };
      const found = () => reader.count({ ...range, entity: 'entity 1' }, { below: nextId });
      const [{ left }] = (await trail.query<{ left: number }>(
        `select count(*)::int4 as left from trail.entry where entity_id = 'entity 1' or previous_entity_id = 'entity 1'`,
      )) as [{ left: number }];
      expect(await found()).toBe(left);
      const { modifiers } = await reader.facets(range);
      // Only the modifier 0 has a row in the dictionary.
      const [{ nobody }] = (await trail.query<{ nobody: number }>(
        `select count(*)::int4 as nobody from trail.entry where modifier_id = 0`,
      )) as [{ nobody: number }];
      expect(modifiers.map(({ count }) => count)).toEqual([nobody]);
      const again = await openWriter(trail);
      await storeMixed(again, CHUNK, { lsn: 300n, from: 1_234 });
      await again.close();
      expect(await chunksOf(trail)).toBe(2);
    } finally {
      await pool.end();
    }
  });

  test('are computed from a part of it when its day is over', async () => {
    await using trail = await freshDatabase('trail');
    const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const range = { from: new Date(midnight - 2 * DAY_MS), to: new Date(midnight + DAY_MS / 2) };
    await seedTrail({ url: trail.url, entries: 50_000, ...range, index: false });
    await indexTrail(trail.url);
    const chunks = await expectIndexed(trail);
    const days = await trail.query<{ day: number; entries: number }>(
      'select day, entries::int4 as entries from trail.day order by day',
    );
    expect(days).toHaveLength(2);
    for (const { day, entries } of days) {
      expect(entries % CHUNK).toBeGreaterThan(0);
      expect(chunks.filter((chunk) => chunk >> 18 === day)).toHaveLength(Math.ceil(entries / CHUNK));
    }
    expect(chunks.filter((chunk) => chunk >> 18 === days[1]!.day + 1)).toHaveLength(0);
  });
});

test('the hash of an entity is the same in SQL and in the writer', async () => {
  await using trail = await freshDatabase('trail');
  const inWriter = (text: string): number => {
    const bytes = Buffer.from(`..${text}`);
    return entityHash(viewOf(bytes), 2, bytes.length - 2);
  };
  // Published values of FNV-1a for these texts.
  expect(inWriter('') >>> 0).toBe(0x811c9dc5);
  expect(inWriter('foobar') >>> 0).toBe(0xbf9cf968);
  const text = fc.string({ unit: 'binary', maxLength: 400 }).filter((one) => !/[\0\p{Surrogate}]/u.test(one));
  const texts = [...fc.sample(text, 200), 'x'.repeat(256), 'x'.repeat(257), 'é'.repeat(200)];
  const rows = await trail.query<{ hash: number }>(
    `select trail.entity_hash(t) as hash from unnest($1::text[]) with ordinality as x (t, n) order by n`,
    [texts],
  );
  expect(rows.map(({ hash }) => hash)).toEqual(texts.map(inWriter));
});
