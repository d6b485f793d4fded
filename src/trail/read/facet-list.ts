import type { Answer } from '../../api/answers.js';
import { Counts } from './counts.js';
import { COLUMNS, type Dimension } from './dimensions.js';
import { NOBODY } from './entry.js';
import { movedAction, MOVED_IDS } from './moved.js';
import { pattern } from './parameters.js';
import type { Snapshot } from './snapshot.js';

type Facet = Answer<'Facet'>;
type FacetList = Answer<'FacetList'>;

/** Characters of a name in a list: the rest of a longer one helps nobody to choose it. */
const MAX_NAME_LENGTH = 200;
/** Words of a search; each is a condition on every name of the dictionary. */
const MAX_WORDS = 10;

/** A list of facets: of a dimension, or of those in whose name modifiers acted. */
export type FacetListName = Dimension | 'actingAs';

export interface ListOptions {
  readonly list: FacetListName;
  /** By ids of the dimension; of those acted as, by modifiers. */
  readonly counts: Counts;
  /** Values that are listed at most, beside those in `always`. */
  readonly limit: number;
  /** Ids of values that are listed if they have entries: those that the filter names. */
  readonly always: readonly number[];
  /** Whether a former name counts only where an entry that is counted has it: the reader sees one tenant. */
  readonly inScope?: boolean;
  /** Only values are listed whose text has every word of this. */
  readonly search?: string | undefined;
}

/**
 * Makes the list of a dimension: the values with most entries, and how many more there are. Only their names
 * are read, however many values have entries.
 */
export async function facetList(snapshot: Snapshot, options: ListOptions): Promise<FacetList> {
  const { list, search } = options;
  const persons = isOfPersons(list) ? await personsOf(snapshot, list) : undefined;
  const matching =
    search === undefined ? undefined : await matchingIds(snapshot, { ...options, search, persons });
  const { top, more } = rank(options, { persons, matching });
  const facets = await named(snapshot, { list, top });
  return { items: facets.sort(mostFirst), more };
}

const isOfPersons = (list: FacetListName): list is 'modifiers' | 'actingAs' =>
  list === 'modifiers' || list === 'actingAs';

/** Which person a modifier's id counts for, in a list of persons. */
interface Persons {
  /** The row of `trail.modifier` that names the person, as of the change; {@link NO_VALUE}: there is none. */
  readonly row: (id: number) => number;
  /** The first row of the same person, by which all of them are counted. */
  readonly first: (row: number) => number;
}

/** No id of a value: those are 0 and greater. */
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
 * Finds the values with most entries, in one pass and without sorting the others. Of values with as many
 * entries, the one that was stored first comes first.
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
    // Entries without a tenant have no tenant to choose.
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

/** The value that an id counts for: itself, or the first row of a person; {@link NO_VALUE}: none. */
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

/** Reads the names; a value without one, in a damaged trail, is left out. A modifier has its newest name. */
async function named(
  { query, dictionaries, greatest }: Snapshot,
  { list, top }: { readonly list: FacetListName; readonly top: readonly Ranked[] },
): Promise<Facet[]> {
  const ids = top.map(({ id }) => id);
  if (isOfPersons(list)) {
    const newest = await dictionaries.newestModifiers(query, { firstIds: ids, greatest });
    return top.flatMap(({ id, count }) => {
      const modifier = newest.get(id);
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
 * Finds the ids whose name or key has every word of a search, as a mark for each (the first) id. The words
 * of a vocabulary are joined by underscores. An action of entries that moved is in no dictionary.
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
  const { rows } = await query<{ ids: Buffer | null }>(
    `select pg_catalog.string_agg(pg_catalog.int4send(id), '') as ids from trail.${table} where ${text} ilike all($1::text[])`,
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
  const isCounted = options.inScope === true ? countedRows(counts, persons) : null;
  for (const id of found)
    if (isCounted === null || isCounted(id)) marks[persons === undefined ? id : persons.first(id)] = 1;
  if (list === 'actions')
    for (const id of Object.values(MOVED_IDS)) if (hasWords(movedAction(id)!, words)) marks[id] = 1;
  return marks;
}

/** Tells whether an entry that is counted has a row of a dictionary. */
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

/** Cuts a name, not within a character. */
function shortened(name: string): string {
  if (name.length <= MAX_NAME_LENGTH) return name;
  const cut = name.slice(0, MAX_NAME_LENGTH);
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

const mostFirst = (a: Facet, b: Facet): number =>
  b.count - a.count || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
