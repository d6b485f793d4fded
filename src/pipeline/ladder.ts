import type { Attribution } from './attribution.js';
import type { Difference } from './difference.js';
import { ModifierFinder } from './modifier-column.js';
import { isConflict, type OtherModifier } from './other-modifier.js';
import {
  RUNG_COLUMN,
  RUNG_MESSAGE,
  RUNG_NOBODY,
  RUNG_WITNESS,
  UNATTRIBUTED,
  type Dictionary,
  type EntryAttribution,
} from './ports.js';
import type { TrackedPlan } from './relation-plan.js';
import type { RowChange } from './row-change.js';
import type { TransactionAttribution } from './transaction-attribution.js';
import type { Speaker, Testimony } from './witness-facts.js';
import type { Witnesses, Written } from './witnesses.js';

/**
 * Finds the modifier of a change: by what a logical message says, then by an audit row of the application
 * about its row, then by the modifier column of its row, then by what the audit rows about other rows agree
 * on. A column speaks where the change has set it. Else it only says who set it last: that is kept beside the
 * values, and where it names another, what audit rows about other rows say is not believed. Where two speak
 * and disagree, the higher one counts, and whom the next one names is kept.
 */
export class Ladder {
  readonly #messages: TransactionAttribution;
  readonly #witnesses: Witnesses | null;
  readonly #attribution: Attribution;
  readonly #dictionary: Pick<Dictionary, 'modifier'>;
  readonly #finder: ModifierFinder;
  /** Numbers of those whom witnesses name. */
  readonly #ids = new WeakMap<Speaker, number>();

  constructor(options: {
    readonly messages: TransactionAttribution;
    /** Null: the YAML names none. */
    readonly witnesses: Witnesses | null;
    readonly attribution: Attribution;
    readonly dictionary: Pick<Dictionary, 'modifier'>;
    /** Of the update that is attributed. */
    readonly difference: Difference;
  }) {
    this.#messages = options.messages;
    this.#witnesses = options.witnesses;
    this.#attribution = options.attribution;
    this.#dictionary = options.dictionary;
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
  removed(change: RowChange): void {
    this.#climb(change, false);
  }

  /**
   * The attribution of an entry that is written already, by the first message of its transaction: it speaks
   * for the changes before it too. Null where the entry does not say enough: the transaction has to be read
   * again.
   *
   * @param written the entry, where it may have to be attributed once more
   */
  revise(entry: EntryAttribution, written: Written | null): EntryAttribution | null {
    const { modifierId, modifierKey, extra } = this.#messages;
    const before = written === null ? lastSetBy(entry.extra) : written.beside;
    let beside = before;
    // The first message is the first to attribute anything, so all else is by lower rungs or unattributed.
    if (modifierId !== null && entry.rung !== RUNG_NOBODY) {
      const other =
        entry.rung === RUNG_COLUMN
          ? this.#attribution.otherById(entry.modifierId)
          : written?.testimony?.speaker.other;
      if (other === undefined) return null;
      beside = this.#conflictOf(other, modifierKey) ?? before;
    } else if (modifierId !== null && modifierId !== UNATTRIBUTED) {
      beside = null;
    }
    if (written !== null) {
      written.said = this.#messages.said;
      written.extra = extra;
      written.beside = beside;
    }
    const revised = joined(extra, beside, entry.extra);
    if (modifierId === null) return { ...entry, extra: revised };
    return { modifierId, rung: rungOfMessage(modifierId), extra: revised };
  }

  /** The same by whom the witnesses of its transaction name for it. */
  reviseByWitness(
    entry: EntryAttribution,
    written: Written,
    testimony: Testimony | null,
  ): EntryAttribution | null {
    if (testimony === null || written.isWitness) return entry;
    const { speaker, isOfRow } = testimony;
    const beneath = (conflict: Buffer | null): EntryAttribution =>
      conflict === null ? entry : { ...entry, extra: joined(written.extra, conflict, entry.extra) };
    if (written.said !== undefined) {
      const isNextRung = isOfRow || written.beside === null || !isConflict(written.beside);
      return isNextRung ? beneath(this.#conflictOf(speaker.other, written.said)) : entry;
    }
    if (!isOfRow && written.hint !== null && !this.#attribution.isSame(written.hint, speaker)) return entry;
    let beside: Buffer | null = null;
    if (entry.rung === RUNG_COLUMN) {
      const other = this.#attribution.otherById(entry.modifierId);
      if (other === undefined) return null;
      const isSame = this.#attribution.isSame(other, speaker);
      if (!isOfRow) return beneath(isSame ? null : speaker.other.conflict);
      beside = isSame ? null : other.conflict;
    }
    return {
      modifierId: this.#idOf(speaker),
      rung: RUNG_WITNESS,
      extra: joined(written.extra, beside, entry.extra),
    };
  }

  /** @param isNamed the finder has found a column */
  #climb(change: RowChange, isNamed: boolean): void {
    const { modifierId } = this.#messages;
    const testimony = this.#witnesses?.testimony ?? null;
    change.hint = null;
    if (modifierId !== null) {
      change.modifierId = modifierId;
      change.rung = rungOfMessage(modifierId);
      change.beside = this.#besideMessage(testimony, isNamed);
      return;
    }
    if (testimony === null) {
      if (isNamed) this.#byColumn(change);
      else nobody(change);
      return;
    }
    const { speaker, isOfRow } = testimony;
    const column = isNamed ? this.#inColumn() : null;
    const speaks = isNamed && this.#finder.speaks;
    const isOther = column !== null && !this.#attribution.isSame(column, speaker);
    if (isOfRow || column === null || (!speaks && !isOther)) {
      change.modifierId = this.#idOf(speaker);
      change.rung = RUNG_WITNESS;
      change.beside = speaks && isOther ? column.conflict : null;
    } else {
      this.#byColumn(change);
      if (speaks && isOther) change.beside = speaker.other.conflict;
    }
  }

  #byColumn(change: RowChange): void {
    const { row, column, table, redactor, speaks } = this.#finder;
    if (speaks) {
      change.modifierId = this.#attribution.people(table).byColumn(row, column, redactor);
      change.rung = change.modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_COLUMN;
      change.beside = null;
    } else {
      nobody(change);
      change.hint = this.#inColumn();
      change.beside = change.hint?.lastSetBy ?? null;
    }
  }

  /** Whom a witness or the column that was found names beside the message. */
  #besideMessage(testimony: Testimony | null, isNamed: boolean): Buffer | null {
    const { modifierId, modifierKey } = this.#messages;
    const byWitness = testimony === null ? null : this.#conflictOf(testimony.speaker.other, modifierKey);
    if (!isNamed || (byWitness !== null && testimony!.isOfRow)) return byWitness;
    const other = this.#inColumn();
    if (this.#finder.speaks)
      return (other === null ? null : this.#conflictOf(other, modifierKey)) ?? byWitness;
    return byWitness !== null || modifierId !== UNATTRIBUTED ? byWitness : (other?.lastSetBy ?? null);
  }

  /** Whom the column that was found names; null: nobody. */
  #inColumn(): OtherModifier | null {
    const { row, column, table, redactor } = this.#finder;
    return this.#attribution.people(table).otherByColumn(row, column, redactor);
  }

  #idOf(speaker: Speaker): number {
    let id = this.#ids.get(speaker);
    if (id === undefined) this.#ids.set(speaker, (id = this.#dictionary.modifier(speaker.person)));
    return id;
  }

  /** @param key that of the message; null: it was not understood, so whom it meant is not known */
  #conflictOf(other: OtherModifier, key: string | null): Buffer | null {
    return key !== null && this.#attribution.isSame(other, { table: 0, key }) ? null : other.conflict;
  }
}

function nobody(change: RowChange): void {
  change.modifierId = UNATTRIBUTED;
  change.rung = RUNG_NOBODY;
  change.beside = null;
}

/** Of a message that was not understood, the column could name another than the one it meant. */
const rungOfMessage = (modifierId: number): number =>
  modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_MESSAGE;

/**
 * The member of what the ladder has stored beside an entry's values, as it was. It is small: there was no
 * context.
 */
function lastSetBy(extra: Buffer | null): Buffer | null {
  if (extra === null) return null;
  const value = (JSON.parse(extra.toString()) as { readonly lastSetBy?: unknown }).lastSetBy;
  return value === undefined ? null : Buffer.from(`"lastSetBy":${JSON.stringify(value)}`);
}

/** Ends what is stored beside the values of an entry whose id is by a later key (entry-builder.ts). */
const LATER_KEY = '"laterKey":true';
const LATER_KEY_END = Buffer.from(`${LATER_KEY}}`);

/**
 * What is stored beside the values: a transaction's object, a member of its own, and that the id is by a
 * later key, where that was said before.
 */
function joined(extra: Buffer | null, beside: Buffer | null, before: Buffer | null): Buffer | null {
  const isLater =
    before !== null &&
    before.length >= LATER_KEY_END.length &&
    before.compare(LATER_KEY_END, 0, LATER_KEY_END.length, before.length - LATER_KEY_END.length) === 0;
  if (beside === null && !isLater) return extra;
  const members = [
    ...(extra === null ? [] : [extra.toString('utf8', 1, extra.length - 1)]),
    ...(beside === null ? [] : [beside.toString()]),
    ...(isLater ? [LATER_KEY] : []),
  ];
  return Buffer.from(`{${members.join(',')}}`);
}
