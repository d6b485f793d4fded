import type { ErrorCode } from '../errors.js';

/** What `apply` would do to the source, and what stands in the way. Applying it makes the next plan empty. */
export interface TrackingPlan {
  /** In the order in which no moment, even run by hand one by one, breaks a write of the application. */
  readonly steps: readonly PlanStep[];
  /**
   * Locks the tables that enter or leave the publication, before the steps and in their transaction: writers
   * end before or begin after it, so the configuration changes at one position of the WAL for all rows of a
   * table. Null where there is none.
   */
  readonly lock: { readonly tables: readonly string[]; readonly sql: string } | null;
  /**
   * Says in the WAL, behind the steps and in their transaction, which configuration begins; null: no steps.
   */
  readonly configurationSql: string | null;
  /**
   * Those about named tables concern these alone, those of {@link applyProblems} keep everything from being
   * applied.
   */
  readonly problems: readonly PlanProblem[];
  /** Sentences for the DBA; nothing depends on them. */
  readonly warnings: readonly string[];
  /** What the DBA may do, with its SQL; `apply` does none of it. */
  readonly advice: readonly string[];
  /** Tables on which a step sets REPLICA IDENTITY FULL; `forecast.ts` says what that costs. */
  readonly widened: readonly WidenedTable[];
}

export interface PlanStep {
  readonly kind:
    | 'event_trigger'
    | 'session_function'
    | 'session_trigger'
    | 'session_trigger_remove'
    | 'publication_comment'
    | 'publication_create'
    | 'publication_options'
    | 'publication_add'
    | 'publication_drop'
    | 'publication_remove'
    | 'publication_follow'
    | 'publication_unfollow'
    | 'replica_identity'
    | 'identity_restore'
    | 'slot_remove'
    | 'role_remove';
  /** Canonical names of the tables it is about. */
  readonly tables: readonly string[];
  readonly sql: string;
  readonly reason: string;
  /** True where capture is right without it, and only less complete: old values of a partition made later. */
  readonly optional: boolean;
}

/** What a table's trouble means for the trail, or for the application. */
export type TroubleEffect =
  | 'not captured'
  | 'previous values unknown'
  | 'writes refused'
  | 'names unknown'
  | 'modifiers unknown'
  | 'tenants unknown'
  | 'as far as possible';

export interface PlanProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  /**
   * Canonical names of the tables it is about, or the pattern that matches none: the others are planned,
   * applied and captured without them. Empty: it concerns the whole stream or server, or is a mistake that
   * concerns no table.
   */
  readonly tables: readonly string[];
  /** Where it is about tables: what it means for them while capture runs. */
  readonly effect?: TroubleEffect;
  /**
   * A mistake in the YAML as the source is now: nothing is applied until it is corrected, but capture goes
   * on.
   */
  readonly mistake?: true;
  /** Stands in the way of applying the plan, but not of capture. */
  readonly applyOnly?: true;
  /** Stands in the way of capture, but not of applying the plan: often another role does that. */
  readonly captureOnly?: true;
}

/** Problems that have to be solved before anything of the plan can be applied. */
export const applyProblems = ({ problems }: TrackingPlan): readonly PlanProblem[] =>
  problems.filter(
    ({ tables, mistake, captureOnly }) => captureOnly !== true && (mistake === true || tables.length === 0),
  );

/** Problems that keep every table from being captured. */
export const streamProblems = ({ problems }: TrackingPlan): readonly PlanProblem[] =>
  problems.filter(({ tables, applyOnly }) => applyOnly !== true && tables.length === 0);

/** A table whose old rows will be in the WAL whole. */
export interface WidenedTable {
  readonly table: string;
  readonly columns: number;
  /** Of itself, or of its partitions that hold rows. */
  readonly oids: readonly string[];
}

/** Problems and warnings of one aspect. */
export interface Findings {
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly string[];
}
