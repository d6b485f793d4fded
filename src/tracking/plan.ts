import { quoteTable } from '../pg/quote.js';
import type { Catalog } from './catalog.js';
import { vainWarnings } from './action-findings.js';
import { indexOf } from './catalog-index.js';
import { childFindings } from './children.js';
import { columnFindings } from './columns.js';
import { entityWarnings } from './entity-findings.js';
import { planEventTrigger } from './event-trigger.js';
import { configurationSql } from './configuration.js';
import type { Findings, PlanStep, TrackingPlan } from './findings.js';
import { planIdentity } from './identity.js';
import { messageAdvice } from './message-rights.js';
import { addStep, planPublication } from './publication.js';
import type { TrackingConfig } from './rules.js';
import { redactFindings } from './redact-findings.js';
import { rememberedAfter } from './restore.js';
import { planSession } from './session-trigger.js';
import { serverFindings } from './server.js';
import { tableFindings } from './table-findings.js';
import { keyOf, publishedTables, type PublishedTable } from './tracked.js';
import { unnamedFindings } from './unnamed.js';

/** Compares what the YAML needs with what the source has. Pure: `catalog` comes from {@link readCatalog}. */
export function planTracking(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  /** Whether a publication of another owner may be changed (`waltrail apply --take-over`). */
  readonly takeOver?: boolean;
}): TrackingPlan {
  const aspects = aspectsOf(options);
  const { eventTrigger, session, publication, identity } = aspects;
  // Triggers come first: a table is published only after its trigger exists, and a trigger that is removed
  // protects nothing.
  const steps = [
    ...eventTrigger.steps,
    ...session.steps,
    ...publication.before,
    ...identity.steps,
    ...publication.after,
  ];
  const findings: readonly Findings[] = Object.values(aspects);
  return {
    steps,
    lock: lockOf(steps, options.catalog),
    configurationSql: steps.length === 0 ? null : configurationSql(options.config.definition.digest),
    problems: findings.flatMap(({ problems }) => problems),
    warnings: findings.flatMap(({ warnings }) => warnings),
    advice: messageAdvice(options.catalog),
    widened: identity.widened,
  };
}

/** The findings of plan for each aspect of the source, in the order of the output. */
export function aspectsOf(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly takeOver?: boolean;
}) {
  const published = publishedTables(options.config, options.catalog);
  const given = { ...options, published };
  const identity = planIdentity(given);
  const fit = published.filter(({ key }) => !identity.unfit.has(key));
  const changed = new Set(identity.steps.flatMap(({ tables }) => tables));
  return {
    server: serverFindings(options),
    tables: tableFindings(given),
    unnamed: unnamedFindings(options),
    children: childFindings(options),
    columns: columnFindings(given),
    redaction: redactFindings(given),
    eventTrigger: planEventTrigger(options),
    session: planSession(given),
    publication: planPublication({
      ...given,
      takeOver: options.takeOver ?? false,
      published: fit,
      found: rememberedAfter({ ...options, published: fit, changed }),
    }),
    identity,
    entities: { problems: [], warnings: entityWarnings(given) },
    vain: { problems: [], warnings: vainWarnings(given) },
  } as const satisfies Record<string, Findings>;
}

const MOVING: ReadonlySet<PlanStep['kind']> = new Set([
  'publication_create',
  'publication_add',
  'publication_drop',
]);

const OF_TABLE: ReadonlySet<PlanStep['kind']> = new Set(['replica_identity', 'session_trigger']);

/** Returns a plan with only the steps that publish one table. */
export function planOfTable(
  { steps }: TrackingPlan,
  {
    config,
    catalog,
    published,
  }: { readonly config: TrackingConfig; readonly catalog: Catalog; readonly published: PublishedTable },
): TrackingPlan {
  const members = new Set([published.key, ...published.partitions.map(keyOf)]);
  const own = [
    ...steps.filter(({ kind, tables }) => OF_TABLE.has(kind) && tables.every((key) => members.has(key))),
    addStep(config.source.publication, [published]),
  ];
  return {
    steps: own,
    lock: lockOf(own, catalog),
    configurationSql: null,
    problems: [],
    warnings: [],
    advice: [],
    widened: [],
  };
}

function lockOf(steps: readonly PlanStep[], catalog: Catalog): TrackingPlan['lock'] {
  const keys = steps.flatMap(({ kind, tables }) => (MOVING.has(kind) ? tables : []));
  // In a fixed order, so that two plans do not block each other.
  const tables = [...new Set(keys)].sort().flatMap((key) => indexOf(catalog).tables.get(key) ?? []);
  if (tables.length === 0) return null;
  // A partitioned table is locked with its partitions, because rows are also written to them directly.
  const names = tables.map(
    ({ schema, name, kind }) => `  ${kind === 'partitioned' ? '' : 'only '}${quoteTable(schema, name)}`,
  );
  return {
    tables: tables.map(keyOf),
    sql: `lock table\n${names.join(',\n')}\nin share row exclusive mode`,
  };
}
