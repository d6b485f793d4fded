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

/** The owner of a publication, as it matters to a YAML that would change it. */
export interface PublicationOwnership {
  /** Whether it belongs to the YAML's source, or will. */
  readonly isOurs: boolean;
  /** Steps that mark the publication with the YAML's source; none if it is marked so already. */
  readonly steps: readonly PlanStep[];
  /**
   * Problems that prevent applying the plan without `--take-over`, because tables of another source would
   * leave the publication.
   */
  readonly problems: readonly PlanProblem[];
  /** Whether a table that the YAML does not want may leave the publication. */
  readonly mayDrop: (table: TableName) => boolean;
}

/** The step that writes the owner of a publication, and what was found, into its comment. */
export const markStep = (sql: string): PlanStep => ({
  kind: 'publication_comment',
  tables: [],
  sql,
  reason:
    'names its source, so that the YAML of another source does not remove its tables, and stores what waltrail drop has to restore',
  optional: true,
});

/**
 * Finds the owner of a publication (DECISIONS 59). One with the mark of another source is changed only with
 * `takeOver`. One without a mark was created by hand, or by an old version. It is adopted silently if all its
 * tables belong to this YAML, and only with `takeOver` otherwise.
 */
export function ownershipOf(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly existing: CatalogPublication;
  /** What is stored in the comment once the plan is applied. */
  readonly found: Found | null;
  /** Whether a publication of another owner may be changed. */
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
  const effect = others.length === 0 ? '' : ` Applying this YAML would remove ${names} from it.`;
  return {
    isOurs: false,
    steps: [],
    problems: [
      {
        code: 'SOURCE_PUBLICATION_FOREIGN',
        message:
          owner === undefined
            ? `Publication ${publication} has no mark of Waltrail, and holds tables that the YAML does not name.${effect}`
            : `Publication ${publication} belongs to source ${owner}.${effect}`,
        remedy: ERROR_CODES.SOURCE_PUBLICATION_FOREIGN.remedy,
        tables: [],
        applyOnly: true,
      },
    ],
    mayDrop: isOurs,
  };
}

/**
 * Returns whether the YAML names a table, or one that it is a partition of, or whether the table is
 * Waltrail's own.
 */
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
