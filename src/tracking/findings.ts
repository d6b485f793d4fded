import type { ErrorCode } from '../errors.js';

/**
 * What `apply` would do to the source, and what prevents it. After it was applied, the next plan is empty.
 */
export interface TrackingPlan {
  /**
   * Steps in an order that never breaks a write of the application, even if somebody runs them one by one.
   */
  readonly steps: readonly PlanStep[];
  /**
   * Locks the tables that enter or leave the publication. It runs before the steps, in their transaction.
   * Writing transactions end before the lock or begin after it. So the configuration changes at one WAL
   * position for all rows of a table. Null: no table enters or leaves.
   */
  readonly lock: { readonly tables: readonly string[]; readonly sql: string } | null;
  /**
   * Marks in the WAL which configuration begins, after the steps and in their transaction. Null: there are no
   * steps.
   */
  readonly configurationSql: string | null;
  /**
   * Problems. Those about named tables concern these tables only; those of {@link applyProblems} prevent
   * applying anything.
   */
  readonly problems: readonly PlanProblem[];
  /** Sentences for the DBA. Nothing depends on them. */
  readonly warnings: readonly string[];
  /** What the DBA may do, with its SQL. `apply` does none of it. */
  readonly advice: readonly string[];
  /** Tables on which a step sets REPLICA IDENTITY FULL; `forecast.ts` estimates the cost. */
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
  /** Canonical names of the tables that the step concerns. */
  readonly tables: readonly string[];
  readonly sql: string;
  readonly reason: string;
  /**
   * True if capture is right without it and only less complete: for example, it lacks old values of a later
   * partition.
   */
  readonly optional: boolean;
}

/** What the trouble of a table means for the trail or for the application. */
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
   * Canonical names of the tables concerned, or the pattern that matches no table. All other tables are
   * planned, applied and captured. Empty: it concerns the whole stream or server, or it is a mistake that
   * concerns no table.
   */
  readonly tables: readonly string[];
  /** What it means for these tables while capture runs. Only for problems about tables. */
  readonly effect?: TroubleEffect;
  /**
   * Whether it is a mistake in the YAML for the present source. Nothing is applied until it is corrected, but
   * capture continues.
   */
  readonly mistake?: true;
  /** Whether it prevents applying the plan, but not capture. */
  readonly applyOnly?: true;
  /** Whether it prevents capture, but not applying the plan, which often another role does. */
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

/** A table that gets replica identity full: the WAL will have its complete old rows. */
export interface WidenedTable {
  readonly table: string;
  readonly columns: number;
  /** OIDs of the table, or of those of its partitions that hold rows. */
  readonly oids: readonly string[];
}

/** Problems and warnings of one aspect. */
export interface Findings {
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly string[];
}
