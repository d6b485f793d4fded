import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { readCatalog, type Catalog } from './catalog.js';
import { streamProblems, type PlanProblem, type PlanStep } from './findings.js';
import { planTracking } from './plan.js';
import type { TrackingConfig } from './rules.js';
import { troublesOf, type TableTrouble } from './troubles.js';

/** The catalog that capture starts on, and what there is to say about it. */
export type CheckedCatalog = Catalog & {
  /** What concerns single tables. The others are captured. */
  readonly troubles: readonly TableTrouble[];
  /** Sentences for the log; nothing depends on them. */
  readonly remarks: readonly string[];
};

/** Reads the source's catalog and refuses what {@link checkCatalog} refuses. */
export async function checkTracking(client: pg.Client, config: TrackingConfig): Promise<CheckedCatalog> {
  const catalog = await readCatalog(client);
  return checkCatalog({ config, catalog });
}

/**
 * Refuses to start where capture of any table is impossible or would be wrong: a server or role that cannot
 * replicate, a publication that is missing, unsuitable, holds the trail or has the wrong options. One error
 * whose code is that of the first problem, with every such problem in its message (and in `details.problems`)
 * and the SQL that solves them as remedy.
 */
export function checkCatalog(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): CheckedCatalog {
  const plan = planTracking(options);
  const publication = options.config.source.publication;
  const problems = [...streamProblems(plan), ...plan.steps.flatMap((step) => unapplied(step, publication))];
  if (problems.length > 0) throw problemsError(problems);
  // A mistake that concerns no table is for who applies the YAML: what was dropped since must not stop
  // capture.
  const mistakes = plan.problems.filter(({ tables, mistake }) => tables.length === 0 && mistake === true);
  const remarks = [...mistakes.map(({ message }) => message), ...plan.warnings];
  return { ...options.catalog, troubles: troublesOf(options, plan), remarks };
}

/** All problems as one error. */
export function problemsError(problems: readonly PlanProblem[]): WaltrailError {
  const remedies = [...new Set(problems.map(({ remedy }) => remedy))];
  return new WaltrailError(problems[0]!.code, problems.map(({ message }) => message).join('\n'), {
    remedy: remedies.join('\n'),
    details: { problems },
  });
}

/** A step that was not applied, where it keeps every table from being captured, as the problem it is. */
function unapplied(step: PlanStep, publication: string): PlanProblem[] {
  const remedy = `Run waltrail apply, or on the source: ${step.sql.replaceAll(/\s+/g, ' ')};`;
  switch (step.kind) {
    case 'publication_create':
      return [
        {
          code: 'SOURCE_PUBLICATION_MISSING',
          message: `The source has no publication ${publication}.`,
          remedy,
          tables: [],
        },
      ];
    case 'publication_options':
      return [
        {
          code: 'SOURCE_PUBLICATION_INCOMPLETE',
          message: `Publication ${publication} does not publish every operation, partitions through their table and generated columns.`,
          remedy,
          tables: [],
        },
      ];
    case 'event_trigger':
    case 'publication_add':
    case 'publication_comment':
    case 'publication_drop':
    case 'publication_remove':
    case 'publication_follow':
    case 'publication_unfollow':
    case 'replica_identity':
    case 'identity_restore':
    case 'role_remove':
    case 'session_function':
    case 'session_trigger':
    case 'session_trigger_remove':
    case 'slot_remove':
      return [];
  }
}
