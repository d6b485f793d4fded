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
  /** Bytes of WAL between the two. */
  readonly lagBytes: number | null;
  /**
   * Everything that the source committed before this time, by its clock, is in the trail: RFC 3339; null: it
   * is not known yet.
   */
  readonly currentUntil: string | null;
  /** Commit time of the last stored transaction to its visibility in the trail, of the last batch. */
  readonly latencyMs: number | null;
  readonly transactions: number;
  readonly changes: number;
  readonly entries: number;
  /** Updates of nothing but ignored columns. */
  readonly ignored: number;
  /** The configuration of tracking that entries are made by. */
  readonly configuration: {
    /** SHA-256; null before the first connection. */
    readonly digest: string | null;
    /**
     * What the configuration of the file waits for, where another is in effect: `apply`, or the `position` of
     * the stream from which on the source sends what it asks for; null: it is in effect.
     */
    readonly waitsFor: 'apply' | 'position' | null;
    /** Messages that announced a configuration which is neither in effect nor that of the file. */
    readonly ignored: number;
  };
  /** Logical messages that should say who made changes and were not understood. */
  readonly messagesUnread: number;
  /** Entries without tenant because the row that has it is not known. */
  readonly tenantsUnknown: number;
  /**
   * Tables that are not captured, or not as the YAML says: one trouble each, at most 100. Those of others go
   * on.
   */
  readonly troubles: readonly CaptureTrouble[];
  /** How many there are. */
  readonly troubleCount: number;
  /** What capture cannot begin or end without; null while it waits for nobody. */
  readonly waiting: CaptureWaiting | null;
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string } | null;
}

/** What is wrong with one table, and what mends it. */
export interface CaptureTrouble {
  /** `schema.table`. */
  readonly table: string;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** What it means for the trail, or for the application. */
  readonly effect: string;
}

/** Transactions of the source that have to end first. */
export interface CaptureWaiting {
  /** What waits, as the beginning of a sentence. */
  readonly what: string;
  /** RFC 3339. */
  readonly since: string;
  /** The oldest of those that last, at most ten. */
  readonly transactions: readonly WaitedTransaction[];
  /** How many there are. */
  readonly transactionCount: number;
}

export interface WaitedTransaction {
  readonly xid: string;
  /** Null: it is prepared, and no process has it. */
  readonly pid: number | null;
  /** By which a prepared transaction is committed or rolled back; null: it is none. */
  readonly gid: string | null;
  /** RFC 3339; null where the role of source.url may not see it. */
  readonly since: string | null;
  readonly user: string | null;
  readonly application: string | null;
  readonly database: string | null;
}
