import { throughOf } from '../../pipeline/ports.js';
import type { StoredColumn } from './dictionaries.js';
import { MOVED_ACTIONS, type Scope } from './entry.js';
import { MOVED_IDS } from './moved.js';
import { pattern } from './parameters.js';
import { partTests, type KeysOf, type PartTest } from './search-parts.js';
import type { Snapshot } from './snapshot.js';
import { hasPartWords, partedAs } from './value-parts.js';
import { escaped } from '../values.js';

/** OID of boolean, which is stored as `t` and `f` and shown as words. */
const BOOLEAN = 16;
const BOOLEAN_WORDS = { t: 'true', f: 'false' } as const;
/**
 * Names of modifiers and versions of labels that are looked up before entries are read. Of more, each entry
 * that is read asks for its own.
 */
const MOST_RESOLVED = 1_000;

/** A column of table versions, by the ids of these. */
interface ColumnOfRelations {
  /** Place of the column in each of them. */
  readonly index: number;
  readonly relations: readonly number[];
}

/** Stored values of columns, as texts of fields, for which the page shows a word that has the search. */
export interface ShownValues extends ColumnOfRelations {
  readonly stored: readonly string[];
}

/** Columns of whose values parts have such a word. */
export interface ShownParts extends ColumnOfRelations {
  readonly test: PartTest;
}

/** Columns whose labels are names of a lookup table. */
export interface ShownLabels extends ColumnOfRelations {
  readonly table: string;
  readonly keys: KeysOf;
  /**
   * Names that have the search, each for entries `[from, until)`. Null: each entry is asked, for they are too
   * many (MOST_RESOLVED) or two tables away.
   */
  readonly names: readonly LabelName[] | null;
}

interface LabelName {
  readonly key: string;
  readonly from: string;
  readonly until: string;
}

/** What is shown for an entry beside its stored values, as far as it has the text of a search. */
export interface ShownWords {
  /** Modifiers that have, or have had, such a name; null: too many, see MOST_RESOLVED. */
  readonly modifiers: readonly number[] | null;
  /** The search is in the name that stands for nobody, or for Waltrail itself. */
  readonly nobody: boolean;
  readonly own: boolean;
  /** As a reader of one tenant sees them, where there is one. */
  readonly actions: readonly number[];
  readonly entityTypes: readonly number[];
  readonly values: readonly ShownValues[];
  readonly parts: readonly ShownParts[];
  readonly labels: readonly ShownLabels[];
  /** What labels and names are compared with where they are asked for entry by entry. */
  readonly pattern: string;
}

interface FindOptions {
  readonly words: Pick<Snapshot, 'query' | 'dictionaries'>;
  readonly scope: Scope;
}

/**
 * Finds what the page shows with a text in it beside stored values: names of modifiers, words of
 * vocabularies, booleans, and labels. In a `scope`, names and labels count only that are the tenant's: a
 * search must not tell what the rows of others are called.
 */
export async function findShownWords(q: string, options: FindOptions): Promise<ShownWords> {
  const { words, scope } = options;
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
  };
}

const contains = (q: string): ((text: string) => boolean) => {
  const wanted = q.toLowerCase();
  return (text) => text.toLowerCase().includes(wanted);
};

/**
 * Without a scope, a modifier is found by every name that its key has had. In a scope, by the name that
 * stands on the entry, and by those of the tenant's own rows. Who acted as somebody is found by either.
 */
async function modifiersNamed(q: string, { words, scope }: FindOptions): Promise<readonly number[] | null> {
  const { rows } = await words.query<{ id: number }>(
    `${namedSql('$1', scope === null ? null : '$3::text')} limit $2`,
    [pattern(q), MOST_RESOLVED + 1, ...(scope === null ? [] : [scope])],
  );
  return rows.length > MOST_RESOLVED ? null : rows.map(({ id }) => id);
}

/** Reads ids of modifiers by a pattern of names and a scope, as SQL expressions; null: there is no scope. */
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

/** Whether a name in `trail.lookup l` may be shown in a scope; null: there is none. */
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

/** The YAML may name a boolean by its word. */
const storedText = (type: number, value: string): string =>
  type === BOOLEAN && (value === 'true' || value === 'false') ? value[0]! : escaped(value);

/** The lookup tables that give labels to a column's values or to parts of them. */
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

async function shownLabels(q: string, { words, scope }: FindOptions): Promise<ShownLabels[]> {
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
     where l.table_name = any($1::text[]) and l.name ilike $2 and ${inScope('$3::text')} limit $4`,
    [tables, pattern(q), scope, MOST_RESOLVED + 1],
  );
  const isBroad = rows.length > MOST_RESOLVED;
  return [...columns.values()].flatMap((column): ShownLabels[] => {
    const way = throughOf(column.table);
    const found = rows.filter(({ table }) => table === (way?.of ?? column.table));
    if (!isBroad && found.length === 0) return [];
    const names = found.map(({ key, from, until }) => ({ key: escaped(key), from, until }));
    // Which keys of the column lead to these names differs from entry to entry.
    return [{ ...column, names: isBroad || way !== null ? null : names }];
  });
}
