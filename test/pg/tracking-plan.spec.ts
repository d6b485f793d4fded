import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { connect } from '../../src/pg/connect.js';
import { applyPlan } from '../../src/tracking/apply.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { loadConfig, parseConfig } from '../../src/tracking/load.js';
import { checkTracking } from '../../src/tracking/check.js';
import { applyProblems, type TrackingPlan } from '../../src/tracking/findings.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { waltrail, type CommandResult } from '../support/command.ts';
import { freshDatabase, majorVersion, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const configOf = (database: TestDatabase, text: string): TrackingConfig =>
  parseConfig({
    text: `source: { name: crm, url: "\${URL}", slot: ${database.name} }\ntrail: { url: "\${URL}" }\n${text}`,
    file: 'w.yaml',
    environment: { URL: database.url },
  });

type Client = Awaited<ReturnType<typeof connect>>;

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect({ url, purpose: 'test' });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const plan = (database: TestDatabase, config: TrackingConfig, url = database.url): Promise<TrackingPlan> =>
  withClient(url, async (client) => planTracking({ config, catalog: await readCatalog(client) }));

/** Applies a plan and returns it. Afterwards nothing is left to do. */
async function apply(database: TestDatabase, config: TrackingConfig): Promise<TrackingPlan> {
  const before = await plan(database, config);
  expect(before.problems).toEqual([]);
  await withClient(database.url, (client) => applyPlan(client, before));
  const after = await plan(database, config);
  expect([after.steps, after.problems]).toEqual([[], []]);
  return before;
}

const summary = ({ steps }: TrackingPlan): string[] =>
  steps.map(({ kind, tables }) => `${kind} ${tables.join(' ')}`.trim());

const published = async (database: TestDatabase): Promise<string[]> =>
  (
    await database.query<{ name: string }>(
      `select schemaname || '.' || tablename as name from pg_publication_tables where pubname = 'waltrail' order by 1`,
    )
  ).map(({ name }) => name);

describe('plan and apply', () => {
  test('bring the sample CRM to the state of its file, and then have nothing to do', async () => {
    await using database = await freshDatabase('crm');
    const config = loadConfig({
      file: path.resolve(import.meta.dirname, '../../config/sample.yaml'),
      environment: { WALTRAIL_SOURCE_URL: database.url, WALTRAIL_TRAIL_URL: database.url },
    });
    const applied = await apply(database, config);
    expect(applied.steps.at(-1)!.kind).toBe('publication_create');
    const tables = await published(database);
    expect(tables).toEqual(expect.arrayContaining(config.tables.map(({ pattern }) => pattern)));
    expect(tables).toContain('public.organizations');
    const [options] = await database.query(
      'select pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot from pg_publication',
    );
    expect(options).toEqual({
      pubinsert: true,
      pubupdate: true,
      pubdelete: true,
      pubtruncate: true,
      pubviaroot: true,
    });
    expect(
      await database.query(
        `select relname from pg_class c join pg_publication_rel on prrelid = c.oid where relreplident <> 'f'`,
      ),
    ).toEqual([{ relname: 'organizations' }]);
  });

  test('accept names with capitals, spaces, dots, quotes and stars', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      `create schema "we.ird"; create table public."Weird Table" (id int primary key, "col umn" text);
       create table "we.ird"."a*b""c" ("Id" int, "x'y" text, primary key ("Id"))`,
    );
    const config = configOf(
      database,
      `tables:
  public.Weird Table: { entity: a, name: "{col umn}", modifier: col umn }
  '"we.ird"."a*b""c"': { entity: b, name: "{x'y}", id: Id }
`,
    );
    await apply(database, config);
    expect(await published(database)).toEqual(['public.Weird Table', 'we.ird.a*b"c']);
    await database.query(
      `insert into public."Weird Table" values (1, 'a'); update public."Weird Table" set "col umn" = 'b'`,
    );
  });

  test('add the tables that the file gains and drop those that it loses', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key); create table b (id int primary key)');
    await apply(database, configOf(database, 'tables: { public.a: { entity: a } }'));
    const second = await apply(database, configOf(database, 'tables: { public.b: { entity: b } }'));
    expect(summary(second)).toEqual([
      'publication_drop public.a',
      'identity_restore public.a',
      'replica_identity public.b',
      'publication_add public.b',
    ]);
    expect(second.steps[1]!.sql).toBe('alter table only "public"."a" replica identity default');
    expect(await published(database)).toEqual(['public.b']);
  });

  test('restore what somebody else changed in the publication', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, x int); create table b (id int primary key); create table c (id int)',
    );
    const config = configOf(database, 'tables: { public.a: { entity: a }, public.b: { entity: b } }');
    await apply(database, config);
    await database.query(`alter publication waltrail set table a where (x > 1), c;
      alter publication waltrail set (publish = 'insert', publish_via_partition_root = false); alter table b replica identity default`);
    const again = await apply(database, config);
    expect(summary(again)).toEqual([
      'publication_options',
      'publication_drop public.c',
      'publication_drop public.a',
      'replica_identity public.b',
      'publication_add public.a public.b',
    ]);
    expect(
      await database.query(
        `select attnames::text, rowfilter from pg_publication_tables where tablename = 'a'`,
      ),
    ).toEqual([{ attnames: '{id,x}', rowfilter: null }]);
  });

  test('remove a column list with which PostgreSQL would refuse updates', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key, x int)');
    const config = configOf(database, 'tables: { public.a: { entity: a } }');
    await apply(database, config);
    await database.query('alter publication waltrail set table a (id)');
    expect(summary(await apply(database, config))).toEqual([
      'publication_drop public.a',
      'publication_add public.a',
    ]);
    await database.query('insert into a values (1, 1); update a set x = 2');
  });

  test('publish a partitioned table through its root, with full identity on every partition', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table events (id int, at date, note text, primary key (id, at)) partition by range (at);
      create table events_1 partition of events for values from ('2026-01-01') to ('2026-02-01');
      create table events_2 partition of events for values from ('2026-02-01') to ('2026-04-01') partition by range (at);
      create table events_2a partition of events_2 for values from ('2026-02-01') to ('2026-03-01')`);
    const config = configOf(database, 'tables: { public.*: { entity: event } }');
    const first = await apply(database, config);
    expect(summary(first)).toEqual([
      'replica_identity public.events',
      'replica_identity public.events_1',
      'replica_identity public.events_2a',
      'publication_create public.events',
    ]);
    expect(await published(database)).toEqual(['public.events']);

    await database.query(
      `create table events_3 partition of events for values from ('2026-05-01') to ('2026-06-01')`,
    );
    const later = await plan(database, config);
    expect(later.steps).toMatchObject([
      { kind: 'replica_identity', tables: ['public.events_3'], optional: true },
    ]);
    await apply(database, config);
  });

  test('publish a partition itself where only the partition is tracked', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table events (id int primary key) partition by range (id);
      create table events_1 partition of events for values from (1) to (10)`);
    await apply(database, configOf(database, 'tables: { public.events_1: { entity: event } }'));
    expect(await published(database)).toEqual(['public.events_1']);
  });

  test('leave out a table that only inherits from a tracked one', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table base (id int primary key); create table child () inherits (base)');
    await apply(database, configOf(database, 'tables: { public.base: { entity: base } }'));
    expect(await published(database)).toEqual(['public.base']);
  });

  test('give a table without a primary key an identity before it is published, so that updates work', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table log (line text)');
    const applied = await apply(database, configOf(database, 'tables: { public.log: { entity: log } }'));
    expect(applied.steps.map(({ kind }) => kind)).toEqual(['replica_identity', 'publication_create']);
    expect(applied.warnings.join('\n')).toContain('public.log has no primary key');
    await database.query(`insert into log values ('a'); update log set line = 'b'; delete from log`);
  });

  test('never touch the trail, the queue, views or unlogged tables, whatever a pattern matches', async () => {
    await using database = await freshDatabase('trail');
    await database.query(`create schema bullmq; create table bullmq.job (id int primary key); create table a (id int primary key);
      create view v as select * from a; create unlogged table u (id int primary key)`);
    const applied = await apply(database, configOf(database, `tables: { '*.*': { entity: thing } }`));
    expect(await published(database)).toEqual(['public.a']);
    expect(applied.warnings.join('\n')).toContain('public.u is unlogged');
  });

  test('publish tables of labels that are not tracked, and keep their identity where it has the key', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, team int); create table teams (id int primary key, name text)',
    );
    const config = configOf(
      database,
      `tables: { public.a: { entity: a, labels: { team: { table: public.teams, key: id, name: "{name}" } } } }`,
    );
    expect(summary(await apply(database, config))).toEqual([
      'replica_identity public.a',
      'publication_create public.a public.teams',
    ]);
  });
});

describe("full identity is not set where PostgreSQL would then refuse the application's updates:", () => {
  const tracked = 'tables: { public.a: { entity: a } }';

  /** Virtual columns came with PostgreSQL 18. Before, the column is a stored one, which is harmless. */
  const virtualFrom = (major: number): string =>
    `int generated always as (x * 2) ${major >= 18 ? 'virtual' : 'stored'}`;

  test('a table with a virtual generated column keeps its key, and its updates work', async () => {
    await using database = await freshDatabase('empty');
    const major = await majorVersion(database);
    await database.query(`create table a (id int primary key, x int, y ${virtualFrom(major)})`);
    const applied = await apply(database, configOf(database, tracked));
    expect(summary(applied)).toEqual([
      ...(major >= 18 ? [] : ['replica_identity public.a']),
      'publication_create public.a',
    ]);
    expect(applied.warnings.some((text) => text.includes('it has virtual generated columns'))).toBe(
      major >= 18,
    );
    await database.query('insert into a values (1, 1); update a set x = 2; delete from a');
  });

  test('the same table without a key cannot be tracked', async () => {
    await using database = await freshDatabase('empty');
    const major = await majorVersion(database);
    await database.query(`create table a (x int, y ${virtualFrom(major)})`);
    const { problems } = await plan(database, configOf(database, tracked));
    expect(problems).toMatchObject(
      major >= 18
        ? [
            {
              code: 'SOURCE_REPLICA_IDENTITY',
              message: expect.stringContaining('public.a cannot be tracked'),
            },
          ]
        : [],
    );
  });

  test('a table that another publication holds with only some columns keeps its key', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, x int, y int); create publication other for table a (id, x)',
    );
    const applied = await apply(database, configOf(database, tracked));
    expect(applied.warnings.join('\n')).toContain('it is in publication other with only some of its columns');
    await database.query('insert into a values (1, 1); update a set x = 2');
  });

  test('a table keeps its key when another publication omits its stored generated column', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table a (id int primary key, x int, y int generated always as (x * 2) stored);
      create publication other for all tables`);
    const applied = await apply(database, configOf(database, tracked));
    // Before PostgreSQL 18 no generated column is published, and none prevents anything.
    expect(
      applied.warnings.some((text) =>
        text.includes('it has generated columns that publication other does not publish'),
      ),
    ).toBe((await majorVersion(database)) >= 18);
    await database.query('insert into a values (1, 1); update a set x = 2');
  });

  test('a stored generated column alone is harmless, because our publication publishes it', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, x int, y int generated always as (x * 2) stored)',
    );
    expect(summary(await apply(database, configOf(database, tracked)))).toEqual([
      'replica_identity public.a',
      'publication_create public.a',
    ]);
    await database.query('insert into a values (1, 1); update a set x = 2');
  });
});

test('an audit table is published without changes: only its new rows are needed', async () => {
  await using database = await freshDatabase('empty');
  await database.query('create table a (id int primary key)');
  await database.query('create table audits (id int primary key, user_id int)');
  // PostgreSQL would refuse updates and deletes of this one.
  await database.query('create table keyless (user_id int)');
  await database.query('create table parts (id int, user_id int) partition by list (id)');
  await database.query('create table parts_1 partition of parts for values in (1)');
  const yaml = `attribution:
  - { table: public.audits, modifier: user_id }
  - { table: public.keyless, modifier: user_id }
`;
  const config = configOf(database, `${yaml}tables: { public.a: { entity: a } }\n`);
  const { steps, widened } = await apply(database, config);
  expect(steps.flatMap(({ kind, tables }) => (kind === 'replica_identity' ? tables : []))).toEqual([
    'public.a',
    'public.keyless',
  ]);
  expect(widened.map(({ table }) => table)).toEqual(['public.a', 'public.keyless']);
  expect(await published(database)).toEqual(['public.a', 'public.audits', 'public.keyless']);
  await database.query('insert into audits values (1, 7); update audits set user_id = 2; delete from audits');
  await database.query('insert into keyless values (7); update keyless set user_id = 2; delete from keyless');
  // One that is tracked as well is tracked like any other table.
  const both = await apply(
    database,
    configOf(database, `${yaml}tables: { public.a: { entity: a }, public.audits: { entity: audit } }\n`),
  );
  expect(summary(both)).toEqual(['replica_identity public.audits']);
  const parts = `attribution: [{ table: public.parts, modifier: user_id }]\ntables: { public.a: { entity: a } }\n`;
  const unfit = await plan(database, configOf(database, parts));
  expect(unfit.problems.map(({ message }) => message)).toEqual([
    expect.stringContaining('public.parts is partitioned and has no primary key'),
  ]);
});

describe('a plan names what does not fit:', () => {
  const placedOf = async (database: TestDatabase, text: string): Promise<string[]> =>
    (await plan(database, configOf(database, text))).problems.map(
      ({ code, message }) => `${code} ${message}`,
    );
  /** Messages without their places in the file. */
  const messagesOf = async (database: TestDatabase, text: string): Promise<string[]> =>
    (await placedOf(database, text)).map((line) => line.replace(/w\.yaml:\d+:\d+: /, ''));

  test('tables that do not exist, with the nearest that does', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table agents (id int primary key); create schema crm; create table crm.teams (id int); create view v as select 1',
    );
    expect(
      await messagesOf(
        database,
        `modifiers: { table: public.agnets, key: id, name: "{id}" }
tables:
  public.agent: { entity: a }
  public.teams: { entity: b }
  public.v: { entity: c }
  shop.*: { entity: d }
`,
      ),
    ).toEqual([
      `TRACKING_TABLE_UNKNOWN tables."public.agent": database ${database.name} has no table public.agent. Did you mean "public.agents"?`,
      `TRACKING_TABLE_UNKNOWN tables."public.teams": database ${database.name} has no table public.teams. Did you mean "crm.teams"?`,
      'TRACKING_TABLE_UNKNOWN tables."public.v": public.v is a view, whose changes are not in the WAL.',
      `TRACKING_PATTERN_UNMATCHED tables."shop.*" matches no table of database ${database.name} that may be tracked.`,
      `TRACKING_TABLE_UNKNOWN modifiers.table: database ${database.name} has no table public.agnets. Did you mean "public.agents"?`,
    ]);
  });

  test('columns that do not exist, wherever the file names them', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, name text, updated_by int); create table w (id int primary key, word text, role text)',
    );
    expect(
      (
        await placedOf(
          database,
          `modifiers: { table: public.w, key: idd, name: "{wort}", kind: { column: rolle, bot: [x] } }
tables:
  public.a:
    entity: a
    id: [id, no]
    name: "{nam}"
    modifier: updated_byy
    tenant: org
    ignore: [seen]
    labels: { team: { table: public.w, key: idd, name: "{wort}" } }
    values: { state: { 1: x } }
    actions:
      - { on: update, changed: blocked, when: { kind: 1 }, action: block }
`,
        )
      ).map((line) => line.replace('TRACKING_COLUMN_UNKNOWN ', '')),
    ).toEqual([
      'w.yaml:7:5: tables."public.a".id: table public.a has no column "no".',
      'w.yaml:8:5: tables."public.a".name: table public.a has no column "nam". Did you mean "name"?',
      'w.yaml:9:5: tables."public.a".modifier: table public.a has no column "updated_byy". Did you mean "updated_by"?',
      'w.yaml:10:5: tables."public.a".tenant: table public.a has no column "org".',
      'w.yaml:11:14: tables."public.a".ignore[0]: table public.a has no column "seen".',
      'w.yaml:12:15: tables."public.a".labels.team: table public.a has no column "team".',
      'w.yaml:13:15: tables."public.a".values.state: table public.a has no column "state".',
      'w.yaml:15:23: tables."public.a".actions[0].changed: table public.a has no column "blocked".',
      'w.yaml:15:49: tables."public.a".actions[0].when.kind: table public.a has no column "kind".',
      'w.yaml:3:31: modifiers.key: table public.w has no column "idd". Did you mean "id"?',
      'w.yaml:3:41: modifiers.name: table public.w has no column "wort". Did you mean "word"?',
      'w.yaml:3:65: modifiers.kind.column: table public.w has no column "rolle". Did you mean "role"?',
      'w.yaml:12:40: tables."public.a".labels.team.key: table public.w has no column "idd". Did you mean "id"?',
      'w.yaml:12:50: tables."public.a".labels.team.name: table public.w has no column "wort". Did you mean "word"?',
    ]);
  });

  test('a column of a pattern only where no table has it', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, updated_by int); create table b (id int primary key, title text)',
    );
    const found = await plan(
      database,
      configOf(
        database,
        `tables: { public.*: { entity: x, name: "{title}", modifier: updated_by, tenant: org } }`,
      ),
    );
    expect(found.problems.map(({ message }) => message)).toEqual([
      'w.yaml:3:73: tables."public.*".tenant: table public.a has no column "org".',
    ]);
    expect(found.warnings).toContain(
      'w.yaml:3:34: tables."public.*".name: column "title" is missing in public.a.',
    );
  });

  test('a rule of redact that matches nothing: its values would be stored', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key, body text, settings jsonb, title text); create table other (boddy text)',
    );
    const found = await plan(
      database,
      configOf(
        database,
        `redact:
  - { columns: [boddy], with: mask }
  - { columns: [body, bodi], tables: [public.a], with: { truncate: 5 } }
  - { columns: [settings.api_key, "context.ip", "*.phone"], with: mask }
  - { columns: [title.api_key], with: mask }
  - { columns: ["*_digits"], tables: [public.a], with: mask }
  - { columns: ["*body", "x*"], tables: [public.a, public.b], with: mask }
  - { columns: ["*secret*"], with: mask }
tables: { public.a: { entity: a } }
`,
      ),
    );
    expect(found.problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'TRACKING_REDACTION_UNMATCHED w.yaml:4:17: redact[0].columns[0]: no tracked table has a column "boddy". Did you mean "body"?',
      'TRACKING_REDACTION_UNMATCHED w.yaml:5:23: redact[1].columns[1]: no tracked table has a column "bodi". Did you mean "body"?',
      'TRACKING_REDACTION_UNMATCHED w.yaml:7:17: redact[3].columns[0]: "title.api_key" is a member of a column whose type is not json, jsonb or hstore.',
      'TRACKING_REDACTION_UNMATCHED w.yaml:8:5: redact[4]: the rule matches no column of a tracked table.',
    ]);
    expect(found.warnings).toEqual(
      expect.arrayContaining([
        'w.yaml:9:26: redact[5].columns[1]: "x*" matches no column of a tracked table.',
        'w.yaml:9:52: redact[5].tables[1]: "public.b" matches no tracked table.',
        'w.yaml:10:17: redact[6].columns[0]: "*secret*" matches no column of a tracked table.',
      ]),
    );
  });

  test('a rule of redact that matches nothing does not stop a running capture: a migration may have dropped the column', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key, body text)');
    const config = configOf(
      database,
      'redact: [ { columns: [body], with: mask } ]\ntables: { public.a: { entity: a } }',
    );
    await apply(database, config);
    await database.query('alter table a drop column body');
    const checked = await withClient(database.url, (client) => checkTracking(client, config));
    expect(checked.troubles).toEqual([]);
    expect(checked.remarks.join('\n')).toContain('no tracked table has a column "body"');
    expect(applyProblems(await plan(database, config))).toHaveLength(1);
  });

  test('exclusions of nothing, actions that never occur, and listed columns that do not exist', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key, state text, kind int, seen int)');
    const { warnings } = await plan(
      database,
      configOf(
        database,
        `exclude: [public.b, "log.*"]
secrets: { allow: [public.a.nothing, public.a.state] }
tables:
  public.a:
    entity: a
    columns: [state, "ki*", colour]
    ignore: [seen]
    modifier: [{ column: seen, action: [tuch, one] }, { column: seen, on: update, action: tree }]
    actions:
      - { on: update, changed: [state, kind], action: touch }
      - { on: update, changed: state, to: open, action: open }
      - { on: update, changed: seen, action: see }
      - { on: [insert, delete], when: { kind: [1, 2] }, action: some }
      - { on: insert, when: { kind: 1 }, action: one }
      - { on: insert, when: { kind: 3 }, action: three }
`,
      ),
    );
    expect(warnings.filter((text) => text.startsWith('w.yaml'))).toEqual([
      'w.yaml:8:29: tables."public.a".columns[2]: "colour" matches no column of public.a.',
      'w.yaml:4:20: secrets.allow[0]: "public.a.nothing" matches no tracked column.',
      'w.yaml:13:9: tables."public.a".actions[1]: action open is never taken: earlier rules match every change that it matches.',
      'w.yaml:14:9: tables."public.a".actions[2]: action see is never taken: changes of seen are ignored.',
      'w.yaml:16:9: tables."public.a".actions[4]: action one is never taken: earlier rules match every change that it matches.',
      'w.yaml:10:83: tables."public.a".modifier[1].action: column "seen" never names a modifier: update of this table is never tree.',
      'w.yaml:3:11: exclude[0]: "public.b" excludes no table.',
      'w.yaml:3:21: exclude[1]: "log.*" excludes no table.',
    ]);
  });

  test('missing columns in the rules for a modifier', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key, sender_id int, kind text)');
    await database.query('create table people (id int primary key, name text)');
    const { problems } = await plan(
      database,
      configOf(
        database,
        `modifiers: { agents: { table: public.people, key: id, name: "{nam}" } }
tables:
  public.a:
    entity: a
    modifier:
      - { column: senderid, as: { kinds: { User: agents } } }
      - { column: sender_id, when: { kynd: x } }
`,
      ),
    );
    expect(problems.map(({ message }) => message)).toEqual([
      'w.yaml:8:9: tables."public.a".modifier[0]: table public.a has no column "senderid". Did you mean "sender_id"?',
      'w.yaml:8:29: tables."public.a".modifier[0].as: table public.a has no column "kinds". Did you mean "kind"?',
      'w.yaml:9:38: tables."public.a".modifier[1].when.kynd: table public.a has no column "kynd". Did you mean "kind"?',
      'w.yaml:3:55: modifiers.agents.name: table public.people has no column "nam". Did you mean "name"?',
    ]);
  });

  test('audit tables, their columns, and the tables of the rows that they speak for', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key)');
    await database.query('create table audits (id int primary key, user_id int, kind text, row_id text)');
    await database.query('create view versions as select * from audits');
    const { problems } = await plan(
      database,
      configOf(
        database,
        `attribution:
  - { table: public.audit, modifier: user_id }
  - { table: public.versions, modifier: user_id }
  - { table: public.audits, modifier: userid, when: { kid: x }, row: { type: kinds, key: rowid, types: { A: public.as } } }
tables: { public.a: { entity: a } }
`,
      ),
    );
    expect(problems.map(({ message, effect }) => `${message} ${effect}`)).toEqual([
      `w.yaml:4:7: attribution[0].table: database ${database.name} has no table public.audit. Did you mean "public.audits"? modifiers unknown`,
      'w.yaml:5:7: attribution[1].table: public.versions is a view, whose changes are not in the WAL. modifiers unknown',
      `w.yaml:6:106: attribution[2].row.types.A: database ${database.name} has no table public.as. Did you mean "public.a"? modifiers unknown`,
      'w.yaml:6:29: attribution[2].modifier: table public.audits has no column "userid". Did you mean "user_id"? modifiers unknown',
      'w.yaml:6:55: attribution[2].when.kid: table public.audits has no column "kid". Did you mean "id"? modifiers unknown',
      'w.yaml:6:85: attribution[2].row.key: table public.audits has no column "rowid". Did you mean "row_id"? modifiers unknown',
      'w.yaml:6:72: attribution[2].row.type: table public.audits has no column "kinds". Did you mean "kind"? modifiers unknown',
    ]);
  });

  test('tables and columns on the way to a tenant, and tables without a tenant while others have one', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table teams (id int primary key, account int); create table members (id int primary key, team_id int);' +
        'create table plain (id int primary key); create table meant (id int primary key)',
    );
    const { problems, warnings } = await plan(
      database,
      configOf(
        database,
        `tables:
  public.teams: { tenant: account }
  public.members: { tenant: { via: teamid, table: public.teams, key: idd, tenant: acount } }
  public.plain: { tenant: { via: id, table: public.team, key: id, tenant: account } }
  public.meant: { tenant: false }
`,
      ),
    );
    expect(problems.map(({ message, effect }) => `${message} ${effect}`)).toEqual([
      `w.yaml:6:38: tables."public.plain".tenant.table: database ${database.name} has no table public.team. Did you mean "public.teams"? tenants unknown`,
      'w.yaml:5:31: tables."public.members".tenant.via: table public.members has no column "teamid". Did you mean "team_id"? as far as possible',
      'w.yaml:5:65: tables."public.members".tenant.key: table public.teams has no column "idd". Did you mean "id"? tenants unknown',
      'w.yaml:5:75: tables."public.members".tenant.tenant: table public.teams has no column "acount". Did you mean "account"? tenants unknown',
    ]);
    expect(warnings).toContain(
      'public.members has no tenant, but other tables have one. Readers limited to a tenant see none of its entries. ' +
        'Under tenant, name its column, or the row of another table that has it: { via: team_id, table: public.teams, key: id }. With tenant: false, rows have no tenant on purpose.',
    );
  });

  test('columns that look like secrets and are stored, until the YAML decides', async () => {
    await using database = await freshDatabase('empty');
    await database.query(`create table sessions (token text primary key, api_key uuid, password text, token_count int,
      otp_secret text, access_token text, public_key text)`);
    const listed = async (secrets: string): Promise<string | undefined> =>
      (
        await plan(database, configOf(database, `${secrets}\ntables: { public.sessions: { entity: s } }`))
      ).warnings.find((text) => text.includes('look like secrets'));
    expect(await listed('')).toBe(
      'These columns look like secrets and are not redacted: public.sessions.token (key, id, modifier or tenant), ' +
        'public.sessions.api_key (type uuid). For each, add a rule under redact or list it under secrets.allow.',
    );
    expect(
      await listed(
        'redact: [ { columns: [api_key], with: hash } ]\nsecrets: { allow: [public.sessions.token] }',
      ),
    ).toBeUndefined();
    expect(await listed('secrets: { defaults: false, allow: ["*"] }')).toBeUndefined();
    expect(await listed('secrets: { defaults: false }')).toContain(
      'public.sessions.otp_secret (secrets.defaults is false)',
    );
  });

  test('generated columns that are not replicated', async () => {
    await using database = await freshDatabase('empty');
    const major = await majorVersion(database);
    const virtual = major >= 18 ? 'virtual' : 'stored';
    await database.query(
      `create table a (id int primary key, x text, y text generated always as (x || 'y') ${virtual}, z text generated always as (x || 'z') stored)`,
    );
    const ofColumn = (column: string): string =>
      `TRACKING_COLUMN_UNKNOWN tables."public.a".name: "${column}" of public.a is a ${column === 'y' ? virtual : 'stored'} ` +
      `generated column, which PostgreSQL ${major} does not replicate.`;
    expect(await messagesOf(database, `tables: { public.a: { entity: a, name: "{y}{z}" } }`)).toEqual(
      major >= 18 ? [ofColumn('y')] : [ofColumn('y'), ofColumn('z')],
    );
  });

  test('a publication of all tables or of whole schemas, which stays unchanged', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key); create publication waltrail for all tables');
    const config = configOf(database, 'tables: { public.a: { entity: a } }');
    const { problems, steps } = await plan(database, config);
    expect(problems).toMatchObject([{ code: 'SOURCE_PUBLICATION_UNSUITABLE' }]);
    expect(steps.map(({ kind }) => kind)).toEqual(['replica_identity']);
    await expect(
      withClient(database.url, async (client) => applyPlan(client, await plan(database, config))),
    ).rejects.toMatchObject({
      code: 'SOURCE_PUBLICATION_UNSUITABLE',
    });
    await database.query(
      'drop publication waltrail; create publication waltrail for tables in schema public',
    );
    expect((await plan(database, config)).problems).toMatchObject([
      { code: 'SOURCE_PUBLICATION_UNSUITABLE' },
    ]);
  });
});

describe('apply', () => {
  test('gives up after five seconds when the application locks a table, and leaves everything unchanged', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key); create table b (id int primary key)');
    const config = configOf(database, 'tables: { public.*: { entity: x } }');
    const pending = await plan(database, config);
    await withClient(database.url, async (application) => {
      await application.query('begin; lock table public.b in access share mode');
      await expect(withClient(database.url, (client) => applyPlan(client, pending))).rejects.toMatchObject({
        code: 'TRACKING_LOCK_TIMEOUT',
        message: expect.stringContaining('public.b'),
      });
      await application.query('rollback');
    });
    expect(
      await database.query(`select relname from pg_class where relname in ('a', 'b') and relreplident = 'f'`),
    ).toEqual([]);
    await apply(database, config);
  });

  test('waits for locks five seconds in all, so that it does not hold other tables for minutes', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key); create table b (id int primary key)');
    const pending = await plan(database, configOf(database, 'tables: { public.*: { entity: x } }'));
    await withClient(database.url, async (first) => {
      await withClient(database.url, async (second) => {
        await first.query('begin; lock table public.a in access share mode');
        await second.query('begin; lock table public.b in access share mode');
        const began = performance.now();
        const applied = withClient(database.url, (client) => applyPlan(client, pending));
        const failed = expect(applied).rejects.toMatchObject({
          code: 'TRACKING_LOCK_TIMEOUT',
          message: expect.stringContaining('public.b'),
        });
        // The first lock is released when half of the time is over. The second then has only the other half.
        await until('apply to wait', () => performance.now() - began > 2_500);
        await first.query('rollback');
        await failed;
        expect(performance.now() - began).toBeLessThan(7_000);
      });
    });
  });

  test('reports what a role without rights on the tables may not do', async () => {
    await using database = await freshDatabase('empty');
    const role = `${database.name}_role`;
    await database.query(
      `create table a (id int primary key); create role ${role} login replication password 'x'`,
    );
    try {
      const url = new URL(database.url);
      url.username = role;
      url.password = 'x';
      const config = configOf(database, 'tables: { public.a: { entity: a } }');
      const pending = await plan(database, config, url.href);
      expect(pending.problems).toEqual([]);
      await expect(withClient(url.href, (client) => applyPlan(client, pending))).rejects.toMatchObject({
        code: 'SOURCE_PRIVILEGE',
      });
    } finally {
      await database.query(`drop role ${role}`);
    }
  });

  test('works for the owner of the tables, even if that role may not start replication', async () => {
    await using database = await freshDatabase('empty');
    const role = `${database.name}_owner`;
    await database.query(`create role ${role} login password 'x'; grant create on database ${database.name} to ${role};
      create table a (id int primary key); alter table a owner to ${role}`);
    try {
      const url = new URL(database.url);
      url.username = role;
      url.password = 'x';
      const config = configOf(database, 'tables: { public.a: { entity: a } }');
      const pending = await plan(database, config, url.href);
      expect(pending.problems.map(({ code }) => code)).toEqual(['SOURCE_PRIVILEGE']);
      await withClient(url.href, (client) => applyPlan(client, pending));
      expect(await published(database)).toEqual(['public.a']);
    } finally {
      await database.query(`drop owned by ${role} cascade; drop role ${role}`);
    }
  });

  test('fails as a whole when a publication of the same name already exists', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key)');
    const pending = await plan(database, configOf(database, 'tables: { public.a: { entity: a } }'));
    await database.query('create publication waltrail');
    await expect(withClient(database.url, (client) => applyPlan(client, pending))).rejects.toMatchObject({
      code: 'TRACKING_APPLY_FAILED',
      message: expect.stringContaining('42710'),
    });
    expect(await database.query(`select relreplident from pg_class where relname = 'a'`)).toEqual([
      { relreplident: 'd' },
    ]);
  });
});

describe('the commands', () => {
  async function run(
    command: 'plan' | 'apply',
    options: { readonly url: string; readonly tables: string },
  ): Promise<CommandResult> {
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'));
    try {
      const file = path.join(folder, 'waltrail.yaml');
      const head =
        'source: { name: crm, url: "${WALTRAIL_SOURCE_URL}" }\ntrail: { url: "${WALTRAIL_TRAIL_URL}" }\n';
      await writeFile(file, `${head}${options.tables}\n`);
      return await waltrail([command], {
        WALTRAIL_CONFIG: file,
        WALTRAIL_SOURCE_URL: options.url,
        // Another database: a trail in the source itself is a problem.
        WALTRAIL_TRAIL_URL: Object.assign(new URL(options.url), { pathname: '/postgres' }).href,
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test('plan prints SQL and reasons, apply runs them, and running either again has nothing to do', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key)');
    const options = { url: database.url, tables: 'tables: { public.a: { entity: a } }' };

    const planned = await run('plan', options);
    expect(planned.code).toBe(0);
    expect(planned.output).toContain(
      '-- it makes previous values of updates and deletes known\nalter table only "public"."a" replica identity full;',
    );
    expect(planned.output).toContain('max_slot_wal_keep_size');
    expect(await published(database)).toEqual([]);

    const applied = await run('apply', options);
    expect(applied.code).toBe(0);
    expect(applied.output).toContain('Applied: 2 steps in one transaction.');
    expect(await published(database)).toEqual(['public.a']);

    for (const command of ['plan', 'apply'] as const) {
      const again = await run(command, options);
      expect([again.code, again.output]).toEqual([
        0,
        expect.stringContaining('Nothing to do: the source is as the YAML wants it.'),
      ]);
    }
  });

  test('end with 1 and apply the rest when single tables have problems', async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      'create table a (id int primary key); create table e (id int) partition by range (id)',
    );
    const options = { url: database.url, tables: 'tables: { public.*: { entity: x } }' };
    const planned = await run('plan', options);
    expect([planned.code, planned.output]).toEqual([
      1,
      expect.stringMatching(
        /Problems of single tables.*\n- SOURCE_REPLICA_IDENTITY: public\.e is partitioned/,
      ),
    ]);
    const applied = await run('apply', options);
    expect([applied.code, applied.output]).toEqual([1, expect.stringContaining('Applied: 2 steps')]);
    expect(await published(database)).toEqual(['public.a']);
    const again = await run('apply', options);
    expect([again.code, again.output]).toEqual([1, expect.not.stringContaining('Applied')]);
  });

  test('end with 1 and change nothing when there are other problems', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key)');
    const options = {
      url: database.url,
      tables: 'tables: { public.a: { entity: a }, public.b: { entity: b } }',
    };
    for (const command of ['plan', 'apply'] as const) {
      const { code, output } = await run(command, options);
      expect(code).toBe(1);
      expect(output).toMatch(/TRACKING_TABLE_UNKNOWN: \S+\.yaml:\d+:\d+: tables\."public\.b"/);
      expect(output).not.toContain('Nothing to do');
    }
    expect(await database.query('select from pg_publication')).toEqual([]);
  });
});

describe('advice of plan', () => {
  test('has the SQL that lets only the application send logical messages, for every overload', async () => {
    await using database = await freshDatabase('empty');
    await database.query('create table a (id int primary key)');
    const config = configOf(database, 'tables: { public.a: { entity: a } }');
    const { advice } = await plan(database, config);
    expect(advice).toHaveLength(1);
    const overloads = await database.query<{ name: string }>(
      `select oid::regprocedure::text as name from pg_proc where proname = 'pg_logical_emit_message'`,
    );
    const statements = advice[0]!.split('\n').slice(1);
    expect(statements).toHaveLength(2 * overloads.length);
    const [app, other] = [`app_${database.name}`, `other_${database.name}`];
    await database.query(`create role ${app} login; create role ${other} login`);
    const may = async (role: string): Promise<boolean[]> =>
      (
        await database.query<{ may: boolean }>(
          `select has_function_privilege($1, oid, 'execute') as may from pg_proc where proname = 'pg_logical_emit_message'`,
          [role],
        )
      ).map(({ may }) => may);
    try {
      for (const statement of statements) await database.query(statement.replace('app_role', app));
      expect(new Set(await may(app))).toEqual(new Set([true]));
      expect(new Set(await may(other))).toEqual(new Set([false]));
      expect((await plan(database, config)).advice).toEqual([]);
      // What an application has to know to sign messages.
      expect(
        await database.query(
          `select has_function_privilege('${app}', 'pg_control_system()', 'execute') as may`,
        ),
      ).toEqual([{ may: true }]);
    } finally {
      await database.query(`drop owned by ${app}; drop role ${app}; drop role ${other}`);
    }
  });
});
