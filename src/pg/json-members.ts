import { compactJson } from './compact-json.js';
import { MAX_DEPTH, OPEN_OBJECT, QUOTE, scanJson, type JsonTokens } from './json-scan.js';

/**
 * Returns the values at a path of member names, each as its JSON text without white space between tokens.
 * Lists are searched: a name means that member of each object in them. If an object has a name twice, the
 * last one counts, as for PostgreSQL. Null: the text is not JSON, or deeper than can be read.
 *
 * @param options.ofLists whether a list at the end of the path stands for its items; false: it is one value
 */
export function valuesAt(
  bytes: Buffer,
  { path, ofLists }: { readonly path: readonly string[]; readonly ofLists: boolean },
): readonly string[] | null {
  const finder = new Finder(bytes, { path, ofLists });
  if (scanJson(bytes, { tokens: finder, maxDepth: MAX_DEPTH }) !== null) return null;
  return finder.found.map(({ start, end }) => {
    const json = bytes.toString('utf8', start, end);
    return isTree(json) ? compactJson(json) : json;
  });
}

/** Whether JSON text is an object or a list. */
export const isTree = (json: string): boolean => json.startsWith('{') || json.startsWith('[');

/** Returns a string without its quotes and escapes. Returns any other value as its JSON text. */
export const plainText = (json: string): string =>
  json.startsWith('"') ? (JSON.parse(json) as string) : json;

/** An object or list that is open and lies on the path. */
interface Open {
  /** Depth of what it is in. */
  readonly depth: number;
  readonly isObject: boolean;
  /** Names of the path that lead to it. */
  readonly matched: number;
  /** Values that were found before it. */
  readonly foundBefore: number;
}

class Finder implements JsonTokens {
  readonly #bytes: Buffer;
  readonly #path: readonly string[];
  readonly #names: readonly Buffer[];
  readonly #ofLists: boolean;
  readonly found: { readonly start: number; end: number }[] = [];
  readonly #open: Open[] = [];
  #depth = 0;
  /** Names of the path that lead to the value that comes next; -1: it is not on the path. */
  #next = 0;
  /** Depth at which a tree that was found began; -1: none is open. */
  #within = -1;

  constructor(
    bytes: Buffer,
    { path, ofLists }: { readonly path: readonly string[]; readonly ofLists: boolean },
  ) {
    this.#bytes = bytes;
    this.#path = path;
    this.#ofLists = ofLists;
    this.#names = path.map((name) => Buffer.from(JSON.stringify(name)));
  }

  name(start: number, end: number, escaped: boolean): void {
    const inner = this.#open.at(-1);
    if (this.#within >= 0 || inner === undefined || inner.depth !== this.#depth - 1) return;
    if (!this.#isName(inner.matched, start, end, escaped)) {
      this.#next = -1;
      return;
    }
    this.#next = inner.matched + 1;
    // The object has this name again: earlier values of it do not count.
    this.found.length = inner.foundBefore;
  }

  scalar(start: number, end: number): void {
    if (this.#within < 0 && this.#next === this.#path.length) this.found.push({ start, end });
    this.#rest();
  }

  open(at: number): void {
    const isObject = this.#bytes[at] === OPEN_OBJECT;
    if (this.#within < 0 && this.#next >= 0) {
      if (this.#next === this.#path.length && (isObject || !this.#ofLists)) {
        this.#within = this.#depth;
        this.found.push({ start: at, end: at });
      } else
        this.#open.push({
          depth: this.#depth,
          isObject,
          matched: this.#next,
          foundBefore: this.found.length,
        });
    }
    this.#depth++;
    if (isObject) this.#next = -1;
  }

  close(at: number): void {
    this.#depth--;
    if (this.#within === this.#depth) {
      this.found.at(-1)!.end = at + 1;
      this.#within = -1;
    } else if (this.#open.at(-1)?.depth === this.#depth) this.#open.pop();
    this.#rest();
  }

  /** Behind a value, the next one of a list is as far on the path as the list is. */
  #rest(): void {
    const inner = this.#open.at(-1);
    const isNear = inner !== undefined && inner.depth === this.#depth - 1;
    this.#next = isNear && !inner.isObject ? inner.matched : -1;
  }

  #isName(index: number, start: number, end: number, escaped: boolean): boolean {
    const wanted = this.#names[index];
    if (wanted === undefined) return false;
    if (escaped) return JSON.parse(this.#bytes.toString('utf8', start, end)) === this.#path[index];
    return (
      end - start === wanted.length &&
      this.#bytes[start] === QUOTE &&
      this.#bytes.compare(wanted, 0, wanted.length, start, end) === 0
    );
  }
}
