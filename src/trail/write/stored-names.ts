import { quoteLiteral } from '../../pg/quote.js';
import type { LookupName } from '../../pipeline/ports.js';

/** A name that waits to be stored. `fromId` is the first entry for which it holds. */
export interface Version {
  readonly fromId: bigint;
  readonly table: string;
  readonly key: string;
  readonly name: LookupName | null;
}

const VERSIONS_PER_STATEMENT = 1_000;

/**
 * Returns statements that store versions of names, in the order of their ids. A version that equals the one
 * before it is left out. This is common: for a table that is only a lookup table, updates arrive without the
 * previous row, and most of them change no name.
 *
 * The SQL functions that store names refuse to change the names of stored entries
 * (sql/trail/0038_guarded.sql).
 */
export function storeVersions(versions: readonly Version[]): string[] {
  const statements: string[] = [];
  for (let start = 0; start < versions.length; start += VERSIONS_PER_STATEMENT)
    statements.push(statementOf(versions.slice(start, start + VERSIONS_PER_STATEMENT)));
  return statements;
}

const statementOf = (versions: readonly Version[]): string => /* sql */ `
  select trail.store_names(array_agg(t order by place), array_agg(k order by place), array_agg(i order by place),
                           array_agg(n order by place), array_agg(c order by place), array_agg(o order by place))
    from (
      select *, lag(place) over of_key as place_before,
             lag(n) over of_key as n_before, lag(c) over of_key as c_before, lag(o) over of_key as o_before
        from unnest(${[
          textArray(versions.map(({ table }) => table)),
          textArray(versions.map(({ key }) => key)),
          `array[${versions.map(({ fromId }) => fromId).join(',')}]::int8[]`,
          textArray(versions.map(({ name }) => name?.name ?? null)),
          textArray(versions.map(({ name }) => name?.kind ?? null)),
          textArray(versions.map(({ name }) => name?.tenant ?? null)),
        ].join(', ')}) with ordinality as version (t, k, i, n, c, o, place)
      window of_key as (partition by t, k order by place)
    ) given
    left join lateral (
      select name, kind, tenant from trail.lookup
       where table_name = t and key = k and from_id <= i and place_before is null order by from_id desc limit 1
    ) stored on true
   where case when place_before is null then (n, c, o) is distinct from (stored.name, stored.kind, stored.tenant)
              else (n, c, o) is distinct from (n_before, c_before, o_before) end
  having count(*) > 0`;

const textArray = (texts: readonly (string | null)[]): string =>
  `array[${texts.map((text) => (text === null ? 'null' : quoteLiteral(text))).join(',')}]::text[]`;
