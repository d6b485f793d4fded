import { once } from 'node:events';
import { chown, copyFile, mkdtemp, rm, stat, appendFile, readFile, writeFile, chmod } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { close, connect, createPool, openPinned } from '../../src/pg/connect.js';
import { replicationClientConfig } from '../../src/source/connection-settings.js';
import { applyPlan } from '../../src/tracking/apply.js';
import { parseConfig } from '../../src/tracking/load.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { applyTracking, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { certificateAuthority, issueCertificate, type Certificate } from '../support/certificates.ts';
import { waltrail, type CommandResult } from '../support/command.ts';
import { freshDatabase, majorVersion, type TestDatabase } from '../support/database.ts';
import { PGBOUNCER, startPgbouncer } from '../support/pgbouncer.ts';
import { findProgram } from '../support/programs.ts';
import { ownServer, type OwnServer } from '../support/server.ts';
import { catalogOf } from '../support/tracking.ts';
import { until } from '../support/until.ts';

const PASSWORD = 's3cret-of-the-role';
const YAML = 'tables: { public.a: { entity: a } }';

interface Role extends AsyncDisposable {
  readonly name: string;
  /** Returns `url` for the role. */
  of(url: string): string;
}

/** Creates a login for one test. Roles belong to the cluster, so it is dropped at the end of its scope. */
async function role(database: TestDatabase, options: string): Promise<Role> {
  const name = `r_${database.name}`;
  await database.query(`create role ${name} login password '${PASSWORD}' ${options}`);
  return {
    name,
    of: (url) => Object.assign(new URL(url), { username: name, password: PASSWORD }).href,
    [Symbol.asyncDispose]: async () => {
      await database.query(`reassign owned by ${name} to current_user`);
      await database.query(`drop owned by ${name} cascade`);
      await database.query(`drop role ${name}`);
    },
  };
}

const refusedBy = async (connecting: Promise<unknown>): Promise<Record<string, unknown>> => {
  const error = await connecting.then(
    () => undefined,
    (thrown: unknown) => thrown as Error & { code: string; remedy: string },
  );
  if (error === undefined) throw new Error('it was not refused');
  const { code, message, remedy } = error;
  expect(JSON.stringify([message, remedy])).not.toContain(PASSWORD);
  return { code, message, remedy };
};

const tryConnect = async (url: string): Promise<void> =>
  close(await connect({ url, side: 'trail', purpose: 'test' }));

async function run(
  args: readonly string[],
  urls: { readonly source: string; readonly trail: string },
  yaml: string = YAML,
): Promise<CommandResult> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-test-'));
  try {
    const file = path.join(folder, 'waltrail.yaml');
    const head =
      'source: { name: crm, url: "${WALTRAIL_SOURCE_URL}" }\ntrail: { url: "${WALTRAIL_TRAIL_URL}" }\n';
    await writeFile(file, `${head}${yaml}\n`);
    return await waltrail(args, {
      WALTRAIL_CONFIG: file,
      WALTRAIL_SOURCE_URL: urls.source,
      WALTRAIL_TRAIL_URL: urls.trail,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('the error of a refused connection states which side refused, why, and what helps', () => {
  test('without the right to connect', async () => {
    await using database = await freshDatabase('empty');
    await using login = await role(database, '');
    await database.query(`revoke connect on database ${database.name} from public`);
    expect(await refusedBy(tryConnect(login.of(database.url)))).toMatchObject({
      code: 'PG_REFUSED',
      message: expect.stringMatching(
        /^The trail \(127\.0\.0\.1:\d+\/test_empty_\w+\) refused the connection \(42501: permission denied for database "test_empty_\w+"\)\.$/,
      ),
      remedy: expect.stringContaining(`grant connect on database "${database.name}" to "${login.name}";`),
    });
  });

  test('for replication without the attribute', async () => {
    await using database = await freshDatabase('empty');
    await using login = await role(database, '');
    const url = login.of(database.url);
    const opening = openPinned(replicationClientConfig(url), { url, side: 'source' });
    expect(await refusedBy(opening)).toMatchObject({
      code: 'PG_REFUSED',
      message: expect.stringMatching(/^The source \(.*\) refused the connection \(42501: .+\)\.$/),
      remedy: expect.stringContaining(`alter role "${login.name}" replication;`),
    });
  });

  test('with a wrong password, without a password, and to a missing database', async () => {
    await using database = await freshDatabase('empty');
    await using login = await role(database, '');
    const url = login.of(database.url);
    const wrong = Object.assign(new URL(url), { password: 'other' }).href;
    expect(await refusedBy(tryConnect(wrong))).toMatchObject({
      code: 'PG_REFUSED',
      message: expect.stringContaining('28P01: password authentication failed'),
      remedy: 'Correct user and password of the URL.',
    });
    const gone = Object.assign(new URL(url), { pathname: '/nowhere' }).href;
    expect(await refusedBy(tryConnect(gone))).toMatchObject({
      code: 'PG_REFUSED',
      message: expect.stringContaining('3D000: database "nowhere" does not exist'),
      remedy: 'Create the database, or correct its name in the URL.',
    });
  });

  test('when all connections of the role are taken', async () => {
    await using database = await freshDatabase('empty');
    await using login = await role(database, 'connection limit 0');
    expect(await refusedBy(tryConnect(login.of(database.url)))).toMatchObject({
      code: 'PG_UNREACHABLE',
      message: expect.stringContaining(
        'has no room for another connection (53300: too many connections for role',
      ),
      remedy: expect.stringContaining('max_wal_senders, or the connection limit of the role'),
    });
  });
});

const needsOpenssl = findProgram(['openssl']) === undefined ? describe.skip : describe;

needsOpenssl('a TLS error states what client and server do not agree on', () => {
  let folder: string;
  let server: OwnServer;
  let authority: Certificate;
  let other: Certificate;
  let client: Certificate;
  let right: Certificate;

  const withTls = (parameters: Readonly<Record<string, string>>, user?: string): string => {
    const url = new URL(server.database.url);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    if (user !== undefined) url.username = user;
    return url.href;
  };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-tls-'));
    await chmod(folder, 0o755);
    [authority, other] = [
      await certificateAuthority(folder, 'authority'),
      await certificateAuthority(folder, 'other'),
    ];
    right = await issueCertificate(authority, { folder, name: 'right', alternative: 'IP:127.0.0.1' });
    const wrong = await issueCertificate(authority, { folder, name: 'wrong', alternative: 'DNS:db.example' });
    client = await issueCertificate(authority, { folder, name: 'needs_cert', alternative: 'DNS:client' });
    server = await ownServer('tls');
    await server.database.query(`create role needs_cert login`);
    await useCertificate(wrong);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Restarts the server with a certificate, and with a role that has to present one. */
  const useCertificate = (certificate: Certificate): Promise<void> =>
    server.restart(async (cluster) => {
      const { uid, gid } = await stat(cluster);
      const files = {
        'server.crt': certificate.crt,
        'server.key': certificate.key,
        'root.crt': authority.crt,
      };
      for (const [name, from] of Object.entries(files)) {
        const to = path.join(cluster, name);
        await copyFile(from, to);
        await chmod(to, 0o600);
        await chown(to, uid, gid);
      }
      const settings = path.join(cluster, 'postgresql.auto.conf');
      await appendFile(settings, `ssl = on\nssl_ca_file = 'root.crt'\n`);
      const hba = path.join(cluster, 'pg_hba.conf');
      const lines = await readFile(hba, 'utf8');
      await writeFile(hba, `hostssl all needs_cert all cert\nhost all needs_cert all reject\n${lines}`);
    });

  test('an issuer that Waltrail does not know, and an issuer other than the configured one', async () => {
    const told: readonly Readonly<Record<string, string>>[] = [{}, { sslrootcert: other.crt }];
    for (const parameters of told)
      expect(await refusedBy(tryConnect(withTls({ ...parameters, sslmode: 'verify-full' })))).toMatchObject({
        code: 'PG_TLS',
        message: expect.stringMatching(
          /^The trail \(.*\) has a certificate from an issuer that Waltrail does not know \([A-Z_]+\)\.$/,
        ),
        remedy: expect.stringContaining('sslrootcert=/path/to/ca.crt'),
      });
  });

  test('a certificate for another host', async () => {
    const url = withTls({ sslmode: 'verify-full', sslrootcert: authority.crt });
    expect(await refusedBy(tryConnect(url))).toMatchObject({
      code: 'PG_TLS',
      message: expect.stringContaining('has a certificate for a different host name than the one in the URL'),
    });
  });

  test('a certificate file of the URL that does not exist', async () => {
    const url = withTls({ sslmode: 'verify-full', sslrootcert: path.join(folder, 'nowhere.crt') });
    expect(await refusedBy(tryConnect(url))).toMatchObject({
      code: 'PG_TLS',
      message: expect.stringContaining('names a certificate or key that cannot be read (ENOENT)'),
    });
  });

  test('a missing client certificate; a complete configuration connects', async () => {
    await useCertificate(right);
    const trusted = { sslmode: 'verify-full', sslrootcert: authority.crt };
    expect(await refusedBy(tryConnect(withTls(trusted, 'needs_cert')))).toMatchObject({
      code: 'PG_REFUSED',
      message: expect.stringContaining('28000: connection requires a valid client certificate'),
      remedy: expect.stringContaining('sslcert and sslkey in the URL'),
    });
    // pg_hba.conf has no line for this login without TLS.
    expect(await refusedBy(tryConnect(withTls({}, 'needs_cert')))).toMatchObject({
      code: 'PG_REFUSED',
      message: expect.stringContaining('28000: '),
    });
    await tryConnect(withTls({ ...trusted, sslcert: client.crt, sslkey: client.key }, 'needs_cert'));
    await tryConnect(withTls(trusted));
  });

  test('a server without TLS', async () => {
    await using database = await freshDatabase('empty');
    const url = new URL(database.url);
    url.searchParams.set('sslmode', 'verify-full');
    expect(await refusedBy(tryConnect(url.href))).toMatchObject({
      code: 'PG_TLS',
      message: expect.stringContaining('does not encrypt connections, but the URL requires encryption'),
    });
  });
});

describe('a pool of connections reports the same errors', () => {
  const queried = async (url: string): Promise<Record<string, unknown>> => {
    const pool = createPool({ url, side: 'trail', purpose: 'test', max: 1 });
    try {
      // A caller that only runs a statement gets the error, too, not only one that takes a connection.
      const told = await refusedBy(pool.query('select 1'));
      expect(await refusedBy(pool.connect())).toEqual(told);
      return told;
    } finally {
      await pool.end();
    }
  };

  test('when a server does not exist or does not answer', async () => {
    expect(await queried('postgres://x:y@127.0.0.1:1/x')).toMatchObject({
      code: 'PG_UNREACHABLE',
      message: 'The trail (127.0.0.1:1/x) cannot be reached (ECONNREFUSED).',
    });
  });

  test('when a server refuses, with its message and the remedy', async () => {
    await using database = await freshDatabase('empty');
    await using login = await role(database, '');
    await database.query(`revoke connect on database ${database.name} from public`);
    expect(await queried(login.of(database.url))).toEqual(
      await refusedBy(tryConnect(login.of(database.url))),
    );
  });

  test('until the server works again', async () => {
    await using database = await freshDatabase('empty');
    await using login = await role(database, 'connection limit 0');
    const pool = createPool({ url: login.of(database.url), side: 'trail', purpose: 'test', max: 1 });
    try {
      expect(await refusedBy(pool.query('select 1'))).toMatchObject({ code: 'PG_UNREACHABLE' });
      await database.query(`alter role ${login.name} connection limit 1`);
      expect((await pool.query<{ one: number }>('select 1 as one')).rows).toEqual([{ one: 1 }]);
    } finally {
      await pool.end();
    }
  });
});

describe('a pooler', () => {
  test('is reported as a pooler, with its message, when it refuses (a fake that answers as PgBouncer does)', async () => {
    const fields = ['SFATAL', 'C08P01', 'Munsupported startup parameter: replication', ''].join('\0');
    const body = Buffer.from(`${fields}\0`, 'latin1');
    const head = Buffer.alloc(5);
    head.write('E');
    head.writeInt32BE(body.length + 4, 1);
    const fake = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([head, body])));
    }).listen(0, '127.0.0.1');
    await once(fake, 'listening');
    try {
      const url = `postgres://me:${PASSWORD}@127.0.0.1:${(fake.address() as AddressInfo).port}/crm`;
      const opening = openPinned(replicationClientConfig(url), { url, side: 'source' });
      expect(await refusedBy(opening)).toMatchObject({
        code: 'PG_POOLER',
        message: expect.stringMatching(
          /^The source \(127\.0\.0\.1:\d+\/crm\) is answered by a connection pooler, which refused \(08P01: unsupported startup parameter: replication\)\.$/,
        ),
        remedy: expect.stringContaining('Name PostgreSQL itself in the URL.'),
      });
    } finally {
      fake.close();
    }
  });

  const real = PGBOUNCER === undefined ? test.skip : test;

  real.each(['session', 'transaction'] as const)(
    'in front of the source: plan reports that capture cannot pass it, and capture names the side that refused (PgBouncer, %s)',
    async (mode) => {
      await using source = await freshDatabase('empty');
      await using trail = await freshDatabase('trail');
      await source.query('create table a (id int primary key)');
      await using pooler = await startPgbouncer(source.url, mode);
      const url = pooler.through(source.url);
      const config = testConfig({ source: { ...source, url }, trail, yaml: YAML });
      const { warnings } = planTracking({ config, catalog: await catalogOf(url) });
      expect(warnings).toContainEqual(
        expect.stringContaining('source.url leads through a connection pooler'),
      );
      await applyTracking(config);
      const capture = startCapture({ config, log: silentLog, pace: { tickMs: 100 } });
      try {
        await until('capture to stop', () => capture.status().state === 'stopped');
        expect(capture.status().error).toMatchObject({
          code: 'PG_POOLER',
          message: expect.stringMatching(/^The source \(.*\) is answered by a connection pooler/),
        });
      } finally {
        await capture.stop();
      }
    },
  );

  real('in front of the trail carries everything in session mode (PgBouncer)', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('empty');
    await source.query('create table a (id int primary key)');
    await using pooler = await startPgbouncer(trail.url, 'session');
    const url = pooler.through(trail.url);
    await migrateTrail({ url, log: silentLog });
    const config = testConfig({ source, trail: { ...trail, url }, yaml: YAML });
    await applyTracking(config);
    const capture = startCapture({ config, log: silentLog });
    try {
      await streaming(capture);
      await source.query('insert into a values (1)');
      await untilCaughtUp(source, trail);
      expect(await trail.query('select entity_id from trail.entry')).toEqual([{ entity_id: '1' }]);
      // Limits of statements are set after connecting. A pooler would refuse them as part of the connection.
      await close(await connect({ url, purpose: 'test', statementTimeoutMs: 1000 }));
    } finally {
      await capture.stop();
    }
  });

  real('in front of the trail is refused in transaction mode (PgBouncer)', async () => {
    await using trail = await freshDatabase('empty');
    await using pooler = await startPgbouncer(trail.url, 'transaction');
    const migrating = migrateTrail({ url: pooler.through(trail.url), log: silentLog });
    expect(await refusedBy(migrating)).toMatchObject({
      code: 'PG_UNPINNED',
      message: expect.stringContaining('shares one session among several clients'),
    });
    expect(await trail.query(`select from pg_namespace where nspname = 'trail'`)).toEqual([]);
  });
});

describe('settings of the role or the database', () => {
  const LIMITS = (major: number): string[] => [
    'default_transaction_read_only = on',
    'default_transaction_isolation = serializable',
    // The statement that lifts this limit has to end within it, on a busy machine, too.
    `statement_timeout = '50ms'`,
    `lock_timeout = '1ms'`,
    `idle_session_timeout = '200ms'`,
    `idle_in_transaction_session_timeout = '200ms'`,
    ...(major >= 17 ? [`transaction_timeout = '200ms'`] : []),
  ];

  test('do not affect Waltrail, on the source and on the trail', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('empty');
    await source.query('create table a (id int primary key)');
    await using reader = await role(source, 'replication');
    await using owner = await role(trail, '');
    await source.query(`alter table a owner to ${reader.name}`);
    await source.query(`grant create on database ${source.name} to ${reader.name}`);
    await trail.query(`alter database ${trail.name} owner to ${owner.name}`);
    const major = await majorVersion(source);
    for (const setting of LIMITS(major)) {
      await source.query(`alter role ${reader.name} set ${setting}`);
      await trail.query(`alter role ${owner.name} set ${setting}`);
    }
    const [sourceUrl, trailUrl] = [reader.of(source.url), owner.of(trail.url)];
    await migrateTrail({ url: trailUrl, log: silentLog });
    const config = testConfig({
      source: { ...source, url: sourceUrl },
      trail: { ...trail, url: trailUrl },
      yaml: YAML,
    });
    const client = await connect({ url: sourceUrl, purpose: 'test', statementTimeoutMs: 5000 });
    await applyPlan(client, planTracking({ config, catalog: await catalogOf(sourceUrl) }));
    const settings = await client.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name ~ '(timeout|default_transaction_read_only)$' and source = 'session' order by 1`,
    );
    expect(settings.rows).toContainEqual({ name: 'statement_timeout', setting: '5000' });
    expect(settings.rows).toContainEqual({ name: 'default_transaction_read_only', setting: 'off' });
    await close(client);
    const capture = startCapture({ config, log: silentLog });
    try {
      await streaming(capture);
      await source.query('insert into a values (1)');
      await untilCaughtUp(source, trail);
      expect(capture.status()).toMatchObject({ state: 'streaming', error: null, entries: 1 });
    } finally {
      await capture.stop();
    }
  });
});

describe('the refusal of a server is quoted', () => {
  test('when the trail allows no new objects, with the statement that grants it', async () => {
    await using trail = await freshDatabase('empty');
    await using login = await role(trail, '');
    const migrating = migrateTrail({ url: login.of(trail.url), log: silentLog });
    expect(await refusedBy(migrating)).toMatchObject({
      code: 'PG_MIGRATION_FAILED',
      message: expect.stringContaining(`(42501: permission denied for database ${trail.name})`),
      remedy: expect.stringContaining(`grant create on database "${trail.name}" to "${login.name}";`),
    });
    await migrateTrail({ url: trail.url, log: silentLog });
    // A trail that another role owns.
    expect(await refusedBy(migrateTrail({ url: login.of(trail.url), log: silentLog }))).toMatchObject({
      code: 'PG_MIGRATION_FAILED',
      message: expect.stringContaining('42501: permission denied for schema trail'),
    });
  });

  test('when the source refuses a publication, or a table in it', async () => {
    await using source = await freshDatabase('empty');
    await using login = await role(source, '');
    await source.query(`create table a (id int primary key); alter table a owner to ${login.name}`);
    const url = login.of(source.url);
    const refused = await run(['apply'], { source: url, trail: source.url });
    expect(refused.code).toBe(1);
    expect(refused.errors).toContain(
      `publication_create of public.a: the user of source.url may not do this (42501: permission denied for database ${source.name}); nothing was changed.`,
    );
    expect(refused.errors).toContain('grant create on database');

    const config = configOf(source.url);
    const pending = planTracking({ config, catalog: await catalogOf(source.url) });
    await source.query('drop table a');
    const client = await connect({ url: source.url, purpose: 'test' });
    expect(await refusedBy(applyPlan(client, pending))).toMatchObject({
      code: 'TRACKING_APPLY_FAILED',
      message:
        'lock of public.a: the source refused (42P01: relation "public.a" does not exist); nothing was changed.',
    });
    await close(client);
  });

  test('but without the text of functions on the source, which may hold a value of a row', async () => {
    await using source = await freshDatabase('empty');
    await source.query(`
      create table a (id int primary key, secret text); insert into a values (1, 'canary');
      create function public.no_ddl() returns event_trigger language plpgsql as $$
        begin raise exception '% is not to be seen', (select secret from public.a) using errcode = current_setting('test.code'); end $$;
      create event trigger no_ddl_${source.name} on ddl_command_start execute function public.no_ddl();`);
    for (const code of ['P0001', '42501', '55000']) {
      await source.query(`alter database ${source.name} set test.code = '${code}'`);
      const client = await connect({ url: source.url, purpose: 'test' });
      const plan = planTracking({ config: configOf(source.url), catalog: await catalogOf(source.url) });
      const { message, remedy } = await refusedBy(applyPlan(client, plan));
      expect(message).toContain(`(${code}); nothing was changed.`);
      expect(JSON.stringify([message, remedy])).not.toContain('canary');
      await close(client);
    }
  });

  test('when a query of plan is refused, without a request for a bug report', async () => {
    await using source = await freshDatabase('empty');
    await using login = await role(source, '');
    await source.query(`create table a (id int primary key)`);
    await source.query(`revoke select on pg_catalog.pg_publication from public`);
    const refused = await run(['plan'], { source: login.of(source.url), trail: source.url });
    expect([refused.code, refused.errors]).toEqual([
      1,
      expect.stringMatching(
        /^waltrail: The source \(.*\) refused a statement \(42501: permission denied for table pg_publication\)\./,
      ),
    ]);
  });
});

const configOf = (url: string): TrackingConfig =>
  parseConfig({
    file: 'test.yaml',
    environment: { URL: url },
    text: `source: { name: crm, url: "\${URL}" }\ntrail: { url: "\${URL}" }\n${YAML}`,
  });

describe('a trail in the source itself', () => {
  test('is refused before anything is created there, whatever name its host has', async () => {
    await using source = await freshDatabase('empty');
    await source.query('create table a (id int primary key)');
    const trail = Object.assign(new URL(source.url), { hostname: 'localhost' }).href;
    await run(['apply'], { source: source.url, trail });
    const planned = await run(['plan'], { source: source.url, trail });
    expect([planned.code, planned.output]).toEqual([
      1,
      expect.stringContaining(
        `TRAIL_IN_SOURCE: trail.url leads to database ${source.name}, which is the source itself.`,
      ),
    ]);
    const started = await run(['start', '--port', '0'], { source: source.url, trail });
    expect([started.code, started.errors]).toEqual([1, expect.stringContaining('is the source itself')]);
    expect(await source.query(`select from pg_namespace where nspname = 'trail'`)).toEqual([]);
  });

  test.each([
    ['the creation of a token before the first start', ['token', 'create', '--name', 'first']],
    ['a process that does not capture', ['start', '--port', '0', '--roles', 'api']],
  ])('is not created by %s either', async (_, command) => {
    await using source = await freshDatabase('empty');
    const ran = await run(command, { source: source.url, trail: source.url });
    expect([ran.code, ran.errors]).toEqual([1, expect.stringContaining('is the source itself')]);
    expect(await source.query(`select from pg_namespace where nspname = 'trail'`)).toEqual([]);
  });

  test('stops a capture that would begin there', async () => {
    await using source = await freshDatabase('trail');
    await source.query('create table a (id int primary key)');
    const config = testConfig({ source, trail: source, yaml: YAML });
    await applyTracking(config);
    const capture = startCapture({ config, log: silentLog });
    try {
      await until('capture to stop', () => capture.status().state === 'stopped');
      expect(capture.status().error).toMatchObject({ code: 'TRAIL_IN_SOURCE' });
    } finally {
      await capture.stop();
    }
  });

  test('is not reported where only the server is the same', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query('create table a (id int primary key)');
    await run(['apply'], { source: source.url, trail: trail.url });
    expect((await run(['plan'], { source: source.url, trail: trail.url })).code).toBe(0);
  });
});
