import { pipeline, type Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  gzip,
  type BrotliOptions,
  type ZlibOptions,
} from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Media types of the API, the documentation and the metrics. Files of exports have other types. */
const TYPES =
  /^(?:application\/(?:problem\+)?json|application\/javascript|image\/svg\+xml|text\/(?:html|css|javascript|plain))(?:;|$)/;
/** Shorter answers fit into one packet anyway. */
const SMALL_BYTES = 1_024;
/** A higher quality takes many times longer and saves few bytes (decision 80 has the measurement). */
const BROTLI: BrotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const GZIP: ZlibOptions = { level: 6 };

const ENCODINGS = ['br', 'gzip'] as const;
type Encoding = (typeof ENCODINGS)[number];

const brotliBuffer = promisify<Buffer, BrotliOptions, Buffer>(brotliCompress);
const gzipBuffer = promisify<Buffer, ZlibOptions, Buffer>(gzip);

/**
 * Compresses answers as Accept-Encoding says (RFC 9110, section 12.5.3). Files that were compressed when the
 * page was built are left as they are. Live streams are not compressed: they take over their reply. Paths
 * below `prefix` answer with data. There, only programs and pages of this site get compressed answers
 * (decision 80).
 */
export function compressAnswers(server: FastifyInstance, { prefix }: { readonly prefix: string }): void {
  server.addHook('onSend', async (request, reply, payload) => {
    if (!TYPES.test(String(reply.getHeader('content-type')))) return payload;
    if (reply.hasHeader('content-encoding') || reply.hasHeader('content-range')) return payload;
    if (request.routeOptions.url?.startsWith(prefix) === true && isOfAnotherSite(request)) return payload;
    addVary(reply);
    const encoding = encodingFor(request);
    if (encoding === undefined) return payload;
    if (typeof payload === 'string' || Buffer.isBuffer(payload)) {
      const plain = Buffer.from(payload);
      if (plain.length < SMALL_BYTES) return payload;
      const compressed = await (encoding === 'br' ? brotliBuffer(plain, BROTLI) : gzipBuffer(plain, GZIP));
      reply.header('content-encoding', encoding).header('content-length', compressed.length);
      return compressed;
    }
    const length = Number(reply.getHeader('content-length') ?? Infinity);
    if (!isReadable(payload) || length < SMALL_BYTES || reply.statusCode !== 200) return payload;
    reply.header('content-encoding', encoding).removeHeader('content-length');
    // A HEAD has no body to compress, and the length of the compressed body is not known.
    if (request.method === 'HEAD') return payload;
    const compressor: Transform = encoding === 'br' ? createBrotliCompress(BROTLI) : createGzip(GZIP);
    return pipeline(payload, compressor, () => undefined);
  });
}

/** Returns the encoding that a request prefers. Undefined: it accepts none of them, or prefers plain text. */
function encodingFor({ headers }: FastifyRequest): Encoding | undefined {
  const accepted = headers['accept-encoding'];
  if (typeof accepted !== 'string') return undefined;
  const weights = new Map(accepted.toLowerCase().split(',').map(weightOf));
  let best: Encoding | undefined;
  let bestWeight = weights.get('identity') ?? 0;
  for (const encoding of ENCODINGS) {
    const weight = weights.get(encoding) ?? weights.get('*') ?? 0;
    // Among equal weights, the first encoding wins: it gives the smallest answers. Any wins over plain text.
    if (weight <= 0 || weight < bestWeight || (weight === bestWeight && best !== undefined)) continue;
    best = encoding;
    bestWeight = weight;
  }
  return best;
}

/** Parses a coding with its weight, such as `gzip;q=0.5` (RFC 9110, section 12.4.2). */
function weightOf(item: string): [coding: string, weight: number] {
  const [coding = '', ...parameters] = item.split(';').map((part) => part.trim());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return [coding, weight === undefined ? 1 : Number(weight.slice(2)) || 0];
}

/**
 * Whether a page of another site made the browser send the request (Fetch Metadata). The browser also sends
 * the cookie for pages on other hosts of the same domain. Such a page could search for a text, and learn from
 * the length of the compressed answer whether the text is in it.
 */
function isOfAnotherSite({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  return site === 'cross-site' || site === 'same-site';
}

function addVary(reply: FastifyReply): void {
  const vary = reply.getHeader('vary');
  const names = vary === undefined ? [] : [vary].flat().map(String);
  if (names.some((name) => /\baccept-encoding\b/i.test(name))) return;
  reply.header('vary', [...names, 'Accept-Encoding'].join(', '));
}

const isReadable = (payload: unknown): payload is Readable =>
  typeof (payload as Partial<Readable> | null)?.pipe === 'function';
