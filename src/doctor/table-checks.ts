import type { Catalog, CatalogTable } from '../tracking/catalog.js';
import { listNames } from '../tracking/list-names.js';
import { ruleFor } from '../tracking/match.js';
import { messageAdvice } from '../tracking/message-rights.js';
import { isNeverTracked, matchesTable } from '../tracking/names.js';
import { aspectsOf } from '../tracking/plan.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { isPublishable, keyOf, nameOf, publishedTables } from '../tracking/tracked.js';
import type { PlanStep } from '../tracking/findings.js';
import { fail, ofFindings, pass, warn, type Check } from './check.js';

type Given = { readonly config: TrackingConfig; readonly catalog: Catalog };

/** Checks whether the source's tables are tracked as the YAML says, and which are not tracked. */
export function tableChecks({ config, catalog }: Given): Check[] {
  const aspects = aspectsOf({ config, catalog });
  const { tables, unnamed, children, columns, redaction, entities, vain } = aspects;
  const { eventTrigger, session, publication, identity } = aspects;
  const count = publishedTables(config, catalog).length;
  const steps = [...publication.before, ...publication.after];
  return [
    ...ofFindings(
      'tables.named',
      tables,
      `${count} ${count === 1 ? 'table is' : 'tables are'} tracked or give names`,
    ),
    ...(unnamed.problems.length === 0 ? [] : ofFindings('tables.unnamed', unnamed, '')),
    ...ofFindings('tables.columns', columns, 'all columns that the YAML names exist'),
    ...ofFindings(
      'tables.entities',
      entities,
      'every table has its own entity type, or shares one on purpose',
    ),
    ...ofFindings('tables.rules', vain, 'every rule of the YAML can take effect'),
    ...ofFindings('tables.children', children, 'tracked tables show no rows of tables that are not captured'),
    ...ofFindings(
      'tables.secrets',
      redaction,
      'every column that looks like a secret is redacted, or allowed',
    ),
    matchedCheck({ config, catalog }),
    temporaryCheck({ config, catalog }),
    ...applied('source.publication', steps, {
      findings: publication,
      otherwise: `publication ${config.source.publication} is as the YAML requires`,
    }),
    ...applied('source.replica_identity', identity.steps, {
      findings: identity,
      otherwise: 'previous values of every tracked table are sent',
    }),
    ...applied('source.event_trigger', eventTrigger.steps, {
      findings: eventTrigger,
      otherwise: config.source.eventTrigger
        ? 'the event triggers are installed'
        : 'the YAML asks for no event trigger',
    }),
    ...applied('source.session', session.steps, {
      findings: session,
      otherwise:
        config.session === null
          ? 'the YAML asks for no session trigger'
          : 'every tracked table has the session trigger, which may emit messages',
    }),
    othersCheck({ config, catalog }),
    messagesCheck(catalog),
  ];
}

/** Checks that `apply` has no steps left of one kind. Otherwise the source is not as the YAML requires. */
function applied(
  id: string,
  steps: readonly PlanStep[],
  {
    findings,
    otherwise,
  }: { readonly findings: Parameters<typeof ofFindings>[1]; readonly otherwise: string },
): Check[] {
  const told = ofFindings(id, findings, otherwise);
  if (steps.length === 0) return told;
  const tables = [...new Set(steps.flatMap((step) => step.tables))];
  const says = `The source is not as the YAML requires: ${steps.length} ${steps.length === 1 ? 'step' : 'steps'} must be applied${tables.length === 0 ? '' : `, for ${listNames(tables)}`}.`;
  const remedy = 'Run: waltrail plan, then waltrail apply';
  const isOptional = steps.every(({ optional }) => optional);
  return [
    isOptional ? warn(id, says, remedy) : fail(id, says, remedy),
    ...told.filter(({ outcome }) => outcome !== 'pass'),
  ];
}

/** Checks that the YAML decides about every table: a rule tracks it or `exclude` names it. */
function matchedCheck({ config, catalog }: Given): Check {
  const id = 'tables.unmatched';
  const named = new Set(
    publishedTables(config, catalog).flatMap(({ table, partitions }) => [table, ...partitions]),
  );
  const forgotten = catalog.tables.filter(
    (table) =>
      isPublishable(table) &&
      !named.has(table) &&
      !isNeverTracked(table.schema) &&
      ruleFor(config, nameOf(table)) === undefined &&
      !isExcluded(table, config),
  );
  if (forgotten.length === 0) return pass(id, 'the YAML decides about every table');
  const is = forgotten.length === 1 ? 'is' : 'are';
  return warn(
    id,
    `${listNames(forgotten.map(keyOf))} ${is} neither tracked nor excluded: ${forgotten.length === 1 ? 'its' : 'their'} changes are not in the trail.`,
    'Name them under "tables" or under "exclude".',
  );
}

const isExcluded = (table: CatalogTable, { exclude }: TrackingConfig): boolean =>
  exclude.some((pattern) => matchesTable(pattern, nameOf(table)));

/** Checks that no rule matches a table whose rows are not in the WAL. Views are left out on purpose. */
function temporaryCheck({ config, catalog }: Given): Check {
  const id = 'tables.not_in_wal';
  const found = catalog.tables.filter(
    (table) =>
      (table.kind === 'foreign table' || table.persistence !== 'permanent') &&
      table.persistence !== 'temporary' &&
      ruleFor(config, nameOf(table)) !== undefined,
  );
  if (found.length === 0) return pass(id, 'no rule matches a foreign or unlogged table');
  return warn(
    id,
    `${listNames(found.map((table) => `${keyOf(table)} (${table.kind === 'foreign table' ? 'foreign' : 'unlogged'})`))}: their changes are not in the WAL and cannot be tracked.`,
    'List them under "exclude". An unlogged table can be made trackable: alter table … set logged.',
  );
}

/**
 * Lists other publications of tracked tables. They can make PostgreSQL refuse writes; where they do, another
 * check reports it.
 */
function othersCheck({ config, catalog }: Given): Check {
  const id = 'source.other_publications';
  const tracked = new Set(publishedTables(config, catalog).map(({ key }) => key));
  const others = catalog.publications.filter(
    ({ name, allTables, schemas, tables }) =>
      name !== config.source.publication &&
      (allTables ||
        schemas.length > 0 ||
        tables.some((table) => tracked.has(`${table.schema}.${table.table}`))),
  );
  if (others.length === 0) return pass(id, 'no other publication holds tracked tables');
  return pass(
    id,
    `${listNames(others.map(({ name }) => name))} may also contain tracked tables: a replica identity must then satisfy all their publications`,
  );
}

function messagesCheck(catalog: Catalog): Check {
  const id = 'source.messages';
  const [advice] = messageAdvice(catalog);
  if (advice === undefined) return pass(id, 'only roles with a grant may state who makes changes');
  const [says, ...sql] = advice.split('\n');
  return warn(id, says!, sql.join('\n'));
}
