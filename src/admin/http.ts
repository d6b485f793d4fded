import type { Socket } from 'node:net';
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
import { compressAnswers } from './compression.js';
import { KnownPaths } from './known-paths.js';
import { DOCS_PATH, OPENAPI_PATH, serveOpenApi } from './openapi.js';
import { servePage } from './page.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';
import { misencodedParameters, misencodedSegments, targetOf, type RequestTarget } from './request-target.js';

export interface HttpServer {
  /** The address at which the server listens, without a path, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Ends streams, waits up to `limitMs` for requests in progress, then closes the remaining connections. */
  close(options: { readonly limitMs: number }): Promise<void>;
}

const PREFIX = 'v1';
/**
 * Maximum size of a body, and also of a URL with the headers. Filters that fit into one so fit into the
 * other. Node's default for headers is 16 KiB, which is less than 500 UUIDs need.
 */
const REQUEST_LIMIT_BYTES = 64 * 1024;
/** Maximum length of a parameter's name in a problem document. */
const MAX_NAME_LENGTH = 100;
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

/** Starts the HTTP side. Port 0 takes any free port. Throws HTTP_PORT_BUSY, and then nothing listens. */
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
  const known = new KnownPaths();
  const adapter = new FastifyAdapter({
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: REQUEST_LIMIT_BYTES,
    http: { maxHeaderSize: REQUEST_LIMIT_BYTES },
    // Ids of entities have up to 8,000 bytes. The limit for the URL is enough for a parameter, too.
    routerOptions: { maxParamLength: REQUEST_LIMIT_BYTES },
    requestTimeout: 60_000,
    // Answers what Node's parser refuses, such as a target that is not ASCII.
    clientErrorHandler: refuseConnection,
    // Answers what the router refuses before any hook or filter runs, such as a malformed percent sign.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      const document = toProblem(misencodedPath(targetOf(request.raw.url ?? ''), known) ?? error);
      void reply.code(document.status).type(PROBLEM_TYPE).send(JSON.stringify(document));
    },
  });
  const app = await NestFactory.create<NestFastifyApplication>(AdminModule.of(parts), adapter, {
    logger: nestLogger(parts.log),
    abortOnError: false,
    // Only JSON is accepted, and Fastify parses it. A form on another site cannot send JSON.
    bodyParser: false,
  });
  app.setGlobalPrefix(PREFIX, { exclude: ['healthz', 'readyz', 'metrics'] });
  const server = adapter.getInstance<FastifyInstance>();
  server.addHook('onRoute', ({ url, method }) => known.add(url, [method].flat()));
  // Each pipelined request that waits listens for the end of its connection. Node would print a warning.
  server.server.on('connection', (socket: Socket) => socket.setMaxListeners(0));
  server.removeContentTypeParser('text/plain');
  takeJsonInUtf8(server);
  await server.register(fastifyHelmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CSP },
    // HSTS concerns the whole host name, so it is decided where TLS is terminated.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  });
  addHooks(server, parts);
  refuseAtTheEdge(server, known);
  compressAnswers(server, { prefix: `/${PREFIX}/` });
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
    const path = pathOf(request);
    if (isDocs(path)) reply.header('Content-Security-Policy', DOCS_CSP);
    else if (path.startsWith(`/${PREFIX}/`) || path === '/metrics') reply.header('Cache-Control', 'no-store');
  });
  server.addHook('onSend', async (request, reply, payload) => {
    await recordAccess(access, request, reply);
    const path = pathOf(request);
    // The documentation shows no data, but its paths stay the same from version to version, so caches must
    // revalidate it. Set in this hook, because the files of Swagger UI bring their own header.
    if (isDocs(path) || path === OPENAPI_PATH) reply.header('Cache-Control', 'no-cache');
    return payload;
  });
  server.addHook('onResponse', async (request, reply) => {
    // A stream lasts while its client listens. Its duration says nothing about how fast answers are.
    if (String(reply.raw.getHeader('content-type')).startsWith('text/event-stream')) return;
    const route = request.routeOptions.url ?? 'none';
    metrics.observeRequest({
      method: request.method,
      route,
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
  });
  // Fastify now refuses new requests and waits for those in progress. Streams must be ended, or the wait
  // would not end.
  server.addHook('preClose', async () => {
    streams.endAll();
    await feed.close();
    await access.close();
  });
}

/**
 * Returns the pattern of the route that answers, or the path as it was sent if there is none. A path has many
 * spellings (`/%761/entries`, `http://host/v1/entries`), so what holds for a route must not depend on them.
 */
const pathOf = (request: FastifyRequest): string => request.routeOptions.url ?? targetOf(request.url).path;

const isDocs = (path: string): boolean => path === DOCS_PATH || path.startsWith(`${DOCS_PATH}/`);

/** Refuses methods that a path does not have, and URLs that are encoded wrongly. */
function refuseAtTheEdge(server: FastifyInstance, known: KnownPaths): void {
  server.addHook('onRequest', async (request, reply) => {
    const url = request.raw.url ?? '';
    // The router would take what follows for a query, although it is none.
    if (url.includes('#'))
      throw new WaltrailError('HTTP_REQUEST_INVALID', 'The URL has a "#". Inside a value, write it as %23.');
    const target = targetOf(url);
    if (request.is404) {
      const allowed = known.methodsOf(target.path);
      if (allowed.length === 0) return;
      reply.header('Allow', allowed.join(', '));
      throw new WaltrailError('HTTP_METHOD_NOT_ALLOWED', `This path takes ${allowed.join(', ')}.`);
    }
    const wrong = misencodedParameters(target);
    if (wrong.length > 0) throw misencoded('HTTP_QUERY_INVALID', wrong);
  });
}

/** Returns the error for a path that is encoded wrongly. It names the parameters concerned, if any. */
function misencodedPath(target: RequestTarget, known: KnownPaths): WaltrailError | undefined {
  const places = misencodedSegments(target);
  if (places.length === 0) return undefined;
  return misencoded(
    'HTTP_REQUEST_INVALID',
    places.map((place) => known.parameterAt(target.path, place) ?? 'path'),
  );
}

function misencoded(
  code: 'HTTP_QUERY_INVALID' | 'HTTP_REQUEST_INVALID',
  names: readonly string[],
): WaltrailError {
  const message = 'is not percent-encoded UTF-8';
  const errors = names.map((name) => ({ path: name.slice(0, MAX_NAME_LENGTH), message }));
  return new WaltrailError(code, errors.map(({ path }) => `${path} ${message}.`).join(' '), {
    details: { errors },
  });
}

/** Answers a request that is not valid HTTP with a problem document, and closes its connection. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  // The client has disconnected.
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, reason } =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? { status: 431, reason: 'Request Header Fields Too Large' }
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? { status: 408, reason: 'Request Timeout' }
        : { status: 400, reason: 'Bad Request' };
  const body = JSON.stringify(toProblem(Object.assign(new Error(reason), { statusCode: status })));
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/**
 * Refuses bodies that are not UTF-8, and compressed ones. Fastify would replace bytes, and an export would
 * search another text.
 */
function takeJsonInUtf8(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const coding = request.headers['content-encoding'] ?? 'identity';
    if (coding.trim().toLowerCase() !== 'identity') {
      const remedy = 'Send the body uncompressed, without the header Content-Encoding.';
      done(new WaltrailError('HTTP_MEDIA_TYPE', 'The body has a Content-Encoding.', { remedy }));
      return;
    }
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(body as Buffer);
    } catch {
      done(new WaltrailError('HTTP_BODY_INVALID', 'The body is not UTF-8.'));
      return;
    }
    void parse(request, text, done);
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
 * Forwards Nest's own messages to the log. Nest's errors are logged at debug level only. They are also thrown
 * (a busy port, for example), and a thrown error is logged where it is caught.
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
