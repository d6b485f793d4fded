import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import { serverSays } from '../pg/server-message.js';
import {
  DEADLOCK_DETECTED,
  INSUFFICIENT_PRIVILEGE,
  LOCK_NOT_AVAILABLE,
  READ_ONLY_SQL_TRANSACTION,
  sqlStateOf,
} from '../pg/sql-state.js';
import { problemsError } from './check.js';
import { applyProblems, type PlanStep, type TrackingPlan } from './findings.js';
import { listNames } from './list-names.js';

/**
 * How long all steps together may wait for locks. ALTER TABLE … REPLICA IDENTITY waits for every transaction
 * that uses the table. All later statements on that table then wait too, and on every table that is already
 * locked. Giving up is better than stopping the application. The limit covers all steps together, because a
 * hundred busy tables would otherwise keep the first ones locked for minutes.
 */
const LOCK_LIMIT_MS = 5_000;
/**
 * How long a step may still wait when {@link LOCK_LIMIT_MS} is used up. A plan of thousands of tables takes
 * longer than that limit without waiting for any lock.
 */
const LAST_WAIT_MS = 50;

/**
 * Runs the steps in one transaction: all or none. Throws the problems of {@link applyProblems} if there are
 * any, or TRACKING_LOCK_TIMEOUT, SOURCE_PRIVILEGE or TRACKING_APPLY_FAILED. After an error the source is
 * unchanged.
 */
export async function applyPlan(
  client: pg.Client,
  plan: TrackingPlan,
  { lockLimitMs = LOCK_LIMIT_MS }: { readonly lockLimitMs?: number } = {},
): Promise<void> {
  const problems = applyProblems(plan);
  if (problems.length > 0) throw problemsError(problems);
  if (plan.steps.length > 0) await runSteps(client, inOrder(plan), { lockLimitMs });
}

/**
 * Runs steps in one transaction. Throws TRACKING_LOCK_TIMEOUT, SOURCE_PRIVILEGE, SOURCE_UNSUPPORTED or
 * TRACKING_APPLY_FAILED; the source is then unchanged.
 */
export async function runSteps(
  client: pg.Client,
  steps: readonly Step[],
  { lockLimitMs = LOCK_LIMIT_MS }: { readonly lockLimitMs?: number } = {},
): Promise<void> {
  await client.query('begin');
  try {
    const deadline = performance.now() + lockLimitMs;
    for (const step of steps) {
      const waitMs = Math.max(Math.ceil(deadline - performance.now()), LAST_WAIT_MS);
      await client.query(`set local lock_timeout = ${waitMs}`);
      await run(client, step, lockLimitMs);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

type Step = Pick<PlanStep, 'tables' | 'sql'> & { readonly kind: PlanStep['kind'] | 'lock' | 'configuration' };

/** The locks, the steps, and the message that marks in the WAL where the configuration takes effect. */
function inOrder({ steps, lock, configurationSql }: TrackingPlan): Step[] {
  return [
    ...(lock === null ? [] : [{ kind: 'lock' as const, ...lock }]),
    ...steps,
    ...(configurationSql === null
      ? []
      : [{ kind: 'configuration' as const, tables: [], sql: configurationSql }]),
  ];
}

async function run(client: pg.Client, step: Step, lockLimitMs: number): Promise<void> {
  try {
    await client.query(step.sql);
  } catch (error) {
    throw stepError(step, { cause: error, lockLimitMs });
  }
}

function stepError(
  step: Step,
  { cause, lockLimitMs }: { readonly cause: unknown; readonly lockLimitMs: number },
): WaltrailError {
  const what = step.tables.length === 0 ? step.kind : `${step.kind} of ${listNames(step.tables)}`;
  const nothing = 'nothing was changed.';
  switch (sqlStateOf(cause)) {
    case LOCK_NOT_AVAILABLE:
    case DEADLOCK_DETECTED:
      return new WaltrailError(
        'TRACKING_LOCK_TIMEOUT',
        `${what}: no lock within ${lockLimitMs / 1000} s; ${nothing}`,
        { cause },
      );
    case INSUFFICIENT_PRIVILEGE:
      return new WaltrailError(
        'SOURCE_PRIVILEGE',
        `${what}: the user of source.url may not do this (${serverSays(cause)}); ${nothing}`,
        { cause, remedy: rightsRemedy(step) },
      );
    case READ_ONLY_SQL_TRANSACTION:
      return new WaltrailError('SOURCE_UNSUPPORTED', `${what}: the source is read-only; ${nothing}`, {
        cause,
        remedy: 'Point source.url at the primary, with a user whose sessions may write.',
      });
    default:
      return new WaltrailError(
        'TRACKING_APPLY_FAILED',
        `${what}: the source refused (${serverSays(cause)}); ${nothing}`,
        { cause },
      );
  }
}

function rightsRemedy({ kind }: Step): string {
  switch (kind) {
    case 'event_trigger':
      return "Let a superuser run the SQL of 'waltrail plan', or run waltrail apply with a superuser in source.url: only a superuser may create event triggers.";
    case 'publication_follow':
    case 'publication_unfollow':
      return "Let a superuser run the SQL of 'waltrail plan', or run waltrail apply with a superuser in source.url: only a superuser may add a whole schema to a publication.";
    case 'session_function':
      return "Let a superuser or the owner of schema waltrail_source run the SQL of 'waltrail plan'. Where that schema does not exist, a role that may create schemas can run it (grant create on database …). The role that runs it becomes the owner of the function and needs the right to emit logical messages.";
    case 'slot_remove':
      return 'Let a superuser or a role with the attribute replication do it.';
    case 'role_remove':
      return 'Let a superuser do it, or the user who created the role and granted its rights.';
    case 'configuration':
      return "Grant the user of source.url execute on function pg_logical_emit_message(boolean, text, text): apply writes such a message to mark in the WAL where the configuration takes effect. Or let a user with that right run the SQL of 'waltrail plan'.";
    case 'lock':
    case 'publication_comment':
    case 'publication_create':
    case 'publication_options':
    case 'publication_add':
    case 'publication_drop':
    case 'publication_remove':
    case 'replica_identity':
    case 'identity_restore':
    case 'session_trigger':
    case 'session_trigger_remove':
      return "Let the owner of the tables and of the publication run the SQL of 'waltrail plan', or run waltrail apply with a source.url of that user. To create a publication, that user also needs: grant create on database …";
  }
}
