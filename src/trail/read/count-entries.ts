import { dayOfId } from '../entry-id.js';
import {
  addCounts,
  encodedSql,
  forEachGroup,
  NONE,
  noCounts,
  type Counting,
  type DimensionCounts,
} from './counts.js';
import { COLUMNS, type Dimension } from './dimensions.js';
import { conditionsSql, takesTurns, type StoredFilter } from './filter.js';
import { shownActionSql } from './moved.js';
import { Parameters } from './parameters.js';
import { arrayOf, idsOfChunks, inDays, type IdRange } from './ids.js';
import { inTurn, type DayClock, type Snapshot } from './snapshot.js';

/**
 * Counts the entries of a filter in a range of ids of one day. The statement names the range, so it opens
 * only one partition.
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
  return countInTurn(snapshot, { entries, parameters, dimensions, filter, clock: options.clock });
}

/** Counts the entries among some ids that match a filter, day by day. */
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
    // The array is in a subquery to hide it from the planner, which would estimate each id. That takes as
    // long as reading the id's entry.
    const entries = `trail.entry e
     where e.id = any((select ${parameters.add(arrayOf(options.ids.slice(at, end)), 'int8[]')})::int8[])
       and ${inDays(day, 1)} ${conditionsSql(filter, parameters)}`;
    addCounts(
      counts,
      await countInTurn(snapshot, { entries, parameters, dimensions, filter, clock: options.clock }),
    );
  }
  return counts;
}

/**
 * Counts the entries of a chunk that lie outside the filter's time range. The rest of the filter is ignored.
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

interface CountedRows {
  /** The entries, as `e`, with their conditions: the SQL that follows `from`. */
  readonly entries: string;
  readonly parameters: Parameters;
  readonly dimensions: readonly Dimension[];
  readonly filter: StoredFilter;
}

const countInTurn = (
  snapshot: Snapshot,
  { clock, ...rows }: CountedRows & { readonly clock: DayClock },
): Promise<DimensionCounts> =>
  inTurn(snapshot, { clock, takesTurns: takesTurns(rows.filter) }, () => countRows(snapshot, rows));

/**
 * Counts rows. Modifiers are grouped alone, because there are many of them. The other dimensions have few
 * combinations, so one grouping serves all three. An entry that moved counts for both of its tenants. Under a
 * filter for a tenant it counts only for that tenant, because a reader of one tenant must not learn of
 * others.
 */
async function countRows(snapshot: Snapshot, options: CountedRows): Promise<DimensionCounts> {
  const { dimensions, filter, parameters } = options;
  const action =
    filter.scope !== null && dimensions.includes('actions')
      ? shownActionSql(parameters.add(filter.scope, 'int4'))
      : 'e.action_id';
  const together = dimensions.filter((dimension) => dimension !== 'modifiers');
  const columns = together.map((dimension) =>
    dimension === 'actions' ? action : `e.${COLUMNS[dimension].column}`,
  );
  if (together.includes('tenants')) columns.push('e.previous_tenant_id');
  const names = columns.map((_, index) => `g${index}`);
  // If both groupings are wanted, a group has either a modifier or the other dimensions.
  const alone = dimensions.includes('modifiers') ? ['e.modifier_id'] : [];
  const selected = [
    ...alone.map((column) => `${column} as modifier`),
    ...columns.map((column, index) => `${column} as ${names[index]!}`),
  ];
  const sets = [alone, columns].filter(({ length }) => length > 0).map((set) => `(${set.join(', ')})`);
  const { rows } = await snapshot.query<{ modifiers: Buffer | null; groups: Buffer | null }>(
    /* sql */ `
    select ${alone.length > 0 ? `${encodedSql(['modifier'], 'n')} filter (where modifier is not null)` : 'null::bytea'} as modifiers,
           ${encodedSql(names, 'n')} ${alone.length > 0 ? 'filter (where modifier is null)' : ''} as groups
      from (select ${selected.join(', ')}, count(*) as n
              from ${options.entries} group by grouping sets (${sets.join(', ')})) grouped`,
    parameters.values,
  );
  const counts = noCounts(dimensions);
  counts.modifiers?.addEncoded(rows[0]!.modifiers);
  forEachGroup({ encoded: rows[0]!.groups, ids: names.length }, (group, count) => {
    for (const [index, dimension] of together.entries())
      counts[dimension]!.add(
        dimension === 'tenants' ? (filter.tenant ?? group[index]!) : group[index]!,
        count,
      );
    const previous = group[together.length] ?? NONE;
    if (previous !== NONE && filter.tenant === null) counts.tenants!.add(previous, count);
  });
  return counts;
}
