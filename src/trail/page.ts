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
const HEAD = /* sql */ `e.id::text, coalesce(to_char(e.committed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.committed_at::text)
    as committed_at, e.commit_lsn::text, e.seq, e.xid::text, e.modifier_id, e.relation_id, e.tenant_id, e.entity_type_id,
    e.action_id, e.operation, e.rung, e.entity_id, e.entity_name, e.columns, (e.extra::json -> 'context')::text as context,
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
 * Stored bytes of the values of the rows of one walk, but for its first row: a page of a few dozen values of 64 MiB would
 * take the process down, and capture with it.
 */
const MAX_WALK_BYTES = 16 * 1024 * 1024;

/** Rows in the order of the walk. */
export interface Walked {
  readonly rows: readonly EntryRow[];
  /** Ended by the limit, of rows or of bytes: there may be more. */
  readonly more: boolean;
}

/**
 * The first `limit` rows of a walk over the entries of a filter, or fewer where their values are large, but at least one. Chunks of
 * 16,384 ids are probed one by one in the order of the walk, so the cost is bounded by the number of chunks however rare the
 * match is, and ends at the first full page.
 */
export async function walkEntries(snapshot: Snapshot, walk: Walk): Promise<Walked> {
  const rows: EntryRow[] = [];
  const spans = await candidateSpans(snapshot, walk);
  if (spans.length === 0) return { rows, more: false };
  const lead = await leadOf(snapshot, walk.filter);
  let bytes = 0;
  const newest = Number(BigInt(snapshot.head?.nextId ?? 0) >> 32n);
  for (const days of daysByStatement(spans, { newest, filter: walk.filter })) {
    const rest = { ...walk, limit: walk.limit - rows.length };
    const found = await readDays(snapshot, { days, walk: rest, lead, bytes });
    for (const row of found) {
      bytes = Number(row.bytes);
      if (rows.length > 0 && bytes > MAX_WALK_BYTES) return { rows, more: true };
      rows.push(row);
    }
    if (rows.length >= walk.limit) return { rows, more: true };
  }
  return { rows, more: false };
}

/** What one statement reads. */
interface Days {
  /** The days that it names, in no order. Of a plan that is kept all eight, also those without a span or a partition. */
  readonly named: readonly number[];
  readonly spans: readonly DaySpan[];
  readonly keepPlan: boolean;
}

/** Of which a week is in two statements. */
const DAYS_TOGETHER = 8;
/** Older ones are read less, and their plans would be as many as the days of the trail. */
const DAYS_KEPT = 16;

/**
 * Mostly the first day fills a page, and is read alone; what it does not fill is found in few statements. Few must differ, too, or
 * no plan is found again. A search for text reads all it finds: planning is nothing to it, and its days have a timeout each.
 */
function daysByStatement(
  spans: readonly DaySpan[],
  { newest, filter }: { readonly newest: number; readonly filter: StoredFilter },
): Days[] {
  const statements: {
    readonly spans: DaySpan[];
    readonly keepPlan: boolean;
    readonly group: number | null;
  }[] = [];
  for (const span of spans) {
    const keepPlan = span.day > newest - DAYS_KEPT;
    const isAlone = statements.length === 0 || filter.q !== null;
    const group = isAlone ? null : Math.floor(span.day / DAYS_TOGETHER);
    const last = statements.at(-1);
    if (group !== null && last!.group === group && last!.keepPlan === keepPlan) last!.spans.push(span);
    else statements.push({ spans: [span], keepPlan, group });
  }
  return statements.map(({ spans: read, keepPlan, group }) => ({
    spans: read,
    keepPlan,
    named:
      group !== null && keepPlan
        ? Array.from({ length: DAYS_TOGETHER }, (_, index) => group * DAYS_TOGETHER + index)
        : read.map(({ day }) => day),
  }));
}

/** One row, or undefined. */
export async function readRow(snapshot: Snapshot, id: bigint): Promise<EntryRow | undefined> {
  const { rows } = await snapshot.client.query<EntryRow>(
    /* sql */ `select ${HEAD}, e.previous, e.updated from trail.entry e
                where e.id = $1::int8 and ((e.id >> 14)::int4) = (($1::int8 >> 14)::int4) and ${inDay(Number(id >> 32n))}`,
    [id.toString()],
  );
  return rows[0];
}

/** Written out and no parameter: so a plan has the day's partition alone, whatever its parameters will be. */
const inDay = (day: number): string => `e.id >= ${BigInt(day) << 32n} and e.id < ${BigInt(day + 1) << 32n}`;

/** With each row the bytes of all values up to it; the values themselves only while these are not too many. */
async function readDays(
  snapshot: Snapshot,
  options: { readonly days: Days; readonly walk: Walk; readonly lead: Lead; readonly bytes: number },
): Promise<(EntryRow & { readonly bytes: string })[]> {
  const { days, walk, lead } = options;
  const parameters = new Parameters();
  const limit = parameters.add(walk.limit, 'int8');
  const above = parameters.add(walk.above.toString(), 'int8');
  const below = parameters.add(walk.below.toString(), 'int8');
  const before = parameters.add(options.bytes, 'int8');
  const { inChunk, conditions } = filterSql(walk.filter, { parameters, words: snapshot.words, lead });
  // A join with a limited lateral query can only be a nested loop, which keeps the order of the array. What is sorted is
  // narrow: a chunk is stored oldest first, so sorting whole rows newest first would copy every one of them.
  const ofDay = (day: number): string => {
    const chunks = parameters.add(days.spans.find((span) => span.day === day)?.chunks ?? [], 'int4[]');
    return `(
        select e.* from unnest(${chunks}) as c (chunk)
         cross join lateral (
           select e.ctid as place, e.id from trail.entry e
            where ${inChunk} and ${inDay(day)} and e.id >= ${above} and e.id < ${below} ${conditions}
            order by e.id ${walk.order} limit ${limit}
         ) found
         cross join lateral (
           select * from trail.entry e where e.ctid = found.place and e.id = found.id and ${inDay(day)} limit 1
         ) e
         limit ${limit})`;
  };
  // Parts of a union are run in the order in which they stand, and none before the limit asks for it.
  const named = [...days.named].sort((a, b) => (walk.order === 'asc' ? a - b : b - a));
  const fits = `(e.bytes <= ${MAX_WALK_BYTES} or (e.number = 1 and ${before} = 0))`;
  const sql = /* sql */ `
    select ${HEAD}, e.bytes,
           case when ${fits} then e.previous end as previous, case when ${fits} then e.updated end as updated
      from (
        select e.*, ${before} + sum(coalesce(octet_length(e.previous), 0) + coalesce(octet_length(e.updated), 0))
                                  over (rows unbounded preceding) as bytes,
               row_number() over () as number
          from (${named.map(ofDay).join('\n        union all ')}) e
         limit ${limit}
      ) e`;
  const { rows } = days.keepPlan
    ? await snapshot.query<EntryRow & { readonly bytes: string }>(sql, parameters.values)
    : await snapshot.client.query<EntryRow & { readonly bytes: string }>(sql, parameters.values);
  return rows;
}
