import type { Findings, PlanProblem } from '../tracking/findings.js';

/** `warn`: capture is right, and something may go wrong or is less than it could be. */
export type Outcome = 'pass' | 'warn' | 'fail';

/** One line of what `waltrail doctor` says. */
export interface Check {
  /** What was looked at, as `source.wal_level`. Stable: scripts may look for it. */
  readonly id: string;
  readonly outcome: Outcome;
  /** What was found. No value of a row and no secret. */
  readonly says: string;
  /** What to do about it, as exactly as it is known; null: nothing has to be done, or `says` says it. */
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

/** A problem of the plan, or that there is none. */
export const ofProblem = (id: string, problem: PlanProblem | null, otherwise: string): Check =>
  problem === null ? pass(id, otherwise) : fail(id, problem.message, problem.remedy);

/** Findings of one aspect that are told one by one. */
const MAX_TOLD = 5;

/** Everything that plan has found of one aspect, or that it has found nothing. */
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
