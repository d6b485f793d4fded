import { storable } from '../../pg/text.js';
import { RUNG, UNATTRIBUTED } from '../../pipeline/ports.js';
import { BEHIND_ESCAPE, escaped } from '../values.js';
import { NOBODY, type EntryFilter, type UnboundedFilter } from './entry.js';
import type { Snapshot } from './snapshot.js';

/** A filter expressed in ids of the dictionaries. Null: not filtered by this. */
export interface StoredFilter {
  readonly modifiers: readonly number[] | null;
  readonly actions: readonly number[] | null;
  readonly entityTypes: readonly number[] | null;
  readonly tenant: number | null;
  readonly entity: string | null;
  readonly q: string | null;
  /**
   * Whether Waltrail's own entries (rung w) are found. They have the modifier id of unattributed entries, in
   * lists and summaries too, but a filter for unattributed entries does not ask for them.
   */
  readonly own: 'any' | 'none' | 'only';
  /** Half-open range of commit time; `-infinity` and `infinity` where there is no bound. */
  readonly from: string;
  readonly to: string;
}

/** What a filter is translated with: a snapshot has it. */
type Words = Pick<Snapshot, 'query' | 'dictionaries' | 'greatest'>;

/**
 * Translates a filter into ids. Returns undefined if nothing can match: because of a value that is in no
 * dictionary, or of a text with a NUL, which PostgreSQL cannot hold. An empty list or text filters nothing.
 */
export async function storedFilter(
  filter: UnboundedFilter & Partial<Pick<EntryFilter, 'from' | 'to'>>,
  words: Words,
): Promise<StoredFilter | undefined> {
  const { dictionaries } = words;
  const modifiers = await modifierIds(filter.modifiers, words);
  const actions = idsOfAll(filter.actions, dictionaries.actions);
  const entityTypes = idsOfAll(filter.entityTypes, dictionaries.entityTypes);
  const tenant = filter.tenant === undefined ? null : await tenantId(filter.tenant, words);
  const entity = filter.entity ?? null;
  const q = filter.q === undefined || filter.q === '' ? null : filter.q;
  if (
    modifiers?.length === 0 ||
    actions?.length === 0 ||
    entityTypes?.length === 0 ||
    tenant === undefined ||
    entity?.includes('\0') === true ||
    q?.includes('\0') === true
  ) {
    return undefined;
  }
  const { from = '-infinity', to = 'infinity' } = filter;
  const own = filter.modifiers?.includes(NOBODY) === true ? 'none' : 'any';
  return { modifiers, actions, entityTypes, tenant, entity, q, own, from, to };
}

/**
 * Whether posting lists and summaries know everything that a filter asks for except the range. If not, its
 * entries have to be read.
 */
export const isKnownToLists = ({ entity, q, own }: StoredFilter): boolean =>
  entity === null && q === null && own === 'any';

function idsOfAll(
  names: readonly string[] | undefined,
  dictionary: { id(name: string): number | undefined },
): readonly number[] | null {
  if (names === undefined || names.length === 0) return null;
  const ids = new Set(names.map((name) => dictionary.id(name)));
  return [...ids].filter((id) => id !== undefined);
}

async function modifierIds(
  keys: readonly string[] | undefined,
  { query, dictionaries, greatest }: Words,
): Promise<readonly number[] | null> {
  if (keys === undefined || keys.length === 0) return null;
  const named = [...new Set(keys)].filter((key) => key !== NOBODY && canBeStored(key));
  const ids = await dictionaries.modifierIds(query, { keys: named, greatest });
  return keys.includes(NOBODY) ? [UNATTRIBUTED, ...ids] : ids;
}

const tenantId = async (name: string, { query, dictionaries }: Words): Promise<number | undefined> =>
  canBeStored(name) ? dictionaries.tenantId(query, name) : undefined;

/** Whether a dictionary can have a text; PostgreSQL cannot be asked for another. */
const canBeStored = (text: string): boolean => storable(text) === text;

/** Parameters of a statement, numbered as they are added. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Adds a value and returns `$n::type`. */
  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

/** Returns the whole filter as conditions on `entry e`, each preceded by `and`. */
export function conditionsSql(filter: StoredFilter, parameters: Parameters): string {
  const { modifiers, entityTypes, actions, tenant, entity, q, own, from, to } = filter;
  return [
    ...(from === '-infinity' ? [] : [`e.committed_at >= ${parameters.add(from, 'timestamptz')}`]),
    ...(to === 'infinity' ? [] : [`e.committed_at < ${parameters.add(to, 'timestamptz')}`]),
    ...(entity === null ? [] : [`e.entity_id = ${parameters.add(entity, 'text')}`]),
    ...(modifiers === null ? [] : [`e.modifier_id = any(${parameters.add(modifiers, 'int4[]')})`]),
    ...(tenant === null ? [] : [`e.tenant_id = ${parameters.add(tenant, 'int4')}`]),
    ...(entityTypes === null ? [] : [`e.entity_type_id = any(${parameters.add(entityTypes, 'int2[]')})`]),
    ...(actions === null ? [] : [`e.action_id = any(${parameters.add(actions, 'int2[]')})`]),
    ...(own === 'any' ? [] : [`e.rung ${own === 'only' ? '=' : '<>'} '${RUNG.own}'`]),
    ...(q === null ? [] : [textSql(q, parameters)]),
  ]
    .map((condition) => ` and ${condition}`)
    .join('\n');
}

/**
 * Texts that begin like the rest of a mark. A mark of values.ts begins with an escape, and a search for such
 * a text would find the letter behind it.
 */
const LOOKS_LIKE_MARK = new RegExp(`^[${BEHIND_ESCAPE.replaceAll('[', '\\[')}]`, 'i');

function textSql(q: string, parameters: Parameters): string {
  // Ignoring the case of ASCII letters is four times cheaper than ignoring that of all letters. A text of
  // ASCII without letters has no case.
  const ascii = /^[\x01-\x7f]*$/.test(q);
  const collation = ascii ? ' collate "C"' : '';
  const like = ascii && !/[a-z]/i.test(q) ? 'like' : 'ilike';
  const plain = parameters.add(pattern(q), 'text');
  const inValues = parameters.add(pattern(escaped(q)), 'text');
  const valueSql = (column: string): string => {
    const contains = `${column}${collation} ${like} ${inValues}`;
    if (!LOOKS_LIKE_MARK.test(q)) return contains;
    return `(${contains} and regexp_replace(${column}, E'\\x1b.', '', 'g')${collation} ${like} ${inValues})`;
  };
  return `(e.entity_name${collation} ${like} ${plain} or e.entity_id${collation} ${like} ${plain}
    or ${valueSql('e.previous')} or ${valueSql('e.updated')})`;
}

/** Returns the pattern of LIKE that finds what contains a text. */
export const pattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;
