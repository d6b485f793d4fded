import type { Attribution, MeantByMessage, TableKey } from './attribution.js';
import type { Difference } from './difference.js';
import { ModifierFinder } from './modifier-column.js';
import { isConflictOf, type OtherModifier } from './other-modifier.js';
import {
  RUNG_COLUMN,
  RUNG_MESSAGE,
  RUNG_NOBODY,
  RUNG_SESSION,
  RUNG_WITNESS,
  UNATTRIBUTED,
  type Dictionary,
  type EntryAttribution,
} from './ports.js';
import type { TrackedPlan } from './relation-plan.js';
import type { RowChange } from './row-change.js';
import type { SessionAttribution, SessionSpeaker } from './session-attribution.js';
import type { TransactionAttribution } from './transaction-attribution.js';
import type { Speaker, Testimony } from './witness-facts.js';
import type { Witnesses, Written } from './witnesses.js';

/**
 * Finds the modifier of a change: by what a logical message says, then by an audit row of the application
 * about its row, then by the modifier column of its row, then by what the audit rows about other rows agree
 * on, then by what the session says of itself. A column speaks where the change has set it. Else it only says
 * who set it last: that is kept beside the values, and where it names another, what audit rows about other
 * rows say is not believed. Where two speak and disagree, the higher one counts, and whom the next one names
 * is kept. A login of the database disagrees with nobody: it is another kind of answer. Neither does whom a
 * message names as acted for: applications write that one into their columns and audit rows (DECISIONS 104).
 */
export class Ladder {
  readonly #messages: TransactionAttribution;
  readonly #witnesses: Witnesses | null;
  readonly #session: SessionAttribution | null;
  readonly #attribution: Attribution;
  readonly #dictionary: Pick<Dictionary, 'modifier'>;
  readonly #finder: ModifierFinder;
  /** Numbers of those whom witnesses name. */
  readonly #ids = new WeakMap<Speaker, number>();

  constructor(options: {
    readonly messages: TransactionAttribution;
    /** Null: the YAML names none. */
    readonly witnesses: Witnesses | null;
    /** Null: the YAML asks for no trigger. */
    readonly session: SessionAttribution | null;
    readonly attribution: Attribution;
    readonly dictionary: Pick<Dictionary, 'modifier'>;
    /** Of the update that is attributed. */
    readonly difference: Difference;
  }) {
    this.#messages = options.messages;
    this.#witnesses = options.witnesses;
    this.#session = options.session;
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
   * last, not who deleted it. The session knows.
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
    const { modifierId, meant } = this.#messages;
    const before = membersIn(entry.extra);
    let { beside } = before;
    // The first message is the first to attribute anything, so all else is by lower rungs or unattributed.
    // What stands beside a rung that agrees with the message contradicts the message too.
    if (modifierId !== null && entry.rung !== RUNG_NOBODY) {
      const other = this.#otherOf(entry, written);
      if (other === undefined) return null;
      const conflict = this.#unlike(meant, other);
      // Who stands beside may be the other of the two whom the message means. Read again, it is known.
      if (other !== null && conflict === null && beside !== null && meant?.actingAs !== undefined)
        return null;
      if (other !== null) beside = conflict ?? beside;
      else if (modifierId !== UNATTRIBUTED) beside = null;
    } else if (modifierId !== null && modifierId !== UNATTRIBUTED) {
      beside = null;
    }
    const extra = this.#messages.extraDuring(before.session);
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
    if (!isOfRow && !this.#isBelieved(speaker, written.hint)) return entry;
    const beneath = (conflict: Buffer | null): EntryAttribution =>
      conflict === null ? entry : { ...entry, extra: joined(written.extra, conflict, entry.extra) };
    if (written.said !== undefined) {
      const isColumnNext = !isOfRow && isConflictOf(written.beside, 'column');
      return isColumnNext ? entry : beneath(this.#unlike(written.said, speaker.other));
    }
    let beside: Buffer | null = null;
    if (entry.rung !== RUNG_NOBODY) {
      const other = this.#otherOf(entry, written);
      if (other === undefined) return null;
      const isOther = other !== null && !this.#attribution.isSame(other, speaker);
      if (entry.rung === RUNG_COLUMN && !isOfRow) return beneath(isOther ? speaker.other.conflict : null);
      if (other !== null) beside = isOther ? other.conflict : written.beside;
    }
    return {
      modifierId: this.#idOf(speaker),
      rung: RUNG_WITNESS,
      extra: joined(written.extra, beside, entry.extra),
    };
  }

  /**
   * Whom a lower rung than the message has named for an entry; null: a login of the database. Undefined where
   * that is no longer known.
   */
  #otherOf(
    { modifierId, rung }: EntryAttribution,
    written: Written | null,
  ): OtherModifier | null | undefined {
    switch (rung) {
      case RUNG_COLUMN:
        return this.#attribution.otherById(modifierId);
      case RUNG_SESSION: {
        const speaker = this.#session?.byId(modifierId);
        return speaker === undefined ? undefined : (speaker.named?.other ?? null);
      }
      default:
        return written?.testimony?.speaker.other;
    }
  }

  /** @param isNamed the finder has found a column */
  #climb(change: RowChange, isNamed: boolean): void {
    const testimony = this.#witnesses?.testimony ?? null;
    const session = this.#session?.speaker ?? null;
    change.hint = null;
    if (this.#messages.modifierId === null && testimony === null && session === null) {
      if (isNamed) this.#byColumn(change);
      else nobody(change);
      return;
    }
    const inColumn = isNamed ? this.#inColumn() : null;
    const column = this.#finder.speaks ? inColumn : null;
    const hint = this.#finder.speaks ? null : inColumn;
    const speaker = testimony?.speaker ?? null;
    const isOfRow = testimony?.isOfRow === true;
    this.#chooseFrom(change, {
      witness: isOfRow ? speaker : null,
      column,
      others: speaker !== null && !isOfRow && this.#isBelieved(speaker, hint) ? speaker : null,
      session,
      hint,
    });
  }

  /** The first who speaks counts, and the next who names another stands beside. */
  #chooseFrom(change: RowChange, { witness, column, others, session, hint }: Speakers): void {
    const { modifierId, meant } = this.#messages;
    const named = session?.named ?? null;
    change.hint = hint;
    const conflictWith = (who: MeantByMessage | null): Buffer | null =>
      this.#unlike(who, column) ?? this.#unlike(who, others?.other) ?? this.#unlike(who, named?.other);
    if (modifierId !== null) {
      change.modifierId = modifierId;
      change.rung = rungOfMessage(modifierId);
      change.beside =
        this.#unlike(meant, witness?.other) ??
        conflictWith(meant) ??
        (modifierId === UNATTRIBUTED ? (hint?.lastSetBy ?? null) : null);
    } else if (witness !== null) {
      change.modifierId = this.#idOf(witness);
      change.rung = RUNG_WITNESS;
      change.beside = conflictWith(witness);
    } else if (column !== null) {
      this.#byColumn(change);
      const other = [others, named].find((one) => one !== null && !this.#attribution.isSame(column, one));
      change.beside = other?.other.conflict ?? null;
    } else if (others !== null) {
      change.modifierId = this.#idOf(others);
      change.rung = RUNG_WITNESS;
      change.beside = conflictWith(others);
    } else {
      if (session === null) nobody(change);
      else {
        change.modifierId = this.#session!.id;
        change.rung = RUNG_SESSION;
      }
      change.beside = named === null ? (hint?.lastSetBy ?? null) : null;
    }
  }

  #byColumn(change: RowChange): void {
    const { row, found, table, speaks } = this.#finder;
    nobody(change);
    if (speaks) {
      change.modifierId = this.#attribution.people(table).byColumn(row, found.column, found.redactor);
      if (change.modifierId !== UNATTRIBUTED) change.rung = RUNG_COLUMN;
    } else {
      change.hint = this.#inColumn();
      change.beside = change.hint?.lastSetBy ?? null;
    }
  }

  /** Whom the column that was found names; null: nobody. */
  #inColumn(): OtherModifier | null {
    const { row, found, table } = this.#finder;
    return this.#attribution.people(table).otherByColumn(row, found.column, found.redactor);
  }

  /**
   * Whether audit rows about other rows are believed of this one: who has set its column last may have set it
   * again.
   */
  #isBelieved(speaker: Speaker, hint: OtherModifier | null): boolean {
    return hint === null || this.#attribution.isSame(hint, speaker);
  }

  /** The conflict of somebody with who counts. @param who null: it is not known whom a message meant */
  #unlike(who: MeantByMessage | null, other: OtherModifier | null | undefined): Buffer | null {
    if (other == null) return null;
    const isMeant = (one: TableKey | undefined): boolean =>
      one !== undefined && this.#attribution.isSame(other, one);
    return who !== null && (isMeant(who) || isMeant(who.actingAs)) ? null : other.conflict;
  }

  #idOf(speaker: Speaker): number {
    let id = this.#ids.get(speaker);
    if (id === undefined) this.#ids.set(speaker, (id = this.#dictionary.modifier(speaker.person)));
    return id;
  }
}

/** Who speaks for a change below the messages, the strongest first; null: nobody. */
interface Speakers {
  /** Of an audit row about its row. */
  readonly witness: Speaker | null;
  /** In the column that the change has set. */
  readonly column: OtherModifier | null;
  /** On whom audit rows about other rows agree. */
  readonly others: Speaker | null;
  readonly session: SessionSpeaker | null;
  /** In the column that the change has not set. */
  readonly hint: OtherModifier | null;
}

function nobody(change: RowChange): void {
  change.modifierId = UNATTRIBUTED;
  change.rung = RUNG_NOBODY;
  change.beside = null;
}

/** Of a message that was not understood, the column could name another than the one it meant. */
const rungOfMessage = (modifierId: number): number =>
  modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_MESSAGE;

interface OwnMembers {
  readonly session: string | null;
  /** Whom the ladder has stored beside the values. */
  readonly beside: Buffer | null;
}

/** What is stored beside the values of an entry, as it was. It is small: there was no context. */
function membersIn(extra: Buffer | null): OwnMembers {
  if (extra === null) return NO_MEMBERS;
  const { session, lastSetBy, conflict } = JSON.parse(extra.toString()) as Readonly<Record<string, unknown>>;
  const member = (name: string, value: unknown): Buffer | null =>
    value === undefined ? null : Buffer.from(`"${name}":${JSON.stringify(value)}`);
  return {
    session: session === undefined ? null : JSON.stringify(session),
    beside: member('lastSetBy', lastSetBy) ?? member('conflict', conflict),
  };
}

const NO_MEMBERS: OwnMembers = { session: null, beside: null };

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
