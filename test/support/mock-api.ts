import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { makeEntry, mockJson, type MockEntry, type NewEntry } from './mock-entries.ts';
import { MockExports } from './mock-exports.ts';

const PAGE_FOLDER = path.resolve(import.meta.dirname, '../../dist/web');
/** The daemon's own (src/admin/http.ts). */
const CSP = "default-src 'self';base-uri 'none';form-action 'self';frame-ancestors 'none';object-src 'none'";
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const DAY_MS = 86_400_000;

/** A gap of the API's JSON. */
export interface MockGap {
  readonly id: number;
  readonly code: string;
  readonly summary: string;
  readonly scope: 'stream' | 'tables';
  readonly tables?: readonly string[] | null;
  readonly fromLsn: string;
  readonly toLsn: string | null;
  readonly lastEntryAt: string | null;
  readonly foundAt: string;
  readonly acceptedAt: string | null;
  readonly closedAt: string | null;
}

export interface MockCoverage {
  readonly since: string | null;
  readonly droppedBefore: string | null;
  readonly until: string | null;
  readonly asOf: string;
  readonly capture: string;
}

export interface MockProblem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly code?: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

/** A request that the server received, other than for the page's own files. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** Serves the page's files under the daemon's CSP, and an API with an invented trail in memory. */
export interface MockApi extends AsyncDisposable {
  readonly url: string;
  readonly exports: MockExports;
  /** Credentials: an access token of each role, and a code that works once. */
  readonly tokens: { readonly admin: string; readonly viewer: string; readonly code: string };
  readonly seen: readonly Seen[];
  /** Stores a new entry, which every open stream gets. */
  add(entry?: NewEntry): MockEntry;
  /**
   * Puts a gap into the trail, newest of all. By default it was found ten minutes ago and closed at once;
   * `said` overrides this.
   */
  addGap(said?: Partial<MockGap>): MockGap;
  /** Sets what the trail covers from now on. Defaults to everything since the beginning of the year. */
  cover(said: Partial<MockCoverage>): void;
  /** Breaks every stream; while `refuse` is set no new one opens. */
  cutStreams(options?: { readonly refuse?: boolean }): void;
  endSessions(): void;
  /** Reports to every stream how far it is behind. */
  fallBehind(seconds: number): void;
  /** Streams that resume before an entry are refused from now on, as if it were a week old. */
  resumeFrom(id: string): void;
  /** Stops listening, as while a daemon restarts. */
  down(): Promise<void>;
  /** Listens again, at the same address. */
  up(): Promise<void>;
  /** Answers requests to a path (such as `/v1/entries`) with this problem; null ends it. */
  failWith(path: string, problem: MockProblem | null): void;
  openStreams(): number;
}

interface Stream {
  /** The filters of each view. */
  readonly views: readonly URLSearchParams[];
  readonly response: ServerResponse;
}

export async function startMockApi(
  options: { readonly entries?: number; readonly session?: Readonly<Record<string, unknown>> } = {},
): Promise<MockApi> {
  if (!existsSync(path.join(PAGE_FOLDER, 'index.html')))
    throw new Error('The page is not built: run `npm run build:web` (npm test does so automatically).');
  const tokens = { admin: 'admin-token', viewer: 'viewer-token', code: 'one-time code/+' };
  const usedCodes = new Set<string>();
  const sessions = new Map<string, string>();
  const streams = new Set<Stream>();
  const failures = new Map<string, MockProblem>();
  const gaps: MockGap[] = [];
  const seen: Seen[] = [];
  let coverage: Partial<MockCoverage> = {};
  const exports = new MockExports();
  let refuseStreams = false;
  let resumableFrom = '';
  let count = options.entries ?? 0;
  const now = Date.now();
  // Ascending by id; the last one a minute ago, the others before it in uneven steps.
  const entries = Array.from({ length: count }, (_, index) =>
    makeEntry(index, now - 60_000 - (count - 1 - index) * 97_000),
  );

  const server = createServer((request, response) => {
    void handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://mock');
    if (!url.pathname.startsWith('/v1/')) return servePage(url.pathname, response);
    const body = await readBody(request);
    const method = request.method!;
    seen.push({ method, path: url.pathname, query: url.searchParams, headers: request.headers, body });
    const failure = failures.get(url.pathname);
    if (failure !== undefined) return problem(response, failure);
    if (url.pathname === '/v1/session' && method === 'POST') return signIn(body, response);
    const secret = /waltrail_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const role = sessions.get(secret);
    if (role === undefined) {
      return problem(response, {
        status: 401,
        title: 'Nobody is signed in',
        remedy: 'Sign in, or send a token.',
      });
    }
    if (url.pathname === '/v1/session') {
      if (method === 'GET') return json(response, 200, sessionOf(role));
      sessions.delete(secret);
      response.writeHead(204, { 'set-cookie': 'waltrail_session=; Path=/; Max-Age=0' }).end();
      return;
    }
    if (url.pathname.startsWith('/v1/exports')) {
      if (role === 'viewer') {
        return problem(response, {
          status: 403,
          title: 'This role may not export',
          remedy: 'Ask for the role exporter.',
        });
      }
      return exports.handle({ method, path: url.pathname, headers: request.headers, body, response });
    }
    route(url, body, response);
  }

  function route(url: URL, body: unknown, response: ServerResponse): void {
    const query = url.searchParams;
    if (url.pathname === '/v1/entries/stream') return openStream(body, response);
    if (url.pathname === '/v1/entries') return page(query, response);
    if (url.pathname === '/v1/status')
      return json(response, 200, { coverage: coverageNow(), gapsVersion: JSON.stringify(gaps) });
    if (url.pathname === '/v1/gaps') return listGaps(query, response);
    if (url.pathname === '/v1/facets') return json(response, 200, facetsOf(entries, query));
    if (url.pathname.startsWith('/v1/facets/'))
      return json(
        response,
        200,
        facetListOf(entries, { list: url.pathname.slice('/v1/facets/'.length), query }),
      );
    const history = /^\/v1\/entities\/([^/]+)\/([^/]+)\/history$/.exec(url.pathname);
    if (history !== null) {
      const [type, id] = history.slice(1).map(decodeURIComponent);
      const below = query.get('cursor');
      const found = entries
        .filter(({ entity }) => entity.type === type && entity.id === id)
        .filter((entry) => below === null || entry.id < below)
        .reverse();
      const items = found.slice(0, Number(query.get('limit')));
      const next = found.length > items.length ? items.at(-1)!.id : null;
      return json(response, 200, { items, next, coverage: coverageNow() });
    }
    const entry = entries.find(({ id }) => url.pathname === `/v1/entries/${id}`);
    if (entry !== undefined) return json(response, 200, entry);
    problem(response, {
      status: 404,
      title: 'Not found',
      detail: 'There is no entry of this id.',
      remedy: 'Take the id from GET /v1/entries. Entries older than the retention no longer exist.',
    });
  }

  function page(query: URLSearchParams, response: ServerResponse): void {
    const to = Date.parse(query.get('to') ?? '') || Date.now();
    const from = Date.parse(query.get('from') ?? '') || to - 7 * DAY_MS;
    // The limit is seven calendar days. One of them may have 25 hours.
    if (to - from > 7 * DAY_MS + 3_600_000) {
      return problem(response, { status: 422, code: 'RANGE_TOO_LONG', title: 'The range is too long' });
    }
    const limit = Number(query.get('limit') ?? 50);
    const below = query.get('cursor');
    const found = entries
      .filter((entry) => matches(entry, query) && (below === null || entry.id < below))
      .filter(({ committedAt }) => Date.parse(committedAt) >= from && Date.parse(committedAt) < to)
      .reverse();
    const items = found.slice(0, limit);
    json(response, 200, {
      items,
      next: found.length > limit ? items.at(-1)!.id : null,
      coverage: coverageNow(),
    });
  }

  const coverageNow = (): MockCoverage => {
    const now = new Date().toISOString();
    const usual = { since: '2026-01-01T00:00:00.000000Z', droppedBefore: null, until: now, asOf: now };
    return { ...usual, capture: 'streaming', ...coverage };
  };

  function listGaps(query: URLSearchParams, response: ServerResponse): void {
    const to = Date.parse(query.get('to') ?? '') || Date.now();
    const from = Date.parse(query.get('from') ?? '') || to - 7 * DAY_MS;
    const found = gaps.filter(
      ({ lastEntryAt, closedAt }) =>
        (lastEntryAt === null || Date.parse(lastEntryAt) < to) &&
        (closedAt === null || Date.parse(closedAt) >= from),
    );
    const items = found.slice(0, Number(query.get('limit') ?? 50));
    const isScoped = typeof options.session?.['tenant'] === 'string';
    const shown = isScoped ? items.map((gap) => ({ ...gap, tables: undefined })) : items;
    json(response, 200, { items: shown, total: found.length, coverage: coverageNow() });
  }

  function openStream(body: unknown, response: ServerResponse): void {
    if (refuseStreams) return problem(response, { status: 503, title: 'Too many live streams are open' });
    const asked = (body as { views: readonly Readonly<Record<string, string | readonly string[]>>[] }).views;
    const tooFar = asked.findIndex(({ after }) => after !== undefined && after < resumableFrom);
    if (tooFar >= 0)
      return problem(response, {
        status: 422,
        code: 'RANGE_TOO_LONG',
        title: 'Range too long',
        errors: [{ path: `views.${tooFar}`, message: 'is too far behind' }],
      });
    streamHead(response);
    const views = asked.map(({ after: _, ...filters }) => queryOf(filters));
    const newest = entries.at(-1)?.id ?? '0';
    views.forEach((query, view) => {
      const { after = newest } = asked[view]!;
      response.write(positionOf(String(after), { view, seconds: 0 }));
      for (const entry of entries)
        if (entry.id > after && matches(entry, query)) response.write(eventOf(entry, view));
    });
    const stream = { views, response };
    streams.add(stream);
    response.on('close', () => streams.delete(stream));
  }

  function signIn(body: unknown, response: ServerResponse): void {
    const { token } = body as { token: string };
    const isCode = token === tokens.code && !usedCodes.has(token);
    usedCodes.add(token);
    const role = token === tokens.admin || isCode ? 'admin' : token === tokens.viewer ? 'viewer' : undefined;
    if (role === undefined) {
      return problem(response, {
        status: 401,
        title: 'The token is not valid',
        detail: 'It is unknown, expired, revoked or, for a sign-in code, already used.',
        remedy: 'Ask the operator of Waltrail for a new token.',
      });
    }
    const secret = `secret${sessions.size}${role}`;
    sessions.set(secret, role);
    response.setHeader('set-cookie', `waltrail_session=${secret}; Path=/; HttpOnly; SameSite=Strict`);
    json(response, 200, sessionOf(role));
  }

  const sessionOf = (role: string): object => ({
    name: role === 'admin' ? 'Dana (compliance)' : 'Guest',
    role,
    tenant: null,
    maxRangeDays: 7,
    calendarDays: true,
    timezone: 'UTC',
    source: 'crm',
    ...options.session,
  });

  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  const port = await listen(0);
  return {
    url: `http://127.0.0.1:${port}`,
    exports,
    tokens,
    seen,
    add: (said) => {
      const entry = makeEntry(count, Date.now(), said);
      count += 1;
      entries.push(entry);
      for (const { views, response } of streams)
        views.forEach((query, view) => matches(entry, query) && response.write(eventOf(entry, view)));
      return entry;
    },
    addGap: (said = {}) => {
      const at = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
      const gap: MockGap = {
        id: gaps.length + 1,
        code: 'SOURCE_SLOT_LOST',
        summary: 'Changes may be missing: the replication slot no longer exists',
        scope: said.tables == null ? 'stream' : 'tables',
        tables: null,
        fromLsn: '0/23739C0',
        toLsn: '0/2391A48',
        lastEntryAt: at(15),
        foundAt: at(10),
        acceptedAt: at(6),
        closedAt: at(5),
        ...said,
      };
      gaps.unshift(gap);
      return gap;
    },
    cover: (said) => void (coverage = said),
    cutStreams: ({ refuse = false } = {}) => {
      refuseStreams = refuse;
      for (const { response } of streams) response.destroy();
    },
    endSessions: () => {
      sessions.clear();
      for (const { response } of streams) response.destroy();
    },
    failWith: (failing, said) => {
      if (said === null) failures.delete(failing);
      else failures.set(failing, said);
    },
    openStreams: () => streams.size,
    fallBehind: (seconds) => {
      const newest = entries.at(-1)?.id ?? '0';
      for (const { views, response } of streams)
        views.forEach((_, view) => response.write(positionOf(newest, { view, seconds })));
    },
    resumeFrom: (id) => void (resumableFrom = id),
    down: close,
    up: async () => void (await listen(port)),
    [Symbol.asyncDispose]: close,
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(mockJson(body));
}

export function problem(response: ServerResponse, said: MockProblem): void {
  response.writeHead(said.status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', ...said }));
}

function matches(entry: MockEntry, query: URLSearchParams): boolean {
  const any = (name: string, value: string | null): boolean => {
    const asked = query.getAll(name);
    return asked.length === 0 || asked.includes(value ?? '');
  };
  const q = query.get('q')?.toLowerCase();
  const text = JSON.stringify([entry.entity, entry.previous, entry.updated]).toLowerCase();
  return (
    any('modifier', entry.modifier.key) &&
    any('actingAs', entry.modifier.actingAs?.key ?? null) &&
    // Waltrail's own entries never match a filter on modifiers.
    !(isOwn(entry) && query.has('modifier')) &&
    any('action', entry.action) &&
    any('entityType', entry.entity.type) &&
    any('rung', entry.modifier.rung) &&
    any('entity', entry.entity.id) &&
    any('tenant', entry.tenant) &&
    (q === undefined || text.includes(q))
  );
}

const isOwn = ({ modifier }: MockEntry): boolean => ['waltrail', 'baseline'].includes(modifier.rung);

/** Longest list of values, short enough for a test to fill. */
const MAX_FACETS = 20;

interface MockFacet {
  readonly value: string;
  readonly name: string;
  readonly kind?: string | null;
  readonly count: number;
}

/** Returns the lists, each cut to its limit. */
function facetsOf(entries: readonly MockEntry[], query: URLSearchParams): object {
  const cut = Object.entries(allFacetsOf(entries, query)).map(([list, facets]) => ({
    list,
    ...cutOff(facets),
  }));
  return {
    ...Object.fromEntries(cut.map(({ list, items }) => [list, items])),
    more: Object.fromEntries(cut.map(({ list, more }) => [list, more])),
  };
}

/** Returns one list that is searched. */
function facetListOf(
  entries: readonly MockEntry[],
  { list, query }: { readonly list: string; readonly query: URLSearchParams },
): object {
  const filters = new URLSearchParams(query);
  filters.delete('search');
  const search = (query.get('search') ?? '').toLowerCase();
  const facets = allFacetsOf(entries, filters)[list] ?? [];
  return cutOff(facets.filter(({ name, value }) => `${name} ${value}`.toLowerCase().includes(search)));
}

const cutOff = (facets: readonly MockFacet[]) => {
  const more = facets.slice(MAX_FACETS);
  return {
    items: facets.slice(0, MAX_FACETS),
    more: { values: more.length, entries: more.reduce((sum, { count }) => sum + count, 0) },
  };
};

/** Counts each list without its own filter, as the daemon does. */
function allFacetsOf(
  entries: readonly MockEntry[],
  query: URLSearchParams,
): Readonly<Record<string, readonly MockFacet[]>> {
  const count = (
    name: string,
    facetOf: (entry: MockEntry) => { value: string; name: string; kind?: string | null } | null,
  ): MockFacet[] => {
    const others = new URLSearchParams(query);
    others.delete(name);
    const counts = new Map<string, MockFacet>();
    const counted = entries.filter((entry) => matches(entry, others));
    for (const entry of counted.filter((entry) => !(name === 'modifier' && isOwn(entry)))) {
      const facet = facetOf(entry);
      if (facet === null) continue;
      counts.set(facet.value, { ...facet, count: (counts.get(facet.value)?.count ?? 0) + 1 });
    }
    return [...counts.values()].sort((a, b) => b.count - a.count);
  };
  return {
    modifiers: count('modifier', ({ modifier: { key, name, kind } }) => ({ value: key ?? '', name, kind })),
    actingAs: count('actingAs', ({ modifier: { actingAs } }) =>
      actingAs === undefined ? null : { value: actingAs.key, name: actingAs.name, kind: actingAs.kind },
    ),
    actions: count('action', ({ action }) => ({ value: action, name: action })),
    entityTypes: count('entityType', ({ entity: { type } }) => ({ value: type, name: type })),
    tenants: count('tenant', ({ tenant }) => ({ value: tenant ?? '', name: tenant ?? '' })),
  };
}

const eventOf = (entry: MockEntry, view: number): string =>
  `event: entry.${view}\nid: ${entry.id}\ndata: ${mockJson(entry)}\n\n`;

const positionOf = (id: string, { view, seconds }: { view: number; seconds: number }): string =>
  `event: position.${view}\nid: ${id}\ndata: {"behindSeconds":${seconds}}\n\n`;

/** Converts the filters of a body to a query string. */
function queryOf(filters: Readonly<Record<string, string | readonly string[]>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(filters))
    for (const value of [values].flat()) query.append(name, value);
  return query;
}

function streamHead(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.write('retry: 1000\n\n');
}

function servePage(pathname: string, response: ServerResponse): void {
  const file = path.join(PAGE_FOLDER, pathname === '/' ? 'index.html' : path.normalize(pathname));
  if (!file.startsWith(PAGE_FOLDER) || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
  });
  response.end(readFileSync(file));
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
