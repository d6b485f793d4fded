import { storable } from '../../pg/text.js';
import { RUNG, UNATTRIBUTED, type RungLetter } from '../../pipeline/ports.js';
import { NOBODY, type EntryFilter, type Scope, type UnboundedFilter } from './entry.js';
import { isMovedId, movedIds, shownActionSql } from './moved.js';
import type { SqlValues } from './parameters.js';
import { RUNGS } from './rungs.js';
import { findShownWords, type ShownWords } from './search.js';
import { onSides, searchSql } from './search-sql.js';
import type { Snapshot } from './snapshot.js';

/** A filter expressed in ids of the dictionaries. Null means that there is no such condition. */
export interface StoredFilter {
  readonly modifiers: readonly number[] | null;
  /** Modifiers who acted as a person of the filter. */
  readonly actingAs: readonly number[] | null;
  /** Actions as they are stored, and as lists and summaries have them. */
  readonly actions: readonly number[] | null;
  /** Actions as a reader of one tenant sees them, instead of `actions`. {@link MOVED_IDS} are among them. */
  readonly shownActions: readonly number[] | null;
  readonly entityTypes: readonly number[] | null;
  /** Tenant: its entries are found, and those that moved from it. */
  readonly tenant: number | null;
  /** Tenant of a reader who sees only one. If an entry moved, only the tenant's side is searched. */
  readonly scope: number | null;
  /** `only`: only entries that moved from or to the tenant are found. */
  readonly moved: 'any' | 'only';
  readonly entity: string | null;
  readonly q: string | null;
  /** Shown words that contain `q`, in addition to stored texts; null: no text is searched. */
  readonly shown: ShownWords | null;
  /** The name of `scope`. */
  readonly scopeName: Scope;
  /**
   * Whether Waltrail's own entries (rung w) are found. They have the modifier id of unattributed entries,
   * also in lists and summaries. A filter for unattributed entries must not find them.
   */
  readonly own: 'any' | 'none' | 'only';
  /** Rungs. Lists and summaries do not have them. */
  readonly rungs: readonly RungLetter[] | null;
  /** Half-open range of commit time. `-infinity` and `infinity` mean no limit. */
  readonly from: string;
  readonly to: string;
}

/**
 * Number of complete chunks that one statement reads in a search for a text. It reads every value, which
 * takes some tenths of a second. Then it is the turn of others.
 */
const CHUNKS_SEARCHED = 2;
/**
 * The same for a statement that reads every entry but no values, because no list has what the filter asks
 * for.
 */
const CHUNKS_READ = 16;

/** Returns the largest number of adjacent complete chunks that one statement reads for a filter. */
export const mostTogether = ({ q, rungs }: Pick<StoredFilter, 'q' | 'rungs'>): number =>
  q !== null ? CHUNKS_SEARCHED : rungs === null ? Infinity : CHUNKS_READ;

/**
 * Returns whether statements for a filter search entries by values or rungs, which no list has. They may read
 * many entries to find few. They are kept short, so that others get their turn.
 */
export const takesTurns = ({ q, rungs }: Pick<StoredFilter, 'q' | 'rungs'>): boolean =>
  q !== null || rungs !== null;

/** Parts of a snapshot that are needed to translate a filter. */
type Words = Pick<Snapshot, 'query' | 'dictionaries' | 'greatest'>;

/**
 * Translates a filter into ids. Returns undefined if nothing can match, because a value is in no dictionary,
 * or a text has a NUL, which PostgreSQL cannot store. An empty list or text is no condition.
 */
export async function storedFilter(
  filter: UnboundedFilter & Partial<Pick<EntryFilter, 'from' | 'to'>>,
  words: Words,
): Promise<StoredFilter | undefined> {
  const { dictionaries } = words;
  const rungs = rungLetters(filter.rungs);
  const modifiers = await modifierIds(filter.modifiers, words);
  const actingAs = await actingIds(filter.actingAs, words);
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
    actingAs?.length === 0 ||
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
  const own: StoredFilter['own'] = filter.modifiers?.includes(NOBODY) === true ? 'none' : 'any';
  const scopeName = filter.scope ?? null;
  const shown = q === null ? null : await findShownWords(q, { words, scope: scopeName });
  const rest = {
    ...{ modifiers, actingAs, entityTypes, tenant, scope, scopeName, entity, q, shown, own, rungs, from, to },
    moved: 'any',
  } as const;
  if (scope === null || actions === null) return { ...rest, actions, shownActions: null };
  // More entries have a stored action than are shown with it.
  const areStored = !actions.some(isMovedId);
  return { ...rest, actions: areStored ? actions : null, shownActions: actions };
}

/**
 * Returns whether posting lists and summaries have everything that a filter asks for, except the range. If
 * not, its entries must be read.
 */
export const isKnownToLists = ({ entity, q, own, rungs, moved, shownActions }: StoredFilter): boolean =>
  entity === null &&
  q === null &&
  own === 'any' &&
  rungs === null &&
  moved === 'any' &&
  shownActions === null;

function idsOfAll(
  names: readonly string[] | undefined,
  idsOf: (name: string) => readonly number[],
): readonly number[] | null {
  return names === undefined || names.length === 0 ? null : [...new Set(names.flatMap(idsOf))];
}

const one = (id: number | undefined): readonly number[] => (id === undefined ? [] : [id]);

function rungLetters(rungs: EntryFilter['rungs']): readonly RungLetter[] | null {
  if (rungs === undefined || rungs.length === 0) return null;
  return Object.values(RUNG).filter((letter) => rungs.includes(RUNGS[letter]));
}

async function modifierIds(
  keys: readonly string[] | undefined,
  { query, dictionaries, greatest }: Words,
): Promise<readonly number[] | null> {
  if (keys === undefined || keys.length === 0) return null;
  const named = [...new Set(keys)].filter((key) => key !== NOBODY && canBeStored(key));
  const ids = await dictionaries.modifierIds(query, { keys: named, of: 'modifiers', greatest });
  return keys.includes(NOBODY) ? [UNATTRIBUTED, ...ids] : ids;
}

async function actingIds(
  keys: readonly string[] | undefined,
  { query, dictionaries, greatest }: Words,
): Promise<readonly number[] | null> {
  if (keys === undefined || keys.length === 0) return null;
  const named = [...new Set(keys)].filter(canBeStored);
  return dictionaries.modifierIds(query, { keys: named, of: 'actingAs', greatest });
}

/**
 * Returns the modifiers that a filter asks for; null: any. If it also asks for persons acted as, only
 * modifiers who meet both conditions are returned.
 */
export function modifiersOf({
  modifiers,
  actingAs,
}: Pick<StoredFilter, 'modifiers' | 'actingAs'>): readonly number[] | null {
  if (modifiers === null || actingAs === null) return modifiers ?? actingAs;
  const wanted = new Set(actingAs);
  return modifiers.filter((id) => wanted.has(id));
}

/** Returns the id of a tenant. Returns undefined if the trail does not know the tenant. */
export const tenantId = async (
  name: string,
  { query, dictionaries }: Pick<Words, 'query' | 'dictionaries'>,
): Promise<number | undefined> => (canBeStored(name) ? dictionaries.tenantId(query, name) : undefined);

/** Returns whether a dictionary can hold a text. A query for any other text would be an error. */
const canBeStored = (text: string): boolean => storable(text) === text;

/** Returns the complete filter as conditions on `entry e`, each preceded by `and`. */
export function conditionsSql(filter: StoredFilter, parameters: SqlValues): string {
  const { entityTypes, actions, shownActions, tenant, entity, q, own, rungs, from, to } = filter;
  const modifiers = modifiersOf(filter);
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
    ...(rungs === null ? [] : [`e.rung in (${rungs.map((rung) => `'${rung}'`).join(', ')})`]),
    ...(own === 'any' ? [] : [`e.rung ${own === 'only' ? '=' : '<>'} '${RUNG.own}'`]),
    ...(q === null
      ? []
      : [
          searchSql(q, {
            words: filter.shown!,
            parameters,
            scope: scope === null ? null : { id: scope, name: filter.scopeName! },
          }),
        ]),
  ]
    .map((condition) => ` and ${condition}`)
    .join('\n');
}

const tenantSql = (tenant: string): string => `(e.tenant_id = ${tenant} or e.previous_tenant_id = ${tenant})`;

const entitySql = (entity: string, scope: string | null): string =>
  onSides({ before: `e.previous_entity_id = ${entity}`, after: `e.entity_id = ${entity}` }, scope);
