import type { PlanStep } from './findings.js';

/**
 * Canonical names of the tables that a plan takes out of the publication and does not put into it again:
 * nobody records their changes from then on.
 */
export function unpublishedBy(steps: readonly PlanStep[]): readonly string[] {
  const tablesOf = (kind: PlanStep['kind']): readonly string[] =>
    steps.flatMap((step) => (step.kind === kind ? step.tables : []));
  const staying = new Set(tablesOf('publication_add'));
  return tablesOf('publication_drop').filter((table) => !staying.has(table));
}
