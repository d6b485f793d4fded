import type { TableName } from './names.js';

/*
 * Rewritten tables: ALTER TABLE can give every row another value without a row message. The traces of this
 * command and of others in the catalog were measured on PostgreSQL 15 and 18 (DECISIONS 65).
 */

/** A table or partition that holds rows, as a look found it. */
export interface HeapState {
  /** As pg_class.relfilenode: it changes when the whole table is rewritten or emptied. */
  readonly file: string;
  /** Oid of its TOAST table; `0` without one. It changes when a command computes rows again. */
  readonly toast: string;
  /**
   * Lowest number of a column with a catalog row written by the same transaction as the table's catalog row.
   * Absent: there is none.
   */
  readonly touched?: number;
  /** Highest number of such a column that has a default or is generated. Absent: there is none. */
  readonly filled?: number;
  /** Whether it certainly held no row when it was rewritten. */
  readonly empty?: true;
  /** Name of the partition. Absent: it is none. */
  readonly partition?: TableName;
  /** Whether the partition was a table of its own before. */
  readonly attached?: true;
}

/** What a look knows about the columns of a table and the location of its rows; absent in older looks. */
export interface TableContents {
  /** Its columns by number; null for a dropped one. */
  readonly columns?: readonly (string | null)[];
  /** Numbers of columns that were added with a default. Earlier rows have this default without storing it. */
  readonly defaulted?: readonly number[];
  /** The table itself, or its partitions of every level that hold rows, by oid. */
  readonly heaps?: Readonly<Record<string, HeapState>>;
}

/** What happened to the rows of a table between two looks, without a row message. */
export type Rewriting = 'none' | 'perhaps' | 'certain';

/**
 * Decides whether the values of rows were computed again. This is certain if the table has another file, and
 * the transaction that wrote this file altered a column, or added one with values for existing rows. Pure.
 */
export function rewritingOf(before: TableContents, after: TableContents): Rewriting {
  const columnsBefore = before.columns?.length;
  if (columnsBefore === undefined || before.heaps === undefined) return 'none';
  const heaps = Object.entries(after.heaps ?? {}).map(([oid, heap]) =>
    ofHeap(before.heaps?.[oid], heap, columnsBefore),
  );
  return heaps.find((one) => one === 'certain') ?? heaps.find((one) => one === 'perhaps') ?? 'none';
}

function ofHeap(before: HeapState | undefined, after: HeapState, columnsBefore: number): Rewriting {
  if (before === undefined || before.file === after.file) return 'none';
  // TRUNCATE, VACUUM FULL, CLUSTER and SET TABLESPACE keep the TOAST table.
  if (before.toast !== '0' && before.toast === after.toast) return 'none';
  const { touched, filled, empty } = after;
  const isAltered = touched !== undefined && touched <= columnsBefore;
  const isFilled = filled !== undefined && filled > columnsBefore;
  if (isAltered || isFilled) return empty === true ? 'perhaps' : 'certain';
  return empty === true ? 'none' : 'perhaps';
}

/** A column with values that no row message carried, or that no row message removed. */
export interface UntoldColumn {
  readonly name: string;
  /**
   * `another`: it was dropped and added again under its name. `added`: it was added, and earlier rows have
   * its default.
   */
  readonly is: 'another' | 'added';
}

/**
 * Returns columns that were added since the last look and for which existing rows have values that were not
 * sent. Pure.
 */
export function untoldColumns(before: TableContents, after: TableContents): UntoldColumn[] {
  const columnsBefore = before.columns;
  if (columnsBefore === undefined) return [];
  return (after.columns ?? []).flatMap((name, index): UntoldColumn[] => {
    if (name === null || index < columnsBefore.length) return [];
    if (columnsBefore.includes(name)) return [{ name, is: 'another' }];
    return after.defaulted?.includes(index + 1) === true ? [{ name, is: 'added' }] : [];
  });
}

/** A partition that added rows to its table, or removed rows from it. */
export interface MovedPartition {
  readonly oid: string;
  readonly name: TableName;
  readonly is: 'attached' | 'gone';
}

/**
 * Returns partitions that were attached, detached or dropped since the last look. None of their rows is sent.
 * Pure.
 */
export function movedPartitions(before: TableContents, after: TableContents): MovedPartition[] {
  const [last, now] = [before.heaps, after.heaps];
  if (last === undefined || now === undefined) return [];
  const moved = ([from, to]: readonly [typeof now, typeof now], is: MovedPartition['is']): MovedPartition[] =>
    Object.entries(from).flatMap(([oid, { partition, attached }]) =>
      partition === undefined || to[oid] !== undefined || (is === 'attached' && attached !== true)
        ? []
        : [{ oid, name: partition, is }],
    );
  return [...moved([now, last], 'attached'), ...moved([last, now], 'gone')];
}
