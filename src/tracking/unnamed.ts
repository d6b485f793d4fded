import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { ruleFor } from './match.js';
import type { Findings, PlanProblem } from './findings.js';
import type { TrackingConfig } from './rules.js';
import { isPublishable, keyOf, nameOf } from './tracked.js';

/**
 * Reports tables that a pattern matches and no statement can name. They cannot be added to the publication,
 * but must not prevent publishing other tables.
 */
export function unnamedFindings({
  config,
  catalog,
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): Findings {
  const { publication } = config.source;
  const held = catalog.publications.find(({ name }) => name === publication);
  const isHeld = (table: CatalogTable): boolean =>
    held !== undefined && indexOf(catalog).entries.get(held)?.has(keyOf(table)) === true;
  const uncaptured = catalog.unnamed.filter(
    (table) => isPublishable(table) && ruleFor(config, nameOf(table)) !== undefined && !isHeld(table),
  );
  return { problems: uncaptured.map(cannotBeNamed), warnings: [] };
}

const cannotBeNamed = (table: CatalogTable): PlanProblem => ({
  code: 'SOURCE_PUBLICATION_INCOMPLETE',
  message: `${keyOf(table)} cannot be published: its name is not valid text in the source's encoding, so no statement can name it.`,
  remedy: `Rename the table in a DO block, by its oid (${table.oid}), then run waltrail apply.`,
  tables: [keyOf(table)],
  effect: 'not captured',
});
