import { baselineText, type BaselineCost } from './baseline-cost.js';
import type { Catalog } from './catalog.js';
import { formatBytes, formatDuration } from './format.js';
import type { IdentityCost } from './forecast.js';
import { applyProblems, type PlanProblem, type TrackingPlan } from './findings.js';
import { about, listNames } from './list-names.js';
import type { TrackingConfig } from './rules.js';

/** Formats a plan for a terminal. The SQL can be copied and run without changes. */
export function planText(options: {
  readonly plan: TrackingPlan;
  /** Costs of the tables that get replica identity full. */
  readonly costs: readonly IdentityCost[];
  readonly baselines: readonly BaselineCost[];
  readonly catalog: Catalog;
  readonly config: TrackingConfig;
}): string {
  const { plan, costs, baselines, catalog, config } = options;
  const version = catalog.server.version;
  const blocking = applyProblems(plan);
  const others = plan.problems.filter((problem) => !blocking.includes(problem));
  const sections = [
    `Source ${config.source.name}: database ${catalog.server.database}, PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}, role ${catalog.role.name}`,
    stepsText(plan),
    costs.length === 0 ? '' : costsText(costs),
    baselineText(baselines, config),
    list('Warnings', plan.warnings),
    list('Advice (apply does none of it)', plan.advice),
    problemsText('Problems (nothing is applied until they are solved)', blocking),
    problemsText(
      'Problems of capture (apply works nevertheless)',
      others.filter(({ tables }) => tables.length === 0),
    ),
    problemsText(
      'Problems of single tables (all other tables are applied)',
      others.filter(({ tables }) => tables.length > 0),
    ),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function stepsText({ steps, problems, lock, configurationSql }: TrackingPlan): string {
  if (steps.length === 0)
    return problems.length > 0 ? '' : 'Nothing to do: the source is as the YAML wants it.';
  return ['Steps, in one transaction', planSql({ steps, lock, configurationSql })].join('\n');
}

/**
 * Returns the SQL of a plan in one transaction. The reason for each statement stands above it. Empty: there
 * are no steps.
 */
export function planSql({
  steps,
  lock,
  configurationSql,
}: Pick<TrackingPlan, 'steps' | 'lock' | 'configurationSql'>): string {
  if (steps.length === 0) return '';
  return [
    "begin;\nset local lock_timeout = '5s';",
    ...(lock === null
      ? []
      : [`-- no row of these tables is written while the configuration changes\n${lock.sql};`]),
    ...steps.map(({ sql, reason }) => `-- ${reason}\n${sql};`),
    ...(configurationSql === null
      ? []
      : [`-- from this position on, capture uses this configuration\n${configurationSql};`]),
    'commit;',
  ].join('\n');
}

function costsText(costs: readonly IdentityCost[]): string {
  const header = ['table', 'columns', 'row', 'updates + deletes', 'WAL', 'WAL/day'];
  const rows = costs.map(({ table, columns, rowBytes, changes, walBytes, walBytesPerDay }) => [
    table,
    String(columns),
    rowBytes === null ? 'unknown' : formatBytes(rowBytes),
    changes.toLocaleString('en'),
    walBytes === null ? 'unknown' : formatBytes(walBytes),
    walBytesPerDay === null ? 'unknown' : formatBytes(walBytesPerDay),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ');
  const { windowSeconds } = costs[0]!;
  const window =
    windowSeconds === null
      ? "updates, deletes and WAL: since the source's counters were reset"
      : `updates, deletes and WAL: over the last ${formatDuration(windowSeconds)}` +
        (windowSeconds < DAY_S ? ', too short for a rate per day' : '');
  return [
    `Replica identity full adds the old row to the WAL of each update and delete (${window})`,
    line(header),
    ...rows.map(line),
    ...unknownRows(costs),
  ].join('\n');
}

const DAY_S = 86_400;

/** Returns one line for each reason why rows are unknown, with the tables. */
function unknownRows(costs: readonly IdentityCost[]): string[] {
  const reasons = new Set(costs.flatMap(({ unknown }) => unknown ?? []));
  return [...reasons].map((reason) => {
    const tables = costs.filter(({ unknown }) => unknown === reason).map(({ table }) => table);
    return `unknown, ${reason}: ${listNames(tables)}`;
  });
}

/** The most problems of one code that are printed completely. */
const MAX_PRINTED = 5;

/** Prints the first problems of each code completely, and only the tables of the others. */
function problemsText(title: string, problems: readonly PlanProblem[]): string {
  const codes = new Set(problems.map(({ code }) => code));
  const items = [...codes].flatMap((code) => {
    const same = problems.filter((problem) => problem.code === code);
    const others = same.slice(MAX_PRINTED).flatMap(({ tables }) => tables);
    return [
      ...same.slice(0, MAX_PRINTED).map(({ message, remedy }) => `${code}: ${message}\n${remedy}`),
      ...about(others, (names) => `${code}: the same for ${names} (details: waltrail plan --json)`),
    ];
  });
  return list(title, items);
}

const list = (title: string, items: readonly string[]): string =>
  items.length === 0 ? '' : [title, ...items.map((item) => `- ${item.replaceAll('\n', '\n  ')}`)].join('\n');
