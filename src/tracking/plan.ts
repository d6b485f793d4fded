import type { Catalog } from './catalog.js';
import { vainWarnings } from './action-findings.js';
import { columnFindings } from './columns.js';
import { planEventTrigger } from './event-trigger.js';
import type { TrackingPlan } from './findings.js';
import { planIdentity } from './identity.js';
import { planPublication } from './publication.js';
import type { TrackingConfig } from './rules.js';
import { redactFindings } from './redact-findings.js';
import { serverFindings } from './server.js';
import { tableFindings } from './table-findings.js';
import { publishedTables } from './tracked.js';
import { unnamedFindings } from './unnamed.js';

/** Compares what the YAML needs with what the source has. Pure: `catalog` is from {@link readCatalog}. */
export function planTracking(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): TrackingPlan {
  const published = publishedTables(options.config, options.catalog);
  const given = { ...options, published };
  const identity = planIdentity(given);
  const publication = planPublication({
    ...given,
    published: published.filter(({ key }) => !identity.unfit.has(key)),
  });
  const eventTrigger = planEventTrigger(options);
  const findings = [
    serverFindings(options),
    tableFindings(given),
    unnamedFindings(options),
    columnFindings(given),
    redactFindings(given),
    eventTrigger,
    publication,
    identity,
  ];
  return {
    // The trigger first: what it has to guard is published after it is there, and a trigger that goes guards
    // nothing.
    steps: [...eventTrigger.steps, ...publication.before, ...identity.steps, ...publication.after],
    problems: findings.flatMap(({ problems }) => problems),
    warnings: [...findings.flatMap(({ warnings }) => warnings), ...vainWarnings(options)],
    costs: identity.costs,
  };
}
