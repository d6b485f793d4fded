import { describe, expect, test } from '@jest/globals';
import { captureGround, type CaptureGround } from '../support/capture.ts';

/** Columns that hold secrets, as the frameworks create them. The last word of each is its type. */
const FRAMEWORKS: Readonly<Record<string, readonly string[]>> = {
  // Devise, devise_token_auth, devise-two-factor
  devise_users: [
    'encrypted_password varchar',
    'reset_password_token varchar',
    'confirmation_token varchar',
    'unlock_token varchar',
    'tokens json',
    'otp_secret varchar',
    'otp_backup_codes text[]',
    'encrypted_otp_secret bytea',
  ],
  // Rails has_secure_password, has_secure_token; Authlogic
  rails_users: [
    'password_digest varchar',
    'auth_token varchar',
    'persistence_token varchar',
    'password_salt varchar',
  ],
  // Django, Django REST framework, django-otp
  auth_user: ['password varchar(128)'],
  django_session: ['session_data text'],
  otp_totp_totpdevice: ['key varchar(80)'],
  oauth2_provider_application: ['client_secret varchar(255)'],
  // Laravel, Fortify, Sanctum
  laravel_users: ['remember_token varchar(100)', 'two_factor_secret text', 'two_factor_recovery_codes text'],
  personal_access_tokens: ['token varchar(64)'],
  sessions: ['payload text'],
  // Auth.js (NextAuth)
  Account: ['access_token text', 'refresh_token text', 'id_token text', 'oauth_token_secret text'],
  Session: ['sessionToken text'],
  // Supabase auth
  supabase_users: [
    'recovery_token varchar(255)',
    'email_change_token_new varchar(255)',
    'email_change_token_current varchar(255)',
    'reauthentication_token varchar(255)',
  ],
  refresh_tokens: ['parent varchar(255)'],
  one_time_tokens: ['token_hash text'],
  // Lago, Chatwoot, Mastodon, Discourse, GitLab, Keycloak
  organizations: ['api_key varchar', 'hmac_key varchar'],
  api_keys: ['value varchar'],
  channel_emails: ['imap_password varchar', 'smtp_password varchar'],
  accounts: ['private_key text'],
  users: ['salt varchar', 'password_hash varchar'],
  ci_builds: ['token_encrypted varchar'],
  credential: ['secret_data text'],
};

const everythingStored = async ({ trail }: CaptureGround): Promise<string> =>
  JSON.stringify(
    await Promise.all(
      ['entry', 'modifier', 'tenant', 'lookup', 'relation'].map((table) =>
        trail.query(`select t::text from trail.${table} t`),
      ),
    ),
  );

test('the secrets of frameworks are masked without any rule', async () => {
  const tables = Object.entries(FRAMEWORKS);
  expect(tables.flatMap(([, columns]) => columns).length).toBeGreaterThanOrEqual(24);
  await using g = await captureGround({
    schemaSql: tables
      .map(
        ([table, columns]) =>
          `create table "${table}" (id int primary key, note text, ${columns.map((column) => column.replace(/^\w+/, '"$&"')).join(', ')});`,
      )
      .join('\n'),
    yaml: 'tables: { "public.*": { entity: row } }',
  });
  for (const [table, columns] of tables) {
    const values = columns.map((column, index) => {
      const secret = `canary-${table}-${index}`;
      return column.endsWith('json')
        ? `'{"a": "${secret}"}'`
        : column.endsWith('[]')
          ? `array['${secret}']`
          : `'${secret}'`;
    });
    await g.source.query(`insert into "${table}" values (1, 'seen', ${values.join(', ')})`);
    await g.source.query(`update "${table}" set note = 'seen again'`);
    await g.source.query(`delete from "${table}"`);
  }
  const entries = await g.caughtUp();
  const inserts = entries.filter(({ operation }) => operation === 'i');
  for (const [index, [table, columns]] of tables.entries()) {
    const names = columns.map((column) => column.split(' ')[0]!);
    expect([table, inserts[index]!.updated]).toEqual([
      table,
      { id: '1', note: 'seen', ...Object.fromEntries(names.map((name) => [name, '***'])) },
    ]);
  }
  expect(await everythingStored(g)).not.toContain('canary');
  expect(await everythingStored(g)).not.toContain(Buffer.from('canary').toString('hex'));
});

describe('the defaults', () => {
  test('leave keys, ids, modifiers, tenants and other types unmasked', async () => {
    await using g = await captureGround({
      schemaSql: `create table t (token text primary key, secret text, auth_token text, api_key uuid, token_count int,
        password_changed_at date, otp_enabled bool, is_secret bool);`,
      yaml: 'tables: { public.t: { entity: t, modifier: secret, tenant: auth_token } }',
    });
    await g.source.query(
      `insert into t values ('k', 'm', 'o', '00000000-0000-0000-0000-000000000001', 3, '2026-01-01', true, false)`,
    );
    expect(await g.caughtUp()).toMatchObject([
      {
        entityId: 'k',
        modifier: 'm',
        tenant: 'o',
        updated: {
          token: 'k',
          secret: 'm',
          auth_token: 'o',
          api_key: '00000000-0000-0000-0000-000000000001',
          token_count: '3',
          password_changed_at: '2026-01-01',
          otp_enabled: 't',
          is_secret: 'f',
        },
      },
    ]);
  });

  test('give way to the rules of redact, even to weaker ones, and to allowed columns', async () => {
    await using g = await captureGround({
      schemaSql: `create table t (id int primary key, password text, api_key text, token text, settings jsonb);`,
      yaml: `
redact: [ { columns: [password], with: { truncate: 2 } } ]
secrets: { allow: [public.t.api_key, public.t.settings.page_token] }
tables: { public.t: { entity: t } }`,
    });
    await g.source.query(
      `insert into t values (1, 'abcd', 'known', 'x', '{"page_token": "p", "token": "q", "password": "wxyz"}')`,
    );
    expect((await g.caughtUp())[0]!.updated).toEqual({
      id: '1',
      password: 'ab…',
      api_key: 'known',
      token: '***',
      settings: '{"token": "***", "password": "wx…", "page_token": "p"}',
    });
  });

  test('are off where the YAML turns them off', async () => {
    await using g = await captureGround({
      schemaSql: `create table t (id int primary key, password text, settings jsonb, note text);`,
      yaml: `secrets: { defaults: false }\ntables: { public.t: { entity: t } }`,
    });
    await g.source.query(`insert into t values (1, 'a', '{"token": "b"}', 'a://b:c@d')`);
    expect((await g.caughtUp())[0]!.updated).toEqual({
      id: '1',
      password: 'a',
      settings: '{"token": "b"}',
      note: 'a://b:c@d',
    });
  });

  test('recognise domains, arrays and types of extensions by their base types', async () => {
    await using g = await captureGround({
      schemaSql: `create domain doc as jsonb; create domain docs as doc check (value is not null); create domain words as text;
        create domain amount as int; create type state as enum ('open');
        create table t (id int primary key, a docs, b json[], c doc[], password words, secret amount, token state, note words[]);`,
      yaml: `tables: { public.t: { entity: t } }`,
    });
    const secret = '{"api_key": "canary", "k": 1.50}';
    await g.source.query(
      `insert into t values (1, '${secret}', array['${secret}'::json, null], array['${secret}'::doc], 'canary', 7, 'open', array['a://b:canary@c'])`,
    );
    // Added later, so its types are read when it appears.
    await g.source.query(`create domain later as jsonb; alter table t add column d later`);
    await g.source.query(`update t set d = '${secret}'`);
    const entries = await g.caughtUp();
    expect(entries[0]!.updated).toEqual({
      id: '1',
      a: '{"k": 1.50, "api_key": "***"}',
      b: '{"{\\"api_key\\": \\"***\\", \\"k\\": 1.50}",NULL}',
      c: '{"{\\"k\\": 1.50, \\"api_key\\": \\"***\\"}"}',
      password: '***',
      secret: '7',
      token: 'open',
      note: '{"a://b:***@c"}',
    });
    expect(entries.at(-1)!.updated).toEqual({ d: '{"k": 1.50, "api_key": "***"}' });
    expect(await everythingStored(g)).not.toContain('canary');
  });
});

test('a table that is tracked by a list of columns stores no others, also not those that are added later', async () => {
  await using g = await captureGround({
    schemaSql: `create table t (id int primary key, name text, state text, note text, org int, changed_by text);`,
    yaml: `tables: { public.t: { entity: t, name: "{name}", tenant: org, modifier: changed_by, columns: ["sta*"],
      actions: [ { on: update, changed: note, action: annotate } ] } }`,
  });
  await g.source.query(`insert into t values (1, 'A', 'open', 'canary', 7, 'dana')`);
  await g.source.query(`update t set note = 'canary 2'`);
  await g.source.query(`alter table t add column extra text default 'canary'`);
  await g.source.query(`update t set extra = 'canary 3', state = 'closed'`);
  await g.source.query(`alter table t rename note to status_note`);
  await g.source.query(`update t set status_note = 'canary 4'`);
  const entries = (await g.caughtUp()).filter(({ table }) => table === 'public.t');
  expect(
    entries.map(({ action, entityId, entityName, tenant, updated }) => ({
      action,
      entityId,
      entityName,
      tenant,
      updated,
    })),
  ).toEqual([
    {
      action: 'add',
      entityId: '1',
      entityName: 'A',
      tenant: '7',
      updated: { id: '1', name: 'A', state: 'open', org: '7', changed_by: 'dana' },
    },
    { action: 'annotate', entityId: '1', entityName: 'A', tenant: '7', updated: {} },
    { action: 'edit', entityId: '1', entityName: 'A', tenant: '7', updated: { state: 'closed' } },
    { action: 'edit', entityId: '1', entityName: 'A', tenant: '7', updated: {} },
  ]);
  expect(await everythingStored(g)).not.toContain('canary');
});

test('hstore is masked by its keys, and the other bytes stay as PostgreSQL printed them', async () => {
  await using g = await captureGround({
    schemaSql: `create table t (id int primary key)`,
    yaml: 'tables: { public.t: { entity: t } }',
  });
  const [available] = await g.source.query<{ name: string }>(
    `select name from pg_available_extensions where name = 'hstore'`,
  );
  if (available === undefined) return;
  await g.source.query(`create extension hstore; alter table t add column h hstore`);
  await g.source.query(`insert into t values (1, 'api_key=>canary, plan=>"pro", token=>NULL')`);
  expect((await g.caughtUp()).at(-1)!.updated!.h).toBe('"plan"=>"pro", "token"=>NULL, "api_key"=>"***"');
});
