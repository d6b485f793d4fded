import { WaltrailError, type ErrorCode } from '../errors.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import {
  DISK_FULL,
  INSUFFICIENT_PRIVILEGE,
  READ_ONLY_SQL_TRANSACTION,
  sqlStateOf,
  TOO_MANY_CONNECTIONS,
} from '../pg/sql-state.js';
import type { StreamPosition } from '../pipeline/pipeline.js';
import type { Stuck } from '../trail/write/stuck.js';

/** How an attempt to capture ended. */
export interface Failure {
  readonly error: WaltrailError;
  /** Position of the stream at which it ended; null: the stream had not begun. */
  readonly position: StreamPosition | null;
  /** The checkpoint after which it ended; null: not known yet. */
  readonly checkpointLsn: Lsn | null;
}

const TRIES = 3;
/**
 * Tries for an error that needs a person anyway. If it is met again at the same position, it is not
 * accidental.
 */
const OPERATOR_TRIES = 2;
/** Largest number of tables of one transaction that a message names. */
const MAX_TABLES = 10;

/** Errors that the opening of a session examines and settles. */
const SETTLED_BY_OPENING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PIPELINE_READ_AGAIN',
  'SOURCE_LOOK_AGAIN',
  'SOURCE_PUBLICATION_MISSING',
  'SOURCE_SPOOL_FAILED',
  'TRACKING_CHANGED',
  'TRAIL_FENCED',
]);
/** Errors that occur again whenever the same work is tried again. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PGOUTPUT_MALFORMED',
  'PIPELINE_FAILED',
  'SOURCE_REPLICATION_FAILED',
  'SOURCE_ROW_TOO_LARGE',
  'TRAIL_WRITE_FAILED',
]);
/** Refusals that concern the session and not a transaction, if they are met before the stream has begun. */
const REFUSALS_OF_OPENING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PIPELINE_FAILED',
  'TRAIL_WRITE_FAILED',
]);

/** SQLSTATEs with which the trail refuses every transaction, whatever its content. */
const REFUSED_TO_ALL: ReadonlySet<string | undefined> = new Set([
  DISK_FULL,
  INSUFFICIENT_PRIVILEGE,
  READ_ONLY_SQL_TRANSACTION,
  TOO_MANY_CONNECTIONS,
]);

/**
 * Distinguishes an error that repeats at one position from transient ones. An error repeats if sessions end
 * with the same code and SQLSTATE while the checkpoint does not move. A connection that breaks counts only if
 * it breaks in the same transaction each time.
 */
export class Repeats {
  readonly #patienceMs: number;
  #signature = '';
  #sinceMs = 0;
  #tries = 0;

  /** @param patienceMs a transient error has passed before this time is over */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Returns the error that capture waits on, once it is certain; undefined before. */
  met(failure: Failure, nowMs: number): Stuck | undefined {
    const { error, position, checkpointLsn } = failure;
    if (!mayRepeat(failure) || checkpointLsn === null) return undefined;
    const signature = signatureOf(error.code, sqlStateOf(error.cause) ?? null, checkpointLsn);
    if (signature !== this.#signature) {
      this.#signature = signature;
      this.#sinceMs = nowMs;
      this.#tries = 0;
    }
    this.#tries++;
    const isSure =
      error.retry === 'backoff'
        ? this.#tries >= TRIES && nowMs - this.#sinceMs >= this.#patienceMs
        : this.#tries >= (position?.exact === true ? OPERATOR_TRIES : TRIES);
    return isSure ? stuckAt(failure, checkpointLsn) : undefined;
  }

  /** Recalls the error that an earlier process waited on, so that the same error counts at once. */
  recall(stuck: Stuck): void {
    if (this.#signature !== '') return;
    this.#signature = signatureOf(stuck.code, stuck.sqlState, stuck.checkpointLsn);
    this.#sinceMs = -Infinity;
    this.#tries = TRIES;
  }
}

/** True if the same work will be refused again. */
export const isRefusal = ({ code }: WaltrailError): boolean => REFUSALS.has(code);

const signatureOf = (code: ErrorCode, sqlState: string | null, checkpointLsn: Lsn): string =>
  `${code} ${sqlState ?? '-'} ${formatLsn(checkpointLsn)}`;

function mayRepeat({ error: { code }, position }: Failure): boolean {
  if (SETTLED_BY_OPENING.has(code)) return false;
  if (position === null) return REFUSALS_OF_OPENING.has(code);
  return REFUSALS.has(code) || position.exact;
}

function stuckAt({ error, position }: Failure, checkpointLsn: Lsn): Stuck {
  const isOfOne = position?.exact === true && !isRefusedToAll(error);
  return {
    code: error.code,
    sqlState: sqlStateOf(error.cause) ?? null,
    message: `${located(error, position).message} It happens again and again.`,
    checkpointLsn,
    commitLsn: isOfOne ? position.commitLsn : null,
    tables: isOfOne ? position.tables : [],
  };
}

/** True if the next transaction would be refused too, so that passing over one does not help. */
const isRefusedToAll = (error: WaltrailError): boolean =>
  error.code === 'TRAIL_WRITE_FAILED' && REFUSED_TO_ALL.has(sqlStateOf(error.cause));

/**
 * Returns the same error with the position in the stream, if the position helps a person to find the cause.
 */
export function located(error: WaltrailError, position: StreamPosition | null): WaltrailError {
  if (position === null || !(REFUSALS.has(error.code) || position.exact)) return error;
  if (isRefusedToAll(error)) return error;
  const { code, message, remedy, details, cause } = error;
  return new WaltrailError(code, `${message} It happened ${where(position, code)}.`, {
    remedy,
    details,
    cause,
  });
}

/** Returns the error that capture waits on, with the last resort in its remedy if there is one. */
export function stuckError(stuck: Stuck, error: WaltrailError): WaltrailError {
  const { remedy, details, cause } = error;
  return new WaltrailError(stuck.code, stuck.message, {
    remedy:
      stuck.commitLsn === null
        ? remedy
        : `${remedy}\nAs a last resort, pass over this transaction and leave a gap: waltrail skip --at ${formatLsn(stuck.commitLsn)} --reason "…"`,
    details,
    cause,
  });
}

function where({ commitLsn, exact, checkpointLsn, tables }: StreamPosition, code: ErrorCode): string {
  // The trail refuses a batch. Which transaction it was is known only if each is stored alone.
  const known = exact || !code.startsWith('TRAIL_');
  if (commitLsn === null || !known) return `after ${formatLsn(checkpointLsn)}`;
  const named = tables.slice(0, MAX_TABLES).join(', ');
  const more = tables.length > MAX_TABLES ? ` and ${tables.length - MAX_TABLES} more` : '';
  return `in the transaction that commits at ${formatLsn(commitLsn)}${named === '' ? '' : ` (${named}${more})`}`;
}
