import { storable } from '../pg/text.js';
import { maySecret, withoutSecrets } from './secret-text.js';
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  type JsonTokens,
} from '../pg/json-scan.js';

/** Longest context that is stored. It may apply to a million entries. */
const MAX_CONTEXT_BYTES = 64 * 1024;
/**
 * Marks a context that was cut. The mark is the last member of an object or the last element of an array. For
 * any other value, only the mark is stored.
 */
const CUT_MARK = 'waltrail_cut';
/**
 * Longest name of a member. A member with a longer name is left out, as if it did not fit, because it cannot
 * be determined whether it must be redacted.
 */
const MAX_NAME_BYTES = 1_000;

/** Room for the mark with two numbers of any size. */
const MARK_ROOM_BYTES = 100;
const MASK = Buffer.from('"***"');
/** Length of an escape such as `\u0041`, which stands for at least one byte. */
const ESCAPE_BYTES = 6;
const NOT_SILENT = -1;

/** What is masked in a context. */
export interface ContextMasking {
  /**
   * Returns why a member with this name is masked, or null. `path` returns its path, which begins with
   * `context`. 'by default' masks only a text, an object or an array.
   */
  readonly redacted: (name: string, path: () => string) => 'by rule' | 'by default' | null;
  /** Whether passwords in URLs and bearer tokens are masked within texts. */
  readonly texts: boolean;
}

/**
 * Writes the tokens of one JSON value as compact JSON that JSON.parse and PostgreSQL's functions accept.
 * Strings have no NUL and no unpaired surrogates, and numbers keep all their digits. Members with a redacted
 * name are masked with everything in them. Members and elements that would make the text longer than {@link
 * MAX_CONTEXT_BYTES} are left out one by one, from the innermost level. The mark ({@link CUT_MARK}) then
 * states the original length of the value and the number of parts left out.
 */
export class ContextWriter implements JsonTokens {
  readonly #bytes: Buffer;
  readonly #masking: ContextMasking;
  readonly #out: Buffer;
  /** Number of bytes written. */
  #length = 0;
  /** First byte of each open object or array, and whether something was written in it. */
  readonly #open: number[] = [];
  readonly #filled: boolean[] = [];
  /** Name of the member that contains each open object or array. Empty in an array. */
  readonly #names: string[] = [];
  /** Depth of the object or array in which nothing is written. */
  #silentDepth = NOT_SILENT;
  #depth = 0;
  /** Place of the next value's name. */
  #nameStart = 0;
  #nameEnd = 0;
  #nameEscaped = false;
  #startAt = 0;
  #endAt = 0;
  #leftOut = 0;

  /** @param options.scratch receives what is written; has {@link SCRATCH_BYTES} */
  constructor(options: {
    readonly bytes: Buffer;
    readonly scratch: Buffer;
    readonly masking: ContextMasking;
  }) {
    this.#bytes = options.bytes;
    this.#out = options.scratch;
    this.#masking = options.masking;
  }

  /** Forgets what was written. Another value begins at this place. */
  begin(at: number): void {
    this.#length = this.#leftOut = this.#depth = 0;
    this.#open.length = this.#filled.length = this.#names.length = 0;
    this.#silentDepth = NOT_SILENT;
    this.#startAt = at;
  }

  /** Returns the value as JSON text, or null if it is `null`. Call it after the value's last token. */
  finish(): string | null {
    if (this.#leftOut > 0) this.#mark();
    const text = this.#out.toString('utf8', 0, this.#length);
    return text === 'null' ? null : text;
  }

  name(start: number, end: number, escaped: boolean): void {
    this.#nameStart = start;
    this.#nameEnd = end;
    this.#nameEscaped = escaped;
  }

  scalar(start: number, end: number, escaped: boolean): void {
    this.#endAt = end;
    if (this.#silentDepth === NOT_SILENT)
      this.#item(() =>
        this.#mustMask(this.#bytes[start]!)
          ? this.#put(MASK, 0, MASK.length)
          : this.#text(start, end, escaped),
      );
  }

  open(at: number): void {
    if (this.#silentDepth === NOT_SILENT) {
      let masked = false;
      const written = this.#item(() => {
        masked = this.#mustMask(this.#bytes[at]!);
        // With room for the closing bracket.
        return masked ? this.#put(MASK, 0, MASK.length) : this.#fits(2) && this.#put(this.#bytes, at, at + 1);
      });
      if (masked || !written) this.#silentDepth = this.#depth;
      else {
        const isMember = this.#open.at(-1) === OPEN_OBJECT;
        this.#names.push(isMember ? `.${textOf(this.#bytes, this.#nameStart, this.#nameEnd)}` : '');
        this.#open.push(this.#bytes[at]!);
        this.#filled.push(false);
      }
    }
    this.#depth++;
  }

  close(at: number): void {
    this.#endAt = at + 1;
    this.#depth--;
    if (this.#silentDepth === NOT_SILENT) {
      this.#out[this.#length++] = this.#bytes[at]!;
      this.#open.pop();
      this.#filled.pop();
      this.#names.pop();
    } else if (this.#silentDepth === this.#depth) {
      this.#silentDepth = NOT_SILENT;
    }
  }

  /** Writes a value with its comma and its name. Returns false and writes nothing if it does not fit. */
  #item(value: () => boolean): boolean {
    const before = this.#length;
    const last = this.#filled.length - 1;
    const separated = last < 0 || !this.#filled[last] || this.#byte(COMMA);
    const named = this.#open[last] !== OPEN_OBJECT || (this.#name() && this.#byte(COLON));
    if (separated && named && value()) {
      if (last >= 0) this.#filled[last] = true;
      return true;
    }
    this.#length = before;
    this.#leftOut++;
    return false;
  }

  #name(): boolean {
    return (
      this.#nameEnd - this.#nameStart <= MAX_NAME_BYTES &&
      this.#value(this.#nameStart, this.#nameEnd, this.#nameEscaped)
    );
  }

  /**
   * Whether a value that begins with this byte must be masked. Null is not masked, because the absence of a
   * value is no secret.
   */
  #mustMask(first: number): boolean {
    if (this.#open.at(-1) !== OPEN_OBJECT || first === 0x6e /* null */) return false;
    const name = textOf(this.#bytes, this.#nameStart, this.#nameEnd);
    const redacted = this.#masking.redacted(name, () => `context${this.#names.join('')}.${name}`);
    const isText = first === QUOTE || first === OPEN_OBJECT || first === OPEN_ARRAY;
    return redacted === 'by rule' || (redacted === 'by default' && isText);
  }

  /** Writes a scalar. A string is written without the secrets in it. */
  #text(start: number, end: number, escaped: boolean): boolean {
    const bytes = this.#bytes;
    const mayMask =
      this.#masking.texts &&
      bytes[start] === QUOTE &&
      end - start <= MAX_CONTEXT_BYTES * ESCAPE_BYTES &&
      (escaped || maySecret(bytes, start, end));
    const masked = mayMask ? withoutSecrets(textOf(bytes, start, end)) : null;
    if (masked === null) return this.#value(start, end, escaped);
    const written = Buffer.from(JSON.stringify(storable(masked)));
    return this.#put(written, 0, written.length);
  }

  #value(start: number, end: number, escaped: boolean): boolean {
    if (!escaped) return this.#put(this.#bytes, start, end);
    if (!this.#fits((end - start) / ESCAPE_BYTES)) return false;
    const written = Buffer.from(JSON.stringify(storable(textOf(this.#bytes, start, end))));
    return this.#put(written, 0, written.length);
  }

  #byte(byte: number): boolean {
    if (!this.#fits(1)) return false;
    this.#out[this.#length++] = byte;
    return true;
  }

  #put(bytes: Buffer, start: number, end: number): boolean {
    if (!this.#fits(end - start)) return false;
    this.#length += bytes.copy(this.#out, this.#length, start, end);
    return true;
  }

  /** Whether this many bytes fit, with room for all closing brackets. */
  #fits(bytes: number): boolean {
    return this.#length + bytes + this.#open.length <= MAX_CONTEXT_BYTES;
  }

  #mark(): void {
    const mark = `"${CUT_MARK}":{"bytes":${this.#endAt - this.#startAt},"leftOut":${this.#leftOut}}`;
    const first = this.#length === 0 ? undefined : this.#out[0];
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      const end = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      const comma = this.#length === 2 ? '' : ',';
      const last = first === OPEN_OBJECT ? mark : `{${mark}}`;
      this.#length--;
      this.#length += this.#out.write(`${comma}${last}${String.fromCharCode(end)}`, this.#length);
    } else {
      this.#length = this.#out.write(`{${mark}}`);
    }
  }
}

export const SCRATCH_BYTES = MAX_CONTEXT_BYTES + MARK_ROOM_BYTES;

/**
 * Returns the text of a scalar that the scanner has read. A string is returned without quotes and escapes.
 */
export function textOf(bytes: Buffer, start: number, end: number): string {
  const token = bytes.toString('utf8', start, end);
  return bytes[start] === QUOTE ? (JSON.parse(token) as string) : token;
}
