import type { ByteWriter } from './byte-writer.js';

/** What a byte of UTF-8 means for a format: it stands for itself, or it does not. */
export const PLAIN = 0;
export const STOP = 1;
/** Its neighbors tell. */
export const ASK = 2;

/**
 * How a format writes text. What a text becomes is said by {@link encode} alone. The rest is the shortcut for
 * texts that stay as they are, byte for byte.
 */
export interface TextForm {
  /** By byte: whether it stands for itself. */
  readonly classes: Uint8Array;
  /** Whether a byte of the class {@link ASK} does not stand for itself in the text from `start` to `end`. */
  stops(bytes: Uint8Array, at: number, start: number, end: number): boolean;
  encode(text: string): string;
}

/** Copies a text that stays as it is. Returns false, with nothing written, where a byte of it does not. */
export function copyPlain(
  form: TextForm,
  text: { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
  out: ByteWriter,
): boolean {
  const { bytes, start, end } = text;
  const { classes } = form;
  out.room(end - start);
  const to = out.bytes;
  let at = out.at;
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!;
    const is = classes[byte]!;
    if (is !== PLAIN && (is === STOP || form.stops(bytes, from, start, end))) return false;
    to[at++] = byte;
  }
  out.at = at;
  return true;
}

/** Writes a text of the trail. */
export function writeText(
  form: TextForm,
  text: { readonly bytes: Buffer; readonly start: number; readonly end: number },
  out: ByteWriter,
): void {
  if (!copyPlain(form, text, out)) out.text(form.encode(text.bytes.toString('utf8', text.start, text.end)));
}

/** Classes of bytes: control characters and `stops` are {@link STOP}, `asks` are {@link ASK}. */
export function byteClasses(options: {
  readonly stops: string;
  readonly asks: readonly number[];
}): Uint8Array {
  const classes = new Uint8Array(256);
  classes.fill(STOP, 0, 0x20);
  for (const character of options.stops) classes[character.charCodeAt(0)] = STOP;
  for (const byte of options.asks) classes[byte] = ASK;
  return classes;
}

/** First bytes of the characters of UTF-8 that some format may treat differently. */
export const LEAD_C2 = 0xc2;
export const LEAD_E2 = 0xe2;
export const LEAD_EF = 0xef;

/** Whether U+0085, U+2028 or U+2029 begins at a place: ends of lines beyond ASCII. */
export const isLineEnd = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === LEAD_C2
    ? bytes[at + 1] === 0x85
    : bytes[at] === LEAD_E2 && bytes[at + 1] === 0x80 && (bytes[at + 2] === 0xa8 || bytes[at + 2] === 0xa9);
