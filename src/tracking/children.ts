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
 * Tables that inherit from a tracked one and are not captured themselves. To PostgreSQL they are tables of
 * their own, but whoever reads the tracked table sees their rows. Excluded, they are left out on purpose.
 * While capture runs each is a trouble.
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

/** The same for `plan`: a warning, for nothing that it does or leaves undone changes it. */
export const childFindings = (given: Given): Findings => ({
  problems: [],
  warnings: about(
    childProblems(given).flatMap(({ tables }) => tables),
    (names, isOne) =>
      `${names} ${isOne ? 'inherits' : 'inherit'} from tracked tables, whose readers also see ${isOne ? 'its' : 'their'} rows, and ` +
      `${isOne ? 'is' : 'are'} not captured: a gap while capture runs. Name ${isOne ? 'it' : 'them'} under tables in the YAML, or under exclude ` +
      `to leave ${isOne ? 'its' : 'their'} rows out on purpose.`,
  ),
});

const isCaptured = (table: CatalogTable, config: TrackingConfig): boolean =>
  ruleFor(config, nameOf(table)) !== undefined && isPublishable(table);

/** What a table inherits from, its parents first. */
function ancestorsOf(table: CatalogTable, catalog: Catalog): CatalogTable[] {
  const found = new Set<CatalogTable>();
  let level: readonly CatalogTable[] = [table];
  while (level.length > 0) {
    const parents = level.flatMap(({ inherits }) =>
      inherits.flatMap((parent) => indexOf(catalog).tables.get(formatTable(parent)) ?? []),
    );
    // Of several ways to an ancestor one is enough.
    level = parents.filter((parent) => !found.has(parent));
    for (const parent of level) found.add(parent);
  }
  return [...found];
}

function uncaptured(table: CatalogTable, parent: CatalogTable): PlanProblem {
  const key = keyOf(table);
  const excluding = `list ${key} under exclude in the YAML, which leaves its rows out on purpose`;
  const shown = `whoever reads ${keyOf(parent)}, which is tracked, also reads the rows of ${key}, which inherits from it`;
  const concerns = { code: 'TRACKING_CHILD_UNTRACKED', tables: [key], effect: 'not captured' } as const;
  if (isPublishable(table))
    return {
      ...concerns,
      message: `${shown} and is not tracked.`,
      remedy: `Name ${key} under tables in the YAML and run waltrail apply; or ${excluding}.`,
    };
  const kind = table.persistence === 'unlogged' ? 'unlogged table' : table.kind;
  return {
    ...concerns,
    message: `${shown}, and changes of ${kind === 'unlogged table' ? 'an' : 'a'} ${kind} are not in the WAL.`,
    remedy: `${excluding[0]!.toUpperCase()}${excluding.slice(1)}.`,
  };
}
