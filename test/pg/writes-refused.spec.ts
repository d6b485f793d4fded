import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { planTracking } from '../../src/tracking/plan.js';
import { troublesOf, type TableTrouble } from '../../src/tracking/troubles.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { freshDatabase, majorVersion, type TestDatabase } from '../support/database.ts';
import { HARMLESS, REFUSALS, type RefusalCase } from '../support/refusals.ts';
import { applyConfig, catalogOf, trackingConfig } from '../support/tracking.ts';

/** The tables of a case, with the yes that those without a trigger need. */
const accepted = ({ tables }: RefusalCase): string =>
  tables.replace('entity: event', 'entity: event, new_partitions: may_refuse_writes');

async function refusals(config: TrackingConfig): Promise<TableTrouble[]> {
  const troubles = troublesOf({ config, catalog: await catalogOf(config.source.url) });
  return troubles.filter(({ effect }) => effect === 'writes refused');
}

async function refusedWith(database: TestDatabase, sql: string): Promise<string | null> {
  return database.query(sql).then(
    () => null,
    (error: unknown) => (error as { code: string }).code,
  );
}

async function migrated(
  database: TestDatabase,
  refusal: RefusalCase,
): Promise<{ config: TrackingConfig; refuses: boolean }> {
  const major = await majorVersion(database);
  await database.query(refusal.schemaSql);
  const config = trackingConfig(database, { tables: accepted(refusal) });
  await applyConfig(config);
  expect(await refusals(config)).toEqual([]);
  await database.query(refusal.migration(major));
  return { config, refuses: major >= refusal.since };
}

describe.each(REFUSALS)('after $name', (refusal) => {
  test('PostgreSQL refuses the write, the trouble names the table, and its remedy works', async () => {
    await using database = await freshDatabase('empty');
    const { config, refuses } = await migrated(database, refusal);
    if (refuses)
      for (const sql of refusal.writes)
        expect([sql, await refusedWith(database, sql)]).toEqual([sql, refusal.sqlState]);
    const found = await refusals(config);
    expect(found.map(({ table, code }) => [table, code])).toEqual(
      refuses ? [[refusal.table, 'SOURCE_WRITES_REFUSED']] : [],
    );
    for (const { message, remedy } of found) {
      expect(message).toContain(`The source refuses updates and deletes of ${refusal.table}, because`);
      await database.query(remedy.slice(remedy.search(/alter (?:table|publication)/)));
    }
    expect(await refusals(config)).toEqual([]);
    for (const sql of refusal.writes) await database.query(sql);
  });

  test('apply repairs it', async () => {
    await using database = await freshDatabase('empty');
    const { config, refuses } = await migrated(database, refusal);
    const { steps, problems } = await applyConfig(config);
    expect(steps.length > 0 || !refuses).toBe(true);
    expect(problems.length > 0).toBe(refuses && refusal.leaves === true);
    expect(await refusals(config)).toEqual([]);
    for (const sql of refusal.writes) await database.query(sql);
    const again = planTracking({ config, catalog: await catalogOf(database.url) });
    expect(again.steps).toEqual([]);
  });
});

test.each(HARMLESS)('no write is refused after: $name', async ({ sql }) => {
  await using database = await freshDatabase('empty');
  await database.query('create table items (id int primary key, x int); insert into items values (1, 1)');
  const config = trackingConfig(database, { tables: '{ public.items: { entity: item } }' });
  await applyConfig(config);
  await database.query(sql);
  expect(await refusals(config)).toEqual([]);
});

test('no write of the application fails at any moment of apply', async () => {
  for (const refusal of REFUSALS) {
    await using database = await freshDatabase('empty');
    const major = await majorVersion(database);
    const client = new pg.Client(database.url);
    await client.connect();
    try {
      await database.query(refusal.schemaSql);
      // Everything that a migration can create exists before the first apply, except what needs a
      // publication.
      const early = refusal.migration(major).replaceAll(/alter publication waltrail [^;]*/g, '');
      await client.query(early);
      const config = trackingConfig(database, { tables: accepted(refusal) });
      const { steps } = planTracking({ config, catalog: await catalogOf(database.url) });
      const before = await working(client, refusal.writes);
      for (const { sql } of steps) {
        await client.query(sql);
        expect([refusal.name, sql, await working(client, before)]).toEqual([refusal.name, sql, before]);
      }
    } finally {
      await client.end();
    }
  }
});

/** Returns the statements that PostgreSQL accepts. Their changes are rolled back. */
async function working(client: pg.Client, statements: readonly string[]): Promise<string[]> {
  const accepted: string[] = [];
  for (const sql of statements) {
    await client.query('begin');
    await client.query(sql).then(
      () => accepted.push(sql),
      () => undefined,
    );
    await client.query('rollback');
  }
  return accepted;
}

describe('a partitioned table without primary key', () => {
  const SCHEMA = `create table events (id int, x int) partition by range (id);
    create table events_1 partition of events for values from (0) to (10); create table items (id int primary key)`;
  const plan = async (database: TestDatabase, tables: string, eventTrigger = false) => {
    const config = trackingConfig(database, { tables, eventTrigger });
    return planTracking({ config, catalog: await catalogOf(database.url) });
  };

  test('is left out, and the others are applied', async () => {
    await using database = await freshDatabase('empty');
    await database.query(SCHEMA);
    const tables = '{ public.*: { entity: thing } }';
    const { problems, steps } = await plan(database, tables);
    expect(problems).toMatchObject([
      {
        code: 'SOURCE_REPLICA_IDENTITY',
        tables: ['public.events'],
        effect: 'not captured',
        remedy: expect.stringMatching(/event_trigger: true.*tables\."public\.\*"\.new_partitions/),
      },
    ]);
    expect(steps.flatMap((step) => step.tables)).toEqual(['public.items', 'public.items']);
    const config = trackingConfig(database, { tables });
    await applyConfig(config);
    expect(troublesOf({ config, catalog: await catalogOf(database.url) })).toMatchObject([
      { table: 'public.events', code: 'SOURCE_REPLICA_IDENTITY', effect: 'not captured' },
    ]);
  });

  test('is published with a separate yes or with the event trigger', async () => {
    await using database = await freshDatabase('empty');
    await database.query(SCHEMA);
    const yes = '{ public.events: { entity: event, new_partitions: may_refuse_writes } }';
    expect((await plan(database, yes)).problems).toEqual([]);
    const { problems, steps } = await plan(database, '{ public.events: { entity: event } }', true);
    expect(problems).toEqual([]);
    expect(steps.map(({ kind }) => kind)).toEqual([
      'event_trigger',
      'replica_identity',
      'replica_identity',
      'publication_create',
    ]);
  });

  test('stays published when it already is, and its partitions are corrected', async () => {
    await using database = await freshDatabase('empty');
    await database.query(SCHEMA);
    await applyConfig(
      trackingConfig(database, {
        tables: '{ public.events: { entity: event, new_partitions: may_refuse_writes } }',
      }),
    );
    await database.query('create table events_2 partition of events for values from (10) to (20)');
    const { problems, steps } = await plan(database, '{ public.events: { entity: event } }');
    expect(problems).toMatchObject([{ tables: ['public.events'], effect: 'as far as possible' }]);
    expect(steps.map(({ sql }) => sql)).toEqual([
      'alter table only "public"."events_2" replica identity full',
    ]);
  });

  test('needs the event trigger or a key when labels use it', async () => {
    await using database = await freshDatabase('empty');
    await database.query(SCHEMA);
    const tables =
      '{ public.items: { entity: item, labels: { id: { table: public.events, key: id, name: "{x}" } } } }';
    expect((await plan(database, tables)).problems).toMatchObject([{ tables: ['public.events'] }]);
    expect((await plan(database, tables, true)).problems).toEqual([]);
  });
});

test('possible virtual columns are warned of once, with the name of the trigger, where the server has them', async () => {
  await using database = await freshDatabase('empty');
  await database.query('create table a (id int primary key); create table b (id int primary key)');
  const catalog = await catalogOf(database.url);
  const warned = (eventTrigger: boolean): number => {
    const config = trackingConfig(database, { tables: '{ public.*: { entity: x } }', eventTrigger });
    const { warnings } = planTracking({ config, catalog });
    return warnings.filter((text) => /virtual generated column.*source\.event_trigger/s.test(text)).length;
  };
  expect([warned(false), warned(true)]).toEqual([(await majorVersion(database)) >= 18 ? 1 : 0, 0]);
});
