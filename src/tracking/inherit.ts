import { formatPath, type KeyPath } from './document.js';
import { canonicalName } from './names.js';
import { didYouMean } from './nearest.js';
import type { TrackingFile } from './schema.js';

/**
 * What a table takes over. Key by key, the first that says it counts: the table itself, what it extends (and
 * what that extends), `defaults`. `labels` and `values` are taken over column by column.
 */

type TableFile = NonNullable<TrackingFile['tables'][string]>;

/** One rule with all that it takes over, and where each of its keys stands. */
export interface EffectiveTable {
  /** As `tables` has it. */
  readonly key: string;
  readonly rule: TableFile;
  /** By key, or key and column of labels and values as `labels.team_id`: the path where the value stands. */
  readonly origins: ReadonlyMap<string, KeyPath>;
}

/** A table makes itself by these: nobody else has them by extending it. */
const OWN_KEYS: ReadonlySet<string> = new Set(['entity', 'one_history', 'extends']);
const BY_COLUMN: ReadonlySet<string> = new Set(['labels', 'values']);
/** Of a column either is said: who says one has not taken over the other. */
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

/** `extends` that name no table, or lead back to their own. */
export function extendsIssues(
  file: TrackingFile,
): { readonly path: KeyPath; readonly at: 'value'; readonly message: string }[] {
  const byName = tablesByName(file);
  return Object.entries(file.tables).flatMap(([key, rule]) => {
    if (rule?.extends === undefined) return [];
    const issue = (message: string) => [{ path: ['tables', key, 'extends'], at: 'value' as const, message }];
    if (!byName.has(canonicalName(rule.extends)!))
      return issue(`names nothing that tables has.${didYouMean(rule.extends, Object.keys(file.tables))}`);
    return chainOf(key, { file, byName }).isCircle
      ? issue(`leads back to ${formatPath(['tables', key])} itself`)
      : [];
  });
}

type Tables = { readonly file: TrackingFile; readonly byName: ReadonlyMap<string, string> };

const tablesByName = ({ tables }: TrackingFile): ReadonlyMap<string, string> =>
  new Map(Object.keys(tables).map((key) => [canonicalName(key)!, key]));

/** Keys of `tables` from a table to the last that it extends. */
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

/** `columns` is the earlier name of `only`. */
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
