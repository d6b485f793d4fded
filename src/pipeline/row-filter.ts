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

/** Whether a change makes an entry. Of an update that is asked when its difference is known. */
export type RowFilter = (change: ClassifiedChange) => boolean;

/** By operation; null: every change makes one, which costs nothing to know. */
export type RowFilters = Readonly<Record<Operation, RowFilter | null>>;

/**
 * Compiles which changes of a relation version make no entry: of other operations than `operations`, of rows
 * that `where` does not want, and what `action: skip` says. What is not known makes one.
 *
 * @param options.identity by column index: 1 for columns that an update without an old row has left as they
 *   were
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
    // A truncate has no rows to look at.
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

/** Whether a row may be one that is wanted; `other` has what was not sent with it, where that is the same. */
type MayBeWanted = (row: Tuple, other: Tuple | null) => boolean;

function compileWhere(options: {
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly identity: Uint8Array;
}): Readonly<Record<Exclude<Operation, 'truncate'>, RowFilter>> | null {
  const { rule, columns, identity } = options;
  if (rule.where.size === 0) return null;
  // A column that the table lacks says nothing of its rows.
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
      // Of an old row that was not sent only the columns of its identity are known: they are the same.
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
