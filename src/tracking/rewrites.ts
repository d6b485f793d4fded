import type { TableName } from './names.js';

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
   * the table last; absent: there is none.
   */
  readonly touched?: number;
  /** Highest number of such a column that has a default or is generated; absent: there is none. */
  readonly filled?: number;
  /** It is known to have held no row when it was written anew. */
  readonly empty?: true;
  /** Of a partition: its name. */
  readonly partition?: TableName;
  /** Of a partition: it was a table of its own before. */
  readonly attached?: true;
}

/** What a look knows of where the rows of a table are and of its columns; absent in older looks. */
export interface TableContents {
  /** Its columns by number, null for one that was dropped. */
  readonly columns?: readonly (string | null)[];
  /**
   * Numbers of the columns that were added with a default which rows of before have without having it stored.
   */
  readonly defaulted?: readonly number[];
  /** By oid: itself, or its partitions of every level that hold rows. */
  readonly heaps?: Readonly<Record<string, HeapState>>;
}

/** What happened to the rows of a table between two looks, without a message of it. */
export type Rewriting = 'none' | 'perhaps' | 'certain';

/**
 * Says whether the values of rows were computed anew. Certain, where the table has another file, and one of
 * its columns was altered, or added with something to fill it with, by the transaction that gave it that
 * file. Pure.
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
  // TRUNCATE, VACUUM FULL, CLUSTER and SET TABLESPACE keep it.
  if (before.toast !== '0' && before.toast === after.toast) return 'none';
  const { touched, filled, empty } = after;
  const isAltered = touched !== undefined && touched <= columnsBefore;
  const isFilled = filled !== undefined && filled > columnsBefore;
  if (isAltered || isFilled) return empty === true ? 'perhaps' : 'certain';
  return empty === true ? 'none' : 'perhaps';
}

/** A column whose values, or whose absence, no row message has told. */
export interface UntoldColumn {
  readonly name: string;
  /**
   * It was dropped and added again under its name; or it was added, and rows of before hold its default.
   */
  readonly is: 'another' | 'added';
}

/** Columns that were added since the last look so that existing rows hold in them what was not sent. Pure. */
export function untoldColumns(before: TableContents, after: TableContents): UntoldColumn[] {
  const columnsBefore = before.columns;
  if (columnsBefore === undefined) return [];
  return (after.columns ?? []).flatMap((name, index): UntoldColumn[] => {
    if (name === null || index < columnsBefore.length) return [];
    if (columnsBefore.includes(name)) return [{ name, is: 'another' }];
    return after.defaulted?.includes(index + 1) === true ? [{ name, is: 'added' }] : [];
  });
}

/** A partition that brought rows with it, or took some away. */
export interface MovedPartition {
  readonly oid: string;
  readonly name: TableName;
  readonly is: 'attached' | 'gone';
}

/** Partitions that were attached, detached or dropped since the last look: no row of theirs is sent. Pure. */
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
