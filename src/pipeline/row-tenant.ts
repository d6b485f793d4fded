import type { Tuple } from '../pgoutput/tuple.js';
import { BytesCache } from './bytes-cache.js';
import { sentIn } from './old-row.js';
import type { Dictionary, Lookups } from './ports.js';
import { redactedText } from './redaction.js';
import type { TrackedPlan } from './relation-plan.js';
import { tenantBehind } from './tenant-steps.js';

/** Dictionary id of no tenant: the row has none, it was not sent, or it is unknown. */
const NO_TENANT = 0;

/**
 * Reads the tenant of rows, redacted if its column is. If a row of another table has the tenant, it is the
 * tenant at the time of the change, because lookups follow the stream (DECISIONS 99).
 */
export class TenantReader {
  readonly #ids = new BytesCache();
  readonly #idOf: (text: string) => number;
  readonly #lookups: Pick<Lookups, 'get'>;
  #missed = false;

  constructor(options: {
    readonly dictionary: Pick<Dictionary, 'tenant'>;
    readonly lookups: Pick<Lookups, 'get'>;
  }) {
    this.#idOf = (text) => options.dictionary.tenant(text);
    this.#lookups = options.lookups;
  }

  /** Returns whether, since the last call, a row was read that refers to an unknown row. */
  takeMissed(): boolean {
    const missed = this.#missed;
    this.#missed = false;
    return missed;
  }

  /** Returns the dictionary id of a row's tenant. 0: the row has none, it was not sent, or it is unknown. */
  id(plan: TrackedPlan, row: Tuple, previous: Tuple | null): number {
    const column = plan.tenantColumn;
    const holder = column < 0 ? null : sentIn(column, row, previous);
    if (holder?.has(column) !== true) return NO_TENANT;
    if (plan.tenantSteps.length === 0 && !plan.redactors[column])
      return this.#ids.get(holder, column, this.#idOf);
    const text = this.#textIn(plan, holder);
    if (text === undefined) this.#missed = true;
    return text == null ? NO_TENANT : this.#idOf(text);
  }

  /** Returns the tenant of a row as text. Null if {@link id} returns 0. Not for the hot path. */
  text(plan: TrackedPlan, row: Tuple, previous: Tuple | null): string | null {
    const column = plan.tenantColumn;
    const holder = column < 0 ? null : sentIn(column, row, previous);
    return holder?.has(column) === true ? (this.#textIn(plan, holder) ?? null) : null;
  }

  /** Returns the tenant. Null: the row has none. Undefined: a row on the way to it is unknown. */
  #textIn(
    { tenantColumn: column, tenantSteps, redactors }: TrackedPlan,
    holder: Tuple,
  ): string | null | undefined {
    const redactor = redactors[column];
    const key = redactor ? redactedText(redactor, holder, column) : holder.text(column)!;
    return tenantBehind(key, { steps: tenantSteps, lookups: this.#lookups });
  }
}
