import { beforeAll, describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { captureGround, testConfig, type CaptureGround, type PlainEntry } from '../support/capture.ts';
import { majorVersion } from '../support/database.ts';
import { catalogOf } from '../support/tracking.ts';
import { until } from '../support/until.ts';

/** A table with a TOAST table, which a command that rewrites rows replaces, and a table without one. */
const KINDS = { wide: 'note text', narrow: 'mark float' } as const;
type Kind = keyof typeof KINDS;

const itemsTable = (name: string, kind: Kind): string => `
  create table ${name} (id int primary key, amount int, ${KINDS[kind]});
  insert into ${name} select n, n from generate_series(1, 10) n;
  analyze ${name};`;
const ITEMS = `${itemsTable('items', 'wide')} create table others (id int primary key)`;
const YAML = `tables: { public.items: { entity: item }, public.others: { entity: other } }`;

const ground = (schemaSql: string, yaml = YAML): Promise<CaptureGround> =>
  captureGround({ schemaSql, yaml, options: { pace: { lookMs: 200 } } });

const gaps = (g: CaptureGround): Promise<{ code: string; tables: string[]; closed: boolean }[]> =>
  g.trail.query('select code, tables, closed_at is not null as closed from trail.gap order by id');

/** What tracking entries state about a table: before and after. */
const notesOf = (entries: readonly PlainEntry[], table = 'public.items'): string[] =>
  entries
    .filter(({ action, entityName }) => action === 'tracking' && entityName === table)
    .map(({ previous, updated }) => `${previous!['change']} -> ${updated!['change']}`);

/** Waits for a look after the command: that look reports another change, which follows the command. */
async function looked(g: CaptureGround): Promise<PlainEntry[]> {
  for (const [from, to] of [
    ['others', 'seen'],
    ['seen', 'others'],
  ] as const) {
    const told = async (): Promise<number> => notesOf(await g.entries(), `public.${to}`).length;
    const before = await told();
    await g.source.query(`alter table ${from} rename to ${to}`);
    await until('a look', async () => (await told()) > before);
  }
  return g.entries();
}

const MAY_HAVE = 'rows as they were sent -> may have been rewritten: their new values were not sent';

/** Statements of one command each, for a table. Several statements in one string are one transaction. */
interface Command {
  readonly name: string;
  readonly sql: (items: string) => readonly string[];
  readonly said: Readonly<Record<Kind, 'gap' | 'may' | 'nothing'>>;
  readonly notes?: readonly string[];
  /** The oldest major version that has the command. */
  readonly since?: number;
}

const both = (said: 'gap' | 'may' | 'nothing') => ({ wide: said, narrow: said });
const begin = (...sql: string[]): string => ['begin', ...sql, 'commit'].join('; ');

const COMMANDS: readonly Command[] = [
  {
    name: 'alter type using',
    sql: (items) => [`alter table ${items} alter amount type int using amount + 1`],
    said: both('gap'),
  },
  {
    name: 'alter type',
    sql: (items) => [`alter table ${items} alter amount type bigint`],
    said: both('gap'),
  },
  {
    name: 'alter type in a transaction with other changes',
    sql: (items) => [
      begin(
        `alter table ${items} alter amount type int using amount + 1`,
        `grant select on ${items} to public`,
        `update ${items} set amount = 5 where id = 1`,
      ),
    ],
    said: both('gap'),
  },
  {
    name: 'alter type in a savepoint',
    sql: (items) => [begin('savepoint s', `alter table ${items} alter amount type int using 0`, 'release s')],
    said: both('gap'),
  },
  {
    name: 'add column with a volatile default',
    sql: (items) => [`alter table ${items} add dice float default random()`],
    said: both('gap'),
  },
  {
    name: 'add a stored generated column',
    sql: (items) => [`alter table ${items} add twice int generated always as (amount * 2) stored`],
    said: both('gap'),
  },
  {
    name: 'add an identity column',
    sql: (items) => [`alter table ${items} add number int generated always as identity`],
    said: both('gap'),
  },
  {
    name: 'set expression',
    sql: (items) => [
      `alter table ${items} add twice int generated always as (amount * 2) stored`,
      `alter table ${items} alter twice set expression as (amount * 3)`,
    ],
    said: both('gap'),
    since: 17,
  },
  {
    name: 'alter type, and something else before a look',
    sql: (items) => [
      begin(`alter table ${items} alter amount type int using amount + 1`) +
        `; grant select on ${items} to public`,
    ],
    said: both('may'),
  },
  { name: 'grant', sql: (items) => [`grant select on ${items} to public`], said: both('nothing') },
  {
    name: 'grant on a column',
    sql: (items) => [`grant select (amount) on ${items} to public`],
    said: both('nothing'),
  },
  { name: 'truncate', sql: (items) => [`truncate ${items}`], said: both('nothing') },
  {
    name: 'truncate and set not null',
    sql: (items) => [begin(`truncate ${items}`, `alter table ${items} alter amount set not null`)],
    said: { wide: 'nothing', narrow: 'may' },
  },
  {
    name: 'truncate and add a column',
    sql: (items) => [begin(`truncate ${items}`, `alter table ${items} add size int not null`)],
    said: both('nothing'),
  },
  { name: 'vacuum full', sql: (items) => [`vacuum full ${items}`], said: { wide: 'nothing', narrow: 'may' } },
  {
    name: 'cluster',
    sql: (items) => [`cluster ${items} using items_pkey`],
    said: { wide: 'nothing', narrow: 'may' },
  },
  {
    name: 'set not null',
    sql: (items) => [`alter table ${items} alter amount set not null`],
    said: both('nothing'),
  },
  {
    name: 'set default',
    sql: (items) => [`alter table ${items} alter amount set default 7`],
    said: both('nothing'),
  },
  {
    name: 'set statistics',
    sql: (items) => [`alter table ${items} alter amount set statistics 7`],
    said: both('nothing'),
  },
  {
    name: 'set access method',
    sql: (items) => [`alter table ${items} set access method heap_too`],
    said: both('may'),
    since: 15,
  },
  { name: 'create index', sql: (items) => [`create index on ${items} (amount)`], said: both('nothing') },
  { name: 'reindex', sql: (items) => [`reindex table ${items}`], said: both('nothing') },
  { name: 'analyze', sql: (items) => [`analyze ${items}`], said: both('nothing') },
  { name: 'vacuum', sql: (items) => [`vacuum ${items}`], said: both('nothing') },
  {
    name: 'rename column',
    sql: (items) => [`alter table ${items} rename amount to sum`],
    said: both('nothing'),
  },
  { name: 'add column', sql: (items) => [`alter table ${items} add size int`], said: both('nothing') },
  { name: 'drop column', sql: (items) => [`alter table ${items} drop amount`], said: both('nothing') },
  {
    name: 'add column with a default',
    sql: (items) => [`alter table ${items} add size int default 5`],
    said: both('nothing'),
    notes: ['no column size -> column size: existing rows hold its default, which was not sent'],
  },
  {
    name: 'drop and add a column with a default',
    sql: (items) => [`alter table ${items} drop amount, add amount int default 5`],
    said: both('nothing'),
    notes: ['column amount -> another column amount: its old and new values in existing rows were not sent'],
  },
  {
    name: 'alter type of a table without rows',
    sql: (items) => [`truncate ${items}`, `alter table ${items} alter amount type int using amount + 1`],
    said: both('may'),
  },
];

/** All commands run on tables of one database, because each capture that starts costs more than a command. */
describe('of tables that a command may have rewritten', () => {
  const cases = COMMANDS.flatMap((command, index) =>
    (Object.keys(KINDS) as Kind[]).map((kind) => ({ ...command, kind, schema: `${kind}_${index}` })),
  );
  let version: number;
  let entries: PlainEntry[];
  let found: Awaited<ReturnType<typeof gaps>>;

  beforeAll(async () => {
    const tables = cases.map(
      ({ schema, kind }) => `create schema ${schema}; ${itemsTable(`${schema}.items`, kind)}`,
    );
    await using g = await ground(
      `${tables.join('')} create table others (id int primary key);
       create access method heap_too type table handler heap_tableam_handler`,
      'tables: { "*.items": { entity: item }, public.others: { entity: other } }',
    );
    version = await majorVersion(g.source);
    for (const { sql, schema, since = 0 } of cases)
      if (version >= since) for (const statement of sql(`${schema}.items`)) await g.source.query(statement);
    entries = await looked(g);
    found = await gaps(g);
  });

  test.each(cases)(
    'after $name, a $kind table has the expected gaps and notes',
    ({ schema, kind, said, notes = [], since = 0 }) => {
      if (version < since) return;
      const table = `${schema}.items`;
      expect({
        gaps: found.filter(({ tables }) => tables.includes(table)).map(({ code }) => code),
        notes: notesOf(entries, table),
      }).toEqual({
        gaps: said[kind] === 'gap' ? ['SOURCE_TABLE_REWRITTEN'] : [],
        notes: [...(said[kind] === 'may' ? [MAY_HAVE] : []), ...notes],
      });
    },
  );
});

const PARTITIONED = `
  create table events (id int primary key, amount int, note text) partition by range (id);
  create table events_low partition of events for values from (0) to (100);
  create table events_high partition of events for values from (100) to (200) partition by range (id);
  create table events_higher partition of events_high for values from (150) to (200);
  insert into events values (1, 1), (150, 2);
  create table others (id int primary key)`;
const PARTITIONED_YAML = 'tables: { public.events: { entity: event }, public.others: { entity: other } }';

test('a partitioned table whose partitions are rewritten is one gap of that table, and nothing else is reported', async () => {
  await using g = await ground(PARTITIONED, PARTITIONED_YAML);
  await g.source.query('vacuum full events_low');
  await g.source.query('truncate events_higher');
  await looked(g);
  expect(await gaps(g)).toEqual([]);
  await g.source.query(`insert into events values (151, 3)`);
  await g.source.query('alter table events alter amount type int using amount + 1');
  const entries = await looked(g);
  expect((await gaps(g)).map(({ tables }) => tables)).toEqual([['public.events']]);
  expect(notesOf(entries, 'public.events')).toEqual([]);
});

test('rows that are attached or detached with a partition are reported; a new partition and one that sent its rows are not', async () => {
  await using g = await ground(
    `${PARTITIONED}; create table events_own (id int primary key, amount int, note text)`,
    'tables: { public.events: { entity: event }, public.events_own: { entity: event }, public.others: { entity: other } }',
  );
  await g.source.query('create table events_more (id int not null, amount int, note text)');
  await g.source.query('insert into events_more values (200, 1)');
  await g.source.query('alter table events attach partition events_more for values from (200) to (300)');
  await g.source.query('create table events_new partition of events for values from (300) to (400)');
  await g.source.query('alter table events attach partition events_own for values from (400) to (500)');
  const told = notesOf(await looked(g), 'public.events');
  expect(told).toEqual([
    'no partition public.events_more -> partition public.events_more, attached: its existing rows were not sent',
  ]);
  await g.source.query('alter table events detach partition events_more');
  await looked(g);
  await g.source.query('drop table events_higher');
  expect(notesOf(await looked(g), 'public.events').slice(1)).toEqual([
    'partition public.events_more -> no partition public.events_more: it took its rows along, which were not sent as deleted',
    'partition public.events_higher -> no partition public.events_higher: it took its rows along, which were not sent as deleted',
  ]);
  // Partitions created here have no full identity, which is reported separately.
  expect((await gaps(g)).map(({ code }) => code)).not.toContain('SOURCE_TABLE_REWRITTEN');
});

test('a table that was rewritten while capture was stopped is a gap that ends automatically and is found once', async () => {
  await using g = await ground(ITEMS);
  await g.source.query('insert into items values (11, 11)');
  await g.caughtUp();
  await g.capture.stop();
  await g.source.query('alter table items alter amount type int using amount + 1');
  await g.source.query('insert into items values (12, 12)');
  await g.restart();
  await until('the gap to end', async () => (await gaps(g)).every(({ closed }) => closed));
  await g.restart();
  await looked(g);
  expect(await gaps(g)).toEqual([{ code: 'SOURCE_TABLE_REWRITTEN', tables: ['public.items'], closed: true }]);
  const rows = (await g.entries()).filter(({ operation, rung }) => operation === 'i' && rung !== 'w');
  expect(rows.map(({ entityId }) => entityId)).toEqual(['11', '12']);
});

test('a gap of a table that is rewritten spans the command and ends at the next looks, and other tables have none', async () => {
  await using g = await ground(ITEMS);
  await g.caughtUp();
  const [before] = await g.source.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
  await g.source.query('alter table items alter amount type int using amount + 1');
  const [after] = await g.source.query<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn');
  await until('the gap to end', async () => (await gaps(g)).some(({ closed }) => closed));
  expect(
    await g.trail.query(
      'select tables, from_lsn <= $1::pg_lsn as begins, to_lsn >= $2::pg_lsn as ends from trail.gap',
      [before!.lsn, after!.lsn],
    ),
  ).toEqual([{ tables: ['public.items'], begins: true, ends: true }]);
});

test('a look stored by an earlier version of Waltrail, without files and columns, makes no gap', async () => {
  await using g = await ground(ITEMS);
  await g.caughtUp();
  await g.capture.stop();
  await g.trail.query(`update trail.published set state = jsonb_set(state, '{tables}', (
    select jsonb_object_agg(key, value - array['columns', 'defaulted', 'heaps']) from jsonb_each(state -> 'tables')))`);
  await g.source.query('alter table items alter amount type int using amount + 1');
  await g.restart();
  expect(notesOf(await looked(g))).toEqual([]);
  expect(await gaps(g)).toEqual([]);
});

/** What was sent of rows, as Waltrail's own entries state, among the entries of the rows. */
const sent = (entries: readonly PlainEntry[]): string[] =>
  entries
    .filter(
      ({ rung, action, previous }) =>
        rung !== 'w' || (action === 'tracking' && previous!['change']!.startsWith('rows sent')),
    )
    .map((entry) =>
      entry.rung === 'w'
        ? `${entry.entityName}: ${entry.updated!['change']}`
        : `${entry.operation} ${entry.entityId} ${entry.unknown.join(',')}`,
    );

test('a replica identity that was default only around an update, between two looks, is reported at that update', async () => {
  await using g = await captureGround({
    schemaSql: ITEMS,
    yaml: YAML,
    options: { pace: { lookMs: 60_000 } },
  });
  await g.source.query('update items set amount = 5 where id = 1');
  await g.source.query(
    begin(
      'alter table items replica identity default',
      'update items set amount = 6 where id = 1',
      'alter table items replica identity full',
    ),
  );
  await g.source.query('update items set amount = 7 where id = 1');
  expect(sent(await g.caughtUp())).toEqual([
    'u 1 ',
    'public.items: rows sent with replica identity default',
    'u 1 amount,note',
    'public.items: rows sent with replica identity full',
    'u 1 ',
  ]);
});

test('a replica identity that was default only around an update while capture was stopped is reported at that update', async () => {
  await using g = await ground(ITEMS);
  await g.source.query('update items set amount = 5 where id = 1');
  await g.caughtUp();
  await g.capture.stop();
  await g.source.query(
    begin(
      'alter table items replica identity nothing',
      'insert into items values (11, 6)',
      'alter table items replica identity full',
    ),
  );
  await g.source.query('update items set amount = 7 where id = 1');
  await g.restart();
  expect(sent(await g.caughtUp())).toEqual([
    'u 1 ',
    'public.items: rows sent with replica identity nothing',
    'i 11 ',
    'public.items: rows sent with replica identity full',
    'u 1 ',
  ]);
  // The same identity as now is not reported.
  await g.restart();
  await g.source.query('update items set amount = 8 where id = 1');
  expect(sent(await g.caughtUp())).toHaveLength(6);
});

test('a type that differs only in its modifier is reported with the next row', async () => {
  await using g = await ground(
    'create table items (id int primary key, price numeric(10,2), code varchar(9)); create table others (id int primary key)',
  );
  await g.source.query(`insert into items values (1, 1.25, 'a')`);
  await g.source.query('alter table items alter price type numeric(10,1), alter code type varchar(10)');
  await g.source.query(`insert into items values (2, 1.25, 'a')`);
  const changes = (await g.caughtUp()).filter(({ action }) => action === 'schema_change');
  expect(changes.map(({ previous, updated }) => [previous!['columns'], updated!['columns']])).toEqual([
    [
      'public.items (id int4, price numeric(10,2), code varchar(9))',
      'public.items (id int4, price numeric(10,1), code varchar(10))',
    ],
  ]);
});

const FAMILY = `
  create table items (id int primary key, note text);
  create table old_items () inherits (items);
  create table others (id int primary key)`;
const CHILD = 'TRACKING_CHILD_UNTRACKED';

test('a table that inherits from a tracked one and is not tracked is a trouble and a gap until the YAML excludes or names it', async () => {
  await using g = await ground(FAMILY);
  const catalog = await catalogOf(g.source.url);
  const warnings = (config: TrackingConfig) => planTracking({ config, catalog }).warnings.join('\n');
  expect(warnings(g.config)).toContain('public.old_items inherits from tracked tables');
  expect(g.capture.status().troubles).toMatchObject([
    {
      code: CHILD,
      table: 'public.old_items',
      effect: 'not captured',
      remedy: expect.stringContaining('exclude'),
    },
  ]);
  await g.source.query(`insert into old_items values (1, 'shown by items')`);
  expect((await g.caughtUp()).filter(({ rung }) => rung !== 'w')).toEqual([]);
  expect(await gaps(g)).toEqual([{ code: CHILD, tables: ['public.old_items'], closed: false }]);
  const excluded = testConfig({ ...g, yaml: `${YAML}\nexclude: [public.old_items]` });
  expect(warnings(excluded)).not.toContain('public.old_items');
  await g.capture.stop();
  g.capture = startCapture({ config: excluded, log: silentLog, pace: { lookMs: 200 } });
  await until('the gap to end', async () => (await gaps(g)).every(({ closed }) => closed));
  expect(g.capture.status().troubles).toEqual([]);
});

test('a child that is created while capture streams is found, also below an excluded child, and its gap ends when it is dropped', async () => {
  await using g = await ground(FAMILY, `${YAML}\nexclude: [public.old_items]`);
  await looked(g);
  expect(await gaps(g)).toEqual([]);
  await g.source.query('create table later (id int not null, note text)');
  await g.source.query('alter table later inherit items');
  await until('a gap', async () => (await gaps(g)).length === 1);
  await g.source.query('alter table later no inherit items');
  await until('its end', async () => (await gaps(g)).every(({ closed }) => closed));
  await g.source.query('create unlogged table oldest () inherits (old_items)');
  await until('another gap', async () => (await gaps(g)).length === 2);
  expect(await gaps(g)).toEqual([
    { code: CHILD, tables: ['public.later'], closed: true },
    { code: CHILD, tables: ['public.oldest'], closed: false },
  ]);
  expect(g.capture.status().troubles[0]!.message).toContain('an unlogged table');
});

test('a child that the YAML names is captured under its own name, and is no trouble', async () => {
  await using g = await ground(
    FAMILY,
    'tables: { public.items: { entity: item }, "public.old_*": { entity: item }, public.others: { entity: other } }',
  );
  await g.source.query(`insert into old_items values (1, 'its own')`);
  expect((await g.caughtUp()).map(({ table }) => table)).toEqual(['public.old_items']);
  expect([await gaps(g), g.capture.status().troubles]).toEqual([[], []]);
});
