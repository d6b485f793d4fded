import { LastView, sameBytes } from '../pg/byte-loops.js';
import { LENGTH_UNCHANGED, MAX_COLUMNS, type Tuple } from '../pgoutput/tuple.js';

/**
 * What is known of a column in an update (DECISIONS 50). EQUAL: both values were sent and are equal, or the
 * source reports that the column did not change. DIFFERENT: both were sent and differ. UNKNOWN: the value
 * before the update was not sent.
 */
export const EQUAL = 0;
export const DIFFERENT = 1;
export const UNKNOWN = 2;

/** Length from which a native comparison is faster than a loop. */
const LONG_VALUE_BYTES = 256;

/** What a comparison needs to know of a relation. */
export interface ComparedRelation {
  readonly columnCount: number;
  /**
   * By column index: 1 for an ignored column. An update that differs only in these makes no entry. Entries do
   * not show them.
   */
  readonly ignored: Uint8Array;
  /** By column index: 1 for a column that is never stored. */
  readonly dropped: Uint8Array;
  /** By column index: 1 for a column that cannot have changed in an update whose old row was not sent. */
  readonly identity: Uint8Array;
}

/**
 * Compares the rows of an update. One object serves all updates, because one for each row would be garbage at
 * a million rows a minute.
 */
export class Difference {
  /** By column index: {@link EQUAL}, {@link DIFFERENT} or {@link UNKNOWN}. An ignored column is EQUAL. */
  readonly columns = new Uint8Array(MAX_COLUMNS);
  /** The columns that the entry shows, and their number. */
  readonly shown = new Uint16Array(MAX_COLUMNS);
  shownCount = 0;
  readonly #views = new LastView();

  /**
   * Compares both rows. Returns false if every column that is not ignored is known to be equal.
   *
   * @param previous the old row, with columns marked that were not sent (old-row.ts); null: no old row was
   *   sent
   */
  find(relation: ComparedRelation, previous: Tuple | null, updated: Tuple): boolean {
    const { columns, shown } = this;
    const { ignored, dropped, identity, columnCount } = relation;
    const { lengths } = updated;
    const view = this.#views.of(updated.bytes);
    // The same bytes may be text in one row and no text in the other.
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
      // A changed column that is never stored makes an entry and may decide its action, but is not shown.
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

/** Whether a column has the same bytes in both rows. Both lie in one message, and so in one buffer. */
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
