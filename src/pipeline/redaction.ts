import { createHmac } from 'node:crypto';
import { isText, readableText } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { ColumnName } from '../tracking/names.js';
import { memberRedaction } from '../tracking/redact.js';
import type { RedactRule, RedactWith, TrackingConfig } from '../tracking/rules.js';
import { holdsMembers, type ValueKind } from '../tracking/value-kind.js';
import { maskElements } from './array-mask.js';
import { maskHstore } from './hstore-mask.js';
import { JsonMasker, type MemberMasking } from './json-mask.js';
import { MAX_VALUE_BYTES } from './ports.js';
import { MASK, withoutSecrets } from './secret-text.js';

const MASK_BYTES = Buffer.from(MASK);
const ELLIPSIS = Buffer.from('…');

/**
 * Returns the bytes that may be stored for a value. Null: the value may be stored as it is. Runs before
 * anything leaves the decoder.
 */
export type Redactor = (bytes: Buffer, start: number, length: number) => Buffer | null;

/**
 * Returns the redactor of a column. Null: values are stored as they are. `drop` leaves the column out of the
 * values. If an id, a name or a key contains the column nevertheless, it is masked there.
 *
 * @param options.key secret of the trail; without it the hash of a short value could be found by trying
 * @param options.within masks secrets within a value that is shown in part
 */
export function redactorOf(
  rule: RedactWith | null,
  { key, within = null }: { readonly key: Buffer; readonly within?: Redactor | null },
): Redactor | null {
  switch (rule?.method) {
    case undefined:
      return within;
    case 'drop':
    case 'mask':
      return () => MASK_BYTES;
    case 'hash':
      return (bytes, start, length) => Buffer.from(hashed(bytes.subarray(start, start + length), key));
    case 'truncate':
      return (bytes, start, length) => {
        const value = within?.(bytes, start, length) ?? bytes.subarray(start, start + length);
        return truncate(value, { start: 0, length: value.length, characters: rule.length });
      };
  }
}

/** Returns the redacted value of a column that was sent, as the text of a key. */
export function redactedText(redactor: Redactor, row: Tuple, column: number): string {
  const redacted = redactor(row.bytes, row.offsets[column]!, row.lengths[column]!);
  return redacted === null ? row.text(column)! : readableText(redacted, 0, redacted.length);
}

interface Within {
  readonly config: TrackingConfig;
  readonly name: ColumnName;
  readonly kind: ValueKind;
  readonly key: Buffer;
  /**
   * Called for each member with a redaction, by a rule or by its name. A number is redacted by a rule only.
   */
  readonly told?: (member: string, rule: RedactRule | null) => void;
}

/** A cheap check for values that a redactor need not see. Null: it must see all values. */
export type Look = 'texts' | JsonMasker | null;

/** Redaction of secrets within the values of a column. */
export interface WithinRedaction {
  readonly look: Look;
  readonly redactor: Redactor;
}

/**
 * Masks secrets within values of a column: members of JSON and hstore, and passwords and tokens in texts.
 * Returns null if its values cannot have any.
 */
export function withinRedactor(options: Within): WithinRedaction | null {
  const { kind, config } = options;
  if (holdsMembers(kind)) return membersOf(options);
  if (kind.of !== 'text' || !config.secrets.defaults) return null;
  const mask = kind.array ? (value: Buffer) => maskElements(value, maskText) : maskText;
  return { look: 'texts', redactor: bounded((value) => mask(value)) };
}

/** Returns a redactor that skips a value which is stored as its length and digest (DECISIONS 28). */
const bounded =
  (mask: (value: Buffer) => Buffer | null): Redactor =>
  (bytes, start, length) =>
    length > MAX_VALUE_BYTES ? null : mask(bytes.subarray(start, start + length));

function maskText(value: Buffer): Buffer | null {
  // One character for each byte. Signs of secrets are ASCII, and all other bytes stay unchanged.
  const masked = withoutSecrets(value.toString('latin1'));
  return masked === null ? null : Buffer.from(masked, 'latin1');
}

function membersOf(options: Within): WithinRedaction | null {
  const { config, name, kind, key, told } = options;
  const { of, mayBe, byPath, isEmpty } = memberRedaction(config, name);
  if (isEmpty) return null;
  const masking: MemberMasking = {
    redaction:
      told === undefined
        ? of
        : (member, path) => {
            const found = of(member, path);
            if (found !== null) told(member, found.rule);
            return found;
          },
    mayBe,
    byPath,
    column: name.column,
    written: (rule, text) => writtenMember(rule, text, key),
    texts: config.secrets.defaults,
    escapes: kind.of === 'json',
  };
  const json = kind.of === 'hstore' ? null : new JsonMasker(masking);
  const mask = (value: Buffer): Buffer | null =>
    json === null ? maskHstore(value, masking) : json.mask(value);
  return kind.array
    ? { look: null, redactor: bounded((value) => maskElements(value, mask)) }
    : { look: json, redactor: bounded(mask) };
}

function writtenMember(rule: RedactWith, text: Buffer, key: Buffer): string | null {
  switch (rule.method) {
    case 'drop':
      return null;
    case 'mask':
      return MASK;
    case 'hash':
      return hashed(text, key);
    case 'truncate':
      return truncate(text, { start: 0, length: text.length, characters: rule.length }).toString();
  }
}

const hashed = (value: Buffer, key: Buffer): string =>
  createHmac('sha256', key).update(value).digest('hex').slice(0, 32);

/** Returns the first characters of UTF-8 bytes. Each byte that is not valid UTF-8 counts as one character. */
function truncate(bytes: Buffer, value: { start: number; length: number; characters: number }): Buffer {
  const end = value.start + value.length;
  let at = value.start;
  for (let left = value.characters; at < end && left > 0; left--) at += characterBytes(bytes, at, end);
  const kept = bytes.subarray(value.start, at);
  if (at === end) return kept;
  // After bytes that are not text, an ellipsis would be read as some of these bytes.
  return isText(kept, 0, kept.length)
    ? Buffer.concat([kept, ELLIPSIS])
    : Buffer.from(`${readableText(kept, 0, kept.length)}…`);
}

/**
 * Returns the length of the character that begins at `at`, by its first byte. Returns 1 if the following
 * bytes do not belong to it.
 */
function characterBytes(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at]!;
  const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return 1;
  for (let next = at + 1; next < at + length; next++) if ((bytes[next]! & 0xc0) !== 0x80) return 1;
  return length;
}
