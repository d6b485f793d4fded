import type pg from 'pg';
import { codeOf } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Principal } from './tokens.js';

/**
 * The kind of a use of the trail. `watch`: a live stream was opened. `refused`: the request was turned away
 * (401, 403 or 429).
 */
export type AccessAction =
  'sign_in' | 'sign_out' | 'read' | 'watch' | 'export' | 'download' | 'remove' | 'refused';

export interface Access {
  readonly principal: Principal | undefined;
  readonly action: AccessAction;
  /** Method and pattern of the route, as `GET /v1/entries/:id`. */
  readonly route: string;
  /** Names and values of the request's parameters and body; null when it has none, and for a sign-in. */
  readonly filters: Readonly<Record<string, unknown>> | null;
  readonly status: number;
  readonly address: string;
}

/**
 * Maximum number of refusals that are recorded in a minute; further ones are only counted. Refusals cost a
 * guesser nothing and must not fill the record.
 */
const REFUSALS_A_MINUTE = 120;
const PRUNE_INTERVAL_MS = 6 * 3_600_000;

/** Writes the append-only record of who used the trail (`trail.access`). */
export class AccessRecord {
  readonly #pool: pg.Pool;
  readonly #log: Log;
  #minute = 0;
  #refusals = 0;

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
    if (!this.#mayRecordRefusal()) return;
    await this.#insert(access).catch(() => undefined);
  }

  async #insert(access: Access): Promise<void> {
    await this.#pool.query(
      /* sql */ `insert into trail.access (token_name, role, tenant, action, route, filters, status, address)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        access.principal?.name ?? null,
        access.principal?.role ?? null,
        access.principal?.tenant ?? null,
        access.action,
        access.route,
        access.filters === null ? null : JSON.stringify(access.filters),
        access.status,
        access.address,
      ],
    );
  }

  #mayRecordRefusal(): boolean {
    const minute = Math.floor(Date.now() / 60_000);
    if (minute !== this.#minute) {
      const unrecorded = this.#refusals - REFUSALS_A_MINUTE;
      if (unrecorded > 0)
        this.#log.warn(
          { unrecorded },
          'More requests were refused in a minute than the access record takes.',
        );
      this.#minute = minute;
      this.#refusals = 0;
    }
    this.#refusals += 1;
    return this.#refusals <= REFUSALS_A_MINUTE;
  }
}

/**
 * Deletes accesses that are older than the retention of entries, and older than two days, at once and then
 * every six hours. If `retentionDays` gives null, it keeps everything.
 */
export function startPruning(options: {
  readonly pool: pg.Pool;
  readonly retentionDays: () => number | null;
  readonly log: Log;
}): { stop(): void } {
  const { pool, log } = options;
  const prune = (): void => {
    const days = options.retentionDays();
    if (days === null) return;
    // `trail.prune_access` refuses to delete from the last day.
    pool
      .query(/* sql */ `select trail.prune_access(clock_timestamp() - make_interval(days => $1))`, [
        Math.max(days, 2),
      ])
      .catch((error: unknown) =>
        log.warn({ code: codeOf(error) }, 'The access record could not be pruned; it will be tried again.'),
      );
  };
  prune();
  const timer = setInterval(prune, PRUNE_INTERVAL_MS);
  return { stop: () => clearInterval(timer) };
}
