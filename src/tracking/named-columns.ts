import type { Catalog, CatalogTable } from './catalog.js';
import { usesOfTable } from './column-uses.js';
import { formatPath } from './document.js';
import { columnsMeant } from './member-path.js';
import { formatTable, type ColumnName } from './names.js';
import type { TrackingNote } from './published-change.js';
import { knownName, type PublishedState, type PublishedTableState } from './published.js';
import { decisionFor, exemptColumns, wholeRedaction } from './redact.js';
import type { TrackingConfig } from './rules.js';
import type { TableTrouble } from './troubles.js';
import { valueKind } from './value-kind.js';

/**
 * Adds to the state the columns that the YAML or the defaults name, by attribute number, so that they are
 * recognised after a rename. A renamed column is redacted as before until a rule of `redact` has its new
 * name.
 *
 * A pending configuration counts too: a column that it redacts may be renamed before the stream reaches its
 * position.
 *
 * @param options.last the previous look; undefined: there is none
 */
export function withNamedColumns(options: {
  readonly config: TrackingConfig;
  /** The configuration of the file if it is not in effect yet, else null. */
  readonly pending: TrackingConfig | null;
  readonly catalog: Catalog;
  readonly last: PublishedState | undefined;
  readonly now: PublishedState;
}): PublishedState {
  const { catalog, last, now } = options;
  const byOid = new Map([...catalog.tables, ...catalog.unnamed].map((table) => [table.oid, table]));
  const tables = Object.entries(now.tables).map(([oid, state]): [string, PublishedTableState] => {
    const table = byOid.get(oid);
    const before = last?.tables[oid]?.named ?? {};
    if (table === undefined) return [oid, { ...state, named: before }];
    return [oid, { ...state, ...namedIn({ ...options, state, table, before }) }];
  });
  return { ...now, tables: Object.fromEntries(tables) };
}

function namedIn(options: {
  readonly config: TrackingConfig;
  readonly pending: TrackingConfig | null;
  readonly catalog: Catalog;
  readonly state: PublishedTableState;
  readonly table: CatalogTable;
  readonly before: Readonly<Record<string, ColumnName>>;
}): Pick<PublishedTableState, 'named' | 'renamed'> {
  const { config, pending, catalog, state, table, before } = options;
  const known = knownName(state);
  const rules = [config, ...(pending === null ? [] : [pending])].map((by) => ({
    by,
    exempt: exemptColumns(by, known, table.primaryKey),
  }));
  const uses = new Set(usesOfTable(config, known).flatMap(({ column }) => columnsMeant(column)));
  const types = new Map(table.columns.map(({ name, typeOid }) => [name, valueKind(typeOid, catalog.types)]));
  const names = new Set(types.keys());
  const named: Record<string, ColumnName> = { ...before };
  const renamed: Record<string, string> = {};
  for (const { number, name: column, dropped } of table.attributes) {
    if (dropped) continue;
    const kind = types.get(column)!;
    const isRedacted = (name: ColumnName): boolean =>
      rules.some(({ by, exempt }) => wholeRedaction(by, name, { kind, exempt: exempt.has(column) }) !== null);
    const name = { ...known, column };
    const earlier = before[number];
    const keeps = earlier !== undefined && earlier.column !== column && isRedacted(earlier);
    const isAllowed = decisionFor(config, name, { exempt: false }) === 'allow';
    if (isRedacted(name) || isAllowed || (uses.has(column) && !keeps)) named[number] = name;
    else if (
      earlier !== undefined &&
      earlier.column !== column &&
      (keeps || (uses.has(earlier.column) && !names.has(earlier.column)))
    )
      renamed[earlier.column] = column;
  }
  return { named, ...(Object.keys(renamed).length === 0 ? {} : { renamed }) };
}

/** Troubles for columns that the YAML names and that now have another name on the source, by table. */
export function renamedTroubles(config: TrackingConfig, { tables }: PublishedState): TableTrouble[] {
  return Object.values(tables).flatMap((state) => {
    const renamed = Object.entries(state.renamed ?? {});
    if (renamed.length === 0) return [];
    const known = knownName(state);
    const table = formatTable(known);
    const uses = usesOfTable(config, known);
    const sentences = renamed.map(([column, today]) => {
      const keys = uses
        .filter((use) => columnsMeant(use.column).includes(column))
        .map(({ path }) => formatPath(path));
      const what =
        keys.length === 0
          ? 'its values are still redacted as before'
          : `${keys.join(', ')} ${keys.length === 1 ? 'needs' : 'need'} it`;
      return `Column "${column}" was renamed to "${today}"; ${what}.`;
    });
    return [
      {
        table,
        code: 'TRACKING_COLUMN_RENAMED',
        message: `On the source, ${table}: ${sentences.join(' ')}`,
        remedy:
          'Use the new column names in the YAML, also under redact, then run waltrail reload. List a column that is no longer a secret under secrets.allow.',
        effect: 'as far as possible',
      },
    ];
  });
}

/** Notes about columns that the YAML names and that were renamed since the last look. */
export const renameNotes = (last: PublishedState | undefined, now: PublishedState): TrackingNote[] =>
  Object.entries(now.tables).flatMap(([oid, state]) => {
    const before = last?.tables[oid]?.renamed ?? {};
    return Object.entries(state.renamed ?? {})
      .filter(([column, today]) => before[column] !== today)
      .map(([column, today]) => ({
        subject: formatTable(knownName(state)),
        before: `column ${column}`,
        after: `column ${today}`,
      }));
  });
