import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { noteText } from '../../src/exports/columns.js';
import { createLog } from '../../src/log.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import {
  applyTracking,
  captureGround,
  testConfig,
  type CaptureGround,
  type PlainEntry,
} from '../support/capture.ts';
import { until } from '../support/until.ts';

const PEOPLE = `
  create table users (id int primary key, name text);
  create table contacts (id int primary key, name text);
  insert into users values (2, 'Omer Katz'), (7, 'Dana Levi'), (9, 'Noa Peretz');
  insert into contacts values (7, 'A customer');`;
const MODIFIERS = `modifiers:
  agents: { table: public.users, key: id, name: "{name}" }
  contacts: { table: public.contacts, key: id, name: "{name}" }
`;

/** Tables as in audited (Rails), for models that are named after their tables. */
const AUDITED = `${PEOPLE}
  create table conversations (id int primary key, state text, updated_by int, updated_at int);
  create table account_settings (id int primary key, state text);
  create table channels (id int primary key, type text, state text);
  create table audits (id int generated always as identity primary key, user_type text, user_id int, auditable_type text,
    auditable_id text, action text);`;
const AUDITED_YAML = `${MODIFIERS}
attribution:
  - table: public.audits
    modifier: user_id
    as: { user_type: { User: agents, Contact: contacts } }
    row: { type: auditable_type, key: auditable_id }
tables:
  public.conversations: { entity: conversation, modifier: updated_by, ignore: [updated_at] }
  public.account_settings: { entity: setting }
  public.channels: { entity: channel }
`;

interface WitnessGround extends CaptureGround {
  readAgain(): number;
}

async function ground(schemaSql: string, yaml: string): Promise<WitnessGround> {
  const codes: unknown[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      codes.push((JSON.parse(chunk.toString()) as { readonly code?: unknown }).code);
      done();
    },
  });
  const g = await captureGround({ schemaSql, yaml, log: createLog({ level: 'debug', destination }) });
  return Object.assign(g, { readAgain: () => codes.filter((code) => code === 'PIPELINE_READ_AGAIN').length });
}

const say = (content: string) => `select pg_logical_emit_message(true, 'waltrail', $json$${content}$json$)`;
const inOne = (...statements: readonly string[]) => `begin; ${statements.join('; ')}; commit`;
const audit = (row: string, by: number | null, byType: string | null = 'User') => {
  const [type, id] = row.split(' ');
  return `insert into audits (user_type, user_id, auditable_type, auditable_id) values
    (${byType === null ? 'null' : `'${byType}'`}, ${by}, '${type}', '${id}')`;
};
const add = (id: number, by: number | null = null) =>
  `insert into conversations values (${id}, 'new', ${by})`;
const edit = (id: number, state: string) => `update conversations set state = '${state}' where id = ${id}`;

/** One line for each entry: operation and row, by whom, how that was found, and what else is stated. */
const lines = (entries: readonly PlainEntry[]): readonly string[] =>
  entries
    .filter(({ rung }) => rung !== 'w')
    .map(({ operation, entityId, rung, modifierKey, modifier, extra }) =>
      [
        `${operation} ${entityId}`,
        rung === '-' ? '-' : `${rung} ${modifierKey} ${modifier}`,
        ...(extra === null ? [] : [JSON.stringify(extra)]),
      ].join(' | '),
    );
const conflict = (rung: string, key: string, name: string) =>
  JSON.stringify({ conflict: { rung, key, name, kind: 'agent' } });

describe('a row of an audit table', () => {
  test('names who made the changes of its row in the same transaction, whichever comes first', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    // audited writes after the insert, and before the update and the delete.
    await g.source.query(inOne(add(1), audit('Conversation 1', 7)));
    await g.source.query(inOne(audit('Conversation 1', 2), edit(1, 'open')));
    await g.source.query(
      inOne(add(2), audit('Conversation 2', 7), audit('Conversation 2', 2), edit(2, 'open')),
    );
    await g.source.query(inOne(audit('Conversation 2', 7), 'delete from conversations where id = 2'));
    // PaperTrail writes after each change.
    await g.source.query(
      inOne(edit(1, 'a'), audit('Conversation 1', 7), edit(1, 'b'), audit('Conversation 1', 2)),
    );
    await g.source.query(edit(1, 'by psql'));
    expect(lines(await g.caughtUp())).toEqual([
      'i 1 | a 7 Dana Levi',
      'u 1 | a 2 Omer Katz',
      'i 2 | a 7 Dana Levi',
      'u 2 | a 2 Omer Katz',
      'd 2 | a 7 Dana Levi',
      'u 1 | a 7 Dana Levi',
      'u 1 | a 2 Omer Katz',
      'u 1 | -',
    ]);
    expect(g.readAgain()).toBe(0);
  });

  test('names a person after a prefix, by the first rule with that prefix, and nobody with an unknown prefix', async () => {
    await using g = await ground(
      `${PEOPLE}
      create table conversations (id int primary key, state text, updated_by text);
      create table versions (id int generated always as identity primary key, item_type text, item_id text, whodunnit text);`,
      `${MODIFIERS}
attribution:
  - { table: public.versions, modifier: whodunnit, prefix: "user/", row: { type: item_type, key: item_id } }
  - { table: public.versions, modifier: whodunnit, prefix: "contact/", as: contacts, row: { type: item_type, key: item_id } }
redact: [{ columns: [whodunnit, updated_by], with: hash }]
tables: { public.conversations: { entity: conversation, modifier: updated_by } }`,
    );
    const by = (id: number, who: string) =>
      `insert into versions (item_type, item_id, whodunnit) values ('Conversation', ${id}, '${who}')`;
    for (const [id, who] of ['user/7', 'contact/7', 'user/', '7', 'person/7', 'user/2'].entries())
      await g.source.query(inOne(add(id), by(id, who)));
    // The same person in a column and after a prefix agrees, also as a hash.
    await g.source.query(inOne(add(10, 7), by(10, 'user/7')));
    const entries = await g.caughtUp();
    const [dana, contact, ...others] = entries.map(({ modifierKey, rung }) => `${rung} ${modifierKey}`);
    expect(dana).toMatch(/^a [0-9a-f]{16,}$/);
    expect(contact).toBe(dana!.replace('a ', 'a contacts:'));
    expect(others.slice(0, 3)).toEqual(['- null', '- null', '- null']);
    expect(others[3]).not.toBe(dana);
    expect([others[4], entries.at(-1)!.extra]).toEqual([dana, null]);
  });

  test('is found by the type that its framework gives for the row, also for several classes in one table', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    await g.source.query(
      inOne(
        `insert into account_settings values (1, 'x')`,
        `insert into channels values (1, 'Channel::Email', 'x'), (2, 'Channel::Sms', 'x')`,
        add(1),
        audit('Account::Setting 1', 2),
        audit('Channel::Email 1', 7),
        audit('Channel::Email 2', 9),
        audit('Nothing 1', 9),
      ),
    );
    expect(lines(await g.caughtUp())).toEqual([
      'i 1 | a 2 Omer Katz',
      'i 1 | a 7 Dana Levi',
      'i 2 | -',
      'i 1 | -',
    ]);
  });

  test('names who made the other changes of the transaction when all witnesses that name somebody agree', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    await g.source.query(
      inOne(add(1), add(2), audit('Conversation 1', 7), add(3), audit('Conversation 3', null)),
    );
    await g.source.query(inOne(add(4), add(5), audit('Conversation 4', 7), audit('Conversation 9', 2)));
    await g.source.query(
      inOne(add(6), add(7), audit('Conversation 6', 7), audit('Conversation 9', 7, 'Contact')),
    );
    // A person whom the rules do not know.
    await g.source.query(
      inOne(add(8), add(9), audit('Conversation 8', 7), audit('Conversation 9', 7, 'Robot')),
    );
    await g.source.query(inOne(add(10), audit('Other 1', 7), 'truncate account_settings'));
    expect(lines(await g.caughtUp())).toEqual([
      'i 1 | a 7 Dana Levi',
      'i 2 | a 7 Dana Levi',
      'i 3 | -',
      'i 4 | a 7 Dana Levi',
      'i 5 | -',
      'i 6 | a 7 Dana Levi',
      'i 7 | -',
      'i 8 | a 7 Dana Levi',
      'i 9 | -',
      'i 10 | a 7 Dana Levi',
      't null | a 7 Dana Levi',
    ]);
  });

  test('has no effect when it was rolled back to a savepoint, and ignored changes count among those of its row', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    await g.source.query(
      inOne(
        add(1),
        'savepoint a',
        edit(1, 'x'),
        audit('Conversation 1', 2),
        'rollback to a',
        audit('Conversation 1', 7),
        audit('Conversation 1', 2),
        'update conversations set updated_at = 1',
        audit('Conversation 1', 9),
        edit(1, 'y'),
      ),
    );
    // Three witnesses for two changes: it is not known which belongs to which.
    await g.source.query(
      inOne(
        edit(1, 'a'),
        audit('Conversation 1', 7),
        audit('Conversation 1', 2),
        edit(1, 'b'),
        audit('Conversation 1', 9),
      ),
    );
    expect(lines(await g.caughtUp())).toEqual([
      'i 1 | a 7 Dana Levi',
      'u 1 | a 9 Noa Peretz',
      'u 1 | -',
      'u 1 | -',
    ]);
  });

  test.each([
    ['', 0],
    [' where the transaction is read again', 3_500],
  ] as const)(
    'gives way to the column of a row that no witness is about, and is kept as a conflict%s',
    async (_, rows) => {
      await using g = await ground(AUDITED, AUDITED_YAML);
      const work = [
        `delete from account_settings`,
        `insert into account_settings select i + 10, 'x' from generate_series(1, ${rows}) i`,
        add(2, 2),
        edit(1, 'x'),
        `update conversations set updated_by = 9 where id = 3`,
      ];
      const witness = audit('Setting 5', 7);
      const message = say('{"modifier": 9}');
      for (const statements of [
        [...work, witness, edit(2, 'y')],
        [message, ...work, witness, edit(2, 'y')],
        [...work, witness, edit(2, 'y'), message],
      ]) {
        await g.source.query(`begin; truncate conversations; ${[add(1), add(3, 2)].join('; ')}; commit`);
        await g.source.query(inOne(...statements));
      }
      const entries = (await g.caughtUp()).filter(
        ({ table, operation, entityId }) =>
          table === 'public.conversations' && (operation === 'u' || (operation === 'i' && entityId === '2')),
      );
      expect(g.readAgain()).toBe(rows === 0 ? 0 : 3);
      const [byColumn, byWitness] = [
        conflict('column', '2', 'Omer Katz'),
        conflict('witness', '7', 'Dana Levi'),
      ];
      expect(lines(entries)).toEqual([
        `i 2 | c 2 Omer Katz | ${byWitness}`,
        'u 1 | a 7 Dana Levi',
        `u 3 | c 9 Noa Peretz | ${byWitness}`,
        // The person who set the column last may have set it again: that is not known.
        `u 2 | - | ${JSON.stringify({ lastSetBy: { key: '2', name: 'Omer Katz', kind: 'agent' } })}`,
        ...[1, 2].flatMap(() => [
          `i 2 | m 9 Noa Peretz | ${byColumn}`,
          `u 1 | m 9 Noa Peretz | ${byWitness}`,
          `u 3 | m 9 Noa Peretz | ${byWitness}`,
          'u 2 | m 9 Noa Peretz',
        ]),
      ]);
    },
  );

  test('counts less than a message and more than a column, and two that disagree are both kept', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    const changes = [add(1, 2), audit('Conversation 1', 7)];
    const message = say('{"modifier": 9, "context": 1}');
    await g.source.query(inOne(...changes));
    for (const statements of [
      [message, ...changes],
      [...changes, message],
      [say('{"modifier": {}}'), ...changes],
    ]) {
      await g.source.query('delete from conversations');
      await g.source.query(inOne(...statements));
    }
    await g.source.query(
      inOne(`update conversations set state = 'x', updated_by = 7`, audit('Conversation 1', 7)),
    );
    await g.source.query(inOne(say('{"modifier": 7}'), edit(1, 'y'), audit('Conversation 1', 7)));
    // The column has the last modifier, and this update did not set it.
    await g.source.query(inOne(edit(1, 'z'), audit('Conversation 1', 2)));
    const entries = (await g.caughtUp()).filter(({ operation }) => operation !== 'd');
    const byWitness = { conflict: { rung: 'witness', key: '7', name: 'Dana Levi', kind: 'agent' } };
    expect(lines(entries)).toEqual([
      `i 1 | a 7 Dana Levi | ${conflict('column', '2', 'Omer Katz')}`,
      `i 1 | m 9 Noa Peretz | ${JSON.stringify({ context: 1, ...byWitness })}`,
      `i 1 | m 9 Noa Peretz | ${JSON.stringify({ context: 1, ...byWitness })}`,
      expect.stringMatching(/^i 1 \| - \| \{"unread":\{.*\},"conflict":\{"rung":"witness","key":"7"/),
      'u 1 | a 7 Dana Levi',
      'u 1 | m 7 Dana Levi',
      'u 1 | a 2 Omer Katz',
    ]);
    const pool = new pg.Pool({ connectionString: g.trail.url, max: 2 });
    try {
      const reader = new TrailReader({ pool });
      const range = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
      const found = (await reader.page({ ...range, modifiers: ['7'] }, { limit: 20 })).items;
      expect(found.map(({ modifier: { rung } }) => rung)).toEqual(['message', 'witness', 'witness']);
      const [said] = (await reader.page({ ...range, modifiers: ['9'] }, { limit: 20 })).items;
      expect(JSON.parse(entryToJson(said!))).toMatchObject({ modifier: { rung: 'message' }, ...byWitness });
      expect(noteText(said!)).toBe('an audit row of the application names Dana Levi (7)');
      expect(
        await g.trail.query(
          `select rung, count(*)::int from trail.readable where modifier_key = '7' group by 1 order by 1`,
        ),
      ).toEqual([
        { rung: 'message', count: 1 },
        { rung: 'witness', count: 2 },
      ]);
    } finally {
      await pool.end();
    }
  });
});

test('witnesses in a history table for each table name who changed its rows, and are entries where they are tracked', async () => {
  const schema = `${PEOPLE}
    create table shop_order (id uuid primary key, state text);
    create table shop_item (id int primary key, state text);
    create table shop_historicalorder (history_id int generated always as identity primary key, id uuid, state text, history_user_id int);
    create table shop_historicalitem (history_id int generated always as identity primary key, id int, state text, history_user_id int);`;
  const witness = (name: string) =>
    `  - { table: public.shop_historical${name}, modifier: history_user_id, row: { table: public.shop_${name}, key: id } }`;
  await using g = await ground(
    schema,
    `${MODIFIERS}
attribution:
${witness('order')}
${witness('item')}
tables:
  public.shop_order: { entity: order }
  public.shop_item: { entity: item }
  public.shop_historicalitem: { entity: item_history }
`,
  );
  const id = '6f0a64c4-1f6a-4c8b-9f4e-0d7a4f1e2b3c';
  const history = (name: string, row: string | number, by: number | null) =>
    `insert into shop_historical${name} (id, state, history_user_id) values ('${row}', 'x', ${by})`;
  await g.source.query(
    inOne(
      `insert into shop_order values ('${id}', 'new')`,
      history('order', id, 7),
      `insert into shop_item values (1, 'new'), (2, 'new')`,
      history('item', 1, 2),
      history('item', 2, null),
    ),
  );
  expect(lines(await g.caughtUp())).toEqual([
    `i ${id} | a 7 Dana Levi`,
    'i 1 | a 2 Omer Katz',
    'i 2 | -',
    'i 1 | a 2 Omer Katz',
    'i 2 | -',
  ]);
});

describe('a witness and its audit table', () => {
  const TWO = `${AUDITED};
    create table versions (id int generated always as identity primary key, whodunnit int, item_type text, item_id int)`;
  const TWO_YAML = AUDITED_YAML.replace(
    'tables:',
    `  - { table: public.versions, modifier: whodunnit, row: { type: item_type, key: item_id, types: { C: public.conversations } } }\ntables:`,
  );
  const troubles = async (g: CaptureGround, count: number) => {
    await until('the look', () => g.capture.status().troubles.length === count);
    return g.capture.status().troubles.map(({ table, code }) => `${table} ${code}`);
  };

  test('missing from the publication is a trouble of the audit table alone, and other witnesses then name nobody for other rows', async () => {
    await using g = await ground(TWO, TWO_YAML);
    const work = (id: number) => inOne(add(id), add(id + 1, 2), audit(`Conversation ${id}`, 7));
    await g.source.query(work(1));
    await g.source.query('alter publication waltrail drop table versions');
    expect(await troubles(g, 1)).toEqual(['public.versions SOURCE_PUBLICATION_INCOMPLETE']);
    await g.source.query(work(3));
    await applyTracking(g.config);
    expect(await troubles(g, 0)).toEqual([]);
    await g.source.query(work(5));
    await g.source.query('drop table versions');
    expect(await troubles(g, 1)).toEqual(['public.versions TRACKING_TABLE_UNKNOWN']);
    await g.source.query(work(7));
    const named = (id: number, next: string) => [`i ${id} | a 7 Dana Levi`, `i ${id + 1} | ${next}`];
    const agreed = `c 2 Omer Katz | ${conflict('witness', '7', 'Dana Levi')}`;
    expect(lines(await g.caughtUp())).toEqual([
      ...named(1, agreed),
      ...named(3, 'c 2 Omer Katz'),
      ...named(5, agreed),
      ...named(7, 'c 2 Omer Katz'),
    ]);
    expect(g.capture.status().state).toBe('streaming');
  });

  test('names an unknown person when its column no longer exists', async () => {
    await using g = await ground(TWO, TWO_YAML);
    const version = `insert into versions (item_type, item_id) values ('C', 1)`;
    await g.source.query('alter table versions rename whodunnit to who');
    await g.source.query(inOne(add(1), add(2), version, audit('Conversation 2', 7), add(3)));
    await g.source.query('alter table versions rename who to whodunnit');
    await g.source.query('alter table versions rename item_id to item');
    await g.source.query(
      inOne(
        add(4),
        `insert into versions (whodunnit, item_type, item) values (2, 'C', 4)`,
        add(5),
        audit('Conversation 5', 7),
      ),
    );
    await g.source.query('alter table versions rename item to item_id');
    // A type that is not listed speaks for no row.
    await g.source.query(
      inOne(add(6), `insert into versions (whodunnit, item_type, item_id) values (2, 'D', 6)`),
    );
    await g.source.query(
      inOne(
        add(7),
        add(8),
        `insert into versions (whodunnit, item_type, item_id) values (2, 'D', 7)`,
        audit('Conversation 8', 7),
      ),
    );
    expect(lines(await g.caughtUp())).toEqual([
      'i 1 | -',
      'i 2 | a 7 Dana Levi',
      'i 3 | -',
      'i 4 | -',
      'i 5 | a 7 Dana Levi',
      'i 6 | a 2 Omer Katz',
      'i 7 | -',
      'i 8 | a 7 Dana Levi',
    ]);
  });

  test('leaves nothing of an untracked audit table in the trail, and its key is redacted as its column is', async () => {
    await using g = await ground(
      AUDITED,
      `redact: [{ tables: [public.audits], columns: [user_id], with: hash }]\n${AUDITED_YAML}`,
    );
    await g.source.query(inOne(add(1, 7), `update audits set action = 'x'`, audit('Conversation 1', 7)));
    await g.source.query(inOne(say('{"modifier": 7}'), add(2), audit('Conversation 2', 7)));
    await g.source.query(inOne(add(3), audit('Conversation 3', 2), say('{"modifier": 7}')));
    await g.source.query('update audits set user_id = 9');
    await g.source.query('delete from audits');
    const entries = await g.caughtUp();
    expect(entries.map(({ rung, table, extra }) => [rung, table, Object.keys(extra ?? {})])).toEqual([
      ['a', 'public.conversations', []],
      ['m', 'public.conversations', []],
      ['m', 'public.conversations', ['conflict']],
    ]);
    expect(entries[0]!.modifierKey).toMatch(/^[0-9a-f]{16,}/);
    expect(
      await g.trail.query(
        `select from trail.relation where table_name = 'audits' and schema_name <> 'public'`,
      ),
    ).toEqual([]);
  });

  test('counts from the position that apply marks when a configuration adds its audit table', async () => {
    const without = `${MODIFIERS}tables: { public.conversations: { entity: conversation } }`;
    await using g = await ground(AUDITED, without);
    await g.source.query(inOne(add(1), audit('Conversation 1', 7)));
    const config = testConfig({ source: g.source, trail: g.trail, yaml: AUDITED_YAML });
    await applyTracking(config);
    await g.capture.reload(config, { by: 'dana' });
    await until(
      'the configuration to be in effect',
      () => g.capture.status().configuration.waitsFor === null,
    );
    await g.source.query(inOne(add(2), audit('Conversation 2', 7)));
    expect(lines(await g.caughtUp())).toEqual(['i 1 | -', 'i 2 | a 7 Dana Levi']);
    expect(await g.trail.query('select from trail.gap')).toEqual([]);
  });
});

describe('witnesses of a transaction that does not fit into memory', () => {
  const many = (from: number, to: number) =>
    `insert into conversations (id, state) select i, 'a state of some length ' || i from generate_series(${from}, ${to}) i`;
  const audits = (from: number, to: number, by: string) =>
    `insert into audits (user_type, user_id, auditable_type, auditable_id) select 'User', ${by}, 'Conversation', i from generate_series(${from}, ${to}) i`;

  test('are used in a second reading, with a message and the changes before and after it', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    await g.source.query(add(0));
    await g.source.query(
      inOne(
        many(1, 4000),
        audits(1, 4000, 'case when i % 2 = 0 then 2 else 7 end'),
        audit('Conversation 4001', 9),
        many(4001, 4002),
        'delete from conversations where id = 1',
        audit('Conversation 1', 2),
      ),
    );
    await g.source.query(
      inOne(many(5001, 9000), say('{"context": 1}'), audit('Other 1', 7), many(9001, 9001)),
    );
    await g.source.query(edit(0, 'last'));
    const entries = await g.caughtUp();
    const who = ({ rung, modifierKey }: PlainEntry) => `${rung}${modifierKey ?? ''}`;
    const many1 = entries.slice(1, 4001);
    expect(new Set(many1.map((entry) => `${Number(entry.entityId) % 2} ${who(entry)}`))).toEqual(
      new Set(['0 a2', '1 a7']),
    );
    expect(entries.slice(4001, 4004).map(who)).toEqual(['a9', '-', 'a2']);
    expect(new Set(entries.slice(4004, -1).map(who))).toEqual(new Set(['a7']));
    expect(new Set(entries.slice(4004, -1).map(({ extra }) => JSON.stringify(extra)))).toEqual(
      new Set(['{"context":1}']),
    );
    expect(entries.slice(4004, -1)).toHaveLength(4001);
    expect(who(entries.at(-1)!)).toBe('-');
    expect(g.readAgain()).toBeGreaterThanOrEqual(2);
    expect(g.readAgain()).toBeLessThanOrEqual(3);
  });

  test('name nobody when there are too many and they disagree, and the one person when they agree', async () => {
    await using g = await ground(AUDITED, AUDITED_YAML);
    await g.source.query(inOne(add(1), audits(1, 30_000, '7'), add(2)));
    await g.source.query(inOne(add(3), audits(1, 30_000, 'i'), add(4)));
    expect(lines(await g.caughtUp())).toEqual([
      'i 1 | a 7 Dana Levi',
      'i 2 | a 7 Dana Levi',
      'i 3 | -',
      'i 4 | -',
    ]);
    // Invented people fill no dictionary.
    expect(await g.trail.query('select key from trail.modifier where id > 0')).toEqual([{ key: '7' }]);
  });
});
