import type { MemberMasking } from './json-mask.js';
import { MASK, maySecret, withoutSecrets } from './secret-text.js';

const MASK_BYTES = Buffer.from(MASK);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA_AND_BLANK = ', ';

/** One pair as hstore prints it. Places are byte offsets and include the quotes. */
interface Pair {
  readonly start: number;
  readonly end: number;
  readonly key: string;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Null: the value is NULL. */
  readonly value: string | null;
}

/**
 * Masks values of an hstore by their keys: `"key"=>"value", "other"=>NULL`. Pairs that are not redacted stay
 * as they are, byte by byte. Returns null if nothing is masked. A text that hstore does not print is masked
 * as a whole.
 *
 * @see https://www.postgresql.org/docs/current/hstore.html#HSTORE-EXTERNAL-REP
 */
export function maskHstore(hstore: Buffer, masking: MemberMasking): Buffer | null {
  // One character for each byte. The syntax is ASCII.
  const text = hstore.toString('latin1');
  const pairs = pairsOf(hstore);
  if (pairs === null) return MASK_BYTES;
  let masked = false;
  const kept = pairs.flatMap((pair) => {
    const written = writtenValue(pair, hstore, masking);
    if (written === undefined) return [text.slice(pair.start, pair.end)];
    masked = true;
    return written === null ? [] : [`${text.slice(pair.start, pair.valueStart)}${written}`];
  });
  return masked ? Buffer.from(kept.join(COMMA_AND_BLANK), 'latin1') : null;
}

/**
 * Returns the masked value with one character for each byte. Null: the pair is left out. Undefined: it stays.
 */
function writtenValue(pair: Pair, hstore: Buffer, masking: MemberMasking): string | null | undefined {
  const { key, value } = pair;
  if (value === null) return undefined;
  const found = masking.redaction(key, () => `${masking.column}.${key}`);
  if (found !== null) {
    const written = masking.written(found.with, Buffer.from(value));
    return written === null ? null : quoted(written);
  }
  if (!masking.texts || !maySecret(hstore, pair.valueStart, pair.valueEnd)) return undefined;
  const without = withoutSecrets(value);
  return without === null ? undefined : quoted(without);
}

const quoted = (text: string): string =>
  Buffer.from(`"${text.replace(/["\\]/g, '\\$&')}"`).toString('latin1');

/** Returns null if hstore does not print such a text. */
function pairsOf(bytes: Buffer): Pair[] | null {
  const pairs: Pair[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    const keyEnd = stringEnd(bytes, at);
    if (keyEnd < 0 || bytes.toString('latin1', keyEnd, keyEnd + 2) !== '=>') return null;
    const valueStart = keyEnd + 2;
    const isNull = bytes.toString('latin1', valueStart, valueStart + 4) === 'NULL';
    const valueEnd = isNull ? valueStart + 4 : stringEnd(bytes, valueStart);
    if (valueEnd < 0) return null;
    pairs.push({
      start,
      end: valueEnd,
      key: unquoted(bytes, start, keyEnd),
      valueStart,
      valueEnd,
      value: isNull ? null : unquoted(bytes, valueStart, valueEnd),
    });
    at = valueEnd;
    if (at === bytes.length) break;
    if (bytes.toString('latin1', at, at + 2) !== COMMA_AND_BLANK) return null;
    at += 2;
  }
  return pairs;
}

/** Returns the offset after the closing quote, or -1 if no string begins at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  if (bytes[start] !== QUOTE) return -1;
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) return at + 1;
    if (bytes[at] === BACKSLASH) at++;
  }
  return -1;
}

const unquoted = (bytes: Buffer, start: number, end: number): string =>
  bytes.toString('utf8', start + 1, end - 1).replace(/\\(.)/gs, '$1');
