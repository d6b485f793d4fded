import type { KnownKey } from './known-key.js';
import type { OldRow, Relation } from '../pgoutput/reader.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';

/**
 * Marks the columns of an old row that the source did not send. An old row of kind key has null in every
 * other column. An old row of kind full may look the same. The rows of a partition come with the identity of
 * the partitioned table, but a partition created after `apply` writes only its key into the WAL. Such a null
 * is not a value.
 *
 * @param rootKey columns of the primary key, if the relation is a partitioned table. A row without any other
 *   value is treated as a key. If it is in fact a full row of nulls, its values are stored as unknown, which
 *   is true, while null might be wrong.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export function markNotSent(previous: Tuple, oldRow: OldRow, rootKey: readonly number[] | null): void {
  if (oldRow === 'full' ? rootKey === null || !holdsKeyOnly(previous, rootKey) : oldRow === 'none') return;
  const { lengths, count } = previous;
  for (let column = 0; column < count; column++) {
    if (lengths[column] === LENGTH_NULL) lengths[column] = LENGTH_UNCHANGED;
  }
}

function holdsKeyOnly({ lengths, count }: Tuple, key: readonly number[]): boolean {
  let values = 0;
  for (let column = 0; column < count; column++) if (lengths[column] !== LENGTH_NULL) values++;
  const keyValues = key.filter((column) => lengths[column] !== LENGTH_NULL).length;
  // If its primary key lacks a value, the row is the key of another index.
  return keyValues < key.length || (values === keyValues && count > key.length);
}

/**
 * Returns the row of an update in which a column was sent. Unchanged TOAST is in the old row only, if at all.
 *
 * @param previous null: no old row was sent
 */
export function sentIn(column: number, row: Tuple, previous: Tuple | null): Tuple | null {
  return row.lengths[column] === LENGTH_UNCHANGED ? previous : row;
}

/**
 * Returns, by column index, 1 for the columns that cannot have changed in an update without an old row.
 * PostgreSQL omits the old row if the columns of the replica identity are unchanged. The Relation message
 * flags these columns as of the change.
 *
 * In two cases the primary key is used instead of the flags. With identity full, every column is flagged. For
 * a partitioned table, the flags are those of the root, but the partition's identity decides.
 */
export function unsentIdentity(options: {
  readonly relation: Relation;
  readonly key: KnownKey;
  readonly partitioned: boolean;
}): Uint8Array {
  const { relation, key, partitioned } = options;
  const byFlag = !partitioned && relation.replicaIdentity !== 'f';
  const isInKey = (index: number): boolean => !key.isLater && key.columns.includes(index);
  return Uint8Array.from(relation.columns, ({ isKey }, index) => ((byFlag ? isKey : isInKey(index)) ? 1 : 0));
}
