import type { PlanStep } from './findings.js';

/**
 * Returns the tables that a plan removes from the publication without adding them again. From then on their
 * changes are not recorded.
 */
export function unpublishedBy(steps: readonly PlanStep[]): readonly string[] {
  const tablesOf = (kind: PlanStep['kind']): readonly string[] =>
    steps.flatMap((step) => (step.kind === kind ? step.tables : []));
  const staying = new Set(tablesOf('publication_add'));
  return tablesOf('publication_drop').filter((table) => !staying.has(table));
}
