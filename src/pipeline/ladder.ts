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
 * Finds the modifier of a change. The first of these that names somebody counts:
 *
 * 1. a logical message,
 * 2. an audit row of the application about the changed row,
 * 3. the modifier column of the row, if the change has set it,
 * 4. audit rows about other rows, if they agree on one person,
 * 5. what the session states about itself.
 *
 * A column that the change has not set only names the person who set it last. That person is kept beside the
 * values. If the audit rows about other rows name somebody else, they are not believed.
 *
 * If two rungs disagree, the higher one counts, and the person that the next one names is kept as a conflict.
 * A database login is never in conflict, because it is another kind of answer. Neither is the person that the
 * message's modifier acted as: applications write that person into their columns and audit rows (DECISIONS
 * 104).
 */
export class Ladder {
  readonly #messages: TransactionAttribution;
  readonly #witnesses: Witnesses | null;
  readonly #session: SessionAttribution | null;
  readonly #attribution: Attribution;
  readonly #dictionary: Pick<Dictionary, 'modifier'>;
  readonly #finder: ModifierFinder;
  /** Modifier ids of the persons that witnesses name. */
  readonly #ids = new WeakMap<Speaker, number>();

  constructor(options: {
    readonly messages: TransactionAttribution;
    /** Null: the YAML names no audit tables. */
    readonly witnesses: Witnesses | null;
    /** Null: the YAML asks for no trigger. */
    readonly session: SessionAttribution | null;
    readonly attribution: Attribution;
    readonly dictionary: Pick<Dictionary, 'modifier'>;
    /** The difference of the update that is attributed. */
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
   * Attributes a change without a row that can name its modifier. The column of a deleted row names who
   * changed it last, not who deleted it. The session may name the person who did.
   */
  removed(change: RowChange): void {
    this.#climb(change, false);
  }

  /**
   * Returns the attribution of an entry that is already written, after the first message of its transaction.
   * The message applies to the changes before it too. Null: the entry does not have enough information, and
   * the transaction must be read again.
   *
   * @param written the entry, if it may have to be attributed once more
   */
  revise(entry: EntryAttribution, written: Written | null): EntryAttribution | null {
    const { modifierId, meant } = this.#messages;
    const before = membersIn(entry.extra);
    let { beside } = before;
    // Before the first message, an entry is attributed by a lower rung or unattributed. If its rung agrees
    // with the message, its conflict contradicts the message too.
    if (modifierId !== null && entry.rung !== RUNG_NOBODY) {
      const other = this.#otherOf(entry, written);
      if (other === undefined) return null;
      const conflict = this.#unlike(meant, other);
      // The person kept beside the values may be the other one that the message means. This is found out by
      // reading again.
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

  /**
   * Returns the attribution of an entry that is already written, after the witnesses of its transaction are
   * known. Null: the transaction must be read again.
   */
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
   * Returns the person that a lower rung than the message named for an entry. Null: a database login.
   * Undefined: it is no longer known.
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

  /**
   * Attributes a change by the highest rung that names somebody.
   *
   * @param isNamed whether the finder has found a column
   */
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

  /**
   * Chooses the first rung that names somebody. The next one that names another person is kept beside the
   * values.
   */
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

  /** Returns the person that the found column names. Null: nobody. */
  #inColumn(): OtherModifier | null {
    const { row, found, table } = this.#finder;
    return this.#attribution.people(table).otherByColumn(row, found.column, found.redactor);
  }

  /**
   * Whether audit rows about other rows are believed for this row. If another person has set its column last,
   * that person may have set it again, so they are not.
   */
  #isBelieved(speaker: Speaker, hint: OtherModifier | null): boolean {
    return hint === null || this.#attribution.isSame(hint, speaker);
  }

  /**
   * Returns the conflict of `other` with the modifier, or null.
   *
   * @param who the modifier; null: it is unknown whom a message meant
   */
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

/** The persons that the rungs below the message name, from the highest rung. Null: nobody. */
interface Speakers {
  /** From an audit row about the changed row. */
  readonly witness: Speaker | null;
  /** From the column, if the change has set it. */
  readonly column: OtherModifier | null;
  /** From audit rows about other rows, if they agree. */
  readonly others: Speaker | null;
  readonly session: SessionSpeaker | null;
  /** From the column, if the change has not set it. */
  readonly hint: OtherModifier | null;
}

function nobody(change: RowChange): void {
  change.modifierId = UNATTRIBUTED;
  change.rung = RUNG_NOBODY;
  change.beside = null;
}

/**
 * Returns the rung of a message. If the message was not understood, the change stays unattributed, because
 * the column could name another person than the message meant.
 */
const rungOfMessage = (modifierId: number): number =>
  modifierId === UNATTRIBUTED ? RUNG_NOBODY : RUNG_MESSAGE;

interface OwnMembers {
  readonly session: string | null;
  /** The member `lastSetBy` or `conflict` that the ladder has stored beside the values. */
  readonly beside: Buffer | null;
}

/** Returns what is stored beside the values of an entry. It is small, because there was no context. */
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

/** Last member beside the values of an entry whose id comes from a later key (entry-builder.ts). */
const LATER_KEY = '"laterKey":true';
const LATER_KEY_END = Buffer.from(`${LATER_KEY}}`);

/**
 * Returns what is stored beside the values: the members of the transaction, the entry's own member, and the
 * mark of a later key if the entry had it before.
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
