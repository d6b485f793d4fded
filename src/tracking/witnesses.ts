import type { Catalog } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { witnessTables } from './lookups.js';
import { formatTable } from './names.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, lineageOf } from './tracked.js';

/**
 * Whether the source sends each new row of every audit table in the YAML. Otherwise a witness that was not
 * sent may contradict those that were.
 */
export function areWitnessesSent(config: TrackingConfig, catalog: Catalog): boolean {
  const tables = witnessTables(config);
  if (tables.length === 0) return true;
  const publication = catalog.publications.find(({ name }) => name === config.source.publication);
  if (publication?.publish.includes('insert') !== true) return false;
  const whole = new Set(
    publication.tables
      .filter(({ rowFilter, columnList }) => rowFilter === null && columnList === null)
      .map(formatTable),
  );
  return tables.every((name) => {
    const table = indexOf(catalog).tables.get(formatTable(name));
    if (table === undefined) return false;
    return lineageOf(table, catalog).some(
      (member) =>
        publication.allTables || whole.has(keyOf(member)) || publication.schemas.includes(member.schema),
    );
  });
}
