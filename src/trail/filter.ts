import { UNATTRIBUTED, type EntryFilter } from './entry.js';
import type { Lead } from './lead.js';
import type { TrailWords } from './words.js';

/** A filter in the numbers of the dictionaries. Null: not filtered by this. */
export interface StoredFilter {
  readonly modifiers: readonly number[] | null;
  readonly actions: readonly number[] | null;
  readonly entityTypes: readonly number[] | null;
  readonly tenant: number | null;
  readonly entity: string | null;
  readonly q: string | null;
  /** Half-open range of commit time; `-infinity` and `infinity` where there is no bound. */
  readonly from: string;
  readonly to: string;
}

/**
 * Looks up the words of a filter. Undefined when nothing can match: a word that no entry has, or a text with a NUL,
 * which PostgreSQL cannot hold. An empty list or text filters nothing.
 */
export function storedFilter(
  filter: Omit<EntryFilter, 'from' | 'to'> & Partial<Pick<EntryFilter, 'from' | 'to'>>,
  words: TrailWords,
): StoredFilter | undefined {
  const modifiers = lookUp(filter.modifiers, (key) => words.modifierIds(key === UNATTRIBUTED ? null : key));
  const actions = lookUp(filter.actions, (name) => one(words.actions.id(name)));
  const entityTypes = lookUp(filter.entityTypes, (name) => one(words.entityTypes.id(name)));
  const tenant = filter.tenant === undefined ? null : words.tenants.id(filter.tenant);
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
  return { modifiers, actions, entityTypes, tenant, entity, q, from, to };
}

function lookUp(
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

  /** `$n::type` of a value. */
  add(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
}

export interface FilterSql {
  /** Condition on `entry e` that it is in the chunk `c.chunk`: the spelling chooses the index. */
  readonly inChunk: string;
  /** All other conditions on `entry e`, each with its `and`. */
  readonly conditions: string;
}

/** A dimension of facets: what an entry has exactly one number of. */
export type Dimension = 'modifiers' | 'entityTypes' | 'actions' | 'tenants';

/**
 * The conditions of a filter, written so that the planner has one good way to evaluate them: the chunk is spelled as in
 * the index of `lead`, and columns that another index leads with are hidden from it by `+ 0` (measured: without this a
 * page takes 500 ms where 5 are enough; src/DECISIONS.md).
 */
export function filterSql(
  filter: StoredFilter,
  options: {
    readonly parameters: Parameters;
    readonly words: TrailWords;
    readonly lead: Lead;
    /** The values of this dimension's filter come one by one, as `c.value`. */
    readonly each?: Dimension | undefined;
  },
): FilterSql {
  const { parameters, words, lead, each } = options;
  const conditions = [
    ...(filter.from === '-infinity'
      ? []
      : [`e.committed_at >= ${parameters.add(filter.from, 'timestamptz')}`]),
    ...(filter.to === 'infinity' ? [] : [`e.committed_at < ${parameters.add(filter.to, 'timestamptz')}`]),
  ];
  const anyOf = (
    column: string,
    { ids, dimension, type }: { ids: readonly number[] | null; dimension: Dimension; type: 'int2' | 'int4' },
  ): void => {
    if (ids === null) return;
    conditions.push(
      `${column} ${dimension === each ? '= c.value' : `= any(${parameters.add(ids, `${type}[]`)})`}`,
    );
  };
  const hideUnder = (...leads: Lead[]): string => (leads.includes(lead) ? ' + 0' : '');

  if (filter.entity !== null) {
    const id = parameters.add(filter.entity, 'text');
    conditions.push(`e.entity_id = ${id}`);
    if (lead === 'entity') conditions.push(entityKeySql(id, { filter, parameters }));
  }
  anyOf(`e.modifier_id${hideUnder('entity', 'tenants')}`, {
    ids: filter.modifiers,
    dimension: 'modifiers',
    type: 'int4',
  });
  if (filter.tenant !== null) {
    const column = `e.tenant_id${hideUnder('entity', 'modifiers')}`;
    anyOf(column, { ids: [filter.tenant], dimension: 'tenants', type: 'int4' });
    conditions.push(`${column} <> 0`);
  }
  const hide = hideUnder('entity');
  // Without a type an index could only be used up to the column before it; naming every type lets it descend for each.
  const entityTypes =
    filter.entityTypes ?? (filter.actions === null || lead === 'entity' ? null : words.entityTypes.ids);
  anyOf(`e.entity_type_id${hide}`, { ids: entityTypes, dimension: 'entityTypes', type: 'int2' });
  anyOf(`e.action_id${hide}`, { ids: filter.actions, dimension: 'actions', type: 'int2' });
  if (filter.q !== null) conditions.push(textSql(filter.q, parameters));
  return {
    inChunk: `${CHUNK[lead]} = c.chunk`,
    conditions: conditions.map((condition) => ` and ${condition}`).join('\n'),
  };
}

/** The chunk as the index of a lead spells it (sql/trail/0001_trail.sql). */
const CHUNK: Readonly<Record<Lead, string>> = {
  entity: '((e.id >> 14)::int4)',
  modifiers: '((e.id >> 14)::int4)',
  tenants: '(((e.id >> 10) >> 4)::int4)',
  entityTypes: '((e.id / 16384)::int4)',
};

/** The key of entry_entity: the types of an entity id lie side by side, so that without a type they are one range. */
function entityKeySql(
  id: string,
  options: { readonly filter: StoredFilter; readonly parameters: Parameters },
): string {
  const key = (entity: string, type: string): string =>
    `((((hashtextextended(${entity}, 0) & 8388607) << 8) | (${type} & 255))::int4)`;
  const column = key('e.entity_id', 'e.entity_type_id');
  const { entityTypes } = options.filter;
  if (entityTypes === null) return `${column} between ${key(id, '0')} and ${key(id, '255')}`;
  const types = options.parameters.add(entityTypes, 'int2[]');
  return `${column} = any(array(select ${key(id, 'type')} from unnest(${types}) type))`;
}

/** Marks of trail/values.ts that begin with an escape and would be found by a search for their letter. */
const LOOKS_LIKE_MARK = /^[nux[_]/i;

function textSql(q: string, parameters: Parameters): string {
  // Folding ASCII letters is four times cheaper than folding all; without letters nothing needs folding.
  const ascii = /^[\x01-\x7f]*$/.test(q);
  const collation = ascii ? ' collate "C"' : '';
  const like = ascii && !/[a-z]/i.test(q) ? 'like' : 'ilike';
  const plain = parameters.add(pattern(q), 'text');
  const inValues = parameters.add(pattern(q.replaceAll('\x1b', '\x1b[').replaceAll('\x1f', '\x1b_')), 'text');
  const valueSql = (column: string): string => {
    const contains = `${column}${collation} ${like} ${inValues}`;
    if (!LOOKS_LIKE_MARK.test(q)) return contains;
    return `(${contains} and regexp_replace(${column}, E'\\x1b.', '', 'g')${collation} ${like} ${inValues})`;
  };
  return `(e.entity_name${collation} ${like} ${plain} or e.entity_id${collation} ${like} ${plain}
    or ${valueSql('e.previous')} or ${valueSql('e.updated')})`;
}

const pattern = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;
