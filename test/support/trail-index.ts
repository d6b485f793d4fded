import { expect } from '@jest/globals';
import type { TestDatabase } from './database.ts';

/**
 * Returns `key: places` of the lists in rows of trail.posting, as src/trail/posting-lists.ts describes them.
 * It shares no code with the reader.
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
/** The keys of an entry in each dimension, as an array. */
const KEYS = {
  m: 'array[modifier_id]',
  t: 'array[entity_type_id::int4]',
  a: 'array[action_id::int4]',
  n: 'array[tenant_id, previous_tenant_id]',
  e: 'array[trail.entity_hash(entity_id), trail.entity_hash(previous_entity_id)]',
  v: 'case when previous_tenant_id is not null then array[tenant_id, previous_tenant_id] end',
};
/** Returns each key of an entry once. */
const keysOf = (dimension: keyof typeof KEYS): string =>
  `lateral (select distinct key from unnest(${KEYS[dimension]}) key where key is not null)`;

/**
 * Expects posting lists and summaries of all complete chunks, and of no others, to match their entries.
 * Returns the chunks.
 */
export async function expectIndexed(trail: TestDatabase): Promise<number[]> {
  const chunks = await trail.query<{ chunk: number; right: boolean; counts: boolean }>(
    `select c.chunk, (c.entries, c.first_committed_at, c.last_committed_at) = (e.entries, e.first, e.last) as right,
            c.modifiers = e.modifiers and c.actions = e.actions and c.entity_types = e.entity_types and c.tenants = e.tenants
            and c.modifier_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by modifier_id order by modifier_id)
            and c.action_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by action_id order by action_id)
            and c.entity_type_counts = array(select count(*)::int4 from trail.entry where ${OF_CHUNK} group by entity_type_id order by entity_type_id)
            and c.tenant_counts = array(select count(*)::int4 from trail.entry, ${keysOf('n')} keys where ${OF_CHUNK} group by key order by key) as counts
       from trail.chunk c cross join lateral (
         select count(*)::int4 as entries, min(committed_at) as first, max(committed_at) as last, array_agg(distinct modifier_id) as modifiers,
                array_agg(distinct action_id::int4) as actions, array_agg(distinct entity_type_id::int4) as entity_types,
                array(select distinct key from trail.entry, ${keysOf('n')} keys where ${OF_CHUNK} order by key) as tenants
           from trail.entry where ${OF_CHUNK}) e
      order by c.chunk`,
  );
  expect(chunks.filter(({ right, counts }) => !right || !counts)).toEqual([]);
  const numbers = chunks.map(({ chunk }) => chunk);
  expect(
    await trail.query(`select distinct chunk from trail.posting where chunk <> all($1)`, [numbers]),
  ).toEqual([]);
  for (const chunk of numbers) {
    for (const dimension of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
      const rows = await trail.query<{ bucket: number; lists: Buffer }>(
        `select bucket, lists from trail.posting where dimension = $1 and chunk = $2 order by bucket`,
        [dimension, chunk],
      );
      const wanted = await trail.query<{ key: number; places: number[] }>(
        `select key, array_agg((id & 16383)::int4 order by id) as places from trail.entry, ${keysOf(dimension)} keys
          where id >= $1::int8 << 14 and id < ($1::int8 + 1) << 14 group by 1 order by 1`,
        [chunk],
      );
      // Compared as texts: comparing tens of thousands of numbers one by one would delay a capture in this
      // process.
      const found = readLists(rows.map(({ lists }) => lists));
      expect(JSON.stringify(found) === JSON.stringify(wanted)).toBe(true);
      for (const { bucket, lists } of rows)
        if (readLists([lists]).some((list) => (list.key & 1023) !== bucket))
          throw new Error('a list is in another bucket');
    }
  }
  return numbers;
}
