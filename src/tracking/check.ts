import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { readCatalog, type Catalog } from './catalog.js';
import { streamProblems, type PlanProblem, type PlanStep } from './findings.js';
import { planTracking } from './plan.js';
import type { TrackingConfig } from './rules.js';
import { troublesOf, type TableTrouble } from './troubles.js';

/** The catalog that capture starts with, and what was found in it. */
export type CheckedCatalog = Catalog & {
  /** What is wrong with single tables. The other tables are captured. */
  readonly troubles: readonly TableTrouble[];
  /** Sentences for the log. Nothing depends on them. */
  readonly remarks: readonly string[];
};

/** Reads the source's catalog and refuses what {@link checkCatalog} refuses. */
export async function checkTracking(client: pg.Client, config: TrackingConfig): Promise<CheckedCatalog> {
  const catalog = await readCatalog(client);
  return checkCatalog({ config, catalog });
}

/**
 * Checks whether capture can start. Throws if capture of any table would be impossible or wrong: the server
 * or role cannot replicate, or the publication is missing, is unsuitable, contains the trail or has the wrong
 * options. The error has the code of the first problem. Its message (and `details.problems`) has all
 * problems, and its remedy the SQL that solves them.
 */
export function checkCatalog(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): CheckedCatalog {
  const plan = planTracking(options);
  const publication = options.config.source.publication;
  const problems = [...streamProblems(plan), ...plan.steps.flatMap((step) => unapplied(step, publication))];
  if (problems.length > 0) throw problemsError(problems);
  // A mistake that concerns no table matters to whoever applies the YAML. It must not stop capture: a table
  // that the YAML names may have been dropped since.
  const mistakes = plan.problems.filter(({ tables, mistake }) => tables.length === 0 && mistake === true);
  const remarks = [...mistakes.map(({ message }) => message), ...plan.warnings];
  return { ...options.catalog, troubles: troublesOf(options, plan), remarks };
}

/** Joins problems into one error. */
export function problemsError(problems: readonly PlanProblem[]): WaltrailError {
  const remedies = [...new Set(problems.map(({ remedy }) => remedy))];
  return new WaltrailError(problems[0]!.code, problems.map(({ message }) => message).join('\n'), {
    remedy: remedies.join('\n'),
    details: { problems },
  });
}

/** Returns the problem of a step that was not applied, if without it no table can be captured. */
function unapplied(step: PlanStep, publication: string): PlanProblem[] {
  const remedy = `Run waltrail apply, or run on the source: ${step.sql.replaceAll(/\s+/g, ' ')};`;
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
          message: `Publication ${publication} lacks some of these options: every operation, partitions published via their root table, generated columns.`,
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
