/*
 * Scans JSON as text, one character at a time, so the cost depends only on the length of the text. JSON.parse
 * would create an object for each of twenty million empty ones, and recursion over its result could overflow
 * the stack.
 */

/**
 * Largest number of nested lists and objects in a value of an answer. Parsers of other languages refuse a
 * whole answer if one value exceeds their limit: .NET at 64 levels, Ruby at 100, PHP at 512. The entry adds a
 * few levels around the value.
 */
const MAX_JSON_DEPTH = 60;

const WORD = /true|false|null/y;
/**
 * The beginning of a number. Digits, and the characters of a string, are matched by loops, because a regular
 * expression with a long repetition overflows.
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
 * Returns whether a text is JSON (RFC 8259) that may appear unchanged in an answer. It must not be deeper
 * than {@link MAX_JSON_DEPTH}. It must not have an escape for half a surrogate pair, which JavaScript
 * accepts, but Rust, .NET and PostgreSQL refuse.
 */
export function isAnswerable(text: string): boolean {
  return new Scanner(text, ESCAPE_OF_TEXT).value(MAX_JSON_DEPTH);
}

/**
 * Returns the members of the outermost object as JSON texts of any depth. Returns null if the text is not
 * JSON, or not an object.
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
   * Returns whether the whole text is one value of at most `maxDepth` levels.
   *
   * @param member called for each member of the outermost object, with its name as JSON, and where its value
   *   begins and ends
   */
  value(maxDepth: number, member?: (name: string, start: number, end: number) => void): boolean {
    /** The kind of each open object or list, outermost first. */
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
      // A value has ended. After it, open objects and lists may end.
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

  /** Reads a name with its colon. Returns null if there is none. */
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

  /** Skips the characters of a string up to a quote, an escape or an invalid character. */
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

  /** Returns where the value ends, before the white space that was just skipped. */
  #endOfValue(): number {
    let end = this.#at;
    while (' \t\n\r'.includes(this.#text[end - 1]!)) end--;
    return end;
  }
}
