import type { Table } from './catalog.ts';
import { literal, name } from './seed.ts';
import type { Operation } from './truth.ts';
import type { Row } from './world.ts';

export interface Person {
  readonly table: string;
  readonly key: string;
}

export interface Change {
  readonly table: string;
  readonly operation: Operation;
  /** Values of the key's columns, in the order of the key. */
  readonly key: readonly string[];
  /** Whether it is the audit row of a change, not a change itself. */
  readonly isWitness: boolean;
}

/** A statement and the one change that it makes. */
export interface Step {
  readonly statement: string;
  readonly change: Change;
}

export const step = (
  change: Pick<Change, 'operation'> & {
    readonly table: Table;
    readonly row: Row;
    readonly isWitness?: boolean;
  },
  statement: string,
): Step => ({
  statement,
  change: {
    table: change.table.name,
    operation: change.operation,
    key: change.table.key.map((column) => change.row[column]!),
    isWitness: change.isWitness ?? false,
  },
});

/** Returns the step that sets columns of a row to other values. */
export function updateStep(
  target: { readonly table: Table; readonly row: Row; readonly isWitness?: boolean },
  values: Row,
): Step {
  const set = Object.entries(values).map(([column, value]) => `${name(column)} = ${literal(value)}`);
  return step(
    { operation: 'update', ...target },
    `update ${name(target.table.name)} set ${set.join(', ')} where ${where(target.table, target.row)}`,
  );
}

/** Returns the condition that only this row meets. */
export const where = (table: Table, row: Row): string =>
  table.key.map((column) => `${name(column)} = ${literal(row[column])}`).join(' and ');
