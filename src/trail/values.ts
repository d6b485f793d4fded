import { FIRST_COLUMN, MARK_NULL, MARK_UNKNOWN, MAX_VALUE_BYTES } from '../pipeline/ports.js';

/**
 * Encoding of a row's values in `trail.entry`, defined here once for the writer and the readers.
 *
 * `previous` and `updated` hold values of the same columns. Each value is followed by a field separator
 * (0x1F), so a search for a value's text meets no quotes, keys or escapes. `columns` names the columns: the
 * character U+0021 + i for column index i of the relation version, or null for all columns in order. A field
 * is PostgreSQL's text of the value with two bytes escaped, or one of the marks:
 *
 *   ESC N   SQL null.
 *   ESC U   not sent by the source (unchanged TOAST, or no old row): unknown.
 *   ESC X   followed by hexadecimal digits: the value's bytes are not UTF-8.
 *   ESC L   followed by a length in bytes, a space and a SHA-256 in hexadecimal digits: too large to be
 *           stored (DECISIONS 28).
 *   ESC [   stands for the byte 0x1B inside a value.
 *   ESC _   stands for the byte 0x1F inside a value.
 */
export const SEPARATOR = 0x1f;
export const ESCAPE = 0x1b;
export const MARK_BYTES = 0x58;
export const MARK_LARGE = 0x4c;
export const ESCAPED_ESCAPE = 0x5b;
export const ESCAPED_SEPARATOR = 0x5f;

/** Every byte that can follow an escape. */
export const BEHIND_ESCAPE = String.fromCharCode(
  ...[MARK_NULL, MARK_UNKNOWN, MARK_BYTES, MARK_LARGE, ESCAPED_ESCAPE, ESCAPED_SEPARATOR],
);

/** Returns a text in the form that it has inside a stored value. */
export const escaped = (text: string): string => text.replaceAll('\x1b', '\x1b[').replaceAll('\x1f', '\x1b_');

/**
 * Largest number of bytes on one side of an entry. Values beyond it are not stored either, because PostgreSQL
 * does not accept a field of a gigabyte.
 */
export const MAX_SIDE_BYTES = 4 * MAX_VALUE_BYTES;

/** A decoded field. The text of `bytes` is hexadecimal: the value is not UTF-8. */
export type StoredValue =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'bytes'; readonly text: string }
  | { readonly is: 'large'; readonly bytes: number; readonly sha256: string }
  | { readonly is: 'null' }
  | { readonly is: 'unknown' };

/** Decodes the fields of `previous` or `updated`, in the order of `columns`. */
export function decodeFields(stored: string): StoredValue[] {
  const fields: StoredValue[] = [];
  let start = 0;
  for (;;) {
    const end = stored.indexOf('\x1f', start);
    if (end < 0) return fields;
    fields.push(decodeField(stored.slice(start, end)));
    start = end + 1;
  }
}

/**
 * Returns the column indexes that the text of `trail.entry.columns` names. Null stands for the first `count`
 * columns.
 */
export function decodeColumns(columns: string | null, count: number): number[] {
  if (columns === null) return Array.from({ length: count }, (_, index) => index);
  return Array.from(columns, (character) => character.codePointAt(0)! - FIRST_COLUMN);
}

/** Decodes one field. The separator is not part of `field`. */
export function decodeField(field: string): StoredValue {
  if (!field.includes('\x1b')) return { is: 'text', text: field };
  if (field === '\x1bN') return { is: 'null' };
  if (field === '\x1bU') return { is: 'unknown' };
  if (field.startsWith('\x1bL')) {
    const [bytes, sha256] = field.slice(2).split(' ');
    return { is: 'large', bytes: Number(bytes), sha256: sha256! };
  }
  if (field.startsWith('\x1bX')) return { is: 'bytes', text: field.slice(2) };
  return { is: 'text', text: field.replace(/\x1b([[_])/g, (_, mark) => (mark === '[' ? '\x1b' : '\x1f')) };
}
