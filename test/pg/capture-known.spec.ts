import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround, type PlainEntry } from '../support/capture.ts';
import { majorVersion } from '../support/database.ts';

const AGENTS = `create table agents (id int primary key, name text, blocked boolean not null default false, state text,
                                     updated_by text, seen_at timestamptz)`;
const RULES = `
    entity: agent
    name: "{name}"
    modifier: updated_by
    ignore: [seen_at, updated_by]
    actions:
      - { on: update, changed: blocked, to: true, action: block }
      - { on: update, changed: [state, blocked], action: ship }
      - { on: update, changed: state, from: null, action: begin }`;
const YAML = `tables: { public.agents: {${RULES.trim().replaceAll(/\n +/g, ', ').replace('actions:, - ', 'actions: [').replaceAll(', - ', ', ')}] } }`;

/** Updates as one line each: action, who, id; columns before and after; unknown columns. */
const lines = (entries: readonly PlainEntry[]): unknown[] =>
  entries
    .filter(({ entityType, operation }) => entityType !== 'waltrail' && operation === 'u')
    .map(({ action, rung, modifierKey, entityId, previous, updated, unknown }) => [
      `${action} ${rung}${modifierKey ?? ''} ${entityId}`,
      previous,
      updated,
      unknown,
    ]);

const rows = async (g: CaptureGround): Promise<unknown[]> => lines(await g.caughtUp());

describe('an update whose old row was not sent', () => {
  /** What the same updates store, whatever the reason that the old row is not sent. */
  async function expectNothingInvented(g: CaptureGround): Promise<void> {
    await g.source.query(`insert into agents (id, blocked, state, updated_by) values (1, true, 'new', '7')`);
    await g.source.query(`update agents set name = 'Eva' where id = 1`);
    await g.source.query(`update agents set seen_at = now(), updated_by = '8' where id = 1`);
    await g.source.query(`update agents set id = 2 where id = 1`);
    const unknown = ['name', 'blocked', 'state'];
    expect(await rows(g)).toEqual([
      ['edit - 1', {}, { name: 'Eva', blocked: 't', state: 'new' }, unknown],
      ['edit - 1', {}, { name: 'Eva', blocked: 't', state: 'new' }, unknown],
      ['edit - 2', { id: '1' }, { id: '2', name: 'Eva', blocked: 't', state: 'new' }, unknown],
    ]);
    expect(g.capture.status().ignored).toBe(0);
  }

  test('invents neither an action nor a modifier: identity default', async () => {
    await using g = await captureGround({ schemaSql: AGENTS, yaml: YAML });
    await g.source.query('alter table agents replica identity default');
    await expectNothingInvented(g);
  });

  test('invents neither an action nor a modifier: a virtual generated column', async () => {
    await using g = await captureGround({ schemaSql: AGENTS, yaml: YAML });
    if ((await majorVersion(g.source)) < 18) return;
    await g.source.query(
      `alter table agents add column twice int generated always as (id * 2) virtual, replica identity default`,
    );
    await expectNothingInvented(g);
  });

  test.each([
    ['created after apply', ''],
    [
      'created before apply, with its identity reset',
      'create table agents_1 partition of agents for values from (0) to (100);',
    ],
  ])('invents neither an action nor a modifier: a partition %s', async (_, before) => {
    await using g = await captureGround({
      schemaSql: `${AGENTS} partition by range (id); ${before}`,
      yaml: YAML,
    });
    if (before === '') await g.source.query('create table agents_1 partition of agents for values from (0) to (100)'); // prettier-ignore
    await g.source.query('alter table agents_1 replica identity default');
    await expectNothingInvented(g);
  });

  test('lists the primary key as unknown, and the columns of an identity index as unchanged', async () => {
    await using g = await captureGround({
      schemaSql: `create table items (id int primary key, code text not null, note text); create unique index by_code on items (code)`,
      yaml: 'tables: { public.items: { entity: item } }',
    });
    await g.source.query('alter table items replica identity using index by_code');
    await g.source.query(`insert into items values (1, 'a', 'x')`);
    await g.source.query(`update items set id = 2`);
    expect(await rows(g)).toEqual([['edit - 2', {}, { id: '2', note: 'x' }, ['id', 'note']]]);
  });

  test('is ignored when every other column belongs to the key, which is known to be equal', async () => {
    await using g = await captureGround({
      schemaSql: 'create table seen (id int, of_what int, at timestamptz, primary key (id, of_what))',
      yaml: 'tables: { public.seen: { entity: seen, ignore: [at] } }',
    });
    await g.source.query('alter table seen replica identity default');
    await g.source.query('insert into seen values (1, 2, null)');
    await g.source.query('update seen set at = now()');
    await g.source.query('update seen set of_what = 3');
    expect(await rows(g)).toEqual([['edit - 1,3', { of_what: '2' }, { of_what: '3' }, []]]);
    expect(g.capture.status().ignored).toBe(1);
  });
});

describe('a value that an update omits from its new row because it is the same', () => {
  const TEXT = (seed: string): string =>
    `(select string_agg(md5('${seed}' || i), '') from generate_series(1, 70) i)`;

  test('is neither different nor unknown, and is still part of the id, the tenant and the name', async () => {
    await using g = await captureGround({
      schemaSql: `create table notes (code text, part int, tenant text, body text, state text, primary key (code, part));
        alter table notes alter code set storage external, alter tenant set storage external, alter body set storage external`,
      yaml: `tables: { public.notes: { entity: note, name: "{body}", tenant: tenant,
               actions: [{ on: update, changed: body, action: rewrite }] } }`,
    });
    await g.source.query(`insert into notes values (${TEXT('a')}, 1, ${TEXT('t')}, ${TEXT('b')}, 'new')`);
    await g.source.query(`update notes set state = 'old'`);
    await g.source.query('alter table notes replica identity default');
    await g.source.query(`update notes set state = 'older'`);
    const entries = (await g.caughtUp()).filter(({ entityType }) => entityType === 'note');
    const [first, second, third] = entries;
    expect([second!.action, second!.previous, second!.updated, second!.unknown]).toEqual(['edit', { state: 'new' }, { state: 'old' }, []]); // prettier-ignore
    expect([second!.entityId, second!.entityName, second!.tenant]).toEqual([first!.entityId, first!.entityName, first!.tenant]); // prettier-ignore
    expect([third!.action, third!.updated, third!.unknown]).toEqual(['edit', { state: 'older' }, ['state']]);
    // PostgreSQL sends the key, because it is stored out of line, and nothing else of the old row.
    expect([third!.entityId, third!.entityName]).toEqual([first!.entityId, null]);
  });

  test('keeps its part in the name that a table gives', async () => {
    await using g = await captureGround({
      schemaSql: `create table teams (id int primary key, first text, last text, kind text, n int);
        alter table teams alter last set storage external, alter kind set storage external;
        create table notes (id int primary key, team_id int)`,
      yaml: `tables: { public.notes: { entity: note, name: "{team_id}",
        labels: { team_id: { table: public.teams, key: id, name: "{first} {last}" } } } }`,
    });
    await g.source.query(`insert into teams values (1, 'A', ${TEXT('last')})`);
    await g.source.query('insert into notes values (1, 1)');
    await g.source.query(`update teams set n = 1`);
    await g.source.query('insert into notes values (2, 1)');
    const names = (await g.caughtUp()).map(({ entityName }) => entityName);
    expect(names).toHaveLength(2);
    expect(names[0]!.length).toBeGreaterThan(900);
    expect(names[1]).toBe(names[0]);
  });

  test('keeps its tenant where a table gives the name', async () => {
    await using g = await captureGround({
      schemaSql: `create table teams (id int primary key, name text, org text);
        alter table teams alter org set storage external;
        alter table teams replica identity full;   -- as somebody else may want it: apply leaves it
        create table notes (id int primary key, team_id int)`,
      yaml: `tables: { public.notes: { entity: note,
        labels: { team_id: { table: public.teams, key: id, name: "{name}", tenant: org } } } }`,
    });
    await g.source.query(`insert into teams values (1, 'Blue', ${TEXT('org')}), (2, 'Red', 'two')`);
    await g.source.query(`update teams set name = name || ' team'`);
    await g.source.query('alter table teams replica identity default');
    // The tenant of the first row is not sent, so what is known of it stays.
    await g.source.query(`update teams set name = name || ' one'`);
    await g.caughtUp();
    const known = await g.trail.query<{ key: string; name: string; tenant: string }>(
      `select distinct on (key) key, name, tenant from trail.lookup order by key, from_id desc`,
    );
    expect(known).toEqual([
      { key: '1', name: 'Blue team', tenant: expect.stringMatching(/.{500}/) },
      { key: '2', name: 'Red team one', tenant: 'two' },
    ]);
  });
});

describe('the id of a row with a key of several columns', () => {
  test('differs for different keys: commas and backslashes within a part get a backslash before them', async () => {
    await using g = await captureGround({
      schemaSql:
        'create table pairs (a text, b text, primary key (a, b)); create table singles (a text primary key)',
      yaml: 'tables: { public.pairs: { entity: pair }, public.singles: { entity: single } }',
    });
    const parts = ['a', 'a,b', 'b,c', 'c', 'a\\', '\\,', 'é,', '', '\\x{c3}', 'a\\,b'];
    for (const a of parts)
      for (const b of parts) await g.source.query('insert into pairs values ($1, $2)', [a, b]);
    for (const a of parts) await g.source.query('insert into singles values ($1)', [a]);
    const entries = await g.caughtUp();
    const pairs = entries.filter(({ entityType }) => entityType === 'pair');
    expect(new Set(pairs.map(({ entityId }) => entityId)).size).toBe(parts.length ** 2);
    const idOf = (a: string, b: string) =>
      pairs.find(({ updated }) => updated!['a'] === a && updated!['b'] === b)!.entityId;
    expect([idOf('a', 'c'), idOf('a,b', 'c'), idOf('a', 'b,c'), idOf('a\\', 'é,'), idOf('', '')]).toEqual([
      'a,c',
      'a\\,b,c',
      'a,b\\,c',
      'a\\\\,é\\,',
      ',',
    ]);
    // An id of one column is its text, unchanged.
    expect(
      entries.filter(({ entityType }) => entityType === 'single').map(({ entityId }) => entityId),
    ).toEqual(['a', 'a,b', 'b,c', 'c', 'a\\', '\\,', 'é,', '', '\\x{5c787b63337d}', 'a\\,b']);
  });
});
