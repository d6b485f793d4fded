import type { ReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { tenantOf } from '../api/requested-tenant.js';
import type { ExportBody, ExportFormat } from '../api/requests.js';
import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { resolveRange } from '../trail/read/range.js';
import type { TrailReader } from '../trail/read/trail-reader.js';
import { isFinal, problemOf, type ExportView, type Requester } from './export.js';
import type { ExportFiles } from './files.js';
import type { ExportQueue } from './queue.js';
import { requestDigest } from './request-digest.js';
import type { ExportStore } from './store.js';

/** An open file. It is read once, or closed. */
export interface ExportFile {
  /**
   * Returns the whole file, or the bytes of a range. The caller reads the stream to its end or destroys it.
   */
  read(range?: { readonly first: number; readonly last: number }): Pick<ReadStream, 'bytesRead'> & Readable;
  close(): Promise<void>;
  readonly name: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ExportsOptions {
  readonly store: ExportStore;
  readonly files: ExportFiles;
  readonly queue: ExportQueue;
  readonly reader: Pick<TrailReader, 'head'>;
  /** `reports` of the YAML. */
  readonly reports: () => {
    readonly maxRangeMs: number;
    readonly maxRangeDays: number | null;
    readonly timezone: string;
  };
  readonly log: Log;
}

/**
 * Largest number of unfinished exports of one token. They run one after another, so more would only make the
 * queue longer. An admin may have more, because the exports of admins have every other turn.
 */
const QUOTA = 10;
const ADMIN_QUOTA = 20;
const WATCH_INTERVAL_MS = 500;
/** Number of bytes of a file that are read at a time. */
const READ_BYTES = 256 * 1024;
const CONTENT_TYPES: Readonly<Record<ExportFormat, string>> = {
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  csv: 'text/csv; charset=utf-8; header=present',
  ndjson: 'application/x-ndjson; charset=utf-8',
};

/**
 * Offers exports to the API. Every method takes the requester. Exports of other tenants and, unless the
 * requester is an admin, of other tokens do not exist for it. Throws EXPORT_NOT_FOUND for those too.
 */
export class Exports {
  readonly #options: ExportsOptions;

  constructor(options: ExportsOptions) {
    this.#options = options;
  }

  /**
   * Stores the request and wakes a worker. A repeated idempotency key returns the first export (`created:
   * false`). Throws RANGE_INVALID, RANGE_TOO_LONG, HTTP_FORBIDDEN, EXPORT_QUOTA and EXPORT_KEY_REUSED.
   */
  async create(
    request: ExportBody,
    context: { readonly requester: Requester; readonly idempotencyKey?: string | undefined },
  ): Promise<{ export: ExportView; created: boolean }> {
    const { store, reader } = this.#options;
    const reports = this.#options.reports();
    const { requester } = context;
    tenantOf(request.tenant, requester.tenant);
    const { from, to, format, timezone = reports.timezone, ...filters } = request;
    const range = resolveRange({ ...reports, from, to, timezone, now: new Date() });
    const head = await reader.head();
    const quota = requester.role === 'admin' ? ADMIN_QUOTA : QUOTA;
    const order = {
      requester,
      range,
      format,
      filters,
      timezone,
      idempotencyKey: context.idempotencyKey ?? null,
      requestDigest: requestDigest(request),
      belowId: head.nextId,
      trailLsn: head.endLsn,
    };
    const { view, created, sameRequest } = await store.insert(order, { quota });
    if (!sameRequest) {
      throw new WaltrailError('EXPORT_KEY_REUSED', 'This Idempotency-Key was used for a different request.');
    }
    if (created) await this.#enqueue(view.id);
    return { export: this.#withTrouble(view), created };
  }

  /** Returns the newest exports first. */
  async list(requester: Requester): Promise<ExportView[]> {
    return (await this.#options.store.list(requester)).map((view) => this.#withTrouble(view));
  }

  async get(id: string, requester: Requester): Promise<ExportView> {
    const view = await this.#options.store.find(id, requester);
    if (view === undefined) throw new WaltrailError('EXPORT_NOT_FOUND', 'This export does not exist.');
    return this.#withTrouble(view);
  }

  /**
   * Opens the file of an export. Throws EXPORT_NOT_READY unless the export is ready, and EXPORT_FILE_MISSING
   * if its file is not on this machine.
   */
  async file(id: string, requester: Requester): Promise<ExportFile> {
    const view = await this.get(id, requester);
    if (view.file === null) {
      throw new WaltrailError('EXPORT_NOT_READY', `The export is ${view.state} and has no file.`);
    }
    const handle = await this.#options.files.read({ id, format: view.format, bytes: view.file.bytes });
    if (handle === undefined) {
      throw new WaltrailError('EXPORT_FILE_MISSING', `The file of export ${id} cannot be found.`);
    }
    return {
      ...view.file,
      contentType: CONTENT_TYPES[view.format],
      read: (range) =>
        handle.createReadStream({
          highWaterMark: READ_BYTES,
          ...(range === undefined ? {} : { start: range.first, end: range.last }),
        }),
      close: () => handle.close(),
    };
  }

  /**
   * Deletes the export and its file. If it runs, it is cancelled: its run stops at its next write, within a
   * second.
   */
  async remove(id: string, requester: Requester): Promise<void> {
    await this.get(id, requester);
    // The row is deleted first, because a worker checks it before it publishes a file.
    await this.#options.store.delete(id);
    await this.#options.files.deleteAll(id);
    await this.#options.queue.remove(id).catch(() => undefined);
  }

  /**
   * Yields the export now and after every change until it is final; `cancelled` if it is removed before. Ends
   * early if `signal` aborts.
   */
  async *watch(
    id: string,
    requester: Requester,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ExportView, void, void> {
    let last = await this.get(id, requester);
    yield last;
    while (!isFinal(last.state)) {
      try {
        await delay(WATCH_INTERVAL_MS, undefined, options);
      } catch {
        return;
      }
      const found = await this.#options.store.find(id, requester);
      const current =
        found === undefined ? { ...last, state: 'cancelled' as const } : this.#withTrouble(found);
      if (!isDeepStrictEqual(current, last)) yield current;
      last = current;
    }
  }

  /** Adds the problem of the queue to an export that waits for it. The row does not have the problem. */
  #withTrouble(view: ExportView): ExportView {
    const { problem } = this.#options.queue.status();
    return view.state === 'queued' && problem !== null ? { ...view, error: problemOf(problem) } : view;
  }

  async #enqueue(id: string): Promise<void> {
    try {
      await this.#options.queue.enqueue(id);
    } catch {
      // The request has succeeded all the same: the row is stored, and workers enqueue unfinished rows again.
      // The queue itself reports its problem.
      this.#options.log.debug({ export: id }, 'An export could not be enqueued. A worker will find its row.');
    }
  }
}
