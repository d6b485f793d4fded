import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../log.js';
import type { Lsn } from '../pg/lsn.js';
import type { LogicalMessage } from '../pgoutput/reader.js';
import type { RedactRule } from '../tracking/rules.js';
import { readAttribution, type Attribution, type MessageAttribution } from './attribution.js';

/** By commit LSN: what the transaction's first `messages` logical messages said together. */
export type LateAttributions = Map<
  Lsn,
  { readonly attribution: MessageAttribution; readonly messages: number }
>;

/** What is said of the running transaction as a whole: by its logical messages, wherever in it they stand, and by its origin. */
export class TransactionAttribution {
  #modifierId: number | null = null;
  #extra: Buffer | null = null;
  #mustReadAgain = false;
  readonly #attribution: Attribution;
  readonly #redact: readonly RedactRule[];
  readonly #lateAttributions: LateAttributions;
  readonly #log: Log;
  /** What its logical messages said together. */
  #said: MessageAttribution | null = null;
  #origin: string | null = null;
  /** The commit time that the source claimed, where another one is stored. */
  #claimedCommitAt: string | null = null;
  /** Logical messages so far, and how many of them an earlier reading has already heard. */
  #messages = 0;
  #known = 0;

  constructor(options: {
    readonly attribution: Attribution;
    readonly redact: readonly RedactRule[];
    readonly lateAttributions: LateAttributions;
    readonly log: Log;
  }) {
    this.#attribution = options.attribution;
    this.#redact = options.redact;
    this.#lateAttributions = options.lateAttributions;
    this.#log = options.log;
  }

  /** By its logical messages; null: they name nobody. */
  get modifierId(): number | null {
    return this.#modifierId;
  }

  /** What its entries carry beside their values, as JSON; null: nothing. */
  get extra(): Buffer | null {
    return this.#extra;
  }

  /** From here on only its other logical messages matter. */
  get mustReadAgain(): boolean {
    return this.#mustReadAgain;
  }

  /** Whether the logical messages brought a context. */
  get hasContext(): boolean {
    return this.#said !== null && this.#said.context !== null;
  }

  /** Another transaction begins. Its LSN is asked for only where some transaction is read again. */
  begin(transaction: { readonly commitLsn: Lsn }): void {
    const late = this.#lateAttributions;
    const heard = late.size === 0 ? undefined : late.get(transaction.commitLsn);
    this.#mustReadAgain = false;
    this.#messages = 0;
    this.#known = heard?.messages ?? 0;
    this.#origin = null;
    this.#claimedCommitAt = null;
    this.#say(heard?.attribution ?? null);
  }

  origin(name: string): void {
    this.#origin = name;
    this.#setExtra();
  }

  /** The running transaction is stored under another commit time than the source claimed. */
  claimed(commitAt: string): void {
    this.#claimedCommitAt = commitAt;
    this.#setExtra();
  }

  /** True when it says something new. */
  hear(message: LogicalMessage): boolean {
    const read = readAttribution(message, this.#redact);
    if (read === undefined) return false;
    if (read === null) {
      this.#log.warn(
        { prefix: message.prefix },
        'A logical message could not be read; its transaction is attributed without it.',
      );
      return false;
    }
    if (++this.#messages <= this.#known) return false;
    const together = {
      modifier: read.modifier ?? this.#said?.modifier ?? null,
      context: read.context ?? this.#said?.context ?? null,
    };
    // An application may say the same before each of its statements.
    if (isDeepStrictEqual(together, this.#said)) return false;
    this.#say(together);
    return true;
  }

  /**
   * Rows have left for the trail without what was heard: the transaction has to be read again. It is heard to its end first,
   * so that it is read twice and not once for each of its messages.
   */
  readAgain(commitLsn: Lsn): void {
    this.#mustReadAgain = true;
    this.#lateAttributions.set(commitLsn, { attribution: this.#said!, messages: this.#messages });
  }

  /** What is before `lsn` will not be read again. */
  stored(lsn: Lsn): void {
    for (const commitLsn of this.#lateAttributions.keys())
      if (commitLsn < lsn) this.#lateAttributions.delete(commitLsn);
  }

  #say(said: MessageAttribution | null): void {
    this.#said = said;
    this.#modifierId = said === null ? null : this.#attribution.byMessage(said);
    this.#setExtra();
  }

  #setExtra(): void {
    const context = this.#said?.context ?? null;
    const members = [
      ...(context === null ? [] : [`"context":${context}`]),
      ...(this.#origin === null ? [] : [`"origin":${JSON.stringify(this.#origin)}`]),
      ...(this.#claimedCommitAt === null ? [] : [`"claimedCommitAt":"${this.#claimedCommitAt}"`]),
    ];
    this.#extra = members.length === 0 ? null : Buffer.from(`{${members.join(',')}}`);
  }
}
