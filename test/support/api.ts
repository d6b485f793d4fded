import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import pg from 'pg';
import { createToken, type NewToken } from '../../src/admin/auth/tokens.js';
import { createLog } from '../../src/log.js';
import { startDaemon, type Daemon } from '../../src/main.js';
import { readSettings, type Role } from '../../src/settings.js';
import { Places } from '../../src/tracking/places.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { freshDatabase, type TestDatabase } from './database.ts';

export interface ApiGround extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly trail: TestDatabase;
  readonly pool: pg.Pool;
  /** Every line that was logged. */
  readonly logged: string[];
  /** Every token that was created here: none may ever be logged. */
  readonly secrets: string[];
  token(token?: Partial<NewToken>): Promise<string>;
  /** Sends a request below the daemon's URL with a bearer token. */
  get(path: string, token: string, init?: RequestInit): Promise<Response>;
  add(entry?: PlainEntry): Promise<string>;
}

/** An entry as a test writes it; values are texts as PostgreSQL prints them. */
export interface PlainEntry {
  readonly action?: string;
  readonly entityType?: string;
  readonly entityId?: string;
  readonly entityName?: string;
  readonly tenant?: string;
  readonly modifier?: { readonly key: string; readonly name: string };
  readonly committedAt?: string;
  /** Columns id, full_name, blocked, balance. */
  readonly updated?: readonly [string, string, string, string];
}

export const testConfig = (trailUrl: string): TrackingConfig => ({
  // Nothing listens there, so capture cannot begin if it is started.
  source: {
    name: 'crm',
    url: 'postgres://waltrail@127.0.0.1:1/crm',
    slot: 'waltrail',
    slotNamed: true,
    publication: 'waltrail',
    onGap: 'stop',
    eventTrigger: false,
    onNewTable: 'report',
  },
  trail: { url: trailUrl, retentionDays: 400 },
  reports: { maxRangeMs: 7 * 86_400_000, maxRangeDays: 7, timezone: 'Europe/Berlin' },
  modifiers: [],
  attribution: [],
  session: null,
  messages: { trustNames: false, signingKeys: [] },
  redact: [],
  secrets: { defaults: true, allow: [] },
  tables: [],
  actionNames: new Map(),
  exclude: [],
  places: new Places({ name: 'test.yaml', positionOf: () => ({ line: 1, column: 1 }) }),
  definition: { document: '{}', digest: 'none' },
});

/** A daemon on a fresh trail, as `waltrail start --roles …` would run it, on a free port of the loopback. */
export async function apiGround(
  options: {
    readonly roles?: readonly Role[];
    readonly environment?: Readonly<Record<string, string>>;
    /** A trail with every migration. By default a fresh one. */
    readonly trail?: TestDatabase;
  } = {},
): Promise<ApiGround> {
  const trail = options.trail ?? (await freshDatabase('trail'));
  const dataDir = await mkdtemp(path.join(tmpdir(), 'waltrail-api-'));
  const pool = new pg.Pool({ connectionString: trail.url, max: 2 });
  pool.on('error', () => undefined);
  const logged: string[] = [];
  const secrets: string[] = [];
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      logged.push(String(chunk));
      done();
    },
  });
  const daemon = await startDaemon({
    settings: readSettings({ WALTRAIL_PORT: '0', WALTRAIL_DATA_DIR: dataDir, ...options.environment }),
    config: testConfig(trail.url),
    roles: options.roles ?? ['api'],
    log: createLog({ level: 'debug', destination }),
  });
  return {
    daemon,
    trail,
    pool,
    logged,
    secrets,
    token: async (token = {}) => {
      const secret = await createToken(pool, { name: 'test', role: 'admin', ...token });
      secrets.push(secret);
      return secret;
    },
    get: (route, token, init = {}) =>
      fetch(new URL(route, daemon.url), {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      }),
    add: (entry = {}) => addEntry(pool, entry),
    [Symbol.asyncDispose]: async () => {
      await daemon.stop();
      await pool.end();
      await trail[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const COLUMNS = [
  { name: 'id', type: 23 },
  { name: 'full_name', type: 25 },
  { name: 'blocked', type: 16 },
  { name: 'balance', type: 1700 },
];

/** Stores one entry as capture does, and moves the checkpoint in the same transaction. Returns its id. */
async function addEntry(pool: pg.Pool, entry: PlainEntry): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    /* sql */ `with place as (
                 insert into trail.checkpoint (source, system_identifier, timeline, slot, start_lsn, end_lsn, next_id, entries, last_committed_at)
                 values ('crm', '1', 1, 'waltrail', '0/1000', '0/2000', (trail.today()::int8 << 32) + 1, 1, now())
                 on conflict (source) do update
                   set next_id = greatest(checkpoint.next_id, trail.today()::int8 << 32) + 1, entries = checkpoint.entries + 1,
                       end_lsn = checkpoint.end_lsn + 256, last_committed_at = now(), updated_at = clock_timestamp()
                 returning next_id - 1 as id, end_lsn
               )
               insert into trail.entry (id, committed_at, commit_lsn, seq, xid, modifier_id, relation_id, tenant_id, entity_type_id,
                                        action_id, operation, rung, entity_id, entity_name, columns, previous, updated, extra)
               select id, coalesce($1::timestamptz, clock_timestamp()), end_lsn, 0, '812', $2, $3, $4, $5, $6, 'i', $7, $8, $9, null, null, $10, null
                 from place
               returning id::text`,
    [
      entry.committedAt ?? null,
      entry.modifier === undefined ? 0 : await modifierId(pool, entry.modifier),
      await relationId(pool),
      entry.tenant === undefined ? 0 : await wordId(pool, 'tenant', entry.tenant),
      await wordId(pool, 'entity_type', entry.entityType ?? 'agent'),
      await wordId(pool, 'action', entry.action ?? 'add'),
      entry.modifier === undefined ? '-' : 'c',
      entry.entityId ?? '12',
      entry.entityName ?? 'Omer Katz',
      (entry.updated ?? ['12', 'Omer Katz', 't', '12345678901234567890.10'])
        .map((value) => `${value}\x1f`)
        .join(''),
    ],
  );
  return rows[0]!.id;
}

async function wordId(
  pool: pg.Pool,
  table: 'tenant' | 'entity_type' | 'action',
  name: string,
): Promise<number> {
  await pool.query(
    `insert into trail.${table} (id, name) select coalesce(max(id), 0) + 1, $1 from trail.${table} on conflict (name) do nothing`,
    [name],
  );
  const { rows } = await pool.query<{ id: number }>(`select id from trail.${table} where name = $1`, [name]);
  return rows[0]!.id;
}

async function modifierId(pool: pg.Pool, { key, name }: { key: string; name: string }): Promise<number> {
  await pool.query(
    `insert into trail.modifier (id, key, name, kind) select max(id) + 1, $1, $2, 'agent' from trail.modifier
     having not exists (select from trail.modifier where key = $1 and name = $2)`,
    [key, name],
  );
  const { rows } = await pool.query<{ id: number }>(
    'select id from trail.modifier where key = $1 and name = $2',
    [key, name],
  );
  return rows[0]!.id;
}

async function relationId(pool: pg.Pool): Promise<number> {
  await pool.query(
    `insert into trail.relation (id, schema_name, table_name, columns) values (1, 'public', 'agents', $1) on conflict do nothing`,
    [JSON.stringify(COLUMNS)],
  );
  return 1;
}
