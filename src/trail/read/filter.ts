import { quoteLiteral } from '../../pg/quote.js';
import { storable } from '../../pg/text.js';
import { RUNG, UNATTRIBUTED } from '../../pipeline/ports.js';
import { BEHIND_ESCAPE, escaped } from '../values.js';
import { MOVED_ACTIONS, NOBODY, type EntryFilter, type UnboundedFilter } from './entry.js';
import { arrayOf } from './ids.js';
import type { Snapshot } from './snapshot.js';

/** A filter expressed in ids of the dictionaries. Null: not filtered by this. */
export interface StoredFilter {
  readonly modifiers: readonly number[] | null;
  /** Actions as they are stored, as lists and summaries know them. */
  readonly actions: readonly number[] | null;
  /**
   * Actions as a reader of one tenant sees them, in place of stored ones: {@link MOVED_IDS} are among them.
   */
  readonly shownActions: readonly number[] | null;
  readonly entityTypes: readonly number[] | null;
  /** Entries of this tenant, and those that moved from it. */
  readonly tenant: number | null;
  /** The tenant of a reader who sees only one. Of an entry that moved, only the tenant's side is searched. */
  readonly scope: number | null;
  /** Whether only entries are found that moved from or to the tenant. */
  readonly moved: 'any' | 'only';
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
  const scope = filter.scope == null ? null : await tenantId(filter.scope, words);
  const actions = idsOfAll(filter.actions, (name) => [
    ...one(dictionaries.actions.id(name)),
    ...(scope === null ? [] : movedIds(name)),
  ]);
  const entityTypes = idsOfAll(filter.entityTypes, (name) => one(dictionaries.entityTypes.id(name)));
  const wanted = filter.scope ?? filter.tenant;
  const tenant = wanted === undefined ? null : await tenantId(wanted, words);
  const entity = filter.entity ?? null;
  const q = filter.q === undefined || filter.q === '' ? null : filter.q;
  if (
    modifiers?.length === 0 ||
    actions?.length === 0 ||
    entityTypes?.length === 0 ||
    tenant === undefined ||
    scope === undefined ||
    entity?.includes('\0') === true ||
    q?.includes('\0') === true
  ) {
    return undefined;
  }
  const { from = '-infinity', to = 'infinity' } = filter;
  const own = filter.modifiers?.includes(NOBODY) === true ? 'none' : 'any';
  const rest = { modifiers, entityTypes, tenant, scope, moved: 'any', entity, q, own, from, to } as const;
  if (scope === null || actions === null) return { ...rest, actions, shownActions: null };
  // Stored actions lead to more entries than are shown under them.
  const areStored = !actions.some(isMovedId);
  return { ...rest, actions: areStored ? actions : null, shownActions: actions };
}

/** Ids of the actions of entries that moved. No dictionary has them: those of actions are int2. */
export const MOVED_IDS = { arrived: 32_768, left: 32_769 } as const;

/** Returns the action that such an id stands for. */
export const movedAction = (id: number): string | undefined =>
  id === MOVED_IDS.arrived ? MOVED_ACTIONS.arrived : id === MOVED_IDS.left ? MOVED_ACTIONS.left : undefined;

export const isMovedId = (id: number): boolean => movedAction(id) !== undefined;

const movedIds = (name: string): readonly number[] =>
  name === MOVED_ACTIONS.arrived ? [MOVED_IDS.arrived] : name === MOVED_ACTIONS.left ? [MOVED_IDS.left] : [];

/**
 * Whether posting lists and summaries know everything that a filter asks for except the range. If not, its
 * entries have to be read.
 */
export const isKnownToLists = ({ entity, q, own, moved, shownActions }: StoredFilter): boolean =>
  entity === null && q === null && own === 'any' && moved === 'any' && shownActions === null;

/** Returns the action of `entry e` as a reader of the tenant `scope`, an SQL expression, sees it. */
export const shownActionSql = (scope: string): string =>
  `case when e.previous_tenant_id is null then e.action_id
        when e.previous_tenant_id = ${scope} then ${MOVED_IDS.left} else ${MOVED_IDS.arrived} end`;

function idsOfAll(
  names: readonly string[] | undefined,
  idsOf: (name: string) => readonly number[],
): readonly number[] | null {
  return names === undefined || names.length === 0 ? null : [...new Set(names.flatMap(idsOf))];
}

const one = (id: number | undefined): readonly number[] => (id === undefined ? [] : [id]);

async function modifierIds(
  keys: readonly string[] | undefined,
  { query, dictionaries, greatest }: Words,
): Promise<readonly number[] | null> {
  if (keys === undefined || keys.length === 0) return null;
  const named = [...new Set(keys)].filter((key) => key !== NOBODY && canBeStored(key));
  const ids = await dictionaries.modifierIds(query, { keys: named, greatest });
  return keys.includes(NOBODY) ? [UNATTRIBUTED, ...ids] : ids;
}

/** Returns the id of a tenant; undefined if the trail does not know it. */
export const tenantId = async (
  name: string,
  { query, dictionaries }: Pick<Words, 'query' | 'dictionaries'>,
): Promise<number | undefined> => (canBeStored(name) ? dictionaries.tenantId(query, name) : undefined);

/** Whether a dictionary can have a text; PostgreSQL cannot be asked for another. */
const canBeStored = (text: string): boolean => storable(text) === text;

/** Values of a statement, as SQL expressions. */
export interface SqlValues {
  /** Adds a value and returns the expression that stands for it, with its type. */
  add(value: SqlValue, type: string): string;
}

export type SqlValue = string | number | readonly number[];

/** Parameters of a statement, numbered as they are added. */
export class Parameters implements SqlValues {
  readonly values: unknown[] = [];

  /** Adds a value and returns `$n::type`. */
  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

/** Values written into a statement, for COPY, which takes no parameters. */
export const LITERALS: SqlValues = {
  add: (value, type) =>
    `${quoteLiteral(typeof value === 'object' ? arrayOf(value) : String(value))}::${type}`,
};

/** Returns the whole filter as conditions on `entry e`, each preceded by `and`. */
export function conditionsSql(filter: StoredFilter, parameters: SqlValues): string {
  const { modifiers, entityTypes, actions, shownActions, tenant, entity, q, own, from, to } = filter;
  const asksForSides = entity !== null || q !== null || shownActions !== null;
  const scope = filter.scope === null || !asksForSides ? null : parameters.add(filter.scope, 'int4');
  return [
    ...(from === '-infinity' ? [] : [`e.committed_at >= ${parameters.add(from, 'timestamptz')}`]),
    ...(to === 'infinity' ? [] : [`e.committed_at < ${parameters.add(to, 'timestamptz')}`]),
    ...(entity === null ? [] : [entitySql(parameters.add(entity, 'text'), scope)]),
    ...(modifiers === null ? [] : [`e.modifier_id = any(${parameters.add(modifiers, 'int4[]')})`]),
    ...(tenant === null ? [] : [tenantSql(parameters.add(tenant, 'int4'))]),
    ...(filter.moved === 'only' ? ['e.previous_tenant_id is not null'] : []),
    ...(entityTypes === null ? [] : [`e.entity_type_id = any(${parameters.add(entityTypes, 'int2[]')})`]),
    ...(shownActions !== null
      ? [`${shownActionSql(scope!)} = any(${parameters.add(shownActions, 'int4[]')})`]
      : actions === null
        ? []
        : [`e.action_id = any(${parameters.add(actions, 'int2[]')})`]),
    ...(own === 'any' ? [] : [`e.rung ${own === 'only' ? '=' : '<>'} '${RUNG.own}'`]),
    ...(q === null ? [] : [textSql(q, { parameters, scope })]),
  ]
    .map((condition) => ` and ${condition}`)
    .join('\n');
}

const tenantSql = (tenant: string): string => `(e.tenant_id = ${tenant} or e.previous_tenant_id = ${tenant})`;

/**
 * Returns the condition that an entry has what is looked for on a side: before the change, or after it. Where
 * a tenant is in scope, only that side of an entry counts that the tenant has.
 */
function onSides(found: { readonly before: string; readonly after: string }, scope: string | null): string {
  const { before, after } = found;
  if (scope === null) return `(${after} or ${before})`;
  return `((${after}) and e.previous_tenant_id is distinct from ${scope}
    or (${before}) and coalesce(e.previous_tenant_id, ${scope}) = ${scope})`;
}

const entitySql = (entity: string, scope: string | null): string =>
  onSides({ before: `e.previous_entity_id = ${entity}`, after: `e.entity_id = ${entity}` }, scope);

/**
 * Texts that begin like the rest of a mark. A mark of values.ts begins with an escape, and a search for such
 * a text would find the letter behind it.
 */
const LOOKS_LIKE_MARK = new RegExp(`^[${BEHIND_ESCAPE.replaceAll('[', '\\[')}]`, 'i');

function textSql(
  q: string,
  { parameters, scope }: { readonly parameters: SqlValues; readonly scope: string | null },
): string {
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
  const textsSql = (name: string, id: string): string =>
    `${name}${collation} ${like} ${plain} or ${id}${collation} ${like} ${plain}`;
  return onSides(
    {
      before: `${textsSql('e.previous_entity_name', 'e.previous_entity_id')} or ${valueSql('e.previous')}`,
      after: `${textsSql('e.entity_name', 'e.entity_id')} or ${valueSql('e.updated')}`,
    },
    scope,
  );
}

/** Returns the pattern of LIKE that finds what contains a text. */
export const pattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;
