import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import { DIFFERENT, type Difference } from './difference.js';
import { SAME_TENANT } from './ports.js';
import { redactedText } from './redaction.js';
import type { TrackedPlan } from './relation-plan.js';
import type { TenantReader } from './row-tenant.js';

/**
 * Finds out whether an update has moved its row to another entity id or another tenant, as these are stored
 * (DECISIONS 57). Only a known difference moves a row. A value that the source did not send, before or after,
 * decides nothing.
 */
export class MovedRow {
  /** The tenant before the last update that moved its row, as `previousTenant` of `EntryRows` takes it. */
  previousTenantId = SAME_TENANT;
  readonly #difference: Difference;
  readonly #tenants: TenantReader;

  constructor(options: {
    /** The difference of the update. */
    readonly difference: Difference;
    readonly tenants: TenantReader;
  }) {
    this.#difference = options.difference;
    this.#tenants = options.tenants;
  }

  /**
   * Whether an update has moved its row.
   *
   * @param previous the old row, with columns marked that were not sent; null: none was sent
   */
  find(plan: TrackedPlan, previous: Tuple | null, updated: Tuple): boolean {
    return previous !== null && this.#mayHaveMoved(plan) && this.#hasMoved(plan, previous, updated);
  }

  /**
   * Whether an update must be examined more closely. Few updates change these columns. An ignored column
   * counts as equal in every difference, so it must always be examined.
   */
  #mayHaveMoved({ moveColumns, ignored }: TrackedPlan): boolean {
    const { columns } = this.#difference;
    for (let index = 0; index < moveColumns.length; index++) {
      const column = moveColumns[index]!;
      if (columns[column] === DIFFERENT || ignored[column] === 1) return true;
    }
    return false;
  }

  #hasMoved(plan: TrackedPlan, previous: Tuple, updated: Tuple): boolean {
    const { tenantColumn, idColumns } = plan;
    this.previousTenantId = SAME_TENANT;
    if (tenantColumn >= 0 && this.#isMoved(plan, previous, updated, tenantColumn)) {
      const before = this.#tenants.id(plan, previous, null);
      // Different texts may be stored as one tenant, because very long ones are shortened.
      if (before !== this.#tenants.id(plan, updated, previous)) this.previousTenantId = before;
    }
    let moved = false;
    for (let index = 0; index < idColumns.length; index++) {
      const column = idColumns[index]!;
      // If only a part of a composite key was sent, the former id is unknown.
      if (previous.lengths[column] === LENGTH_UNCHANGED) return this.previousTenantId !== SAME_TENANT;
      moved ||= this.#isMoved(plan, previous, updated, column);
    }
    return moved || this.previousTenantId !== SAME_TENANT;
  }

  #isMoved(plan: TrackedPlan, previous: Tuple, updated: Tuple, column: number): boolean {
    if (!this.#difference.isDifferent(previous, updated, column)) return false;
    const redactor = plan.redactors[column];
    if (!redactor || !previous.has(column) || !updated.has(column)) return true;
    return redactedText(redactor, previous, column) !== redactedText(redactor, updated, column);
  }
}
