import type { Catalog } from './catalog.js';
import { formatBytes } from './format.js';
import { applyProblems, type IdentityCost, type PlanProblem, type TrackingPlan } from './findings.js';
import type { TrackingConfig } from './rules.js';

/** A plan for a terminal: the SQL can be copied and run as it stands. */
export function planText(options: {
  readonly plan: TrackingPlan;
  readonly catalog: Catalog;
  readonly config: TrackingConfig;
}): string {
  const { plan, catalog, config } = options;
  const version = catalog.server.version;
  const blocking = applyProblems(plan);
  const others = plan.problems.filter((problem) => !blocking.includes(problem));
  const sections = [
    `Source ${config.source.name}: database ${catalog.server.database}, PostgreSQL ${Math.floor(version / 10_000)}.${version % 10_000}, role ${catalog.role.name}`,
    stepsText(plan),
    plan.costs.length === 0 ? '' : costsText(plan.costs),
    list('To know', plan.warnings),
    list('Advice (apply does none of it)', plan.advice),
    problemsText('Problems (nothing is applied before they are solved)', blocking),
    problemsText(
      'Problems of capture (they do not stand in the way of apply)',
      others.filter(({ tables }) => tables.length === 0),
    ),
    problemsText(
      'Problems of single tables (the others are applied without them)',
      others.filter(({ tables }) => tables.length > 0),
    ),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function stepsText({ steps, problems, lock, configurationSql }: TrackingPlan): string {
  if (steps.length === 0)
    return problems.length > 0 ? '' : 'Nothing to do: the source is as the YAML wants it.';
  return [
    'Steps, in one transaction',
    "begin;\nset local lock_timeout = '5s';",
    ...(lock === null
      ? []
      : [`-- no row of these tables is written between two configurations\n${lock.sql};`]),
    ...steps.map(({ sql, reason }) => `-- ${reason}\n${sql};`),
    ...(configurationSql === null
      ? []
      : [`-- from here on, capture works by this configuration\n${configurationSql};`]),
    'commit;',
  ].join('\n');
}

function costsText(costs: readonly IdentityCost[]): string {
  const header = ['table', 'columns', 'row', 'updates + deletes/day', 'WAL/day'];
  const rows = costs.map(({ table, columns, rowBytes, changesPerDay, walBytesPerDay }) => [
    table,
    String(columns),
    rowBytes === null ? 'no rows yet' : formatBytes(rowBytes),
    changesPerDay === null ? 'not known yet' : Math.round(changesPerDay).toLocaleString('en'),
    walBytesPerDay === null ? 'not known yet' : formatBytes(walBytesPerDay),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ');
  return [
    'Replica identity full adds the old row to the WAL of each update and delete',
    line(header),
    ...rows.map(line),
  ].join('\n');
}

const problemsText = (title: string, problems: readonly PlanProblem[]): string =>
  list(
    title,
    problems.map(({ code, message, remedy }) => `${code}: ${message}\n${remedy}`),
  );

const list = (title: string, items: readonly string[]): string =>
  items.length === 0 ? '' : [title, ...items.map((item) => `- ${item.replaceAll('\n', '\n  ')}`)].join('\n');
