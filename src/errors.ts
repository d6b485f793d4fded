/** What the caller may do about an error: give up, try again later by itself, or wait for a person. */
export type Retry = 'never' | 'backoff' | 'operator';

interface CodeInfo {
  readonly retry: Retry;
  /** What the reader can do about it. Shown with every error, so it is a sentence, not a hint. */
  readonly remedy: string;
  /** HTTP status, for codes that can reach a client of the API. */
  readonly status?: number;
}

/**
 * Every error code of Waltrail with its remedy; this table is the documentation of errors.
 * Codes read `ROOM_REASON`. Kept in alphabetical order within a room.
 */
export const ERROR_CODES = {
  // settings and the command line
  SETTINGS_INVALID: { retry: 'never', remedy: 'Correct the named environment variable or option and start again.' },

  // pg: connections and migrations
  PG_UNREACHABLE: { retry: 'backoff', remedy: 'Check that the server runs and that host, port and network of the URL are right.' },
  PG_REFUSED: { retry: 'operator', remedy: 'Check user, password, database and pg_hba.conf for the URL.' },
  PG_MIGRATION_FAILED: { retry: 'operator', remedy: 'Read the cause; the migration was rolled back and nothing changed.' },
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface WaltrailErrorOptions {
  readonly cause?: unknown;
  /** Overrides the remedy of the table where the error knows the exact command that mends it. */
  readonly remedy?: string;
  /** Extra members of the problem document (RFC 9457), never a row value or a credential. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error type. `message` names the object that is at fault and holds no row value and no credential,
 * `code` is what callers branch on, `remedy` is what the reader can do.
 */
export class WaltrailError extends Error {
  override readonly name = 'WaltrailError';
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly remedy: string;
  readonly status: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: WaltrailErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const info: CodeInfo = ERROR_CODES[code];
    this.code = code;
    this.retry = info.retry;
    this.remedy = options.remedy ?? info.remedy;
    this.status = info.status;
    this.details = options.details ?? {};
  }
}

export const isWaltrailError = (error: unknown): error is WaltrailError => error instanceof WaltrailError;
