import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { Catalog, CatalogPublication, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { removeEventTrigger } from './event-trigger.js';
import type { PlanProblem, PlanStep } from './findings.js';
import { foundIn, type Found } from './found.js';
import { formatTable } from './names.js';
import { markSql, ownerOf } from './publication-mark.js';
import { roleSteps, type GrantedRole } from './grants.js';
import { keptWarnings, membersOf, restoring } from './restore.js';
import type { TrackingConfig } from './rules.js';
import { removeSession } from './session-trigger.js';

/** What `waltrail drop` removes from a source. */
export interface DropPlan {
  /** Steps that run in one transaction. */
  readonly steps: readonly PlanStep[];
  /**
   * The removal of the slot. It runs after the steps, because no transaction can undo it. Null: there is no
   * slot of that name.
   */
  readonly slot: PlanStep | null;
  /** Problems that have to be solved before anything is removed. */
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly string[];
}

type Given = { readonly config: TrackingConfig; readonly catalog: Catalog };

/**
 * Plans to remove from the source everything that apply and capture created, and to restore the earlier
 * replica identities of tables. Whatever others created stays. Pure: `catalog` comes from `readCatalog`.
 *
 * @param options.role a role to remove with everything that was granted to it; null: none
 */
export function planDrop(options: Given & { readonly role: GrantedRole | null }): DropPlan {
  const { config, catalog, role } = options;
  const existing = catalog.publications.find(({ name }) => name === config.source.publication);
  const slot = catalog.slots.find(({ name }) => name === config.source.slot);
  const ofPublication = existing === undefined ? NOTHING : publicationSteps(existing, options);
  return {
    steps: [
      ...removeEventTrigger(options),
      ...removeSession(options),
      ...ofPublication.steps,
      ...(role === null ? [] : roleSteps(role)),
    ],
    slot: slot === undefined ? null : slotStep(slot.name),
    problems: [...ofPublication.problems, ...(slot?.active === true ? [isRead(slot.name)] : [])],
    warnings: ofPublication.warnings,
  };
}

const NOTHING = { steps: [], problems: [], warnings: [] };

function publicationSteps(
  existing: CatalogPublication,
  given: Given,
): Pick<DropPlan, 'steps' | 'problems' | 'warnings'> {
  const { config, catalog } = given;
  const { name: source, publication } = config.source;
  const owner = ownerOf(existing);
  if (owner !== source) return { ...NOTHING, problems: [notOurs(publication, owner)] };
  const found = foundIn(existing);
  const tables = trackedBy(existing, { found, catalog });
  const isAdopted = found?.adopted === true;
  const restored = restoring(tables, { ...given, found, holder: isAdopted ? 'stays' : 'leaves' });
  const gone = isAdopted ? leaveSteps(existing) : dropSteps(publication);
  return {
    steps: [...gone.steps, ...restored.steps],
    problems: [],
    warnings: [...gone.warnings, ...keptWarnings(restored.kept)],
  };
}

const dropSteps = (publication: string): Pick<DropPlan, 'steps' | 'warnings'> => ({
  steps: [
    {
      kind: 'publication_remove',
      tables: [],
      sql: `drop publication ${quoteIdentifier(publication)}`,
      reason: 'apply created it',
      optional: false,
    },
  ],
  warnings: [],
});

/**
 * Steps for a publication that existed before Waltrail: its creator keeps it, with the tables that it has
 * now.
 */
const leaveSteps = (existing: CatalogPublication): Pick<DropPlan, 'steps' | 'warnings'> => ({
  steps: [
    {
      kind: 'publication_comment',
      tables: [],
      sql: markSql(existing, { source: null, found: null }),
      reason: 'Waltrail no longer marks it as its own',
      optional: false,
    },
  ],
  warnings: [
    `Publication ${existing.name} existed before Waltrail. It stays as it is now, with the tables and options that apply gave it. ` +
      `If it is no longer needed, run: drop publication ${quoteIdentifier(existing.name)};`,
  ],
});

/** Tables whose identity apply, capture or the event trigger may have changed, each with its partitions. */
function trackedBy(
  publication: CatalogPublication,
  { found, catalog }: { readonly found: Found | null; readonly catalog: Catalog },
): readonly CatalogTable[] {
  const { tables } = indexOf(catalog);
  const named = [...publication.tables.map(formatTable), ...(found?.identities.keys() ?? [])];
  const members = [...named.flatMap((key) => tables.get(key) ?? [])].flatMap((table) =>
    membersOf(table, catalog),
  );
  const inSchemas = catalog.tables.filter(({ schema }) => publication.schemas.includes(schema));
  return [...new Set([...members, ...inSchemas.flatMap((table) => membersOf(table, catalog))])];
}

const slotStep = (slot: string): PlanStep => ({
  kind: 'slot_remove',
  tables: [],
  sql: `select pg_catalog.pg_drop_replication_slot(${quoteLiteral(slot)})`,
  reason: 'the source keeps WAL for it',
  optional: false,
});

const isRead = (slot: string): PlanProblem => ({
  code: 'SOURCE_SLOT_BUSY',
  message: `Slot ${slot} is in use: a running Waltrail captures from this source.`,
  remedy: 'Stop that Waltrail first.',
  tables: [],
});

const notOurs = (publication: string, owner: string | undefined): PlanProblem => ({
  code: 'SOURCE_PUBLICATION_FOREIGN',
  message: `Publication ${publication} ${owner === undefined ? 'has no mark of Waltrail' : `belongs to source ${owner}`}.`,
  remedy:
    owner === undefined
      ? `If Waltrail created it, drop it by hand: drop publication ${quoteIdentifier(publication)};`
      : `Run waltrail drop with the YAML of source ${owner}.`,
  tables: [],
});
