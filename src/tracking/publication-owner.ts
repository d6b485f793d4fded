import { ERROR_CODES } from '../errors.js';
import type { Catalog, CatalogPublication } from './catalog.js';
import { indexOf } from './catalog-index.js';
import type { PlanProblem, PlanStep } from './findings.js';
import { listNames } from './list-names.js';
import { foundIn, type Found } from './found.js';
import { neededTables } from './lookups.js';
import { ruleFor } from './match.js';
import { formatTable, isNeverTracked, type TableName } from './names.js';
import { markSql, ownerOf } from './publication-mark.js';
import type { TrackingConfig } from './rules.js';
import { lineageOf, nameOf } from './tracked.js';

/** Whose a publication is, for a YAML that is about to change it. */
export interface PublicationOwnership {
  /** It is marked as that of the YAML's source, or will be. */
  readonly isOurs: boolean;
  /** Marks the publication as that of the YAML's source; none where it is marked so. */
  readonly steps: readonly PlanStep[];
  /** Keeps the plan from being applied without a yes, for tables of others would leave the publication. */
  readonly problems: readonly PlanProblem[];
  /** Which of the tables that the YAML does not want may be taken out. */
  readonly mayDrop: (table: TableName) => boolean;
}

/** Says in the comment of a publication whose it is, and what was found. */
export const markStep = (sql: string): PlanStep => ({
  kind: 'publication_comment',
  tables: [],
  sql,
  reason:
    'says whose it is, so that the YAML of another source does not take its tables out, and what waltrail drop has to restore',
  optional: true,
});

/**
 * Finds out whose a publication is (DECISIONS 59). One that is marked as another source's is changed only
 * with a yes. One without a mark was made by hand, or by a version that made none: it is adopted silently if
 * it holds nothing but tables of this YAML, and needs a yes otherwise.
 */
export function ownershipOf(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly existing: CatalogPublication;
  /** What is remembered once the plan is applied. */
  readonly found: Found | null;
  /** The yes. */
  readonly takeOver: boolean;
}): PublicationOwnership {
  const { config, existing, found, takeOver } = options;
  const { name: source, publication } = config.source;
  const owner = ownerOf(existing);
  const mark = markSql(existing, { source, found });
  const steps =
    mark === markSql(existing, { source: owner ?? null, found: foundIn(existing) }) ? [] : [markStep(mark)];
  if (owner === source) return { isOurs: true, steps, problems: [], mayDrop: () => true };
  const isOurs = namedBy(options);
  const others = existing.tables.filter((table) => !isOurs(table));
  const isNobodys = owner === undefined && others.length === 0 && existing.schemas.length === 0;
  if (takeOver || isNobodys) return { isOurs: true, steps, problems: [], mayDrop: () => true };
  const names = listNames(others.map(formatTable));
  const effect = others.length === 0 ? '' : ` Applying this YAML would take out ${names}.`;
  return {
    isOurs: false,
    steps: [],
    problems: [
      {
        code: 'SOURCE_PUBLICATION_FOREIGN',
        message:
          owner === undefined
            ? `Publication ${publication} is marked as nobody's, and holds tables that the YAML does not name.${effect}`
            : `Publication ${publication} is marked as that of source ${owner}.${effect}`,
        remedy: ERROR_CODES.SOURCE_PUBLICATION_FOREIGN.remedy,
        tables: [],
        applyOnly: true,
      },
    ],
    mayDrop: isOurs,
  };
}

/** Tells whether the YAML names a table, or one that it is a partition of; or it is Waltrail's own. */
function namedBy({
  config,
  catalog,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): (table: TableName) => boolean {
  const lookups = new Set(neededTables(config).map(formatTable));
  return (table) => {
    if (isNeverTracked(table.schema)) return true;
    const found = indexOf(catalog).tables.get(formatTable(table));
    const lineage = found === undefined ? [table] : lineageOf(found, catalog).map(nameOf);
    return lineage.some(
      (member) => ruleFor(config, member) !== undefined || lookups.has(formatTable(member)),
    );
  };
}
