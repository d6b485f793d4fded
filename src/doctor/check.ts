import type { Findings, PlanProblem } from '../tracking/findings.js';

/** `warn`: capture works, but something may go wrong or could be better. */
export type Outcome = 'pass' | 'warn' | 'fail';

/** One check of `waltrail doctor` with its result. */
export interface Check {
  /** What was checked, such as `source.wal_level`. Stable, because scripts may look for it. */
  readonly id: string;
  readonly outcome: Outcome;
  /** What was found. Contains neither values of rows nor secrets. */
  readonly says: string;
  /**
   * What to do about it, as precisely as possible. Null if nothing has to be done, or if `says` states it.
   */
  readonly remedy: string | null;
}

export const pass = (id: string, says: string): Check => ({ id, outcome: 'pass', says, remedy: null });

export const warn = (id: string, says: string, remedy: string | null = null): Check => ({
  id,
  outcome: 'warn',
  says,
  remedy,
});

export const fail = (id: string, says: string, remedy: string | null): Check => ({
  id,
  outcome: 'fail',
  says,
  remedy,
});

/** Returns a problem of the plan as a failed check. Without a problem, the check passes. */
export const ofProblem = (id: string, problem: PlanProblem | null, otherwise: string): Check =>
  problem === null ? pass(id, otherwise) : fail(id, problem.message, problem.remedy);

/** Maximum number of problems of one aspect that are listed. */
const MAX_TOLD = 5;

/** Returns what the plan has found about one aspect as checks. Without findings, one check passes. */
export function ofFindings(id: string, { problems, warnings }: Findings, otherwise: string): Check[] {
  if (problems.length + warnings.length === 0) return [pass(id, otherwise)];
  const more = problems.length - MAX_TOLD;
  return [
    ...problems.slice(0, MAX_TOLD).map(({ message, remedy }) => fail(id, message, remedy)),
    ...(more > 0
      ? [fail(id, `There are ${more} more problems of this kind.`, 'Run: waltrail plan --json')]
      : []),
    ...warnings.map((warning) => warn(id, warning)),
  ];
}
