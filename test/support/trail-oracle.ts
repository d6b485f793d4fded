import { NOBODY, type EntryFilter } from '../../src/trail/read/entry.js';
import { decodeFields } from '../../src/trail/values.js';
import type { TestDatabase } from './database.ts';

/** An entry as a plain `select` with joins reads it, without any of the reader's machinery. */
export interface PlainEntry {
  readonly id: bigint;
  /** Microseconds since 1970, which a number holds exactly until the year 2255. */
  readonly at: number;
  readonly modifier: string | null;
  readonly action: string;
  readonly type: string;
  readonly tenant: string | null;
  readonly entity: string | null;
  readonly name: string | null;
  /** Texts in which `q` is looked for. */
  readonly texts: readonly string[];
}

/** All entries, newest first. */
export async function readPlainEntries(database: TestDatabase): Promise<PlainEntry[]> {
  const rows = await database.query<{
    id: string;
    at: string;
    modifier: string | null;
    action: string;
    type: string;
    tenant: string | null;
    entity: string | null;
    name: string | null;
    columns: string | null;
    previous: string | null;
    updated: string | null;
  }>(`select e.id::text, (extract(epoch from e.committed_at) * 1000000)::int8::text as at, m.key as modifier, a.name as action,
             t.name as type, n.name as tenant, e.entity_id as entity, e.entity_name as name, e.columns, e.previous, e.updated
        from trail.entry e join trail.modifier m on m.id = e.modifier_id join trail.action a on a.id = e.action_id
        join trail.entity_type t on t.id = e.entity_type_id left join trail.tenant n on n.id = e.tenant_id
       order by e.id desc`);
  return rows.map((row) => ({
    id: BigInt(row.id),
    at: Number(row.at),
    modifier: row.modifier,
    action: row.action,
    type: row.type,
    tenant: row.tenant,
    entity: row.entity,
    name: row.name,
    texts: [row.name, row.entity, ...fieldTexts(row.previous), ...fieldTexts(row.updated)].flatMap((text) =>
      text === null ? [] : [text.toLowerCase()],
    ),
  }));
}

function fieldTexts(stored: string | null): string[] {
  if (stored === null) return [];
  return decodeFields(stored).flatMap((field) => ('text' in field ? [field.text] : []));
}

export function matches(entry: PlainEntry, filter: Partial<EntryFilter>): boolean {
  return matching([entry], filter).length === 1;
}

/** Those entries that a filter asks for, in their order. */
export function matching(entries: readonly PlainEntry[], filter: Partial<EntryFilter>): PlainEntry[] {
  const { modifiers = [], actions = [], entityTypes = [], entity, tenant, q = '' } = filter;
  const from = filter.from === undefined ? undefined : micros(filter.from);
  const to = filter.to === undefined ? undefined : micros(filter.to);
  return entries.filter(
    (entry) =>
      (modifiers.length === 0 || modifiers.includes(entry.modifier ?? NOBODY)) &&
      (actions.length === 0 || actions.includes(entry.action)) &&
      (entityTypes.length === 0 || entityTypes.includes(entry.type)) &&
      (entity === undefined || entry.entity === entity) &&
      (tenant === undefined || entry.tenant === tenant) &&
      (q === '' || entry.texts.some((text) => text.includes(q.toLowerCase()))) &&
      (from === undefined || entry.at >= from) &&
      (to === undefined || entry.at < to),
  );
}

/** Counts by value, as facets give them. */
export function countBy(
  entries: readonly PlainEntry[],
  valueOf: (entry: PlainEntry) => string | null,
): Record<string, number> {
  const counts = new Map<string, number>();
  for (const entry of entries) {
    const value = valueOf(entry);
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}

/** With the microseconds that a Date would drop. */
function micros(instant: string): number {
  const digits = /\.(\d+)/.exec(instant)?.[1] ?? '';
  const seconds = Math.floor(new Date(instant).getTime() / 1000);
  return seconds * 1_000_000 + Number(digits.padEnd(6, '0').slice(0, 6));
}
