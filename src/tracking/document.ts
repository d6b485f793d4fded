import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, ErrorCode, Node, Pair, Scalar, YAMLMap } from 'yaml';
import { resolveAliases, YamlData, type Aliases } from './yaml-data.js';

/** The path to a value from the top of the file: names of keys, and positions in lists. */
export type KeyPath = readonly (string | number)[];

/** A problem at one place of the file. `message` completes a sentence that begins with the key. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/**
 * The longest file that is read. A file of rules is never longer, and a longer one could take very long to
 * read.
 */
const MAX_CHARACTERS = 1_048_576;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Waltrail's own messages for syntax errors. Those of the parser quote the text, which may be a misplaced
 * password.
 */
const SYNTAX: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: 'this alias has no anchor; put a value that begins with * in quotes',
  BAD_DQ_ESCAPE: 'a backslash escape in double quotes is not valid; use single quotes for backslashes',
  BAD_INDENT: 'the indentation does not fit the lines around it',
  BAD_SCALAR_START: 'a value that begins with this character must be in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a nested "key: value" cannot stand on this line; use a line of its own or quotes',
  DUPLICATE_KEY: 'this key is given twice',
  MISSING_CHAR: 'a bracket, brace, quote, comma or colon is missing before this place',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line; is a colon missing?',
  MULTIPLE_DOCS: 'the file holds more than one YAML document',
  TAB_AS_INDENT: 'tabs cannot indent YAML; use spaces',
  TAG_RESOLVE_FAILED: 'tags (words that begin with !) have no meaning here; put the value in quotes',
};

/** A YAML text with its environment variables filled in, and the position of each key. */
export class TrackingDocument {
  /** Plain data; undefined if `problems` has a syntax error. */
  readonly data: unknown;
  readonly problems: readonly Problem[];
  readonly #document: Document | undefined;
  #aliases: Aliases = new Map();
  /** Pairs of mappings by key, for mappings in which a position was asked for. */
  readonly #pairs = new WeakMap<YAMLMap, ReadonlyMap<unknown, Pair>>();
  readonly #lines = new LineCounter();
  /** Scalars with variables that could not be filled in. No further problem is reported for them. */
  readonly #unresolved = new Set<unknown>();

  constructor(text: string, environment: Environment) {
    const problems: Problem[] = [];
    this.problems = problems;
    if (text.length > MAX_CHARACTERS) {
      problems.push({ line: 1, column: 1, message: 'the file is longer than 1 MiB' });
      return;
    }
    try {
      // Without the byte order mark, which would shift the columns of the first line.
      const document = parseDocument(text.replace(/^\ufeff/, ''), {
        lineCounter: this.#lines,
        prettyErrors: false,
        // The parser compares each key with all keys before it, which is slow. `#prepare` uses a set instead.
        uniqueKeys: false,
      });
      for (const { pos, code } of document.errors) {
        problems.push({ ...this.#lineAndColumn(pos[0]), message: SYNTAX[code] ?? 'this is not valid YAML' });
      }
      if (problems.length > 0) return;
      this.#document = document;
      this.#aliases = resolveAliases(document);
      if (!this.#prepare(document, environment, problems)) return;
      const data = new YamlData(this.#aliases);
      this.data = data.of(document);
      for (const { node, message } of data.problems)
        problems.push({ ...this.#lineAndColumn(node.range?.[0] ?? 0), message });
    } catch {
      // A RangeError, from nesting deeper than the stack or from aliases that multiply. No file for people is
      // like that.
      problems.push({
        line: 1,
        column: 1,
        message: 'the file is nested too deeply, or its aliases expand to too much data',
      });
    }
  }

  /** Whether the value at `path` was already reported as a variable that cannot be filled in. */
  isUnresolved(path: KeyPath): boolean {
    return this.#unresolved.has(this.#find(path).value);
  }

  /**
   * Returns line and column, from 1, of the value at `path` or of its key. If it does not exist, the nearest
   * existing parent is used.
   */
  position(path: KeyPath, what: 'key' | 'value'): { line: number; column: number } {
    const { key, value } = this.#find(path);
    const node = what === 'key' ? (key ?? value) : (value ?? key);
    return this.#lineAndColumn(node?.range?.[0] ?? 0);
  }

  #lineAndColumn(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** Follows `path` as far as it exists. */
  #find(path: KeyPath): { key: Node | undefined; value: Node | undefined } {
    let key: Node | undefined;
    let value = asNode(this.#document?.contents);
    for (const step of path) {
      const inside = isAlias(value) ? this.#aliases.get(value) : value;
      if (isMap(inside)) {
        const pair = this.#pairsOf(inside).get(step);
        if (pair === undefined) break;
        key = asNode(pair.key);
        value = asNode(pair.value);
      } else if (isSeq(inside)) {
        const item = asNode(inside.items[Number(step)]);
        if (item === undefined) break;
        key = undefined;
        value = item;
      } else {
        break;
      }
    }
    return { key, value };
  }

  #pairsOf(map: YAMLMap): ReadonlyMap<unknown, Pair> {
    let pairs = this.#pairs.get(map);
    if (pairs === undefined) {
      pairs = new Map(map.items.flatMap((pair) => (isScalar(pair.key) ? [[pair.key.value, pair]] : [])));
      this.#pairs.set(map, pairs);
    }
    return pairs;
  }

  /**
   * Prepares the document: keys become the words as written, integers keep all digits, and variables are
   * filled in. Returns false if no data can be read from the document: an alias has no anchor, or a key is
   * not a plain word.
   */
  #prepare(document: Document, environment: Environment, problems: Problem[]): boolean {
    let whole = true;
    visit(document, {
      Map: (_, map) => {
        const seen = new Set<string>();
        for (const { key } of map.items) {
          if (!isScalar(key)) continue;
          if (seen.has(keyText(key)))
            problems.push({ ...this.#lineAndColumn(key.range?.[0] ?? 0), message: SYNTAX.DUPLICATE_KEY! });
          seen.add(keyText(key));
        }
      },
      Alias: (_, alias) => {
        if (this.#aliases.has(alias)) return;
        problems.push({ ...this.#lineAndColumn(alias.range?.[0] ?? 0), message: SYNTAX.BAD_ALIAS! });
        whole = false;
      },
      Pair: (_, pair) => {
        if (!isScalar(pair.key)) {
          problems.push({
            ...this.#lineAndColumn(asNode(pair.key)?.range?.[0] ?? 0),
            message: 'a key must be a plain word',
          });
          whole = false;
        } else {
          pair.key.value = keyText(pair.key);
          if (pair.key.value === '__proto__') {
            problems.push({
              ...this.#lineAndColumn(pair.key.range?.[0] ?? 0),
              message: 'this key is not allowed',
            });
          }
        }
      },
      Scalar: (role, node, ancestors) => {
        if (role === 'key') return;
        if (typeof node.value === 'number' && !isExact(node.value)) node.value = node.source;
        if (typeof node.value !== 'string') return;
        const filled = interpolate(node.value, environment);
        if ('problem' in filled) {
          this.#unresolved.add(node);
          const message = `${formatPath(pathOf(node, ancestors))} ${filled.problem}`;
          problems.push({ ...this.#lineAndColumn(node.range?.[0] ?? 0), message });
        } else {
          node.value = filled.text;
        }
      },
    });
    return whole;
  }
}

/**
 * Formats a path as `tables."public.agents".actions[0].to`. A key that is a URL may hold a password and is
 * not shown.
 */
export function formatPath(path: KeyPath): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      return `${index === 0 ? '' : '.'}${/^\w+$/.test(step) ? step : `"${step.includes('://') ? '…' : step}"`}`;
    })
    .join('');
}

/**
 * Returns the path of a node from its ancestors, which `visit` passes from the document down. Keys are
 * prepared before their values.
 */
function pathOf(node: Node, ancestors: readonly unknown[]): KeyPath {
  const chain = [...ancestors, node];
  return chain.flatMap((ancestor, index): (string | number)[] => {
    if (isPair(ancestor)) return isScalar(ancestor.key) ? [String(ancestor.key.value)] : [];
    return isSeq(ancestor) ? [ancestor.items.indexOf(chain[index + 1])] : [];
  });
}

const asNode = (value: unknown): Node | undefined => (isNode(value) ? value : undefined);

/** The text of a key: `1` and `"1"` are the same key. */
const keyText = (key: Scalar): string => (typeof key.value === 'string' ? key.value : (key.source ?? ''));

/** Whether JavaScript represents a number without rounding. Otherwise the text as written is kept. */
const isExact = (value: number): boolean => !Number.isInteger(value) || Number.isSafeInteger(value);

const VARIABLE = /\$(\$\{)|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g;

/**
 * Fills in `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. An empty variable counts as set for
 * `${NAME}`, and as unset for a default.
 */
function interpolate(text: string, environment: Environment): { text: string } | { problem: string } {
  const missing = new Set<string>();
  let malformed = false;
  const filled = text.replace(VARIABLE, (_, escaped?: string, name?: string, fallback?: string) => {
    if (escaped !== undefined) return escaped;
    if (name === undefined) {
      malformed = true;
      return '';
    }
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
    if (value === undefined) missing.add(name);
    return value ?? '';
  });
  if (malformed)
    return { problem: 'has a ${ that is not ${NAME} or ${NAME:-default}; write $${ for the two characters' };
  if (missing.size > 0) {
    const names = [...missing];
    return {
      problem: `needs the environment variable${names.length > 1 ? 's' : ''} ${names.join(', ')}, which ${names.length > 1 ? 'are' : 'is'} not set`,
    };
  }
  return { text: filled };
}
