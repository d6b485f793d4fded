import type { ErrorCode } from '../errors.js';
import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { childProblems } from './children.js';
import { formatTable } from './names.js';
import type { PlanProblem, PlanStep, TrackingPlan, TroubleEffect } from './findings.js';
import { planTracking } from './plan.js';
import { refusesWrites } from './refusal.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, partitionsOf } from './tracked.js';

/** What is wrong with one table on the source, while the others are captured. */
export interface TableTrouble {
  /** Canonical `schema.table`, or the pattern of the YAML that matches no table. */
  readonly table: string;
  readonly code: ErrorCode;
  /** Names the table and the source. */
  readonly message: string;
  /** A sentence with the statement or command that fixes it. */
  readonly remedy: string;
  /** What it means for the trail or for the application. */
  readonly effect: TroubleEffect;
}

/**
 * Returns all troubles of single tables. The YAML wants a table that the source lacks or does not send
 * completely, or PostgreSQL refuses writes because the table is published. At most one for each table and
 * code; refused writes come first. Pure, so it can be called again at each change of the source.
 */
export function troublesOf(
  options: { readonly config: TrackingConfig; readonly catalog: Catalog },
  { problems, steps }: TrackingPlan = planTracking(options),
): TableTrouble[] {
  const found = [
    ...refusals(options),
    ...[...problems, ...childProblems(options)].flatMap(ofProblem),
    ...steps.flatMap((step) => ofStep(step, options)),
  ];
  const uncaptured = new Set(
    found.filter(({ code }) => code === 'SOURCE_PUBLICATION_INCOMPLETE').map(({ table }) => table),
  );
  const troubles = new Map<string, TableTrouble>();
  for (const trouble of found) {
    // If nothing of the table is captured, its weak identity need not be reported as well.
    if (trouble.code === 'SOURCE_REPLICA_IDENTITY' && uncaptured.has(trouble.table)) continue;
    const key = `${trouble.table} ${IDENTITY_CODES.has(trouble.code) ? 'identity' : trouble.code}`;
    if (!troubles.has(key)) troubles.set(key, trouble);
  }
  return [...troubles.values()];
}

const IDENTITY_CODES: ReadonlySet<ErrorCode> = new Set(['SOURCE_WRITES_REFUSED', 'SOURCE_REPLICA_IDENTITY']);

/** Tables of the publication, with their partitions, for which PostgreSQL refuses writes now. */
function refusals({ config, catalog }: { config: TrackingConfig; catalog: Catalog }): TableTrouble[] {
  const name = config.source.publication;
  const publication = catalog.publications.find((candidate) => candidate.name === name);
  const held = [
    ...(publication?.tables ?? []).flatMap((entry) => indexOf(catalog).tables.get(formatTable(entry)) ?? []),
    ...catalog.tables.filter(({ schema }) => publication?.schemas.includes(schema) === true),
  ];
  const members = new Map<string, CatalogTable>();
  for (const table of held.flatMap((root) => [root, ...partitionsOf(root, catalog)]))
    members.set(keyOf(table), table);
  return [...members].flatMap(([table, member]) => {
    const refusal = refusesWrites(member, catalog);
    if (refusal === null) return [];
    return [
      {
        table,
        code: 'SOURCE_WRITES_REFUSED',
        message: `The source refuses updates and deletes of ${table}, because it is published and ${refusal.reason}.`,
        remedy: refusal.heal,
        effect: 'writes refused',
      },
    ];
  });
}

const ofProblem = ({ code, message, remedy, tables, effect }: PlanProblem): TableTrouble[] =>
  tables.map((table) => ({
    table,
    code,
    message: `On the source, ${table}: ${message}`,
    remedy,
    effect: effect ?? 'as far as possible',
  }));

function ofStep(
  { kind, tables, sql }: PlanStep,
  { config, catalog }: { config: TrackingConfig; catalog: Catalog },
): TableTrouble[] {
  const name = config.source.publication;
  const remedy = (statement: string): string => `Run waltrail apply, or run on the source: ${statement};`;
  switch (kind) {
    case 'event_trigger':
    case 'publication_comment':
    case 'publication_create':
    case 'publication_options':
    case 'publication_drop':
    case 'publication_follow':
    case 'publication_remove':
    case 'publication_unfollow':
    case 'identity_restore':
    case 'role_remove':
    case 'session_function':
    case 'session_trigger_remove':
    case 'slot_remove':
      return [];
    case 'session_trigger':
      return tables.map((table) => ({
        table,
        code: 'SOURCE_SESSION_TRIGGER',
        message: `On the source, ${table} has no enabled session trigger, so the sessions that change it are unknown.`,
        remedy: 'Run waltrail apply.',
        effect: 'modifiers unknown',
      }));
    case 'publication_add': {
      const publication = catalog.publications.find((candidate) => candidate.name === name);
      const held = new Set(publication?.tables.map(formatTable));
      const inSchema = (table: string): boolean =>
        publication?.schemas.includes(indexOf(catalog).tables.get(table)?.schema ?? '') === true;
      return tables
        .filter((table) => !inSchema(table))
        .map((table) => ({
          table,
          code: 'SOURCE_PUBLICATION_INCOMPLETE',
          message: held.has(table)
            ? `Publication ${name} of the source holds only a part of ${table}: a row filter or a column list hides the rest.`
            : `Publication ${name} of the source does not hold ${table}.`,
          remedy: 'Run waltrail apply.',
          effect: held.has(table) ? 'as far as possible' : 'not captured',
        }));
    }
    case 'replica_identity':
      return tables.map((table) => ({
        table,
        code: 'SOURCE_REPLICA_IDENTITY',
        message: `On the source, ${table} has no replica identity full.`,
        remedy: remedy(sql),
        effect: 'previous values unknown',
      }));
  }
}
