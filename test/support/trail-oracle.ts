import { MOVED_ACTIONS, NOBODY, type EntryFilter } from '../../src/trail/read/entry.js';
import { decodeColumns, decodeFields } from '../../src/trail/values.js';
import type { TestDatabase } from './database.ts';

/** An entry as a plain `select` with joins reads it, without the code of the reader. */
export interface PlainEntry {
  readonly id: bigint;
  /** Microseconds since 1970, which a number holds exactly until the year 2255. */
  readonly at: number;
  readonly modifier: string | null;
  /** Key of the person in whose name the modifier acted. */
  readonly actingAs: string | null;
  readonly rung: string;
  readonly action: string;
  readonly type: string;
  readonly tenant: string | null;
  /** The tenant before a move to another one; null if it had none. Undefined if it did not move. */
  readonly previousTenant: string | null | undefined;
  readonly entity: string | null;
  readonly previousEntity: string | null;
  readonly name: string | null;
  /** Texts in which `q` is searched, before and after the change. */
  readonly texts: { readonly before: readonly string[]; readonly after: readonly string[] };
  /** Labels that are names of rows, with the tenant who may see them; undefined if every tenant may. */
  readonly labels: { readonly before: readonly Label[]; readonly after: readonly Label[] };
  /**
   * What is shown for the modifier and the person acted as: the names as of the change, and every name that
   * their keys have had.
   */
  readonly shownNames: readonly string[];
  readonly everyName: readonly string[];
}

interface Label {
  readonly text: string;
  readonly tenant: string | null | undefined;
}

interface Column {
  readonly type: number;
  readonly values?: Readonly<Record<string, string>>;
  readonly label?: string;
}

interface LookupRow {
  readonly table_name: string;
  readonly key: string;
  readonly from_id: string;
  readonly name: string | null;
  readonly tenant: string | null;
  readonly has_tenants: boolean;
}

const RUNG_OF_LETTER: Readonly<Record<string, string>> = {
  m: 'message',
  a: 'witness',
  c: 'column',
  s: 'session',
  '-': 'unattributed',
  w: 'waltrail',
};

/** All entries, newest first. */
export async function readPlainEntries(database: TestDatabase): Promise<PlainEntry[]> {
  const rows = await database.query<{
    id: string;
    at: string;
    modifier: string | null;
    action: string;
    type: string;
    tenant: string | null;
    has_moved: boolean;
    previous_tenant: string | null;
    entity: string | null;
    previous_entity: string | null;
    name: string | null;
    previous_name: string | null;
    columns: string | null;
    previous: string | null;
    updated: string | null;
    rung: string;
    modifier_name: string;
    modifier_names: string[];
    acting_as: string | null;
    acting_as_name: string | null;
    relation_columns: Column[];
  }>(`select e.id::text, (extract(epoch from e.committed_at) * 1000000)::int8::text as at, m.key as modifier, a.name as action,
             t.name as type, n.name as tenant, e.entity_id as entity, e.entity_name as name, e.columns, e.previous, e.updated,
             e.previous_tenant_id is not null as has_moved, p.name as previous_tenant, e.previous_entity_id as previous_entity,
             e.previous_entity_name as previous_name, e.rung, m.name as modifier_name,
             array(select o.name from trail.modifier o where o.key in (m.key, i.key)) as modifier_names,
             i.key as acting_as, i.name as acting_as_name, r.columns as relation_columns
        from trail.entry e join trail.modifier m on m.id = e.modifier_id left join trail.modifier i on i.id = m.acting_as join trail.action a on a.id = e.action_id
        join trail.entity_type t on t.id = e.entity_type_id left join trail.tenant n on n.id = e.tenant_id
        join trail.relation r on r.id = e.relation_id left join trail.tenant p on p.id = e.previous_tenant_id
       order by e.id desc`);
  const lookups = await database.query<LookupRow>(
    `select l.table_name, l.key, l.from_id::text, l.name, l.tenant,
            not exists (select from trail.lookup_table t where t.table_name = l.table_name and not t.has_tenants) as has_tenants
       from trail.lookup l order by l.from_id desc`,
  );
  const byKey = new Map<string, LookupRow[]>();
  for (const lookup of lookups) {
    const key = `${lookup.table_name} ${lookup.key}`;
    byKey.set(key, [...(byKey.get(key) ?? []), lookup]);
  }
  return rows.map((row) => {
    const shown = (stored: string | null) =>
      shownTexts({ ...row, stored, of: (table, key) => byKey.get(`${table} ${key}`) ?? [] });
    const [before, after] = [shown(row.previous), shown(row.updated)];
    const nobody = row.rung === 'w' ? 'Waltrail' : 'Unattributed';
    const name = row.modifier === null ? nobody : row.modifier_name;
    return {
      shownNames: row.acting_as_name === null ? [name] : [name, row.acting_as_name],
      everyName: row.modifier === null ? [name] : row.modifier_names,
      actingAs: row.acting_as,
      labels: { before: before.labels, after: after.labels },
      id: BigInt(row.id),
      at: Number(row.at),
      modifier: row.modifier,
      rung: RUNG_OF_LETTER[row.rung]!,
      action: row.action,
      type: row.type,
      tenant: row.tenant,
      previousTenant: row.has_moved ? row.previous_tenant : undefined,
      entity: row.entity,
      previousEntity: row.previous_entity,
      name: row.name,
      texts: {
        before: lowered([row.previous_name, row.previous_entity, ...before.texts]),
        after: lowered([row.name, row.entity, ...after.texts]),
      },
    };
  });
}

const lowered = (texts: readonly (string | null)[]): string[] =>
  texts.flatMap((text) => (text === null ? [] : [text.toLowerCase()]));

/** Returns the texts of one side as they are stored, and the labels that the page shows for them. */
function shownTexts(row: {
  readonly id: string;
  readonly stored: string | null;
  readonly columns: string | null;
  readonly relation_columns: readonly Column[];
  readonly of: (table: string, key: string) => readonly LookupRow[];
}): { readonly texts: readonly string[]; readonly labels: readonly Label[] } {
  const texts: string[] = [];
  const labels: Label[] = [];
  if (row.stored === null) return { texts, labels };
  const places = decodeColumns(row.columns, row.relation_columns.length);
  decodeFields(row.stored).forEach((field, index) => {
    if (!('text' in field)) return;
    const { type, values = {}, label } = row.relation_columns[places[index]!]!;
    const { text } = field;
    texts.push(text);
    if (type === 16) texts.push(text === 't' ? 'true' : 'false');
    if (values[text] !== undefined) texts.push(values[text]);
    if (label === undefined) return;
    const found = row.of(label, text).find(({ from_id }) => BigInt(from_id) <= BigInt(row.id));
    if (found != null && found.name !== null)
      labels.push({
        text: found.name.toLowerCase(),
        tenant: found.has_tenants ? found.tenant : undefined,
      });
  });
  return { texts, labels };
}

/** Whether anything that a reader is shown of an entry contains a text. */
function shows(
  entry: PlainEntry,
  { q, scope }: { readonly q: string; readonly scope: string | null },
): boolean {
  const wanted = q.toLowerCase();
  const has = (text: string): boolean => text.toLowerCase().includes(wanted);
  const names = scope === null ? entry.everyName : entry.shownNames;
  const words = [shownAction(entry, scope), entry.type];
  return (
    [...names, ...words, ...words.map((word) => word.replaceAll('_', ' '))].some(has) ||
    sidesOf(entry, scope).some(
      (side) =>
        entry.texts[side].some(has) ||
        entry.labels[side].some(
          ({ text, tenant }) => has(text) && (scope === null || tenant === undefined || tenant === scope),
        ),
    )
  );
}

export function matches(entry: PlainEntry, filter: Partial<EntryFilter>): boolean {
  return matching([entry], filter).length === 1;
}

/** Returns the sides of an entry that a reader of a tenant sees. A reader of all tenants sees both. */
function sidesOf(entry: PlainEntry, scope: string | null): readonly ('before' | 'after')[] {
  if (scope === null || entry.previousTenant === undefined) return ['before', 'after'];
  return entry.previousTenant === scope ? ['before'] : ['after'];
}

/**
 * Returns the action of an entry as a reader of a tenant sees it. A reader of all tenants sees the stored
 * one.
 */
export function shownAction(entry: PlainEntry, scope: string | null | undefined): string {
  if (scope == null || entry.previousTenant === undefined) return entry.action;
  return entry.previousTenant === scope ? MOVED_ACTIONS.left : MOVED_ACTIONS.arrived;
}

/** Returns the entries that a filter asks for, in their order. */
export function matching(entries: readonly PlainEntry[], filter: Partial<EntryFilter>): PlainEntry[] {
  const {
    modifiers = [],
    actingAs = [],
    actions = [],
    entityTypes = [],
    rungs = [],
    entity,
    scope = null,
    q = '',
  } = filter;
  const tenant = scope ?? filter.tenant;
  const from = filter.from === undefined ? undefined : micros(filter.from);
  const to = filter.to === undefined ? undefined : micros(filter.to);
  const ids = ({ entity: after, previousEntity: before }: PlainEntry) => ({ before, after });
  // Only the conditions of the filter, because they are called for each of many entries.
  const tests: ((entry: PlainEntry) => boolean)[] = [];
  if (from !== undefined) tests.push(({ at }) => at >= from);
  if (to !== undefined) tests.push(({ at }) => at < to);
  if (tenant !== undefined) tests.push((entry) => entry.tenant === tenant || entry.previousTenant === tenant);
  if (modifiers.length > 0) tests.push(({ modifier }) => modifiers.includes(modifier ?? NOBODY));
  if (actingAs.length > 0)
    tests.push((entry) => entry.actingAs !== null && actingAs.includes(entry.actingAs));
  if (actions.length > 0) tests.push((entry) => actions.includes(shownAction(entry, scope)));
  if (rungs.length > 0) tests.push(({ rung }) => (rungs as readonly string[]).includes(rung));
  if (entityTypes.length > 0) tests.push(({ type }) => entityTypes.includes(type));
  if (entity !== undefined)
    tests.push((entry) => sidesOf(entry, scope).some((side) => ids(entry)[side] === entity));
  if (q !== '') tests.push((entry) => shows(entry, { q, scope }));
  return entries.filter((entry) => tests.every((test) => test(entry)));
}

/** Counts by value, as facets do. */
export function countBy(
  entries: readonly PlainEntry[],
  valuesOf: (entry: PlainEntry) => string | null | readonly (string | null | undefined)[],
): Record<string, number> {
  const counts = new Map<string, number>();
  const add = (value: string): void => void counts.set(value, (counts.get(value) ?? 0) + 1);
  for (const entry of entries) {
    const values = valuesOf(entry);
    if (typeof values === 'string') add(values);
    else if (values !== null) for (const value of values) if (value != null) add(value);
  }
  return Object.fromEntries(counts);
}

/** Converts with the microseconds that a Date would drop. */
function micros(instant: string): number {
  const digits = /\.(\d+)/.exec(instant)?.[1] ?? '';
  const seconds = Math.floor(new Date(instant).getTime() / 1000);
  return seconds * 1_000_000 + Number(digits.padEnd(6, '0').slice(0, 6));
}
