import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { loadConfig } from '../../src/tracking/load.js';
import { ruleFor } from '../../src/tracking/match.js';
import type { PlanProblem } from '../../src/tracking/findings.js';
import { planTracking } from '../../src/tracking/plan.js';
import { exemptColumns, wholeRedaction } from '../../src/tracking/redact.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { isSecretName } from '../../src/tracking/secrets.js';
import { templateColumns } from '../../src/tracking/template.js';
import { valueKind } from '../../src/tracking/value-kind.js';
import type { Catalog } from '../../src/tracking/catalog.js';
import { captureGround } from '../support/capture.ts';
import { waltrail } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { catalogOf } from '../support/tracking.ts';

/** What a person who knows the schema would state. The schemas have more, for other specs. */
interface Truth {
  readonly tables: readonly string[];
  readonly internal: readonly string[];
  readonly secrets: readonly string[];
  /** For JSON columns, the members that are secrets. Without any, the whole column is secret. */
  readonly members: Readonly<Record<string, readonly string[]>>;
  readonly names: Readonly<Record<string, string>>;
  readonly tenant: {
    readonly column: string;
    readonly table?: string;
    readonly via?: Readonly<Record<string, string>>;
    readonly without?: readonly string[];
  } | null;
  readonly modifiers: readonly string[];
  readonly notAuthors: readonly string[];
  readonly witness: readonly { readonly table: string; readonly modifier: string }[];
}

const SCHEMAS = path.resolve(import.meta.dirname, '../schemas');
const NAMES = readdirSync(SCHEMAS)
  .filter((file) => file.endsWith('.truth.json'))
  .map((file) => file.slice(0, -'.truth.json'.length));

const schemaOf = (name: string): { readonly sql: string; readonly truth: Truth } => ({
  sql: readFileSync(path.join(SCHEMAS, `${name}.sql`), 'utf8'),
  truth: JSON.parse(readFileSync(path.join(SCHEMAS, `${name}.truth.json`), 'utf8')) as Truth,
});

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'))));
afterAll(() => rm(folder, { recursive: true }));

interface Initialised {
  readonly text: string;
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly string[];
  readonly output: string;
}

let files = 0;

/** What init writes for a database, with the findings of plan. */
async function initialise(url: string, planUrl = url): Promise<Initialised> {
  const file = path.join(folder, `${++files}.yaml`);
  const { code, output, errors } = await waltrail(['init', '--source', url, '--out', file]);
  expect({ code, errors: errors.replaceAll(/^waltrail init: .*\n/gm, '') }).toEqual({ code: 0, errors: '' });
  const config = loadConfig({
    file,
    environment: { WALTRAIL_SOURCE_URL: planUrl, WALTRAIL_TRAIL_URL: planUrl },
  });
  const catalog = await catalogOf(planUrl);
  const { problems, warnings } = planTracking({ config, catalog });
  return { text: await readFile(file, 'utf8'), config, catalog, problems, warnings, output };
}

async function databaseWith(sql: string): Promise<TestDatabase> {
  const database = await freshDatabase('empty');
  await database.query(sql);
  return database;
}

/** Whether the values of a column, or those of its secret members, are redacted. */
function isMasked(column: string, { config, catalog }: Initialised, members: readonly string[]): boolean {
  const [table, name] = column.split('.') as [string, string];
  const of = { schema: 'public', table };
  const found = catalog.tables.find((other) => other.schema === 'public' && other.name === table)!;
  const kind = valueKind(found.columns.find((other) => other.name === name)!.typeOid, catalog.types);
  const exempt = exemptColumns(config, of, found.primaryKey).has(name);
  if (wholeRedaction(config, { ...of, column: name }, { kind, exempt }) !== null) return true;
  return ['json', 'jsonb'].includes(kind.of) && members.length > 0 && members.every(isSecretName);
}

describe.each(NAMES)('init on %s', (name) => {
  const { sql, truth } = schemaOf(name);
  let database: TestDatabase;
  let made: Initialised;
  beforeAll(async () => {
    database = await databaseWith(sql);
    made = await initialise(database.url);
  }, 60_000);
  afterAll(async () => {
    await database[Symbol.asyncDispose]();
  });

  const ruleOf = (table: string) => ruleFor(made.config, { schema: 'public', table });

  test('writes a YAML that plan accepts', () => {
    expect(made.problems).toEqual([]);
    expect(made.warnings.filter((warning) => /no table|look like secrets|is missing/.test(warning))).toEqual(
      [],
    );
  });

  test('gives every table of the application a separate entity type, and leaves out tables of frameworks', () => {
    expect(truth.tables.filter((table) => ruleOf(table) === undefined)).toEqual([]);
    expect(truth.internal.filter((table) => ruleOf(table) !== undefined)).toEqual([]);
    const entities = truth.tables.map((table) => ruleOf(table)!.entity);
    expect(new Set(entities).size).toBe(truth.tables.length);
  });

  test('uses the natural name of at least nine of ten tables that have one', () => {
    const wrong = Object.entries(truth.names).filter(([table, natural]) => {
      const columns = [...natural.matchAll(/\{([^}]+)\}/g)].flatMap(([, inner]) => inner!.split('|'));
      const [first] = templateColumns(ruleOf(table)?.name ?? []);
      return first === undefined || !columns.includes(first);
    });
    expect(wrong.length / Object.keys(truth.names).length).toBeLessThanOrEqual(0.1);
  });

  test('redacts every column that holds a secret', () => {
    const open = truth.secrets.filter(
      (column) =>
        !truth.internal.includes(column.split('.')[0]!) &&
        !isMasked(column, made, truth.members[column] ?? []),
    );
    expect(open).toEqual([]);
  });

  test('finds the tenant and the audit tables, and takes no other column for an author', () => {
    const tenants = truth.tables.flatMap((table) => {
      const { tenant, tenantOf } = ruleOf(table)!;
      return tenant === null || tenant === 'id' || tenantOf !== null ? [] : [tenant];
    });
    expect([...new Set(tenants)]).toEqual(truth.tenant === null ? [] : [truth.tenant.column]);
    expect(made.config.attribution.map(({ table, modifier }) => `${table}.${modifier}`)).toEqual(
      truth.witness.map(({ table, modifier }) => `public.${table}.${modifier}`),
    );
    const authors = truth.tables.flatMap((table) =>
      ruleOf(table)!.modifier.map(({ column }) => `${table}.${column}`),
    );
    expect(authors.filter((column) => truth.notAuthors.includes(column))).toEqual([]);
  });
});

describe('init', () => {
  test.each(['chatwoot', 'lago'])(
    'on %s finds the row that has the tenant of another row, over any number of tables, and none where there is none',
    async (name) => {
      const { sql, truth } = schemaOf(name);
      await using database = await databaseWith(sql);
      const { config, warnings } = await initialise(database.url);
      const { table: own, via = {}, without = [] } = truth.tenant!;
      const found = truth.tables.map(
        (table) => [table, ruleFor(config, { schema: 'public', table })!] as const,
      );
      const joined = found.filter(([, { tenantOf }]) => tenantOf !== null);
      expect(joined.map(([table]) => table).sort()).toEqual(Object.keys(via).sort());
      const none = found.filter(([, { tenant }]) => tenant === null).map(([table]) => table);
      expect(none.sort()).toEqual(without.filter((table) => table !== own).sort());
      // Where a row refers to several rows with a tenant, each of them is right.
      const other = joined.filter(([table, { tenant }]) => tenant !== via[table]);
      expect([name, other.length / joined.length < 0.25]).toEqual([name, true]);
      expect(warnings.filter((warning) => warning.includes('no tenant, but'))).toHaveLength(1);
    },
    60_000,
  );

  test('writes rules that name who changed a row, without a change of the application, and what a login is', async () => {
    const source = await databaseWith(schemaOf('desk').sql);
    await source.query(`
      insert into accounts (name) values ('Acme');
      insert into users (name, email) values ('Dana Levi', 'dana@acme.test'), ('Omer Katz', 'omer@acme.test');
      insert into conversations (account_id, display_id, assignee_id) values (1, 1027, 1)`);
    const { text } = await initialise(source.url);
    const yaml = text.slice(text.indexOf('\nmodifiers:'));
    await using ground = await captureGround({ source, schemaSql: 'select', yaml });
    await source.query(`do $$ begin
      update conversations set status = 1, assignee_id = 2;
      insert into audits (auditable_type, auditable_id, user_type, user_id) values ('Conversation', 1, 'User', 2);
    end $$`);
    await source.query(`update users set sign_in_count = 1, current_sign_in_at = now() where id = 1`);
    await source.query(`update users set updated_at = now() where id = 1`);
    await source.query(`insert into hooks (account_id, url, access_token, settings)
      values (1, 'https://hook.test', 'xoxb-canary', '{"api_key": "sk-canary", "room": 7}')`);
    await source.query(`delete from audits`);
    const entries = await ground.caughtUp();
    expect(
      entries.map(({ modifier, rung, action, entityType }) => [modifier, rung, action, entityType]),
    ).toEqual([
      ['Omer Katz', 'a', 'edit', 'conversation'],
      ['Dana Levi', 'c', 'login', 'user'],
      ['Unattributed', '-', 'add', 'hook'],
      // Removing audit rows leaves an entry, although adding them leaves none.
      ['Unattributed', '-', 'delete', 'audit'],
    ]);
    expect(
      JSON.stringify(entries, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toContain('canary');
  }, 60_000);

  test('reports what a role with access only to catalogs does not see, and waits for no lock', async () => {
    await using database = await databaseWith(schemaOf('desk').sql);
    const role = `catalogs_${database.name}`;
    await database.query(`insert into messages (account_id, conversation_id, sender_type, sender_id)
      select 1, 1, case when i % 2 = 0 then 'Contact' else 'User' end, i from generate_series(1, 100) i`);
    await database.query('analyze');
    await database.query(`create role ${role} login password 'catalogs'`);
    const holder = new pg.Client(database.url);
    await holder.connect();
    try {
      const seen = await initialise(database.url);
      expect(seen.text).toContain('as: { sender_type: { User: users, Contact: contacts } }');
      expect(seen.text).toMatch(
        /sender_id: \{ type: sender_type, types: \{ (?:User: \{ table: public.users|Contact: \{ table: public.contacts), key: id, name: /,
      );
      // A session that locks a table must not delay init, which then does not read the table.
      await holder.query('begin; lock table messages, users in access exclusive mode');
      const url = new URL(database.url);
      url.username = role;
      url.password = 'catalogs';
      const { text } = await initialise(url.href, database.url).finally(() => holder.query('rollback'));
      expect(text).toContain('This role cannot read pg_stats of 15 tables');
      expect(text).toContain('as: { sender_type: { User: users } }');
      expect(text).not.toContain('catalogs_');
    } finally {
      await holder.end();
      await database.query(`drop role ${role}`);
    }
  }, 60_000);

  test('proposes the settings that the database reads, unless its role may not put the trigger on each table', async () => {
    await using database = await databaseWith(`
      create schema auth;
      create table auth.users (id uuid primary key, email text, encrypted_password text);
      create table notes (id int primary key, owner uuid default (current_setting('my.user_id', true))::uuid);
      create function auth.uid() returns uuid language sql stable as
        $$ select (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
      create function tenant() returns text language sql return current_setting('app.account_id', true);
      alter table notes enable row level security;
      create policy own on notes using (owner = current_setting('APP.Employee_ID', true)::uuid);`);
    const role = `untriggering_${database.name}`;
    const { config } = await initialise(database.url);
    expect(config.session?.settings.map(({ setting }) => setting)).toEqual([
      'request.jwt.claims',
      'request.jwt.claim.sub',
      'app.employee_id',
      'my.user_id',
    ]);
    await database.query(`create role ${role} login password 'x'`);
    try {
      const url = new URL(database.url);
      url.username = role;
      url.password = 'x';
      const { text, config: less } = await initialise(url.href, database.url);
      expect(less.session).toBeNull();
      expect(text).toMatch(/^#   - supabase$/m);
    } finally {
      await database.query(`drop role ${role}`);
    }
  }, 60_000);

  test('writes names of any kind so that the loader reads them back, and no name ends its comment', async () => {
    await using database = await databaseWith(`
      create schema "we""ird.sch";
      create table "we""ird.sch"."\${HOME}" (id int primary key, "a{b" text, "\${PATH}" text, name text);
      create table "line
exclude: [x" (id int primary key, "co
l: # x" text, "true" int, "on" text check ("on" in ('a''b', 'c, d', 'e]')), password text);
      create table "表" (id int primary key, name text);
      create table "!!!" (id int primary key);
      create table "*" (id int primary key);
      create table "null" (id int primary key, "User_id" int);
      create table "User" (id serial primary key, email text unique, "passwordHash" text);
      create table agent (id int primary key, name text);
      create table agents (id int primary key, name text);
      create schema sales;
      create table sales.orders (id int primary key, title text);
      create table sales_orders (id int primary key, title text);`);
    const { config, problems, warnings } = await initialise(database.url);
    expect(problems).toEqual([]);
    expect(warnings.filter((warning) => warning.includes('would all have the entity type'))).toEqual([]);
    expect(config.tables.map(({ pattern }) => pattern).sort()).toEqual(
      [
        '"we""ird.sch".${HOME}',
        'public.line\nexclude: [x',
        'public.表',
        'public.!!!',
        'public."*"',
        'public.null',
        'public.User',
        'public.agent',
        'public.agents',
        'sales.orders',
        'public.sales_orders',
      ].sort(),
    );
    expect(config.exclude).toEqual([]);
    const entities = config.tables.flatMap(({ entity }) => entity ?? []);
    expect(new Set(entities).size).toBe(entities.length);
  });

  test('takes no tenant, no person of another tenant and no key of another system for who did something', async () => {
    await using database = await databaseWith(`
      create table accounts (id int primary key, name text);
      create table account_audits (id int primary key, account_id int, action text);
      create table clients (id int primary key, client_id int, name text, parent_client_id int);
      create schema shop_a; create table shop_a.staff (id int primary key, name text, password text);
      create table shop_a.orders (id int primary key, name text, updated_by int);
      create schema shop_b; create table shop_b.staff (id int primary key, name text, password text);
      create table shop_b.orders (id int primary key, name text, updated_by int);`);
    const { config } = await initialise(database.url);
    const calledOf = (schema: string) => {
      const [rule] = ruleFor(config, { schema, table: 'orders' })!.modifier;
      return typeof rule?.as === 'number' ? config.modifiers[rule.as]?.table : null;
    };
    expect(['shop_a', 'shop_b'].map(calledOf)).toEqual(['shop_a.staff', 'shop_b.staff']);
    expect([...ruleFor(config, { schema: 'shop_b', table: 'orders' })!.labels]).toMatchObject([
      ['updated_by', { table: 'shop_b.staff' }],
    ]);
    expect([...ruleFor(config, { schema: 'public', table: 'clients' })!.labels.keys()]).toEqual([
      'parent_client_id',
    ]);
    expect(config.attribution).toEqual([]);
    await database.query(`drop schema shop_a, shop_b cascade;
      create table users (id int primary key, name text, email text, password text);
      create table admins (id int primary key, name text, email text, password text);
      create table audit_logs (id int primary key, account_id int, user_id int, action text);
      create table admin_logs (id int primary key, account_id int, admin_id int);`);
    const { config: one } = await initialise(database.url);
    expect(
      one.attribution.map(({ table, modifier, as }) => [
        table,
        modifier,
        typeof as === 'number' && one.modifiers[as]?.table,
      ]),
    ).toEqual([
      ['public.admin_logs', 'admin_id', 'public.admins'],
      ['public.audit_logs', 'user_id', 'public.users'],
    ]);
  }, 60_000);

  test('redacts secrets that only their table shows, and keys of rows whose key is one', async () => {
    await using database = await databaseWith(`
      create table users (id int primary key, email text);
      create table core_session (id text primary key, user_id int);
      create table login_history (id int primary key, session_id text references core_session);
      create table chat_session (id text primary key, title text);
      create table projectoptions (id int primary key, key text, value text);
      create table wp_options (option_id int primary key, option_name text, option_value text);
      create table client_attributes (client_id int, name text, value text, primary key (client_id, name));
      create table adoptions (id int primary key, name text, data text);`);
    const { config } = await initialise(database.url);
    expect(
      config.redact.map(({ columns, tables, with: { method } }) => [tables?.join(), columns.join(), method]),
    ).toEqual([
      ['public.client_attributes', 'value', 'mask'],
      ['public.core_session', 'id', 'hash'],
      ['public.projectoptions', 'value', 'mask'],
      ['public.wp_options', 'option_value', 'mask'],
      ['public.login_history', 'session_id', 'hash'],
    ]);
  }, 60_000);

  test('knows names, people, authors and secrets of databases in other languages', async () => {
    await using source = await databaseWith(`
      create table benutzer (id int primary key, vorname text, nachname text, email text, passwort text, geheimnis text);
      create table kunden (id int primary key, firma text, schluessel text, geaendert_von int references benutzer);
      create table zugangsdaten (id int primary key, schluessel text);
      create table einstellungen (id int primary key, schluessel text, wert text);
      create table usuarios (id int primary key, nombre text, apellido text, correo text, clave text, clave_api text, contrasena_anterior text);
      create table facturas (id int primary key, titulo text, creado_por int references usuarios);
      create table utilisateurs (id int primary key, prenom text, nom text, mot_de_passe text, jeton_reinitialisation text);
      create table oc_appconfig (appid text, configkey text, configvalue text, primary key (appid, configkey));`);
    const { config, text } = await initialise(source.url);
    expect(
      config.redact.flatMap(({ columns, tables }) =>
        tables!.map((table) => `${table}: ${columns.join(', ')}`),
      ),
    ).toEqual([
      'public.benutzer: passwort, geheimnis',
      'public.einstellungen: wert',
      'public.oc_appconfig: configvalue',
      'public.usuarios: clave, clave_api, contrasena_anterior',
      'public.utilisateurs: mot_de_passe, jeton_reinitialisation',
      'public.zugangsdaten: schluessel',
    ]);
    for (const line of [
      'benutzer: { table: public.benutzer, key: id, name: "{vorname|email} {nachname}" }',
      'usuarios: { table: public.usuarios, key: id, name: "{nombre} {apellido}" }',
      'utilisateurs: { table: public.utilisateurs, key: id, name: "{prenom} {nom}" }',
      '- { column: geaendert_von } # refers to public.benutzer',
      '- { column: creado_por, as: usuarios, on: insert }',
      'name: "{firma}"',
      'name: "{titulo}"',
    ])
      expect(text).toContain(line);
  }, 60_000);

  test('leaves out tables that plan refuses and tables that are not in the WAL, with the reason', async () => {
    await using database = await databaseWith(`
      create table kept (id int primary key, name text);
      create table parts (id int primary key, name text) partition by range (id);
      create table parts_1 partition of parts for values from (0) to (10);
      create table keyless (at int, name text) partition by range (at);
      create table keyless_1 partition of keyless for values from (0) to (10);
      create unlogged table counters (id int primary key);
      create schema pgboss;
      create table pgboss.job (id int primary key);
      create view seen as select * from kept;
      create publication waltrail for table kept;`);
    const { config, problems, text } = await initialise(database.url);
    expect(problems).toEqual([]);
    expect(config.source.publication).toBe(`waltrail_${config.source.name}`);
    expect(config.tables.map(({ pattern }) => pattern)).toEqual(['public.kept', 'public.parts']);
    expect(config.exclude).toEqual(['pgboss.job', 'public.keyless']);
    expect(text).toContain('# Not tracked: public.counters (unlogged: its changes are not in the WAL)');
    expect(text).toContain('  - pgboss.job # a job queue');
    expect(text.replaceAll(/\n *# /g, ' ')).toContain('Give public.keyless a primary key');
  });

  test('never overwrites a file, and reports what is wrong with its arguments', async () => {
    await using database = await freshDatabase('empty');
    const file = path.join(folder, 'mine.yaml');
    await writeFile(file, 'mine');
    const errorOf = async (words: readonly string[], environment = {}) =>
      (await waltrail(['init', ...words], environment)).errors;
    expect(await errorOf(['--source', database.url, '--out', file])).toMatch(
      /mine\.yaml already exists\. Nothing was overwritten/,
    );
    expect(await readFile(file, 'utf8')).toBe('mine');
    const other = path.join(folder, 'other.yaml');
    expect(await errorOf(['--source', database.url, '--out', other])).toMatch(
      /has no table that could be tracked/,
    );
    await database.query('create table notes (id int primary key)');
    expect(await errorOf(['--source', database.url, '--out', path.join(folder, 'no/such/x.yaml')])).toMatch(
      /cannot be written \(ENOENT\)/,
    );
    expect(await errorOf(['--source', 'mysql://secret@db/x', '--out', other])).toBe(
      'waltrail: waltrail init: --source must be a postgres:// URL. Run the command with --help for its options.\n',
    );
    expect(await errorOf(['--out', other])).toMatch(/No source is set\. Set WALTRAIL_SOURCE_URL/);
    const { code } = await waltrail(['init', '--out', other], { WALTRAIL_SOURCE_URL: database.url });
    expect(code).toBe(0);
  });

  test('reports its progress when there is much to do', async () => {
    await using database = await databaseWith(`do $$ begin
      for i in 1..201 loop execute format('create table things_%s (id int primary key, name text)', i); end loop; end $$`);
    const file = path.join(folder, 'many.yaml');
    const { code, errors } = await waltrail(['init', '--source', database.url, '--out', file, '--json']);
    expect(code).toBe(0);
    expect(errors).toMatch(/^waltrail init: reads the catalog of 201 tables\n/);
  });
});
