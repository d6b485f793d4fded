/*
 * JSON as text: looked at a character at a time, so that neither depth nor width costs more than its length.
 * JSON.parse would make an object of each of twenty million empty ones, and recursion over what it makes ends
 * a stack.
 */

/**
 * Levels of lists and objects that a value in an answer may have. Parsers of other languages refuse a whole
 * answer for one value that is deeper than they like: .NET at 64 levels, Ruby at 100, PHP at 512. An entry
 * has a few around it.
 */
export const MAX_JSON_DEPTH = 60;

const WORD = /true|false|null/y;
/**
 * The beginning of a number; loops look for its digits, as for the characters of a string: a pattern that
 * repeats overflows.
 */
const FIRST_DIGIT = /-?(?:0(?!\d)|(?=[1-9]))/y;
const FRACTION = /\.(?=\d)/y;
const EXPONENT = /[eE][+-]?(?=\d)/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const ESCAPE_OF_TEXT =
  /\\(?:["\\/bfnrt]|u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?![dD][89a-fA-F])[0-9a-fA-F]{4}))/y;

/**
 * Whether a text is JSON (RFC 8259) that may stand in an answer as it is: not deeper than {@link
 * MAX_JSON_DEPTH}, and without an escape for half of a surrogate pair, which JavaScript takes and Rust, .NET
 * and PostgreSQL refuse.
 */
export function isAnswerable(text: string): boolean {
  return new Scanner(text, ESCAPE_OF_TEXT).value(MAX_JSON_DEPTH);
}

/**
 * Members of the outermost object as their JSON text, however deep; null where the text is not JSON, or no
 * object.
 */
export function memberTexts(text: string): ReadonlyMap<string, string> | null {
  const scanner = new Scanner(text, ESCAPE);
  const members = new Map<string, string>();
  const complete = scanner.value(Infinity, (name, start, end) =>
    members.set(JSON.parse(name) as string, text.slice(start, end)),
  );
  return complete && /^[ \t\n\r]*\{/.test(text) ? members : null;
}

const OBJECT = true;
const LIST = false;

class Scanner {
  readonly #text: string;
  readonly #escape: RegExp;
  #at = 0;

  constructor(text: string, escape: RegExp) {
    this.#text = text;
    this.#escape = escape;
  }

  /**
   * Whether the whole text is one value of at most `maxDepth` levels.
   *
   * @param member told of each member of the outermost object: its name as JSON, and where its value begins
   *   and ends
   */
  value(maxDepth: number, member?: (name: string, start: number, end: number) => void): boolean {
    /** Of the objects and lists that are open. */
    const open: boolean[] = [];
    let name = '';
    let start = 0;
    for (;;) {
      // A value begins here.
      this.#space();
      if (open.length === 1) start = this.#at;
      const bracket = this.#text[this.#at];
      if (bracket === '{' || bracket === '[') {
        this.#at++;
        if (open.push(bracket === '{') > maxDepth) return false;
        this.#space();
        if (this.#text[this.#at] !== (bracket === '{' ? '}' : ']')) {
          if (bracket === '[') continue;
          const key = this.#name();
          if (key === null) return false;
          if (open.length === 1) name = key;
          continue;
        }
      } else if (!(bracket === '"' ? this.#string() : this.#match(WORD) || this.#number())) return false;
      // A value has ended, or an object or list is about to.
      for (;;) {
        this.#space();
        const next = this.#text[this.#at];
        const inside = open.at(-1);
        if (inside === undefined) return next === undefined;
        if (open.length === 1 && inside === OBJECT && (next === ',' || next === '}') && name !== '')
          member?.(name, start, this.#endOfValue());
        this.#at++;
        if (next === ',') {
          if (inside === LIST) break;
          const key = this.#name();
          if (key === null) return false;
          if (open.length === 1) name = key;
          break;
        }
        if (next !== (inside === OBJECT ? '}' : ']')) return false;
        open.pop();
      }
    }
  }

  /** A name with its colon. */
  #name(): string | null {
    this.#space();
    const start = this.#at;
    if (this.#text[start] !== '"' || !this.#string()) return null;
    const name = this.#text.slice(start, this.#at);
    this.#space();
    return this.#text[this.#at++] === ':' ? name : null;
  }

  #string(): boolean {
    this.#at++;
    for (;;) {
      this.#plain();
      if (this.#text[this.#at] === '"') {
        this.#at++;
        return true;
      }
      if (!this.#match(this.#escape)) return false;
    }
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #number(): boolean {
    if (!this.#match(FIRST_DIGIT)) return false;
    this.#digits();
    if (this.#match(FRACTION)) this.#digits();
    if (this.#match(EXPONENT)) this.#digits();
    return true;
  }

  #digits(): void {
    this.#pass((code) => code >= 0x30 && code <= 0x39);
  }

  /** What a string holds up to a quote, an escape or what is not allowed. */
  #plain(): void {
    this.#pass((code) => code !== QUOTE && code !== BACKSLASH && code >= FIRST_PRINTABLE);
  }

  #space(): void {
    this.#pass((code) => code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d);
  }

  #pass(isPart: (code: number) => boolean): void {
    const text = this.#text;
    let at = this.#at;
    while (at < text.length && isPart(text.charCodeAt(at))) at++;
    this.#at = at;
  }

  /** Before the white space that was just passed over. */
  #endOfValue(): number {
    let end = this.#at;
    while (' \t\n\r'.includes(this.#text[end - 1]!)) end--;
    return end;
  }
}
