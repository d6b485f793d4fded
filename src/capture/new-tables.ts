import type pg from 'pg';
import { isWaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { applyPlan } from '../tracking/apply.js';
import type { Catalog, CatalogTable } from '../tracking/catalog.js';
import type { TrackingPlan } from '../tracking/findings.js';
import { planOfTable, planTracking } from '../tracking/plan.js';
import type { PublishedState } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { publishedTables } from '../tracking/tracked.js';

/**
 * Longest wait for the lock of a table. It is short, because writers of the table queue after a waiting lock,
 * and publishing can be done later.
 */
const LOCK_LIMIT_MS = 1_000;
/**
 * Time before a table is tried again that could not be published, because it was locked or a privilege is
 * missing.
 */
const RETRY_MS = 30_000;

/**
 * Publishes new tables of the source that the YAML tracks, with `on_new_table: apply`. Each table has a
 * transaction of its own, as with `waltrail apply`. A table that somebody removed from the publication stays
 * out.
 */
export class NewTables {
  readonly #config: TrackingConfig;
  readonly #log: Log;
  /** Time at which each table may be tried again (`performance.now()`), by its name. */
  readonly #failed = new Map<string, number>();

  constructor({ config, log }: { readonly config: TrackingConfig; readonly log: Log }) {
    this.#config = config;
    this.#log = log;
  }

  /** True if a table is due to be tried again. */
  get isDue(): boolean {
    const now = performance.now();
    return [...this.#failed.values()].some((at) => at <= now);
  }

  /** Publishes the tables that are due. Never rejects if the source refuses: the table keeps its trouble. */
  async publish(
    client: pg.Client,
    { catalog, published }: { readonly catalog: Catalog; readonly published: PublishedState },
  ): Promise<void> {
    const config = this.#config;
    if (config.source.onNewTable !== 'apply') return;
    const plan = planTracking({ config, catalog });
    const missing = new Set(
      plan.steps.flatMap(({ kind, tables }) => (kind === 'publication_add' ? tables : [])),
    );
    for (const key of this.#failed.keys()) if (!missing.has(key)) this.#failed.delete(key);
    const isKept = ({ oid }: CatalogTable): boolean =>
      published.tables[oid] !== undefined || published.takenOut?.includes(oid) === true;
    for (const table of publishedTables(config, catalog))
      if (missing.has(table.key) && !isKept(table.table) && !this.#isWaiting(table.key))
        await this.#try(client, table.key, planOfTable(plan, { config, catalog, published: table }));
  }

  #isWaiting(key: string): boolean {
    return (this.#failed.get(key) ?? 0) > performance.now();
  }

  async #try(client: pg.Client, key: string, plan: TrackingPlan): Promise<void> {
    try {
      await applyPlan(client, plan, { lockLimitMs: LOCK_LIMIT_MS });
      this.#failed.delete(key);
      this.#log.info({ table: key }, 'A new table of the source is published.');
    } catch (error) {
      if (!isWaltrailError(error)) throw error;
      if (!this.#failed.has(key))
        this.#log.warn(
          { code: error.code, table: key },
          `A new table of the source is not published: ${error.message}`,
        );
      this.#failed.set(key, performance.now() + RETRY_MS);
    }
  }
}
