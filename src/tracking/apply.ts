import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { problemsError } from './check.js';
import { applyProblems, type PlanStep, type TrackingPlan } from './plan.js';

/**
 * ALTER TABLE … REPLICA IDENTITY waits for every transaction that uses the table, and everybody else then waits behind
 * it: better to give up than to stop the application.
 */
const LOCK_TIMEOUT = '5s';

const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK_DETECTED = '40P01';
const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Runs the steps in one transaction: all or nothing. Throws the plan's problems if it has any, TRACKING_LOCK_TIMEOUT,
 * SOURCE_PRIVILEGE or TRACKING_APPLY_FAILED; the source is then as it was.
 */
export async function applyPlan(client: pg.Client, plan: TrackingPlan): Promise<void> {
  const problems = applyProblems(plan);
  if (problems.length > 0) throw problemsError(problems);
  if (plan.steps.length === 0) return;
  await client.query('begin');
  try {
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    for (const step of plan.steps) await run(client, step);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function run(client: pg.Client, step: PlanStep): Promise<void> {
  try {
    await client.query(step.sql);
  } catch (error) {
    throw stepError(step, error);
  }
}

function stepError(step: PlanStep, cause: unknown): WaltrailError {
  const { code } = cause as { code?: unknown };
  const sqlState = typeof code === 'string' ? code : 'none';
  const what = step.tables.length === 0 ? step.kind : `${step.kind} of ${step.tables.join(', ')}`;
  switch (sqlState) {
    case LOCK_NOT_AVAILABLE:
    case DEADLOCK_DETECTED:
      return new WaltrailError(
        'TRACKING_LOCK_TIMEOUT',
        `${what}: no lock within ${LOCK_TIMEOUT}; nothing was changed.`,
        {
          cause,
        },
      );
    case INSUFFICIENT_PRIVILEGE:
      return new WaltrailError(
        'SOURCE_PRIVILEGE',
        `${what}: the user of source.url may not do this; nothing was changed.`,
        {
          cause,
          remedy:
            "Let the owner of the tables (who also needs create on the database) run the SQL of 'waltrail plan', or run waltrail apply with a source.url of that user.",
        },
      );
    default:
      return new WaltrailError(
        'TRACKING_APPLY_FAILED',
        `${what}: SQLSTATE ${sqlState}; nothing was changed.`,
        {
          cause,
        },
      );
  }
}
