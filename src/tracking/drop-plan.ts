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

/** What `waltrail drop` takes out of a source again. */
export interface DropPlan {
  /** In one transaction. */
  readonly steps: readonly PlanStep[];
  /** After it, for no transaction takes it back; null: there is no slot of that name. */
  readonly slot: PlanStep | null;
  /** Nothing is done before these are solved. */
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly string[];
}

type Given = { readonly config: TrackingConfig; readonly catalog: Catalog };

/**
 * Plans to take everything out of the source that apply and capture have put there, and to give tables the
 * replica identities back that they had. Pure: `catalog` is from `readCatalog`. What others have there stays.
 *
 * @param options.role that goes, too, with what it was granted; null: none
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
      reason: 'apply made it',
      optional: false,
    },
  ],
  warnings: [],
});

/** Whoever made it before keeps it, with the tables that it has by now. */
const leaveSteps = (existing: CatalogPublication): Pick<DropPlan, 'steps' | 'warnings'> => ({
  steps: [
    {
      kind: 'publication_comment',
      tables: [],
      sql: markSql(existing, { source: null, found: null }),
      reason: 'it is no longer marked as that of Waltrail',
      optional: false,
    },
  ],
  warnings: [
    `Publication ${existing.name} was there before Waltrail, and stays as it is now, with the tables and options that apply gave it. ` +
      `If nobody needs it: drop publication ${quoteIdentifier(existing.name)};`,
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
  message: `Slot ${slot} is being read: a Waltrail captures from this source.`,
  remedy: 'Stop Waltrail first.',
  tables: [],
});

const notOurs = (publication: string, owner: string | undefined): PlanProblem => ({
  code: 'SOURCE_PUBLICATION_FOREIGN',
  message: `Publication ${publication} is marked as ${owner === undefined ? "nobody's" : `that of source ${owner}`}.`,
  remedy:
    owner === undefined
      ? `If it is Waltrail's, drop it by hand: drop publication ${quoteIdentifier(publication)};`
      : `Run waltrail drop with the YAML of source ${owner}.`,
  tables: [],
});
