import { throughOf } from '../../pipeline/ports.js';
import type { Scope } from './entry.js';
import type { Query } from './plans.js';

/** A value that has a name in `trail.lookup` as its label. */
export interface LabelWanted {
  /** `table_name` in `trail.lookup`. */
  readonly table: string;
  readonly key: string;
  /** Id of the entry that shows the value. The label is the name at the time of this entry. */
  readonly id: bigint;
  readonly found: (label: string) => void;
}

/**
 * Finds the labels of values as of their entries, in one statement. A key is requested once, even if many
 * entries show it. Each entry gets its version of the name here. In a `scope`, a name is found only for rows
 * of the tenant, and for tables without tenants.
 */
export async function findLabels(
  query: Query,
  { wanted, scope }: { readonly wanted: readonly LabelWanted[]; readonly scope: Scope },
): Promise<void> {
  if (wanted.length === 0) return;
  const byKey = new Map<string, LabelWanted[]>();
  let first = wanted[0]!.id;
  let last = first;
  for (const label of wanted) {
    const tableAndKey = JSON.stringify([label.table, label.key]);
    const same = byKey.get(tableAndKey);
    if (same === undefined) byKey.set(tableAndKey, [label]);
    else same.push(label);
    if (label.id < first) first = label.id;
    if (label.id > last) last = label.id;
  }
  const keys = [...byKey.values()];
  const names = await readNames(query, { keys: keys.map((labels) => labels[0]!), first, last, scope });
  keys.forEach((labels, index) => {
    for (const label of labels) {
      const name = nameAt(names[index]!, label.id);
      if (name !== null) label.found(name);
    }
  });
}

/** The name of a key from an entry on; null: its row was deleted. */
export interface NameVersion {
  readonly from: bigint;
  readonly name: string | null;
}

/** Returns the name of a key as of an entry, or null. The versions must be newest first. */
export const nameAt = (versions: readonly NameVersion[], id: bigint): string | null =>
  versions.find(({ from }) => from <= id)?.name ?? null;

interface WantedNames {
  readonly keys: readonly Pick<LabelWanted, 'table' | 'key'>[];
  readonly first: bigint;
  readonly last: bigint;
  readonly scope: Scope;
}

/** Reads, for each key, the versions of its name that entries from `first` to `last` show, newest first. */
export async function readNames(
  query: Query,
  wanted: WantedNames,
): Promise<readonly (readonly NameVersion[])[]> {
  const ways = wanted.keys.map(({ table }) => throughOf(table));
  if (ways.every((way) => way === null)) return readStored(query, wanted);
  const near = await readStored(query, {
    ...wanted,
    keys: wanted.keys.map(({ table, key }, index) => ({ table: ways[index]?.via ?? table, key })),
  });
  // The keys in other tables that the rows lead to, each once.
  const further = new Map<string, Pick<LabelWanted, 'table' | 'key'>>();
  ways.forEach((way, index) => {
    for (const { name: key } of way === null ? [] : near[index]!)
      if (way !== null && key !== null) further.set(JSON.stringify([way.of, key]), { table: way.of, key });
  });
  const names = await readStored(query, { ...wanted, keys: [...further.values()] });
  const byKey = new Map([...further.keys()].map((key, index) => [key, names[index]!]));
  return near.map((versions, index) => {
    const way = ways[index];
    if (way == null) return versions;
    return through(versions, (key) => byKey.get(JSON.stringify([way.of, key])) ?? []);
  });
}

/**
 * Returns the names that a row leads to over time, newest first. `keys` are the keys that the row had over
 * time, and each key has versions of its name.
 */
function through(
  keys: readonly NameVersion[],
  namesOf: (key: string) => readonly NameVersion[],
): readonly NameVersion[] {
  const found: NameVersion[] = [];
  let until: bigint | null = null;
  for (const { from, name: key } of keys) {
    const names = key === null ? [] : namesOf(key);
    for (const version of names)
      if (version.from > from && (until === null || version.from < until)) found.push(shown(version));
    found.push(shown({ from, name: nameAt(names, from) }));
    until = from;
  }
  return found;
}

/** A followed column that is null is stored as the empty text. It gives no name. */
const shown = ({ from, name }: NameVersion): NameVersion => ({ from, name: name === '' ? null : name });

async function readStored(query: Query, options: WantedNames): Promise<readonly (readonly NameVersion[])[]> {
  const { keys, first, last, scope } = options;
  const versions: NameVersion[][] = keys.map(() => []);
  if (keys.length === 0) return versions;
  const { rows } = await query<{ number: string; from_id: string; name: string | null }>(
    /* sql */ `
    select w.number, l.from_id::text,
           case when $5::text is null or l.tenant = $5::text
                  or exists (select from trail.lookup_table t where t.table_name = w.table_name and not t.has_tenants)
                then l.name end as name
      from unnest($1::text[], $2::text[]) with ordinality as w (table_name, key, number)
     cross join lateral (
       (select from_id, name, tenant from trail.lookup l
         where l.table_name = w.table_name and l.key = w.key and l.from_id <= $3::int8 order by from_id desc limit 1)
       union all
       (select from_id, name, tenant from trail.lookup l
         where l.table_name = w.table_name and l.key = w.key and l.from_id > $3::int8 and l.from_id <= $4::int8)
     ) l
     order by l.from_id desc`,
    [keys.map(({ table }) => table), keys.map(({ key }) => key), first.toString(), last.toString(), scope],
  );
  for (const { number, from_id, name } of rows)
    versions[Number(number) - 1]!.push({ from: BigInt(from_id), name });
  return versions;
}
