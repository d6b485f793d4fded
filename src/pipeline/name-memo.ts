import { viewOf } from '../pg/byte-loops.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Most names that are kept. A name replaces another one that has the same place. */
const PLACES = 1024;
/** Longest name that is kept. Longer names are judged each time. */
const MAX_NAME_BYTES = 64;
/**
 * Shortest quoted name that {@link isBefore} finds. Only the empty name is shorter, and {@link
 * NameMemo.before} finds it.
 */
const FEWEST_QUOTED_BYTES = 3;
const WORD = 4;
/** More bytes than any value has. PostgreSQL's values are shorter than a gigabyte. */
const LONGER_THAN_ANY_BYTES = 0x3fff_ffff;
/** Bytes of a quoted name that {@link isBefore} compares without a loop. Few names are longer. */
const USUAL_BYTES = 12;

/**
 * A judged name with its quotes, as words of four bytes that end before a colon. The words overlap if the
 * length is no multiple of four. If there are only three bytes, the word includes the colon.
 */
export class KnownName {
  readonly bytes: Buffer;
  readonly secret: boolean;
  readonly quotedLength: number;
  /** Distance of the second and the third word from the colon. */
  readonly second: number;
  readonly third: number;
  readonly first: number;
  readonly firstWord: number;
  readonly secondWord: number;
  readonly thirdWord: number;
  /** The name that followed it last time. */
  next: KnownName;

  /** @param bytes of the name; null: no name, which is never found */
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

/** Stands for no name: no string ends before the colon. */
export const NO_NAME = new KnownName(null, false);
/** Stands for a name that may be a secret's and is not remembered. */
const MAY_BE_SECRET = new KnownName(null, true);

/**
 * Whether a known name in its quotes ends before this colon, and no backslash escapes its first quote. Names
 * come in the same order with every row, so the expected name is mostly the right one.
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
 * Remembers which names belong to secrets, by their bytes. The same few names come with every row, mostly in
 * the same order. Many different names make it slower, but not larger.
 */
export class NameMemo {
  /** The name that was seen last. */
  last = NO_NAME;
  readonly #judge: (name: string) => boolean;
  readonly #names: (KnownName | undefined)[] = new Array<KnownName | undefined>(PLACES).fill(undefined);

  constructor(judge: (name: string) => boolean) {
    this.#judge = judge;
  }

  /** Whether these bytes are the name of a secret. */
  isSecret(bytes: Buffer, start: number, end: number): boolean {
    return this.#known(bytes, start, end).secret;
  }

  /**
   * Returns the string that ends before this colon, as a name. A string with escapes may be a secret's name,
   * and is returned as one. Returns {@link NO_NAME} if no string ends there.
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

  /** Returns the name in these bytes. A long name that is no secret's gives {@link NO_NAME}. */
  #known(bytes: Buffer, start: number, end: number): KnownName {
    const length = end - start;
    // For an empty name, these are the bytes around it.
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
