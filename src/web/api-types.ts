import type { Json } from './exact-json.ts';

/** What the API answers, as its OpenAPI document describes it; the page's only contract with the daemon. */
export type Kind = 'agent' | 'bot' | 'system';
export type Rung = 'message' | 'column' | 'session' | 'unattributed' | 'waltrail';
export type Operation = 'insert' | 'update' | 'delete' | 'truncate';
export type Role = 'viewer' | 'exporter' | 'admin';

/** Column to value; numbers that a double would change are `ExactNumber`. */
export type Values = Readonly<Record<string, Json>>;

export interface Entry {
  readonly id: string;
  /** UTC with microseconds: `2026-11-23T09:51:07.123456Z`. */
  readonly committedAt: string;
  readonly modifier: {
    readonly key: string | null;
    readonly name: string;
    /** Null: nobody is known, or the entry is Waltrail's own. */
    readonly kind: Kind | null;
    readonly rung: Rung;
  };
  readonly action: string;
  readonly entity: { readonly type: string; readonly name: string | null; readonly id: string | null };
  readonly tenant: string | null;
  /** Null for an insert. */
  readonly previous: Values | null;
  /** Null for a delete. */
  readonly updated: Values | null;
  /** Columns of which a value was not sent by the source, or was too large to be stored. */
  readonly unknown?: readonly string[];
  /** Values that were too large to be stored. */
  readonly tooLarge?: readonly {
    readonly side: 'previous' | 'updated';
    readonly column: string;
    readonly bytes: number;
    readonly sha256: string;
  }[];
  /** Columns of which the value is json's own null; a plain null is SQL's. */
  readonly jsonNulls?: { readonly previous?: readonly string[]; readonly updated?: readonly string[] };
  /** Words for stored values. */
  readonly labels?: {
    readonly previous?: Readonly<Record<string, string>>;
    readonly updated?: Readonly<Record<string, string>>;
  };
  readonly table: string;
  readonly operation: Operation;
  readonly transaction: {
    readonly xid: string;
    readonly commitLsn: string;
    readonly seq: number;
    /** Where the transaction came to the source from. */
    readonly origin?: string;
    /** The commit time that the source claimed, where it could not be shown as `committedAt`. */
    readonly claimedCommitAt?: string;
  };
  readonly context: Json;
}

export interface EntryPage {
  readonly items: readonly Entry[];
  readonly next: string | null;
}

export interface Facet {
  /** What the filter takes; of modifiers the empty text too: nobody. */
  readonly value: string;
  readonly name: string;
  /** Of modifiers; null: nobody. */
  readonly kind?: Kind | null;
  readonly count: number;
}

export interface Facets {
  readonly modifiers: readonly Facet[];
  readonly actions: readonly Facet[];
  readonly entityTypes: readonly Facet[];
  readonly tenants: readonly Facet[];
}

/** RFC 9457 with Waltrail's code and remedy. */
export interface Problem {
  readonly title: string;
  /** Of the HTTP answer; 0 without one. An export's own problem has none. */
  readonly status?: number;
  readonly detail?: string;
  readonly code?: string;
  readonly remedy?: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

export interface Session {
  readonly name: string;
  readonly role: Role;
  readonly tenant: string | null;
  readonly maxRangeDays: number;
  /** IANA name of the reports' time zone. */
  readonly timezone: string;
  readonly source: string;
}

/** A stretch of the source's log of which the trail may not have all. */
export interface Gap {
  readonly id: number;
  readonly code: string;
  readonly summary: string;
  /** While one of the whole stream lasts, recording stands still. */
  readonly scope: 'stream' | 'tables';
  /** Null: every tracked table. Absent for who may not know. */
  readonly tables?: readonly string[] | null;
  /** Last commit stored before. */
  readonly lastEntryAt: string | null;
  readonly foundAt: string;
  readonly acceptedAt: string | null;
  /** Null: it lasts. */
  readonly closedAt: string | null;
}

/** The newest gaps of a range; `total` counts all. */
export interface GapList {
  readonly items: readonly Gap[];
  readonly total: number;
}

export type ExportFormat = 'xlsx' | 'csv' | 'ndjson';
export type ExportState = 'queued' | 'running' | 'ready' | 'failed' | 'cancelled' | 'expired';

export interface Export {
  readonly id: string;
  readonly state: ExportState;
  readonly progress: { readonly done: number; readonly total: number | null };
  readonly format: ExportFormat;
  readonly filters: Readonly<Record<string, string | readonly string[] | null | undefined>>;
  readonly range: { readonly from: string; readonly to: string };
  readonly timezone: string;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  /** When the file is deleted. */
  readonly expiresAt?: string | null;
  readonly file: { readonly name: string; readonly bytes: number; readonly sha256: string } | null;
  /** How many gaps overlap the range; null until the file is made. */
  readonly gaps: number | null;
  readonly error: Problem | null;
}
