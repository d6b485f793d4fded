import type pg from 'pg';
import type { ErrorCode } from '../../errors.js';
import { formatLsn, parseLsn, type Lsn } from '../../pg/lsn.js';
import { queryTrail } from '../query.js';

/** An error that repeats at one position in the stream, as the trail stores it. */
export interface Stuck {
  readonly code: ErrorCode;
  /** SQLSTATE of the server's error; null: the error is not from a server. */
  readonly sqlState: string | null;
  readonly message: string;
  /** Position of the checkpoint. Capture waits while the checkpoint stays there. */
  readonly checkpointLsn: Lsn;
  /** Commit LSN of the transaction; null: the transaction is not known. */
  readonly commitLsn: Lsn | null;
  /** Tables that the part of the transaction read so far changes, as `schema.table`. */
  readonly tables: readonly string[];
}

/** A request to skip the transaction that capture waits on. */
export interface SkipRequest {
  readonly id: number;
  readonly atLsn: Lsn;
  readonly reason: string;
  readonly askedBy: string;
}

/** Answer to a request to skip a transaction. */
export type SkipAnswer = 'asked' | 'asked before' | 'not waiting' | 'another place' | 'place unknown';

export async function rememberStuck(client: pg.Client, stuck: Stuck): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.remember_stuck($1, $2, $3, $4, $5, $6)`, [
    stuck.code,
    stuck.sqlState,
    stuck.message,
    formatLsn(stuck.checkpointLsn),
    stuck.commitLsn === null ? null : formatLsn(stuck.commitLsn),
    stuck.tables.length === 0 ? null : stuck.tables,
  ]);
}

/** Deletes the error that capture no longer waits on, and the requests to skip its transaction. */
export async function forgetStuck(client: pg.Client): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.forget_stuck()`);
}

/** Reads the error that capture waits on. Returns undefined if the checkpoint has moved since then. */
export async function readStuck(client: pg.Client): Promise<Stuck | undefined> {
  const [row] = await queryTrail<{
    code: ErrorCode;
    sql_state: string | null;
    message: string;
    checkpoint_lsn: string;
    commit_lsn: string | null;
    tables: string[] | null;
  }>(
    client,
    /* sql */ `select s.code, s.sql_state, s.message, s.checkpoint_lsn::text, s.commit_lsn::text, s.tables
                 from trail.stuck s join trail.checkpoint c on c.end_lsn = s.checkpoint_lsn`,
  );
  if (row === undefined) return undefined;
  return {
    code: row.code,
    sqlState: row.sql_state,
    message: row.message,
    checkpointLsn: parseLsn(row.checkpoint_lsn),
    commitLsn: row.commit_lsn === null ? null : parseLsn(row.commit_lsn),
    tables: row.tables ?? [],
  };
}

/** Requests to skip the transaction that commits at `atLsn`, if capture waits on it. */
export async function askSkip(
  client: pg.Client,
  wish: { readonly atLsn: Lsn; readonly reason: string; readonly account: string | null },
): Promise<SkipAnswer> {
  const [row] = await queryTrail<{ answer: SkipAnswer }>(
    client,
    /* sql */ `select trail.ask_skip($1, $2, $3) as answer`,
    [formatLsn(wish.atLsn), wish.reason, wish.account],
  );
  return row!.answer;
}

/** Reads the skip request that was not carried out yet. */
export async function readSkipRequest(client: pg.Client): Promise<SkipRequest | undefined> {
  const [row] = await queryTrail<{ id: number; at_lsn: string; reason: string; asked_by: string }>(
    client,
    /* sql */ `select s.id, s.at_lsn::text, s.reason, s.asked_by
                 from trail.skip s join trail.checkpoint c on c.end_lsn = s.checkpoint_lsn where s.done_at is null`,
  );
  if (row === undefined) return undefined;
  return { id: row.id, atLsn: parseLsn(row.at_lsn), reason: row.reason, askedBy: row.asked_by };
}

/** Marks a skip request as carried out. The caller must have begun a transaction. */
export async function endSkip(
  client: pg.Client,
  ended: { readonly id: number; readonly gap: number },
): Promise<void> {
  await queryTrail(client, /* sql */ `select trail.end_skip($1, $2)`, [ended.id, ended.gap]);
}
