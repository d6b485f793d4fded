import type { Tuple } from '../pgoutput/tuple.js';
import { BytesCache } from './bytes-cache.js';
import { sentIn } from './old-row.js';
import type { Dictionary } from './ports.js';
import { redactedText } from './redaction.js';
import type { TrackedPlan } from './relation-plan.js';

/** Reads the tenant of rows, as the trail has it: redacted where the column is. */
export class TenantReader {
  readonly #ids = new BytesCache();
  readonly #idOf: (text: string) => number;

  constructor(dictionary: Pick<Dictionary, 'tenant'>) {
    this.#idOf = (text) => dictionary.tenant(text);
  }

  /** Its dictionary id; 0: the row has none, or it was not sent. */
  id(plan: TrackedPlan, row: Tuple, previous: Tuple | null): number {
    const column = plan.tenantColumn;
    const holder = column < 0 ? null : sentIn(column, row, previous);
    if (holder?.has(column) !== true) return 0;
    const redactor = plan.redactors[column];
    if (!redactor) return this.#ids.get(holder, column, this.#idOf);
    return this.#idOf(redactedText(redactor, holder, column));
  }
}

/** The tenant of a row as text; null: it has none, or it was not sent. Not for the hot path. */
export function tenantText(plan: TrackedPlan, row: Tuple, previous: Tuple | null): string | null {
  const column = plan.tenantColumn;
  const holder = column < 0 ? null : sentIn(column, row, previous);
  if (holder?.has(column) !== true) return null;
  const redactor = plan.redactors[column];
  return redactor ? redactedText(redactor, holder, column) : holder.text(column);
}
