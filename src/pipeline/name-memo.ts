import { viewOf } from '../pg/byte-loops.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Names that are kept; another that falls on the same place takes it. */
const PLACES = 1024;
/** Longer names are judged each time. */
const MAX_NAME_BYTES = 64;
/** A shorter name, of which there is one, is told by {@link NameMemo.before} alone. */
const FEWEST_QUOTED_BYTES = 3;
const WORD = 4;
/** PostgreSQL's values have less than a gigabyte. */
const LONGER_THAN_ANY_BYTES = 0x3fff_ffff;
/** Bytes of a name with its quotes that {@link isBefore} compares without a loop: longer names are few. */
const USUAL_BYTES = 12;

/**
 * A name that was judged, with its quotes, as words of four bytes that end before a colon. They overlap where
 * the length is no multiple of four, and take the colon in where there are but three bytes.
 */
export class KnownName {
  readonly bytes: Buffer;
  readonly secret: boolean;
  readonly quotedLength: number;
  /** How far before the colon the second and the third word begin. */
  readonly second: number;
  readonly third: number;
  readonly first: number;
  readonly firstWord: number;
  readonly secondWord: number;
  readonly thirdWord: number;
  /** The one that stood behind it last. */
  next: KnownName;

  /** @param bytes null: of no name; it is found nowhere */
  constructor(bytes: Buffer | null, secret: boolean) {
    const quoted = Buffer.from([QUOTE, ...(bytes ?? []), QUOTE, COLON]);
    const length = quoted.length - 1;
    const isTold = length >= FEWEST_QUOTED_BYTES;
    const view = viewOf(quoted);
    const wordAt = (before: number): number => (isTold ? view.getInt32(length - before, true) : 0);
    this.bytes = bytes ?? Buffer.alloc(0);
    this.secret = secret;
    this.quotedLength = isTold ? length : LONGER_THAN_ANY_BYTES;
    this.first = Math.min(WORD, length);
    this.second = Math.min(2 * WORD, length);
    this.third = Math.min(3 * WORD, length);
    this.firstWord = wordAt(this.first);
    this.secondWord = wordAt(this.second);
    this.thirdWord = wordAt(this.third);
    this.next = this;
  }
}

/** No name: nothing ends before a colon. */
export const NO_NAME = new KnownName(null, false);
/** What may be a secret, and is not remembered. */
const MAY_BE_SECRET = new KnownName(null, true);

/**
 * Whether a known name stands before this colon, within its quotes, and no backslash makes the first of them
 * another. Names come with every row in the same order, so this mostly finds the one that is expected.
 */
export function isBefore(name: KnownName, view: DataView, start: number, colon: number): boolean {
  const at = colon - name.quotedLength;
  return (
    at > start &&
    view.getInt32(colon - name.first, true) === name.firstWord &&
    view.getInt32(colon - name.second, true) === name.secondWord &&
    view.getInt32(colon - name.third, true) === name.thirdWord &&
    view.getUint8(at - 1) !== BACKSLASH &&
    (name.quotedLength <= USUAL_BYTES || hasRest(name, view, at))
  );
}

function hasRest({ bytes, quotedLength }: KnownName, view: DataView, at: number): boolean {
  if (view.getUint8(at) !== QUOTE) return false;
  for (let index = 0; index <= quotedLength - USUAL_BYTES; index++)
    if (bytes[index] !== view.getUint8(at + 1 + index)) return false;
  return true;
}

/**
 * Remembers which names are those of secrets, by their bytes: the same few names come with every row, mostly
 * in the same order. Whoever invents others makes it slower, not larger.
 */
export class NameMemo {
  /** The name that was seen last. */
  last = NO_NAME;
  readonly #judge: (name: string) => boolean;
  readonly #names: (KnownName | undefined)[] = new Array<KnownName | undefined>(PLACES).fill(undefined);

  constructor(judge: (name: string) => boolean) {
    this.#judge = judge;
  }

  /** Whether the name that these bytes are is that of a secret. */
  isSecret(bytes: Buffer, start: number, end: number): boolean {
    return this.#known(bytes, start, end).secret;
  }

  /**
   * The string that ends before this colon, as a name: a secret one where it has escapes, so that it may be
   * one. {@link NO_NAME} where none ends there.
   *
   * @param last the name that was seen before it
   */
  before(bytes: Buffer, start: number, colon: number, last: KnownName): KnownName {
    let end = colon - 1;
    while (end > start && bytes[end]! <= 0x20) end--;
    if (end <= start || bytes[end] !== QUOTE) return NO_NAME;
    let at = end - 1;
    for (; at > start && bytes[at] !== QUOTE; at--) if (bytes[at] === BACKSLASH) return MAY_BE_SECRET;
    if (at > start && bytes[at - 1] === BACKSLASH) return MAY_BE_SECRET;
    const name = this.#known(bytes, at + 1, end);
    if (last !== NO_NAME && name !== NO_NAME) last.next = name;
    return name;
  }

  /** Of a long name that is no secret: none. */
  #known(bytes: Buffer, start: number, end: number): KnownName {
    const length = end - start;
    // Of an empty name these are the bytes around it.
    const place =
      (bytes[start]! * 7 + bytes[(start + end) >> 1]! * 31 + bytes[end - 1]! * 127 + length) & (PLACES - 1);
    const kept = this.#names[place];
    if (kept !== undefined && kept.bytes.length === length && isSame(kept.bytes, bytes, start)) return kept;
    const secret = this.#judge(bytes.toString('utf8', start, end));
    if (length > MAX_NAME_BYTES) return secret ? MAY_BE_SECRET : NO_NAME;
    const name = new KnownName(Buffer.from(bytes.subarray(start, end)), secret);
    this.#names[place] = name;
    return name;
  }
}

function isSame(known: Buffer, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[start + index]) return false;
  return true;
}
