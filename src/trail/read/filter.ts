import { storable } from '../../pg/text.js';
import { RUNG, UNATTRIBUTED, type RungLetter } from '../../pipeline/ports.js';
import { NOBODY, type EntryFilter, type Scope, type UnboundedFilter } from './entry.js';
import { isMovedId, movedIds, shownActionSql } from './moved.js';
import type { SqlValues } from './parameters.js';
import { RUNGS } from './rungs.js';
import { findShownWords, type ShownWords } from './search.js';
import { onSides, searchSql } from './search-sql.js';
import type { Snapshot } from './snapshot.js';

/** A filter expressed in ids of the dictionaries. Null: not filtered by this. */
export interface StoredFilter {
  readonly modifiers: readonly number[] | null;
  /** Modifiers who acted as somebody of the filter. */
  readonly actingAs: readonly number[] | null;
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
  /** What is shown with `q` in it beside stored texts; null where nothing is searched. */
  readonly shown: ShownWords | null;
  /** The name of `scope`. */
  readonly scopeName: Scope;
  /**
   * Whether Waltrail's own entries (rung w) are found. They have the modifier id of unattributed entries, in
   * lists and summaries too, but a filter for unattributed entries does not ask for them.
   */
  readonly own: 'any' | 'none' | 'only';
  /** Lists and summaries do not know them. */
  readonly rungs: readonly RungLetter[] | null;
  /** Half-open range of commit time; `-infinity` and `infinity` where there is no bound. */
  readonly from: string;
  readonly to: string;
}

/**
 * Complete chunks of which one statement reads every value in search of a text. It takes some tenths of a
 * second; then others have their turn.
 */
const CHUNKS_SEARCHED = 2;
/** The same where it reads no values, but every entry, because no list has what is asked for. */
const CHUNKS_READ = 16;

/** Returns how many complete chunks that follow each other one statement reads for a filter. */
export const mostTogether = ({ q, rungs }: Pick<StoredFilter, 'q' | 'rungs'>): number =>
  q !== null ? CHUNKS_SEARCHED : rungs === null ? Infinity : CHUNKS_READ;

/**
 * Whether statements for a filter read entries whose values or rungs no list has. They may read many to find
 * few, and are short, so that others have their turn.
 */
export const takesTurns = ({ q, rungs }: Pick<StoredFilter, 'q' | 'rungs'>): boolean =>
  q !== null || rungs !== null;

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
  // Stored actions lead to more entries than are shown under them.
  const areStored = !actions.some(isMovedId);
  return { ...rest, actions: areStored ? actions : null, shownActions: actions };
}

/**
 * Whether posting lists and summaries know everything that a filter asks for except the range. If not, its
 * entries have to be read.
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

/** Returns the modifiers that a filter asks for: who acted, and of those who acted as somebody; null: any. */
export function modifiersOf({
  modifiers,
  actingAs,
}: Pick<StoredFilter, 'modifiers' | 'actingAs'>): readonly number[] | null {
  if (modifiers === null || actingAs === null) return modifiers ?? actingAs;
  const wanted = new Set(actingAs);
  return modifiers.filter((id) => wanted.has(id));
}

/** Returns the id of a tenant; undefined if the trail does not know it. */
export const tenantId = async (
  name: string,
  { query, dictionaries }: Pick<Words, 'query' | 'dictionaries'>,
): Promise<number | undefined> => (canBeStored(name) ? dictionaries.tenantId(query, name) : undefined);

/** Whether a dictionary can have a text; PostgreSQL cannot be asked for another. */
const canBeStored = (text: string): boolean => storable(text) === text;

/** Returns the whole filter as conditions on `entry e`, each preceded by `and`. */
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
