import type { Answer } from '../../api/answers.js';
import { Counts } from './counts.js';
import { COLUMNS, type Dimension } from './dimensions.js';
import { NOBODY } from './entry.js';
import { ignoringCase } from './ignoring-case.js';
import { movedAction, MOVED_IDS } from './moved.js';
import { pattern } from './parameters.js';
import type { Snapshot } from './snapshot.js';

type Facet = Answer<'Facet'>;
type FacetList = Answer<'FacetList'>;

/** Largest number of characters of a name in a list. More would not help to recognize it. */
const MAX_NAME_LENGTH = 200;
/** Largest number of words in a search. Each word is a condition on every name of the dictionary. */
const MAX_WORDS = 10;

/** Name of a facet list: a dimension, or the persons in whose name modifiers acted. */
export type FacetListName = Dimension | 'actingAs';

export interface ListOptions {
  readonly list: FacetListName;
  /** Counts by ids of the dimension. The list `actingAs` has counts by modifiers. */
  readonly counts: Counts;
  /** Largest number of values that are listed in addition to those in `always`. */
  readonly limit: number;
  /** Ids of values that the filter names. They are listed whenever they have entries. */
  readonly always: readonly number[];
  /**
   * Whether names count only if a counted entry has them: those that a search matches, and the newest one,
   * which is shown. This is so for a reader of one tenant, because another tenant's entries may have others.
   */
  readonly inScope: boolean;
  /** Words that the text of a listed value must all contain. */
  readonly search?: string | undefined;
}

/**
 * Returns the list of a dimension: the values with most entries, and the number of further values. Names are
 * read only for listed values.
 */
export async function facetList(snapshot: Snapshot, options: ListOptions): Promise<FacetList> {
  const { list, search } = options;
  const persons = isOfPersons(list) ? await personsOf(snapshot, list) : undefined;
  const matching =
    search === undefined ? undefined : await matchingIds(snapshot, { ...options, search, persons });
  const { top, more } = rank(options, { persons, matching });
  const rows = persons !== undefined && options.inScope ? newestCounted(options.counts, persons) : undefined;
  const facets = await named(snapshot, { list, top, rows });
  return { items: facets.sort(mostFirst), more };
}

const isOfPersons = (list: FacetListName): list is 'modifiers' | 'actingAs' =>
  list === 'modifiers' || list === 'actingAs';

/** Maps the ids of modifiers to persons, for a list of persons. */
interface Persons {
  /** Returns the row of `trail.modifier` for the person at the time of the change, or {@link NO_VALUE}. */
  readonly row: (id: number) => number;
  /** Returns the first row of the same person. All rows of a person are counted under it. */
  readonly first: (row: number) => number;
}

/** Stands for no value. Ids of values are never negative. */
const NO_VALUE = -1;

async function personsOf(
  { query, dictionaries, greatest }: Snapshot,
  list: 'modifiers' | 'actingAs',
): Promise<Persons> {
  const firstIds = await dictionaries.firstIds(query, greatest);
  const first = (row: number): number => firstIds[row] || row;
  if (list === 'modifiers') return { row: (id) => id, first };
  const actedAs = await dictionaries.actedAs(query, greatest);
  return { row: (id) => actedAs?.[id] || NO_VALUE, first };
}

interface Ranked {
  readonly id: number;
  readonly count: number;
}

/**
 * Finds the values with most entries, in one pass and without sorting the others. If values have equal
 * counts, the one that was stored first comes first.
 */
function rank(
  { list, counts, limit, always }: ListOptions,
  { persons, matching }: { readonly persons: Persons | undefined; readonly matching: Uint8Array | undefined },
): { readonly top: readonly Ranked[]; readonly more: FacetList['more'] } {
  const values = persons === undefined ? counts : summed(counts, persons);
  const named = new Set(always.map((id) => valueOf(id, persons)));
  const kept: Ranked[] = [];
  const top: Ranked[] = [];
  const more = { values: 0, entries: 0 };
  values.forEach((id, count) => {
    // Entries without a tenant are not a value that can be chosen.
    if (list === 'tenants' && id === 0) return;
    if (matching !== undefined && matching[id] !== 1) return;
    if (named.has(id)) {
      kept.push({ id, count });
      return;
    }
    more.values++;
    more.entries += count;
    insert(top, { id, count }, limit);
  });
  for (const { count } of top) {
    more.values--;
    more.entries -= count;
  }
  return { top: [...kept, ...top], more };
}

function insert(top: Ranked[], value: Ranked, limit: number): void {
  const last = top[limit - 1];
  if (last !== undefined && !isBefore(value, last)) return;
  let place = top.length;
  while (place > 0 && isBefore(value, top[place - 1]!)) place--;
  top.splice(place, 0, value);
  if (top.length > limit) top.pop();
}

const isBefore = (one: Ranked, other: Ranked): boolean =>
  one.count > other.count || (one.count === other.count && one.id < other.id);

/**
 * Returns the value under which an id is counted: the id itself, the first row of a person, or {@link
 * NO_VALUE}.
 */
function valueOf(id: number, persons: Persons | undefined): number {
  if (persons === undefined) return id;
  const row = persons.row(id);
  return row === NO_VALUE ? NO_VALUE : persons.first(row);
}

function summed(counts: Counts, persons: Persons): Counts {
  const sums = new Counts();
  counts.forEach((id, count) => {
    const value = valueOf(id, persons);
    if (value !== NO_VALUE) sums.add(value, count);
  });
  return sums;
}

/** Returns the newest row that a counted entry has, by the first row of each person. */
function newestCounted(counts: Counts, persons: Persons): ReadonlyMap<number, number> {
  const newest = new Map<number, number>();
  counts.forEach((id, count) => {
    const row = persons.row(id);
    if (count <= 0 || row === NO_VALUE) return;
    const first = persons.first(row);
    newest.set(first, Math.max(row, newest.get(first) ?? 0));
  });
  return newest;
}

/**
 * Reads the names. A modifier gets its newest name, or that of its row in `rows`. A value without a name, in
 * a damaged trail, is left out.
 */
async function named(
  { query, dictionaries, greatest }: Snapshot,
  {
    list,
    top,
    rows,
  }: {
    readonly list: FacetListName;
    readonly top: readonly Ranked[];
    readonly rows: ReadonlyMap<number, number> | undefined;
  },
): Promise<Facet[]> {
  const ids = top.map(({ id }) => id);
  if (isOfPersons(list)) {
    const newest =
      rows === undefined
        ? await dictionaries.newestModifiers(query, { firstIds: ids, greatest })
        : await dictionaries.modifiers(query, rows.values());
    return top.flatMap(({ id, count }) => {
      const modifier = newest.get(rows?.get(id) ?? id);
      if (modifier === undefined) return [];
      const { key, name, kind } = modifier;
      return [{ value: key ?? NOBODY, name: shortened(name), kind, count }];
    });
  }
  const tenants = list === 'tenants' ? await dictionaries.tenants(query, ids) : undefined;
  return top.flatMap(({ id, count }) => {
    const value = list === 'tenants' ? tenants!.get(id) : (movedAction(id) ?? dictionaries[list].name(id));
    if (value === undefined) return [];
    const name = list === 'actions' ? (dictionaries.actionText(id) ?? value) : value;
    return [{ value, name: shortened(name), count }];
  });
}

/**
 * Finds the ids with every word of a search in their name or key. Returns a mark for each id; for persons,
 * the mark of the first id. Names of actions and entity types are joined by underscores, which match as
 * spaces. Actions of entries that moved are in no dictionary.
 */
async function matchingIds(
  { query, greatest, dictionaries }: Snapshot,
  options: ListOptions & { readonly search: string; readonly persons: Persons | undefined },
): Promise<Uint8Array> {
  const { list, counts, persons } = options;
  const { table } = COLUMNS[isOfPersons(list) ? 'modifiers' : list];
  const text =
    persons !== undefined
      ? `name || ' ' || coalesce(key, '')`
      : `name || ' ' || pg_catalog.replace(name, '_', ' ')`;
  const words = options.search
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, MAX_WORDS);
  const collation = await ignoringCase(options.search, query);
  const { rows } = await query<{ ids: Buffer | null }>(
    `select pg_catalog.string_agg(pg_catalog.int4send(id), '') as ids from trail.${table}
      where (${text})${collation} ilike all($1::text[])`,
    [words.map(pattern)],
  );
  const marks = new Uint8Array(Math.max(greatest[table], MOVED_IDS.left) + 1);
  const ids = rows[0]!.ids ?? Buffer.alloc(0);
  const found = Array.from({ length: ids.length / 4 }, (_, index) => ids.readInt32BE(index * 4));
  if (list === 'actions')
    found.push(
      ...dictionaries.actions.idsWhere(
        (name, id) =>
          id <= greatest.action && hasWords(`${dictionaries.actionText(id) ?? ''} ${name}`, words),
      ),
    );
  const isCounted = options.inScope ? countedRows(counts, persons) : null;
  for (const id of found)
    if (isCounted === null || isCounted(id)) marks[persons === undefined ? id : persons.first(id)] = 1;
  if (list === 'actions')
    for (const id of Object.values(MOVED_IDS)) if (hasWords(movedAction(id)!, words)) marks[id] = 1;
  return marks;
}

/** Returns a predicate: whether a counted entry has a given dictionary row. */
function countedRows(counts: Counts, persons: Persons | undefined): (row: number) => boolean {
  if (persons === undefined) return (row) => counts.get(row) > 0;
  const rows = new Set<number>();
  counts.forEach((id, count) => {
    if (count > 0) rows.add(persons.row(id));
  });
  return (row) => rows.has(row);
}

function hasWords(action: string, words: readonly string[]): boolean {
  const text = `${action} ${action.replaceAll('_', ' ')}`.toLowerCase();
  return words.every((word) => text.includes(word.toLowerCase()));
}

/** Cuts a name, but never inside a character. */
function shortened(name: string): string {
  if (name.length <= MAX_NAME_LENGTH) return name;
  const cut = name.slice(0, MAX_NAME_LENGTH);
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

const mostFirst = (a: Facet, b: Facet): number =>
  b.count - a.count || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
