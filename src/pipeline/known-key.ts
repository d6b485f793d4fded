import type { Relation } from '../pgoutput/reader.js';
import { isAfter } from '../tracking/attributes.js';
import type { FollowedColumn } from './followed-columns.js';
import type { TableFacts } from './table-facts.js';

/**
 * The primary key of a relation version at the time of the changes that it describes, as far as it is known.
 */
export interface KnownKey {
  /**
   * Indexes of the key's columns, in the order of the key. Empty: there is none, or only a part of it is
   * known.
   */
  readonly columns: readonly number[];
  /** Whether the relation lacks columns of the key. */
  readonly isPartial: boolean;
  /**
   * Whether the key is known from a later moment only. The table may have had another key at the time, or
   * none.
   */
  readonly isLater: boolean;
}

/**
 * The default replica identity, as in pg_class.relreplident: the columns of the primary key are flagged, and
 * no others.
 */
const DEFAULT_IDENTITY = 'd';

/**
 * Finds the primary key of a relation. If the replica identity is the default, the message has the columns of
 * the key, but not their order. Otherwise the key comes from the catalog, which is read after the message and
 * may be ahead of it.
 *
 * A key from the catalog is marked as later in three cases: a later transaction made it, it has columns that
 * the relation lacks, or the table no longer exists. A part of a key is not used, because it would be the id
 * of other rows too.
 *
 * @param options.facts undefined: the catalog no longer knows the table
 * @param options.followed the attribute of each column of the relation
 * @param options.xid of the transaction that the Relation message belongs to: low 32 bits
 */
export function findKey(options: {
  readonly relation: Relation;
  readonly facts: TableFacts | undefined;
  readonly followed: readonly FollowedColumn[];
  readonly xid: number;
}): KnownKey {
  const { relation, facts, xid } = options;
  const flagged = facts?.partitioned === true ? [] : flaggedColumns(relation);
  const ofCatalog = catalogKey(options);
  if (flagged.length > 0) {
    const isSame =
      ofCatalog?.length === flagged.length && flagged.every((index) => ofCatalog.includes(index));
    return isSame
      ? { columns: ofCatalog, isPartial: false, isLater: false }
      : { columns: flagged, isPartial: false, isLater: flagged.length > 1 };
  }
  if (ofCatalog === null) return { columns: [], isPartial: true, isLater: true };
  const isSure = facts !== undefined && facts.attributes !== null;
  return {
    columns: ofCatalog,
    isPartial: false,
    isLater: !isSure || isAfter({ xid: facts.keyXid }, xid),
  };
}

function flaggedColumns({ replicaIdentity, columns }: Relation): number[] {
  if (replicaIdentity !== DEFAULT_IDENTITY) return [];
  return columns.flatMap(({ isKey }, index) => (isKey ? [index] : []));
}

/**
 * Returns the indexes of the catalog's key columns in the relation, which may have other names there. Null:
 * some are missing.
 */
function catalogKey({
  relation,
  facts,
  followed,
}: Pick<Parameters<typeof findKey>[0], 'relation' | 'facts' | 'followed'>): number[] | null {
  const names = facts?.primaryKey ?? [];
  const indexes = names.map((name) => {
    const number = facts!.attributes?.find(
      (attribute) => !attribute.dropped && attribute.name === name,
    )?.number;
    const index = followed.findIndex((column) => column.number !== null && column.number === number);
    return index >= 0 ? index : relation.columns.findIndex((column) => column.name === name);
  });
  return indexes.includes(-1) ? null : indexes;
}
