import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import type { KeyOf, ModifierRule, Wanted } from '../tracking/rules.js';
import { classify, type Column, type CompiledRule } from './classification.js';
import { OID_BOOL, valueIs, type Condition } from './conditions.js';
import type { Difference } from './difference.js';
import { columnNamed } from './members.js';
import { sentIn } from './old-row.js';
import type { Redactor } from './redaction.js';
import type { RowChange } from './row-change.js';

/** What is known of a condition: a value that was not sent may be any (DECISIONS 85). */
export type Fit = 'fits' | 'does not fit' | 'unknown';

/** A column that may name who made a change of one operation, compiled for one relation version. */
export interface ModifierColumn {
  readonly column: number;
  /** The rule of `modifier`, by its index. */
  readonly index: number;
  readonly alwaysSet: boolean;
  readonly redactor: Redactor | null;
  /** Null: it is for every change of the operation. */
  readonly fit: ((change: RowChange) => Fit) | null;
  /** Index of the table of modifiers, or what tells it. */
  readonly table: number | TableColumn;
}

/** A column of the row that says of which table of modifiers a key is. */
export interface TableColumn {
  /** -1: the relation has no such column. */
  readonly column: number;
  /** Indexes by value. */
  readonly tables: ReadonlyMap<string, number>;
}

/**
 * Finds the column that names who made a change. There is one, which is filled for each change.
 */
export class ModifierFinder {
  /** The row that holds the name. */
  row!: Tuple;
  /** What was found. */
  found!: ModifierColumn;
  /** Index of the table of modifiers that the name is a key of. */
  table = 0;
  /** The change has put the name there; else it only says who was named last. */
  speaks = false;
  readonly #difference: Pick<Difference, 'isDifferent'>;

  constructor(difference: Pick<Difference, 'isDifferent'>) {
    this.#difference = difference;
  }

  /**
   * The first that fits, names somebody and was set by the change; else the first that fits and names
   * somebody. False where none does. Behind one of which it is not known whether it fits, none is asked: it
   * could name another.
   */
  find(columns: readonly ModifierColumn[], change: RowChange, isUpdate: boolean): boolean {
    let found = false;
    for (const candidate of columns) {
      const fit = candidate.fit === null ? 'fits' : candidate.fit(change);
      if (fit === 'unknown') break;
      if (fit === 'does not fit') continue;
      const { column } = candidate;
      const row = sentIn(column, change.row!, change.previous);
      if (row === null || row.lengths[column] === LENGTH_UNCHANGED) break;
      if (!row.has(column)) continue;
      const table = tableOf(candidate.table, change);
      if (table === 'unknown') break;
      if (table === null) continue;
      const speaks = !isUpdate || candidate.alwaysSet || this.#isSet(candidate, change);
      if (found && !speaks) continue;
      found = true;
      this.row = row;
      this.found = candidate;
      this.table = table;
      this.speaks = speaks;
      if (speaks) break;
    }
    return found;
  }

  /** Who only left a column as it was has not put a name there. */
  #isSet({ column, table }: ModifierColumn, { previous, row }: RowChange): boolean {
    return (
      this.#difference.isDifferent(previous, row!, column) ||
      (typeof table !== 'number' && this.#difference.isDifferent(previous, row!, table.column))
    );
  }
}

/** Null: the key is of no table that is known. */
export function tableOf(table: number | TableColumn, change: SentRows): number | null | 'unknown' {
  if (typeof table === 'number') return table;
  if (table.column < 0) return 'unknown';
  const holder = sentIn(table.column, change.row!, change.previous);
  if (holder === null || holder.lengths[table.column] === LENGTH_UNCHANGED) return 'unknown';
  const value = holder.text(table.column);
  return value === null ? null : (table.tables.get(value) ?? null);
}

type SentRows = Pick<RowChange, 'row' | 'previous'>;

/** What compiling rules needs to know of a relation version. */
export interface RuleColumns {
  readonly columns: ReadonlyMap<string, Column>;
  readonly redactors: readonly (Redactor | null)[];
  /** Columns of the entity id and of the primary key. */
  readonly idColumns: readonly number[];
  readonly actionId: (name: string) => number;
}

/**
 * The rules of one operation, but for those whose column the relation does not have: a rule for a pattern may
 * name one that some of its tables lack.
 */
export function compileModifiers(
  rules: readonly ModifierRule[],
  options: RuleColumns & {
    readonly operation: 'insert' | 'update';
    readonly classes: readonly CompiledRule[];
  },
): readonly ModifierColumn[] {
  const { columns, redactors, idColumns, operation } = options;
  return rules.flatMap((rule, index) => {
    const column = columns.get(rule.column);
    if (column === undefined || !rule.on.includes(operation)) return [];
    return [
      {
        column: column.index,
        index,
        // No change puts a row's own id there: that its modifier is the row itself, the rule says.
        alwaysSet: rule.alwaysSet || (rule.actions !== null && idColumns.includes(column.index)),
        redactor: redactors[column.index]!,
        fit: compileFit(rule, options),
        table: compileTable(rule.as, columns),
      },
    ];
  });
}

function compileFit(
  { when, actions }: ModifierRule,
  { columns, classes, actionId }: Parameters<typeof compileModifiers>[1],
): ModifierColumn['fit'] {
  const conditions = compileConditions(when, columns);
  const ids = actions === null ? null : new Set(actions.map(actionId));
  if (conditions === null && ids === null) return null;
  return (change) => {
    if (ids !== null && !ids.has(classify(classes, change))) return 'does not fit';
    return conditions === null ? 'fits' : conditions(change);
  };
}

/** Null where there are no conditions. */
export function compileConditions(
  when: ReadonlyMap<string, Wanted>,
  columns: ReadonlyMap<string, Column>,
): ((change: SentRows) => Fit) | null {
  if (when.size === 0) return null;
  const conditions = [...when].map(([name, wanted]) => {
    const column = columnNamed(columns, name);
    return column === undefined ? null : { index: column.index, condition: valueIs(column, wanted) };
  });
  return (change) => {
    let fit: Fit = 'fits';
    for (const condition of conditions) {
      const one = condition === null ? 'unknown' : fitOf(condition, change);
      if (one === 'does not fit') return one;
      if (one === 'unknown') fit = one;
    }
    return fit;
  };
}

function fitOf(
  { index, condition }: { readonly index: number; readonly condition: Condition },
  { row, previous }: SentRows,
): Fit {
  const holder = sentIn(index, row!, previous);
  if (holder === null) return 'unknown';
  const verdict = condition(holder);
  return verdict === 'holds' ? 'fits' : verdict === 'fails' ? 'does not fit' : verdict;
}

/** Values as PostgreSQL prints them: a person writes a boolean out. */
export function compileTable(as: KeyOf, columns: ReadonlyMap<string, Column>): ModifierColumn['table'] {
  if (typeof as === 'number') return as;
  const column = columns.get(as.column);
  if (column === undefined) return { column: -1, tables: as.tables };
  if (column.typeOid !== OID_BOOL) return { column: column.index, tables: as.tables };
  const printed = (value: string): string => (value === 'true' ? 't' : value === 'false' ? 'f' : value);
  return {
    column: column.index,
    tables: new Map([...as.tables].map(([value, table]) => [printed(value), table])),
  };
}
