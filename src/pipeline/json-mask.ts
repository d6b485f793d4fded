import { LastView } from '../pg/byte-loops.js';
import type { MemberRedaction } from '../tracking/redact.js';
import type { RedactWith } from '../tracking/rules.js';
import { textOf } from './context-writer.js';
import { MAX_DEPTH, OPEN_ARRAY, OPEN_OBJECT, QUOTE, scanJson, type JsonTokens } from '../pg/json-scan.js';
import { isBefore, NameMemo, NO_NAME } from './name-memo.js';
import { nextSign } from './secret-signs.js';
import { isSignal, maySecret, withoutSecrets } from './secret-text.js';

/** How members and texts within a JSON or hstore value are redacted. */
export interface MemberMasking {
  readonly redaction: MemberRedaction;
  /** Whether a member of this name may be redacted, whatever its path. */
  readonly mayBe: (name: string) => boolean;
  /** Whether the redaction of a member needs its path. */
  readonly byPath: boolean;
  /** Name of the column. Paths begin with it. */
  readonly column: string;
  /** Returns the text of a redacted value. Null: it is left out. */
  readonly written: (rule: RedactWith, text: Buffer) => string | null;
  /** Whether texts are searched for passwords in URLs and for bearer tokens. */
  readonly texts: boolean;
  /** Whether any character may be written as an escape: true for json, false for jsonb. */
  readonly escapes: boolean;
}

const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SLASH = 0x2f;
const SMALL_U = 0x75;
const SMALL_N = 0x6e;
const MAX_PATH_LENGTH = 1_000;
const WHOLE_MASK = Buffer.from('"***"');

/**
 * Masks members of JSON by their names, at any depth, and secrets within its strings. All other bytes are
 * copied, so order, blanks, duplicate names and the digits of numbers stay unchanged.
 */
export class JsonMasker {
  readonly #masking: MemberMasking;
  readonly #memo: NameMemo;

  constructor(masking: MemberMasking) {
    this.#masking = masking;
    this.#memo = new NameMemo(masking.mayBe);
  }

  /**
   * Returns the masked JSON, or null if nothing is masked. JSON that cannot be read to its end is masked as a
   * whole.
   */
  mask(json: Buffer): Buffer | null {
    if (!this.mayMask(json, 0, json.length)) return null;
    const pass = new Pass(json, this.#masking);
    const fault = scanJson(json, { tokens: pass, maxDepth: MAX_DEPTH });
    return fault === null ? pass.finish() : WHOLE_MASK;
  }

  /**
   * Whether there may be something to mask. It reads the bytes of every value of a JSON column. The string
   * before a colon is the name of a member, and known names are recognized by their bytes (measured:
   * DECISIONS 64). A colon within a text is treated in the same way, which only costs time.
   */
  mayMask(bytes: Buffer, start: number, end: number): boolean {
    const memo = this.#memo;
    const { texts, escapes } = this.#masking;
    if (escapes && mayHide(bytes, start, end)) return true;
    const view = views.of(bytes);
    let { last } = memo;
    let at = start - 1;
    while ((at = nextSign(view, at + 1, end)) < end) {
      if (view.getUint8(at) === COLON) {
        const { next } = last;
        if (isBefore(next, view, start, at)) {
          if (next.secret) return true;
          last = next;
          // After a name, only `:/` can be the sign of a URL.
          if (bytes[at + 1] !== SLASH) continue;
        } else {
          const name = memo.before(bytes, start, at, last);
          if (name.secret) return true;
          if (name !== NO_NAME) {
            last = name;
            if (bytes[at + 1] !== SLASH) continue;
          }
        }
      }
      if (texts && isSignal(bytes, at, start, end)) return true;
    }
    memo.last = last;
    return false;
  }
}

/** Whether there is an escape that can hide a name or a secret: `\/` or `\u`. */
function mayHide(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== BACKSLASH) continue;
    at++;
    if (bytes[at] === SLASH || bytes[at] === SMALL_U) return true;
  }
  return false;
}

const views = new LastView();

/** An object or array that is open. */
interface Level {
  readonly isObject: boolean;
  /** Path to it. */
  readonly path: string;
  /**
   * Whether something in it was kept. If so, a member that is left out takes the comma before it along,
   * otherwise the comma after it.
   */
  kept: boolean;
}

class Pass implements JsonTokens {
  readonly #bytes: Buffer;
  readonly #masking: MemberMasking;
  readonly #pieces: (Buffer | string)[] = [];
  /** Bytes before this place are in the pieces, or left out. */
  #done = 0;
  readonly #levels: Level[] = [];
  #nameStart = 0;
  #nameEnd = 0;
  /** End of the last value that was kept in the innermost level. */
  #keptEnd = 0;
  /** Depth of the value that is being replaced. -1: none. */
  #replacedDepth = -1;
  #replacedRule: RedactWith | null = null;
  #replacedStart = 0;
  /** Whether the first member was left out. The bytes up to the next one are then left out too. */
  #skipping = false;

  constructor(bytes: Buffer, masking: MemberMasking) {
    this.#bytes = bytes;
    this.#masking = masking;
  }

  finish(): Buffer | null {
    if (this.#pieces.length === 0) return null;
    this.#pieces.push(this.#bytes.subarray(this.#done));
    return Buffer.concat(
      this.#pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)),
    );
  }

  name(start: number, end: number): void {
    if (this.#replacedDepth >= 0) return;
    if (this.#skipping) {
      this.#done = start;
      this.#skipping = false;
    }
    this.#nameStart = start;
    this.#nameEnd = end;
  }

  scalar(start: number, end: number, escaped: boolean): void {
    if (this.#replacedDepth >= 0) return;
    const rule = this.#ruleFor(start);
    if (rule !== null) this.#replace(rule, start, end);
    else if (this.#masking.texts && this.#bytes[start] === QUOTE) this.#text(start, end, escaped);
    this.#ended(end, rule);
  }

  open(at: number): void {
    const level = this.#levels.at(-1);
    if (this.#replacedDepth < 0) {
      const rule = this.#ruleFor(at);
      if (rule !== null) {
        this.#replacedDepth = this.#levels.length;
        this.#replacedRule = rule;
        this.#replacedStart = at;
      }
    }
    const path =
      level?.isObject === true && this.#masking.byPath
        ? this.#path(level)
        : (level?.path ?? this.#masking.column);
    this.#levels.push({ isObject: this.#bytes[at] === OPEN_OBJECT, path, kept: false });
  }

  close(at: number): void {
    this.#levels.pop();
    if (this.#replacedDepth < 0) {
      if (this.#skipping) {
        this.#done = at;
        this.#skipping = false;
      }
      this.#ended(at + 1, null);
    } else if (this.#replacedDepth === this.#levels.length) {
      const rule = this.#replacedRule!;
      this.#replacedDepth = -1;
      // The names within the value have overwritten its own name.
      this.#replace(rule, this.#replacedStart, at + 1);
      this.#ended(at + 1, rule);
    }
  }

  /**
   * Returns the path of the current member. A long path is shortened in the middle, because it may have many
   * levels.
   */
  #path(level: Level): string {
    return `${level.path.slice(0, MAX_PATH_LENGTH)}.${textOf(this.#bytes, this.#nameStart, this.#nameEnd)}`;
  }

  /**
   * Returns how the value that begins here is redacted, or null. JSON's null is never redacted, because the
   * absence of a value is no secret.
   */
  #ruleFor(start: number): RedactWith | null {
    const level = this.#levels.at(-1);
    const first = this.#bytes[start]!;
    if (level?.isObject !== true || first === SMALL_N) return null;
    const name = textOf(this.#bytes, this.#nameStart, this.#nameEnd);
    const found = this.#masking.redaction(name, () => this.#path(level));
    if (found === null) return null;
    const isText = first === QUOTE || first === OPEN_OBJECT || first === OPEN_ARRAY;
    return found.byDefault && !isText ? null : found.with;
  }

  #replace(rule: RedactWith, start: number, end: number): void {
    const { written } = this.#masking;
    const value = this.#bytes.subarray(start, end);
    const text = written(
      rule,
      this.#bytes[start] === QUOTE ? Buffer.from(textOf(this.#bytes, start, end)) : value,
    );
    if (text === null) this.#leaveOut(end);
    else {
      this.#pieces.push(this.#bytes.subarray(this.#done, start), JSON.stringify(text));
      this.#done = end;
    }
  }

  /** Leaves out the member whose name was read last. Its value ends here. */
  #leaveOut(end: number): void {
    if (this.#levels.at(-1)!.kept) {
      this.#pieces.push(this.#bytes.subarray(this.#done, this.#keptEnd));
      this.#done = end;
    } else {
      this.#pieces.push(this.#bytes.subarray(this.#done, this.#nameStart));
      this.#done = end;
      this.#skipping = true;
    }
  }

  #ended(end: number, rule: RedactWith | null): void {
    if (rule?.method === 'drop') return;
    const level = this.#levels.at(-1);
    if (level !== undefined) level.kept = true;
    this.#keptEnd = end;
  }

  #text(start: number, end: number, escaped: boolean): void {
    if (!escaped && !maySecret(this.#bytes, start + 1, end - 1)) return;
    const text = escaped ? textOf(this.#bytes, start, end) : this.#bytes.toString('utf8', start + 1, end - 1);
    const masked = withoutSecrets(text);
    if (masked === null) return;
    this.#pieces.push(this.#bytes.subarray(this.#done, start), JSON.stringify(masked));
    this.#done = end;
  }
}
