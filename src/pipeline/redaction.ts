import { createHmac } from 'node:crypto';
import { isText, readableText } from '../pg/text.js';
import type { Tuple } from '../pgoutput/tuple.js';
import type { RedactWith } from '../tracking/rules.js';

const MASK = Buffer.from('***');
const ELLIPSIS = Buffer.from('…');

/** Turns a value's bytes into what may be stored. Runs before anything leaves the decoder. */
export type Redactor = (bytes: Buffer, start: number, length: number) => Buffer;

/**
 * The redactor of a column; null where the value is stored as it is. `drop` leaves the column out of the
 * values; where an id, a name or a key is made of it nevertheless, it is masked.
 *
 * @param options.key secret of the trail: without it the hash of a short value could be found by trying
 */
export function redactorOf(rule: RedactWith | null, options: { readonly key: Buffer }): Redactor | null {
  switch (rule?.method) {
    case undefined:
      return null;
    case 'drop':
    case 'mask':
      return () => MASK;
    case 'hash':
      return (bytes, start, length) =>
        Buffer.from(
          createHmac('sha256', options.key)
            .update(bytes.subarray(start, start + length))
            .digest('hex')
            .slice(0, 32),
        );
    case 'truncate':
      return (bytes, start, length) => truncate(bytes, { start, length, characters: rule.length });
  }
}

/** The redacted value of a column that was sent, as the text of a key. */
export function redactedText(redactor: Redactor, row: Tuple, column: number): string {
  const redacted = redactor(row.bytes, row.offsets[column]!, row.lengths[column]!);
  return readableText(redacted, 0, redacted.length);
}

/** The first characters of UTF-8; each byte of what is none counts as one. */
function truncate(bytes: Buffer, value: { start: number; length: number; characters: number }): Buffer {
  const end = value.start + value.length;
  let at = value.start;
  for (let left = value.characters; at < end && left > 0; left--) at += characterBytes(bytes, at, end);
  const kept = bytes.subarray(value.start, at);
  if (at === end) return kept;
  // The ellipsis behind bytes would be read as some of them.
  return isText(kept, 0, kept.length)
    ? Buffer.concat([kept, ELLIPSIS])
    : Buffer.from(`${readableText(kept, 0, kept.length)}…`);
}

/**
 * Length of the character that begins at `at`, by its first byte; 1 where what follows does not belong to it.
 */
function characterBytes(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at]!;
  const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > end) return 1;
  for (let next = at + 1; next < at + length; next++) if ((bytes[next]! & 0xc0) !== 0x80) return 1;
  return length;
}
