import type { Scope } from './entry.js';
import type { Query } from './plans.js';

/** A value whose label is a name in `trail.lookup`. */
export interface LabelWanted {
  /** `table_name` in `trail.lookup`. */
  readonly table: string;
  readonly key: string;
  /** The entry that shows the value: its label is the name at the time of this entry. */
  readonly id: bigint;
  readonly found: (label: string) => void;
}

/**
 * Finds the labels of values as of their entries, in one statement. A key is requested once however many
 * entries show it, and the versions of its name are assigned to the entries here. In a `scope`, a name is
 * found only if it is that of a row of the tenant, or of a table whose rows have no tenants.
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

/** The name that a key has from an entry on; null: its row was deleted. */
export interface NameVersion {
  readonly from: bigint;
  readonly name: string | null;
}

/** Returns the name of a key as of an entry; null: it has none. Versions are newest first. */
export const nameAt = (versions: readonly NameVersion[], id: bigint): string | null =>
  versions.find(({ from }) => from <= id)?.name ?? null;

/** Reads for each key the versions of its name that entries from `first` to `last` show, newest first. */
export async function readNames(
  query: Query,
  options: {
    readonly keys: readonly Pick<LabelWanted, 'table' | 'key'>[];
    readonly first: bigint;
    readonly last: bigint;
    readonly scope: Scope;
  },
): Promise<readonly (readonly NameVersion[])[]> {
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
