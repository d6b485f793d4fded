import type pg from 'pg';
import { codeOf } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Principal } from './tokens.js';

/**
 * What somebody did with the trail. `watch`: opened a live stream. `refused`: was not let in or not allowed.
 */
export type AccessAction =
  'sign_in' | 'sign_out' | 'read' | 'watch' | 'export' | 'download' | 'remove' | 'refused';

export interface Access {
  readonly principal: Principal | undefined;
  readonly action: AccessAction;
  /** Method and pattern of the route, as `GET /v1/entries/:id`. */
  readonly route: string;
  /** Names and values that were asked for; null when the route takes none. */
  readonly filters: Readonly<Record<string, unknown>> | null;
  readonly status: number;
  readonly address: string;
}

/** Refusals cost a guesser nothing, so this many are recorded a minute; further ones are only counted. */
const REFUSALS_A_MINUTE = 120;
const PRUNE_INTERVAL_MS = 6 * 3_600_000;

/** The append-only record of who used the trail (`trail.access`). */
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
   * Resolves when the access is durable; an answer waits for it, so that nothing leaves the trail unrecorded.
   * A refusal that cannot be recorded is still a refusal.
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
 * Deletes accesses that are older than the retention of entries, now and every six hours. `retentionDays`
 * null: keeps everything.
 */
export function startPruning(options: {
  readonly pool: pg.Pool;
  readonly retentionDays: number | null;
  readonly log: Log;
}): { stop(): void } {
  const { pool, retentionDays, log } = options;
  if (retentionDays === null) return { stop: () => undefined };
  const prune = (): void => {
    // The trail itself never prunes the last day.
    pool
      .query(/* sql */ `select trail.prune_access(clock_timestamp() - make_interval(days => $1))`, [
        Math.max(retentionDays, 2),
      ])
      .catch((error: unknown) =>
        log.warn({ code: codeOf(error) }, 'The access record could not be pruned; it will be tried again.'),
      );
  };
  prune();
  const timer = setInterval(prune, PRUNE_INTERVAL_MS);
  return { stop: () => clearInterval(timer) };
}
