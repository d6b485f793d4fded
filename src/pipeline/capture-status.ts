/** What capture is doing, for `GET /v1/status`, `/readyz` and `/metrics`. */
export interface CaptureStatus {
  /** `standby`: another daemon captures; `stopped`: an operator is needed, see `error`. */
  readonly state: 'starting' | 'standby' | 'streaming' | 'reconnecting' | 'stopped';
  readonly source: string;
  readonly slot: string;
  /** End of the last transaction that is durable in the trail; null before the first connection. */
  readonly checkpointLsn: string | null;
  /** Last WAL position the source reported. */
  readonly sourceLsn: string | null;
  /** Bytes of WAL from `checkpointLsn` to `sourceLsn`. */
  readonly lagBytes: number | null;
  /**
   * The trail has everything that the source committed before this time by its own clock (RFC 3339). Null:
   * not known yet.
   */
  readonly currentUntil: string | null;
  /**
   * Milliseconds from the commit of the last stored transaction until the trail showed it, in the last batch.
   */
  readonly latencyMs: number | null;
  readonly transactions: number;
  readonly changes: number;
  readonly entries: number;
  /** Updates that changed only ignored columns. */
  readonly ignored: number;
  /** The tracking configuration that is in effect. */
  readonly configuration: {
    /** SHA-256; null before the first connection. */
    readonly digest: string | null;
    /**
     * What the file's configuration waits for while another one is in effect. `apply`: for `waltrail apply`.
     * `position`: for the position of the stream from which the source sends what the file asks for. Null:
     * the file's configuration is in effect.
     */
    readonly waitsFor: 'apply' | 'position' | null;
    /** Messages that announced a configuration which is neither in effect nor that of the file. */
    readonly ignored: number;
  };
  /** Logical messages that should name a modifier and are unread: not understood, or passed over. */
  readonly messagesUnread: number;
  /** Entries without a tenant because the row that has it is unknown. */
  readonly tenantsUnknown: number;
  /**
   * Tables that are not captured, or not as the YAML says: one trouble each, at most 100. Capture of all
   * other tables continues.
   */
  readonly troubles: readonly CaptureTrouble[];
  /** Number of all troubles. */
  readonly troubleCount: number;
  /** Transactions that must end before capture can begin or finish a step. Null: it waits for none. */
  readonly waiting: CaptureWaiting | null;
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string } | null;
}

/** What is wrong with one table, and how to fix it. */
export interface CaptureTrouble {
  /** `schema.table`. */
  readonly table: string;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** The consequence for the trail or for the application. */
  readonly effect: string;
}

/** Transactions of the source that must end first. */
export interface CaptureWaiting {
  /** What waits, as the beginning of a sentence. */
  readonly what: string;
  /** RFC 3339. */
  readonly since: string;
  /** The oldest of these transactions, at most ten. */
  readonly transactions: readonly WaitedTransaction[];
  /** Number of all these transactions. */
  readonly transactionCount: number;
}

export interface WaitedTransaction {
  readonly xid: string;
  /** Null: the transaction is prepared, and no process runs it. */
  readonly pid: number | null;
  /** Identifier with which a prepared transaction is committed or rolled back. Null: it is not prepared. */
  readonly gid: string | null;
  /** RFC 3339. Null: the role of source.url may not see it. */
  readonly since: string | null;
  readonly user: string | null;
  readonly application: string | null;
  readonly database: string | null;
}
