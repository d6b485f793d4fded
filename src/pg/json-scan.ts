/** What {@link scanJson} calls for each token, in order; places are offsets in the bytes. */
export interface JsonTokens {
  /** The name of a member, with its quotes. `escaped`: it has a backslash. */
  name(start: number, end: number, escaped: boolean): void;
  /** A string with its quotes, a number, or one of `true`, `false` and `null`. */
  scalar(start: number, end: number, escaped: boolean): void;
  /** An object or array begins with the byte at this place. */
  open(at: number): void;
  /** The innermost object or array ends with the byte at this place. */
  close(at: number): void;
}

/** PostgreSQL itself reads some thousand levels, by the size of its stack. */
export const MAX_DEPTH = 10_000;

/** Why a text was not read to its end. */
export type JsonFault = 'malformed' | 'too deep';

export const OPEN_OBJECT = 0x7b;
export const OPEN_ARRAY = 0x5b;
export const QUOTE = 0x22;
export const CLOSE_OBJECT = 0x7d;
export const CLOSE_ARRAY = 0x5d;
const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
export const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** Asked for every token, and globals are slow under Jest (its spec: 8 s in here, 0.6 s without). */
const { abs } = Math;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/** What may come next. */
const VALUE = 0;
const VALUE_OR_END = 1;
const NAME = 2;
const NAME_OR_END = 3;
const COMMA_OR_END = 4;

/** The closing bytes of the open lists and objects. All scans share it, because only one runs at a time. */
const closers = Buffer.alloc(MAX_DEPTH);

/**
 * Reads one JSON text (RFC 8259, after a byte order mark if there is one) in a single pass that neither
 * recurses nor allocates. Whether strings are UTF-8 is not looked at. Null when it was read to its end.
 *
 * @param options.maxDepth of objects and arrays in each other, at most {@link MAX_DEPTH}
 */
export function scanJson(
  bytes: Buffer,
  options: { readonly tokens: JsonTokens; readonly maxDepth: number },
): JsonFault | null {
  const { tokens, maxDepth } = options;
  let depth = 0;
  let next = VALUE;
  let at = bytes.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0;
  for (;;) {
    at = afterBlanks(bytes, at);
    const byte = bytes[at];
    if (byte === undefined) return 'malformed';
    if (next !== VALUE && next !== NAME && depth > 0 && byte === closers[depth - 1]) {
      depth--;
      tokens.close(at++);
      if (depth === 0) return endsAt(bytes, at);
      next = COMMA_OR_END;
      continue;
    }
    if (next === COMMA_OR_END) {
      if (byte !== COMMA) return 'malformed';
      at++;
      next = closers[depth - 1] === CLOSE_OBJECT ? NAME : VALUE;
      continue;
    }
    if (next === NAME || next === NAME_OR_END) {
      if (byte !== QUOTE) return 'malformed';
      const end = stringEnd(bytes, at);
      if (end === 0) return 'malformed';
      tokens.name(at, abs(end), end < 0);
      at = afterBlanks(bytes, abs(end));
      if (bytes[at++] !== COLON) return 'malformed';
      next = VALUE;
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === maxDepth) return 'too deep';
      closers[depth++] = byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      tokens.open(at++);
      next = byte === OPEN_OBJECT ? NAME_OR_END : VALUE_OR_END;
      continue;
    }
    const end = byte === QUOTE ? stringEnd(bytes, at) : plainEnd(bytes, at);
    if (end === 0) return 'malformed';
    tokens.scalar(at, abs(end), end < 0);
    at = abs(end);
    if (depth === 0) return endsAt(bytes, at);
    next = COMMA_OR_END;
  }
}

const endsAt = (bytes: Buffer, at: number): JsonFault | null =>
  afterBlanks(bytes, at) === bytes.length ? null : 'malformed';

function afterBlanks(bytes: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

/** Where the string that begins at `start` ends: negative where it has a backslash, 0 where it is none. */
function stringEnd(bytes: Buffer, start: number): number {
  let escaped = false;
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return escaped ? -(at + 1) : at + 1;
    if (byte < 0x20) return 0;
    if (byte !== BACKSLASH) continue;
    escaped = true;
    const letter = bytes[++at];
    if (letter === 0x75) {
      // \u and four hexadecimal digits
      for (let digit = 0; digit < 4; digit++) if (!isHex(bytes[++at])) return 0;
    } else if (letter === undefined || ESCAPED[letter] !== 1) {
      return 0;
    }
  }
  return 0;
}

/** What may follow a backslash, beside `u`. */
const ESCAPED = new Uint8Array(256);
for (const letter of '"\\/bfnrt') ESCAPED[letter.charCodeAt(0)] = 1;

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= 0x39;

const isHex = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);

/** Where the number, `true`, `false` or `null` that begins at `start` ends; 0 where it is none. */
function plainEnd(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === MINUS || isDigit(first)) return numberEnd(bytes, start);
  const word = WORDS.find((word) => word[0] === first);
  return word !== undefined && bytes.subarray(start, start + word.length).equals(word)
    ? start + word.length
    : 0;
}

function numberEnd(bytes: Buffer, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  if (!isDigit(bytes[at])) return 0;
  at = bytes[at] === ZERO ? at + 1 : afterDigits(bytes, at);
  if (bytes[at] === POINT) {
    if (!isDigit(bytes[++at])) return 0;
    at = afterDigits(bytes, at);
  }
  if ((bytes[at]! | 0x20) === 0x65) {
    at++;
    if (bytes[at] === MINUS || bytes[at] === 0x2b) at++;
    if (!isDigit(bytes[at])) return 0;
    at = afterDigits(bytes, at);
  }
  return at;
}

function afterDigits(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at++;
  return at;
}
