import type { Tuple } from '../pgoutput/tuple.js';
import type { ClassifiedChange } from './classification.js';
import type { OtherModifier } from './other-modifier.js';

/**
 * One change of a tracked row on its way to an entry. The pipeline has a single one and fills it for every
 * row: an object per row would be garbage at a million rows a minute, and peak memory is the garbage that was
 * not collected yet.
 */
export class RowChange implements ClassifiedChange {
  /** Index in the transaction. */
  seq = 0;
  modifierId = 0;
  /** One of `RUNG_…` of ports.ts. */
  rung = 0;
  /** The old row, with the columns marked that were not sent (old-row.ts); null: none was sent. */
  previous: Tuple | null = null;
  /** After the change; before it for a delete. */
  row: Tuple | null = null;
  /** By column index, of an update: `EQUAL`, `DIFFERENT` or `UNKNOWN` of difference.ts. */
  changed: Uint8Array | null = null;
  /** A member of the JSON beside the values (other-modifier.ts): whom the row names as well; null: nobody. */
  beside: Buffer | null = null;
  /** Whom the column names that this change has not set; null: nobody. */
  hint: OtherModifier | null = null;
}
