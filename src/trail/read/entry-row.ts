import type { OperationLetter, RungLetter } from '../../pipeline/ports.js';
import { conditionsSql, type StoredFilter } from './filter.js';
import { Parameters, type SqlValues } from './parameters.js';
import { dayOfId } from '../entry-id.js';
import { arrayOf, idsOfDays, inDays, narrowed, type IdRange } from './ids.js';
import type { Snapshot } from './snapshot.js';

/** A row of `trail.entry` in the form for `decode.ts`. */
export interface EntryRow {
  readonly id: string;
  readonly committed_at: string;
  readonly commit_lsn: string;
  readonly seq: number;
  readonly xid: string;
  readonly modifier_id: number;
  readonly relation_id: number;
  readonly tenant_id: number;
  /** Null: the tenant did not change, or is not known; 0: no tenant. */
  readonly previous_tenant_id: number | null;
  readonly entity_type_id: number;
  readonly action_id: number;
  readonly operation: OperationLetter;
  readonly rung: RungLetter;
  readonly entity_id: string | null;
  readonly entity_name: string | null;
  readonly previous_entity_id: string | null;
  readonly previous_entity_name: string | null;
  readonly columns: string | null;
  readonly previous: string | null;
  readonly updated: string | null;
  readonly extra: string | null;
}

/**
 * Outermost select list over `entry e`. It returns exact texts that do not depend on the session's settings.
 */
const HEAD = /* sql */ `e.id::text, case when e.committed_at >= '0001-01-01 00:00:00+00' and e.committed_at < '10000-01-01 00:00:00+00'
      then to_char(e.committed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') else e.committed_at::text end
    as committed_at, e.commit_lsn::text, e.seq, e.xid::text, e.modifier_id, e.relation_id, e.tenant_id, e.entity_type_id,
    e.previous_tenant_id, e.action_id, e.operation, e.rung, e.entity_id, e.entity_name, e.previous_entity_id,
    e.previous_entity_name, e.columns, e.extra`;

export interface Walk {
  readonly filter: StoredFilter;
  /** Ids `>= above` and `< below`. */
  readonly above: bigint;
  readonly below: bigint;
  /** Order by id: newest or oldest first. */
  readonly order: 'desc' | 'asc';
  readonly limit: number;
}

/**
 * Largest number of stored bytes in the values of one walk. Only its first row may exceed this. A page with a
 * few dozen values of 64 MiB would crash the process, and capture with it.
 */
export const MAX_WALK_BYTES = 16 * 1024 * 1024;

/** Entries that a walk examines: all ids of a range, or a list of ids in the order of the walk. */
export type Stretch = IdRange | { readonly ids: readonly number[] };

/** Part of a stretch that one statement reads. */
export interface Part {
  readonly stretch: Stretch;
  /** First day that the statement's plan covers. */
  readonly firstDay: number;
  readonly days: number;
}

/**
 * Number of days that one plan covers. A plan names the days that it reads, so plans for single days would be
 * needed for every day of the trail.
 */
const DAYS_TOGETHER = 8;
/** Number of newest days for which plans are kept. Older days are read less often. */
const DAYS_KEPT = 16;
/**
 * Number of ids that one statement reads, unless it searches for a text. Most of these ids match the filter,
 * while a text search discards most.
 */
const IDS_TOGETHER = 512;

/**
 * Divides a stretch into the parts that single statements read. A search for a text reads everything in its
 * part. Each of its statements therefore names one day, so that the timeout can apply to all statements of a
 * day together.
 */
export function* byStatement(
  stretch: Stretch,
  options: {
    readonly order: Walk['order'];
    readonly hasText: boolean;
    /** Number of ids of a list that one statement reads. */
    readonly ids?: number;
  },
): Generator<Part, void, undefined> {
  const { order, hasText } = options;
  const days = hasText ? 1 : DAYS_TOGETHER;
  const firstDayOf = (id: bigint | number): number => Math.floor(dayOfId(id) / days) * days;
  if ('ids' in stretch) {
    const { ids } = stretch;
    const most = hasText ? ids.length : (options.ids ?? IDS_TOGETHER);
    for (let at = 0, end: number; at < ids.length; at = end) {
      const firstDay = firstDayOf(ids[at]!);
      for (end = at + 1; end < ids.length && end < at + most && firstDayOf(ids[end]!) === firstDay; end++);
      yield { stretch: { ids: ids.slice(at, end) }, firstDay, days };
    }
    return;
  }
  if (stretch.above >= stretch.below) return;
  const [oldest, newest] = [firstDayOf(stretch.above), firstDayOf(stretch.below - 1n)];
  for (let index = 0; index <= (newest - oldest) / days; index++) {
    const firstDay = order === 'asc' ? oldest + index * days : newest - index * days;
    yield { stretch: narrowed(stretch, idsOfDays(firstDay, days)), firstDay, days };
  }
}

/** Reads the row of an id. Returns undefined if there is none. */
export async function readRow(snapshot: Snapshot, id: bigint): Promise<EntryRow | undefined> {
  const { rows } = await snapshot.client.query<EntryRow>(
    /* sql */ `select ${HEAD}, e.previous, e.updated from trail.entry e
                where e.id = $1::int8 and ${inDays(dayOfId(id), 1)}`,
    [id.toString()],
  );
  return rows[0];
}

/**
 * Reads rows of a part. Each row has the total stored bytes of all values up to it. Its own values are
 * included only while that total is within the limit.
 */
export async function readStretch(
  snapshot: Snapshot,
  options: { readonly part: Part; readonly walk: Walk; readonly bytes: number },
): Promise<(EntryRow & { readonly bytes: string })[]> {
  const { walk, part } = options;
  const parameters = new Parameters();
  const sql = rowsSql({ select: HEAD, part, walk, before: options.bytes, values: parameters });
  const newest = dayOfId(BigInt(snapshot.head!.nextId));
  const { rows } =
    part.firstDay + part.days > newest - DAYS_KEPT
      ? await snapshot.query<EntryRow & { readonly bytes: string }>(sql, parameters.values)
      : await snapshot.client.query<EntryRow & { readonly bytes: string }>(sql, parameters.values);
  return rows;
}

/**
 * Returns the statement that reads the rows of a part, up to the limit of the walk. After the columns of
 * `select` it returns the total stored bytes of all values up to the row, including those `before` the part,
 * and then the values.
 */
export function rowsSql(options: {
  readonly select: string;
  readonly part: Part;
  readonly walk: Walk;
  readonly before: number;
  readonly values: SqlValues;
}): string {
  const { part, walk, values } = options;
  const { stretch } = part;
  const limit = values.add(walk.limit, 'int8');
  const before = values.add(options.before, 'int8');
  const inPart = inDays(part.firstDay, part.days);
  const conditions = conditionsSql(walk.filter, values);
  // PostgreSQL can only use a nested loop for a join with a limited lateral query. This keeps the order of
  // the array.
  const found =
    'ids' in stretch
      ? `
          select e.* from unnest(${values.add(arrayOf(stretch.ids), 'int8[]')}) as i (id)
           cross join lateral (select * from trail.entry e where e.id = i.id and ${inPart} ${conditions} limit 1) e
           limit ${limit}`
      : `
          select * from trail.entry e
           where e.id >= ${values.add(stretch.above.toString(), 'int8')} and e.id < ${values.add(stretch.below.toString(), 'int8')}
             and ${inPart} ${conditions}
           order by e.id ${walk.order} limit ${limit}`;
  const fits = `(e.bytes <= ${MAX_WALK_BYTES} or (e.number = 1 and ${before} = 0))`;
  return /* sql */ `
    select ${options.select}, e.bytes,
           case when ${fits} then e.previous end as previous, case when ${fits} then e.updated end as updated
      from (
        select e.*, ${before} + sum(coalesce(octet_length(e.previous), 0) + coalesce(octet_length(e.updated), 0))
                                  over (rows unbounded preceding) as bytes,
               row_number() over () as number
          from (${found}) e
      ) e`;
}
