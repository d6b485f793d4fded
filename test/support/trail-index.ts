import { expect } from '@jest/globals';
import type { TestDatabase } from './database.ts';

/**
 * `key: places` of the lists in rows of trail.posting, read as src/trail/posting-lists.ts describes them, by
 * other code than the reader's.
 */
function readLists(rows: readonly Buffer[]): { readonly key: number; readonly places: number[] }[] {
  const lists: { key: number; places: number[] }[] = [];
  for (let rest of rows) {
    while (rest.length > 0) {
      const count = rest.readUInt16BE(4);
      const body = rest.subarray(6, 6 + Math.min(2 * count, 2048));
      const places: number[] = [];
      if (count < 1024) for (let at = 0; at < body.length; at += 2) places.push(body.readUInt16BE(at));
      else
        for (let place = 0; place < 16_384; place++)
          if (((body[place >> 3]! >> (place % 8)) & 1) === 1) places.push(place);
      if (places.length !== count) throw new Error(`${count} places are ${places.length}`);
      lists.push({ key: rest.readInt32BE(0), places });
      rest = rest.subarray(6 + body.length);
    }
  }
  return lists.sort((one, other) => one.key - other.key);
}

const OF_CHUNK = 'id >= c.chunk::int8 << 14 and id < (c.chunk::int8 + 1) << 14';
const COLUMNS = {
  m: 'modifier_id',
  t: 'entity_type_id::int4',
  a: 'action_id::int4',
  n: 'tenant_id',
  e: 'trail.entity_hash(entity_id)',
};

/**
 * That posting lists and summaries of exactly these chunks (all complete ones) say what their entries say.
 * Gives the chunks.
 */
export async function expectIndexed(trail: TestDatabase): Promise<number[]> {
  const chunks = await trail.query<{ chunk: number; right: boolean; counts: boolean }>(
    `select c.chunk, (c.entries, c.first_committed_at, c.last_committed_at) = (e.entries, e.first, e.last) as right,
            c.modifiers = e.modifiers and c.actions = e.actions and c.entity_types = e.entity_types and c.tenants = e.tenants
            and c.modifier_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by modifier_id order by modifier_id)
            and c.action_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by action_id order by action_id)
            and c.entity_type_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by entity_type_id order by entity_type_id)
            and c.tenant_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by tenant_id order by tenant_id) as counts
       from trail.chunk c cross join lateral (
         select count(*)::int4 as entries, min(committed_at) as first, max(committed_at) as last, array_agg(distinct modifier_id) as modifiers,
                array_agg(distinct action_id::int4) as actions, array_agg(distinct entity_type_id::int4) as entity_types, array_agg(distinct tenant_id) as tenants
           from trail.entry where ${OF_CHUNK}) e
      order by c.chunk`,
  );
  expect(chunks.filter(({ right, counts }) => !right || !counts)).toEqual([]);
  const numbers = chunks.map(({ chunk }) => chunk);
  expect(
    await trail.query(`select distinct chunk from trail.posting where chunk <> all($1)`, [numbers]),
  ).toEqual([]);
  for (const chunk of numbers) {
    for (const [dimension, key] of Object.entries(COLUMNS)) {
      const rows = await trail.query<{ bucket: number; lists: Buffer }>(
        `select bucket, lists from trail.posting where dimension = $1 and chunk = $2 order by bucket`,
        [dimension, chunk],
      );
      const wanted = await trail.query<{ key: number; places: number[] }>(
        `select ${key} as key, array_agg((id & 16383)::int4 order by id) as places from trail.entry
          where id >= $1::int8 << 14 and id < ($1::int8 + 1) << 14 and ${key} is not null group by 1 order by 1`,
        [chunk],
      );
      // As texts: to compare tens of thousands of numbers one by one would hold up a capture in this process.
      const found = readLists(rows.map(({ lists }) => lists));
      expect(JSON.stringify(found) === JSON.stringify(wanted)).toBe(true);
      for (const { bucket, lists } of rows)
        if (readLists([lists]).some((list) => (list.key & 1023) !== bucket))
          throw new Error('a list is in another bucket');
    }
  }
  return numbers;
}
