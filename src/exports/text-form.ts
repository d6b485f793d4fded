import type { ByteWriter } from './byte-writer.js';

/** Meaning of a byte of UTF-8 for a format. PLAIN: it is copied. STOP: the text has to become a string. */
export const PLAIN = 0;
export const STOP = 1;
/** The meaning depends on the neighboring bytes. */
export const ASK = 2;
/** The byte is replaced by a piece, whatever its neighbors. */
export const REPLACED = 3;
/** Only as an answer of `ask`: an apostrophe is written before the byte. */
export const GUARDED = 4;

/**
 * Defines how a format writes text. {@link encode} alone defines the result. The other members are a shortcut
 * for texts in which each byte is copied or replaced by a piece.
 */
export interface TextForm {
  /** Class of each byte: {@link PLAIN}, {@link STOP}, {@link ASK} or {@link REPLACED}. */
  readonly classes: Uint8Array;
  /** Piece of each byte that is {@link REPLACED}. */
  readonly pieces: readonly (Uint8Array | undefined)[];
  /**
   * Decides whether a byte of the class {@link ASK}, in the text that ends at `end`, is {@link PLAIN},
   * {@link STOP} or {@link GUARDED}. `before` is the last written byte, or {@link NOTHING}.
   */
  ask(bytes: Uint8Array, at: number, end: number, before: number): number;
  encode(text: string): string;
}

/** The value of `before` at the first byte. */
export const NOTHING = 0;
const APOSTROPHE = 0x27;
/**
 * Largest number of bytes that one byte becomes: `\u0001` in JSON. It is fewer in XML (`&amp;`) and in CSV
 * (two quotes).
 */
const MOST_OF_BYTE = 6;
/**
 * Number of bytes that get room at a time. Otherwise, a long text would need room for the longest possible
 * result.
 */
const PART_BYTES = 64 * 1024;

/**
 * Writes a text in which each byte is copied or replaced by a piece. Returns false, with nothing written, if
 * the text has to become a string.
 *
 * @param textEnd the end of the whole text, if only a part of it is written
 */
export function copyText(
  form: TextForm,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ByteWriter,
  textEnd = end,
): boolean {
  const { classes } = form;
  const began = out.at;
  for (let from = start; from < end;) {
    const partEnd = Math.min(end, from + PART_BYTES);
    out.room(MOST_OF_BYTE * (partEnd - from));
    const to = out.bytes;
    let at = out.at;
    for (; from < partEnd; from++) {
      const byte = bytes[from]!;
      const is = classes[byte]!;
      if (is === PLAIN) {
        to[at++] = byte;
        continue;
      }
      if (is === REPLACED) {
        const piece = form.pieces[byte]!;
        for (let index = 0; index < piece.length; index++) to[at++] = piece[index]!;
        continue;
      }
      const answer = is === STOP ? STOP : form.ask(bytes, from, textEnd, at === 0 ? NOTHING : to[at - 1]!);
      if (answer === STOP) {
        out.at = began;
        return false;
      }
      if (answer === GUARDED) to[at++] = APOSTROPHE;
      to[at++] = byte;
    }
    out.at = at;
  }
  return true;
}

/**
 * Creates the table of a format. `stops`, and control characters that are not `plain`, are {@link STOP}.
 * `asks` are {@link ASK}, and each of `pieces` is {@link REPLACED}.
 */
export function byteTable(options: {
  readonly plain?: string;
  readonly stops?: string;
  readonly asks?: readonly number[];
  readonly pieces?: Readonly<Record<string, string>>;
}): Pick<TextForm, 'classes' | 'pieces'> {
  const classes = new Uint8Array(256);
  const pieces: (Uint8Array | undefined)[] = Array.from({ length: 256 });
  classes.fill(STOP, 0, 0x20);
  for (const character of options.plain ?? '') classes[character.charCodeAt(0)] = PLAIN;
  for (const character of options.stops ?? '') classes[character.charCodeAt(0)] = STOP;
  for (const byte of options.asks ?? []) classes[byte] = ASK;
  for (const [character, piece] of Object.entries(options.pieces ?? {})) {
    classes[character.charCodeAt(0)] = REPLACED;
    pieces[character.charCodeAt(0)] = Buffer.from(piece);
  }
  return { classes, pieces };
}

/** First UTF-8 bytes of the characters that some format treats specially. */
export const LEAD_C2 = 0xc2;
export const LEAD_E2 = 0xe2;
export const LEAD_EF = 0xef;

/** True if U+0085, U+2028 or U+2029 begins at a position. These are line ends outside of ASCII. */
export const isLineEnd = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === LEAD_C2
    ? bytes[at + 1] === 0x85
    : bytes[at] === LEAD_E2 && bytes[at + 1] === 0x80 && (bytes[at + 2] === 0xa8 || bytes[at + 2] === 0xa9);
