import { WaltrailError } from '../errors.js';
import type { Relation } from '../pgoutput/reader.js';
import { OID_BOOL, printedBoolean } from '../tracking/boolean-text.js';
import type { Catalog, CatalogTable } from '../tracking/catalog.js';
import { indexOf } from '../tracking/catalog-index.js';
import { ruleFor } from '../tracking/match.js';
import { canonicalName, formatTable, matchesTable } from '../tracking/names.js';
import { didYouMean } from '../tracking/nearest.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { isPublishable, lineageOf, nameOf } from '../tracking/tracked.js';
import { kindOfType } from '../trail/read/decode.js';
import { memberTexts } from '../trail/read/json-text.js';
import type { RowTexts } from './rows.js';

/** Finds the tracked table with a given name. Throws EXPLAIN_TABLE_UNKNOWN and EXPLAIN_TABLE_UNTRACKED. */
export function trackedTable(
  named: string,
  { config, catalog }: { readonly config: TrackingConfig; readonly catalog: Catalog },
): CatalogTable {
  const { tables } = indexOf(catalog);
  const table = tables.get(canonicalName(named) ?? named);
  if (table === undefined) {
    const bySchema = tables.has(`public.${named}`) ? ` Did you mean "public.${named}"?` : '';
    throw new WaltrailError(
      'EXPLAIN_TABLE_UNKNOWN',
      `The source has no table "${named}".${bySchema || didYouMean(named, tables.keys())}`,
    );
  }
  const why = untracked(table, { config, catalog });
  if (why !== null) throw new WaltrailError('EXPLAIN_TABLE_UNTRACKED', `${named} is not tracked: ${why}`);
  return table;
}

/** Why a table has no entries of its own; null if it is tracked. */
function untracked(
  table: CatalogTable,
  { config, catalog }: { readonly config: TrackingConfig; readonly catalog: Catalog },
): string | null {
  const name = nameOf(table);
  if (!isPublishable(table))
    return `it is ${table.kind === 'table' ? `an ${table.persistence} table` : `a ${table.kind}`}, and the WAL has rows of permanent tables only.`;
  const root = lineageOf(table, catalog)
    .slice(1)
    .reverse()
    .find((ancestor) => ruleFor(config, nameOf(ancestor)) !== undefined);
  if (root !== undefined)
    return `it is a partition of ${formatTable(nameOf(root))}, and its rows are changes of that table.`;
  if (ruleFor(config, name) !== undefined) return null;
  const excluded = config.exclude.findIndex((pattern) => matchesTable(pattern, name));
  return excluded < 0
    ? 'no key of tables matches it.'
    : `${config.places.of(['exclude', excluded])} excludes it.`;
}

/**
 * Reads values that somebody gives as JSON, and formats them as PostgreSQL prints them. Errors repeat no
 * value. Throws EXPLAIN_VALUES_INVALID and EXPLAIN_COLUMN_UNKNOWN.
 *
 * @param options.what what is read, as errors call it
 */
export function readValues(
  json: string,
  { relation, what }: { readonly relation: Relation; readonly what: string },
): RowTexts {
  const members = memberTexts(json);
  if (members === null)
    throw new WaltrailError(
      'EXPLAIN_VALUES_INVALID',
      `${what} must be a JSON object of columns and values, such as '{"blocked": true}'.`,
    );
  const columns = new Map(relation.columns.map((column) => [column.name, column]));
  return new Map(
    [...members].map(([name, text]) => {
      const column = columns.get(name);
      if (column === undefined)
        throw new WaltrailError(
          'EXPLAIN_COLUMN_UNKNOWN',
          `${formatTable(relation)} has no column "${name}".${didYouMean(name, columns.keys())}`,
        );
      return [name, printed(text, { name, typeOid: column.typeOid })];
    }),
  );
}

/** Formats JSON as PostgreSQL prints the value of a column; null for SQL null. */
function printed(json: string, { name, typeOid }: { readonly name: string; readonly typeOid: number }) {
  if (json === 'null') return null;
  if (kindOfType(typeOid) === 'json') return json;
  if (json.startsWith('[') || json.startsWith('{'))
    throw new WaltrailError(
      'EXPLAIN_VALUES_INVALID',
      `The value of "${name}" must be a text, a number, a boolean or null, because its column is not of type json. Write an array as PostgreSQL prints it, such as "{1,2}".`,
    );
  const text = json.startsWith('"') ? (JSON.parse(json) as string) : json;
  if (typeOid !== OID_BOOL) return text;
  return printedBoolean(text) ?? text;
}
