import type { Tuple } from '../pgoutput/tuple.js';
import type { ClassifiedChange } from './classification.js';
import type { OtherModifier } from './other-modifier.js';

/**
 * One change of a tracked row before it becomes an entry. The pipeline reuses one object for all rows. An
 * object for each row would be garbage at a million rows a minute, and garbage that is not collected yet
 * determines the peak of memory.
 */
export class RowChange implements ClassifiedChange {
  /** Index in the transaction. */
  seq = 0;
  modifierId = 0;
  /** One of `RUNG_…` of ports.ts. */
  rung = 0;
  /** The old row, with columns marked that were not sent (old-row.ts). Null: none was sent. */
  previous: Tuple | null = null;
  /** The row after the change. For a delete, the row before it. */
  row: Tuple | null = null;
  /** For an update, by column index: `EQUAL`, `DIFFERENT` or `UNKNOWN` of difference.ts. */
  changed: Uint8Array | null = null;
  /**
   * A member of the JSON beside the values: another person that the row names (other-modifier.ts). Null:
   * nobody.
   */
  beside: Buffer | null = null;
  /** The person in a column that this change has not set. Null: nobody. */
  hint: OtherModifier | null = null;
}
