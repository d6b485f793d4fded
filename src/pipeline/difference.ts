import { LastView, sameBytes } from '../pg/byte-loops.js';
import { LENGTH_UNCHANGED, MAX_COLUMNS, type Tuple } from '../pgoutput/tuple.js';

/**
 * What is known of a column of an update (DECISIONS 50): both values were sent and are equal, or the source
 * says that it did not change; both were sent and differ; the value before was not sent.
 */
export const EQUAL = 0;
export const DIFFERENT = 1;
export const UNKNOWN = 2;

/** From here on a native comparison beats a loop. */
const LONG_VALUE_BYTES = 256;

/** What a difference needs to know of a relation. */
export interface ComparedRelation {
  readonly columnCount: number;
  /** By column index: 1 where a difference alone makes no entry and is left out of others. */
  readonly ignored: Uint8Array;
  /** By column index: 1 for those that are never stored. */
  readonly dropped: Uint8Array;
  /** By column index: 1 for those that did not change in an update whose old row was not sent. */
  readonly identity: Uint8Array;
}

/**
 * Compares the rows of an update. There is one, which is filled for each update: an object per row would be
 * garbage at a million rows a minute.
 */
export class Difference {
  /** By column index: {@link EQUAL}, {@link DIFFERENT} or {@link UNKNOWN}; equal where it is ignored. */
  readonly columns = new Uint8Array(MAX_COLUMNS);
  /** The columns that are stored, and how many they are. */
  readonly shown = new Uint16Array(MAX_COLUMNS);
  shownCount = 0;
  readonly #views = new LastView();

  /**
   * False where every column that is not ignored is known to be equal.
   *
   * @param previous with the columns marked that were not sent (old-row.ts); null: no old row was sent
   */
  find(relation: ComparedRelation, previous: Tuple | null, updated: Tuple): boolean {
    const { columns, shown } = this;
    const { ignored, dropped, identity, columnCount } = relation;
    const { lengths } = updated;
    const view = this.#views.of(updated.bytes);
    // What is text in one and no text in the other may be the same bytes.
    const mayBeOpaque = updated.hasOpaque || previous?.hasOpaque === true;
    let any = false;
    let count = 0;
    for (let column = 0; column < columnCount; column++) {
      columns[column] = EQUAL;
      // Unchanged TOAST is not sent because the update did not touch it.
      if (ignored[column] === 1 || lengths[column] === LENGTH_UNCHANGED) continue;
      if (previous === null) {
        if (identity[column] === 1) continue;
        columns[column] = UNKNOWN;
      } else {
        if (
          isSame(view, previous, updated, column) &&
          !(mayBeOpaque && updated.isOpaque(column) !== previous.isOpaque(column))
        )
          continue;
        columns[column] = previous.lengths[column] === LENGTH_UNCHANGED ? UNKNOWN : DIFFERENT;
      }
      any = true;
      // That a column that is never stored has changed makes an entry and may name its action, but is not
      // shown.
      if (dropped[column] === 0) shown[count++] = column;
    }
    this.shownCount = count;
    return any;
  }

  /** Whether a column is known to differ, ignored or not. */
  isDifferent(previous: Tuple | null, updated: Tuple, column: number): boolean {
    if (previous === null || updated.lengths[column] === LENGTH_UNCHANGED) return false;
    if (previous.lengths[column] === LENGTH_UNCHANGED) return false;
    const view = this.#views.of(updated.bytes);
    return !isSame(view, previous, updated, column) || updated.isOpaque(column) !== previous.isOpaque(column);
  }
}

/** Both rows of an update lie in one message, so in one buffer. */
function isSame(view: DataView, previous: Tuple, updated: Tuple, column: number): boolean {
  const length = updated.lengths[column]!;
  if (previous.lengths[column] !== length) return false;
  if (length <= 0) return true;
  const left = previous.offsets[column]!;
  const right = updated.offsets[column]!;
  if (length <= LONG_VALUE_BYTES) return sameBytes(view, left, right, length);
  const { bytes } = updated;
  return bytes.compare(bytes, left, left + length, right, right + length) === 0;
}
