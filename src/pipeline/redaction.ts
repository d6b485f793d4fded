import { createHmac } from 'node:crypto';
import type { RedactWith } from '../tracking/rules.js';

const MASK = Buffer.from('***');

/** Turns a value's bytes into what may be stored. Runs before anything leaves the decoder. */
export type Redactor = (bytes: Buffer, start: number, length: number) => Buffer;

/**
 * The redactor of a column; null where the value is stored as it is. `drop` leaves the column out of the values; where an
 * id, a name or a key is made of it nevertheless, it is masked.
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

function truncate(bytes: Buffer, value: { start: number; length: number; characters: number }): Buffer {
  const end = value.start + value.length;
  let at = value.start;
  for (let left = value.characters; at < end && left > 0; left--) {
    at++;
    while (at < end && (bytes[at]! & 0xc0) === 0x80) at++;
  }
  const kept = bytes.subarray(value.start, at);
  return at < end ? Buffer.concat([kept, Buffer.from('…')]) : kept;
}
