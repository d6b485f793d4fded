import { storable } from '../pg/text.js';
import type { Kind } from '../tracking/rules.js';
import { shortName } from './naming.js';
import type { Redactor } from './redaction.js';

/** A rung that may name somebody beside the one that counts. */
export type OtherRung = 'witness' | 'column' | 'session';

/** Whether a member that an {@link OtherModifier} has made is the conflict of such a rung. */
export const isConflictOf = (member: Buffer | null, rung: OtherRung): boolean =>
  member !== null && member.toString('latin1').startsWith(`${CONFLICT}{"rung":"${rung}"`);

const CONFLICT = '"conflict":';

/**
 * Whom a witness, the modifier column of a row or the session names, where that is not the modifier of the
 * entry (DECISIONS 51, 86, 94). Both texts are members of the JSON that is stored beside an entry's values;
 * trail/read/extra.ts reads them. They are made when they are asked for: of most modifiers they never are.
 */
export class OtherModifier {
  /** As it is shown. */
  readonly key: string;
  /** Of the column the key is from: with one, keys of others are compared as the column would show them. */
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

  /** `"lastSetBy":{…}`: the row names this modifier, but this change did not say so. */
  get lastSetBy(): Buffer {
    return (this.#lastSetBy ??= Buffer.from(`"lastSetBy":${JSON.stringify(this.#shown())}`));
  }

  /** `"conflict":{…}`: this change says so, and a higher rung says otherwise. */
  get conflict(): Buffer {
    return (this.#conflict ??= Buffer.from(
      `${CONFLICT}${JSON.stringify({ rung: this.#rung, ...this.#shown() })}`,
    ));
  }

  #shown(): { readonly key: string; readonly name: string; readonly kind: Kind } {
    return { key: storable(shortName(this.key)), name: storable(this.#name), kind: this.#kind };
  }
}
