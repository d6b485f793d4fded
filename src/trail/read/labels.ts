import type { Query } from './snapshot.js';

/** A value whose word stands in trail.lookup. */
export interface LabelWanted {
  /** `table_name` in trail.lookup. */
  readonly table: string;
  readonly key: string;
  /** The entry that shows it: the word is the one of that time. */
  readonly id: bigint;
  readonly found: (word: string) => void;
}

/**
 * Finds the words of values as of their entries, in one statement: a key is asked for once however many entries show
 * it, and its versions are told apart here.
 */
export async function findLabels(query: Query, wanted: readonly LabelWanted[]): Promise<void> {
  if (wanted.length === 0) return;
  const byKey = new Map<string, LabelWanted[]>();
  let first = wanted[0]!.id;
  let last = first;
  for (const label of wanted) {
    const name = JSON.stringify([label.table, label.key]);
    const same = byKey.get(name);
    if (same === undefined) byKey.set(name, [label]);
    else same.push(label);
    if (label.id < first) first = label.id;
    if (label.id > last) last = label.id;
  }
  const keys = [...byKey.values()];
  const { rows } = await query<{ place: string; from_id: string; name: string | null }>(
    /* sql */ `
    select w.place, l.from_id::text, l.name
      from unnest($1::text[], $2::text[]) with ordinality as w (table_name, key, place)
     cross join lateral (
       (select from_id, name from trail.lookup l
         where l.table_name = w.table_name and l.key = w.key and l.from_id <= $3::int8 order by from_id desc limit 1)
       union all
       (select from_id, name from trail.lookup l
         where l.table_name = w.table_name and l.key = w.key and l.from_id > $3::int8 and l.from_id <= $4::int8)
     ) l
     order by l.from_id desc`,
    [
      keys.map((labels) => labels[0]!.table),
      keys.map((labels) => labels[0]!.key),
      first.toString(),
      last.toString(),
    ],
  );
  const versions = new Map<string, { readonly from: bigint; readonly name: string | null }[]>();
  for (const { place, from_id, name } of rows) {
    const version = { from: BigInt(from_id), name };
    const others = versions.get(place);
    if (others === undefined) versions.set(place, [version]);
    else others.push(version);
  }
  keys.forEach((labels, index) => {
    const ofKey = versions.get(String(index + 1)) ?? [];
    for (const label of labels) {
      // Newest first, so the first that is not later than the entry is the one of its time; null: deleted by then.
      const name = ofKey.find(({ from }) => from <= label.id)?.name ?? null;
      if (name !== null) label.found(name);
    }
  });
}
