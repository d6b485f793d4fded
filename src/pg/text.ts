import { isUtf8 } from 'node:buffer';

/*
 * Values from the source may be invalid text, whatever its encoding is: a cast without a function, a C
 * extension or old data can put any bytes into a text column. The trail stores UTF-8 without NUL, so other
 * bytes are kept as hexadecimal digits (DECISIONS 38).
 */

const BACKSLASH = 0x5c;
const SMALL_X = 0x78;
const BRACE = 0x7b;

/** Whether a range of bytes is UTF-8 without NUL, which PostgreSQL can store as text. */
export function isText(bytes: Buffer, start: number, length: number): boolean {
  const stretch = bytes.subarray(start, start + length);
  return isUtf8(stretch) && !stretch.includes(0);
}

/**
 * Returns a range of bytes as readable text: the text itself, or `\x{c3}` if the bytes are not valid text.
 */
export const readableText = (bytes: Buffer, start: number, length: number): string =>
  isText(bytes, start, length)
    ? bytes.toString('utf8', start, start + length)
    : bytesText(bytes.toString('hex', start, start + length));

/**
 * Returns a range of bytes as the text of an id or a key. It is that of {@link readableText}, but different
 * bytes always give different texts: a valid text that begins with `\x{` is written in hexadecimal form too.
 */
export const keyText = (bytes: Buffer, start: number, length: number): string =>
  looksLikeBytes(bytes, start, length)
    ? bytesText(bytes.toString('hex', start, start + length))
    : readableText(bytes, start, length);

/** Returns the text that stands for invalid bytes, given as hexadecimal digits. */
export const bytesText = (hexadecimal: string): string => `\\x{${hexadecimal}}`;

/** Whether a text stands for invalid bytes. */
export const isBytesText = (text: string): boolean => text.startsWith('\\x{');

/** Whether the bytes of a text begin like a text for invalid bytes. */
export function looksLikeBytes(bytes: Buffer, start: number, length: number): boolean {
  return (
    length > 2 && bytes[start] === BACKSLASH && bytes[start + 1] === SMALL_X && bytes[start + 2] === BRACE
  );
}

/** Returns a text in a form that PostgreSQL can store: NUL and unpaired surrogates become U+FFFD. */
export const storable = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, '\ufffd');
