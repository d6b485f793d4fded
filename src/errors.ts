/** The reaction to an error: give up, try again later, or wait for a person. */
export type Retry = 'never' | 'backoff' | 'operator';

interface CodeInfo {
  readonly retry: Retry;
  /** The advice to the reader. It is shown with every error, so it is a full sentence. */
  readonly remedy: string;
  /** HTTP status, for codes that can reach a client of the API. */
  readonly status?: number;
}

/** The command that resumes capture after a gap of the whole stream. */
const RESUME = 'resume capture with waltrail gaps --accept (or on_gap: continue in the YAML).';
const CONNECTS_AGAIN =
  'You need to do nothing: Waltrail reconnects automatically and continues at the checkpoint.';
const APPLY = 'Run waltrail apply, or run the given SQL on the source';

/**
 * Every error code of Waltrail with its remedy. The table in docs/errors.md repeats it. A code has the form
 * `ROOM_REASON`.
 */
export const ERROR_CODES = {
  // settings and the command line
  CLI_USAGE: { retry: 'never', remedy: 'Run the command with --help for its options.' },
  SETTINGS_INVALID: {
    retry: 'never',
    remedy: 'Correct the named environment variable or option, then start again.',
  },

  // embedded: the PostgreSQL of `npm start` with nothing configured
  EMBEDDED_FAILED: {
    retry: 'operator',
    remedy:
      'Read the named log. To use PostgreSQL servers of your own instead, set WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL.',
  },
  EMBEDDED_FOLDER: {
    retry: 'operator',
    remedy: 'Make the folder writable, or name another folder in WALTRAIL_DATA_DIR.',
  },
  EMBEDDED_IN_USE: {
    retry: 'operator',
    remedy: 'Stop that process first, or set WALTRAIL_DATA_DIR to a separate folder for this one.',
  },
  EMBEDDED_NO_ACCOUNT: {
    retry: 'operator',
    remedy:
      'Start Waltrail with an account other than root, or create one for PostgreSQL: useradd --system postgres.',
  },
  EMBEDDED_PLATFORM: {
    retry: 'operator',
    remedy:
      'Run `npm ci` without --omit=optional. If no package exists for your platform, set WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL to PostgreSQL servers of your own.',
  },
  EMBEDDED_STAGING: {
    retry: 'operator',
    remedy: 'Find out who created the named folder, remove it and start again.',
  },

  // pg: connections and migrations
  PG_MIGRATION_FAILED: {
    retry: 'operator',
    remedy: 'Read the cause in the message. The migration was rolled back; nothing was changed.',
  },
  PG_MIGRATION_NEWER: {
    retry: 'operator',
    remedy: 'Start the newer version of Waltrail again, or use a separate database for this version.',
  },
  PG_POOLER: {
    retry: 'operator',
    remedy:
      'Name PostgreSQL itself in the URL. For replication, only PgBouncer 1.24 or later can be in between. For the trail, a pooler must keep each session for one client (pool_mode = session).',
  },
  PG_QUERY_REFUSED: {
    retry: 'operator',
    remedy:
      'Correct what the message of the server names. If there is no message, look up the SQLSTATE in the PostgreSQL documentation and read the log of the server.',
  },
  PG_REFUSED: {
    retry: 'operator',
    remedy: 'Check the user, password and database of the URL, and pg_hba.conf on the server.',
  },
  PG_SCHEMA_FOREIGN: {
    retry: 'operator',
    remedy:
      'Find out who created the schema and what is in it. Then drop it. If you created it for Waltrail, give it to the owner of the database (alter schema … owner to …).',
  },
  PG_TLS: {
    retry: 'operator',
    remedy:
      'Compare sslmode, sslrootcert, sslcert and sslkey of the URL with the server: its settings ssl and ssl_ca_file, and its pg_hba.conf.',
  },
  PG_UNPINNED: {
    retry: 'operator',
    remedy:
      'Connect without a pooler, or through one that keeps each session for one client. Waltrail depends on the settings of its session: without them, functions of other users could run with its rights.',
  },
  PG_UNREACHABLE: {
    retry: 'backoff',
    remedy:
      'Check that the server runs, that the URL has the right host and port, and that the network lets Waltrail through.',
  },

  // pgoutput: the replication protocol
  PGOUTPUT_MALFORMED: {
    retry: 'operator',
    remedy:
      'Report this error with the versions of PostgreSQL and Waltrail. Nothing was acknowledged, so nothing is lost.',
  },

  // pipeline
  PIPELINE_FAILED: {
    retry: 'backoff',
    remedy:
      'Report this error with the log. Nothing was acknowledged, so nothing is lost. Waltrail tries again.',
  },
  PIPELINE_READ_AGAIN: {
    retry: 'backoff',
    remedy:
      'You need to do nothing: Waltrail reads the transaction again and uses its first logical message, or the audit rows of the application. To avoid the second reading, send the message before the first change.',
  },

  // source: slot and stream
  SOURCE_CHANGED: {
    retry: 'operator',
    remedy: `Set WALTRAIL_SOURCE_URL to the database that this trail belongs to, or use a new trail database for the new source. If an upgrade or a restore turned the source into another cluster, ${RESUME}`,
  },
  SOURCE_DISCONNECTED: {
    retry: 'backoff',
    remedy: CONNECTS_AGAIN,
  },
  SOURCE_LOOK_AGAIN: {
    retry: 'backoff',
    remedy: 'You need to do nothing: Waltrail checks slot and publication again and reports what it finds.',
  },
  SOURCE_NAMES_UNREAD: {
    retry: 'operator',
    remedy:
      'You need to do nothing: names from before the start stay unknown until their rows change. To have them at once, grant the role of source.url select on the named columns. The table must be an ordinary table without a row security policy for that role.',
  },
  SOURCE_READ_WHOLE: {
    retry: 'backoff',
    remedy:
      'You need to do nothing: Waltrail reads this transaction, and others for a while after it, only after they commit. The cause is a large transaction that sends a logical message and then rolls back to a savepoint.',
  },
  SOURCE_REPLICATION_FAILED: {
    retry: 'operator',
    remedy: 'Read the SQLSTATE in the message and correct the cause on the source.',
  },
  SOURCE_ROW_TOO_LARGE: {
    retry: 'operator',
    remedy:
      'PostgreSQL cannot send a row of more than 1 GB as text. Everything before this transaction is in the trail. Note what the transaction changed, then skip it with the waltrail skip command that the error names.',
  },
  SOURCE_SLOT_AHEAD: {
    retry: 'operator',
    remedy: `Find out who advanced or recreated the slot (select * from pg_replication_slots), or whether the trail was restored from a backup. Changes between the two positions are not in the trail. Then ${RESUME}`,
  },
  SOURCE_SLOT_BUSY: {
    retry: 'backoff',
    remedy:
      'Another consumer reads this slot. Stop the other consumer, or give it a slot of its own. Waltrail tries again.',
  },
  SOURCE_SLOT_FOREIGN: {
    retry: 'operator',
    remedy: 'Choose another source.slot in the YAML; Waltrail creates it.',
  },
  SOURCE_SLOT_INVALID: {
    retry: 'operator',
    remedy: `Until capture resumes, further changes are lost. The source removed WAL that the slot still needed. Raise max_slot_wal_keep_size (or idle_replication_slot_timeout). Then ${RESUME} Waltrail recreates the slot.`,
  },
  SOURCE_SLOT_LOST: {
    retry: 'operator',
    remedy: `Until capture resumes, further changes are lost. Find out who dropped the slot, or why the failover did not copy it to the new primary. Then ${RESUME} Waltrail recreates the slot.`,
  },

  SOURCE_TABLE_REWRITTEN: {
    retry: 'operator',
    remedy:
      'You need to do nothing: ALTER TABLE changed values of rows, which PostgreSQL does not send, and the gap ends automatically. The next change of a row shows its values again. With source.event_trigger: true the gap is one position and names who ran the command.',
  },

  SOURCE_TIMELINE_FORKED: {
    retry: 'operator',
    remedy: `The source lacks the last changes that the trail has: it is a new primary that was behind, or was restored. Entries in the named range may show changes that the source no longer has. Compare them with the source. Then ${RESUME}`,
  },

  SOURCE_TRANSACTION_SKIPPED: {
    retry: 'operator',
    remedy:
      'An operator skipped this transaction with waltrail skip. The entry shows who did so and why. The changes of the transaction are not in the trail; only the source shows their result.',
  },

  SOURCE_SPOOL_FAILED: {
    retry: 'backoff',
    remedy:
      'Nothing is lost: until its next start, Waltrail reads transactions only after they commit. Free space in the folder of WALTRAIL_SPOOL_DIR, or make it writable, then restart.',
  },

  // tracking: the YAML, plan and apply, and what a source must have before capture starts
  SOURCE_PRIVILEGE: {
    retry: 'operator',
    remedy: 'Grant the missing privilege: run the given SQL as a superuser of the source.',
  },
  SOURCE_SESSION_TRIGGER: {
    retry: 'operator',
    remedy: 'Run waltrail apply, which creates the session trigger on each tracked table.',
  },
  SOURCE_NOT_FOLLOWED: {
    retry: 'operator',
    remedy:
      'Give the named tables a primary key or replica identity full, then run waltrail apply. Or set source.on_new_table: apply in the YAML.',
  },
  SOURCE_PUBLICATION_FOREIGN: {
    retry: 'operator',
    remedy:
      'Name another publication under source.publication in the YAML. If nothing else reads this one any more, take it over with waltrail apply --take-over.',
  },
  SOURCE_PUBLICATION_INCOMPLETE: {
    retry: 'operator',
    remedy: `${APPLY}. Changes of tables that were not published are lost. Then ${RESUME}`,
  },
  SOURCE_PUBLICATION_MISSING: {
    retry: 'operator',
    remedy: `${APPLY}. Changes that were made without the publication are lost. Then ${RESUME}`,
  },
  SOURCE_PUBLICATION_UNSUITABLE: {
    retry: 'operator',
    remedy: 'Choose another name under source.publication in the YAML; waltrail apply then creates it.',
  },
  SOURCE_PUBLISHES_TRAIL: {
    retry: 'operator',
    remedy: `${APPLY}: the trail must not audit itself.`,
  },
  SOURCE_REPLICA_IDENTITY: {
    retry: 'operator',
    remedy: `${APPLY}.`,
  },
  SOURCE_SLOTS_EXHAUSTED: {
    retry: 'operator',
    remedy:
      'Drop a slot that nothing reads (select * from pg_replication_slots), or raise max_replication_slots or max_wal_senders and restart the source.',
  },
  SOURCE_UNSUPPORTED: {
    retry: 'operator',
    remedy: 'Use a primary (not a standby) of PostgreSQL 14 or later as the source.',
  },
  SOURCE_WRITES_REFUSED: {
    retry: 'operator',
    remedy:
      'PostgreSQL refuses updates and deletes of a published table that has no usable replica identity. Run the given SQL on the source at once. To prevent this error, set source.event_trigger: true in the YAML.',
  },
  SOURCE_WAL_LEVEL: {
    retry: 'operator',
    remedy: "Run: alter system set wal_level = 'logical'; Then restart the source.",
  },
  TRACKING_APPLY_FAILED: {
    retry: 'operator',
    remedy:
      'Correct what the message of the source names. Nothing was changed. You can also run the SQL of waltrail plan by hand.',
  },
  TRACKING_CHANGED: {
    retry: 'backoff',
    remedy:
      'You need to do nothing: capture starts a new session and uses the changed configuration from this position on.',
  },
  TRACKING_CHILD_UNTRACKED: {
    retry: 'operator',
    remedy:
      'Name the inheriting table under tables in the YAML and run waltrail apply. Or list it under exclude to leave its rows out on purpose.',
  },
  TRACKING_COLUMN_RENAMED: {
    retry: 'operator',
    remedy:
      'Use the new name of the column in the YAML, also under redact. If the column is no longer secret, list it under secrets.allow.',
  },
  TRACKING_COLUMN_UNKNOWN: { retry: 'operator', remedy: 'Correct the column name in the YAML.' },
  TRACKING_FILE_INVALID: {
    retry: 'never',
    remedy:
      'Correct the named places. config/waltrail.schema.json describes every key, and editors use it for completion.',
  },
  TRACKING_FILE_UNREADABLE: {
    retry: 'never',
    remedy: 'Check that the file exists and is readable, or name another file with WALTRAIL_CONFIG.',
  },
  TRACKING_LOCK_TIMEOUT: {
    retry: 'backoff',
    remedy:
      'The application held a lock on the table for more than 5 s. Nothing was changed. Run waltrail apply again when the table is less busy.',
  },
  TRACKING_NEEDS_RESTART: {
    retry: 'operator',
    remedy:
      'Restart Waltrail to use the changed file, or undo the named part and reload again. The reload changed nothing.',
  },
  TRACKING_PATTERN_UNMATCHED: { retry: 'operator', remedy: 'Correct the pattern in the YAML, or remove it.' },
  TRACKING_REDACTION_UNMATCHED: {
    retry: 'operator',
    remedy:
      'Correct the rule of redact in the YAML, or remove it: it matches no column, so the values it is meant to redact are stored.',
  },
  TRACKING_TABLES_LEAVE: {
    retry: 'operator',
    remedy:
      'If the tables should no longer be tracked, run waltrail apply --yes. Otherwise name them in the YAML again. Nothing was changed.',
  },
  TRACKING_TABLE_UNKNOWN: {
    retry: 'operator',
    remedy: 'Correct the table name in the YAML, or create the table first.',
  },

  // trail: the audit database
  TRAIL_CURSOR_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Send the request without a cursor. A cursor continues only the request that returned it.',
  },
  TRAIL_DISCONNECTED: {
    retry: 'backoff',
    remedy: CONNECTS_AGAIN,
  },
  TRAIL_FENCED: {
    retry: 'backoff',
    remedy:
      'You need to do nothing: another daemon writes this trail, and this one waits as a standby. Nothing was stored twice.',
  },
  TRAIL_IN_SOURCE: {
    retry: 'operator',
    remedy:
      'Create a separate database for the trail (create database waltrail_trail; it may be on the same server) and name it in trail.url. Otherwise, dropping or restoring the source would also destroy the trail.',
  },
  TRAIL_LOGIN: {
    retry: 'operator',
    remedy:
      'Correct the login that trail.urls names: it must be a member of its one role, and must have no other right in the trail.',
  },
  TRAIL_OTHER_SOURCE: {
    retry: 'operator',
    remedy:
      'A trail holds one source. Use a separate trail database for this source, or correct source.name in the YAML.',
  },
  TRAIL_QUERY_TIMEOUT: {
    retry: 'never',
    status: 503,
    remedy: 'Narrow the range or add a filter: a search for text alone reads every entry of the range.',
  },
  TRAIL_READ_FAILED: {
    retry: 'operator',
    remedy:
      'Read the SQLSTATE in the message. 42P01, 42703: an older version of Waltrail created the trail. Start this version on it once (waltrail start). 42501: grant waltrail_reader to the login of the trail.',
  },
  TRAIL_RESTORED: {
    retry: 'operator',
    remedy: `The trail database was restored, or failed over to a standby that lagged. Entries after its checkpoint are lost, and the source no longer has their changes. If a newer copy of the trail exists, use it. Then ${RESUME}`,
  },
  TRAIL_RETENTION_FLOOR: {
    retry: 'operator',
    remedy:
      'Lengthen trail.retention in the YAML, or have the owner of the trail lower the minimum retention: update trail.retention_floor set days = N.',
  },
  TRAIL_WRITE_FAILED: {
    retry: 'backoff',
    remedy:
      'Read the message of the server. The usual causes are disk space, permissions and limits of the trail database. Nothing was acknowledged, so nothing is lost.',
  },

  // waltrail init
  INIT_FILE_EXISTS: {
    retry: 'never',
    remedy: 'Nothing was overwritten. Name another file with --out, or move the existing one.',
  },
  INIT_FILE_UNWRITABLE: {
    retry: 'never',
    remedy: 'Create the folder or make it writable, or name another file with --out.',
  },
  INIT_NO_TABLES: {
    retry: 'never',
    remedy:
      'Check that the URL names the database of the application. Waltrail does not track views, foreign tables, unlogged tables, temporary tables, or the tables of extensions, migration tools and queues.',
  },
  INIT_TOO_LARGE: {
    retry: 'never',
    remedy:
      'Write a YAML with a pattern for each schema, such as public.*, and name only the tables that need more.',
  },

  // waltrail explain
  EXPLAIN_COLUMN_UNKNOWN: {
    retry: 'never',
    remedy: 'Use the column names of the source. PostgreSQL does not send virtual columns.',
  },
  EXPLAIN_ENTRY_UNKNOWN: {
    retry: 'never',
    remedy:
      'Take the id from the page, the API or an exported file. Entries that are older than the retention no longer exist.',
  },
  EXPLAIN_TABLE_UNKNOWN: {
    retry: 'never',
    remedy: 'Name the table with its schema, such as public.agents. Quote the name if SQL requires it.',
  },
  EXPLAIN_TABLE_UNTRACKED: {
    retry: 'never',
    remedy: 'Name a table that the YAML tracks. waltrail plan shows what the YAML does with each table.',
  },
  EXPLAIN_VALUES_INVALID: {
    retry: 'never',
    remedy: 'Put the JSON into single quotes, so that the shell keeps its double quotes.',
  },

  // waltrail reload
  RELOAD_UNANSWERED: {
    retry: 'operator',
    remedy:
      'Check that a daemon runs on this trail and that its version supports reload (GET /v1/status). A restart also reads the file.',
  },

  // waltrail skip
  SKIP_ALREADY_ASKED: {
    retry: 'never',
    remedy:
      'Wait: capture skips the transaction at its next attempt. If it does not, check that a daemon is capturing.',
  },
  SKIP_NOT_WAITING: {
    retry: 'never',
    remedy:
      'Read GET /v1/status or the log. You can skip only a transaction that an error names after it has repeated at the same place.',
  },
  SKIP_OTHER_LSN: {
    retry: 'never',
    remedy: 'Use the commit LSN that the error names now (waltrail skip without options shows it).',
  },
  SKIP_PLACE_UNKNOWN: {
    retry: 'never',
    remedy:
      'Correct the cause. As a last resort, advance the slot past that place with pg_replication_slot_advance on the source. Then resume capture as SOURCE_SLOT_AHEAD describes.',
  },

  // ranges of reports
  RANGE_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Send RFC 3339 times such as 2026-11-23T09:00:00Z. The range includes "from" and excludes "to".',
  },
  RANGE_TOO_LONG: {
    retry: 'never',
    status: 422,
    remedy: 'Choose a shorter range, or raise reports.max_range in the YAML.',
  },

  // exports: files computed from the trail
  EXPORT_DISK_FULL: {
    retry: 'operator',
    status: 507,
    remedy: 'Free disk space where exports are stored (WALTRAIL_EXPORT_DIR), then request the export again.',
  },
  EXPORT_FAILED: {
    retry: 'operator',
    remedy:
      'Find the id of the export in the log of the daemon, fix the cause, then request the export again.',
  },
  EXPORT_FILE_MISSING: {
    retry: 'operator',
    status: 410,
    remedy:
      'The file is not in the export directory of this process. Share WALTRAIL_EXPORT_DIR between the processes with the roles api and exports, or request the export again.',
  },
  EXPORT_GAVE_UP: {
    retry: 'operator',
    remedy:
      'The worker ended several times while it wrote this file. Read its log for memory errors and restarts. Then request the export again, or narrow the filter.',
  },
  EXPORT_KEY_REUSED: {
    retry: 'never',
    status: 422,
    remedy:
      'Send a new Idempotency-Key with a new request. To get the export of the old request, repeat that request unchanged.',
  },
  EXPORT_NOT_FOUND: {
    retry: 'never',
    status: 404,
    remedy: 'List the exports that you may see with GET /v1/exports. A deleted export no longer exists.',
  },
  EXPORT_NOT_READY: {
    retry: 'backoff',
    status: 409,
    remedy: 'Download the file when the state of the export is "ready".',
  },
  EXPORT_OUT_OF_MEMORY: {
    retry: 'operator',
    remedy:
      'Some values are very large. Narrow the filter or the range, or leave those columns out with a redact rule.',
  },
  EXPORT_QUEUE_UNAVAILABLE: {
    retry: 'backoff',
    status: 503,
    remedy: 'Check the queue: the trail database, or the server of REDIS_URL.',
  },
  EXPORT_QUOTA: {
    retry: 'backoff',
    status: 429,
    remedy: 'Wait until one of these exports has finished, or cancel one: DELETE /v1/exports/:id.',
  },
  EXPORT_STORAGE: {
    retry: 'operator',
    remedy:
      'Make the export directory (WALTRAIL_EXPORT_DIR) writable for the user that runs Waltrail, then request the export again.',
  },
  EXPORT_TOO_LARGE: {
    retry: 'never',
    remedy: 'Narrow the filter or the range, or choose the format csv or ndjson, which have no limit.',
  },

  // admin: HTTP, tokens and sessions
  HTTP_BODY_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Correct the named member of the body; /docs describes it.',
  },
  HTTP_BODY_TOO_LARGE: {
    retry: 'never',
    status: 413,
    remedy: 'Send a smaller body. No request of this API needs more than 64 KiB.',
  },
  HTTP_CROSS_SITE: {
    retry: 'never',
    status: 403,
    remedy:
      'Send the request from the page itself, or use an API token in the Authorization header. If browsers open the page by a host name, set WALTRAIL_PUBLIC_URL.',
  },
  HTTP_FORBIDDEN: {
    retry: 'never',
    status: 403,
    remedy:
      'Use a token whose role and tenant allow this: waltrail token create --role viewer|exporter|admin.',
  },
  HTTP_INTERNAL: {
    retry: 'operator',
    status: 500,
    remedy: 'Find this id in the log of the daemon: the log shows the cause.',
  },
  HTTP_MEDIA_TYPE: { retry: 'never', status: 415, remedy: 'Send the body as application/json.' },
  HTTP_METHOD_NOT_ALLOWED: {
    retry: 'never',
    status: 405,
    remedy: 'Use one of the methods that the Allow header names.',
  },
  HTTP_NOT_FOUND: { retry: 'never', status: 404, remedy: 'Check the path; /docs lists every route.' },
  HTTP_PORT_BUSY: {
    retry: 'operator',
    remedy:
      'Stop the process that listens on this port, or choose another port with --port or WALTRAIL_PORT (0 takes any free port).',
  },
  HTTP_QUERY_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Correct the named parameter; /docs describes every parameter.',
  },
  HTTP_RANGE_UNSATISFIABLE: {
    retry: 'never',
    status: 416,
    remedy:
      'If the Content-Range header names the size that your copy already has, the copy is complete. Otherwise download the file from the beginning.',
  },
  HTTP_REQUEST_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Correct the request; /docs describes every route.',
  },
  HTTP_SIGN_IN_REFUSED: {
    retry: 'never',
    status: 401,
    remedy:
      'Sign in with a valid API token, or create a new sign-in link. A sign-in code works once and only for a short time.',
  },
  HTTP_TOKEN_BUSY: {
    retry: 'backoff',
    status: 429,
    remedy:
      'Wait until the running requests of this token end, or for the time in the Retry-After header. Give each program a token of its own.',
  },
  HTTP_TOKEN_INVALID: {
    retry: 'never',
    status: 401,
    remedy: 'Ask an administrator for a token (waltrail token create), or sign in again.',
  },
  HTTP_TOKEN_MISSING: {
    retry: 'never',
    status: 401,
    remedy: 'Send "Authorization: Bearer <token>", or sign in on the page.',
  },
  HTTP_TOO_MANY_REQUESTS: {
    retry: 'backoff',
    status: 429,
    remedy: 'Wait for the time in the Retry-After header.',
  },
  HTTP_TOO_MANY_STREAMS: {
    retry: 'backoff',
    status: 503,
    remedy: 'Close other live views, or add an API process (waltrail start --roles api).',
  },
  HTTP_UNAVAILABLE: {
    retry: 'backoff',
    status: 503,
    remedy:
      'Try again in a moment. If the error persists, check the trail database and the log of the daemon.',
  },
  TOKEN_UNKNOWN: { retry: 'never', remedy: 'Use a name that waltrail token list shows.' },
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface WaltrailErrorOptions {
  readonly cause?: unknown;
  /** Replaces the remedy of the table when the exact command that fixes the error is known. */
  readonly remedy?: string;
  /** Extra members of the problem document (RFC 9457), never a row value or a credential. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The only error type of Waltrail. `message` names the faulty object and holds no row value and no
 * credential. Callers branch on `code`. `remedy` tells the reader what to do.
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

/**
 * Returns the `code` of any error: an SQLSTATE, an errno name such as `ECONNREFUSED`, or a code of Waltrail.
 * Returns undefined if the error has none.
 */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
