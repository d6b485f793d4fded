import { formatPath, type KeyPath } from './document.js';
import { canonicalName } from './names.js';
import { didYouMean } from './nearest.js';
import type { TrackingFile } from './schema.js';

/**
 * Resolves what a table takes over. For each key the first source that has it counts: the table itself, the
 * table that it extends (and so on), then `defaults`. `labels` and `values` are taken over column by column.
 */

type TableFile = NonNullable<TrackingFile['tables'][string]>;

/** A rule with everything that it takes over, and the place of each key. */
export interface EffectiveTable {
  /** The key under `tables`. */
  readonly key: string;
  readonly rule: TableFile;
  /**
   * The path where a value is written, by key. For labels and values, by key and column, as `labels.team_id`.
   */
  readonly origins: ReadonlyMap<string, KeyPath>;
}

/** Keys that identify one table; a table that extends it does not take them over. */
const OWN_KEYS: ReadonlySet<string> = new Set(['entity', 'one_history', 'extends']);
const BY_COLUMN: ReadonlySet<string> = new Set(['labels', 'values']);
/** A column has either a label or values. A table that has one of them does not take over the other. */
const OTHER = { labels: 'values', values: 'labels' } as const;

export function effectiveTables(file: TrackingFile): readonly EffectiveTable[] {
  const byName = tablesByName(file);
  return Object.keys(file.tables).map((key) => {
    const rule: Record<string, unknown> = {};
    const origins = new Map<string, KeyPath>();
    for (const { from, at, own } of sourcesOf(key, { file, byName })) {
      const said = new Set(Object.keys(rule));
      for (const [name, value] of Object.entries(named(from))) {
        if (value === undefined || (!own && OWN_KEYS.has(name))) continue;
        if (BY_COLUMN.has(name)) takeOver({ rule, origins, name: name as 'labels' | 'values', value, at });
        else if (!said.has(name)) {
          rule[name] = value;
          origins.set(name, [...at, name === 'only' && from.only === undefined ? 'columns' : name]);
        }
      }
    }
    return { key, rule: rule, origins };
  });
}

/** Reports `extends` that name no table, or that lead back to the table itself. */
export function extendsIssues(
  file: TrackingFile,
): { readonly path: KeyPath; readonly at: 'value'; readonly message: string }[] {
  const byName = tablesByName(file);
  return Object.entries(file.tables).flatMap(([key, rule]) => {
    if (rule?.extends === undefined) return [];
    const issue = (message: string) => [{ path: ['tables', key, 'extends'], at: 'value' as const, message }];
    if (!byName.has(canonicalName(rule.extends)!))
      return issue(`names no key of tables.${didYouMean(rule.extends, Object.keys(file.tables))}`);
    return chainOf(key, { file, byName }).isCircle
      ? issue(`leads back to ${formatPath(['tables', key])} itself`)
      : [];
  });
}

type Tables = { readonly file: TrackingFile; readonly byName: ReadonlyMap<string, string> };

const tablesByName = ({ tables }: TrackingFile): ReadonlyMap<string, string> =>
  new Map(Object.keys(tables).map((key) => [canonicalName(key)!, key]));

/** Keys of `tables`, from a table to the last one that it extends. */
function chainOf(
  key: string,
  { file, byName }: Tables,
): { readonly keys: string[]; readonly isCircle: boolean } {
  const keys = [key];
  for (;;) {
    const extended = file.tables[keys.at(-1)!]?.extends;
    const next = extended === undefined ? undefined : byName.get(canonicalName(extended)!);
    if (next === undefined) return { keys, isCircle: false };
    if (keys.includes(next)) return { keys, isCircle: next === key };
    keys.push(next);
  }
}

interface Source {
  readonly from: Partial<TableFile>;
  readonly at: KeyPath;
  readonly own: boolean;
}

function sourcesOf(key: string, tables: Tables): readonly Source[] {
  const { file } = tables;
  return [
    ...chainOf(key, tables).keys.map((name, index) => ({
      from: file.tables[name] ?? {},
      at: ['tables', name],
      own: index === 0,
    })),
    ...(file.defaults === undefined ? [] : [{ from: file.defaults, at: ['defaults'], own: false }]),
  ];
}

/** Renames `columns`, the earlier name of `only`. */
const named = ({ columns, ...rest }: Partial<TableFile>): Partial<TableFile> =>
  columns === undefined ? rest : { ...rest, only: columns };

function takeOver(options: {
  readonly rule: Record<string, unknown>;
  readonly origins: Map<string, KeyPath>;
  readonly name: 'labels' | 'values';
  readonly value: unknown;
  readonly at: KeyPath;
}): void {
  const { rule, origins, name, value, at } = options;
  const columns = (rule[name] ??= {}) as Record<string, unknown>;
  for (const [column, words] of Object.entries(value as Record<string, unknown>)) {
    if (Object.hasOwn(columns, column) || Object.hasOwn(rule[OTHER[name]] ?? {}, column)) continue;
    columns[column] = words;
    origins.set(`${name}.${column}`, [...at, name, column]);
  }
}
