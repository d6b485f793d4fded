import type { KnownKey } from './known-key.js';
import type { OldRow, Relation } from '../pgoutput/reader.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';

/**
 * Marks the columns of an old row that the source did not send. A row of kind key holds null for every other
 * column. So may one that claims to be full: the rows of a partition come with the identity of the
 * partitioned table, and a partition made after `apply` writes only its key into the WAL. Such a null is not
 * a value.
 *
 * @param rootKey columns of the primary key where the relation is a partitioned table. A row in which nothing
 *   else has a value is taken for a key: one that is really full of nulls is then unknown, which is true,
 *   where null might not be.
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
  // Without a value in its primary key it is the key of another index.
  return keyValues < key.length || (values === keyValues && count > key.length);
}

/**
 * The row of an update in which a column was sent: unchanged TOAST is only in the old one, if anywhere.
 *
 * @param previous null: no old row was sent
 */
export function sentIn(column: number, row: Tuple, previous: Tuple | null): Tuple | null {
  return row.lengths[column] === LENGTH_UNCHANGED ? previous : row;
}

/**
 * By column index: 1 for the columns that did not change in an update without an old row. PostgreSQL leaves
 * it out where the columns of the replica identity are the same. The Relation message flags these as of the
 * change. But with identity full it flags every column, and for a partitioned table it speaks of the root,
 * where the partition's identity has decided: then it is the primary key.
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
