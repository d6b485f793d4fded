import { throughOf } from '../../pipeline/ports.js';
import type { StoredColumn } from './dictionaries.js';
import { MOVED_ACTIONS, type Scope } from './entry.js';
import { MOVED_IDS } from './moved.js';
import { ignoringCase } from './ignoring-case.js';
import { pattern } from './parameters.js';
import { partTests, type KeysOf, type PartTest } from './search-parts.js';
import type { Snapshot } from './snapshot.js';
import { hasPartWords, partedAs } from './value-parts.js';
import { escaped } from '../values.js';

/** OID of boolean, which is stored as `t` and `f` and shown as words. */
const BOOLEAN = 16;
const BOOLEAN_WORDS = { t: 'true', f: 'false' } as const;
/**
 * Largest number of modifiers, and of label versions, that are looked up before entries are read. If there
 * are more, the statement looks them up for each entry.
 */
const MOST_RESOLVED = 1_000;

/** A column of several table versions. `relations` has the ids of these versions. */
interface ColumnOfRelations {
  /** Index of the column in each version. */
  readonly index: number;
  readonly relations: readonly number[];
}

/** Stored values, as texts of fields, for which the page shows a word that contains the search text. */
export interface ShownValues extends ColumnOfRelations {
  readonly stored: readonly string[];
}

/** Columns with parts of values that are shown as such a word. */
export interface ShownParts extends ColumnOfRelations {
  readonly test: PartTest;
}

/** Columns that have names of a lookup table as labels. */
export interface ShownLabels extends ColumnOfRelations {
  readonly table: string;
  readonly keys: KeysOf;
  /**
   * Names that contain the search text, each for entries `[from, until)`. Null: the statement looks them up
   * for each entry, because there are too many (MOST_RESOLVED), or they are two tables away.
   */
  readonly names: readonly LabelName[] | null;
}

interface LabelName {
  readonly key: string;
  readonly from: string;
  readonly until: string;
}

/** Everything shown beside stored values that contains the search text. */
export interface ShownWords {
  /** Modifiers that have, or had, such a name; null: there are too many (MOST_RESOLVED). */
  readonly modifiers: readonly number[] | null;
  /** Whether the name shown for unattributed entries, or for Waltrail itself, contains the search text. */
  readonly nobody: boolean;
  readonly own: boolean;
  /** Actions, as the reader sees them. */
  readonly actions: readonly number[];
  readonly entityTypes: readonly number[];
  readonly values: readonly ShownValues[];
  readonly parts: readonly ShownParts[];
  readonly labels: readonly ShownLabels[];
  /** Pattern for labels and names that are looked up for each entry. */
  readonly pattern: string;
  /** What follows a text that is compared with a pattern; see {@link ignoringCase}. */
  readonly collation: string;
}

interface FindOptions {
  readonly words: Pick<Snapshot, 'query' | 'dictionaries'>;
  readonly scope: Scope;
  readonly collation: string;
}

/**
 * Finds everything that the page shows beside stored values and that contains a text: names of modifiers,
 * actions and entity types, booleans, and labels. In a `scope`, only the tenant's own names and labels count,
 * because a search must not reveal names of other tenants' rows.
 */
export async function findShownWords(
  q: string,
  from: Pick<FindOptions, 'words' | 'scope'>,
): Promise<ShownWords> {
  const { words, scope } = from;
  const options = { ...from, collation: await ignoringCase(q, words.query) };
  const { dictionaries } = words;
  const has = contains(q);
  const vocabulary = (name: string): boolean => has(name) || has(name.replaceAll('_', ' '));
  const moved = Object.entries(MOVED_IDS).filter(([side]) =>
    vocabulary(MOVED_ACTIONS[side as keyof typeof MOVED_IDS]),
  );
  return {
    modifiers: await modifiersNamed(q, options),
    nobody: has('Unattributed'),
    own: has('Waltrail'),
    actions: [
      ...dictionaries.actions.idsWhere(
        (name, id) => vocabulary(name) || has(dictionaries.actionText(id) ?? ''),
      ),
      ...(scope === null ? [] : moved.map(([, id]) => id)),
    ],
    entityTypes: dictionaries.entityTypes.idsWhere(vocabulary),
    values: shownValues(has, words),
    parts: shownParts(has, words),
    labels: await shownLabels(q, options),
    pattern: pattern(q),
    collation: options.collation,
  };
}

const contains = (q: string): ((text: string) => boolean) => {
  const wanted = q.toLowerCase();
  return (text) => text.toLowerCase().includes(wanted);
};

/**
 * Finds modifiers by name. Without a scope, every name that a modifier's key has had counts. In a scope, only
 * the name on the entry and the names of the tenant's own rows count. A modifier who acted as somebody is
 * also found by that person's name.
 */
async function modifiersNamed(
  q: string,
  { words, scope, collation }: FindOptions,
): Promise<readonly number[] | null> {
  const { rows } = await words.query<{ id: number }>(
    `${namedSql(`$1${collation}`, scope === null ? null : '$3::text')} limit $2`,
    [pattern(q), MOST_RESOLVED + 1, ...(scope === null ? [] : [scope])],
  );
  return rows.length > MOST_RESOLVED ? null : rows.map(({ id }) => id);
}

/**
 * Returns a query for the ids of modifiers by name. The pattern of names and the scope are SQL expressions.
 * Scope null: there is no scope.
 */
export const namedSql = (
  names: string,
  scope: string | null,
): string => /* sql */ `with named as materialized (${
  scope === null
    ? /* sql */ `select m.id from trail.modifier m
                    where m.key in (select n.key from trail.modifier n where n.name ilike ${names})`
    : /* sql */ `select m.id from trail.modifier m where m.id > 0 and m.name ilike ${names}
                   union
                  select m.id from trail.modifier m
                   where m.key in (select l.key from trail.lookup l
                                    where l.kind is not null and l.name ilike ${names} and ${inScope(scope)})`
})
  select id from named
   union all
  select m.id from trail.modifier m where m.acting_as in (select id from named)`;

/**
 * Returns the condition that a name in `trail.lookup l` may be shown in a scope. The SQL expression `scope`
 * may be null.
 */
export const inScope = (scope: string): string =>
  `(${scope} is null or l.tenant = ${scope}
    or exists (select from trail.lookup_table t where t.table_name = l.table_name and not t.has_tenants))`;

function shownValues(
  has: (text: string) => boolean,
  { dictionaries }: Pick<Snapshot, 'dictionaries'>,
): ShownValues[] {
  const found = new Map<string, ShownValues & { readonly relations: number[] }>();
  for (const [relation, { columns }] of dictionaries.relations)
    columns.forEach(({ type, values = {} }, index) => {
      const stored = new Set<string>();
      for (const [value, word] of Object.entries(values)) if (has(word)) stored.add(storedText(type, value));
      if (type === BOOLEAN)
        for (const [value, word] of Object.entries(BOOLEAN_WORDS)) if (has(word)) stored.add(value);
      if (stored.size === 0) return;
      const texts = [...stored].sort();
      const key = JSON.stringify([index, texts]);
      const same = found.get(key);
      if (same === undefined) found.set(key, { index, stored: texts, relations: [relation] });
      else same.relations.push(relation);
    });
  return [...found.values()];
}

function shownParts(
  has: (text: string) => boolean,
  { dictionaries }: Pick<Snapshot, 'dictionaries'>,
): ShownParts[] {
  const found = new Map<string, ShownParts & { readonly relations: number[] }>();
  for (const [relation, { columns }] of dictionaries.relations)
    columns.forEach((column, index) => {
      if (!hasPartWords(column)) return;
      for (const test of partTests(column, has)) {
        const key = JSON.stringify([index, test]);
        const same = found.get(key);
        if (same === undefined) found.set(key, { index, test, relations: [relation] });
        else same.relations.push(relation);
      }
    });
  return [...found.values()];
}

/** Returns the stored text of a value. The YAML may write a boolean as `true` or `false`. */
const storedText = (type: number, value: string): string =>
  type === BOOLEAN && (value === 'true' || value === 'false') ? value[0]! : escaped(value);

/** Returns the lookup tables that give labels to a column's values or their parts. */
const labelledParts = (
  column: StoredColumn,
): readonly { readonly label: string; readonly keys: KeysOf }[] => [
  ...(column.label === undefined
    ? []
    : [{ label: column.label, keys: { is: partedAs(column) === 'list' ? 'elements' : 'value' } as const }]),
  ...(column.members ?? []).flatMap(({ path, label }) =>
    label === undefined ? [] : [{ label, keys: { is: 'member', name: path.at(-1)! } as const }],
  ),
];

async function shownLabels(q: string, { words, scope, collation }: FindOptions): Promise<ShownLabels[]> {
  const columns = new Map<
    string,
    ColumnOfRelations & { readonly table: string; readonly keys: KeysOf; readonly relations: number[] }
  >();
  for (const [relation, { columns: of }] of words.dictionaries.relations)
    of.forEach((column, index) => {
      for (const { label, keys } of labelledParts(column)) {
        const key = JSON.stringify([index, label, keys]);
        const same = columns.get(key);
        if (same === undefined) columns.set(key, { index, table: label, keys, relations: [relation] });
        else same.relations.push(relation);
      }
    });
  if (columns.size === 0) return [];
  const tables = [...new Set([...columns.values()].map(({ table }) => throughOf(table)?.of ?? table))];
  const { rows } = await words.query<LabelName & { table: string }>(
    /* sql */ `
    select l.table_name as table, l.key, l.from_id::text as from,
           coalesce((select min(n.from_id) from trail.lookup n
                      where n.table_name = l.table_name and n.key = l.key and n.from_id > l.from_id),
                    9223372036854775807)::text as until
      from trail.lookup l
     where l.table_name = any($1::text[]) and l.name ilike $2${collation} and ${inScope('$3::text')} limit $4`,
    [tables, pattern(q), scope, MOST_RESOLVED + 1],
  );
  const isBroad = rows.length > MOST_RESOLVED;
  return [...columns.values()].flatMap((column): ShownLabels[] => {
    const way = throughOf(column.table);
    const found = rows.filter(({ table }) => table === (way?.of ?? column.table));
    if (!isBroad && found.length === 0) return [];
    const names = found.map(({ key, from, until }) => ({ key: escaped(key), from, until }));
    // If the names are two tables away, the keys that lead to them differ between entries.
    return [{ ...column, names: isBroad || way !== null ? null : names }];
  });
}
