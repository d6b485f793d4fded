import type pg from 'pg';
import type { WidenedTable } from '../tracking/findings.js';
import { forecast, type IdentityCost } from '../tracking/forecast.js';
import { formatBytes, formatDuration } from '../tracking/format.js';
import { DEFAULT_BASELINE_ROWS } from '../tracking/rules.js';
import { readStatistics, type MemberStatistics, type Statistics } from '../tracking/statistics.js';

/** WAL that a full replica identity adds for tables. */
export interface Costs {
  /** Sentences by table, for those whose cost matters. */
  readonly byTable: ReadonlyMap<string, readonly string[]>;
  /** Tables with more rows than a baseline may have. */
  readonly large: ReadonlySet<string>;
  /** All of them together, as sentences. */
  readonly total: readonly string[];
}

/** Number of tables per query, so that no statement takes long. */
const TABLES_AT_ONCE = 100;
/** Below these figures the cost of a table is not mentioned. */
const MANY_CHANGES = 10_000;
const WIDE_ROW_BYTES = 2_000;
const LARGE_VALUES_BYTES = 8 * 1024 * 1024;
const MANY_ROWS = 1_000_000;

/** Forecasts costs as plan does, from the counts and samples of PostgreSQL. Reads no row. */
export async function readCosts(
  client: pg.Client,
  widened: readonly WidenedTable[],
  { progress }: { readonly progress: (done: number) => void },
): Promise<Costs> {
  const members = new Map<string, MemberStatistics>();
  let windowSeconds: number | null = null;
  for (let at = 0; at < widened.length; at += TABLES_AT_ONCE) {
    progress(at);
    const part = widened.slice(at, at + TABLES_AT_ONCE);
    const found = await readStatistics(
      client,
      part.flatMap(({ oids }) => oids),
    );
    windowSeconds = found.windowSeconds;
    for (const [oid, member] of found.members) members.set(oid, member);
  }
  return costsOf(widened, { windowSeconds, members });
}

/** Describes costs by statistics. Pure. */
export function costsOf(widened: readonly WidenedTable[], statistics: Statistics): Costs {
  const costs = forecast(widened, statistics);
  const byTable = widened.map(({ table, oids }, index): [string, readonly string[]] => [
    table,
    sentencesOf(
      costs[index]!,
      oids.flatMap((oid) => statistics.members.get(oid) ?? []),
    ),
  ]);
  const large = widened.filter(
    ({ oids }) => rowsIn(oids.flatMap((oid) => statistics.members.get(oid) ?? [])) > DEFAULT_BASELINE_ROWS,
  );
  return {
    large: new Set(large.map(({ table }) => table)),
    byTable: new Map(byTable.filter(([, sentences]) => sentences.length > 0)),
    total: totalOf(costs),
  };
}

const rowsIn = (members: readonly MemberStatistics[]): number =>
  sum(members.map(({ liveRows, analyzedRows }) => Math.max(liveRows, analyzedRows, 0)));

function sentencesOf(cost: IdentityCost, members: readonly MemberStatistics[]): readonly string[] {
  const rows = rowsIn(members);
  const large = sum(members.map(({ large }) => large?.bytes ?? 0));
  const isHot = cost.changes >= MANY_CHANGES || (cost.rowBytes ?? 0) >= WIDE_ROW_BYTES;
  return [
    ...(rows >= MANY_ROWS ? [`about ${count(rows)} rows`] : []),
    ...(isHot ? [hot(cost)] : []),
    ...(large >= LARGE_VALUES_BYTES
      ? [`${formatBytes(large)} of its values are stored outside the rows (TOAST); the old row includes them`]
      : []),
  ];
}

function hot({
  rowBytes,
  changes,
  changesPerDay,
  walBytesPerDay,
  unknown,
  windowSeconds,
}: IdentityCost): string {
  const bytes =
    rowBytes === null ? `an unknown number of bytes (${unknown!})` : `about ${formatBytes(rowBytes)}`;
  const rate =
    changesPerDay !== null && walBytesPerDay !== null
      ? `${count(changesPerDay)} of them a day, ${formatBytes(walBytesPerDay)}`
      : `${count(changes)} of them${windowSeconds === null ? '' : ` in ${formatDuration(windowSeconds)}`}`;
  return `the old row adds ${bytes} to the WAL for each update and delete: ${rate}`;
}

/** What all tables together add to the WAL, and for how many tables that is not known. */
function totalOf(costs: readonly IdentityCost[]): readonly string[] {
  const known = costs.filter(({ walBytes }) => walBytes !== null);
  const unknown = costs.length - known.length;
  const bytes = sum(known.map(({ walBytes }) => walBytes!));
  const window = costs[0]?.windowSeconds == null ? '' : ` over ${formatDuration(costs[0].windowSeconds)}`;
  return [
    ...(bytes === 0
      ? []
      : [
          `The old rows of ${known.length} tables would have added ${formatBytes(bytes)} to the WAL${window} (replica identity full).`,
        ]),
    ...(unknown === 0
      ? []
      : [`What the old rows of ${unknown} tables add to the WAL is not known: waltrail plan says why.`]),
  ];
}

const count = (number: number): string => Math.round(number).toLocaleString('en');

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
