import { fastifyHelmet } from '@fastify/helmet';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import 'reflect-metadata';
import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { recordAccess } from './auth/access-hook.js';
import { AdminModule, type AdminParts } from './admin.module.js';
import { DOCS_PATH, serveOpenApi } from './openapi.js';
import { servePage } from './page.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';

export interface HttpServer {
  /** The address at which the server listens, without a path, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Ends streams, waits up to `limitMs` for requests in progress, then closes the remaining connections. */
  close(options: { readonly limitMs: number }): Promise<void>;
}

const PREFIX = 'v1';
/**
 * Maximum size of a body, and also of a URL with the headers, so that filters that fit into one fit into the
 * other. Node's default for headers is 16 KiB, which is less than 500 UUIDs need.
 */
const REQUEST_LIMIT_BYTES = 64 * 1024;
const CSP = {
  'default-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
  'object-src': ["'none'"],
};
/** Swagger UI uses inline styles and data: images; its scripts are files. */
const DOCS_CSP =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/** Starts the HTTP side. Port 0 takes any free port. Throws HTTP_PORT_BUSY; in that case nothing listens. */
export async function listenHttp(
  parts: AdminParts,
  options: {
    readonly host: string;
    readonly port: number;
    /** Addresses and networks of proxies whose X-Forwarded headers count. */
    readonly trustedProxies: readonly string[];
  },
): Promise<HttpServer> {
  const app = await createApp(parts, options);
  try {
    await app.listen(options.port, options.host);
  } catch (error) {
    await app.close().catch(() => undefined);
    throw listenError(error, options);
  }
  return { url: urlOf(app, options.host), close: ({ limitMs }) => closeWithin(app, limitMs) };
}

/** Creates the application with everything registered. It does not listen yet. */
export async function createApp(
  parts: AdminParts,
  { trustedProxies = [] }: { readonly trustedProxies?: readonly string[] } = {},
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: REQUEST_LIMIT_BYTES,
    http: { maxHeaderSize: REQUEST_LIMIT_BYTES },
    routerOptions: { maxParamLength: 500 },
    requestTimeout: 60_000,
    // Answers what the router refuses before any hook or filter runs, such as a malformed percent sign.
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      const document = toProblem(error);
      void reply.code(document.status).type(PROBLEM_TYPE).send(JSON.stringify(document));
    },
  });
  const app = await NestFactory.create<NestFastifyApplication>(AdminModule.of(parts), adapter, {
    logger: nestLogger(parts.log),
    abortOnError: false,
    // Only JSON is accepted, which Fastify parses by itself. A form on another site cannot send JSON.
    bodyParser: false,
  });
  app.setGlobalPrefix(PREFIX, { exclude: ['healthz', 'readyz', 'metrics'] });
  const server = adapter.getInstance<FastifyInstance>();
  server.removeContentTypeParser('text/plain');
  await server.register(fastifyHelmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CSP },
    // HSTS concerns the whole host name, so it is decided where TLS is terminated.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  });
  addHooks(server, parts);
  if (parts.exports !== undefined) {
    await servePage(server);
    serveOpenApi(app, {
      version: parts.facts.version,
      cookie: parts.site.cookieName({ protocol: 'http' }),
    });
  }
  return app;
}

function addHooks(server: FastifyInstance, { access, metrics, streams, feed }: AdminParts): void {
  server.addHook('onRequest', async (request, reply) => {
    if (request.url.startsWith(`/${PREFIX}/`) || request.url === '/metrics')
      reply.header('Cache-Control', 'no-store');
    if (request.url === DOCS_PATH || request.url.startsWith(`${DOCS_PATH}/`)) {
      reply.header('Content-Security-Policy', DOCS_CSP);
      // Its files keep their names from version to version.
      reply.header('Cache-Control', 'no-cache');
    }
  });
  server.addHook('onSend', async (request, reply, payload) => {
    await recordAccess(access, request, reply);
    return payload;
  });
  server.addHook('onResponse', async (request, reply) => {
    // A stream lasts as long as its client listens, so its duration says nothing about how fast answers are.
    if (String(reply.raw.getHeader('content-type')).startsWith('text/event-stream')) return;
    const route = request.routeOptions.url ?? 'none';
    metrics.observeRequest({
      method: request.method,
      route,
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
  });
  // From here on Fastify refuses new requests and waits for those in progress. A stream would never end by
  // itself.
  server.addHook('preClose', async () => {
    streams.endAll();
    await feed.close();
    await access.close();
  });
}

async function closeWithin(app: NestFastifyApplication, limitMs: number): Promise<void> {
  const timer = setTimeout(() => app.getHttpServer().closeAllConnections(), limitMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

function listenError(error: unknown, options: { readonly host: string; readonly port: number }): unknown {
  const { code } = error as { code?: unknown };
  if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') return error;
  const why =
    code === 'EADDRINUSE'
      ? 'is in use'
      : code === 'EACCES'
        ? 'is not allowed for this user'
        : 'is not an address of this machine';
  return new WaltrailError('HTTP_PORT_BUSY', `Port ${options.port} on ${options.host} ${why}.`, {
    cause: error,
  });
}

function urlOf(app: NestFastifyApplication, host: string): string {
  const { port } = app.getHttpServer().address() as { port: number };
  // A wildcard address cannot be opened in a browser; the loopback address can.
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/**
 * Forwards Nest's own messages to the log. Its errors are logged at debug level only, because they are thrown
 * as well (a busy port, for example), and an error is logged once, at the top.
 */
function nestLogger(log: Log): LoggerService {
  const silent = (): void => undefined;
  return {
    log: silent,
    debug: silent,
    verbose: silent,
    warn: (message: unknown) => log.warn({ nest: String(message) }, 'Nest warns.'),
    error: (message: unknown) => log.debug({ nest: String(message) }, 'Nest failed.'),
  };
}
