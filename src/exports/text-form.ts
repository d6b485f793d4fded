import type { ByteWriter } from './byte-writer.js';

/** What a byte of UTF-8 means for a format: it stands for itself, or the text has to become a string. */
export const PLAIN = 0;
export const STOP = 1;
/** Its neighbors tell. */
export const ASK = 2;
/** A piece stands for it, whatever is around it. */
export const REPLACED = 3;
/** Only as an answer: an apostrophe stands before it. */
export const GUARDED = 4;

/**
 * How a format writes text. What a text becomes is said by {@link encode} alone. The rest is the shortcut for
 * texts in which each byte stays as it is or becomes a piece of its own.
 */
export interface TextForm {
  /** By byte: {@link PLAIN}, {@link STOP}, {@link ASK} or {@link REPLACED}. */
  readonly classes: Uint8Array;
  /** By byte: what stands for one that is {@link REPLACED}. */
  readonly pieces: readonly (Uint8Array | undefined)[];
  /**
   * Says of a byte of the class {@link ASK}, in the text that ends at `end`, whether it is {@link PLAIN},
   * {@link STOP} or {@link GUARDED}. `before` is the byte that was written last, or {@link NOTHING}.
   */
  ask(bytes: Uint8Array, at: number, end: number, before: number): number;
  encode(text: string): string;
}

/** Stands for the byte before the first. */
export const NOTHING = 0;
const APOSTROPHE = 0x27;
/** Bytes that become as many at most: `\u0001` in JSON, `&amp;` in XML, two quotes in CSV. */
const MOST_OF_BYTE = 6;
/**
 * Bytes for which room is made at once: a long text would else need room for the worst that it may become.
 */
const PART_BYTES = 64 * 1024;

/**
 * Writes a text in which each byte stays as it is or becomes a piece. Returns false, with nothing written,
 * where the text has to become a string.
 *
 * @param textEnd where the text ends of which this is a part
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
 * Makes the table of a format: `stops` and control characters that are not `plain` are {@link STOP}, `asks`
 * are {@link ASK}, and each of `pieces` is {@link REPLACED}.
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

/** First bytes of the characters of UTF-8 that some format may treat differently. */
export const LEAD_C2 = 0xc2;
export const LEAD_E2 = 0xe2;
export const LEAD_EF = 0xef;

/** Whether U+0085, U+2028 or U+2029 begins at a place: ends of lines beyond ASCII. */
export const isLineEnd = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === LEAD_C2
    ? bytes[at + 1] === 0x85
    : bytes[at] === LEAD_E2 && bytes[at + 1] === 0x80 && (bytes[at + 2] === 0xa8 || bytes[at + 2] === 0xa9);
