import { storable } from '../pg/text.js';
import type { Kind } from '../tracking/rules.js';
import { shortName } from './naming.js';
import type { Redactor } from './redaction.js';

/** A rung that may name another person than the rung that counts. */
export type OtherRung = 'witness' | 'column' | 'session';

/** Whether a member that an {@link OtherModifier} returned is a conflict of this rung. */
export const isConflictOf = (member: Buffer | null, rung: OtherRung): boolean =>
  member !== null && member.toString('latin1').startsWith(`${CONFLICT}{"rung":"${rung}"`);

const CONFLICT = '"conflict":';

/**
 * A person that a witness, the modifier column of a row or the session names, and who is not the modifier of
 * the entry (DECISIONS 51, 86, 94). Both texts are members of the JSON that is stored beside an entry's
 * values, which trail/read/extra.ts reads. They are built on request, because most modifiers never need them.
 */
export class OtherModifier {
  /** The key as it is shown. */
  readonly key: string;
  /**
   * Redactor of the key's column. If there is one, the keys of others are redacted by it before they are
   * compared.
   */
  readonly redactor: Redactor | null;
  readonly #rung: OtherRung;
  readonly #name: string;
  readonly #kind: Kind;
  #lastSetBy: Buffer | null = null;
  #conflict: Buffer | null = null;

  constructor(
    person: { readonly key: string; readonly name: string; readonly kind: Kind },
    from: { readonly redactor: Redactor | null; readonly rung: OtherRung },
  ) {
    this.key = person.key;
    this.redactor = from.redactor;
    this.#rung = from.rung;
    this.#name = person.name;
    this.#kind = person.kind;
  }

  /** `"lastSetBy":{…}`: the row names this modifier, but this change has not set it. */
  get lastSetBy(): Buffer {
    return (this.#lastSetBy ??= Buffer.from(`"lastSetBy":${JSON.stringify(this.#shown())}`));
  }

  /** `"conflict":{…}`: this change names this modifier, but a higher rung names another. */
  get conflict(): Buffer {
    return (this.#conflict ??= Buffer.from(
      `${CONFLICT}${JSON.stringify({ rung: this.#rung, ...this.#shown() })}`,
    ));
  }

  #shown(): { readonly key: string; readonly name: string; readonly kind: Kind } {
    return { key: storable(shortName(this.key)), name: storable(this.#name), kind: this.#kind };
  }
}
