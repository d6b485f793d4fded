import type { BaselineTable } from './baseline.js';
import { rowsOf } from './forecast.js';
import { listNames } from './list-names.js';
import type { TrackingConfig } from './rules.js';
import type { Statistics } from './statistics.js';

/** How many entries the baseline of a table adds to the trail, estimated from the table's statistics. */
export interface BaselineCost {
  readonly table: string;
  /** Rows; each makes one entry. Null: PostgreSQL has not counted them. */
  readonly rows: number | null;
  readonly maxRows: number;
  /** The key of `tables` that asks for it. */
  readonly pattern: string;
}

/** Forecasts the baselines of tables that can be read. Pure. */
export const baselineCosts = (
  tables: readonly BaselineTable[],
  { members }: Statistics,
): readonly BaselineCost[] =>
  tables
    .filter(({ hindrance }) => hindrance === null)
    .map(({ key, pattern, parts, maxRows }) => {
      const found = parts.flatMap(({ oid }) => members.get(oid) ?? []);
      const isKnown =
        found.length === parts.length &&
        found.every(({ liveRows, analyzedRows }) => liveRows > 0 || analyzedRows >= 0);
      const rows = found.reduce((sum, member) => sum + rowsOf(member), 0);
      return { table: key, rows: isKnown ? rows : null, maxRows, pattern };
    });

/** The forecast as text for a terminal; empty if there is no baseline. */
export function baselineText(costs: readonly BaselineCost[], { places }: TrackingConfig): string {
  if (costs.length === 0) return '';
  const fit = costs.filter(({ rows, maxRows }) => rows !== null && rows <= maxRows);
  const large = costs.filter(({ rows, maxRows }) => rows !== null && rows > maxRows);
  const unknown = costs.filter(({ rows }) => rows === null).map(({ table }) => table);
  const entries = fit.reduce((sum, { rows }) => sum + rows!, 0);
  return [
    'Baselines: one entry for each existing row, once, when tracking of the table begins',
    ...(fit.length === 0
      ? []
      : [
          `- about ${count(entries)} entries: ${listNames(fit.map(({ table, rows }) => `${table} (${count(rows!)})`))}`,
        ]),
    ...large.map(
      ({ table, rows, maxRows, pattern }) =>
        `- none of ${table}: it has about ${count(rows!)} rows, more than the limit of ${count(maxRows)} (${places.of(['tables', pattern, 'baseline'])})`,
    ),
    ...(unknown.length === 0
      ? []
      : [`- unknown number of entries, because the tables were never analyzed: ${listNames(unknown)}`]),
  ].join('\n');
}

const count = (number: number): string => Math.round(number).toLocaleString('en');
