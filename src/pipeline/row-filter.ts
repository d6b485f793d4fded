import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import type { Operation, TableRule, Wanted } from '../tracking/rules.js';
import {
  classify,
  SKIPPED,
  type ClassifiedChange,
  type Column,
  type CompiledRule,
} from './classification.js';
import { valueIs } from './conditions.js';
import { columnNamed } from './members.js';

/** Whether a change makes an entry. For an update, its difference must be known. */
export type RowFilter = (change: ClassifiedChange) => boolean;

/** Filters by operation. Null: every change makes an entry, so nothing has to be tested. */
export type RowFilters = Readonly<Record<Operation, RowFilter | null>>;

/**
 * Compiles which changes of a relation version make no entry: operations that are not in `operations`, rows
 * that `where` excludes, and changes with `action: skip`. If this cannot be determined, the change makes an
 * entry.
 *
 * @param options.identity by column index: 1 for columns that cannot have changed in an update without an old
 *   row
 */
export function compileFilters(options: {
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly identity: Uint8Array;
  readonly actions: Readonly<Record<Operation, readonly CompiledRule[]>>;
}): RowFilters {
  const { rule, actions } = options;
  const where = compileWhere(options);
  const filterOf = (operation: Operation): RowFilter | null => {
    if (rule.operations !== null && !rule.operations.includes(operation)) return () => false;
    // A truncate has no rows to test.
    const wanted = operation === 'truncate' || where === null ? null : where[operation];
    const rules = actions[operation];
    const isKept = rules.some(({ actionId }) => actionId === SKIPPED)
      ? (change: ClassifiedChange): boolean => classify(rules, change) !== SKIPPED
      : null;
    if (wanted === null || isKept === null) return wanted ?? isKept;
    return (change) => wanted(change) && isKept(change);
  };
  return {
    insert: filterOf('insert'),
    update: filterOf('update'),
    delete: filterOf('delete'),
    truncate: filterOf('truncate'),
  };
}

/**
 * Whether `where` may include a row. `other` has values that were not sent with the row, if they are the same
 * there.
 */
type MayBeWanted = (row: Tuple, other: Tuple | null) => boolean;

function compileWhere(options: {
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly identity: Uint8Array;
}): Readonly<Record<Exclude<Operation, 'truncate'>, RowFilter>> | null {
  const { rule, columns, identity } = options;
  if (rule.where.size === 0) return null;
  // A column that the table lacks excludes no rows.
  const tests = [...rule.where].flatMap(([name, wanted]) => {
    const column = columnNamed(columns, name);
    return column === undefined ? [] : [{ index: column.index, mayBe: mayBe(column, wanted) }];
  });
  const mayMatch: MayBeWanted = (row, other) => tests.every(({ mayBe: test }) => test(row, other));
  const inIdentity = tests.filter(({ index }) => identity[index] === 1);
  const one: RowFilter = ({ row }) => mayMatch(row!, null);
  return {
    insert: one,
    delete: one,
    update: ({ row, previous }) => {
      if (mayMatch(row!, previous)) return true;
      // If no old row was sent, only its columns of the replica identity are known, because they are
      // unchanged.
      return previous === null
        ? inIdentity.every(({ mayBe: test }) => test(row!, null))
        : mayMatch(previous, null);
    },
  };
}

function mayBe(column: Column, wanted: Wanted): MayBeWanted {
  const { index } = column;
  const test = valueIs(column, wanted);
  return (row, other) =>
    test(other !== null && row.lengths[index] === LENGTH_UNCHANGED ? other : row) !== 'fails';
}
