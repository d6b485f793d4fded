import type { Relation } from '../pgoutput/reader.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { TrackingConfig, WitnessedRow, WitnessRule } from '../tracking/rules.js';
import type { Column } from './classification.js';
import { compileConditions, compileTable, tableOf, type Fit, type TableColumn } from './modifier-column.js';
import type { Redactor } from './redaction.js';
import type { RowChange } from './row-change.js';

/** How new rows of an audit table are read, compiled for one version of it. */
export interface WitnessPlan {
  readonly schema: string;
  readonly rules: readonly CompiledWitness[];
}

export interface CompiledWitness {
  /** -1: the relation has no such column. */
  readonly modifier: number;
  /** Text before the key in the column. Empty: there is none. */
  readonly prefix: string;
  readonly redactor: Redactor | null;
  readonly table: number | TableColumn;
  /** Null: the rule fits every row. */
  readonly fit: ((change: RowChange) => Fit) | null;
  /** Null: it refers to no row. */
  readonly row: CompiledRow | null;
}

/** How a witness refers to a row. Columns that the relation lacks are -1. */
export type CompiledRow =
  | { readonly key: number; readonly table: string }
  | { readonly key: number; readonly type: number; readonly types: ReadonlyMap<string, string> | null };

/** Compiles how rows of an audit table are read. Returns null if its rows are no witnesses. */
export function planWitness(options: {
  readonly relation: Relation;
  readonly qualifiedName: string;
  readonly config: TrackingConfig;
  readonly columns: ReadonlyMap<string, Column>;
  readonly redactors: readonly (Redactor | null)[];
}): WitnessPlan | null {
  const { config, qualifiedName, relation } = options;
  const rules = config.attribution.filter(({ table }) => table === qualifiedName);
  if (rules.length === 0) return null;
  return { schema: relation.schema, rules: rules.map((rule) => compile(rule, options)) };
}

function compile(
  { modifier, prefix, as, when, row }: WitnessRule,
  { columns, redactors }: Pick<Parameters<typeof planWitness>[0], 'columns' | 'redactors'>,
): CompiledWitness {
  const indexOf = (name: string): number => columns.get(name)?.index ?? -1;
  const index = indexOf(modifier);
  return {
    modifier: index,
    prefix,
    redactor: redactors[index] ?? null,
    table: compileTable(as, columns),
    fit: compileConditions(when, columns),
    row: row === null ? null : compileRow(row, indexOf),
  };
}

const compileRow = ({ key, of }: WitnessedRow, indexOf: (name: string) => number): CompiledRow =>
  'table' in of
    ? { key: indexOf(key), table: of.table }
    : { key: indexOf(key), type: indexOf(of.type), types: of.types };

/** Longest key. A longer key names nobody, and refers to no row. */
const MAX_KEY_CHARACTERS = 255;

/** The person that a witness names. */
export type Named =
  | {
      readonly is: 'somebody';
      readonly table: number;
      /** The key without its prefix. */
      readonly key: string;
      readonly redactor: Redactor | null;
    }
  | { readonly is: 'nobody' }
  | { readonly is: 'unknown' };

const NOBODY: Named = { is: 'nobody' };
const UNKNOWN: Named = { is: 'unknown' };

/** What a witness states: the person that it names, and how it refers to a row. */
export interface Testimony {
  readonly named: Named;
  readonly row: CompiledRow | null;
}

/**
 * Reads a witness by the first rule that fits. If none fits, or it is unknown whether one fits, a witness
 * that names somebody names an unknown person.
 */
export function testimonyOf({ rules }: WitnessPlan, change: RowChange): Testimony {
  for (const rule of rules) {
    const fit = rule.fit === null ? 'fits' : rule.fit(change);
    if (fit === 'does not fit') continue;
    const value = keyIn(change.row!, rule.modifier);
    if (fit === 'unknown' || rule.modifier < 0) return { named: UNKNOWN, row: rule.row };
    if (value === null) return { named: NOBODY, row: rule.row };
    const { prefix, redactor } = rule;
    if (!value.startsWith(prefix) || value.length === prefix.length) continue;
    const key = value.slice(prefix.length);
    const table = tableOf(rule.table, change);
    if (table === null) continue;
    if (table === 'unknown' || key.length > MAX_KEY_CHARACTERS) return { named: UNKNOWN, row: rule.row };
    return { named: { is: 'somebody', table, key, redactor }, row: rule.row };
  }
  const isNamed = rules.some(({ modifier }) => modifier < 0 || keyIn(change.row!, modifier) !== null);
  return { named: isNamed ? UNKNOWN : NOBODY, row: rules[0]!.row };
}

/** Returns the key in a column. Null: there is none, or it is empty. */
function keyIn(row: Tuple, column: number): string | null {
  const key = column < 0 ? null : row.text(column);
  return key === '' ? null : key;
}

/** Returns the row that a witness refers to. Null: none. */
export function witnessedRow(
  row: CompiledRow | null,
  change: RowChange,
): { readonly key: string; readonly table: string } | { readonly key: string; readonly type: string } | null {
  const key = row === null ? null : keyIn(change.row!, row.key);
  if (row === null || key === null || key.length > MAX_KEY_CHARACTERS) return null;
  if ('table' in row) return { key, table: row.table };
  const type = keyIn(change.row!, row.type);
  if (type === null || type.length > MAX_KEY_CHARACTERS) return null;
  if (row.types === null) return { key, type };
  const table = row.types.get(type);
  return table === undefined ? null : { key, table };
}
