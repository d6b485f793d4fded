import type { PublishedTableState } from './published.js';

/*
 * ALTER TABLE can give every row of a table another value without a row message. What it leaves in the
 * catalog, and what other commands leave there, was measured on PostgreSQL 15 and 18: DECISIONS 65.
 */

/** A table that holds rows, or a partition that does, as a look found it. */
export interface HeapState {
  /** As pg_class.relfilenode: another one once the table was written anew as a whole, or emptied. */
  readonly file: string;
  /** Oid of its TOAST table, `0` without one. A command that computes rows anew makes another one. */
  readonly toast: string;
  /**
   * Lowest number of a column whose row in the catalog was written by the transaction that wrote the one of
   * the table last; null: there is none.
   */
  readonly touched: number | null;
  /** Highest number of such a column that has a default or is generated; null: there is none. */
  readonly filled: number | null;
  /** Whether it is known to have held no row when it was written anew. */
  readonly empty: boolean;
}

/** What happened to the rows of a table between two looks, without a message of it. */
export type Rewriting = 'none' | 'perhaps' | 'certain';

/**
 * Says whether the values of rows were computed anew. Certain, where the table has another file, and one of
 * its columns was altered, or added with something to fill it with, by the transaction that gave it that
 * file. Pure.
 */
export function rewritingOf(before: PublishedTableState, after: PublishedTableState): Rewriting {
  const columnsBefore = before.columns?.length;
  if (columnsBefore === undefined || before.heaps === undefined) return 'none';
  const heaps = Object.entries(after.heaps ?? {}).map(([oid, heap]) =>
    ofHeap(before.heaps?.[oid], heap, columnsBefore),
  );
  return heaps.find((one) => one === 'certain') ?? heaps.find((one) => one === 'perhaps') ?? 'none';
}

function ofHeap(before: HeapState | undefined, after: HeapState, columnsBefore: number): Rewriting {
  if (before === undefined || before.file === after.file) return 'none';
  // TRUNCATE, VACUUM FULL, CLUSTER and SET TABLESPACE keep it.
  if (before.toast !== '0' && before.toast === after.toast) return 'none';
  const { touched, filled, empty } = after;
  const isAltered = touched !== null && touched <= columnsBefore;
  const isFilled = filled !== null && filled > columnsBefore;
  if (isAltered || isFilled) return empty ? 'perhaps' : 'certain';
  return empty ? 'none' : 'perhaps';
}

/** A column whose values, or whose absence, no row message has told. */
export interface UntoldColumn {
  readonly name: string;
  /**
   * It was dropped and added again under its name; or it was added, and rows that were there hold its default.
   */
  readonly is: 'another' | 'added';
}

/** Columns that were added since the last look so that existing rows hold in them what was not sent. Pure. */
export function untoldColumns(before: PublishedTableState, after: PublishedTableState): UntoldColumn[] {
  const columnsBefore = before.columns;
  if (columnsBefore === undefined) return [];
  return (after.columns ?? []).flatMap((name, index): UntoldColumn[] => {
    if (name === null || index < columnsBefore.length) return [];
    if (columnsBefore.includes(name)) return [{ name, is: 'another' }];
    return after.defaulted?.includes(index + 1) === true ? [{ name, is: 'added' }] : [];
  });
}
