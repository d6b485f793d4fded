import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';

/** Tables as in Chatwoot: people in three tables, and messages that name a person of any of them. */
const SCHEMA = `
  create table users (id int primary key, name text, role text, sign_in_count int not null default 0);
  create table contacts (id int primary key, name text);
  create table bots (id int primary key, title text);
  insert into users values (2, 'Omer Katz', 'admin'), (7, 'Dana Levi', 'agent');
  insert into contacts values (2, 'A customer'), (7, 'Another customer');
  insert into bots values (7, 'Captain');
  create table messages (id int primary key, content text, sender_type text, sender_id int);
  create table notes (id int primary key, content text, author_id int, by_bot boolean, updated_by int, approved_by int);`;

const YAML = `
modifiers:
  agents: { table: public.users, key: id, name: "{name}", kind: { column: role, system: [system] } }
  contacts: { table: public.contacts, key: id, name: "{name}" }
  bots: { table: public.bots, key: id, name: "{title}" }
tables:
  public.users:
    entity: agent
    actions: [{ on: update, changed: sign_in_count, action: login }]
    modifier: { column: id, action: login }
  public.messages:
    entity: message
    modifier: { column: sender_id, as: { sender_type: { User: agents, Contact: contacts, AgentBot: bots } } }
  public.notes:
    entity: note
    modifier:
      - { column: approved_by, when: { content: approved } }
      - { column: author_id, as: bots, on: insert, when: { by_bot: true } }
      - { column: author_id, on: insert }
      - updated_by`;

const ground = (): Promise<CaptureGround> => captureGround({ schemaSql: SCHEMA, yaml: YAML });
const say = (content: string) => `select pg_logical_emit_message(true, 'waltrail', $json$${content}$json$);`;
const inOne = (...statements: readonly string[]) => `begin; ${statements.join('; ')}; commit`;

const lines = (entries: readonly PlainEntry[]): unknown[] =>
  entries.map(({ operation, rung, modifierKey, modifier, extra }) =>
    [
      `${operation} ${rung}`,
      ...(modifierKey === null ? [] : [modifierKey, modifier]),
      ...(extra === null ? [] : [JSON.stringify(extra)]),
    ].join(' | '),
  );

describe('a modifier column', () => {
  test('names a person of the table that its row states', async () => {
    await using g = await ground();
    await g.source
      .query(`insert into messages values (1, 'a', 'User', 7), (2, 'b', 'Contact', 7), (3, 'c', 'AgentBot', 7),
      (4, 'd', 'Captain::Assistant', 7), (5, 'e', null, 7), (6, 'f', 'User', null)`);
    // The same key of another table is another person.
    await g.source.query(`update messages set sender_type = 'Contact' where id = 1`);
    await g.source.query(`update messages set content = 'x' where id = 2`);
    await g.source.query(`update messages set sender_id = 2 where id = 2`);
    expect(lines(await g.caughtUp())).toEqual([
      'i c | 7 | Dana Levi',
      'i c | contacts:7 | Another customer',
      'i c | bots:7 | Captain',
      'i -',
      'i -',
      'i -',
      'u c | contacts:7 | Another customer',
      'u - | {"lastSetBy":{"key":"contacts:7","name":"Another customer","kind":"agent"}}',
      'u c | contacts:2 | A customer',
    ]);
  });

  test('is the first of several that applies, names somebody and was set by the change', async () => {
    await using g = await ground();
    await g.source.query(`insert into notes (id, content, author_id, by_bot, updated_by, approved_by) values
      (1, 'a', 7, true, 2, null), (2, 'b', 7, false, 2, null), (3, 'c', null, null, 2, 7), (4, 'approved', 7, true, 7, 2)`);
    await g.source.query(`update notes set content = 'x', updated_by = 7 where id = 1`);
    // Not set by this change, so the next column that was set counts.
    await g.source.query(`update notes set content = 'approved', updated_by = 7 where id = 3`);
    await g.source.query(`update notes set by_bot = true where id = 3`);
    await g.source.query(`update notes set content = 'approved', approved_by = 2 where id = 2`);
    await g.source.query(`delete from notes where id = 2`);
    expect(lines(await g.caughtUp())).toEqual([
      'i c | bots:7 | Captain',
      'i c | 7 | Dana Levi',
      'i c | 2 | Omer Katz',
      'i c | 2 | Omer Katz',
      'u c | 7 | Dana Levi',
      'u c | 7 | Dana Levi',
      'u - | {"lastSetBy":{"key":"7","name":"Dana Levi","kind":"agent"}}',
      'u c | 2 | Omer Katz',
      'd -',
    ]);
  });

  test('keeps later columns from naming somebody when it is unknown whether it applies', async () => {
    await using g = await ground();
    // A value that is stored out of line is not sent again, and with this identity neither is the old row.
    await g.source.query('alter table notes alter content set storage external');
    await g.source.query('alter table notes replica identity default');
    await g.source.query(
      `insert into notes (id, content, updated_by) values (1, repeat('approved', 1000), 2)`,
    );
    await g.source.query(`update notes set updated_by = 7, approved_by = 2`);
    await g.source.query('alter table notes replica identity full');
    await g.source.query(`update notes set updated_by = 2`);
    expect(lines(await g.caughtUp()).filter((line) => !String(line).includes(' w'))).toEqual([
      'i c | 2 | Omer Katz',
      'u -',
      'u c | 2 | Omer Katz',
    ]);
  });

  test('may be the id of the row itself, for the actions that the YAML lists', async () => {
    await using g = await ground();
    await g.source.query(`update users set sign_in_count = sign_in_count + 1 where id = 7`);
    await g.source.query(`update users set role = 'admin' where id = 7`);
    await g.source.query(`insert into users values (9, 'Noa', 'agent')`);
    expect((await g.caughtUp()).map(({ action, modifierKey }) => [action, modifierKey])).toEqual([
      ['login', '7'],
      ['edit', null],
      ['add', null],
    ]);
  });

  test('names nobody after it was dropped or renamed, and no other column replaces it', async () => {
    await using g = await ground();
    await g.source.query(`insert into messages values (1, 'a', 'Contact', 7)`);
    await g.source.query(`alter table messages rename sender_type to kind_of_sender`);
    await g.source.query(`insert into messages values (2, 'a', 'Contact', 7)`);
    expect(lines((await g.caughtUp()).filter(({ rung }) => rung !== 'w'))).toEqual([
      'i c | contacts:7 | Another customer',
      'i -',
    ]);
  });
});

describe('keys of several tables', () => {
  test('are people of the first table in messages, and never agree with a column of another table', async () => {
    await using g = await ground();
    const message = say('{"modifier": 7}');
    const rows = `insert into messages values (1, 'a', 'User', 7), (2, 'b', 'Contact', 7)`;
    await g.source.query(inOne(message, rows));
    await g.source.query('delete from messages');
    await g.source.query(inOne(rows, message));
    // A key that looks like one of another table is still a key of the first.
    await g.source.query(
      inOne(say('{"modifier": "contacts:7"}'), `insert into messages values (3, 'c', null, null)`),
    );
    const conflict = JSON.stringify({
      conflict: { rung: 'column', key: 'contacts:7', name: 'Another customer', kind: 'agent' },
    });
    const both = ['i m | 7 | Dana Levi', `i m | 7 | Dana Levi | ${conflict}`];
    expect(lines(await g.caughtUp())).toEqual([
      ...both,
      'd -',
      'd -',
      ...both,
      'i m | agents:contacts:7 | contacts:7',
    ]);
  });

  test('have the names and kinds of their tables as of the change', async () => {
    await using g = await ground();
    await g.source.query(`insert into messages values (1, 'a', 'Contact', 7)`);
    await g.source.query(`update contacts set name = 'Renamed' where id = 7`);
    await g.source.query(`update users set name = 'Nightly', role = 'system' where id = 7`);
    await g.source.query(`insert into messages values (2, 'b', 'Contact', 7), (3, 'c', 'User', 7)`);
    await g.source.query(`delete from bots`);
    await g.source.query(`insert into messages values (4, 'd', 'AgentBot', 7)`);
    const messages = (await g.caughtUp()).filter(({ entityType }) => entityType === 'message');
    expect(messages.map(({ modifierKey, modifier, kind }) => [modifierKey, modifier, kind])).toEqual([
      ['contacts:7', 'Another customer', 'agent'],
      ['contacts:7', 'Renamed', 'agent'],
      ['7', 'Nightly', 'system'],
      ['bots:7', '7', 'agent'],
    ]);
    const pool = new pg.Pool({ connectionString: g.trail.url, max: 2 });
    try {
      const reader = new TrailReader({ pool });
      const range = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
      const found = async (modifier: string) =>
        (await reader.page({ ...range, modifiers: [modifier] }, { limit: 20 })).items.map(
          ({ entity }) => entity.id,
        );
      expect(await found('contacts:7')).toEqual(['2', '1']);
      expect(await found('7')).toEqual(['3']);
    } finally {
      await pool.end();
    }
  });
});
