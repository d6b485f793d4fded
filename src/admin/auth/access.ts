import type pg from 'pg';
import { codeOf } from '../../errors.js';
import type { Log } from '../../log.js';
import { RefusalBudgets } from './refusals.js';
import type { Principal } from './tokens.js';

/**
 * The kind of a use of the trail. `watch`: a live stream was opened, or has delivered. `refused`: the request
 * was refused (401, 403 or 429). `unrecorded`: the row counts further refusals of the same minute.
 */
export type AccessAction =
  'sign_in' | 'sign_out' | 'read' | 'watch' | 'export' | 'download' | 'remove' | 'refused' | 'unrecorded';

/** What a live stream has delivered since its last row: entries with ids above `after`, up to `through`. */
export interface DeliveredEntries {
  readonly entries: number;
  readonly after: string;
  readonly through: string;
}

/** What a partial download delivers: `bytes` bytes from offset `from`, of a file that has `of` bytes. */
export interface DeliveredBytes {
  readonly bytes: number;
  readonly from: number;
  readonly of: number;
}

export type Delivered = DeliveredEntries | DeliveredBytes;

export interface Access {
  readonly principal: Principal | undefined;
  readonly action: AccessAction;
  /** Method and pattern of the route, as `GET /v1/entries/:id`. */
  readonly route: string;
  /** Names and values of the request's parameters and body; null when it has none, and for a sign-in. */
  readonly filters: Readonly<Record<string, unknown>> | null;
  readonly status: number;
  readonly address: string;
  readonly delivered?: Delivered;
  /** Number of refusals that an `unrecorded` row stands for. */
  readonly refusals?: number;
}

const MINUTE_MS = 60_000;

/** Writes the append-only record of every use of the trail (`trail.access`). */
export class AccessRecord {
  readonly #pool: pg.Pool;
  readonly #log: Log;
  readonly #budgets = new RefusalBudgets<Access>();
  /** Timer that ends the minute. A minute begins with its first refusal. */
  #minute: NodeJS.Timeout | undefined;

  constructor(options: { readonly pool: pg.Pool; readonly log: Log }) {
    this.#pool = options.pool;
    this.#log = options.log;
  }

  /**
   * Resolves when the access is durable. An answer waits for it, so that no data leaves the trail unrecorded.
   * A refusal that cannot be recorded is still a refusal: no error is thrown.
   */
  async record(access: Access): Promise<void> {
    if (access.action !== 'refused') return this.#insert(access);
    this.#minute ??= setTimeout(() => void this.#endMinute(), MINUTE_MS).unref();
    if (!this.#budgets.take(access)) return;
    await this.#insert(access).catch(() => undefined);
  }

  /** Records what a live stream has delivered. Never rejects: the opening was recorded already. */
  async recordDelivered(access: Access, delivered: DeliveredEntries): Promise<void> {
    await this.#insert({ ...access, delivered }).catch((error: unknown) =>
      this.#log.warn(
        { code: codeOf(error), entries: delivered.entries },
        'What a live stream has delivered could not be recorded.',
      ),
    );
  }

  /** Records the refusals that were only counted so far. Never rejects. */
  async close(): Promise<void> {
    await this.#endMinute();
  }

  /** Records how many refusals were not recorded one by one, for each token and address. */
  async #endMinute(): Promise<void> {
    clearTimeout(this.#minute);
    this.#minute = undefined;
    for (const { last, address, count } of this.#budgets.renew()) {
      const row: Access = { ...last, action: 'unrecorded', filters: null, address, refusals: count };
      await this.#insert(row).catch((error: unknown) =>
        this.#log.warn(
          { code: codeOf(error), refusals: count },
          'Refused requests could be neither recorded nor counted in the access record.',
        ),
      );
    }
  }

  async #insert(access: Access): Promise<void> {
    await this.#pool.query(
      /* sql */ `insert into trail.access (token_name, role, tenant, action, route, filters, status, address, delivered, refusals)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        access.principal?.name ?? null,
        access.principal?.role ?? null,
        access.principal?.tenant ?? null,
        access.action,
        access.route,
        access.filters === null ? null : JSON.stringify(access.filters),
        access.status,
        access.address,
        access.delivered === undefined ? null : JSON.stringify(access.delivered),
        access.refusals ?? null,
      ],
    );
  }
}
