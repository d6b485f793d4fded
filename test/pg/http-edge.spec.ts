import { once } from 'node:events';
import http from 'node:http';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { apiGround, type ApiGround } from '../support/api.ts';

let ground: ApiGround;
let token: string;
let entry: string;
beforeAll(async () => {
  ground = await apiGround();
  token = await ground.token();
  entry = await ground.add({ entityType: 'agent', entityId: '12' });
});
afterAll(async () => ground[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a request with its target unchanged: fetch would encode it. Streams end with their head. */
async function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Buffer | string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(ground.daemon.url);
  const request = http.request({
    hostname,
    port,
    path,
    agent: false,
    method: options.method ?? 'GET',
    headers: { authorization: `Bearer ${token}`, ...options.headers },
  });
  request.end(options.body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const isStream = options.method !== 'HEAD' && response.headers['content-type']?.includes('event-stream');
  if (isStream) response.destroy();
  const chunks: Buffer[] = [];
  if (!isStream) for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) };
}

const problemOf = ({ body }: Answer): Record<string, unknown> =>
  JSON.parse(body.toString()) as Record<string, unknown>;

const NO_EXPORT = '/v1/exports/00000000-0000-4000-8000-000000000000';
/** Every path of the API, and paths outside it, with their methods. */
const PATHS: readonly (readonly [path: string, allow: string])[] = [
  ['/v1/entries', 'GET, HEAD'],
  ['/v1/entries?limit=1', 'GET, HEAD'],
  ['/v1/%65ntries', 'GET, HEAD'],
  ['http://another.example/v1/entries', 'GET, HEAD'],
  ['/v1/entries/1', 'GET, HEAD'],
  ['/v1/entries/stream', 'GET, HEAD, POST'],
  ['/v1/facets', 'GET, HEAD'],
  ['/v1/facets/actions', 'GET, HEAD'],
  ['/v1/entities/agent/12/history', 'GET, HEAD'],
  ['/v1/gaps', 'GET, HEAD'],
  ['/v1/status', 'GET, HEAD'],
  ['/v1/session', 'DELETE, GET, HEAD, POST'],
  ['/v1/exports', 'GET, HEAD, POST'],
  [NO_EXPORT, 'DELETE, GET, HEAD'],
  [`${NO_EXPORT}/events`, 'GET, HEAD'],
  [`${NO_EXPORT}/file`, 'GET, HEAD'],
  ['/v1/openapi.json', 'GET, HEAD'],
  ['/docs', 'GET, HEAD'],
  ['/healthz', 'GET, HEAD'],
  ['/readyz', 'GET, HEAD'],
  ['/metrics', 'GET, HEAD'],
  ['/', 'GET, HEAD'],
  ['/index.html', 'GET, HEAD'],
  ['/favicon.svg', 'GET, HEAD'],
];

describe('a method that a path does not have', () => {
  test.each(PATHS)('is a 405 at %s, which allows %s', async (path, allow) => {
    const wrong = ['DELETE', 'GET', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE', 'PROPFIND'].filter(
      (method) => !allow.split(', ').includes(method),
    );
    expect(wrong.length).toBeGreaterThanOrEqual(4);
    for (const method of wrong) {
      const answer = await ask(path, {
        method,
        // A type that no route takes: the method is refused before the body is.
        ...(method === 'PUT' ? { body: 'x', headers: { 'content-type': 'text/x-odd' } } : {}),
      });
      expect({ method, status: answer.status, allow: answer.headers.allow }).toEqual({
        method,
        status: 405,
        allow,
      });
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(problemOf(answer)).toMatchObject({ code: 'HTTP_METHOD_NOT_ALLOWED', status: 405 });
    }
  });

  test('is a 404 where the path does not exist', async () => {
    for (const path of ['/v1/nothing', '/v1/entries/1/more', '/v1/entries/', '/assets', '/docs-not'])
      for (const method of ['GET', 'POST', 'DELETE']) expect((await ask(path, { method })).status).toBe(404);
  });
});

describe('text that is not percent-encoded UTF-8', () => {
  const parameter = (name: string) => [{ path: name, message: 'is not percent-encoded UTF-8' }];

  test.each([
    ['q=%ff', 'q'],
    ['q=%c3%28', 'q'],
    ['q=%', 'q'],
    ['q=50%&limit=1', 'q'],
    ['q=%zz', 'q'],
    ['q=%e2%82', 'q'],
    ['q=%c0%af', 'q'],
    ['q=%ed%a0%80', 'q'],
    ['q=%f4%90%80%80', 'q'],
    ['modifier=1&modifier=%ff', 'modifier'],
    ['limit=%ff', 'limit'],
    ['from=%ff', 'from'],
    ['%71=%ff', 'q'],
    ['%ff=1', '%ff'],
  ])('is a 400 that names the parameter: %s', async (query, name) => {
    for (const path of ['/v1/entries', '/v1/facets', '/v1/entries/stream', '/v1/status', '/v1/exports']) {
      const answer = await ask(`${path}?${query}`);
      expect(answer.status).toBe(400);
      expect(problemOf(answer)).toMatchObject({ code: 'HTTP_QUERY_INVALID', errors: parameter(name) });
    }
  });

  test.each([
    ['/v1/entries/%ff', 'id'],
    ['/v1/entries/%', 'id'],
    ['/v1/entities/agent/%c3%28/history', 'id'],
    ['/v1/entities/%ff/12/history?limit=1', 'type'],
    ['/v1/facets/%ff', 'list'],
    ['/v1/exports/%ff/file', 'id'],
    ['/v1/nothing/%ff', 'path'],
  ])('is a 400 in a path, too: %s', async (path, name) => {
    const answer = await ask(path);
    expect(answer.status).toBe(400);
    expect(problemOf(answer)).toMatchObject({ code: 'HTTP_REQUEST_INVALID', errors: parameter(name) });
  });

  test('is a problem document even where no request can be parsed', async () => {
    // A byte that was not encoded at all: Node's parser refuses it.
    const answer = await ask('/v1/entries?q=\u00fc');
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(problemOf(answer)).toMatchObject({ code: 'HTTP_REQUEST_INVALID', status: 400 });
    const long = await ask('/v1/entries', { headers: { 'x-long': 'x'.repeat(70_000) } });
    expect([long.status, problemOf(long)['status']]).toEqual([431, 431]);
  });

  test('is a 400 in a body', async () => {
    const body = Buffer.concat([Buffer.from('{"q":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const answer = await ask('/v1/exports', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(400);
    expect(problemOf(answer)).toMatchObject({
      code: 'HTTP_BODY_INVALID',
      detail: 'The body is not UTF-8.',
    });
  });

  test('is not reported for correctly encoded text', async () => {
    for (const query of ['q=%C3%BC', 'q=%f0%9f%99%82', 'q=a+b%25', 'q=%ef%bf%bd', 'action=caf%c3%a9'])
      expect((await ask(`/v1/entries?${query}`)).status).toBe(200);
    expect((await ask('/v1/entities/agent/%C3%BC/history')).status).toBe(200);
  });

  test('is not reported for an id as long as a key of PostgreSQL may be', async () => {
    const id = '\u05e9/'.repeat(900);
    await ground.add({ entityType: 'doc', entityId: id });
    const answer = await ask(`/v1/entities/doc/${encodeURIComponent(id)}/history`);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ items: [{ entity: { id } }] });
  });
});

test.each(['gzip', 'br', 'GZIP', 'deflate, gzip'])(
  'a body with the content encoding %s is a 415 that states it, whatever its bytes are',
  async (coding) => {
    for (const body of [gzipSync('{"format":"csv"}'), '{"format":"csv"}']) {
      const answer = await ask('/v1/exports', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', 'content-encoding': coding },
      });
      expect(answer.status).toBe(415);
      expect(problemOf(answer)).toMatchObject({
        code: 'HTTP_MEDIA_TYPE',
        detail: 'The body has a Content-Encoding.',
        remedy: 'Send the body uncompressed, without the header Content-Encoding.',
      });
    }
  },
);

describe('a body or a query that is valid and far too much', () => {
  const post = (path: string, body: string, authorization = `Bearer ${token}`): Promise<Answer> =>
    ask(path, { method: 'POST', body, headers: { 'content-type': 'application/json', authorization } });
  const deep = (open: string, close: string, levels: number): string =>
    `${open.repeat(levels)}1${close.repeat(levels)}`;

  test('is a 400 with more levels than a stack has frames, with a token and without', async () => {
    for (const path of ['/v1/session', '/v1/exports', '/v1/entries/stream'])
      for (const authorization of [`Bearer ${token}`, '']) {
        for (const body of [deep('[', ']', 32_000), deep('{"a":', '}', 10_000)]) {
          const { status } = await post(path, body, authorization);
          expect([path, status]).toEqual([
            path,
            authorization !== '' || path.endsWith('session') ? 400 : 401,
          ]);
        }
      }
    expect(ground.logged.filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  test('names ten unknown members and counts the others', async () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `k${index}`);
    for (const answer of [
      await post('/v1/session', JSON.stringify(Object.fromEntries(names.map((name) => [name, 1])))),
      await ask(`/v1/entries?${names.join('&')}`),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.body.length).toBeLessThan(3_000);
      expect(problemOf(answer)['detail']).toContain('"k9" is not known here. 4990 more are not known here.');
    }
  });
});

describe('a URL', () => {
  test('has no "#": what follows would be taken for a query', async () => {
    for (const path of ['/v1/entries#q=%ff', '/v1/entries#limit=1', '/v1/entries?q=a#b', '/#x']) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 400]);
      expect(problemOf(answer)).toMatchObject({
        code: 'HTTP_REQUEST_INVALID',
        detail: expect.stringContaining('%23'),
      });
    }
    expect((await ask('/v1/entries?q=a%23b')).status).toBe(200);
  });

  test('may hold every id that an entity can have', async () => {
    for (const id of ['x'.repeat(501), 'x'.repeat(8_000), '%d7%a9'.repeat(4_000)]) {
      await ground.add({ entityType: 'agent', entityId: decodeURIComponent(id) });
      const answer = await ask(`/v1/entities/agent/${id}/history`);
      expect(answer.status).toBe(200);
      expect(problemOf(answer)['items']).toHaveLength(1);
    }
  });
});

describe('a parameter that takes one value', () => {
  const NUMBERED = [
    '/v1/entries',
    '/v1/facets',
    '/v1/facets/actions',
    '/v1/gaps',
    '/v1/entities/agent/12/history',
  ];

  test.each(['0x10', '1e2', '%205', '5%20', '+5', '%2B5', '5.0', '5.', '-1', '', '0', '1_0', '0b1', '٥'])(
    'is a number in decimal digits, and not limit=%s',
    async (limit) => {
      for (const path of NUMBERED) {
        const answer = await ask(`${path}?limit=${encodeURI(limit).replaceAll('%25', '%')}`);
        expect({ path, status: answer.status }).toEqual({ path, status: 400 });
        expect(problemOf(answer)).toMatchObject({ errors: [{ path: 'limit' }] });
      }
    },
  );

  test('is an instant or a date, and nothing else that a parser of dates accepts', async () => {
    for (const path of ['/v1/entries', '/v1/facets', '/v1/gaps'])
      for (const from of [
        '0',
        '1e3',
        '2026',
        '2026-11',
        'March+7',
        '%202026-11-20',
        '2026-11-20T09:00',
        '٢٠٢٦-١١-٢٠',
      ])
        for (const name of ['from', 'to']) {
          const answer = await ask(`${path}?${name}=${encodeURI(from).replaceAll('%25', '%')}`);
          expect({ path, from, status: answer.status }).toEqual({ path, from, status: 400 });
          expect(problemOf(answer)).toMatchObject({ errors: [{ path: name }] });
        }
  });

  test.each(['limit=1', 'q=a', 'entity=1', 'tenant=1', 'cursor=a', 'from=2026-11-20', 'timezone=UTC'])(
    'may not be given twice: %s',
    async (one) => {
      const answer = await ask(`/v1/entries?${one}&${one}`);
      expect(answer.status).toBe(400);
      expect(problemOf(answer)).toMatchObject({ errors: [{ path: one.split('=')[0] }] });
    },
  );

  test('is the id of an entry in decimal digits', async () => {
    expect((await ask(`/v1/entries/${entry}`)).status).toBe(200);
    for (const id of [
      `0x${BigInt(entry).toString(16)}`,
      `+${entry}`,
      `%20${entry}`,
      `${entry}.0`,
      `${entry}n`,
    ])
      expect((await ask(`/v1/entries/${id}`)).status).toBe(404);
  });
});

describe('HEAD', () => {
  test.each([
    `/v1/entries`,
    '/v1/entries/stream',
    '/v1/facets',
    '/v1/facets/actions',
    '/v1/entities/agent/12/history',
    '/v1/gaps',
    '/v1/status',
    '/v1/session',
    '/v1/exports',
    '/v1/openapi.json',
    '/docs',
    '/healthz',
    '/metrics',
    '/',
    '/index.html',
  ])('has the head of GET without its body: %s', async (path) => {
    for (const encoding of ['identity', 'gzip']) {
      const headers = { 'accept-encoding': encoding };
      const [head, get] = [await ask(path, { method: 'HEAD', headers }), await ask(path, { headers })];
      expect([head.status, head.body.length]).toEqual([get.status, 0]);
      for (const name of ['content-type', 'cache-control', 'content-encoding', 'vary', 'etag'])
        expect({ [name]: head.headers[name] }).toEqual({ [name]: get.headers[name] });
    }
  });
});

describe('caching', () => {
  test.each([
    ['/docs', 'no-cache'],
    ['/docs/swagger-ui-bundle.js', 'no-cache'],
    ['/docs/swagger-ui.css', 'no-cache'],
    ['/v1/openapi.json', 'no-cache'],
    ['/v1/openapi.json?x=1', 'no-cache'],
    ['/v1/entries', 'no-store'],
    ['/metrics?x=1', 'no-store'],
    ['/', 'no-cache'],
    // Other spellings of the same routes.
    ['/%761/entries', 'no-store'],
    ['http://another.example/v1/entries', 'no-store'],
    ['/%6detrics', 'no-store'],
    ['/%64ocs', 'no-cache'],
  ])('%s has cache-control: %s', async (path, said) => {
    const answer = await ask(path);
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, said]);
  });
});

describe('compression', () => {
  const decoded = ({ headers, body }: Answer): string =>
    headers['content-encoding'] === 'br'
      ? brotliDecompressSync(body).toString()
      : headers['content-encoding'] === 'gzip'
        ? gunzipSync(body).toString()
        : body.toString();
  const script = async (): Promise<string> =>
    /src="\.(\/assets\/[^"]+\.js)"/.exec((await ask('/')).body.toString())![1]!;

  beforeAll(async () => {
    for (let index = 0; index < 50; index += 1) await ground.add({ entityName: `Name ${index}` });
  });

  test.each([
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['GZIP', 'gzip'],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['gzip;q=0', undefined],
    ['*;q=0', undefined],
    ['deflate', undefined],
    ['identity', undefined],
  ])('follows Accept-Encoding: %s', async (accepted, encoding) => {
    const headers = { 'accept-encoding': accepted };
    for (const path of ['/v1/entries', '/v1/openapi.json', '/docs/swagger-ui-bundle.js', '/metrics']) {
      const [plain, answer] = [await ask(path), await ask(path, { headers })];
      expect({ path, encoding: answer.headers['content-encoding'] }).toEqual({ path, encoding });
      expect(answer.headers.vary?.toLowerCase()).toContain('accept-encoding');
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers.vary?.toLowerCase()).toContain('accept-encoding');
      if (encoding !== undefined) expect(answer.body.length).toBeLessThan(plain.body.length / 2);
      if (path === '/docs/swagger-ui-bundle.js') expect(decoded(answer)).toBe(decoded(plain));
      else expect(decoded(answer).slice(0, 50)).toBe(decoded(plain).slice(0, 50));
      const { 'content-length': length } = answer.headers;
      if (length !== undefined) expect(Number(length)).toBe(answer.body.length);
    }
  });

  test('serves files that were compressed when they were built, each with a separate tag', async () => {
    const path = await script();
    const plain = await ask(path);
    const tags = new Set<string | undefined>();
    for (const encoding of ['br', 'gzip']) {
      const answer = await ask(path, { headers: { 'accept-encoding': encoding } });
      expect(answer.headers).toMatchObject({
        'content-encoding': encoding,
        'content-type': plain.headers['content-type'],
        'cache-control': 'public, max-age=31536000, immutable',
        'content-length': String(answer.body.length),
      });
      expect(decoded(answer)).toBe(plain.body.toString());
      tags.add(answer.headers.etag);
      const again = await ask(path, {
        headers: { 'accept-encoding': encoding, 'if-none-match': answer.headers.etag! },
      });
      expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, answer.headers.etag]);
    }
    expect(tags.add(plain.headers.etag).size).toBe(3);
    expect((await ask(`${path}.br`)).status).toBe(404);
  });

  test('leaves short answers, streams and files of exports uncompressed', async () => {
    const headers = { 'accept-encoding': 'br, gzip' };
    for (const path of ['/healthz', '/v1/session', '/v1/entries/stream', '/v1/entries?limit=1&action=none']) {
      const answer = await ask(path, { headers });
      expect([path, answer.status, answer.headers['content-encoding']]).toEqual([path, 200, undefined]);
    }
  });

  test('is off for a page of another site, which could learn secrets from lengths', async () => {
    for (const [site, encoding] of [
      ['cross-site', undefined],
      ['same-site', undefined],
      ['same-origin', 'br'],
      ['none', 'br'],
    ] as const) {
      for (const path of ['/v1/entries', '/%761/entries', 'http://another.example/v1/entries']) {
        const answer = await ask(path, { headers: { 'accept-encoding': 'br', 'sec-fetch-site': site } });
        expect([path, site, answer.status, answer.headers['content-encoding']]).toEqual([
          path,
          site,
          200,
          encoding,
        ]);
      }
    }
  });
});
