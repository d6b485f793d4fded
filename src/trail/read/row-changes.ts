import { kindOfType } from './decode.js';
import type { StoredColumn } from './dictionaries.js';
import type { StoredRows } from './row-batch.js';
import { ROW_TEXT } from './row-bytes.js';
import { StoredFields } from './stored-fields.js';
import { changesOfValue, MAX_COMPARED_CHARACTERS, NO_CHANGES, type ValueChange } from './value-changes.js';
import { partedAs } from './value-parts.js';

/**
 * Largest number of bytes of a value that is compared: three for each character, twice because of escapes.
 */
const MAX_BYTES = 6 * MAX_COMPARED_CHARACTERS;

/** Position of a field in the bytes of the rows. */
interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the same changes as {@link changesOf}, but in the bytes of rows. Only fields that differ are decoded.
 */
export class RowChanges {
  readonly #fields = new StoredFields<boolean>(hasParts);
  readonly #after = new StoredFields<boolean>(hasParts);
  /** Whether a table version has a column with parts in its values, by table version. */
  readonly #relations = new Map<number, boolean>();

  /** Returns the differences within the values of the current row. */
  of(batch: StoredRows): readonly ValueChange[] {
    const { rows } = batch;
    if (rows.lengthOf(ROW_TEXT.previous) < 0 || rows.lengthOf(ROW_TEXT.updated) < 0) return NO_CHANGES;
    if (!this.#mayHave(batch)) return NO_CHANGES;
    const [before, after] = [this.#fields, this.#after];
    before.begin(batch, 'previous');
    after.begin(batch, 'updated');
    const changes: ValueChange[] = [];
    while (before.next() && after.next()) {
      const { column, notes } = after.column;
      if (!notes || !isValue(before) || !isValue(after) || isSame(after.bytes, before, after)) continue;
      if (Math.max(before.end - before.start, after.end - after.start) > MAX_BYTES)
        changes.push({ column: column.name, removed: [], added: [], notCompared: true });
      else changes.push(...changesOfValue(column.name, before.value, after.value));
    }
    return changes;
  }

  #mayHave({ rows, dictionaries }: StoredRows): boolean {
    const { relationId } = rows;
    let may = this.#relations.get(relationId);
    if (may === undefined) {
      may = dictionaries.relations.get(relationId)?.columns.some(hasParts) === true;
      this.#relations.set(relationId, may);
    }
    return may;
  }
}

const hasParts = (column: StoredColumn): boolean =>
  kindOfType(column.type) === 'json' || partedAs(column) !== null;

const isValue = ({ kind }: StoredFields<boolean>): boolean => kind === 'text' || kind === 'marked';

const isSame = (bytes: Buffer, one: Place, other: Place): boolean =>
  bytes.compare(bytes, one.start, one.end, other.start, other.end) === 0;
