import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import xlsx from '@e965/xlsx';
import pg from 'pg';
import { createToken, revokeTokensNamed, TOKEN_ROLES, type TokenRole } from '../../src/admin/auth/tokens.js';
import { silentLog } from '../../src/log.js';
import { startDaemon, type Daemon } from '../../src/main.js';
import { readSettings } from '../../src/settings.js';
import { testConfig } from '../support/api.ts';
import { captureGround, type CaptureGround } from '../support/capture.ts';
import { until } from '../support/until.ts';

/** Words that belong to one tenant each. One row moves from the first tenant to the second. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  '1': ['old-key', 'Dana Old', 'Blue team', 'old note', 'only-one', 'hired by one', 'act_of_one'],
  '2': ['new-key', 'Dana New', 'Red team', 'new note', 'suspend', 'only-two', 'asked by two', 'act_of_two'],
};
/** Words that no reader of one tenant sees: a table's name in a gap, and a row without a tenant. */
const OF_NO_TENANT = ['hidden_table', 'without-tenant'];

interface Principal {
  readonly name: string;
  readonly token: string;
  readonly role: TokenRole | null;
  readonly tenant: string | null;
}

interface Asked {
  readonly path: string;
  readonly init?: RequestInit;
  /** Whether the object exists for a principal. Left out where a request names no object. */
  readonly isFor?: (principal: Principal) => boolean;
}

/** A route of the OpenAPI document: the lowest role that may call it, and the requests that are sent. */
interface Row {
  readonly role: TokenRole | 'open';
  /** Answers hold data of entries. A reader of all tenants has to find words of both tenants in them. */
  readonly holdsData?: boolean;
  readonly ask: (principal: Principal) => readonly Asked[];
}

interface MadeExport {
  readonly id: string;
  readonly by: Principal;
}

let g: CaptureGround;
let daemon: Daemon;
let pool: pg.Pool;
let dataDir: string;
let principals: Principal[];
let entries: { id: string; tenants: (string | null)[] }[];
let made: MadeExport[];

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const plain = (...paths: string[]): Asked[] => paths.map((path) => ({ path }));

const sees = (principal: Principal, tenants: readonly (string | null)[]): boolean =>
  principal.tenant === null || tenants.includes(principal.tenant);
const maySeeExport = (principal: Principal, { by }: MadeExport): boolean =>
  by.token === principal.token ||
  (principal.role === 'admin' && (principal.tenant === null || principal.tenant === by.tenant));
const exportsAt = (suffix: string, init?: RequestInit): Asked[] =>
  made.map((one) => ({
    path: `/v1/exports/${one.id}${suffix}`,
    ...(init === undefined ? {} : { init }),
    isFor: (principal) => maySeeExport(principal, one),
  }));
const FILTERS = [
  '',
  '&q=dana',
  '&q=note',
  '&q=team',
  '&action=suspend',
  '&entity=old-key',
  '&entity=new-key',
];

const ROWS: Readonly<Record<string, Row>> = {
  'GET /v1/entries': {
    role: 'viewer',
    holdsData: true,
    ask: ({ tenant }) => [
      ...FILTERS.map((filter) => ({ path: `/v1/entries?limit=500${filter}` })),
      ...plain('/v1/entries?limit=1'),
      ...['1', '2'].map((asked) => ({
        path: `/v1/entries?tenant=${asked}`,
        isFor: () => tenant === null || tenant === asked,
      })),
    ],
  },
  'GET /v1/entries/{id}': {
    role: 'viewer',
    holdsData: true,
    ask: () =>
      entries.map(({ id, tenants }) => ({
        path: `/v1/entries/${id}`,
        isFor: (principal) => sees(principal, tenants),
      })),
  },
  'GET /v1/entries/stream': { role: 'viewer', holdsData: true, ask: () => plain('/v1/entries/stream') },
  'POST /v1/entries/stream': {
    role: 'viewer',
    holdsData: true,
    ask: ({ tenant }) => [
      { path: '/v1/entries/stream', init: json({ views: [{ after: '0' }, { after: '0', q: 'note' }] }) },
      ...['1', '2'].map((asked) => ({
        path: '/v1/entries/stream',
        init: json({ views: [{ after: '0', tenant: asked }] }),
        isFor: () => tenant === null || tenant === asked,
      })),
    ],
  },
  'GET /v1/facets': {
    role: 'viewer',
    holdsData: true,
    ask: () => FILTERS.map((filter) => ({ path: `/v1/facets?limit=500${filter}` })),
  },
  'GET /v1/facets/{list}': {
    role: 'viewer',
    holdsData: true,
    ask: () =>
      ['modifiers', 'actions', 'entityTypes', 'tenants'].flatMap((list) =>
        plain(`/v1/facets/${list}`, `/v1/facets/${list}?search=o`),
      ),
  },
  'GET /v1/entities/{type}/{id}/history': {
    role: 'viewer',
    holdsData: true,
    ask: () =>
      ['old-key', 'new-key', 'only-one', 'only-two', 'without-tenant'].flatMap((id) =>
        plain(`/v1/entities/agent/${id}/history`),
      ),
  },
  'GET /v1/gaps': { role: 'viewer', ask: () => plain('/v1/gaps') },
  'GET /v1/status': { role: 'viewer', ask: () => plain('/v1/status') },
  'POST /v1/exports': {
    role: 'exporter',
    ask: ({ tenant }) => [
      { path: '/v1/exports', init: json({ format: 'csv' }) },
      ...['1', '2'].map((asked) => ({
        path: '/v1/exports',
        init: json({ format: 'ndjson', tenant: asked }),
        isFor: () => tenant === null || tenant === asked,
      })),
    ],
  },
  'GET /v1/exports': { role: 'exporter', ask: () => plain('/v1/exports') },
  'GET /v1/exports/{id}': { role: 'exporter', ask: () => exportsAt('') },
  'GET /v1/exports/{id}/events': { role: 'exporter', ask: () => exportsAt('/events') },
  'GET /v1/exports/{id}/file': { role: 'exporter', holdsData: true, ask: () => exportsAt('/file') },
  'DELETE /v1/exports/{id}': {
    role: 'exporter',
    // Comes last, and deletes only what the principal must not delete: the other principals still need the
    // exports.
    ask: (principal) =>
      exportsAt('', { method: 'DELETE' }).filter(({ isFor }) => isFor?.(principal) === false),
  },
  'POST /v1/session': {
    role: 'open',
    ask: ({ token, role }) => (role === null ? [] : [{ path: '/v1/session', init: json({ token }) }]),
  },
  'GET /v1/session': { role: 'viewer', ask: () => plain('/v1/session') },
  'DELETE /v1/session': {
    role: 'viewer',
    ask: () => [{ path: '/v1/session', init: { method: 'DELETE' } }],
  },
  'GET /healthz': { role: 'open', ask: () => plain('/healthz') },
  'GET /readyz': { role: 'open', ask: () => plain('/readyz') },
  // Its numbers cover all tenants.
  'GET /metrics': {
    role: 'viewer',
    ask: () => [{ path: '/metrics', isFor: ({ tenant }) => tenant === null }],
  },
};

beforeAll(async () => {
  g = await captureGround({
    schemaSql: `
      create table teams (id int primary key, organization_id int, name text);
      create table agents (id text primary key, organization_id int, full_name text, blocked boolean, team_id int, note text);
      insert into teams values (31, 1, 'Blue team'), (32, 2, 'Red team');`,
    yaml: `
tables:
  public.agents: { entity: agent, name: "{full_name} of {team_id}", tenant: organization_id,
    labels: { team_id: { table: public.teams, key: id, name: "{name}" } },
    actions: [ { on: update, changed: blocked, to: true, action: suspend }, { on: insert, when: { full_name: A }, action: act_of_one }, { on: insert, when: { full_name: B }, action: act_of_two } ] }
  public.teams: { entity: team, name: "{name}", tenant: organization_id }`,
  });
  const say = (reason: string): string =>
    `select pg_logical_emit_message(true, 'waltrail', '{"modifier": "5", "context": {"reason": "${reason}"}}');`;
  await g.source.query(
    `begin; ${say('hired by one')} insert into agents values ('old-key', 1, 'Dana Old', false, 31, 'old note'); commit`,
  );
  await g.source.query(
    `begin; ${say('asked by two')} update agents set id = 'new-key', organization_id = 2, full_name = 'Dana New', blocked = true, team_id = 32, note = 'new note'; commit`,
  );
  await g.source.query(
    `insert into agents values ('only-one', 1, 'A', false, 31, 'only-one'), ('only-two', 2, 'B', false, 32, 'only-two'),
       ('without-tenant', null, 'C', false, null, 'without-tenant')`,
  );
  await g.caughtUp();
  await g.capture.stop();
  await g.trail.query(
    `select trail.open_gap('SOURCE_PUBLICATION_INCOMPLETE', 'Changes are missing', '{public.hidden_table}', '0/1', '0/2')`,
  );
  entries = await g.trail.query(
    `select e.id::text as id, array[n.name, p.name] as tenants from trail.entry e
       left join trail.tenant n on n.id = e.tenant_id left join trail.tenant p on p.id = e.previous_tenant_id`,
  );
  dataDir = await mkdtemp(path.join(tmpdir(), 'waltrail-matrix-'));
  pool = new pg.Pool({ connectionString: g.trail.url, max: 1 });
  daemon = await startDaemon({
    settings: readSettings({ WALTRAIL_PORT: '0', WALTRAIL_DATA_DIR: dataDir }),
    config: testConfig(g.trail.url),
    roles: ['api', 'exports'],
    log: silentLog,
  });
  principals = [
    { name: 'nobody', token: '', role: null, tenant: null },
    { name: 'a wrong token', token: 'wt_wrong', role: null, tenant: null },
    {
      name: 'a revoked one',
      token: await createToken(pool, { name: 'gone', role: 'admin' }),
      role: null,
      tenant: null,
    },
  ];
  await revokeTokensNamed(pool, 'gone');
  for (const role of TOKEN_ROLES)
    for (const tenant of [null, '1', '2']) {
      const name = `${role} of ${tenant ?? 'all'}`;
      principals.push({ name, role, tenant, token: await createToken(pool, { name, role, tenant }) });
    }
  made = [];
  for (const by of principals) {
    if (by.role === null || by.role === 'viewer') continue;
    for (const format of by.role === 'admin' ? ['ndjson'] : ['csv', 'xlsx']) {
      const response = await send(by, { path: '/v1/exports', init: json({ format }) });
      made.push({ id: ((await response.json()) as { id: string }).id, by });
    }
  }
  await until(
    'the exports',
    async () => {
      const [row] = await g.trail.query<{ left: number }>(
        `select count(*)::int as left from trail.export where state <> 'ready'`,
      );
      return row!.left === 0;
    },
    150_000,
  );
});
afterAll(async () => {
  await daemon?.stop();
  await pool?.end();
  await g?.[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
});

const send = ({ token }: Principal, { path: route, init = {} }: Asked): Promise<Response> =>
  fetch(new URL(route, daemon.url), {
    ...init,
    headers: {
      ...init.headers,
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(route.endsWith('/stream') ? { 'last-event-id': '0' } : {}),
    },
    signal: AbortSignal.timeout(60_000),
  });

/** A stream is read until it has delivered an entry and has then been silent for this long. */
const QUIET_MS = 1_000;
/** Limit for a stream that delivers no entry. */
const STREAM_LIMIT_MS = 15_000;

/** Everything in an answer: its headers, and its body in readable form. */
async function textOf(response: Response): Promise<string> {
  const headers = JSON.stringify([...response.headers]);
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('spreadsheet'))
    return headers + JSON.stringify(xlsx.read(Buffer.from(await response.arrayBuffer())).Sheets);
  if (!type.startsWith('text/event-stream')) return headers + (await response.text());
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const stop = (): void => void reader.cancel();
  let end = setTimeout(stop, STREAM_LIMIT_MS);
  let text = headers;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += read.value;
    if (!text.includes('"committedAt"')) continue;
    clearTimeout(end);
    end = setTimeout(stop, QUIET_MS);
  }
  clearTimeout(end);
  return text;
}

test('every route has a row in this matrix, and every row belongs to a route', async () => {
  const document = (await (await fetch(`${daemon.url}/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const routes = Object.entries(document.paths).flatMap(([route, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${route}`),
  );
  expect(Object.keys(ROWS).sort()).toEqual(routes.sort());
});

test.each(Object.entries(ROWS))(
  '%s answers each role and tenant with their own data only, and refuses everyone else',
  async (_route, row) => {
    const leaks: string[] = [];
    let asked = 0;
    const askAs = async (principal: Principal): Promise<void> => {
      const mayCall =
        row.role === 'open' ||
        (principal.role !== null && TOKEN_ROLES.indexOf(principal.role) >= TOKEN_ROLES.indexOf(row.role));
      let everything = '';
      for (const request of row.ask(principal)) {
        asked++;
        const response = await send(principal, request);
        const { status } = response;
        const text = await textOf(response);
        const expected = !mayCall
          ? principal.role === null
            ? [401, 429]
            : [403]
          : request.isFor?.(principal) === false
            ? [403, 404]
            : [200, 202, 204];
        expect([principal.name, request.path, expected]).toEqual([
          principal.name,
          request.path,
          expect.arrayContaining([status]),
        ]);
        everything += text;
        const hidden =
          principal.role === null
            ? [...WORDS['1']!, ...WORDS['2']!, ...OF_NO_TENANT]
            : principal.tenant === null
              ? []
              : [...WORDS[principal.tenant === '1' ? '2' : '1']!, ...OF_NO_TENANT];
        // The path holds what the request asked for, and an answer may repeat it.
        const found = hidden.filter(
          (word) => text.includes(word) && !decodeURIComponent(request.path).includes(word),
        );
        if (found.length > 0) leaks.push(`${principal.name} ${request.path}: ${found.join(', ')}`);
      }
      if (mayCall && row.holdsData === true) {
        const own = principal.tenant === null ? ['1', '2'] : [principal.tenant];
        // The rows are not empty by mistake.
        for (const tenant of own)
          expect([principal.name, WORDS[tenant]!.some((word) => everything.includes(word))]).toEqual([
            principal.name,
            true,
          ]);
      }
    };
    // All principals ask at once: most of the time is spent waiting for streams.
    await Promise.all(principals.map(askAs));
    expect(asked).toBeGreaterThan(0);
    expect(leaks).toEqual([]);
  },
);
