import type { Tuple } from '../pgoutput/tuple.js';
import { BytesCache } from './bytes-cache.js';
import { sentIn } from './old-row.js';
import type { Dictionary, Lookups } from './ports.js';
import { redactedText } from './redaction.js';
import type { TrackedPlan } from './relation-plan.js';
import { tenantBehind } from './tenant-steps.js';

/** Dictionary id of no tenant: the row has none, it was not sent, or it is not known. */
const NO_TENANT = 0;

/**
 * Reads the tenant of rows, as the trail has it: redacted where the column is. Where it is that of a row of
 * another table, as of the change: the lookups are followed in the stream (DECISIONS 99).
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

  /** Whether a row was asked for since the last time that refers to another one which is not known. */
  takeMissed(): boolean {
    const missed = this.#missed;
    this.#missed = false;
    return missed;
  }

  /** Its dictionary id; 0: the row has none, it was not sent, or it is not known. */
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

  /** The tenant of a row as text; null: as for {@link id}. Not for the hot path. */
  text(plan: TrackedPlan, row: Tuple, previous: Tuple | null): string | null {
    const column = plan.tenantColumn;
    const holder = column < 0 ? null : sentIn(column, row, previous);
    return holder?.has(column) === true ? (this.#textIn(plan, holder) ?? null) : null;
  }

  /** Null: the row has no tenant; undefined: a row on the way to it is not known. */
  #textIn(
    { tenantColumn: column, tenantSteps, redactors }: TrackedPlan,
    holder: Tuple,
  ): string | null | undefined {
    const redactor = redactors[column];
    const key = redactor ? redactedText(redactor, holder, column) : holder.text(column)!;
    return tenantBehind(key, { steps: tenantSteps, lookups: this.#lookups });
  }
}
