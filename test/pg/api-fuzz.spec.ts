import http from 'node:http';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';
import { generator, type Random } from '../support/random.ts';

/** The number of requests. 10,000 have passed. WALTRAIL_FUZZ_REQUESTS and WALTRAIL_FUZZ_SEED set others. */
const REQUESTS = Number(process.env.WALTRAIL_FUZZ_REQUESTS ?? 800);
const SEED = Number(process.env.WALTRAIL_FUZZ_SEED ?? 20_261_130);
const AT_ONCE = 8;
const ANSWER_LIMIT_MS = 20_000;
/** An answer of a stream is complete when its head has arrived. */
const STREAM_MS = 50;

let ground: ApiGround;
let tokens: string[];
let cursors: string[];
let exportIds: string[];
beforeAll(async () => {
  ground = await apiGround({ roles: ['api', 'exports'] });
  for (let n = 0; n < 30; n++)
    await ground.add({
      entityId: `${n % 7}`,
      entityName: `Entity ${n} %_\\'"`,
      ...(n % 2 === 0 ? { tenant: 'one' } : {}),
      modifier: { key: `${n % 3}`, name: 'Dana' },
    });
  tokens = [
    await ground.token({ name: 'admin' }),
    await ground.token({ name: 'scoped', role: 'admin', tenant: 'one' }),
    await ground.token({ name: 'exporter', role: 'exporter' }),
    await ground.token({ name: 'viewer', role: 'viewer' }),
  ];
  const page = (await (await ground.get('/v1/entries?limit=3', tokens[0]!)).json()) as { next: string };
  cursors = [page.next, Buffer.from(page.next, 'base64url').toString()];
  const created = await ground.get('/v1/exports', tokens[0]!, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"format":"csv"}',
  });
  exportIds = [((await created.json()) as { id: string }).id, '00000000-0000-4000-8000-000000000000'];
});
afterAll(async () => ground[Symbol.asyncDispose]());

const NASTY = [
  '', ' ', '0', '-1', '1', '00', '0x10', '1e3', '1e400', '9223372036854775807', '9223372036854775808', '-9223372036854775809',
  '18446744073709551616', '99999999999999999999999999', '1.5', 'NaN', 'Infinity', '-0', '+1', '1_000', 'null', 'undefined', 'true',
  '[]', '{}', '[object Object]', '\0', 'a\0b', '\u{feff}', '\ud800', '\udfff', '\u{1f600}', '\u202e', 'ａ', '٣', '%', '%%', '%2', '%zz', '%00',
  '%ff', '%c0%af', '%ed%a0%80', '%25', '%2e%2e%2f', '..', '../..', '/', '//', '\\', "'", "';--", '$1', '$$', '"', '`', '<script>', '\r\n',
  '%0d%0aSet-Cookie:a=b', '\t', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'a'.repeat(1_001), 'a'.repeat(5_000), '*', '?', '#', '&', '=', ';',
  ',', ':', '@', '1970-01-01', '0000-00-00', '2026-02-30', '2026-11-30T24:00:00Z', '2026-11-30T23:59:60Z', '-271821-04-20T00:00:00Z', '+275760-09-13T00:00:00Z',
  '275761-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '2026-11-30T00:00:00+99:99', '2026-11-30T00:00:00', 'now', 'infinity', '-infinity', 'epoch',
  'Europe/Berlin', 'UTC', 'GMT+25', '+02:00', 'Etc/GMT-14', 'America/Nowhere', 'xlsx', 'csv', 'exe',
]; // prettier-ignore
const NAMES = [
  'limit', 'cursor', 'from', 'to', 'timezone', 'modifier', 'action', 'entityType', 'entity', 'tenant', 'q', 'search', 'format', 'token',
  '__proto__', 'constructor', 'limit[]', 'q[a]', 'Q', '', '%00', 'a'.repeat(300),
]; // prettier-ignore
const PLAUSIBLE = [
  'limit=2', 'q=dana', 'q=%25', 'action=add', 'action=add&action=block', 'entity=3', 'entityType=agent', 'modifier=', 'modifier=1', 'tenant=one', 'timezone=Asia/Tokyo',
  'from=2026-11-30', 'search=a', 'format=csv',
]; // prettier-ignore
const PATHS = [
  '/v1/entries', '/v1/entries/', '/v1/entries/1', '/v1/entries/stream', '/v1/facets', '/v1/facets/modifiers', '/v1/facets/tenants', '/v1/facets/x',
  '/v1/entities/agent/1/history', '/v1/entities//1/history', '/v1/gaps', '/v1/status', '/v1/exports', '/v1/exports/x', '/v1/session', '/v1/openapi.json',
  '/healthz', '/readyz', '/metrics', '/', '/docs', '/docs/x', '/assets/x', '/index.html', '/v1', '/v2/entries', '/v1/../metrics', '//v1/entries', '/V1/Entries',
]; // prettier-ignore
const METHODS = [
  'GET',
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PUT',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'QUERY',
];
const HEADERS = [
  'accept', 'accept-encoding', 'authorization', 'content-type', 'content-length', 'cookie', 'host', 'if-none-match', 'if-range', 'range', 'last-event-id',
  'idempotency-key', 'origin', 'sec-fetch-site', 'x-forwarded-for', 'x-forwarded-proto', 'transfer-encoding', 'expect', 'upgrade', 'connection', 'te', 'forwarded',
]; // prettier-ignore
const HEADER_VALUES = [
  '', '*/*', 'gzip;q=0', 'br, gzip', 'identity;q=0, *;q=0', 'application/json', 'application/json; charset=latin1', 'application/json; charset=utf-16', 'text/plain',
  'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'bytes=0-', 'bytes=5-1', 'bytes=-0', 'bytes=0-0,2-3', 'bytes=99999999999999999999-', 'chunked',
  '100-continue', 'websocket', 'null', 'https://evil.example', 'same-origin', 'cross-site', 'Bearer', 'Bearer ', 'Bearer wt_', 'Basic YTpi', 'waltrail_session=;;=;',
  `waltrail_session=${'x'.repeat(4_000)}`, '0', '-1', '1', '999999999999999999', '9999999999999999999', '"x"', 'W/"x"', '\u00ff\u00fe',
]; // prettier-ignore

interface Fuzzed {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

function fuzzed(random: Random): Fuzzed {
  const pick = <T>(from: readonly T[]): T => from[random(from.length)]!;
  const text = (): string => {
    const kind = random(8);
    if (kind === 0) return tampered(pick(cursors), random);
    if (kind === 1) return pick(NASTY) + pick(NASTY);
    if (kind === 2) return String.fromCharCode(...Array.from({ length: random(12) }, () => random(0x10000)));
    return pick(NASTY);
  };
  const encoded = (value: string): string =>
    random(4) === 0 ? value.replace(/[^\x21-\x7e]|#/g, '%') : encodeAnyhow(value);
  let path = pick(PATHS);
  if (random(4) === 0) path = `/v1/exports/${pick(exportIds)}${pick(['', '/file', '/events', '/x'])}`;
  if (random(10) === 0)
    path = path
      .split('/')
      .map((part) => (part !== '' && random(3) === 0 ? encoded(text()).slice(0, 2_000) : part))
      .join('/');
  const query = Array.from({ length: random(3) }, () => {
    if (random(2) === 0) return pick(PLAUSIBLE);
    const name = encoded(pick(NAMES));
    return Array.from({ length: random(20) === 0 ? 600 : 1 }, () => `${name}=${encoded(text())}`).join('&');
  });
  if (query.length > 0) path += `?${query.join(pick(['&', '&', '&', ';', '&&']))}`;
  if (!path.startsWith('/')) path = `/${path}`;
  const headers: Record<string, string> = {};
  if (random(10) > 0) headers['authorization'] = `Bearer ${pick(tokens)}`;
  for (let n = random(2) === 0 ? 0 : random(4); n > 0; n--)
    headers[pick(HEADERS)] = random(3) === 0 ? encodeAnyhow(text()) : pick(HEADER_VALUES);
  const method = pick(METHODS);
  const withBody = method === 'POST' || method === 'PUT' || random(6) === 0;
  if (withBody && random(5) > 0) headers['content-type'] = 'application/json';
  return { method, path: path.slice(0, 60_000), headers, body: withBody ? body(random, text) : undefined };
}

function body(random: Random, text: () => string): Buffer {
  const value = (depth: number): unknown => {
    switch (random(depth > 3 ? 5 : 8)) {
      case 0:
        return text();
      case 1:
        return Number(text());
      case 2:
        return null;
      case 3:
        return random(2) === 0;
      case 4:
        return 1e308 * random(3);
      case 5:
        return Array.from({ length: random(30) === 0 ? 600 : random(4) }, () => value(depth + 1));
      default:
        return Object.fromEntries(
          Array.from({ length: random(5) }, () => [NAMES[random(NAMES.length)]!, value(depth + 1)]),
        );
    }
  };
  const json = JSON.stringify(value(0));
  switch (random(8)) {
    case 0:
      return Buffer.from(json.slice(0, random(json.length + 1)));
    case 1:
      return Buffer.from(Array.from({ length: random(200) }, () => random(256)));
    case 2:
      return Buffer.from(`${'['.repeat(random(20_000))}1`);
    case 3:
      return Buffer.from(json.replace(/"/g, (quote) => (random(9) === 0 ? '\\ud800"' : quote)));
    case 4:
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(json)]);
    default:
      return Buffer.from(json);
  }
}

/** Changes a bit of a cursor, cuts it off, repeats it, or adds fields. */
function tampered(cursor: string, random: Random): string {
  const at = random(cursor.length);
  switch (random(4)) {
    case 0:
      return cursor.slice(0, at);
    case 1:
      return (
        cursor.slice(0, at) +
        String.fromCharCode(cursor.charCodeAt(at) ^ (1 << random(7))) +
        cursor.slice(at + 1)
      );
    case 2:
      return Buffer.from(
        `${random(9)}.${random(2) === 0 ? '99999999999999999999' : '-5'}.${cursor}`,
      ).toString('base64url');
    default:
      return cursor + cursor;
  }
}

/** Percent-encodes a text. Halves of surrogate pairs become the three bytes of their code point. */
const encodeAnyhow = (value: string): string =>
  [...value]
    .map((character) => {
      const code = character.codePointAt(0)!;
      if (code >= 0xd800 && code <= 0xdfff)
        return `%${(0xe0 | (code >> 12)).toString(16)}%${(0x80 | ((code >> 6) & 63)).toString(16)}%${(0x80 | (code & 63)).toString(16)}`;
      return encodeURIComponent(character);
    })
    .join('');

/** Returns the status of the answer, or 0 if the connection was closed without one. */
function send(
  { method, path, headers, body: bytes }: Fuzzed,
  agent: http.Agent,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(ground.daemon.url);
    const limit = setTimeout(
      () => reject(new Error(`no answer to ${method} ${path.slice(0, 500)}`)),
      ANSWER_LIMIT_MS,
    );
    const done = (status: number, text = ''): void => {
      clearTimeout(limit);
      resolve({ status, text });
    };
    // A wrong length leaves the connection waiting for a body. It would take the next request for that body.
    const lies = ['content-length', 'transfer-encoding', 'expect'].some((name) => name in headers);
    // Node's client sends no length for a body of GET, HEAD and DELETE: the body would be another request.
    const given = {
      headers: bytes === undefined ? headers : { 'content-length': `${bytes.length}`, ...headers },
    };
    let request: http.ClientRequest;
    try {
      request = http.request(
        { ...given, host: hostname, port, method, path, agent: lies ? false : agent },
        (response) => {
          const { statusCode = 0 } = response;
          let text = '';
          response.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(0, 2_000)));
          response.on('error', () => done(statusCode, text)).on('end', () => done(statusCode, text));
          if (String(response.headers['content-type']).startsWith('text/event-stream'))
            setTimeout(() => {
              done(statusCode);
              request.destroy();
            }, STREAM_MS);
        },
      );
    } catch {
      // Node's client sends no such header or method.
      done(0);
      return;
    }
    request
      .on('error', () => done(0))
      .on('close', () => done(0))
      .on('upgrade', (response) => done(response.statusCode ?? 0));
    if (lies) setTimeout(() => request.destroy(), 300);
    request.end(bytes);
  });
}

test(
  `${REQUESTS} random requests are answered without a 500, and the daemon keeps running`,
  async () => {
    const random = generator(SEED);
    const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
    const statuses = new Map<number, number>();
    const failed: unknown[] = [];
    const waiting = Array.from({ length: REQUESTS }, () => fuzzed(random));
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let request = waiting.pop(); request !== undefined; request = waiting.pop()) {
          const { status, text } = await send(request, agent);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          if (status >= 500)
            failed.push([
              status,
              request.method,
              request.path.slice(0, 300),
              request.headers,
              request.body?.toString().slice(0, 300),
              text,
            ]);
        }
      }),
    );
    agent.destroy();
    process.stderr.write(
      `fuzz: seed ${SEED}, ${JSON.stringify(Object.fromEntries([...statuses].sort(([a], [b]) => a - b)))}\n`,
    );
    expect(failed).toEqual([]);
    // The requests reached answers, the checks of values, and the router.
    for (const status of [200, 400, 401, 403, 404])
      expect(statuses.get(status) ?? 0).toBeGreaterThan(REQUESTS / 250);
    expect((await ground.get('/v1/entries', tokens[0]!)).status).toBe(200);
    expect((await ground.get('/healthz', tokens[0]!)).status).toBe(200);
    expect(ground.logged.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
  },
  REQUESTS * 100 + 60_000,
);

test('parameters that a route ignores, and text that a row cannot hold, do not prevent the access record', async () => {
  const created = await ground.get('/v1/exports', tokens[2]!, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"format":"csv"}',
  });
  const { id } = (await created.json()) as { id: string };
  const response = await ground.get(`/v1/exports/${id}?note=a%00b`, tokens[2]!, {
    method: 'DELETE',
    headers: { 'content-type': 'application/json' },
    body: `{"half":"\\udfff","deep":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
  });
  expect(response.status).toBe(204);
  const rows = await ground.trail.query(
    `select filters from trail.access where action = 'remove' and filters ->> 'id' = $1`,
    [id],
  );
  expect(rows).toEqual([{ filters: { id, note: 'a\u{fffd}b', half: '\u{fffd}', deep: [[['…']]] } }]);
});

test('bytes that are not HTTP end their own connection only', async () => {
  const random = generator(SEED);
  const { hostname, port } = new URL(ground.daemon.url);
  const garbage = Array.from({ length: 50 }, (_, n) => {
    const line = n % 2 === 0 ? '' : `GET /v1/entries HTTP/1.${n % 4}\r\nHost: x\r\nX: \u0000\r\n`;
    return Buffer.concat([Buffer.from(line), Buffer.from(Array.from({ length: 200 }, () => random(256)))]);
  });
  await Promise.all(
    garbage.map(async (bytes) => {
      const socket = connectTcp(Number(port), hostname);
      socket.on('error', () => undefined).resume();
      socket.end(bytes);
      await new Promise((resolve) => {
        socket.once('close', resolve);
        setTimeout(() => socket.destroy(), 2_000);
      });
    }),
  );
  expect((await ground.get('/v1/status', tokens[0]!)).status).toBe(200);
});
