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
    [
      keys.map((labels) => labels[0]!.table),
      keys.map((labels) => labels[0]!.key),
      first.toString(),
      last.toString(),
      scope,
    ],
  );
  const versions = new Map<string, { readonly from: bigint; readonly name: string | null }[]>();
  for (const { number, from_id, name } of rows) {
    const version = { from: BigInt(from_id), name };
    const others = versions.get(number);
    if (others === undefined) versions.set(number, [version]);
    else others.push(version);
  }
  keys.forEach((labels, index) => {
    const ofKey = versions.get(String(index + 1)) ?? [];
    for (const label of labels) {
      // Versions are newest first, so the first that is not later than the entry is the one of its time;
      // null: deleted by then.
      const name = ofKey.find(({ from }) => from <= label.id)?.name ?? null;
      if (name !== null) label.found(name);
    }
  });
}
