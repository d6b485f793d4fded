import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import type { Findings, PlanProblem } from './findings.js';
import { about } from './list-names.js';
import { ruleFor } from './match.js';
import { formatTable, matchesTable } from './names.js';
import type { TrackingConfig } from './rules.js';
import { isPublishable, keyOf, nameOf } from './tracked.js';

type Given = { readonly config: TrackingConfig; readonly catalog: Catalog };

/**
 * Returns a trouble for each table that inherits from a tracked one and is not captured itself. To PostgreSQL
 * it is a table of its own, but queries of the tracked table also return its rows. A table under `exclude` is
 * left out on purpose and is no trouble.
 */
export function childProblems({ config, catalog }: Given): PlanProblem[] {
  return catalog.tables.flatMap((table): PlanProblem[] => {
    if (table.inherits.length === 0 || table.persistence === 'temporary') return [];
    const name = nameOf(table);
    if (ruleFor(config, name) !== undefined && isPublishable(table)) return [];
    if (config.exclude.some((pattern) => matchesTable(pattern, name))) return [];
    const parent = ancestorsOf(table, catalog).find((ancestor) => isCaptured(ancestor, config));
    return parent === undefined ? [] : [uncaptured(table, parent)];
  });
}

/** The same for `plan`, as warnings: whatever `apply` does or leaves out, these tables stay as they are. */
export const childFindings = (given: Given): Findings => ({
  problems: [],
  warnings: about(
    childProblems(given).flatMap(({ tables }) => tables),
    (names, isOne) =>
      `${names} ${isOne ? 'inherits' : 'inherit'} from tracked tables and ${isOne ? 'is' : 'are'} not captured. Queries of the tracked tables ` +
      `also return ${isOne ? 'its' : 'their'} rows, so there is a gap while capture runs. Name ${isOne ? 'it' : 'them'} under tables in the YAML, or under exclude ` +
      `to leave ${isOne ? 'its' : 'their'} rows out on purpose.`,
  ),
});

const isCaptured = (table: CatalogTable, config: TrackingConfig): boolean =>
  ruleFor(config, nameOf(table)) !== undefined && isPublishable(table);

/** Returns all tables that a table inherits from, direct parents first. */
function ancestorsOf(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const found = new Set<CatalogTable>();
  let level: readonly CatalogTable[] = [table];
  while (level.length > 0) {
    const parents = level.flatMap(({ inherits }) =>
      inherits.flatMap((parent) => indexOf(catalog).tables.get(formatTable(parent)) ?? []),
    );
    // An ancestor may be reached in several ways; it is visited once.
    level = parents.filter((parent) => !found.has(parent));
    for (const parent of level) found.add(parent);
  }
  return [...found];
}

function uncaptured(table: CatalogTable, parent: CatalogTable): PlanProblem {
  const key = keyOf(table);
  const excluding = `list ${key} under exclude in the YAML to leave its rows out on purpose`;
  const shown = `${key} inherits from ${keyOf(parent)}, which is tracked, so queries of ${keyOf(parent)} also return its rows`;
  const concerns = { code: 'TRACKING_CHILD_UNTRACKED', tables: [key], effect: 'not captured' } as const;
  if (isPublishable(table))
    return {
      ...concerns,
      message: `${shown}. But ${key} is not tracked.`,
      remedy: `Name ${key} under tables in the YAML and run waltrail apply; or ${excluding}.`,
    };
  const kind = table.persistence === 'unlogged' ? 'unlogged table' : table.kind;
  return {
    ...concerns,
    message: `${shown}. But ${key} is ${kind === 'unlogged table' ? 'an' : 'a'} ${kind}, whose changes are not in the WAL.`,
    remedy: `${excluding[0]!.toUpperCase()}${excluding.slice(1)}.`,
  };
}
