import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { silentLog } from '../../src/log.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { until } from './until.ts';

/** `empty`; `crm`: the sample CRM with its rows; `trail`: every migration of sql/trail applied. */
export type Template = 'empty' | 'crm' | 'trail';

export interface TestDatabase extends AsyncDisposable {
  /** For the superuser. */
  readonly url: string;
  readonly name: string;
  query<T>(sql: string, parameters?: readonly unknown[]): Promise<T[]>;
}

const SAMPLE_CRM = path.resolve(import.meta.dirname, '../../sql/sample/crm.sql');
/** Lock that is held while a template is created, because workers that share a server may need it at once. */
const TEMPLATE_LOCK = 7_268_201;
const SLOT_RELEASE_TIMEOUT_MS = 10_000;
const CLOSING_LIMIT_MS = 100;

/**
 * Returns the major version of the server, such as 18. Specs run on several, and expect what is right on
 * each.
 */
export async function majorVersion(database: Pick<TestDatabase, 'query'>): Promise<number> {
  const [row] = await database.query<{ major: number }>(
    `select current_setting('server_version_num')::int / 10000 as major`,
  );
  return row!.major;
}

/**
 * Creates a database on the run's PostgreSQL as a copy of a template. The first call creates the template.
 * Disposing ends the remaining connections, drops the replication slots and then the database.
 */
export async function freshDatabase(template: Template): Promise<TestDatabase> {
  const name = `test_${template}_${randomBytes(6).toString('hex')}`;
  await asSuperuser(async (client) => {
    const source = template === 'empty' ? 'template1' : await ensureTemplate(client, template);
    await client.query(`create database ${name} template ${source} strategy file_copy`);
  });
  return databaseOf(name);
}

/** Creates an empty database with another encoding. */
export async function encodedDatabase(encoding: string): Promise<TestDatabase> {
  const name = `test_${encoding.toLowerCase()}_${randomBytes(6).toString('hex')}`;
  await asSuperuser((client) =>
    client.query(
      `create database ${name} encoding '${encoding}' template template0 locale_provider libc locale 'C'`,
    ),
  );
  return databaseOf(name);
}

function databaseOf(name: string): TestDatabase {
  const url = urlOf(name);
  const pool = new pg.Pool({ connectionString: url, max: 2, allowExitOnIdle: true });
  pool.on('error', () => undefined);
  return {
    url,
    name,
    query: async <T>(sql: string, parameters: readonly unknown[] = []) =>
      (await pool.query(sql, [...parameters])).rows as T[],
    [Symbol.asyncDispose]: async () => {
      await pool.end();
      await dropDatabase(name);
    },
  };
}

function urlOf(database: string): string {
  const server = process.env.WALTRAIL_TEST_POSTGRES;
  if (server === undefined)
    throw new Error('No test server: run this file through Jest, whose global setup starts one.');
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

/**
 * Pools to each server that this spec uses. They are kept because a connection costs as much as a database.
 */
const superusers = new Map<string, pg.Pool>();

async function asSuperuser<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const url = urlOf('postgres');
  let pool = superusers.get(url);
  if (pool === undefined) {
    pool = new pg.Pool({ connectionString: url, max: 2, allowExitOnIdle: true });
    pool.on('error', () => undefined);
    superusers.set(url, pool);
  }
  const client = await pool.connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
}

async function ensureTemplate(client: pg.ClientBase, template: 'crm' | 'trail'): Promise<string> {
  const name = `template_${template}`;
  await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) {
      // Filled under another name first: an incomplete template must not serve the next test.
      const draft = `${name}_draft`;
      await client.query(`drop database if exists ${draft} with (force)`);
      await client.query(`create database ${draft}`);
      await (template === 'crm'
        ? loadSampleCrm(urlOf(draft))
        : migrateTrail({ url: urlOf(draft), log: silentLog }));
      await client.query(`alter database ${draft} rename to ${name}`);
    }
  } finally {
    await client.query('select pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  }
  return name;
}

async function loadSampleCrm(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(await readFile(SAMPLE_CRM, 'utf8'));
  } finally {
    await client.end();
  }
}

/**
 * Waits until a pool's connections are closed, which is later than the end of the pool. A connection that is
 * terminated in between would raise an error without a listener.
 */
async function untilClosed(client: pg.ClientBase, name: string): Promise<void> {
  for (const deadline = Date.now() + CLOSING_LIMIT_MS; Date.now() < deadline; await delay(5)) {
    const { rowCount } = await client.query('select from pg_stat_activity where datname = $1', [name]);
    if (rowCount === 0) return;
  }
}

/** Waits until nobody reads a slot. After its reader has stopped, the walsender holds it until it notices. */
export const slotFree = ({ query }: Pick<TestDatabase, 'query'>, slot: string): Promise<void> =>
  until(`slot ${slot} to be free`, async () => {
    const held = await query('select from pg_replication_slots where slot_name = $1 and active', [slot]);
    return held.length === 0;
  });

/**
 * Drops a database. A slot pins its database, and can be dropped only after its walsender has released it, a
 * moment after it was told to.
 */
async function dropDatabase(name: string): Promise<void> {
  await asSuperuser(async (client) => {
    await untilClosed(client, name);
    const deadline = Date.now() + SLOT_RELEASE_TIMEOUT_MS;
    for (;;) {
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
      await client
        .query(
          'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1 and not active',
          [name],
        )
        .catch(() => undefined);
      const { rows } = await client.query<{ left: number }>(
        'select count(*)::int as left from pg_replication_slots where database = $1',
        [name],
      );
      if (rows[0]!.left === 0) break;
      if (Date.now() > deadline) throw new Error(`the replication slots of ${name} are not released`);
      await delay(20);
    }
    await client.query(`drop database if exists ${name} with (force)`);
  });
}
