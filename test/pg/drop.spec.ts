import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { waltrail, type CommandResult } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'))));
afterAll(() => rm(folder, { recursive: true }));

interface Waltrail {
  readonly name: string;
  /** The keys after `source` and `trail`. */
  readonly yaml: string;
  /** More keys of `source`, as `, key: value`. */
  readonly source?: string;
  readonly publication?: string;
}

/** Runs a command on the source. The trail does not exist: none of these commands needs it. */
async function run(
  source: TestDatabase,
  words: readonly string[],
  { name, yaml, source: more = '', publication = 'waltrail' }: Waltrail,
): Promise<CommandResult> {
  const file = path.join(folder, `${name}-${source.name}.yaml`);
  await writeFile(
    file,
    `source: { name: ${name}, url: "\${WALTRAIL_SOURCE_URL}", slot: ${slotOf(source, name)}, publication: ${publication}${more} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
${yaml}
`,
  );
  return waltrail(words, {
    WALTRAIL_CONFIG: file,
    WALTRAIL_SOURCE_URL: source.url,
    WALTRAIL_TRAIL_URL: 'postgres://nobody@127.0.0.1:1/trail',
  });
}

const slotOf = (source: TestDatabase, name: string): string => `${source.name}_${name}`;

async function done(source: TestDatabase, words: readonly string[], one: Waltrail): Promise<string> {
  const { code, output, errors } = await run(source, words, one);
  expect([code, errors]).toEqual([0, '']);
  return output;
}

const makeSlot = (source: TestDatabase, name: string): Promise<unknown> =>
  source.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slotOf(source, name)]);

/** Rows of a catalog as text without oids and transaction ids. */
const SNAPSHOTS = {
  classes: `select n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relacl::text, c.relowner::regrole::text
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname !~ '^pg_toast' and c.relkind <> 't'`,
  indexes: `select indexrelid::regclass::text, indisreplident, indisprimary, indisvalid from pg_index where indrelid >= 16384`,
  attributes: `select attrelid::regclass::text, attname, attacl::text from pg_attribute where attrelid >= 16384 and attnum > 0 and attrelid not in (select oid from pg_class where relkind = 't' or relname ~ '^pg_toast')`,
  publications: `select to_jsonb(p) - 'oid' from pg_publication p`,
  members: `select p.pubname, r.prrelid::regclass::text, to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs'
              from pg_publication_rel r join pg_publication p on p.oid = r.prpubid`,
  schemas: `select nspname, nspacl::text, nspowner::regrole::text from pg_namespace`,
  functions: `select oid::regprocedure::text, proacl::text from pg_proc where oid >= 16384`,
  eventTriggers: 'select evtname, evtenabled from pg_event_trigger',
  triggers: 'select tgname, tgrelid::regclass::text, tgenabled from pg_trigger where not tgisinternal',
  comments: `select classoid::regclass::text, objsubid, description,
                    case when classoid = 'pg_class'::regclass then objoid::regclass::text end
               from pg_description where objoid >= 16384`,
  settings:
    'select setconfig::text from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase where d.datname = current_database()',
  slots: 'select slot_name from pg_replication_slots where database = current_database()',
} as const;

async function snapshot(source: TestDatabase): Promise<Record<string, readonly string[]>> {
  const taken: Record<string, readonly string[]> = {};
  for (const [name, sql] of Object.entries(SNAPSHOTS))
    taken[name] = (await source.query<{ row: string }>(`select to_json(x)::text as row from (${sql}) x`))
      .map(({ row }) => row)
      .sort();
  return taken;
}

/** The number of tables. They have every kind of replica identity, and some are in another publication. */
const TABLES = 138;
const schemaSql = `
  create schema app;
  ${Array.from({ length: TABLES - 8 }, (_, index) => `create table app.t${index} (id int primary key, name text, code int not null, unique (code));`).join('\n')}
  alter table app.t1 replica identity full;
  alter table app.t2 replica identity nothing;
  alter table app.t3 replica identity using index t3_code_key;
  alter table app.t4 replica identity full;
  alter table app.t5 replica identity nothing;
  create table app."Odd ""name"".x" (id int, name text);
  create table app.no_key (name text);
  create table app.parts (id int, day date, primary key (id, day)) partition by range (day);
  create table app.parts_1 partition of app.parts for values from ('2026-01-01') to ('2026-02-01');
  create table app.parts_2 partition of app.parts for values from ('2026-02-01') to ('2026-03-01');
  alter table app.parts_2 replica identity full;
  create table app.base (id int primary key);
  create table app.child (more int, primary key (id)) inherits (app.base);
  create table public.other (id int primary key);
  create publication theirs for table app.t0 (id, name, code) where (id > 5), app.t1, app.t6;
  comment on publication theirs is 'Owned by the warehouse';
  create schema waltrail_else;
  comment on schema app is 'The application';`;

const FIRST: Waltrail = {
  name: 'crm',
  yaml: 'session: [postgrest]\ntables: { "app.*": { entity: thing } }\nexclude: [app.t9]',
};
const SECOND: Waltrail = {
  name: 'billing',
  publication: 'billing',
  yaml: 'session: [hasura, session_user]\ntables: { app.t1: { entity: a }, app.t2: { entity: b }, app.t3: { entity: c }, app.t7: { entity: d }, app.t9: { entity: e }, app.parts: { entity: f }, public.other: { entity: g } }',
};

describe('drop', () => {
  test.each([
    ['in the order of their creation', ['crm', 'billing']],
    ['in the reverse order', ['billing', 'crm']],
  ])(
    'restores the catalog, with two Waltrails and another publication on 138 tables (%s)',
    async (_, order) => {
      await using source = await freshDatabase('empty');
      await source.query(schemaSql);
      const before = await snapshot(source);
      const eventTrigger = { ...FIRST, source: ', event_trigger: true' };
      const both = { crm: eventTrigger, billing: SECOND } as const;
      await done(source, ['apply'], eventTrigger);
      await done(source, ['apply'], SECOND);
      await makeSlot(source, 'crm');
      await makeSlot(source, 'billing');
      const [first, second] = order.map((name) => both[name as keyof typeof both]) as [Waltrail, Waltrail];

      expect(await done(source, ['drop'], first)).toContain('Nothing was changed yet');
      expect(await done(source, ['drop', '--yes'], first)).toContain('Dropped.');
      expect((await snapshot(source)).slots).toEqual([
        JSON.stringify({ slot_name: slotOf(source, second.name) }),
      ]);
      // The other one still has everything that it needs.
      const left = await run(source, ['plan'], second);
      expect([left.code, left.output]).toEqual([0, expect.stringContaining('Nothing to do')]);

      await done(source, ['drop', '--yes'], second);
      expect(await snapshot(source)).toEqual(before);
      expect(await done(source, ['drop', '--yes'], second)).toContain('Nothing to do');
    },
  );

  test('restores what apply removed before, and what was added later', async () => {
    await using source = await freshDatabase('empty');
    await source.query(schemaSql);
    const before = await snapshot(source);
    const yaml = (tables: string): Waltrail => ({ name: 'crm', yaml: `tables: { ${tables} }` });
    await done(
      source,
      ['apply'],
      yaml('app.t2: { entity: a }, app.t3: { entity: b }, app.t1: { entity: c }'),
    );
    await done(source, ['apply', '--yes'], yaml('app.t4: { entity: a }, app.t5: { entity: b }'));
    const identities = async (): Promise<string> =>
      (
        await source.query<{ found: string }>(
          `select string_agg(relname || ' ' || relreplident::text, ', ' order by relname) as found from pg_class where relname ~ '^t[1-5]$'`,
        )
      )[0]!.found;
    expect(await identities()).toBe('t1 f, t2 n, t3 i, t4 f, t5 f');
    await source.query('create table app.late (id int primary key)');
    await done(
      source,
      ['apply'],
      yaml('app.t4: { entity: a }, app.t5: { entity: b }, app.late: { entity: c }'),
    );
    await source.query('alter table app.t5 rename to t5_new');
    await done(source, ['drop', '--yes'], yaml('app.t4: { entity: a }'));
    await source.query('alter table app.t5_new rename to t5; drop table app.late');
    const after = await snapshot(source);
    // A renamed table is not known to have had no identity.
    expect(await identities()).toBe('t1 f, t2 n, t3 i, t4 f, t5 d');
    await source.query('alter table app.t5 replica identity nothing');
    expect({ ...after, classes: [] }).toEqual({ ...before, classes: [] });
    expect(await snapshot(source)).toEqual(before);
  });

  test('does nothing while the slot is being read, or without the yes', async () => {
    await using source = await freshDatabase('empty');
    await source.query(schemaSql);
    await done(source, ['apply'], FIRST);
    await makeSlot(source, 'crm');
    const applied = await snapshot(source);
    const reader = new pg.Client({
      connectionString: source.url,
      replication: 'database',
    } as pg.ClientConfig);
    reader.on('error', () => undefined);
    await reader.connect();
    try {
      reader
        .query(
          `START_REPLICATION SLOT "${slotOf(source, 'crm')}" LOGICAL 0/0 (proto_version '1', publication_names 'waltrail')`,
        )
        .catch(() => undefined);
      await source.query('select pg_sleep(0.3)');
      const refused = await run(source, ['drop', '--yes'], FIRST);
      expect(refused.code).toBe(1);
      expect(refused.output).toContain('SOURCE_SLOT_BUSY');
      expect(refused.output).toContain('Stop that Waltrail first.');
    } finally {
      (reader as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
    }
    expect(await snapshot(source)).toEqual(applied);
  });

  test('keeps a publication and a full identity that existed before', async () => {
    await using source = await freshDatabase('empty');
    await source.query(`${schemaSql} create publication waltrail for table app.t1, app.t2`);
    const own: Waltrail = { name: 'crm', yaml: 'tables: { app.t1: { entity: a }, app.t2: { entity: b } }' };
    await done(source, ['apply'], own);
    const output = await done(source, ['drop', '--yes'], own);
    expect(output).toContain('Publication waltrail existed before Waltrail. It stays');
    const { publications, comments } = await snapshot(source);
    expect(publications).toHaveLength(2);
    expect(comments!.join('\n')).not.toContain('Waltrail');
    expect(
      await source.query(`select relreplident from pg_class where relname in ('t1', 't2') order by relname`),
    ).toEqual([
      { relreplident: 'f' },
      // With its previous identity, PostgreSQL would refuse the application's updates.
      { relreplident: 'f' },
    ]);
  });

  test('keeps replica identities when an earlier release did not record the previous ones, and reports that', async () => {
    await using source = await freshDatabase('empty');
    await source.query('create table a (id int primary key)');
    const own: Waltrail = { name: 'crm', yaml: 'tables: { public.a: { entity: a } }' };
    await done(source, ['apply'], own);
    await source.query(`comment on publication waltrail is 'Waltrail: source crm'`);
    const output = await done(source, ['drop', '--yes'], own);
    expect(output).toContain('its earlier replica identity is unknown');
    expect(output).toContain('alter table only "public"."a" replica identity default;');
    expect(await source.query(`select relreplident from pg_class where relname = 'a'`)).toEqual([
      { relreplident: 'f' },
    ]);
  });

  test('leaves a publication alone that is not marked as its own', async () => {
    await using source = await freshDatabase('empty');
    await source.query('create table a (id int primary key); create publication waltrail for table a');
    const own: Waltrail = { name: 'crm', yaml: 'tables: { public.a: { entity: a } }' };
    const nobodys = await run(source, ['drop', '--yes'], own);
    expect([nobodys.code, nobodys.output]).toEqual([1, expect.stringContaining('has no mark of Waltrail')]);
    await source.query(`comment on publication waltrail is 'Waltrail: source billing'`);
    const theirs = await run(source, ['drop', '--yes'], own);
    expect([theirs.code, theirs.output]).toEqual([
      1,
      expect.stringContaining('Run waltrail drop with the YAML of source billing.'),
    ]);
    expect((await snapshot(source)).publications).toHaveLength(1);
  });

  test('drops a role, and what it was granted, with it', async () => {
    await using source = await freshDatabase('empty');
    const role = `capture "${source.name}`;
    const quoted = `"${role.replaceAll('"', '""')}"`;
    await source.query(`create table a (id int primary key, name text); create sequence s;
      create function f(int) returns int language sql as 'select 1';
      create role ${quoted} login replication;
      grant connect on database ${source.name} to ${quoted}; grant usage on schema public to ${quoted};
      grant select (id, name) on a to ${quoted}; grant select on sequence s to ${quoted}; grant execute on function f(int) to ${quoted}`);
    const own: Waltrail = { name: 'crm', yaml: 'tables: { public.a: { entity: a } }' };
    await done(source, ['apply'], own);
    expect((await run(source, ['drop', '--role', 'nobody'], own)).code).toBe(2);
    await done(source, ['drop', '--yes', '--role', role], own);
    expect(await source.query('select from pg_roles where rolname = $1', [role])).toEqual([]);
  });
});
