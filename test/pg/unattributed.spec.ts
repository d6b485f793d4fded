import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { REPORT_COLUMNS } from '../../src/exports/columns.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { NOBODY, type Entry, type EntryFilter } from '../../src/trail/read/entry.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { freshDatabase } from '../support/database.ts';

/**
 * Agents with keys that a filter might take for unattributed, and one that the configuration calls the
 * system.
 */
const SCHEMA = `
  create table agents (id text primary key, full_name text, role text);
  insert into agents values ('7', 'Dana Levi', 'admin'), ('unattributed', 'Una Tributed', 'admin'), ('', 'Nameless', 'admin'),
                            ('nightly', 'Nightly job', 'job');
  create table notes (id int primary key, updated_by text);`;
const YAML = `
messages: { trust_names: true }
modifiers: { table: public.agents, key: id, name: "{full_name}", kind: { column: role, system: [job] } }
tables: { public.notes: { entity: note, modifier: updated_by } }`;
const RANGE = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
const UNATTRIBUTED = { key: null, name: 'Unattributed', kind: null, rung: 'unattributed' };

/** Reads what capture stored, as an API process does. */
async function reading<T>(g: CaptureGround, work: (reader: TrailReader) => Promise<T>): Promise<T> {
  await g.caughtUp();
  const pool = new pg.Pool({ connectionString: g.trail.url, max: 2 });
  try {
    return await work(new TrailReader({ pool }));
  } finally {
    await pool.end();
  }
}

/**
 * Four notes, oldest first: two unattributed, one by the agent with that word as its key, one by the system.
 */
async function withNotes(): Promise<CaptureGround> {
  const g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  for (const [id, by] of [null, '', 'unattributed', 'nightly'].entries())
    await g.source.query('insert into notes values ($1, $2)', [id, by]);
  return g;
}

const modifierOf = (entry: Entry): unknown =>
  (JSON.parse(entryToJson(entry)) as { modifier: unknown }).modifier;

describe('a change without a known modifier', () => {
  test('is unattributed, and only a modifier that the configuration names so is the system', async () => {
    await using g = await withNotes();
    await g.source.query(
      `begin; select pg_logical_emit_message(true, 'waltrail', '{"modifier": "cron", "name": "Cron", "kind": "system"}');
       update notes set updated_by = null where id = 3; delete from notes where id = 3; commit;`,
    );
    await g.source.query('delete from notes where id = 2');
    const { items } = await reading(g, (reader) => reader.page(RANGE, { limit: 20 }));
    expect(items.toReversed().map(modifierOf)).toEqual([
      UNATTRIBUTED,
      UNATTRIBUTED,
      { key: 'unattributed', name: 'Una Tributed', kind: 'agent', rung: 'column' },
      { key: 'nightly', name: 'Nightly job', kind: 'system', rung: 'column' },
      { key: 'cron', name: 'Cron', kind: 'system', rung: 'message' },
      { key: 'cron', name: 'Cron', kind: 'system', rung: 'message' },
      UNATTRIBUTED,
    ]);
    const cells = (header: string): string[] =>
      items
        .toReversed()
        .map((entry) =>
          REPORT_COLUMNS.find((column) => column.header === header)!.text(entry, new ZoneClock('UTC')),
        );
    expect(cells('Modified by').slice(0, 4)).toEqual([
      'Unattributed',
      'Unattributed',
      'Una Tributed',
      'Nightly job',
    ]);
    expect(cells('Modifier kind').slice(0, 4)).toEqual(['', '', 'agent', 'system']);
    expect(cells('Attribution').slice(0, 4)).toEqual(['unattributed', 'unattributed', 'column', 'column']);
    expect(
      await g.trail.query(
        'select modified_by, modifier_kind, modifier_key, rung from trail.readable order by id limit 4',
      ),
    ).toEqual([
      { modified_by: 'Unattributed', modifier_kind: null, modifier_key: null, rung: 'unattributed' },
      { modified_by: 'Unattributed', modifier_kind: null, modifier_key: null, rung: 'unattributed' },
      { modified_by: 'Una Tributed', modifier_kind: 'agent', modifier_key: 'unattributed', rung: 'column' },
      { modified_by: 'Nightly job', modifier_kind: 'system', modifier_key: 'nightly', rung: 'column' },
    ]);
  });

  test('is found and counted by the empty value alone, and the word "unattributed" is a key like any other', async () => {
    await using g = await withNotes();
    await reading(g, async (reader) => {
      const found = async (...modifiers: string[]): Promise<(string | null)[]> =>
        (await reader.page({ ...RANGE, modifiers }, { limit: 20 })).items.map(({ entity }) => entity.id);
      expect(await found(NOBODY)).toEqual(['1', '0']);
      expect(await found('unattributed')).toEqual(['2']);
      expect(await found(NOBODY, 'unattributed')).toEqual(['2', '1', '0']);
      expect(await found('Unattributed', 'System', 'system')).toEqual([]);
      expect((await reader.facets(RANGE)).modifiers).toEqual([
        { value: NOBODY, name: 'Unattributed', kind: null, count: 2 },
        { value: 'nightly', name: 'Nightly job', kind: 'system', count: 1 },
        { value: 'unattributed', name: 'Una Tributed', kind: 'agent', count: 1 },
      ]);
      const { nextId } = await reader.head();
      expect(await reader.count({ ...RANGE, modifiers: [NOBODY] }, { below: nextId })).toBe(2);
    });
  });

  test("excludes Waltrail's own entries in every filter and count, although the lists of a chunk have them", async () => {
    await using g = await withNotes();
    // More than a chunk. Its lists have them among the entries without a modifier.
    await g.source.query('insert into notes (id) select generate_series(100, 16600)');
    await g.source.query('alter table notes add column more text');
    await g.source.query(`insert into notes values (20000, 'unattributed', 'x'), (20001, null, 'x')`);
    await g.source.query('insert into notes (id) select generate_series(30000, 47000)');
    await reading(g, async (reader) => {
      const nobody = 2 + 16_501 + 1 + 17_001;
      const { nextId } = await reader.head();
      const count = (filter: Partial<EntryFilter>): Promise<number> =>
        reader.count({ ...RANGE, ...filter }, { below: nextId });
      expect([await count({}), await count({ entityTypes: ['waltrail'] })]).toEqual([nobody + 4, 1]);
      expect(await count({ modifiers: [NOBODY] })).toBe(nobody);
      expect(await count({ modifiers: [NOBODY, 'unattributed'], entityTypes: ['note', 'waltrail'] })).toBe(
        nobody + 2,
      );
      expect(await count({ modifiers: [NOBODY], entityTypes: ['waltrail'] })).toBe(0);
      expect(
        await count({ modifiers: ['unattributed'], entityTypes: ['note', 'waltrail'], actions: ['add'] }),
      ).toBe(2);
      expect(
        (await reader.page({ ...RANGE, modifiers: [NOBODY], entityTypes: ['waltrail'] }, { limit: 5 })).items,
      ).toEqual([]);
      const [own] = (await reader.page({ ...RANGE, entityTypes: ['waltrail'] }, { limit: 5 })).items;
      expect(modifierOf(own!)).toEqual({ key: null, name: 'Waltrail', kind: null, rung: 'waltrail' });

      const facets = await reader.facets({ ...RANGE, modifiers: [NOBODY] });
      expect(facets.modifiers.map(({ value, count }) => [value, count])).toEqual([
        [NOBODY, nobody],
        ['unattributed', 2],
        ['nightly', 1],
      ]);
      expect(facets.entityTypes).toEqual([{ value: 'note', name: 'note', count: nobody }]);
      expect(facets.actions).toEqual([{ value: 'add', name: 'add', count: nobody }]);
      const all = await reader.facets(RANGE);
      expect(all.modifiers).toEqual(facets.modifiers);
      expect(all.entityTypes).toContainEqual({ value: 'waltrail', name: 'waltrail', count: 1 });
      expect((await reader.facets({ ...RANGE, entityTypes: ['waltrail'] })).modifiers).toEqual([]);
    });
  });

  test('the trail refuses an empty key, a kind without a person, and a person without a kind', async () => {
    await using trail = await freshDatabase('trail');
    for (const row of [
      `(1, '', 'Nameless', 'agent')`,
      `(1, '7', 'Dana Levi', null)`,
      `(1, null, 'Unattributed', null)`,
    ])
      await expect(trail.query(`insert into trail.modifier values ${row}`)).rejects.toMatchObject({
        code: '23514',
      });
    await expect(trail.query(`update trail.modifier set kind = 'system' where id = 0`)).rejects.toMatchObject(
      {
        code: '23514',
      },
    );
  });
});
