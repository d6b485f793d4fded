import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { EntryFilters } from '../api/filters.js';
import type { ExportFormat } from '../api/requests.js';
import { WaltrailError } from '../errors.js';
import type { TimeRange } from '../trail/read/range.js';
import type { ExportOrder, ExportProblem, ExportView, Kept, Requester } from './export.js';

export interface NewExport {
  readonly requester: Requester;
  readonly format: ExportFormat;
  readonly filters: EntryFilters;
  readonly range: TimeRange;
  readonly timezone: string;
  readonly idempotencyKey: string | null;
  readonly requestDigest: Buffer;
  readonly belowId: string;
  readonly trailLsn: string;
}

export interface FinishedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly entries: number;
  /** Lowest and highest commit LSN of the entries; null: there are no entries. */
  readonly firstLsn: string | null;
  readonly lastLsn: string | null;
  /** Gaps of the trail that overlap the range. */
  readonly gaps: number;
}

const LIST_LIMIT = 200;
/** Time after which a token with a full quota may ask again. An export takes seconds to minutes. */
const QUOTA_RETRY_SECONDS = 10;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const instant = (column: string): string =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const RANGE = /* sql */ `jsonb_build_object('from', ${instant('range_from')}, 'to', ${instant('range_to')}) as range`;

// Counts of entries stay far below 2^53, so they can be numbers.
const VIEW = /* sql */ `id, state, format, filters, timezone, gaps, error, requested_by as "requestedBy", ${RANGE},
  jsonb_build_object('done', done, 'total', total) as progress,
  ${instant('created_at')} as "createdAt", ${instant('finished_at')} as "finishedAt", ${instant('expires_at')} as "expiresAt",
  case when state = 'ready' then jsonb_build_object('name', file_name, 'bytes', file_bytes, 'sha256', file_sha256) end as file`;

const ORDER = /* sql */ `id, claim, attempts, format, filters, timezone, tenant, requested_by as "requestedBy", ${RANGE},
  ${instant('created_at')} as "createdAt", ${instant('current_until')} as "currentUntil", below_id::text as "belowId", trail_lsn::text as "trailLsn",
  total::float8 as total, kept`;

/**
 * Condition for exports that this requester may see. An export of somebody else or of another tenant is "not
 * found".
 */
const VISIBLE = /* sql */ `(token_id = $1 or $2) and ($3::text is null or tenant = $3)`;
const visibility = (requester: Requester): unknown[] => [
  requester.tokenId,
  requester.role === 'admin',
  requester.tenant,
];

/**
 * The rows of `trail.export`, which are authoritative for every export, whatever the queue has. A run may
 * write a row only under its own claim. So if the export was taken over, cancelled or deleted, the run's
 * write changes no row.
 */
export class ExportStore {
  readonly #pool: pg.Pool;

  constructor(options: { readonly pool: pg.Pool }) {
    this.#pool = options.pool;
  }

  /**
   * Inserts a row. If the requester's idempotency key already has one, returns that row, and whether its
   * request was the same. Throws EXPORT_QUOTA if the token has `quota` unfinished exports.
   */
  async insert(
    request: NewExport,
    { quota }: { readonly quota: number },
  ): Promise<{ view: ExportView; created: boolean; sameRequest: boolean }> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      // Requests run one after another. Otherwise, concurrent ones of one token would not count each other. A
      // lock of the table, because an advisory lock may be held by every login, and this one by none that
      // only reads. It does not hinder changes of rows.
      await client.query(/* sql */ `lock table trail.export in share update exclusive mode`);
      const stored = await insertWithin(client, request, quota);
      await client.query('commit');
      return stored;
    } catch (error) {
      await client.query('rollback').catch((reason: unknown) => (broken = reason as Error));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** Returns the newest exports first, at most 200. */
  async list(requester: Requester): Promise<ExportView[]> {
    const { rows } = await this.#pool.query<ExportView>(
      /* sql */ `select ${VIEW} from trail.export where ${VISIBLE} order by created_at desc, id limit ${LIST_LIMIT}`,
      visibility(requester),
    );
    return rows;
  }

  async find(id: string, requester: Requester): Promise<ExportView | undefined> {
    if (!UUID.test(id)) return undefined;
    const { rows } = await this.#pool.query<ExportView>(
      /* sql */ `select ${VIEW} from trail.export where ${VISIBLE} and id = $4`,
      [...visibility(requester), id],
    );
    return rows[0];
  }

  async delete(id: string): Promise<void> {
    await this.#pool.query(/* sql */ `delete from trail.export where id = $1`, [id]);
  }

  /** Ids of queued and running exports, oldest first. */
  async unfinished(): Promise<string[]> {
    const { rows } = await this.#pool.query<{ id: string }>(
      /* sql */ `select id from trail.export where state in ('queued', 'running') order by created_at`,
    );
    return rows.map((row) => row.id);
  }

  /** Marks exports that have expired and returns them, so that their files can be deleted. */
  async expire(): Promise<{ id: string; format: ExportFormat }[]> {
    const { rows } = await this.#pool.query<{
      id: string;
      format: ExportFormat;
    }>(/* sql */ `update trail.export set state = 'expired' where state = 'ready' and expires_at <= clock_timestamp()
                returning id, format`);
    return rows;
  }

  /** Returns those of the ids whose export has a file or will have one. */
  async live(ids: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.#pool.query<{ id: string }>(
      /* sql */ `select id from trail.export where id = any($1) and state in ('queued', 'running', 'ready')`,
      [ids],
    );
    return new Set(rows.map((row) => row.id));
  }

  /**
   * Begins a run. A running export is taken over from its earlier run, which has ended or will stop at its
   * next write. The order has what the earlier run has left. Returns undefined if there is nothing to do: the
   * job came twice, or the export was removed.
   */
  async claim(id: string): Promise<ExportOrder | undefined> {
    const { rows } = await this.#pool.query<ExportOrder>(
      /* sql */ `update trail.export
                   set state = 'running', claim = $2, attempts = attempts + 1, started_at = clock_timestamp(),
                       done = coalesce((kept ->> 'entries')::int8, 0)
                 where id = $1 and state in ('queued', 'running')
                returning ${ORDER}`,
      [id, randomUUID()],
    );
    return rows[0];
  }

  /** Stores the progress of a run. Returns false if the run has lost its claim and must stop. */
  async progress(order: ExportOrder, progress: { done: number; total: number | null }): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      /* sql */ `update trail.export set done = $3, total = coalesce($4, total) where id = $1 and claim = $2`,
      [order.id, order.claim, progress.done, progress.total],
    );
    return rowCount === 1;
  }

  /**
   * Stores how much of the file is durable. If that is more than before, attempts are counted from 1 again,
   * so that a run with progress is not given up. Returns false if the run has lost its claim and must stop.
   */
  async keep(order: ExportOrder, kept: Kept): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      /* sql */ `update trail.export
                   set attempts = case when $4 < (kept ->> 'belowId')::int8 or kept is null then 1 else attempts end, kept = $3
                 where id = $1 and claim = $2`,
      [order.id, order.claim, JSON.stringify(kept), kept.belowId],
    );
    return rowCount === 1;
  }

  /**
   * Marks the export as ready. `publish`, which renames the file, runs while the row is locked under the
   * claim. So only one of several runs can publish its file, and the row has the checksum of that file.
   * Returns false if the claim was lost.
   */
  async finish(
    order: ExportOrder,
    options: {
      readonly file: FinishedFile;
      readonly keepDays: number;
      readonly publish: () => Promise<void>;
    },
  ): Promise<boolean> {
    const { file } = options;
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      const { rowCount } = await client.query(
        /* sql */ `update trail.export
                     set state = 'ready', claim = null, kept = null, done = $3, total = $3, file_name = $4, file_bytes = $5, file_sha256 = $6,
                         first_lsn = $7, last_lsn = $8, finished_at = clock_timestamp(),
                         expires_at = clock_timestamp() + make_interval(days => $9), gaps = $10
                   where id = $1 and claim = $2`,
        [
          order.id,
          order.claim,
          file.entries,
          file.name,
          file.bytes,
          file.sha256,
          file.firstLsn,
          file.lastLsn,
          options.keepDays,
          file.gaps,
        ],
      );
      if (rowCount === 1) await options.publish();
      await client.query('commit');
      client.release();
      return rowCount === 1;
    } catch (error) {
      // Closes the connection, which rolls the transaction back in any state.
      client.release(true);
      throw error;
    }
  }

  /** Releases the export, so that it runs again. `counted: false` if the run was stopped and did not fail. */
  async release(order: ExportOrder, options: { readonly counted: boolean }): Promise<void> {
    await this.#pool.query(
      /* sql */ `update trail.export set state = 'queued', claim = null, attempts = attempts - $3 where id = $1 and claim = $2`,
      [order.id, order.claim, options.counted ? 0 : 1],
    );
  }

  /** Marks the export of this run as failed. */
  async fail(order: Pick<ExportOrder, 'id' | 'claim'>, problem: ExportProblem): Promise<void> {
    await this.#pool.query(
      /* sql */ `update trail.export set state = 'failed', claim = null, kept = null, error = $3, finished_at = clock_timestamp()
                 where id = $1 and claim = $2`,
      [order.id, order.claim, problem],
    );
  }

  /**
   * Marks a running export as failed, without its claim. Used if the run has crashed and cannot do so itself.
   * Returns false if the export no longer runs.
   */
  async failRunning(id: string, problem: ExportProblem): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      /* sql */ `update trail.export set state = 'failed', claim = null, kept = null, error = $2, finished_at = clock_timestamp()
                 where id = $1 and state = 'running'`,
      [id, problem],
    );
    return rowCount === 1;
  }
}

async function insertWithin(
  client: pg.ClientBase,
  request: NewExport,
  quota: number,
): Promise<{ view: ExportView; created: boolean; sameRequest: boolean }> {
  const { requester } = request;
  const { rows: known } = await client.query<ExportView & { same: boolean }>(
    /* sql */ `select request_sha256 = $3 as same, ${VIEW} from trail.export where token_id = $1 and idempotency_key = $2`,
    [requester.tokenId, request.idempotencyKey, request.requestDigest],
  );
  if (known[0] !== undefined) {
    const { same, ...view } = known[0];
    return { view, created: false, sameRequest: same };
  }
  const { rows: unfinished } = await client.query<{ count: number }>(
    /* sql */ `select count(*)::int as count from trail.export where token_id = $1 and state in ('queued', 'running')`,
    [requester.tokenId],
  );
  if (unfinished[0]!.count >= quota)
    throw new WaltrailError(
      'EXPORT_QUOTA',
      `This token has ${quota} unfinished exports, which is the limit.`,
      {
        details: { retryAfterSeconds: QUOTA_RETRY_SECONDS },
      },
    );
  const inserted = await client.query<ExportView>(
    /* sql */ `insert into trail.export (id, format, filters, range_from, range_to, timezone, tenant, requested_by, token_id,
                                        idempotency_key, request_sha256, below_id, trail_lsn)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
              returning ${VIEW}`,
    [
      randomUUID(),
      request.format,
      request.filters,
      request.range.from,
      request.range.to,
      request.timezone,
      requester.tenant,
      requester.name,
      requester.tokenId,
      request.idempotencyKey,
      request.requestDigest,
      request.belowId,
      request.trailLsn,
    ],
  );
  return { view: inserted.rows[0]!, created: true, sameRequest: true };
}
