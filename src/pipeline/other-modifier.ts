import { readableText, storable } from '../pg/text.js';
import type { Kind } from '../tracking/rules.js';
import { shortName } from './naming.js';
import type { Redactor } from './redaction.js';

/**
 * Whom the modifier column of a row names, where that is not the modifier of the entry (DECISIONS 51). Both
 * texts are members of the JSON that is stored beside an entry's values; trail/read/extra.ts reads them.
 */
export interface OtherModifier {
  readonly key: string;
  /** Of the column the key is from: with one, keys of messages are compared as the column would show them. */
  readonly redactor: Redactor | null;
  /** `"lastSetBy":{…}`: the row names this modifier, but this change did not say so. */
  readonly lastSetBy: Buffer;
  /** `"conflict":{…}`: this change says so, and a higher rung says otherwise. */
  readonly conflict: Buffer;
}

/** Makes the texts once; the rows of a person share them. */
export function otherModifier(person: {
  readonly key: string;
  readonly name: string;
  readonly kind: Kind;
  readonly redactor: Redactor | null;
}): OtherModifier {
  const { key, kind, redactor } = person;
  const shown = { key: storable(shortName(key)), name: storable(person.name), kind };
  return {
    key,
    redactor,
    lastSetBy: Buffer.from(`"lastSetBy":${JSON.stringify(shown)}`),
    conflict: Buffer.from(`"conflict":${JSON.stringify({ rung: 'column', ...shown })}`),
  };
}

/** Whether a key that a message gives means the same modifier. */
export function isSameModifier(other: OtherModifier, key: string): boolean {
  const { redactor } = other;
  if (redactor === null) return other.key === key;
  const bytes = Buffer.from(key);
  const redacted = redactor(bytes, 0, bytes.length);
  return other.key === (redacted === null ? key : readableText(redacted, 0, redacted.length));
}
