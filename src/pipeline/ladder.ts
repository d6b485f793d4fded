import type { Attribution } from './attribution.js';
import type { Difference } from './difference.js';
import { ModifierFinder } from './modifier-column.js';
import type { OtherModifier } from './other-modifier.js';
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
import type { Speaker } from './witness-facts.js';
import type { Witnesses, Written } from './witnesses.js';

/**
 * Finds the modifier of a change: by what a logical message says, then by an audit row of the application,
 * then by the modifier column of its row, then by what the session says of itself. A column speaks where the
 * change has set it; else it only says who set it last, which is kept beside the values and counts for
 * nothing. Where two speak and disagree, the higher one counts, and whom the next one names is kept. A login
 * of the database disagrees with nobody: it is another kind of answer.
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
    const { modifierId, modifierKey } = this.#messages;
    const before = membersIn(entry.extra);
    let { beside } = before;
    // The first message is the first to attribute anything, so all else is by lower rungs or unattributed.
    // What stands beside a rung that agrees with the message contradicts the message too.
    if (modifierId !== null && entry.rung !== RUNG_NOBODY) {
      const other = this.#otherOf(entry, written);
      if (other === undefined) return null;
      if (other !== null) beside = this.#conflictOf(other, modifierKey) ?? beside;
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
    speaker: Speaker | null,
  ): EntryAttribution | null {
    if (speaker === null || written.isWitness) return entry;
    if (written.said !== undefined) {
      const conflict = this.#conflictOf(speaker.other, written.said);
      return conflict === null ? entry : { ...entry, extra: joined(written.extra, conflict, entry.extra) };
    }
    let beside: Buffer | null = null;
    if (entry.rung !== RUNG_NOBODY) {
      const other = this.#otherOf(entry, written);
      if (other === undefined) return null;
      if (other !== null) beside = this.#attribution.isSame(other, speaker) ? written.beside : other.conflict;
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
        return written?.speaker?.other;
    }
  }

  /** @param isNamed the finder has found a column */
  #climb(change: RowChange, isNamed: boolean): void {
    const { modifierId } = this.#messages;
    const witness = this.#witnesses?.speaker ?? null;
    if (modifierId !== null) {
      change.modifierId = modifierId;
      change.rung = rungOfMessage(modifierId);
      change.beside = this.#besideMessage(isNamed);
    } else if (witness !== null) {
      change.modifierId = this.#idOf(witness);
      change.rung = RUNG_WITNESS;
      change.beside = this.#besideWitness(witness, isNamed);
    } else if (!isNamed || !this.#byColumn(change)) {
      this.#bySession(change, isNamed);
    }
  }

  /** Whose key the session holds; null: nobody's, or only that of a login. */
  get #inSession(): SessionSpeaker['named'] {
    return this.#session?.speaker?.named ?? null;
  }

  /** False where the column that was found does not speak. */
  #byColumn(change: RowChange): boolean {
    const { row, column, table, redactor, speaks } = this.#finder;
    if (!speaks) return false;
    const people = this.#attribution.people(table);
    change.modifierId = people.byColumn(row, column, redactor);
    if (change.modifierId === UNATTRIBUTED) return false;
    change.rung = RUNG_COLUMN;
    const named = this.#inSession;
    if (named === null) {
      change.beside = null;
    } else {
      const other = people.otherByColumn(row, column, redactor);
      change.beside = other === null || this.#attribution.isSame(other, named) ? null : named.other.conflict;
    }
    return true;
  }

  #bySession(change: RowChange, isNamed: boolean): void {
    const session = this.#session?.speaker ?? null;
    change.modifierId = session === null ? UNATTRIBUTED : this.#session!.id;
    change.rung = session === null ? RUNG_NOBODY : RUNG_SESSION;
    const isOpen = session === null || session.named === null;
    change.beside = isNamed && isOpen ? this.#hint() : null;
  }

  /** Who has set the column that was found; null where it has spoken. */
  #hint(): Buffer | null {
    const { row, column, table, redactor, speaks } = this.#finder;
    if (speaks) return null;
    return this.#attribution.people(table).otherByColumn(row, column, redactor)?.lastSetBy ?? null;
  }

  /** Whom a witness, or else the column that was found, or else the session names beside the message. */
  #besideMessage(isNamed: boolean): Buffer | null {
    const { modifierId, modifierKey } = this.#messages;
    const witness = this.#witnesses?.speaker ?? null;
    const ofWitness = witness === null ? null : this.#conflictOf(witness.other, modifierKey);
    if (ofWitness !== null) return ofWitness;
    const column = isNamed ? this.#spoken() : null;
    const ofColumn = column === null ? null : this.#conflictOf(column, modifierKey);
    if (ofColumn !== null) return ofColumn;
    const named = this.#inSession;
    const ofSession = named === null ? null : this.#conflictOf(named.other, modifierKey);
    if (ofSession !== null) return ofSession;
    return isNamed && modifierId === UNATTRIBUTED ? this.#hint() : null;
  }

  #besideWitness(witness: Speaker, isNamed: boolean): Buffer | null {
    const column = isNamed ? this.#spoken() : null;
    if (column !== null && !this.#attribution.isSame(column, witness)) return column.conflict;
    const named = this.#inSession;
    return named === null || this.#attribution.isSame(named.other, witness) ? null : named.other.conflict;
  }

  /** Whom the column that was found names, where the change has set it. */
  #spoken(): OtherModifier | null {
    const { row, column, table, redactor, speaks } = this.#finder;
    return speaks ? this.#attribution.people(table).otherByColumn(row, column, redactor) : null;
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
