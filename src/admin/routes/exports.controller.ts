import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  HttpStatus,
  Param,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import type { Answer } from '../../api/answers.js';
import { ExportBody } from '../../api/requests.js';
import { WaltrailError } from '../../errors.js';
import { Exports } from '../../exports/exports.js';
import { Authenticator } from '../auth/authenticator.js';
import { Allow, principalOf } from '../auth/guard.js';
import type { GuardedRequest } from '../auth/guard.js';
import { closed } from '../stream/closed.js';
import { requestedRange } from './byte-range.js';
import { Describe } from './describe.js';
import { Readings } from './readings.js';
import { CHECK_MS, supervise, superviseStream } from '../stream/long-answer.js';
import { HEARTBEAT_MS, OpenStreams, SseStream, STREAM_HEADERS } from '../stream/sse.js';

const COMMON = [401, 403, 503] as const;
/**
 * A client that has not read its download for this long is disconnected, because an open file keeps its place
 * on the disk when it is deleted. Longer than for streams: a slow client takes a while for each 256 KiB.
 */
const DOWNLOAD_STALLED_MS = 300_000;

/**
 * Serves exports: durable jobs that are requested here and downloaded later. Only admins see the exports of
 * others; for everybody else, they do not exist.
 */
@Controller('exports')
export class ExportsController {
  readonly #exports: Exports;
  readonly #streams: OpenStreams;
  readonly #readings: Readings;
  readonly #authenticator: Authenticator;

  constructor(exports: Exports, streams: OpenStreams, readings: Readings, authenticator: Authenticator) {
    this.#exports = exports;
    this.#streams = streams;
    this.#readings = readings;
    this.#authenticator = authenticator;
  }

  @Post()
  @HttpCode(202)
  @Allow('exporter', { record: 'export' })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'A request with the same key is answered with the first export (200).',
  })
  @Describe({
    summary: 'Request an export',
    answer: 'Export',
    status: 202,
    errors: [400, 413, 415, 422, 429, ...COMMON],
  })
  async create(
    @Req() request: GuardedRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body({ schema: ExportBody }) body: ExportBody,
    @Headers('idempotency-key') idempotencyKey?: string,
  ): Promise<Answer<'Export'>> {
    if (idempotencyKey !== undefined && !/^[\x21-\x7e]{1,200}$/.test(idempotencyKey)) {
      throw new WaltrailError(
        'HTTP_REQUEST_INVALID',
        'Idempotency-Key must be 1 to 200 visible ASCII characters.',
      );
    }
    const { export: view, created } = await this.#readings.ofExports(request, () =>
      this.#exports.create(body, { requester: principalOf(request), idempotencyKey }),
    );
    void reply
      .header('Location', `/v1/exports/${view.id}`)
      .code(created ? HttpStatus.ACCEPTED : HttpStatus.OK);
    return view;
  }

  @Get()
  @Allow('exporter', { record: 'read', polled: true })
  @Describe({ summary: 'Exports, newest first', answer: 'ExportList', errors: [429, ...COMMON] })
  async list(@Req() request: GuardedRequest): Promise<Answer<'ExportList'>> {
    const requester = principalOf(request);
    const items = await this.#readings.ofExports(request, () => this.#exports.list(requester));
    return { items, next: null };
  }

  @Get(':id')
  @Allow('exporter', { polled: true })
  @Describe({ summary: 'One export', answer: 'Export', errors: [404, 429, ...COMMON] })
  async get(@Req() request: GuardedRequest, @Param('id') id: string): Promise<Answer<'Export'>> {
    const requester = principalOf(request);
    return this.#readings.ofExports(request, () => this.#exports.get(id, requester));
  }

  @Get(':id/events')
  @Allow('exporter', { polled: true })
  @Describe({
    summary: 'Progress as server-sent events; ends when the export is final',
    answer: 'text/event-stream',
    errors: [404, 429, ...COMMON],
  })
  async events(
    @Req() request: GuardedRequest,
    @Res() reply: FastifyReply,
    @Param('id') id: string,
  ): Promise<void> {
    const requester = principalOf(request);
    if (request.method === 'HEAD') {
      await this.#readings.ofExports(request, () => this.#exports.get(id, requester));
      await reply.headers(STREAM_HEADERS).send();
      return;
    }
    const place = this.#streams.reserve(requester);
    const abort = new AbortController();
    const views = this.#exports.watch(id, requester, { signal: abort.signal });
    let first: IteratorResult<Answer<'Export'>, void>;
    try {
      // The first state is read before the stream begins. An export that does not exist is then answered with
      // a 404 instead of an empty stream.
      first = await this.#readings.ofExports(request, () => views.next());
    } catch (error) {
      place.free();
      throw error;
    }
    const stream = new SseStream(reply);
    place.take(stream);
    void stream.closed.then(() => abort.abort());
    let sinceHeartbeat = 0;
    const stop = superviseStream({
      request,
      authenticator: this.#authenticator,
      stream,
      checked: () => {
        sinceHeartbeat += CHECK_MS;
        if (sinceHeartbeat < HEARTBEAT_MS) return;
        sinceHeartbeat = 0;
        stream.send([{ comment: '' }]);
      },
    });
    try {
      // There are at most two small events a second, so they are sent even if the client does not keep up.
      for (let view = first; !view.done; view = await views.next())
        stream.send([{ data: JSON.stringify(view.value) }]);
    } finally {
      stop();
      stream.end();
    }
  }

  @Get(':id/file')
  @Allow('exporter', { record: 'download' })
  @ApiHeader({
    name: 'Range',
    required: false,
    description: 'One range of bytes, to resume a download. Several ranges are answered with the whole file.',
  })
  @ApiHeader({
    name: 'If-Range',
    required: false,
    description:
      'The ETag of the file that the caller has in part. With another one, the answer is the whole file.',
  })
  @Describe({
    summary: 'Download the file, or the rest of it',
    answer: 'application/octet-stream',
    errors: [404, 409, 410, 416, 429, ...COMMON],
  })
  @ApiResponse({
    status: 206,
    description: 'The requested bytes',
    content: { 'application/octet-stream': { schema: { type: 'string' } } },
  })
  async file(
    @Req() request: GuardedRequest,
    @Res() reply: FastifyReply,
    @Param('id') id: string,
    @Headers('range') range?: string,
    @Headers('if-range') ifRange?: string,
  ): Promise<void> {
    const requester = principalOf(request);
    const file = await this.#readings.ofExports(request, () => this.#exports.file(id, requester));
    const etag = `"${file.sha256}"`;
    // Only a GET has ranges (RFC 9110, section 14.2).
    const isHead = request.method === 'HEAD';
    const part = isHead ? undefined : requestedRange({ range, ifRange, etag, size: file.bytes });
    if (part === 'unsatisfiable') {
      await file.close();
      void reply.header('Content-Range', `bytes */${file.bytes}`);
      throw new WaltrailError('HTTP_RANGE_UNSATISFIABLE', `The file has ${file.bytes} bytes.`);
    }
    void reply
      .header('Content-Type', file.contentType)
      .header('Content-Disposition', attachment(file.name))
      .header('Content-Length', part === undefined ? file.bytes : part.last - part.first + 1)
      .header('Accept-Ranges', 'bytes')
      .header('ETag', etag)
      .header('Repr-Digest', `sha-256=:${Buffer.from(file.sha256, 'hex').toString('base64')}:`);
    if (isHead) {
      await file.close();
      // Nothing is downloaded.
      request.accessAction = 'read';
      // Without a payload, Fastify would send a Content-Length of 0.
      await reply.send(Readable.from([]));
      return;
    }
    if (part !== undefined) {
      const { first, last } = part;
      request.delivered = { bytes: last - first + 1, from: first, of: file.bytes };
      void reply
        .code(HttpStatus.PARTIAL_CONTENT)
        .header('Content-Range', `bytes ${first}-${last}/${file.bytes}`);
    }
    const bytes = file.read(part);
    let read = 0;
    const stop = supervise({
      request,
      authenticator: this.#authenticator,
      isRead: () => read !== (read = bytes.bytesRead),
      stalledMs: DOWNLOAD_STALLED_MS,
      // The client can resume a download that broke off, if it still may.
      end: () => request.raw.socket.destroy(),
      destroy: () => request.raw.socket.destroy(),
    });
    void closed(reply).then(() => {
      stop();
      // Fastify does not learn that a pipelined request has lost its connection. It would keep the file open.
      bytes.destroy();
    });
    await reply.send(bytes);
  }

  @Delete(':id')
  @HttpCode(204)
  @Allow('exporter', { record: 'remove' })
  @Describe({
    summary: 'Cancel or delete an export with its file',
    answer: null,
    errors: [404, 429, ...COMMON],
  })
  async remove(@Req() request: GuardedRequest, @Param('id') id: string): Promise<void> {
    const requester = principalOf(request);
    await this.#readings.ofExports(request, () => this.#exports.remove(id, requester));
  }
}

/** Builds a Content-Disposition header (RFC 6266): the exact name, and an ASCII name for old clients. */
const attachment = (name: string): string =>
  `attachment; filename="${name.replaceAll(/[^\x20-\x7e]|["\\]/g, '_')}"; filename*=UTF-8''${encodeURIComponent(name)}`;
