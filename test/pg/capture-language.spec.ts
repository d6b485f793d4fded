import { describe, expect, test } from '@jest/globals';
import { readCatalog } from '../../src/tracking/catalog.js';
import { planTracking } from '../../src/tracking/plan.js';
import { connect } from '../../src/pg/connect.js';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';

const named = (entries: readonly PlainEntry[]) =>
  entries.map(({ entityType, entityId, entityName }) => [entityType, entityId, entityName]);

async function planOf(ground: CaptureGround) {
  const client = await connect({ url: ground.source.url, purpose: 'test' });
  try {
    return planTracking({ config: ground.config, catalog: await readCatalog(client) });
  } finally {
    await client.end();
  }
}

describe('tables without settings in the YAML', () => {
  const SCHEMA = `
    create schema sales;
    create table agents (id int primary key, email text, name text);
    create table agent (id int primary key, title text);
    create table agent_bots (id int primary key, first_name text, last_name text, email text);
    create table api_keys (id int primary key, key text, value text);
    create table contacts (id int primary key, email text, phone text);
    create table notes (id int primary key, subject text, body text);
    create table orders (id int primary key, reference varchar(20));
    create table sales.orders (id int primary key, reference text);`;

  test('have an entity type and a name derived from their names, and never share a history', async () => {
    await using ground = await captureGround({
      schemaSql: SCHEMA,
      yaml: `redact: [{ columns: [email], tables: [public.contacts], with: mask }, { columns: [subject], with: { truncate: 2 } }]
tables: { public.*: , sales.*: }`,
    });
    await ground.source.query(`
      insert into agents values (1, 'a@x', 'Ada');
      insert into agent values (1, 'Agent');
      insert into agent_bots values (1, 'Rob', 'Otto', 'bot@x');
      insert into api_keys values (1, 'k', 'v');
      insert into contacts values (1, 'hidden@x', '5');
      insert into notes values (1, 'Subject', 'long');
      insert into orders values (1, 'P-1');
      insert into sales.orders values (1, 'S-1');`);
    const expected = [
      ['agent', '1', 'Ada'],
      ['public.agent', '1', 'Agent'],
      ['agent bot', '1', 'Rob Otto'],
      ['api key', '1', null],
      ['contact', '1', null],
      ['note', '1', 'Su…'],
      ['order', '1', 'P-1'],
      ['sales order', '1', 'S-1'],
    ];
    expect(named(await ground.caughtUp())).toEqual(expected);
    // A table that has a type keeps it, whichever table comes first after a restart.
    await ground.restart();
    await ground.source.query(
      `update agent set title = 'Other'; update agents set name = 'Eva'; update sales.orders set reference = 'S-2'`,
    );
    expect(named((await ground.caughtUp()).slice(expected.length))).toEqual([
      ['public.agent', '1', 'Other'],
      ['agent', '1', 'Eva'],
      ['sales order', '1', 'S-2'],
    ]);
    expect((await planOf(ground)).warnings).toEqual(
      expect.arrayContaining([
        'public.agent and public.agents would all have the entity type "agent". The first one with a change gets it; the others have their full names as entity type. Give each of them an entity.',
      ]),
    );
  });

  test('share an entity type given by a pattern only where the YAML states that they have one history', async () => {
    await using ground = await captureGround({
      schemaSql: `create schema other; create table cats (id int primary key); create table dogs (id int primary key);
        create table other.a (id int primary key); create table other.b (id int primary key)`,
      yaml: `tables:
  public.*: { entity: record }
  other.*: { entity: log, one_history: true }
`,
    });
    await ground.source.query(
      'insert into dogs values (1); insert into cats values (1); insert into other.a values (1); insert into other.b values (1)',
    );
    expect(named(await ground.caughtUp())).toEqual([
      ['record', '1', null],
      ['cat', '1', null],
      ['log', '1', null],
      ['log', '1', null],
    ]);
    const { warnings } = await planOf(ground);
    expect(warnings.filter((warning) => warning.includes('one_history'))).toEqual([
      expect.stringMatching(
        /^test\.yaml:\d+:15: tables\."public\.\*"\.entity: "record" can be the entity type of one table only, but public\.\* matches 2: public\.cats and public\.dogs\. /,
      ),
    ]);
  });

  test('use the settings of the defaults where they have the columns', async () => {
    await using ground = await captureGround({
      schemaSql: `
        create table users (id int primary key, name text);
        insert into users values (7, 'Dana');
        create table cats (id int primary key, org int, name text, by int, seen_at timestamptz, fed_at timestamptz);
        create table dogs (id int primary key, legs int, name text)`,
      yaml: `modifiers: { table: public.users, key: id, name: "{name}" }
defaults: { tenant: org, modifier: by, ignore: ["*_AT"], where: { legs: { not: 3 } } }
tables:
  public.*:
  public.cats: { actions: [{ on: update, changed: fed_at, action: feed }] }
exclude: [public.users]
`,
    });
    expect((await planOf(ground)).problems).toEqual([]);
    await ground.source.query(`insert into cats values (1, 5, 'Tom', 7)`);
    await ground.source.query(`insert into dogs values (1, 3, 'Tripod'), (2, 4, 'Rex')`);
    await ground.source.query('update cats set seen_at = now()');
    await ground.source.query('update cats set seen_at = now(), fed_at = now()');
    const entries = await ground.caughtUp();
    expect(
      entries.map(({ action, entityName, tenant, modifier }) => [action, entityName, tenant, modifier]),
    ).toEqual([
      ['add', 'Tom', '5', 'Dana'],
      ['add', 'Rex', null, 'Unattributed'],
      ['feed', 'Tom', '5', 'Unattributed'],
    ]);
    expect(Object.keys(entries[2]!.updated!)).toEqual(['fed_at']);
    expect(ground.capture.status().ignored).toBe(2);
  });

  test('report a mistake in the defaults with its line when no table has the column', async () => {
    await using ground = await captureGround({
      schemaSql:
        'create table cats (id int primary key, org int); create table dogs (id int primary key, org int)',
      yaml: 'tables: { public.*: }',
    });
    const { parseConfig } = await import('../../src/tracking/load.js');
    const config = parseConfig({
      file: 'w.yaml',
      environment: {},
      text: `source: { name: test, url: "${ground.source.url}" }
trail: { url: "${ground.trail.url}" }
defaults: { tenant: orgs, except: ["pass*"] }
tables:
  public.cats: { where: { orgs: 1, ord: 2 }, actions: [{ on: update, increased: [ogr], action: a }] }
  public.dogs:
`,
    });
    const { problems, warnings } = await planOf({ ...ground, config });
    expect(problems.map(({ message }) => message)).toEqual([
      'w.yaml:5:27: tables."public.cats".where.orgs: table public.cats has no column "orgs". Did you mean "org"?',
      'w.yaml:5:36: tables."public.cats".where.ord: table public.cats has no column "ord". Did you mean "org"?',
      'w.yaml:5:70: tables."public.cats".actions[0].increased: table public.cats has no column "ogr". Did you mean "org"?',
      'w.yaml:3:13: defaults.tenant: table public.cats has no column "orgs". Did you mean "org"?',
    ]);
    expect(warnings).toContain(
      'w.yaml:3:36: defaults.except[0]: "pass*" matches no column of public.cats and public.dogs.',
    );
  });
});

test('a condition on a boolean may be written in any way that PostgreSQL reads one', async () => {
  const yaml = `
modifiers: { table: public.users, key: id, name: "{name}", kind: { column: robot, bot: [yes] } }
tables:
  public.tasks:
    modifier: { column: by, when: { manual: on } }
    where: { hidden: no }
    values: { done: { yes: finished, perhaps: nearly } }
    actions:
      - { on: update, changed: done, to: maybe, action: wonder }
      - { on: update, changed: done, to: yes, action: finish }
      - { on: update, changed: done, to: 0, action: reopen }`;
  await using ground = await captureGround({
    schemaSql: `create table users (id int primary key, name text, robot bool);
      insert into users values (1, 'Ada', false), (2, 'Bot', true);
      create domain flag as bool;
      create table tasks (id int primary key, done flag, hidden bool, manual bool, by int);`,
    yaml,
  });
  for (const statement of [
    'insert into tasks values (1, false, false, true, 2), (2, false, true, true, 1), (3, false, false, false, 1)',
    'update tasks set done = true',
    'update tasks set done = false',
  ])
    await ground.source.query(statement);
  const entries = await ground.caughtUp();
  expect(entries.map(({ entityId, action, modifier, kind }) => [entityId, action, modifier, kind])).toEqual([
    ['1', 'add', 'Bot', 'bot'],
    ['3', 'add', 'Unattributed', null],
    ['1', 'finish', 'Unattributed', null],
    ['3', 'finish', 'Unattributed', null],
    ['1', 'reopen', 'Unattributed', null],
    ['3', 'reopen', 'Unattributed', null],
  ]);
  const { warnings } = await planOf(ground);
  expect(warnings.filter((warning) => warning.includes('boolean'))).toEqual([
    'test.yaml:10:38: tables."public.tasks".values.done.perhaps: "perhaps" is no value of "done", which is a boolean. Write true or false.',
    'test.yaml:12:38: tables."public.tasks".actions[0].to: "maybe" is no value of "done", which is a boolean. Write true or false.',
  ]);
});

test('a name without any text is none, and blanks between columns are left out at its ends', async () => {
  await using ground = await captureGround({
    schemaSql: `create table users (id int primary key, first_name text not null default '', last_name text, login text);
      create table notes (id int primary key, user_id int, updated_by int);
      insert into users values
        (1, '', '', null), (2, '', 'Levi', null), (3, 'Omer', null, null), (4, '', '', 'admin'), (5, 'Dana', 'Levi', null);`,
    yaml: `
modifiers: { table: public.users, key: id, name: "{first_name} {last_name}" }
tables:
  public.users: { name: "{first_name|login} {last_name}" }
  public.notes:
    name: "Note of {user_id}"
    modifier: updated_by
    labels: { user_id: { table: public.users, key: id, name: "{first_name} {last_name}" } }`,
  });
  await ground.source.query(`insert into notes select id, id, id from users order by id`);
  await ground.source.query(
    `insert into users select id + 10, first_name, last_name, login from users order by id`,
  );
  await ground.source.query(`insert into notes values (11, 11, 11)`);
  const entries = await ground.caughtUp();
  const of = (type: string) => entries.filter(({ entityType }) => entityType === type);
  expect(of('note').map(({ modifier, entityName }) => [modifier, entityName])).toEqual([
    ['1', 'Note of 1'],
    ['Levi', 'Note of Levi'],
    ['Omer', 'Note of Omer'],
    ['4', 'Note of 4'],
    ['Dana Levi', 'Note of Dana Levi'],
    ['11', 'Note of 11'],
  ]);
  expect(of('user').map(({ entityName }) => entityName)).toEqual([
    null,
    'Levi',
    'Omer',
    'admin',
    'Dana Levi',
  ]);
});

test('a name may be the first of several columns with text in it, for an entry, a label and a modifier', async () => {
  await using ground = await captureGround({
    schemaSql: `create table users (id int primary key, nick text, name text, email text);
      alter table users alter nick set storage external;
      insert into users values (1, '', 'Ada', 'a@x'), (2, null, null, 'b@x');
      create table notes (id int primary key, by int, owner int)`,
    yaml: `modifiers: { table: public.users, key: id, name: "{nick|name|email}" }
redact: [{ columns: [email], with: { truncate: 1 } }]
tables:
  public.users: { name: "<{nick|name|email}>" }
  public.notes:
    modifier: by
    name: "{owner|id}"
    labels: { owner: { table: public.users, key: id, name: "{nick|name|email}" } }
`,
  });
  for (const statement of [
    'insert into notes values (1, 1, 2), (2, 2, null)',
    `update users set nick = 'Countess' where id = 1`,
    'insert into notes values (3, 1, 1)',
    `update users set name = null, nick = (select string_agg(md5(i::text || random()), '') from generate_series(1, 400) i) where id = 1`,
    `alter table users replica identity default; update users set name = 'Eva' where id = 1`,
  ])
    await ground.source.query(statement);
  const entries = (await ground.caughtUp()).filter(({ rung }) => rung !== 'w');
  expect(entries.slice(0, 4).map(({ entityName, modifier }) => [entityName, modifier])).toEqual([
    ['b…', 'Ada'],
    ['2', 'b…'],
    ['<Countess>', 'Unattributed'],
    ['Countess', 'Countess'],
  ]);
  // A value that was not sent may have text in it, so no other column replaces it.
  expect(entries[5]).toMatchObject({ entityName: null, updated: { name: 'Eva' } });
});

describe('a table that is tracked in part', () => {
  const LONG = `(select string_agg(md5(i::text || random()), '') from generate_series(1, 400) i)`;

  test('has entries for the rows that "where" matches, before or after an update', async () => {
    await using ground = await captureGround({
      schemaSql: `create table tickets (id int primary key, kind text, state text, note text);
        alter table tickets alter note set storage external`,
      yaml: `tables: { public.tickets: { name: false, where: { kind: [bug, task], state: { not: [draft, null] } } } }`,
    });
    for (const statement of [
      `insert into tickets values (1, 'bug', 'draft'), (2, 'bug', null), (3, 'wish', 'open'), (4, 'task', 'open')`,
      `update tickets set note = 'still a draft' where id = 1`,
      `update tickets set state = 'open' where id = 1`,
      `update tickets set note = 'x' where id = 1`,
      `update tickets set state = 'draft' where id = 1`,
      `delete from tickets where id in (1, 4)`,
    ])
      await ground.source.query(statement);
    const entries = await ground.caughtUp();
    expect(entries.map(({ operation, entityId, updated }) => [operation, entityId, updated?.state])).toEqual([
      ['i', '4', 'open'],
      ['u', '1', 'open'],
      ['u', '1', undefined],
      ['u', '1', 'draft'],
      ['d', '4', undefined],
    ]);
    // Three inserts, one update and one delete.
    expect(ground.capture.status().ignored).toBe(5);
  });

  test('has an entry when a value that "where" needs was not sent', async () => {
    await using ground = await captureGround({
      schemaSql: `create table docs (id int primary key, body text, n int); alter table docs alter body set storage external;
        insert into docs select 1, ${LONG}, 1`,
      yaml: `tables: { public.docs: { where: { body: short }, actions: [{ on: update, when: { body: { not: short } }, action: long }] } }`,
    });
    // The old row has the value that the update did not touch.
    await ground.source.query('update docs set n = 2');
    // Without full identity the value is missing everywhere, and the change may match.
    await ground.source.query('alter table docs replica identity default');
    await ground.source.query('update docs set n = 3');
    await ground.source.query('delete from docs');
    const entries = await ground.caughtUp();
    expect(
      entries.filter(({ rung }) => rung !== 'w').map(({ operation, action }) => [operation, action]),
    ).toEqual([
      ['u', 'edit'],
      ['d', 'delete'],
    ]);
    expect(ground.capture.status().ignored).toBe(1);
  });

  test('has entries for the operations in the YAML, and names follow all operations', async () => {
    await using ground = await captureGround({
      schemaSql: `create table users (id int primary key, name text); create table notes (id int primary key, by int)`,
      yaml: `modifiers: { table: public.users, key: id, name: "{name}" }
tables:
  public.users: { operations: [delete, truncate] }
  public.notes: { modifier: by, operations: [insert] }
`,
    });
    await ground.source.query(`insert into users values (1, 'Ada')`);
    await ground.source.query(`update users set name = 'Eva'`);
    await ground.source.query('insert into notes values (1, 1)');
    await ground.source.query(
      'update notes set by = null; delete from notes; truncate notes; truncate users',
    );
    const entries = await ground.caughtUp();
    expect(entries.map(({ operation, entityType, modifier }) => [operation, entityType, modifier])).toEqual([
      ['i', 'note', 'Eva'],
      ['t', 'user', 'Unattributed'],
    ]);
    expect(ground.capture.status().ignored).toBe(5);
  });

  test('has no entry for skipped changes, and keeps no name or number of a modifier for them', async () => {
    await using ground = await captureGround({
      schemaSql: 'create table items (id int primary key, price numeric, seen int, due date, by text)',
      yaml: `tables:
  public.items:
    modifier: by
    actions:
      - { on: update, increased: price, action: raise }
      - { on: update, decreased: [price, due], action: lower }
      - { on: update, changed: seen, action: skip }
      - { on: insert, when: { by: robot }, action: skip }
`,
    });
    for (const statement of [
      `insert into items values (1, 9.10, 0, '0044-03-15 BC', 'ada'), (2, 1, 0, null, 'robot')`,
      `update items set price = 9.9 where id = 1`,
      `update items set price = 9.90, seen = 1 where id = 1`,
      `update items set due = '0045-03-15 BC' where id = 1`,
      `update items set due = 'infinity' where id = 1`,
      `update items set seen = 2, by = 'eve' where id = 1`,
    ])
      await ground.source.query(statement);
    const entries = await ground.caughtUp();
    expect(entries.map(({ action, entityId }) => [action, entityId])).toEqual([
      ['add', '1'],
      ['raise', '1'],
      ['lower', '1'],
      ['edit', '1'],
    ]);
    expect(ground.capture.status().ignored).toBe(3);
    const keys = await ground.trail.query<{ key: string }>(
      'select key from trail.modifier where key is not null order by key',
    );
    expect(keys).toEqual([{ key: 'ada' }]);
  });

  test('stores the columns of "only", without those of "except", and the columns that other settings show', async () => {
    await using ground = await captureGround({
      schemaSql: 'create table people (id int primary key, name text, street text, city text, ssn text)',
      yaml: `tables: { public.people: { id: id, only: ["*s*", "city"], except: ["SS*", id] } }`,
    });
    await ground.source.query(`insert into people values (1, 'Ada', 'High St', 'York', '123')`);
    await ground.source.query(`update people set ssn = '456'`);
    const [insert, update] = await ground.caughtUp();
    expect(insert).toMatchObject({ updated: { id: '1', street: 'High St', city: 'York' }, entityName: null });
    expect(Object.keys(insert!.updated!)).toEqual(['id', 'street', 'city']);
    expect(update).toMatchObject({ action: 'edit', updated: {} });
  });
});
