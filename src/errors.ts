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

  // pgoutput: the replication protocol
  PGOUTPUT_MALFORMED: { retry: 'operator', remedy: 'Report this with the versions of the source and of Waltrail; nothing was acknowledged, so nothing is lost.' },

  // source: slot and stream
  SOURCE_CHANGED: { retry: 'operator', remedy: 'Point WALTRAIL_SOURCE_URL at the database this trail belongs to, or start a new trail database for the new source.' },
  SOURCE_DISCONNECTED: { retry: 'backoff', remedy: 'Nothing: Waltrail connects again by itself and continues at the checkpoint.' },
  SOURCE_REPLICATION_FAILED: { retry: 'operator', remedy: 'Read the SQLSTATE in the message; correct the cause on the source and start again.' },
  SOURCE_SLOT_AHEAD: { retry: 'operator', remedy: 'Changes between the two positions are not in the trail. Find who advanced the slot or restored the trail; then drop the slot so that a new one begins after a recorded gap.' },
  SOURCE_SLOT_BUSY: { retry: 'backoff', remedy: 'Another consumer reads this slot. Waltrail tries again; stop the other consumer, or give it a slot of its own.' },
  SOURCE_SLOT_INVALID: { retry: 'operator', remedy: 'The source removed WAL that the slot still needed. Changes since the checkpoint may be lost; drop the slot and start again, and raise max_slot_wal_keep_size.' },
  SOURCE_SLOT_LOST: { retry: 'operator', remedy: 'The slot this trail was fed from is gone; changes since the checkpoint may be lost. Find who dropped it.' },

  // trail: the audit database
  TRAIL_DISCONNECTED: { retry: 'backoff', remedy: 'Nothing: Waltrail connects again by itself and continues at the checkpoint.' },
  TRAIL_FENCED: { retry: 'backoff', remedy: 'Another daemon writes this trail. Nothing was stored twice; this one stands by.' },
  TRAIL_OTHER_SOURCE: { retry: 'operator', remedy: 'A trail holds one source. Use a separate trail database for this source, or correct source.name in the YAML.' },
  TRAIL_WRITE_FAILED: { retry: 'backoff', remedy: 'Read the SQLSTATE in the message: disk space, permissions and limits of the trail database are the usual causes. Nothing was acknowledged, so nothing is lost.' },

  // admin: HTTP, tokens and sessions
  HTTP_BODY_INVALID: { retry: 'never', status: 400, remedy: 'Correct the named member of the body; /docs describes it.' },
  HTTP_BODY_TOO_LARGE: { retry: 'never', status: 413, remedy: 'Send a smaller body; no request of this API needs more than 64 KiB.' },
  HTTP_CROSS_SITE: { retry: 'never', status: 403, remedy: 'Send the request from the page itself, or use an API token in the Authorization header.' },
  HTTP_FORBIDDEN: { retry: 'never', status: 403, remedy: 'Use a token whose role and tenant allow this: waltrail token create --role viewer|exporter|admin.' },
  HTTP_INTERNAL: { retry: 'operator', status: 500, remedy: 'Look for this id in the log of the daemon: the cause stands there.' },
  HTTP_MEDIA_TYPE: { retry: 'never', status: 415, remedy: 'Send the body as application/json.' },
  HTTP_NOT_FOUND: { retry: 'never', status: 404, remedy: 'Check the path; /docs lists every route.' },
  HTTP_PORT_BUSY: { retry: 'operator', remedy: 'End what listens there, or choose another port with --port or WALTRAIL_PORT (0 takes any free one).' },
  HTTP_QUERY_INVALID: { retry: 'never', status: 400, remedy: 'Correct the named parameter; /docs describes every one.' },
  HTTP_REQUEST_INVALID: { retry: 'never', status: 400, remedy: 'Correct the request; /docs describes every route.' },
  HTTP_SIGN_IN_REFUSED: { retry: 'never', status: 401, remedy: 'Sign in with a valid API token, or make a new sign-in link: a sign-in code works once and not for long.' },
  HTTP_TOKEN_INVALID: { retry: 'never', status: 401, remedy: 'Ask an administrator for a token (waltrail token create), or sign in again.' },
  HTTP_TOKEN_MISSING: { retry: 'never', status: 401, remedy: 'Send "Authorization: Bearer <token>", or sign in on the page.' },
  HTTP_TOO_MANY_REQUESTS: { retry: 'backoff', status: 429, remedy: 'Wait as long as the Retry-After header says.' },
  HTTP_TOO_MANY_STREAMS: { retry: 'backoff', status: 503, remedy: 'Close other live views, or add an API process (waltrail start --roles api).' },
  HTTP_UNAVAILABLE: { retry: 'backoff', status: 503, remedy: 'Try again in a moment; if it stays so, check the trail database and the log of the daemon.' },
  TOKEN_ARGUMENTS_INVALID: { retry: 'never', remedy: 'See: waltrail token --help' },
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
