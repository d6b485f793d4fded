import type { Relation } from '../pgoutput/reader.js';
import { isAfter } from '../tracking/attributes.js';
import type { FollowedColumn } from './followed-columns.js';
import type { TableFacts } from './table-facts.js';

/** The primary key of a relation version, as far as it is known as of the changes that it describes. */
export interface KnownKey {
  /** Indexes of its columns in the order of the key; empty: there is none, or only a part of it. */
  readonly columns: readonly number[];
  /** The relation lacks columns of the key. */
  readonly isPartial: boolean;
  /** It is that of a later moment: the table may have had another one then, or none. */
  readonly isLater: boolean;
}

/** As pg_class.relreplident: the columns of the primary key are flagged, and no others. */
const DEFAULT_IDENTITY = 'd';

/**
 * Finds the primary key of a relation. The message says it where the replica identity is the default, but for
 * the order of its columns; else the catalog does, which is read after the message and may be ahead: a key
 * that was made by a later transaction, that has columns which the relation has not, or of a table that is
 * gone, is said to be later. Half a key would be the id of other rows, so it is none.
 *
 * @param options.facts undefined: the catalog does not know the table any more
 * @param options.followed which attribute each column of the relation is
 * @param options.xid of the transaction that the relation message belongs to: low 32 bits
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

/** Columns of the catalog's key in the relation, whatever they are called there; null: some are not in it. */
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
