import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { parseConfig } from '../../src/tracking/load.js';
import { planTracking } from '../../src/tracking/plan.js';
import { troublesOf } from '../../src/tracking/troubles.js';
import { applyTracking, captureGround, testConfig, type CaptureGround } from '../support/capture.ts';
import { freshDatabase, majorVersion } from '../support/database.ts';
import { catalogOf } from '../support/tracking.ts';
import { until } from '../support/until.ts';

const SCHEMA = `create table items (id int primary key, name text); create table logs (id int primary key, line text)`;
const YAML = `
tables: { "public.*": { entity: thing, name: "{name}" } }
exclude: [public.logs*]`;
const MODES = {
  report: ', on_new_table: report',
  apply: ', on_new_table: apply',
  follow: ', event_trigger: true, on_new_table: follow',
};

const ground = (mode: keyof typeof MODES, schemaSql = SCHEMA): Promise<CaptureGround> =>
  captureGround({ schemaSql, yaml: YAML, sourceYaml: MODES[mode], options: { pace: { lookMs: 200 } } });

interface Gap {
  readonly code: string;
  readonly tables: readonly string[];
  readonly closed: boolean;
}
const gaps = (g: CaptureGround): Promise<Gap[]> =>
  g.trail.query<Gap>('select code, tables, closed_at is not null as closed from trail.gap order by id');

/** What was captured of tables of the source, in words. */
const rows = async (g: CaptureGround): Promise<string[]> =>
  (await g.caughtUp())
    .filter(({ rung }) => rung !== 'w')
    .map(({ table, operation, entityId, previous, updated }) =>
      [table, operation, entityId, previous?.['name'] ?? '-', updated?.['name'] ?? '-'].join(' '),
    );

const publishedSchemas = (g: CaptureGround): Promise<unknown[]> =>
  g.source.query(
    `select n.nspname as schema from pg_publication_namespace s join pg_namespace n on n.oid = s.pnnspid`,
  );

/** Waits for a look after the change: that look reports a table created now. */
const looked = async (g: CaptureGround): Promise<void> => {
  const mark = `mark_${(marks += 1)}`;
  await g.source.query(`create table ${mark} (id int primary key, name text)`);
  await until(`a look at ${mark}`, async () =>
    (await g.entries()).some(({ entityName }) => entityName === `public.${mark}`),
  );
};
let marks = 0;

test('report: a new table is named within 5 s, with a gap from its creation to its publication', async () => {
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  await g.source.query(`create table fresh as select 1 as id, 'unsent' as name`);
  const made = performance.now();
  await until('a gap', async () => (await gaps(g)).length > 0);
  expect(performance.now() - made).toBeLessThan(5_000);
  expect(await gaps(g)).toEqual([
    { code: 'SOURCE_PUBLICATION_INCOMPLETE', tables: ['public.fresh'], closed: false },
  ]);
  await applyTracking(g.config);
  await until('the end of the gap', async () => (await gaps(g))[0]!.closed);
  await g.source.query(`update fresh set name = 'sent'`);
  expect(await rows(g)).toEqual(['public.fresh u 1 unsent sent']);
});

describe('apply', () => {
  test('capture publishes a new table, and its gap ends', async () => {
    await using g = await ground('apply');
    await g.source.query(`
      create table fresh (id int primary key, name text); insert into fresh values (1, 'unsent');
      create table parts (id int primary key, name text) partition by range (id);
      create table parts_low partition of parts for values from (0) to (10);
      create table logs_more (id int, line text)`);
    await until('the end of the gaps', async () => {
      const now = await gaps(g);
      return now.length > 0 && now.every(({ closed }) => closed);
    });
    expect((await gaps(g)).flatMap(({ tables }) => tables)).not.toContain('public.logs_more');
    await g.source.query(`update fresh set name = 'sent'; insert into parts values (1, 'a part')`);
    expect(await rows(g)).toEqual(['public.fresh u 1 unsent sent', 'public.parts i 1 - a part']);
    expect(planTracking({ config: g.config, catalog: await catalogOf(g.source.url) }).steps).toEqual([]);
  });

  test('a table that somebody removes from the publication stays out, also after a restart', async () => {
    await using g = await ground('apply');
    await g.source.query(`alter publication waltrail drop table items`);
    await until('a gap', async () => (await gaps(g)).length > 0);
    await looked(g);
    await g.restart();
    await looked(g);
    expect((await gaps(g))[0]).toEqual({
      code: 'SOURCE_PUBLICATION_INCOMPLETE',
      tables: ['public.items'],
      closed: false,
    });
    expect(
      await g.source.query(`select from pg_publication_rel where prrelid = 'items'::regclass`),
    ).toHaveLength(0);
  });

  test('a table that is locked is left alone for a while, and the others are published', async () => {
    await using g = await ground('apply');
    const busy = new pg.Client(g.source.url);
    await busy.connect();
    await g.source.query(`create table fresh (id int primary key, name text)`);
    await busy.query(`begin; lock table fresh in access share mode`);
    await looked(g);
    expect(g.capture.status().state).toBe('streaming');
    await busy.query('commit');
    await busy.end();
    await g.restart();
    await until(
      'the table to be published',
      async () =>
        (await g.source.query(`select from pg_publication_rel where prrelid = 'fresh'::regclass`)).length > 0,
    );
  });
});

describe('follow', () => {
  test('a new table is captured from its first row, however it is created, with previous values and without a gap', async () => {
    await using g = await ground('follow');
    if ((await majorVersion(g.source)) < 15) return;
    await g.source.query(`
      create table copied as select 1 as id, 'copied' as name;
      update copied set name = 'changed';
      select 2 as id, 'chosen' as name into chosen;
      create table parts (id int, name text) partition by range (id);
      create table parts_low partition of parts for values from (0) to (10);
      insert into parts values (1, 'a part'); update parts set name = 'another';
      begin; create table keyed (id int primary key, name text); insert into keyed values (7, 'in a transaction'); commit;
      create table logs_new (id int, line text); insert into logs_new values (1, 'no'); update logs_new set line = 'x'`);
    expect(await rows(g)).toEqual([
      'public.copied i 1 - copied',
      'public.copied u 1 copied changed',
      'public.chosen i 2 - chosen',
      'public.parts i 1 - a part',
      'public.parts u 1 a part another',
      'public.keyed i 7 - in a transaction',
    ]);
    await looked(g);
    expect(await gaps(g)).toEqual([]);
    expect(planTracking({ config: g.config, catalog: await catalogOf(g.source.url) }).steps).toEqual([]);
    expect(troublesOf({ config: g.config, catalog: await catalogOf(g.source.url) })).toEqual([]);
  });

  test('renaming, recreating, attaching and detaching tables loses nothing and makes no gap', async () => {
    await using g = await ground('follow');
    if ((await majorVersion(g.source)) < 15) return;
    await g.source.query(`
      alter table items rename to things; insert into things values (1, 'renamed');
      begin; drop table things; create table items (id int primary key, name text); insert into items values (1, 'new'); commit;
      create table parts (id int primary key, name text) partition by range (id);
      create table parts_low (id int primary key, name text);
      insert into parts_low values (1, 'alone');
      alter table parts attach partition parts_low for values from (0) to (10);
      insert into parts values (2, 'attached');
      alter table parts detach partition parts_low; insert into parts_low values (3, 'detached')`);
    expect((await rows(g)).map((row) => row.split(' ').slice(3).join(' '))).toEqual([
      '- renamed',
      '- new',
      '- alone',
      '- attached',
      '- detached',
    ]);
    await looked(g);
    expect(await gaps(g)).toEqual([]);
  });

  test('is not planned while a table of the schema has no usable identity, and plan names that table', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    if ((await majorVersion(source)) < 15) return;
    await source.query(`${SCHEMA}; create table logs_bare (line text)`);
    const config = testConfig({ source, trail, yaml: YAML, sourceYaml: MODES.follow });
    const plan = planTracking({ config, catalog: await catalogOf(source.url) });
    expect(plan.steps.map(({ kind }) => kind)).not.toContain('publication_follow');
    expect(plan.problems).toMatchObject([{ code: 'SOURCE_NOT_FOLLOWED', tables: ['public.logs_bare'] }]);
    // The remedy of the problem helps.
    await source.query('alter table only public.logs_bare replica identity full');
    await applyTracking(config);
    await source.query(
      `insert into logs_bare values ('a'); update logs_bare set line = 'b'; delete from logs_bare`,
    );
    expect(planTracking({ config, catalog: await catalogOf(source.url) })).toMatchObject({
      steps: [],
      problems: [],
    });
  });

  test('leaves each table of the schema listed in the publication when it ends', async () => {
    await using g = await captureGround({
      schemaSql: SCHEMA,
      yaml: YAML,
      sourceYaml: ', event_trigger: true',
      options: { pace: { lookMs: 200 } },
    });
    if ((await majorVersion(g.source)) < 15) return;
    const config = (mode: string) => testConfig({ ...g, yaml: YAML, sourceYaml: mode });
    await applyTracking(config(MODES.follow));
    await until('a look', async () => (await publishedSchemas(g)).length === 1);
    await g.source.query(`insert into items values (1, 'followed')`);
    await looked(g);
    await g.source.query(`create table fresh as select 1 as id, 'fresh' as name`);
    await looked(g);
    const before = await gaps(g);
    await applyTracking(config(', event_trigger: true'));
    await g.source.query(`insert into items values (2, 'still'); insert into fresh values (2, 'still')`);
    expect((await rows(g)).map((row) => row.split(' ').at(-1))).toEqual([
      'followed',
      'fresh',
      'still',
      'still',
    ]);
    expect(await publishedSchemas(g)).toEqual([]);
    expect(before.flatMap(({ tables }) => tables)).not.toContain('public.items');
    await g.source.query(`create table later (id int primary key, name text)`);
    // A look cannot know whether a table that only the schema published was added first.
    await until('a gap of the table that is not followed, and no other', async () => {
      const open = (await gaps(g)).filter(({ closed }) => !closed);
      return open.length === 1 && open[0]!.tables[0] === 'public.later';
    });
  });

  test('is refused without the event trigger', () => {
    expect(() =>
      parseConfig({
        file: 'w.yaml',
        environment: {},
        text: `source: { name: crm, url: "postgres://a", on_new_table: follow }\ntrail: { url: "postgres://b" }\ntables: { public.items: { entity: item } }`,
      }),
    ).toThrow(/w\.yaml:1:\d+: source\.on_new_table must not be follow without event_trigger: true/);
  });
});
