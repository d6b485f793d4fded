import type { Tuple } from '../pgoutput/tuple.js';
import type { ClassifiedChange } from './classification.js';

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
  /** The old row, where all of it was sent. */
  previous: Tuple | null = null;
  /** The old row, where only the columns of the replica identity were sent. */
  previousKey: Tuple | null = null;
  /** After the change; before it for a delete. */
  row: Tuple | null = null;
  /** By column index: 1 where an update made a difference. */
  changed: Uint8Array | null = null;
}
