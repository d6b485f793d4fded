import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import type { KeyOf, ModifierRule, Wanted } from '../tracking/rules.js';
import { classify, type Column, type CompiledRule } from './classification.js';
import { OID_BOOL, printedBoolean } from '../tracking/boolean-text.js';
import { valueIs, type Condition } from './conditions.js';
import type { Difference } from './difference.js';
import { columnNamed } from './members.js';
import { sentIn } from './old-row.js';
import type { Redactor } from './redaction.js';
import type { RowChange } from './row-change.js';

/** Whether a rule fits a change. It is unknown if a value was not sent (DECISIONS 85). */
export type Fit = 'fits' | 'does not fit' | 'unknown';

/** A column that may name the modifier of a change, compiled for one operation and one relation version. */
export interface ModifierColumn {
  readonly column: number;
  /** Index of the rule in `modifier`. */
  readonly index: number;
  readonly alwaysSet: boolean;
  readonly redactor: Redactor | null;
  /** Null: the rule fits every change of the operation. */
  readonly fit: ((change: RowChange) => Fit) | null;
  /** Index of the table of modifiers, or the column that determines it. */
  readonly table: number | TableColumn;
}

/** A column of the row that determines the table of modifiers to which a key belongs. */
export interface TableColumn {
  /** -1: the relation has no such column. */
  readonly column: number;
  /** Indexes of tables of modifiers, by the value of the column. */
  readonly tables: ReadonlyMap<string, number>;
}

/** Finds the column that names who made a change. One object serves all changes. */
export class ModifierFinder {
  /** The row that has the name. */
  row!: Tuple;
  /** The column that was found. */
  found!: ModifierColumn;
  /** Index of the table of modifiers that the name is a key of. */
  table = 0;
  /** Whether the change has set the name. Otherwise the column only shows who was named last. */
  speaks = false;
  readonly #difference: Pick<Difference, 'isDifferent'>;

  constructor(difference: Pick<Difference, 'isDifferent'>) {
    this.#difference = difference;
  }

  /**
   * Finds the first column that fits, names somebody and was set by the change. If there is none, finds the
   * first column that fits and names somebody. Returns false if there is none either. The search ends at a
   * column that is not known to fit or not, because that column could name another person.
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

  /** Whether the change has set a column, or the table to which its key belongs. */
  #isSet({ column, table }: ModifierColumn, { previous, row }: RowChange): boolean {
    return (
      this.#difference.isDifferent(previous, row!, column) ||
      (typeof table !== 'number' && this.#difference.isDifferent(previous, row!, table.column))
    );
  }
}

/**
 * Returns the index of the table of modifiers. Null: the key belongs to no known table. 'unknown': the column
 * that determines it was not sent or does not exist.
 */
export function tableOf(table: number | TableColumn, change: SentRows): number | null | 'unknown' {
  if (typeof table === 'number') return table;
  if (table.column < 0) return 'unknown';
  const holder = sentIn(table.column, change.row!, change.previous);
  if (holder === null || holder.lengths[table.column] === LENGTH_UNCHANGED) return 'unknown';
  const value = holder.text(table.column);
  return value === null ? null : (table.tables.get(value) ?? null);
}

type SentRows = Pick<RowChange, 'row' | 'previous'>;

/** What compiling rules needs to know about a relation version. */
export interface RuleColumns {
  readonly columns: ReadonlyMap<string, Column>;
  readonly redactors: readonly (Redactor | null)[];
  /** Columns of the entity id and of the primary key. */
  readonly idColumns: readonly number[];
  readonly actionId: (name: string) => number;
}

/**
 * Compiles the rules of one operation. Rules whose column the relation lacks are left out, because a rule for
 * a pattern may name a column that some of its tables lack.
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
        // A rule with actions may name the row itself as its modifier. No change sets a row's own id, so the
        // column counts as set.
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

/** Compiles conditions. Returns null if there are none. */
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

/**
 * Compiles the table of a key. Booleans are converted to what PostgreSQL prints, because the YAML has `true`
 * and `false`.
 */
export function compileTable(as: KeyOf, columns: ReadonlyMap<string, Column>): ModifierColumn['table'] {
  if (typeof as === 'number') return as;
  const column = columns.get(as.column);
  if (column === undefined) return { column: -1, tables: as.tables };
  if (column.typeOid !== OID_BOOL) return { column: column.index, tables: as.tables };
  const printed = (value: string): string => printedBoolean(value) ?? value;
  return {
    column: column.index,
    tables: new Map([...as.tables].map(([value, table]) => [printed(value), table])),
  };
}
