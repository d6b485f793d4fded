import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { AdminParts } from '../../src/admin/admin.module.js';
import { Authenticator } from '../../src/admin/auth/authenticator.js';
import { Site } from '../../src/admin/auth/site.js';
import { AccessRecord } from '../../src/admin/auth/access.js';
import { createApp } from '../../src/admin/http.js';
import { LiveFeed } from '../../src/admin/stream/live.js';
import { Metrics } from '../../src/admin/routes/metrics.js';
import { Readings } from '../../src/admin/routes/readings.js';
import { Slices } from '../../src/admin/stream/slices.js';
import { OpenStreams } from '../../src/admin/stream/sse.js';
import { EntriesQuery } from '../../src/api/requests.js';
import { silentLog } from '../../src/log.js';

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema?: object }[];
  readonly requestBody?: { content: Record<string, { schema: object }> };
  readonly responses: Record<string, { content?: object }>;
  readonly security?: readonly object[];
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: object; readonly securitySchemes: object };
}

const nothing = {} as never;
const routes: string[] = [];
let app: NestFastifyApplication;
let document: Document;

/** The application without its databases: these tests only look at what it registers. */
const site = new Site({ origin: undefined, instance: 'test' });
const parts: AdminParts = {
  facts: {
    version: '1.2.3',
    roles: ['api'],
    startedAt: '',
    source: 'crm',
    maxRangeMs: 1,
    maxRangeDays: null,
    timezone: 'UTC',
    retentionDays: null,
    queue: 'postgres',
  },
  pool: nothing,
  reader: nothing,
  readings: new Readings({
    reader: nothing,
    searchReader: nothing,
    slices: new Slices({ atOnce: 1 }),
  }),
  exports: nothing,
  queue: () => null,
  capture: () => null,
  metrics: new Metrics({
    capture: () => null,
    head: () => Promise.reject(new Error()),
    gaps: () => Promise.reject(new Error()),
    exports: () => Promise.reject(new Error()),
    queue: () => null,
    openStreams: () => 0,
  }),
  feed: new LiveFeed({ trail: nothing, catchUp: nothing, log: silentLog }),
  streams: new OpenStreams({ max: 1, forAdmins: 0, forToken: 1 }),
  site,
  authenticator: new Authenticator({ pool: nothing, site, sessionIdleMinutes: 1 }),
  access: new AccessRecord({ pool: nothing, log: silentLog }),
  log: silentLog,
};

beforeAll(async () => {
  app = await createApp(parts);
  const server = app.getHttpAdapter().getInstance();
  server.addHook('onRoute', (route) => {
    if (route.url.startsWith('/docs')) return;
    for (const method of [route.method].flat()) if (method !== 'HEAD') routes.push(`${method} ${route.url}`);
  });
  await app.init();
  await server.ready();
  const response = await app.inject({ method: 'GET', url: '/v1/openapi.json' });
  document = response.json();
});
afterAll(async () => app.close());

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

describe('the OpenAPI document', () => {
  test('lists every registered route, and no other', () => {
    expect(routes).toHaveLength(21);
    const described = operations().map(([route]) => route.replaceAll(/\{(\w+)\}/g, ':$1'));
    expect(described.sort()).toEqual(routes.toSorted());
  });

  test('describes every parameter of every route', () => {
    for (const [route, operation] of operations()) {
      const names = (operation.parameters ?? [])
        .filter((parameter) => parameter.in === 'path')
        .map((parameter) => parameter.name);
      expect([route, names.sort()]).toEqual([
        route,
        [...route.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort(),
      ]);
      expect(operation.summary).toBeTruthy();
    }
    const entries = document.paths['/v1/entries']!['get']!;
    const query = entries.parameters!.filter((parameter) => parameter.in === 'query');
    expect(query.map((parameter) => parameter.name).sort()).toEqual(Object.keys(EntriesQuery.shape).sort());
    for (const parameter of query) {
      expect(parameter).toMatchObject({ required: false, schema: { type: expect.any(String) } });
      expect(JSON.stringify(parameter)).toContain('"description"');
    }
    expect(query.find((parameter) => parameter.name === 'action')!.schema).toMatchObject({
      type: 'array',
      items: { type: 'string' },
    });
  });

  test('describes request bodies, and refers only to schemas that exist', () => {
    const body = document.paths['/v1/exports']!['post']!.requestBody!.content['application/json']!.schema;
    expect(body).toMatchObject({
      type: 'object',
      properties: { format: { enum: ['xlsx', 'csv', 'ndjson'] } },
      additionalProperties: false,
    });
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      (match) => match[1]!,
    );
    expect(references.length).toBeGreaterThan(20);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name);
  });

  test('has unique operation ids with an answer each, and states which operations need a token', () => {
    const ids = operations().map(([, operation]) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const open = operations().filter(([, operation]) => (operation.security ?? []).length === 0);
    expect(open.map(([route]) => route).sort()).toEqual(['GET /healthz', 'GET /readyz', 'POST /v1/session']);
    for (const [, operation] of operations()) {
      expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) >= 400 && response.content)
          expect(response.content).toHaveProperty(['application/problem+json']);
      }
    }
  });
});

describe('Swagger UI', () => {
  test('is served with its own content security policy, without inline scripts', async () => {
    const page = await app.inject({ method: 'GET', url: '/docs' });
    expect(page.statusCode).toBe(200);
    expect(page.headers['content-security-policy']).toContain("style-src 'self' 'unsafe-inline'");
    expect(page.headers['content-security-policy']).not.toContain('unsafe-eval');
    expect(page.body).not.toMatch(/<script>[^<]/);
    for (const file of ['swagger-ui-init.js', 'swagger-ui-bundle.js', 'swagger-ui.css']) {
      expect((await app.inject({ method: 'GET', url: `/docs/${file}` })).statusCode).toBe(200);
    }
  });
});
