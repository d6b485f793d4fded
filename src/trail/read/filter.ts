import { RUNG } from '../../pipeline/ports.js';
import { BEHIND_ESCAPE, escaped } from '../values.js';
import { NOBODY, type EntryFilter, type UnboundedFilter } from './entry.js';
import type { ReaderDictionaries } from './dictionaries.js';

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

/**
 * Translates a filter into ids. Returns undefined if nothing can match: because of a value that is in no
 * dictionary, or of a text with a NUL, which PostgreSQL cannot hold. An empty list or text filters nothing.
 */
export function storedFilter(
  filter: UnboundedFilter & Partial<Pick<EntryFilter, 'from' | 'to'>>,
  dictionaries: ReaderDictionaries,
): StoredFilter | undefined {
  const modifiers = idsOfAll(filter.modifiers, (key) =>
    dictionaries.modifierIds(key === NOBODY ? null : key),
  );
  const actions = idsOfAll(filter.actions, (name) => one(dictionaries.actions.id(name)));
  const entityTypes = idsOfAll(filter.entityTypes, (name) => one(dictionaries.entityTypes.id(name)));
  const tenant = filter.tenant === undefined ? null : dictionaries.tenants.id(filter.tenant);
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
  texts: readonly string[] | undefined,
  idsOf: (text: string) => readonly number[],
): readonly number[] | null {
  if (texts === undefined || texts.length === 0) return null;
  return [...new Set(texts.flatMap((text) => idsOf(text)))];
}

const one = (id: number | undefined): readonly number[] => (id === undefined ? [] : [id]);

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

const pattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;
