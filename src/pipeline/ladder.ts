import type { Attribution } from './attribution.js';
import type { Difference } from './difference.js';
import { ModifierFinder } from './modifier-column.js';
import type { OtherModifier } from './other-modifier.js';
import { RUNG_COLUMN, RUNG_MESSAGE, RUNG_NOBODY, UNATTRIBUTED, type EntryAttribution } from './ports.js';
import type { TrackedPlan } from './relation-plan.js';
import type { RowChange } from './row-change.js';
import type { TransactionAttribution } from './transaction-attribution.js';

/**
 * Finds the modifier of a change: by what a logical message says, then by the modifier column of its row. A
 * column speaks where the change has set it; else it only says who set it last, which is kept beside the
 * values and counts for nothing. Where both speak and disagree, the message counts and both are kept.
 */
export class Ladder {
  readonly #messages: TransactionAttribution;
  readonly #attribution: Attribution;

  readonly #finder: ModifierFinder;

  constructor(options: {
    readonly messages: TransactionAttribution;
    readonly attribution: Attribution;
    /** Of the update that is attributed. */
    readonly difference: Difference;
  }) {
    this.#messages = options.messages;
    this.#attribution = options.attribution;
    this.#finder = new ModifierFinder(options.difference);
  }

  inserted(change: RowChange, plan: TrackedPlan): void {
    this.#climb(change, this.#finder.find(plan.insertModifiers, change, false));
  }

  updated(change: RowChange, plan: TrackedPlan): void {
    this.#climb(change, this.#finder.find(plan.updateModifiers, change, true));
  }

  /**
   * For a change without a row that can say who made it: the column of a deleted one names who changed it
   * last, not who deleted it.
   */
  byMessage(change: RowChange): void {
    change.modifierId = this.#messages.modifierId ?? UNATTRIBUTED;
    // A message that was not understood: the column could name another than the one it meant.
    change.rung = change.modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_MESSAGE;
    change.beside = null;
  }

  /**
   * The attribution of an entry that is written already, by the first message of its transaction: it speaks
   * for the changes before it too. Null where the entry does not say enough: the transaction has to be read
   * again.
   */
  revise(entry: EntryAttribution): EntryAttribution | null {
    const { modifierId, modifierKey, extra } = this.#messages;
    const byColumn = entry.rung === RUNG_COLUMN;
    // The first message is the first to attribute anything, so all else is by column or unattributed.
    if (modifierId === null)
      return { ...entry, extra: joined(extra, byColumn ? null : lastSetBy(entry.extra)) };
    const rung = modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_MESSAGE;
    if (!byColumn) {
      const beside = modifierId === UNATTRIBUTED ? lastSetBy(entry.extra) : null;
      return { modifierId, rung, extra: joined(extra, beside) };
    }
    const other = this.#attribution.otherById(entry.modifierId);
    if (other === undefined) return null;
    return { modifierId, rung, extra: joined(extra, this.#conflictOf(other, modifierKey)) };
  }

  #climb(change: RowChange, isNamed: boolean): void {
    if (!isNamed) return this.byMessage(change);
    const { row, column, table, redactor, speaks } = this.#finder;
    if (speaks && this.#messages.modifierId === null) {
      change.modifierId = this.#attribution.people(table).byColumn(row, column, redactor);
      change.rung = change.modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_COLUMN;
      change.beside = null;
      return;
    }
    this.byMessage(change);
    change.beside = this.#beside();
  }

  /** What the column that was found says beside what counts. */
  #beside(): Buffer | null {
    const { row, column, table, redactor, speaks } = this.#finder;
    const { modifierId, modifierKey } = this.#messages;
    const isNamed = modifierId !== null && modifierId !== UNATTRIBUTED;
    if (isNamed && !speaks) return null;
    const other = this.#attribution.people(table).otherByColumn(row, column, redactor);
    if (other === null) return null;
    return speaks ? this.#conflictOf(other, modifierKey) : other.lastSetBy;
  }

  /** @param key that of the message; null: it was not understood, so whom it meant is not known */
  #conflictOf(other: OtherModifier, key: string | null): Buffer | null {
    return key !== null && this.#attribution.isSame(other, { table: 0, key }) ? null : other.conflict;
  }
}

/**
 * The member of what the ladder has stored beside an entry's values, as it was. It is small: there was no
 * context.
 */
function lastSetBy(extra: Buffer | null): Buffer | null {
  if (extra === null) return null;
  const value = (JSON.parse(extra.toString()) as { readonly lastSetBy?: unknown }).lastSetBy;
  return value === undefined ? null : Buffer.from(`"lastSetBy":${JSON.stringify(value)}`);
}

/** What is stored beside the values: a transaction's object and a member of its own. */
function joined(extra: Buffer | null, beside: Buffer | null): Buffer | null {
  if (beside === null) return extra;
  const before = extra === null ? '{' : `${extra.toString('utf8', 0, extra.length - 1)},`;
  return Buffer.from(`${before}${beside.toString()}}`);
}
