const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Names that are kept; another that falls on the same place takes it. */
const PLACES = 1024;
/** Longer names are judged each time. */
const MAX_NAME_BYTES = 64;

interface Name {
  readonly bytes: Buffer;
  readonly secret: boolean;
  /** The one that stood behind it last. */
  next: Name | undefined;
}

/**
 * Remembers which names are those of secrets, by their bytes: the same few names come with every row, mostly
 * in the same order. Whoever invents others makes it slower, not larger.
 */
export class NameMemo {
  readonly #judge: (name: string) => boolean;
  readonly #names: (Name | undefined)[] = new Array<Name | undefined>(PLACES).fill(undefined);
  #last: Name | undefined;

  constructor(judge: (name: string) => boolean) {
    this.#judge = judge;
  }

  /** Whether the name that these bytes are is that of a secret. */
  isSecret(bytes: Buffer, start: number, end: number): boolean {
    const length = end - start;
    // Of an empty name these are the bytes around it.
    const place =
      (bytes[start]! * 7 + bytes[(start + end) >> 1]! * 31 + bytes[end - 1]! * 127 + length) & (PLACES - 1);
    let name = this.#names[place];
    if (name === undefined || name.bytes.length !== length || !isSame(name.bytes, bytes, start)) {
      const secret = this.#judge(bytes.toString('utf8', start, end));
      if (length > MAX_NAME_BYTES) return secret;
      name = { bytes: Buffer.from(bytes.subarray(start, end)), secret, next: undefined };
      this.#names[place] = name;
    }
    if (this.#last !== undefined) this.#last.next = name;
    this.#last = name;
    return name.secret;
  }

  /**
   * Whether a string that ends before this colon is the name of a secret, or has escapes so that it may be.
   * False where none ends there.
   */
  isSecretBefore(bytes: Buffer, start: number, colon: number): boolean {
    const guess = this.#last?.next;
    if (guess !== undefined) {
      const first = colon - 1 - guess.bytes.length;
      if (
        first - 2 >= start &&
        bytes[colon - 1] === QUOTE &&
        bytes[first - 1] === QUOTE &&
        bytes[first - 2] !== BACKSLASH &&
        isSame(guess.bytes, bytes, first)
      ) {
        this.#last = guess;
        return guess.secret;
      }
    }
    let end = colon - 1;
    while (end > start && bytes[end]! <= 0x20) end--;
    if (end <= start || bytes[end] !== QUOTE) return false;
    let at = end - 1;
    for (; at > start && bytes[at] !== QUOTE; at--) if (bytes[at] === BACKSLASH) return true;
    return (at > start && bytes[at - 1] === BACKSLASH) || this.isSecret(bytes, at + 1, end);
  }
}

function isSame(known: Buffer, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[start + index]) return false;
  return true;
}
