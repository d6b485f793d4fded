import { dayOfId } from '../entry-id.js';
import { addCounts, encodedSql, noCounts, type Counting, type DimensionCounts } from './counts.js';
import { COLUMNS, type Dimension } from './dimensions.js';
import { conditionsSql, type StoredFilter } from './filter.js';
import { shownActionSql } from './moved.js';
import { Parameters } from './parameters.js';
import { arrayOf, idsOfChunks, inDays, type IdRange } from './ids.js';
import type { DayClock, Snapshot } from './snapshot.js';

/**
 * Counts the entries of a filter that are in a range of ids of one day: a statement that names the range
 * opens one partition.
 */
export async function countRange(
  snapshot: Snapshot,
  options: { readonly counting: Counting; readonly clock: DayClock; readonly range: IdRange },
): Promise<DimensionCounts> {
  const { filter, dimensions } = options.counting;
  const { above, below } = options.range;
  if (above >= below) return noCounts(dimensions);
  options.clock.reads(dayOfId(above));
  const parameters = new Parameters();
  const entries = `trail.entry e where e.id >= ${above} and e.id < ${below} ${conditionsSql(filter, parameters)}`;
  return countRows(snapshot, { entries, parameters, dimensions, filter });
}

/** Counts the entries of a filter among some ids, day by day. */
export async function countIds(
  snapshot: Snapshot,
  options: { readonly counting: Counting; readonly clock: DayClock; readonly ids: readonly number[] },
): Promise<DimensionCounts> {
  const { filter, dimensions } = options.counting;
  const counts = noCounts(dimensions);
  for (let at = 0, end: number; at < options.ids.length; at = end) {
    const day = dayOfId(options.ids[at]!);
    for (end = at + 1; end < options.ids.length && dayOfId(options.ids[end]!) === day; end++);
    options.clock.reads(day);
    const parameters = new Parameters();
    // The array is in a subquery, so that the planner does not see it: estimating each id takes as long as
    // reading its entry.
    const entries = `trail.entry e
     where e.id = any((select ${parameters.add(arrayOf(options.ids.slice(at, end)), 'int8[]')})::int8[])
       and ${inDays(day, 1)} ${conditionsSql(filter, parameters)}`;
    addCounts(counts, await countRows(snapshot, { entries, parameters, dimensions, filter }));
  }
  return counts;
}

/**
 * Counts the entries of a chunk that lie outside the filter's range of time. The rest of the filter is
 * ignored.
 */
export async function countOutside(
  snapshot: Snapshot,
  options: { readonly counting: Counting; readonly chunk: number },
): Promise<DimensionCounts> {
  const { filter, dimensions } = options.counting;
  const parameters = new Parameters();
  const { above, below } = idsOfChunks(options.chunk, options.chunk);
  const entries = `trail.entry e
     where e.id >= ${parameters.add(above.toString(), 'int8')} and e.id < ${parameters.add(below.toString(), 'int8')}
       and (e.committed_at < ${parameters.add(filter.from, 'timestamptz')}
         or e.committed_at >= ${parameters.add(filter.to, 'timestamptz')})`;
  return countRows(snapshot, { entries, parameters, dimensions, filter });
}

/**
 * Counts rows. There are many modifiers, so they are grouped alone. Of the other dimensions few combinations
 * occur, so one grouping serves all three. An entry that moved counts for both of its tenants, but under a
 * filter for a tenant only for that one: who sees one tenant must not learn of others.
 */
async function countRows(
  snapshot: Snapshot,
  options: {
    /** The entries, as `e`, with their conditions: what follows `from`. */
    readonly entries: string;
    readonly parameters: Parameters;
    readonly dimensions: readonly Dimension[];
    readonly filter: StoredFilter;
  },
): Promise<DimensionCounts> {
  const { dimensions, filter, parameters } = options;
  const others = dimensions.filter((dimension) => dimension !== 'modifiers').map(columnOf);
  const withPrevious = dimensions.includes('tenants') ? ['previous_tenant_id'] : [];
  const sets = [
    ...(dimensions.includes('modifiers') ? [[columnOf('modifiers')]] : []),
    ...(others.length > 0 ? [[...others, ...withPrevious]] : []),
  ];
  const action =
    filter.scope !== null && dimensions.includes('actions')
      ? shownActionSql(parameters.add(filter.scope, 'int4'))
      : 'e.action_id';
  const { rows } = await snapshot.query<{ dimension: Dimension; counts: Buffer | null }>(
    /* sql */ `
    with grouped as materialized (
      select ${[...dimensions.map(columnOf), ...withPrevious].join(', ')}, count(*) as entries
        from (select e.modifier_id, e.entity_type_id, ${action} as action_id, e.tenant_id, e.previous_tenant_id
                from ${options.entries}) e
       group by grouping sets (${sets.map((set) => `(${set.join(', ')})`).join(', ')}))
    ${dimensions.map((dimension) => sumsSql(dimension, filter)).join(' union all ')}`,
    parameters.values,
  );
  const counts = noCounts(dimensions);
  for (const row of rows) counts[row.dimension]!.addEncoded(row.counts);
  return counts;
}

const columnOf = (dimension: Dimension): string => COLUMNS[dimension].column;

/**
 * Returns the statement that sums the groups of a dimension. A group that is not by its column has null
 * there: the columns themselves have no nulls, except the previous tenant.
 */
function sumsSql(dimension: Dimension, { tenant }: StoredFilter): string {
  const column = columnOf(dimension);
  const groups = `select ${column} as id, entries from grouped where ${column} is not null`;
  const values =
    dimension !== 'tenants'
      ? groups
      : tenant !== null
        ? `select ${tenant} as id, entries from grouped where ${column} is not null`
        : `${groups} union all
           select previous_tenant_id, entries from grouped where previous_tenant_id is not null`;
  return /* sql */ `
    select '${dimension}' as dimension, ${encodedSql('id', 'entries')} as counts
      from (select id::int4 as id, sum(entries)::int8 as entries from (${values}) v group by 1) sums`;
}
