import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { noteText } from '../../src/exports/columns.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';

const SCHEMA = `
  create table agents (id int primary key, name text, role text);
  insert into agents values (2, 'Omer Katz', 'admin'), (7, 'Dana Levi', 'admin'), (9, 'Robot', 'bot');
  create table items (id int primary key, name text, state text, updated_by int);`;
const MODIFIERS =
  'modifiers: { table: public.agents, key: id, name: "{name}", kind: { column: role, bot: [bot] } }';
const ITEMS = 'entity: item, name: "{name}", ignore: [updated_by]';
const YAML = `${MODIFIERS}
tables: { public.items: { ${ITEMS}, modifier: updated_by } }`;
const ALWAYS = `${MODIFIERS}
tables: { public.items: { ${ITEMS}, modifier: { column: updated_by, always_set: true } } }`;

const OMER = { key: '2', name: 'Omer Katz', kind: 'agent' };
const DANA = { key: '7', name: 'Dana Levi', kind: 'agent' };
const say = (content: string) => `select pg_logical_emit_message(true, 'waltrail', $json$${content}$json$);`;
const inOne = (...statements: readonly string[]) => `begin; ${statements.join('; ')}; commit`;

/** For each change: who made it, how that was found, and what else the entry states. */
const lines = (entries: readonly PlainEntry[]): unknown[] =>
  entries
    .filter(({ entityType }) => entityType !== 'waltrail')
    .map(({ operation, rung, modifierKey, extra }) => [`${operation} ${rung}${modifierKey ?? ''}`, extra]);

async function reading<T>(g: CaptureGround, work: (reader: TrailReader) => Promise<T>): Promise<T> {
  await g.caughtUp();
  const pool = new pg.Pool({ connectionString: g.trail.url, max: 2 });
  try {
    return await work(new TrailReader({ pool }));
  } finally {
    await pool.end();
  }
}
const RANGE = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };

describe('the modifier column', () => {
  test('names who made an update only where the update has altered it; otherwise it is a hint', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(`insert into items values (1, 'a', 'new', 2)`);
    await g.source.query(`update items set state = 'by psql'`);
    await g.source.query(`update items set state = 'by 7', updated_by = 7`);
    await g.source.query(`update items set state = 'by 7 again', updated_by = 7`);
    await g.source.query(`update items set state = 'by nobody', updated_by = null`);
    await g.source.query(`update items set state = 'by nobody again'`);
    await g.source.query(`update items set updated_by = 2`);
    await g.source.query(`delete from items`);
    expect(lines(await g.caughtUp())).toEqual([
      ['i c2', null],
      ['u -', { lastSetBy: OMER }],
      ['u c7', null],
      ['u -', { lastSetBy: DANA }],
      ['u -', null],
      ['u -', null],
      ['d -', null],
    ]);
    expect(g.capture.status().ignored).toBe(1);
  });

  test('names who made every update where the YAML states that the application always sets it', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: ALWAYS });
    await g.source.query(`insert into items values (1, 'a', 'new', 2)`);
    await g.source.query(`update items set state = 'x'`);
    await g.source.query('alter table items replica identity default');
    await g.source.query(`update items set state = 'y'`);
    expect(lines(await g.caughtUp())).toEqual([
      ['i c2', null],
      ['u c2', null],
      ['u c2', null],
    ]);
  });

  test('names nobody where it is unknown whether the update altered it', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query('alter table items replica identity default');
    await g.source.query(`insert into items values (1, 'a', 'new', 2)`);
    await g.source.query(`update items set state = 'x', updated_by = 7`);
    expect(lines(await g.caughtUp())).toEqual([
      ['i c2', null],
      ['u -', { lastSetBy: DANA }],
    ]);
  });

  test('is shown as a hint by API and files, and adds that person to no filter, count or dictionary', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(`insert into items select i, 'a', 'new', null from generate_series(1, 3) i`);
    await g.source.query(`insert into items values (4, 'b', 'new', 2)`);
    await g.source.query(`update items set state = 'touched' where id = 4`);
    await reading(g, async (reader) => {
      const found = async (modifier: string) =>
        (await reader.page({ ...RANGE, modifiers: [modifier] }, { limit: 20 })).items;
      expect((await found('2')).map(({ operation }) => operation)).toEqual(['insert']);
      const touched = (await found('')).find(({ operation }) => operation === 'update')!;
      expect(JSON.parse(entryToJson(touched))).toMatchObject({
        modifier: { key: null, name: 'Unattributed', kind: null, rung: 'unattributed' },
        lastSetBy: OMER,
      });
      expect(noteText(touched)).toBe('last set by Omer Katz (2)');
      expect((await reader.facets(RANGE)).modifiers).toEqual([
        { value: '', name: 'Unattributed', kind: null, count: 4 },
        { value: '2', name: 'Omer Katz', kind: 'agent', count: 1 },
      ]);
    });
    await g.source.query(`insert into items values (5, 'b', 'new', 7)`);
    await g.source.query(`update items set state = 'x' where id = 5`);
    await g.source.query(`update agents set name = 'Dana Cohen' where id = 7`);
    await g.source.query(`update items set state = 'y' where id = 5`);
    expect(lines(await g.caughtUp()).slice(-2)).toEqual([
      ['u -', { lastSetBy: DANA }],
      ['u -', { lastSetBy: { ...DANA, name: 'Dana Cohen' } }],
    ]);
    expect(await g.trail.query('select name from trail.modifier where id > 0 order by id')).toEqual([
      { name: 'Omer Katz' },
      { name: 'Dana Levi' },
    ]);
  });
});

describe('a message and the column', () => {
  const conflict = (person: object) => ({ conflict: { rung: 'column', ...person } });
  const EARLY_AND_LATE = ['first', 'last'] as const;

  test.each(EARLY_AND_LATE)(
    'are both kept when they disagree, and the message counts, when it comes %s',
    async (when) => {
      await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
      await g.source.query(
        `insert into items values (1, 'a', 'new', 2), (2, 'b', 'new', 7), (3, 'c', 'new', null)`,
      );
      const changes = [
        `insert into items values (4, 'd', 'new', 2), (5, 'e', 'new', 7), (6, 'f', 'new', null)`,
        `update items set updated_by = 2, state = 'x' where id = 3`,
        `update items set updated_by = 7, state = 'x' where id = 1`,
        `update items set state = 'x' where id = 2`,
        `delete from items where id = 2`,
      ];
      const message = say('{"modifier": 7, "context": {"job": 1}}');
      await g.source.query(inOne(...(when === 'first' ? [message, ...changes] : [...changes, message])));
      const context = { context: { job: 1 } };
      expect(lines(await g.caughtUp()).slice(3)).toEqual([
        ['i m7', { ...context, ...conflict(OMER) }],
        ['i m7', context],
        ['i m7', context],
        ['u m7', { ...context, ...conflict(OMER) }],
        ['u m7', context],
        ['u m7', context],
        ['d m7', context],
      ]);
      await reading(g, async (reader) => {
        const [entry] = (await reader.page({ ...RANGE, modifiers: ['7'] }, { limit: 20 })).items.slice(-2);
        expect(JSON.parse(entryToJson(entry!))).toMatchObject({
          modifier: { ...DANA, rung: 'message' },
          ...conflict(OMER),
        });
        expect(noteText(entry!)).toBe('the modifier column names Omer Katz (2)');
      });
    },
  );

  test.each(EARLY_AND_LATE)(
    'leave the hint when the message gives only a context or is not understood, when it comes %s',
    async (when) => {
      await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
      await g.source.query(`insert into items values (1, 'a', 'new', 2)`);
      const changes = [`update items set state = state || 'x'`, `insert into items values (0, 'b', 'new', 7)`, 'delete from items where id = 0']; // prettier-ignore
      for (const content of ['{"context": 1}', '{"modifier": {}}', '{"modifier": null}']) {
        const message = say(content);
        await g.source.query(inOne(...(when === 'first' ? [message, ...changes] : [...changes, message])));
      }
      const unread = { unread: { lsn: expect.any(String), reason: 'the modifier is no key' } };
      expect(lines(await g.caughtUp()).slice(1)).toEqual([
        ['u -', { context: 1, lastSetBy: OMER }],
        ['i c7', { context: 1 }],
        ['d -', { context: 1 }],
        ['u -', { ...unread, lastSetBy: OMER }],
        ['i -', { ...unread, ...conflict(DANA) }],
        ['d -', unread],
        ['u -', { lastSetBy: OMER }],
        ['i c7', null],
        ['d -', null],
      ]);
    },
  );

  test('agree where the column is redacted and shows the same for both', async () => {
    await using g = await captureGround({
      schemaSql: SCHEMA,
      yaml: `redact: [{ columns: [updated_by], with: hash }]\n${YAML}`,
    });
    for (const changes of [
      [say('{"modifier": 7}'), `insert into items values (1, 'a', 'new', 7), (2, 'b', 'new', 2)`],
      [`insert into items values (3, 'a', 'new', 7), (4, 'b', 'new', 2)`, say('{"modifier": 7}')],
    ])
      await g.source.query(inOne(...changes));
    const conflicts = (await g.caughtUp()).map(({ extra }) => Object.keys(extra ?? {}));
    expect(conflicts).toEqual([[], ['conflict'], [], ['conflict']]);
  });
});

describe('the name and kind of a modifier', () => {
  const FORGED = inOne(say('{"modifier": 7, "name": "Head of IT", "kind": "system"}'), `insert into items values (1, 'a', 'x', null)`); // prettier-ignore
  const GHOST = inOne(say('{"modifier": "cron", "name": "Nightly job", "kind": "system"}'), `insert into items values (2, 'a', 'x', null)`); // prettier-ignore
  const who = (entries: readonly PlainEntry[]) => entries.map(({ modifierKey, modifier, kind }) => [modifierKey, modifier, kind]); // prettier-ignore

  test('come from the modifiers table, whatever a message states: it renames nobody', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(FORGED);
    await g.source.query(GHOST);
    expect(who(await g.caughtUp())).toEqual([
      ['7', 'Dana Levi', 'agent'],
      ['cron', 'cron', 'agent'],
    ]);
  });

  test('come from messages where the YAML trusts them', async () => {
    await using g = await captureGround({
      schemaSql: SCHEMA,
      yaml: `messages: { trust_names: true }\n${YAML}`,
    });
    await g.source.query(FORGED);
    await g.source.query(GHOST);
    expect(who(await g.caughtUp())).toEqual([
      ['7', 'Head of IT', 'system'],
      ['cron', 'Nightly job', 'system'],
    ]);
  });
});

describe('signed messages', () => {
  const KEY = 'b7d21a3c5e0f4d6893aa01bc5566ffee';
  const SIGNED = `messages: { signing_keys: ["the key before this one, in a rotation", ${KEY}] }\n${YAML}`;
  /** The function of docs/attribution.md, as a DBA would paste it. */
  const MANUAL = readFileSync(path.resolve(import.meta.dirname, '../../docs/attribution.md'), 'utf8');
  const RECIPE = /```sql\n(create function app\.[^]*?)```/.exec(MANUAL)![1]!;
  const SETUP = `${SCHEMA}; create schema app; create extension pgcrypto schema app;
    create table app.secret (key text); insert into app.secret values ('${KEY}');
    ${RECIPE.replaceAll('/* the key */', `'${KEY}'`)}`;
  const unread = (reason: string) => ({ unread: { lsn: expect.any(String), reason } });

  test('count when signed with the SQL of the manual; all others are passed over and marked', async () => {
    await using g = await captureGround({ schemaSql: SETUP, yaml: SIGNED });
    const item = (id: number, by: number | string = 2) => `insert into items values (${id}, 'a', 'x', ${by})`;
    await g.source.query(inOne(`select app.say('{"modifier": 7}')`, item(1, 7)));
    await g.source.query(inOne(say('{"modifier": 7}'), item(2)));
    await g.source.query(
      inOne(`select app.say('{"modifier": 7}')`, item(3, 7), say('{"modifier": 9}'), item(4, 7)),
    );
    await g.source.query(inOne(item(5), say('{"modifier": 7}')));
    await g.source.query(inOne(item(6, 'null'), say('garbage'), item(7, 'null'), `select app.say('{"modifier": 7}')`, item(8, 'null'))); // prettier-ignore
    await g.source.query(inOne(say(`v1.${'0'.repeat(64)}.{"modifier": 7}`), item(9)));
    await g.source.query(inOne(`select app.say('{"modifier": {}}')`, item(10, 'null')));
    expect(lines(await g.caughtUp())).toEqual([
      ['i m7', null],
      ['i c2', unread('not signed')],
      ['i m7', null],
      ['i m7', unread('not signed')],
      ['i c2', unread('not signed')],
      ['i m7', null],
      ['i m7', null],
      ['i m7', null],
      ['i c2', unread('wrongly signed')],
      ['i -', unread('the modifier is no key')],
    ]);
    expect(g.capture.status().messagesUnread).toBe(6);
  });

  test('have no effect in another transaction, and no number of them causes a second reading', async () => {
    await using g = await captureGround({ schemaSql: SETUP, yaml: SIGNED });
    const client = new pg.Client(g.source.url);
    await client.connect();
    // What somebody who can read the WAL could send again.
    await client.query(`create temp table heard (body text)`);
    await client.query('begin');
    await client.query(`insert into heard select app.signed('{"modifier": 7}')`);
    await client.query(`select pg_logical_emit_message(true, 'waltrail', body) from heard`);
    await client.query(`insert into items values (1, 'a', 'x', null)`);
    await client.query('commit');
    await client.query('begin');
    await client.query(`select pg_logical_emit_message(true, 'waltrail', body) from heard`);
    await client.query(`insert into items values (2, 'a', 'x', null)`);
    await client.query('commit');
    await client.query('begin');
    await client.query(`insert into items select i, 'a', 'x', 2 from generate_series(10, 6000) i`);
    for (let sent = 0; sent < 20; sent++) await client.query(say('{"modifier": 7}'));
    await client.query('commit');
    await client.end();
    const entries = await g.caughtUp();
    expect(lines(entries).slice(0, 2)).toEqual([
      ['i m7', null],
      ['i -', unread('wrongly signed')],
    ]);
    expect(new Set(entries.slice(2).map(({ rung, modifierKey }) => rung + modifierKey))).toEqual(
      new Set(['c2']),
    );
    expect(entries).toHaveLength(2 + 5991);
  });
});
