import { expect, test } from '@jest/globals';
import pg from 'pg';
import { startCapture } from '../../src/capture/capture.js';
import { PACE, type Pace } from '../../src/capture/pace.js';
import { createLog, silentLog, type Log } from '../../src/log.js';
import { parseLsn } from '../../src/pg/lsn.js';
import { acceptGaps } from '../../src/trail/write/gaps.js';
import {
  applyTracking,
  captureGround,
  streaming,
  untilCaughtUp,
  type CaptureGround,
  type PlainEntry,
} from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { ownServer } from '../support/server.ts';
import { until } from '../support/until.ts';

/** Limit from the damage to a table until the entry that reports it. */
const DETECTION_LIMIT_MS = 5_000;
const SCHEMA = `create table items (id int generated always as identity primary key, name text);
                create table parts (id int generated always as identity primary key, name text);`;
const YAML = `tables: { public.items: { entity: item, name: "{name}" }, public.parts: { entity: part, name: "{name}" } }`;
const PATTERN_YAML = `tables: { "public.*": { entity: thing, name: "{name}" } }`;

/** Looks more often than a daemon, for tests that do not measure how soon something is seen. */
const QUICK = { lookMs: 100 };

interface Of {
  readonly log?: Log;
  readonly source?: TestDatabase;
  readonly schema?: string;
  readonly yaml?: string;
  readonly pace?: Partial<Pace>;
}

const ground = ({ schema = SCHEMA, yaml = YAML, pace = QUICK, ...of }: Of = {}) =>
  captureGround({ schemaSql: schema, yaml, options: { pace }, ...of });
/** Looks as often as a daemon. */
const groundOfDaemon = (of: Of = {}) => ground({ ...of, pace: PACE });
const start = (g: CaptureGround, config = g.config) => startCapture({ config, log: silentLog, pace: QUICK });

const add = (g: CaptureGround, name: string, table = 'items') =>
  g.source.query(`insert into ${table} (name) values ('${name}')`);

/** Names of inserted rows, in the order of the trail. */
const inserted = (entries: readonly PlainEntry[]) =>
  entries
    .filter(({ operation, rung }) => operation === 'i' && rung !== 'w')
    .map(({ entityName }) => entityName);

/** Waltrail's own entries as `action table [code]`; tracking entries as before and after. */
const own = (entries: readonly PlainEntry[]) =>
  entries
    .filter(({ rung }) => rung === 'w')
    .map(({ action, entityName, previous, updated }) =>
      updated!['code'] === undefined
        ? `${action} ${entityName}: ${previous!['change'] ?? previous!['columns']} -> ${updated!['change'] ?? updated!['columns']}`
        : `${action} ${updated!['tables']} ${updated!['code']}`,
    );

/** Waits for one of Waltrail's own entries, as {@link own} writes it. */
async function told(g: CaptureGround, wanted: string, limitMs = DETECTION_LIMIT_MS): Promise<PlainEntry> {
  let found: PlainEntry | undefined;
  await until(
    `the entry "${wanted}"`,
    async () => {
      found = (await g.entries()).find((entry) => own([entry])[0] === wanted);
      return found !== undefined;
    },
    limitMs,
  );
  return found!;
}

const troubles = (g: CaptureGround) =>
  g.capture.status().troubles.map(({ code, table }) => `${code} ${table}`);
const isStreaming = (g: CaptureGround) =>
  expect(g.capture.status()).toMatchObject({ state: 'streaming', error: null });

async function walPosition(g: CaptureGround): Promise<bigint> {
  const [row] = await g.source.query<{ lsn: string }>('select pg_current_wal_insert_lsn()::text as lsn');
  return parseLsn(row!.lsn);
}

/** Each case leaves a table uncaptured, or captured in part, while capture streams. */
const BROKEN: readonly {
  name: string;
  sql: string;
  code: string;
  /** What is written in the meantime is never seen. */
  lost: boolean;
  /** Measured at the pace of a daemon. One case of each code is enough: the look is what takes time. */
  paceOfDaemon?: boolean;
}[] = [
  {
    name: 'is taken out of the publication',
    sql: 'alter publication waltrail drop table items',
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    lost: true,
    paceOfDaemon: true,
  },
  {
    name: 'gets a row filter',
    sql: 'alter publication waltrail set table items where (id > 1000), parts',
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    lost: true,
  },
  {
    name: 'is dropped and recreated',
    sql: `drop table items; create table items (id int generated always as identity primary key, name text)`,
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    lost: true,
  },
  {
    name: 'is renamed, and another takes its name',
    sql: `create table other (like items including all); alter table items rename to items_old;
          alter table other rename to items; alter table items replica identity full`,
    code: 'SOURCE_PUBLICATION_INCOMPLETE',
    lost: true,
  },
  {
    name: 'gets a weaker replica identity',
    sql: 'alter table items replica identity default',
    code: 'SOURCE_REPLICA_IDENTITY',
    lost: false,
    paceOfDaemon: true,
  },
];

test.each(BROKEN)(
  'a table that $name is a gap of that table within five seconds; other tables continue, and it ends when the table is fixed',
  async ({ sql, code, lost, paceOfDaemon = false }) => {
    await using g = await (paceOfDaemon ? groundOfDaemon() : ground());
    await add(g, 'before');
    await g.caughtUp();
    const position = await walPosition(g);
    await g.source.query(sql);
    const gap = await told(g, `gap public.items ${code}`);
    expect(parseLsn(gap.updated!['from_lsn']!)).toBeLessThanOrEqual(position);
    expect(troubles(g)).toEqual([`${code} public.items`]);
    isStreaming(g);
    await add(g, 'meanwhile');
    await add(g, 'other', 'parts');
    expect(inserted(await g.caughtUp())).toEqual(['before', ...(lost ? [] : ['meanwhile']), 'other']);
    await applyTracking(g.config);
    const closed = await told(g, `gap_closed public.items ${code}`, 2 * DETECTION_LIMIT_MS);
    expect(closed.entityId).toBe(gap.entityId);
    await until('the trouble to end', () => g.capture.status().troubleCount === 0);
    await add(g, 'after');
    expect(inserted(await g.caughtUp()).at(-1)).toBe('after');
    isStreaming(g);
    expect(await g.trail.query('select tables, closed_at is not null as closed from trail.gap')).toEqual([
      { tables: ['public.items'], closed: true },
    ]);
  },
);

test.each(BROKEN)(
  'a table that $name while capture is stopped is a gap of that table, and does not prevent the start',
  async ({ sql, code }) => {
    await using g = await ground();
    await add(g, 'before');
    await g.caughtUp();
    await g.capture.stop();
    await g.source.query(sql);
    g.capture = start(g);
    await streaming(g.capture);
    await told(g, `gap public.items ${code}`);
    await add(g, 'other', 'parts');
    expect(inserted(await g.caughtUp()).at(-1)).toBe('other');
    await applyTracking(g.config);
    await told(g, `gap_closed public.items ${code}`, 2 * DETECTION_LIMIT_MS);
    await add(g, 'after');
    expect(inserted(await g.caughtUp()).at(-1)).toBe('after');
  },
);

test('a table that was out of the publication for a while is a gap even when the catalog no longer shows it', async () => {
  await using g = await ground();
  await add(g, 'before');
  await g.caughtUp();
  await g.capture.stop();
  await g.source.query('alter publication waltrail drop table items');
  await add(g, 'lost');
  await applyTracking(g.config);
  g.capture = start(g);
  await streaming(g.capture);
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  await told(g, 'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  await add(g, 'after');
  expect(inserted(await g.caughtUp())).toEqual(['before', 'after']);
  // The next start finds nothing new.
  await g.restart();
  expect(own(await g.entries()).filter((entry) => entry.startsWith('gap '))).toHaveLength(1);
});

test('a table that appears under a pattern is named within five seconds, and stops nothing, now or after a restart', async () => {
  await using g = await groundOfDaemon({ yaml: PATTERN_YAML });
  await g.source.query('create table later (id int primary key, name text)');
  await told(g, 'gap public.later SOURCE_PUBLICATION_INCOMPLETE');
  expect(troubles(g)).toEqual(['SOURCE_PUBLICATION_INCOMPLETE public.later']);
  await g.source.query(`insert into later values (1, 'not captured')`);
  await g.restart();
  await add(g, 'a');
  expect(inserted(await g.caughtUp())).toEqual(['a']);
  await applyTracking(g.config);
  await told(g, 'gap_closed public.later SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  await g.source.query(`insert into later values (2, 'captured')`);
  const entries = await g.caughtUp();
  expect(entries.at(-1)).toMatchObject({ entityName: 'captured', entityId: '2', table: 'public.later' });
});

test('a change of a table that was published a moment ago has its entity id', async () => {
  await using g = await ground({ yaml: PATTERN_YAML });
  await g.source.query('create table later (code text, part int, name text, primary key (code, part))');
  await applyTracking(g.config);
  await g.source.query(`insert into later values ('x', 7, 'first')`);
  const entries = await g.caughtUp();
  expect(entries.find(({ entityName }) => entityName === 'first')).toMatchObject({ entityId: 'x,7' });
});

test('a change after a primary key was just added has its entity id', async () => {
  // A look in time would have found the key, too.
  await using g = await groundOfDaemon({
    schema: 'create table items (code int not null, name text); create table parts (id int, name text)',
  });
  await g.source.query(`insert into items values (1, 'without')`);
  await g.caughtUp();
  // On one connection, so that nothing comes in between.
  await g.source.query(
    `alter table items add primary key (code); commit; insert into items values (2, 'with')`,
  );
  const ids = (await g.caughtUp()).map(({ entityName, entityId }) => `${entityName} ${entityId}`);
  expect(ids).toEqual(['without null', 'with 2']);
});

test.each([
  ['a partition is detached', 'alter table measures detach partition measures_1', 'public.measures_1'],
  ['a table is set logged', 'alter table cache set logged', 'public.cache'],
  ['a table moves into the schema', 'alter table stage.moved set schema public', 'public.moved'],
])(
  '%s and thereby becomes a separate table under the pattern: it is named, and is a gap',
  async (_, sql, table) => {
    await using g = await ground({
      yaml: PATTERN_YAML,
      schema: `${SCHEMA}
      create table measures (id int primary key, name text) partition by range (id);
      create table measures_1 partition of measures for values from (0) to (100);
      create unlogged table cache (id int primary key, name text);
      create schema stage; create table stage.moved (id int primary key, name text);`,
    });
    await g.source.query(sql);
    await told(g, `gap ${table} SOURCE_PUBLICATION_INCOMPLETE`);
    await add(g, 'other');
    expect(inserted(await g.caughtUp())).toEqual(['other']);
    isStreaming(g);
  },
);

test('a tracked table that becomes a partition of a published one is no gap', async () => {
  await using g = await ground({
    yaml: PATTERN_YAML,
    schema: `create table measures (id int primary key, name text) partition by range (id);
             create table measures_1 (id int primary key, name text);`,
  });
  await g.source.query(`begin; insert into measures_1 values (1, 'alone');
    alter table measures attach partition measures_1 for values from (0) to (100); commit`);
  await applyTracking(g.config);
  await told(g, 'tracking public.measures_1: published -> published as a partition');
  await g.source.query(`insert into measures values (2, 'as partition')`);
  expect(inserted(await g.caughtUp())).toEqual(['alone', 'as partition']);
  expect(own(await g.entries()).filter((entry) => entry.startsWith('gap'))).toEqual([]);
});

test('a renamed table is still captured under the name that the YAML knows, also after a restart', async () => {
  await using g = await ground();
  await add(g, 'before');
  await g.source.query(
    "begin; alter table items rename to things; insert into things (name) values ('within'); commit",
  );
  await told(g, 'tracking public.things: public.items -> public.things');
  await add(g, 'after', 'things');
  await g.caughtUp();
  await g.restart();
  await add(g, 'restarted', 'things');
  const entries = await g.caughtUp();
  expect(inserted(entries)).toEqual(['before', 'within', 'after', 'restarted']);
  expect(new Set(entries.filter(({ rung }) => rung !== 'w').map(({ table }) => table))).toEqual(
    new Set(['public.items']),
  );
  expect(entries.at(-1)!.entityId).toBe('4');
  expect(own(entries).filter((entry) => entry.startsWith('gap'))).toEqual([]);
  expect(g.capture.status().troubles).toMatchObject([
    {
      table: 'public.items',
      message: expect.stringContaining('renamed to public.things'),
      effect: 'as far as possible',
      code: 'TRACKING_TABLE_UNKNOWN',
    },
  ]);
  isStreaming(g);
});

test('a renamed table is captured under its new name once the YAML has it', async () => {
  await using g = await ground();
  await add(g, 'before');
  await g.source.query('alter table items rename to things');
  await told(g, 'tracking public.things: public.items -> public.things');
  await g.capture.stop();
  await add(g, 'after', 'things');
  const tables = g.config.tables.map((rule) =>
    rule.pattern === 'public.items' ? { ...rule, pattern: 'public.things' } : rule,
  );
  g.capture = start(g, { ...g.config, tables });
  await streaming(g.capture);
  const entries = await g.caughtUp();
  expect(inserted(entries)).toEqual(['before', 'after']);
  expect(entries.at(-1)).toMatchObject({ table: 'public.things', entityName: 'after' });
});

test('the last table of a pattern can be dropped without stopping capture or the next start', async () => {
  await using g = await ground({
    yaml: `tables: { "shop.*": { entity: order }, public.items: { entity: item, name: "{name}" } }`,
    schema: `${SCHEMA} create schema shop; create table shop.orders (id int primary key);`,
  });
  await g.source.query('drop table shop.orders');
  await told(g, 'tracking shop.orders: tracked -> dropped');
  await g.restart();
  await add(g, 'a');
  expect(inserted(await g.caughtUp())).toEqual(['a']);
  expect(own(await g.entries()).filter((entry) => entry.startsWith('gap'))).toEqual([]);
});

test('another publication that makes the source refuse writes is named, and stops nothing', async () => {
  const logged: string[] = [];
  await using g = await ground({
    log: createLog({ level: 'warn', destination: { write: (line) => void logged.push(line) } }),
  });
  await add(g, 'a');
  await g.source.query('create publication theirs for table items (id)');
  await expect(g.source.query(`update items set name = 'b'`)).rejects.toMatchObject({ code: '42P10' });
  await told(
    g,
    'tracking public.items: updates and deletes accepted -> updates and deletes refused by the source',
  );
  expect(troubles(g)).toEqual(['SOURCE_WRITES_REFUSED public.items']);
  const [trouble] = g.capture.status().troubles;
  expect(trouble!.remedy).toContain('alter table');
  expect(logged.join()).toContain('"table":"public.items"');
  await add(g, 'other', 'parts');
  expect(inserted(await g.caughtUp())).toEqual(['a', 'other']);
  await g.restart();
  await g.source.query('drop publication theirs');
  await told(
    g,
    'tracking public.items: updates and deletes refused by the source -> updates and deletes accepted',
  );
  await g.source.query(`update items set name = 'c'`);
  expect((await g.caughtUp()).at(-1)).toMatchObject({ operation: 'u', updated: { name: 'c' } });
  expect(own(await g.entries()).filter((entry) => entry.startsWith('gap'))).toEqual([]);
});

test('a gap of a table that the YAML no longer names ends', async () => {
  await using g = await ground();
  await g.source.query('alter publication waltrail drop table parts');
  await told(g, 'gap public.parts SOURCE_PUBLICATION_INCOMPLETE');
  await g.capture.stop();
  const tables = g.config.tables.filter(({ pattern }) => pattern !== 'public.parts');
  g.capture = start(g, { ...g.config, tables });
  await streaming(g.capture);
  const closed = await told(
    g,
    'gap_closed public.parts SOURCE_PUBLICATION_INCOMPLETE',
    2 * DETECTION_LIMIT_MS,
  );
  expect(closed.entityName).toBe('The table is no longer tracked');
});

test.each([
  ['by its name', YAML],
  ['by a pattern', PATTERN_YAML],
])(
  'a gap of a table that is set unlogged, tracked %s, lasts until it can be captured again',
  async (_, yaml) => {
    await using g = await ground({ yaml });
    await g.source.query('alter publication waltrail drop table items');
    await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
    await g.source.query('alter table items set unlogged');
    await severalLooks(g);
    await add(g, 'never seen');
    await severalLooks(g);
    expect(own(await g.entries()).filter((entry) => entry.startsWith('gap_closed'))).toEqual([]);
    await g.source.query('alter table items set logged');
    await applyTracking(g.config);
    const closed = await told(
      g,
      'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE',
      2 * DETECTION_LIMIT_MS,
    );
    expect(closed.entityName).toBe('The table is captured again');
  },
);

test.each([
  ['by its name', YAML],
  ['by a pattern', PATTERN_YAML],
])('a gap of a table that is dropped, tracked %s, ends and names the reason', async (_, yaml) => {
  await using g = await ground({ yaml });
  await g.source.query('alter publication waltrail drop table items');
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  await g.source.query('drop table items');
  const closed = await told(
    g,
    'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE',
    2 * DETECTION_LIMIT_MS,
  );
  expect(closed.entityName).toBe('The table no longer exists');
  // Another table takes its name.
  await g.source.query('create table items (id int primary key, name text)');
  await until(
    'a second gap',
    async () => own(await g.entries()).filter((entry) => entry.startsWith('gap public.items')).length === 2,
  );
});

test('a gap for its replica identity lasts while nothing of the table is captured', async () => {
  await using g = await ground();
  await g.source.query('alter table items replica identity default');
  await told(g, 'gap public.items SOURCE_REPLICA_IDENTITY');
  await g.source.query('alter publication waltrail drop table items');
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  await severalLooks(g);
  expect(own(await g.entries()).filter((entry) => entry.startsWith('gap_closed'))).toEqual([]);
  await applyTracking(g.config);
  await told(g, 'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  await told(g, 'gap_closed public.items SOURCE_REPLICA_IDENTITY', 2 * DETECTION_LIMIT_MS);
});

test('gaps are in the list of gaps at once also while the trail takes no entries', async () => {
  await using g = await ground();
  const blocking = new pg.Client(g.trail.url);
  await blocking.connect();
  await blocking.query('begin; lock table trail.entry in share row exclusive mode');
  const begun = async (count: number) =>
    until(`${count} gaps`, async () => (await g.trail.query('select from trail.gap')).length === count);
  await g.source.query('alter publication waltrail drop table items');
  await begun(1);
  await g.source.query('alter publication waltrail drop table parts');
  await begun(2);
  expect(own(await g.entries())).toEqual([]);
  await blocking.query('rollback');
  await blocking.end();
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  await told(g, 'gap public.parts SOURCE_PUBLICATION_INCOMPLETE');
  await applyTracking(g.config);
  await told(g, 'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  await told(g, 'gap_closed public.parts SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  expect(own(await g.entries()).filter((entry) => entry.startsWith('gap '))).toHaveLength(2);
});

test('many tables that become uncaptured at once are one gap each within seconds', async () => {
  const tables = Array.from({ length: 400 }, (_, n) => `t${n}`);
  await using g = await ground({
    yaml: PATTERN_YAML,
    schema: tables.map((table) => `create table ${table} (id int primary key, name text);`).join(''),
  });
  await g.source.query(`alter publication waltrail drop table ${tables.join(', ')}`);
  // The promise covers one table. On a busy machine, each of 400 tables costs the trail a statement.
  await told(g, 'gap public.t399 SOURCE_PUBLICATION_INCOMPLETE', 4 * DETECTION_LIMIT_MS);
  expect(new Set(own(await g.entries()).filter((entry) => entry.startsWith('gap '))).size).toBe(400);
  await g.restart();
  await g.source.query(`insert into t0 values (1, 'unseen')`);
  await applyTracking(g.config);
  await told(g, 'gap_closed public.t0 SOURCE_PUBLICATION_INCOMPLETE', 4 * DETECTION_LIMIT_MS);
});

test('accepting a gap of a table acknowledges it, and the gap lasts until the table is fixed', async () => {
  await using g = await ground();
  await g.source.query('alter publication waltrail drop table items');
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  const client = new pg.Client(g.trail.url);
  await client.connect();
  expect(await acceptGaps(client).finally(() => client.end())).toBe(1);
  const gap = async () => (await g.trail.query('select accepted_at, closed_at from trail.gap'))[0];
  expect(await gap()).toMatchObject({ accepted_at: expect.anything(), closed_at: null });
  isStreaming(g);
  await applyTracking(g.config);
  await told(g, 'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  expect(await gap()).toMatchObject({ closed_at: expect.anything() });
});

test('a gap of a table ends after transactions that changed something while it was not published', async () => {
  await using g = await ground();
  const long = new pg.Client(g.source.url);
  await long.connect();
  await g.source.query('alter publication waltrail drop table items');
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  await long.query(`begin; insert into items (name) values ('in doubt')`);
  // As somebody may do it who does not wait for writers, unlike apply.
  await g.source.query('alter publication waltrail add table items');
  await until('the trouble to end', () => g.capture.status().troubleCount === 0);
  await add(g, 'kept');
  await severalLooks(g);
  expect(own(await g.caughtUp()).filter((entry) => entry.startsWith('gap_closed'))).toEqual([]);
  await long.query('commit');
  const committed = await walPosition(g);
  await long.end();
  const closed = await told(
    g,
    'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE',
    2 * DETECTION_LIMIT_MS,
  );
  expect(parseLsn(closed.updated!['to_lsn']!)).toBeGreaterThanOrEqual(committed);
  expect(inserted(await g.entries())).toContain('kept');
});

test('a session that creates tables all the time keeps no gap from ending', async () => {
  await using g = await ground();
  await g.source.query('alter publication waltrail drop table items');
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  const abort = new AbortController();
  const making = (async () => {
    for (let n = 0; !abort.signal.aborted; n++)
      await g.source.query(
        `create schema if not exists other; drop table if exists other.t; create table other.t (id int)`,
      );
  })();
  await applyTracking(g.config);
  await told(g, 'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE', 3 * DETECTION_LIMIT_MS);
  abort.abort();
  await making;
});

test('a transaction in another database of the source does not keep a gap from ending', async () => {
  await using g = await ground();
  await using other = await freshDatabase('empty');
  const long = new pg.Client(other.url);
  await long.connect();
  await long.query('begin; create table busy (id int)');
  await g.source.query('alter publication waltrail drop table items');
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  await applyTracking(g.config);
  await told(g, 'gap_closed public.items SOURCE_PUBLICATION_INCOMPLETE', 2 * DETECTION_LIMIT_MS);
  await long.end();
});

test('while one large transaction arrives, a gap is in the list of gaps at once, and its entry after the transaction', async () => {
  const logged: string[] = [];
  await using g = await ground({
    log: createLog({ level: 'warn', destination: { write: (line) => void logged.push(line) } }),
  });
  // The transaction cannot end before the gap is found.
  const blocking = new pg.Client(g.trail.url);
  await blocking.connect();
  await blocking.query('begin; lock table trail.entry in share row exclusive mode');
  await g.source.query(
    `begin; insert into parts (name) select 'part ' || n from generate_series(1, 100000) n; commit`,
  );
  await until('the transaction to arrive', async () => {
    const waiting = await g.trail.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });
  await g.source.query('alter publication waltrail drop table items');
  await until(
    'the gap to be listed',
    async () => (await g.trail.query('select from trail.gap')).length === 1,
  );
  await severalLooks(g);
  await blocking.query('rollback');
  await blocking.end();
  const gap = await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE', 120_000);
  await untilCaughtUp(g.source, g.trail);
  expect(await storedParts(g)).toEqual({ count: 100_000, transactions: 1, last: String(gap.id - 1n) });
  expect(logged.filter((line) => line.includes('TRAIL_FENCED'))).toEqual([]);
});

test('tables that are created and dropped all the time do not keep a large transaction from being stored', async () => {
  await using g = await ground({ yaml: PATTERN_YAML });
  const abort = new AbortController();
  const migrating = (async () => {
    for (let n = 0; !abort.signal.aborted; n++)
      await g.source.query(
        `create table t${n} (id int primary key, name text); drop table if exists t${Math.max(0, n - 3)}`,
      );
  })();
  await g.source.query(`insert into parts (name) select 'part ' || n from generate_series(1, 200000) n`);
  await untilCaughtUp(g.source, g.trail);
  abort.abort();
  await migrating;
  expect(await storedParts(g)).toMatchObject({ count: 200_000, transactions: 1 });
  isStreaming(g);
});

test('a gap is reported by the next writer when its writer was killed before the entry was stored', async () => {
  await using g = await ground();
  await g.capture.stop();
  await g.source.query('alter publication waltrail drop table items');
  await g.trail.query(
    `select gap.id from trail.checkpoint,
            trail.begin_table_gaps('{SOURCE_PUBLICATION_INCOMPLETE}', '{public.items}', end_lsn) gap`,
  );
  g.capture = start(g);
  await streaming(g.capture);
  await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  expect(
    await g.trail.query('select count(*)::int4 as gaps, min(entry_id) > 0 as told from trail.gap'),
  ).toEqual([{ gaps: 1, told: true }]);
});

test('a change of the publication is a gap from its commit on, also when a synchronous standby kept it from being seen', async () => {
  const server = await ownServer('source', { synchronous_commit: 'local' });
  await using g = await ground({ source: server.database });
  await waitForStandby(g, 'nobody');
  const waiting = new pg.Client(g.source.url);
  await waiting.connect();
  await waiting.query('set synchronous_commit = on');
  const before = await walPosition(g);
  const altered = waiting.query('alter publication waltrail drop table items');
  await until('the commit to wait for its standby', async () => {
    const { length } = await g.source.query(`select from pg_stat_activity where wait_event = 'SyncRep'`);
    return length === 1;
  });
  await add(g, 'lost');
  await severalLooks(g);
  isStreaming(g);
  await waitForStandby(g, '');
  await altered;
  await waiting.end();
  const { updated } = await told(g, 'gap public.items SOURCE_PUBLICATION_INCOMPLETE');
  expect(parseLsn(updated!['from_lsn']!)).toBeLessThanOrEqual(before);
  expect(inserted(await g.entries())).toEqual([]);
});

/** Entries of rows of `parts`, which are too many to read. */
async function storedParts(g: CaptureGround): Promise<unknown> {
  const [stored] = await g.trail.query(
    `select count(*)::int4 as count, count(distinct xid::text)::int4 as transactions, max(e.id)::text as last
       from trail.entry e join trail.relation r on r.id = e.relation_id
      where r.table_name = 'parts' and e.rung <> 'w'`,
  );
  return stored;
}

/**
 * Sets the standby that commits with `synchronous_commit = on` wait for. With an empty name they wait for
 * none.
 */
async function waitForStandby(g: CaptureGround, name: string): Promise<void> {
  await g.source.query(`alter system set synchronous_standby_names = '${name}'`);
  await g.source.query('select pg_reload_conf()');
}

/** Waits until capture has looked at the source three more times. */
async function severalLooks(g: CaptureGround): Promise<void> {
  const starts = new Set<string>();
  await until('three looks at the source', async () => {
    const [row] = await g.source.query<{ start: string }>(
      `select query_start::text as start from pg_stat_activity where application_name = 'waltrail watch' and datname = current_database()`,
    );
    if (row !== undefined) starts.add(row.start);
    return starts.size > 3;
  });
}
