import { isUtf8 } from 'node:buffer';

/*
 * What the source sends need not be text, whatever its encoding says: a cast without a function, a C
 * extension or old data put any bytes into a text column. The trail holds UTF-8 without NUL, so bytes that
 * are not that are kept as hexadecimal digits (DECISIONS 38).
 */

const BACKSLASH = 0x5c;
const SMALL_X = 0x78;
const BRACE = 0x7b;

/** Whether a stretch of bytes is UTF-8 that PostgreSQL can hold as text: without NUL. */
export function isText(bytes: Buffer, start: number, length: number): boolean {
  const stretch = bytes.subarray(start, start + length);
  return isUtf8(stretch) && !stretch.includes(0);
}

/** A stretch of bytes as text to read: itself, or `\x{c3}` where it is no text. */
export const readableText = (bytes: Buffer, start: number, length: number): string =>
  isText(bytes, start, length)
    ? bytes.toString('utf8', start, start + length)
    : bytesText(bytes.toString('hex', start, start + length));

/**
 * A stretch of bytes as the text of an id or a key: as {@link readableText}, but different bytes give
 * different texts. So a text that begins like that form is written in it too.
 */
export const keyText = (bytes: Buffer, start: number, length: number): string =>
  looksLikeBytes(bytes, start, length)
    ? bytesText(bytes.toString('hex', start, start + length))
    : readableText(bytes, start, length);

/** The text for bytes, given as hexadecimal digits, that are no text. */
export const bytesText = (hexadecimal: string): string => `\\x{${hexadecimal}}`;

/** Whether a text is that of bytes that are no text. */
export const isBytesText = (text: string): boolean => text.startsWith('\\x{');

/** The same of the bytes of a text. */
export function looksLikeBytes(bytes: Buffer, start: number, length: number): boolean {
  return (
    length > 2 && bytes[start] === BACKSLASH && bytes[start + 1] === SMALL_X && bytes[start + 2] === BRACE
  );
}

/**
 * A text of ours as PostgreSQL can hold it: NUL and halves of surrogate pairs become U+FFFD, as in a file
 * that was misread.
 */
export const storable = (text: string): string => text.replace(/\0|\p{Surrogate}/gu, '\ufffd');
