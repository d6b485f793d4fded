import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { readCatalog, type Catalog } from './catalog.js';
import { planTracking, type PlanProblem, type PlanStep } from './plan.js';
import type { TrackingConfig } from './rules.js';

/** The catalog that capture starts on, and sentences about it for the log. */
export type CheckedCatalog = Catalog & { readonly remarks: readonly string[] };

/** Reads the source's catalog and refuses what {@link preflight} refuses. */
export async function checkTracking(client: pg.Client, config: TrackingConfig): Promise<CheckedCatalog> {
  const catalog = await readCatalog(client);
  return { ...catalog, remarks: preflight({ config, catalog }) };
}

/**
 * Refuses to start where capture is impossible or would be wrong: one error whose code is that of the first problem, with
 * every problem in its message (and in `details.problems`) and the SQL that mends them as remedy. Returns what is only
 * worth saying.
 */
export function preflight(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): readonly string[] {
  const plan = planTracking(options);
  const publication = options.config.source.publication;
  const required = plan.steps.filter(({ optional, kind }) => !optional && kind !== 'publication_drop');
  const problems = [...plan.problems, ...required.map((step) => unapplied(step, publication))];
  if (problems.length > 0) throw problemsError(problems);
  const later = plan.steps.filter(({ optional }) => optional).flatMap(({ tables }) => tables);
  return [
    ...(later.length === 0
      ? []
      : [
          `Previous values of ${later.join(', ')} are unknown until waltrail apply gives them replica identity full.`,
        ]),
    ...plan.warnings,
  ];
}

/** All problems as one error. */
export function problemsError(problems: readonly PlanProblem[]): WaltrailError {
  const remedies = [...new Set(problems.map(({ remedy }) => remedy))];
  return new WaltrailError(problems[0]!.code, problems.map(({ message }) => message).join('\n'), {
    remedy: remedies.join('\n'),
    details: { problems },
  });
}

/** A step that was not applied, as the problem it is for capture. */
function unapplied(step: PlanStep, publication: string): PlanProblem {
  const remedy = `Run waltrail apply, or on the source: ${step.sql.replaceAll(/\s+/g, ' ')};`;
  const tables = step.tables.join(', ');
  switch (step.kind) {
    case 'publication_create':
      return {
        code: 'SOURCE_PUBLICATION_MISSING',
        message: `The source has no publication ${publication}.`,
        remedy,
      };
    case 'publication_options':
      return {
        code: 'SOURCE_PUBLICATION_INCOMPLETE',
        message: `Publication ${publication} does not publish every operation, partitions through their table and generated columns.`,
        remedy,
      };
    case 'publication_add':
    case 'publication_drop':
      return {
        code: 'SOURCE_PUBLICATION_INCOMPLETE',
        message: `Publication ${publication} does not hold, or holds only a part of: ${tables}.`,
        remedy,
      };
    case 'replica_identity':
      return {
        code: 'SOURCE_REPLICA_IDENTITY',
        message: `${tables} has no replica identity full, so previous values would be unknown.`,
        remedy,
      };
  }
}
