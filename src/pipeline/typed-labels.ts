import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import { labelWay } from '../tracking/lookups.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import type { Column } from './classification.js';
import { sentIn } from './old-row.js';
import { labelThrough } from './ports.js';

/**
 * A column with keys of several tables. Another column of the row, `type`, determines the table that has its
 * labels.
 */
export interface TypedColumn {
  readonly column: number;
  readonly type: number;
  /** By the value of the type: lookups that lead to the label (`labelWay`). */
  readonly ways: ReadonlyMap<string, readonly string[]>;
}

/** Returns the `label` that a table version has for these lookups. */
export const labelOfWay = ([first, second]: readonly string[]): string =>
  second === undefined ? first! : labelThrough(first!, second);

export const typedColumns = (options: {
  readonly config: TrackingConfig;
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
}): readonly TypedColumn[] =>
  [...options.rule.typedLabels].flatMap(([name, { type, of }]) => {
    const { config, columns } = options;
    const [column, typeColumn] = [columns.get(name), columns.get(type)];
    if (column === undefined || typeColumn === undefined) return [];
    const ways = new Map([...of].map(([value, label]) => [value, labelWay(config, label)]));
    return [{ column: column.index, type: typeColumn.index, ways }];
  });

/** What a table version has for columns with keys of several tables, by column index. */
export type TypeLabels = ReadonlyMap<number, { readonly label: string; readonly labelType: string }>;

export const labelsOfTypes = (typed: readonly TypedColumn[], types: LabelTypes): TypeLabels =>
  new Map(
    typed.flatMap(({ column, ways }) => {
      const labelType = types.get(column);
      return labelType === undefined
        ? []
        : [[column, { label: labelOfWay(ways.get(labelType)!), labelType }] as const];
    }),
  );

/** Types of the labels of columns, by column index. */
export type LabelTypes = ReadonlyMap<number, string>;

/**
 * Chooses the table version with which an entry is stored. There is one for each type of keys, because
 * readers find the labels of a column by the version (DECISIONS 100).
 */
export class TypedVersions {
  readonly #columns: readonly TypedColumn[];
  readonly #versionOf: (types: LabelTypes) => number;
  /** Version numbers by the types of the columns, in their order. */
  readonly #ids = new Map<string, number>();

  constructor(columns: readonly TypedColumn[], versionOf: (types: LabelTypes) => number) {
    this.#columns = columns;
    this.#versionOf = versionOf;
  }

  /**
   * Returns the version for a change. If the change has altered the type of a key, the key has no label on
   * either side, because a version has one table for each column.
   */
  idFor(row: Tuple, previous: Tuple | null): number {
    const types = this.#columns.map((column) => typeOf(column, row, previous));
    const key = JSON.stringify(types);
    let id = this.#ids.get(key);
    if (id === undefined) {
      const told = this.#columns.flatMap(({ column }, index): [number, string][] =>
        types[index] == null ? [] : [[column, types[index]]],
      );
      this.#ids.set(key, (id = this.#versionOf(new Map(told))));
    }
    return id;
  }
}

function typeOf({ type, ways }: TypedColumn, row: Tuple, previous: Tuple | null): string | null {
  const now = sentIn(type, row, previous)?.text(type) ?? null;
  if (now === null || !ways.has(now)) return null;
  if (previous === null || previous.lengths[type] === LENGTH_UNCHANGED) return now;
  return previous.text(type) === now ? now : null;
}
