import { ARRAY_OIDS, arrayElements, OID_BOOLS } from '../../pg/array-text.js';
import { isTree, plainText, valuesAt } from '../../pg/json-members.js';
import { keyText } from '../../pg/text.js';
import type { BitWords, MemberWords } from '../../pipeline/ports.js';
import type { StoredColumn } from './dictionaries.js';
import type { Value } from './entry.js';

// Limits for values with parts. A page shows the values of a hundred entries, and reading them must not delay
// other requests. A longer value, or one with more parts, is shown as PostgreSQL printed it.
const MAX_CHARACTERS = 16_384;
const MOST_PARTS = 1_000;
/**
 * Largest number of bytes of a stored field with parts: three for each character, twice because of escapes.
 */
export const MAX_PARTED_BYTES = 6 * MAX_CHARACTERS;
/** Largest number of parts that the label of a value lists. */
const MOST_LISTED = 100;

/** A part of a value that may have a word: a set bit, an element, or a member of JSON. */
export interface ValuePart {
  /** Text that is shown if the part has no word; null: a null in an array. */
  readonly text: string | null;
  /** Path of a member, outermost name first; empty: the part is not a member. */
  readonly path: readonly string[];
  word: string | null;
  /** Lookup table and key of the word, if it is the name of a row. */
  readonly lookup: { readonly table: string; readonly key: string } | null;
}

/**
 * Returns the kind of parts that a column's values have. `list` stands for arrays. Null: they have no parts.
 */
export const partedAs = (column: StoredColumn): 'bits' | 'list' | 'members' | null => {
  if (column.bits !== undefined) return 'bits';
  if (column.members !== undefined) return 'members';
  return column.array === true || ARRAY_OIDS.has(column.type) ? 'list' : null;
};

/**
 * Returns whether parts of a column's values have words. The `label` of an array column applies to its
 * elements, not to the array as a whole.
 */
export const hasPartWords = (column: StoredColumn): boolean =>
  column.bits !== undefined ||
  column.members !== undefined ||
  (partedAs(column) === 'list' && (column.label !== undefined || column.values !== undefined));

/** Returns whether words of parts are names in `trail.lookup`. */
export const hasPartLookups = (column: StoredColumn): boolean =>
  (column.label !== undefined && partedAs(column) === 'list') ||
  column.members?.some(({ label }) => label !== undefined) === true;

/** Returns the parts of a value. Returns null if it has none or too many, is too long, or was masked. */
export function partsOf(column: StoredColumn, text: string): readonly ValuePart[] | null {
  const parts = text.length > MAX_CHARACTERS ? null : readParts(column, text);
  return parts === null || parts.length > MOST_PARTS ? null : parts;
}

function readParts(column: StoredColumn, text: string): readonly ValuePart[] | null {
  switch (partedAs(column)) {
    case 'bits':
      return bitsOf(column.bits!, text);
    case 'list':
      return elementsOf(column, text);
    case 'members':
      return membersOf(column.members!, text);
    case null:
      return null;
  }
}

/**
 * Returns the text that is shown for a value, composed of the words of its parts. Returns null if no part has
 * a word.
 */
export function partsLabel(column: StoredColumn, parts: readonly ValuePart[]): string | null {
  const kind = partedAs(column);
  if (kind === 'bits') return parts.length === 0 ? 'none' : listed(parts.map(partText));
  const named = parts.filter(({ word }) => word !== null);
  if (named.length === 0) return null;
  return kind === 'list'
    ? listed(parts.map(partText))
    : listed(named.map(({ path, word }) => `${memberText(path)}: ${word!}`));
}

/** Returns the text that is shown for a part. */
export const partText = ({ word, text }: ValuePart): string => word ?? text ?? 'null';

/**
 * Returns a path in the syntax of the YAML: names separated by dots. A name that contains dots or quotes is
 * quoted.
 */
export const memberText = (path: readonly string[]): string =>
  path.map((name) => (/^[^."]+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`)).join('.');

function listed(texts: readonly string[]): string {
  const more = texts.length - MOST_LISTED;
  return more <= 0 ? texts.join(', ') : `${texts.slice(0, MOST_LISTED).join(', ')} and ${more} more`;
}

const INTEGER = /^-?\d{1,19}$/;
const BITS = /^[01]+$/;

/** Returns the set bits, lowest first. Negative numbers are in two's complement, as on the server. */
function bitsOf({ width, words }: BitWords, text: string): readonly ValuePart[] | null {
  let digits: string;
  if (width === 0) {
    if (!BITS.test(text)) return null;
    digits = text;
  } else {
    if (!INTEGER.test(text)) return null;
    digits = BigInt.asUintN(width, BigInt(text)).toString(2);
  }
  const parts: ValuePart[] = [];
  for (let bit = 0; bit < digits.length; bit++)
    if (digits[digits.length - 1 - bit] === '1')
      parts.push({ text: `bit ${bit}`, path: [], word: wordIn(words, String(bit)), lookup: null });
  return parts;
}

function elementsOf({ type, values, label }: StoredColumn, text: string): readonly ValuePart[] | null {
  const elements = arrayElements(text);
  if (elements === null) return null;
  return elements.map((element) => ({
    text: element,
    path: [],
    word:
      element === null
        ? null
        : (wordIn(values, element) ?? (type === OID_BOOLS ? booleanWord(values, element) : null)),
    lookup: element === null || label === undefined ? null : lookupOf(label, element),
  }));
}

/** Returns the word for a boolean element by `true` or `false`, which trails of earlier releases have. */
const booleanWord = (values: StoredColumn['values'], element: string): string | null =>
  element === 't' ? wordIn(values, 'true') : element === 'f' ? wordIn(values, 'false') : null;

function membersOf(members: readonly MemberWords[], text: string): readonly ValuePart[] | null {
  const bytes = Buffer.from(text);
  const parts: ValuePart[] = [];
  for (const { path, values, label } of members) {
    const found = valuesAt(bytes, { path, ofLists: true });
    if (found === null) return null;
    for (const json of found) {
      if (isTree(json) || json === 'null') continue;
      const plain = plainText(json);
      const lookup = label === undefined ? null : lookupOf(label, plain);
      parts.push({ text: json, path, word: wordIn(values, plain), lookup });
    }
  }
  return parts;
}

function lookupOf(table: string, text: string): ValuePart['lookup'] {
  const bytes = Buffer.from(text);
  return { table, key: keyText(bytes, 0, bytes.length) };
}

/**
 * A value with parts. Some of them have words. Words that are names of rows are added after the value was
 * decoded.
 */
export class PartedValue implements Value {
  readonly kind: Value['kind'];
  readonly text: string;
  readonly isList?: true;
  readonly column: StoredColumn;
  readonly parts: readonly ValuePart[];
  /** Word for the value as a whole; null: there is none. */
  readonly #word: string | null;

  constructor({ kind, text, label, isList }: Value, column: StoredColumn, parts: readonly ValuePart[]) {
    this.kind = kind;
    this.text = text;
    if (isList !== undefined) this.isList = isList;
    this.column = column;
    this.parts = parts;
    this.#word = label ?? null;
  }

  get label(): string | undefined {
    return this.#word ?? partsLabel(this.column, this.parts) ?? undefined;
  }
}

const wordIn = (words: Readonly<Record<string, string>> | undefined, value: string): string | null =>
  words !== undefined && Object.hasOwn(words, value) ? words[value]! : null;
