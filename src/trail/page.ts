import { filterSql, Parameters, type StoredFilter } from './filter.js';
import { leadOf, type Lead } from './lead.js';
import { candidateSpans, type DaySpan, type Snapshot } from './snapshot.js';

/** A row of `trail.entry` as `decode.ts` takes it. */
export interface EntryRow {
  readonly id: string;
  readonly committed_at: string;
  readonly commit_lsn: string;
  readonly seq: number;
  readonly xid: string;
  readonly modifier_id: number;
  readonly relation_id: number;
  readonly tenant_id: number;
  readonly entity_type_id: number;
  readonly action_id: number;
  readonly operation: 'i' | 'u' | 'd' | 't';
  readonly rung: 'm' | 'c' | 's' | '-' | 'w';
  readonly entity_id: string | null;
  readonly entity_name: string | null;
  readonly columns: string | null;
  readonly previous: string | null;
  readonly updated: string | null;
  readonly context: string | null;
  readonly origin: string | null;
}

/** Outermost select list over `entry e`: exact texts, whatever the session's settings. */
const ROW = /* sql */ `e.id::text, coalesce(to_char(e.committed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.committed_at::text)
    as committed_at, e.commit_lsn::text, e.seq, e.xid::text, e.modifier_id, e.relation_id, e.tenant_id, e.entity_type_id,
    e.action_id, e.operation, e.rung, e.entity_id, e.entity_name, e.columns, e.previous, e.updated,
    (e.extra::json -> 'context')::text as context,
    e.extra::json ->> 'origin' as origin`;

export interface Walk {
  readonly filter: StoredFilter;
  /** Ids `>= above` and `< below`. */
  readonly above: bigint;
  readonly below: bigint;
  /** By id: newest or oldest first. */
  readonly order: 'desc' | 'asc';
  readonly limit: number;
}

/**
 * The first `limit` rows of a walk over the entries of a filter. Chunks of 16,384 ids are probed one by one in the order
 * of the walk, so the cost is bounded by the number of chunks however rare the match is, and ends at the first full page.
 * One statement for each day: it names one partition's ids, so that planning does not pay for the others.
 */
export async function walkEntries(snapshot: Snapshot, walk: Walk): Promise<EntryRow[]> {
  const rows: EntryRow[] = [];
  const spans = await candidateSpans(snapshot, walk);
  if (spans.length === 0) return rows;
  const lead = await leadOf(snapshot, walk.filter);
  for (const span of spans) {
    const rest = { ...walk, limit: walk.limit - rows.length };
    rows.push(...(await readSpan(snapshot, { span, walk: rest, lead })));
    if (rows.length >= walk.limit) break;
  }
  return rows;
}

/** One row, or undefined. */
export async function readRow(snapshot: Snapshot, id: bigint): Promise<EntryRow | undefined> {
  const { rows } = await snapshot.client.query<EntryRow>(
    /* sql */ `select ${ROW} from trail.entry e
                where e.id = $1::int8 and ((e.id >> 14)::int4) = (($1::int8 >> 14)::int4)`,
    [id.toString()],
  );
  return rows[0];
}

async function readSpan(
  snapshot: Snapshot,
  options: { readonly span: DaySpan; readonly walk: Walk; readonly lead: Lead },
): Promise<EntryRow[]> {
  const { span, walk, lead } = options;
  const parameters = new Parameters();
  const chunks = parameters.add(span.chunks, 'int4[]');
  const limit = parameters.add(walk.limit, 'int8');
  const above = parameters.add(span.above.toString(), 'int8');
  const below = parameters.add(span.below.toString(), 'int8');
  const { inChunk, conditions } = filterSql(walk.filter, { parameters, words: snapshot.words, lead });
  // A join with a limited lateral query can only be a nested loop, which keeps the order of the array. What is sorted is
  // narrow: a chunk is stored oldest first, so sorting whole rows newest first would copy every one of them.
  const { rows } = await snapshot.client.query<EntryRow>(
    /* sql */ `
    select ${ROW}
      from unnest(${chunks}) as c (chunk)
     cross join lateral (
       select e.ctid as place, e.id from trail.entry e
        where ${inChunk} and e.id >= ${above} and e.id < ${below} ${conditions}
        order by e.id ${walk.order} limit ${limit}
     ) found
     cross join lateral (
       select * from trail.entry e
        where e.ctid = found.place and e.id = found.id and e.id >= ${above} and e.id < ${below} limit 1
     ) e
     limit ${limit}`,
    parameters.values,
  );
  return rows;
}
