import { OID_BOOLS, printedElement } from '../../pg/array-text.js';
import { escaped } from '../values.js';
import type { StoredColumn } from './dictionaries.js';
import type { SqlValues } from './parameters.js';
import { partedAs } from './value-parts.js';

/*
 * Search for the words of parts of values: the bits, elements and members of a stored field. Fields are
 * matched as text, because a cast would raise an error if a value was masked or cut. A member is recognized
 * by its name and value anywhere in the JSON. A search may therefore find an entry in which a member on
 * another path has both.
 */

/** Test whether a stored field has a part with a word that contains the search text. */
export type PartTest =
  /**
   * One of the bits is set. With `none`, also a field without set bits passes. `width` 0: the field is a bit
   * string.
   */
  | { readonly is: 'bits'; readonly width: number; readonly bits: readonly number[]; readonly none: boolean }
  /** One of the elements has such a text, with or without quotes. */
  | { readonly is: 'elements'; readonly quoted: readonly string[]; readonly plain: readonly string[] }
  /** The field matches a regular expression of PostgreSQL. */
  | { readonly is: 'text'; readonly pattern: string };

/** Number of positions in a bit string that are searched even if they have no words. */
const MOST_BITS = 64;

export function partTests(column: StoredColumn, has: (text: string) => boolean): PartTest[] {
  switch (partedAs(column)) {
    case 'bits':
      return bitTests(column.bits!, has);
    case 'list':
      return elementTests(column.type, valuesWith(column.values, has));
    case 'members':
      return column.members!.flatMap(({ path, values }) =>
        memberTests(path.at(-1)!, valuesWith(values, has)),
      );
    case null:
      return [];
  }
}

const valuesWith = (
  words: Readonly<Record<string, string>> | undefined,
  has: (text: string) => boolean,
): readonly string[] => Object.entries(words ?? {}).flatMap(([value, word]) => (has(word) ? [value] : []));

function bitTests(
  { width, words }: NonNullable<StoredColumn['bits']>,
  has: (text: string) => boolean,
): PartTest[] {
  const known = Object.keys(words).map(Number);
  const all = new Set([...known, ...Array.from({ length: width || MOST_BITS }, (_, bit) => bit)]);
  const bits = [...all].filter((bit) => has(words[String(bit)] ?? `bit ${bit}`));
  const none = has('none');
  return bits.length === 0 && !none ? [] : [{ is: 'bits', width, bits, none }];
}

function elementTests(type: number, values: readonly string[]): PartTest[] {
  const texts = type === OID_BOOLS ? [...values, ...values.flatMap(booleanText)] : values;
  const printed = [...new Set(texts.map(printedElement))];
  if (printed.length === 0) return [];
  const quoted = printed.filter((element) => element.startsWith('"'));
  return [{ is: 'elements', quoted, plain: printed.filter((element) => !quoted.includes(element)) }];
}

/** Returns the stored text of `true` or `false`, which trails of earlier releases have as values. */
const booleanText = (value: string): readonly string[] =>
  value === 'true' ? ['t'] : value === 'false' ? ['f'] : [];

function memberTests(name: string, values: readonly string[]): PartTest[] {
  if (values.length === 0) return [];
  const tokens = values.flatMap((value) => [value, JSON.stringify(value)]);
  const one = tokens.map((token) => literal(escaped(token))).join('|');
  const pattern = `${literal(escaped(JSON.stringify(name)))}\\s*:\\s*(\\[([^][{}]*,)?\\s*)?(${one})\\s*[],}]`;
  return [{ is: 'text', pattern }];
}

/** Returns a text escaped for a regular expression. */
const literal = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/** Returns the SQL condition that a stored field passes a test. */
export function partSql(test: PartTest, field: string, parameters: SqlValues): string {
  if (test.is === 'text') return `${field} ~ ${parameters.add(test.pattern, 'text')}`;
  if (test.is === 'elements') return elementSql(test, field, parameters);
  const { width, bits, none } = test;
  const list = parameters.add(bits, 'int4[]');
  if (width === 0)
    return `${field} ~ '^[01]+$' and (exists (select from unnest(${list}) bit where substr(reverse(${field}), bit + 1, 1) = '1')
              ${none ? `or ${field} !~ '1'` : ''})`;
  // Calculated as numeric, which has enough digits. Adding 2^width turns a negative number into its two's
  // complement.
  const all = parameters.add((2n ** BigInt(width)).toString(), 'text');
  return `case when ${field} ~ '^-?[0-9]{1,19}$' then exists (
            select from unnest(${list}) bit
             where mod(div(mod(${field}::numeric + ${all}::numeric, ${all}::numeric), 2::numeric ^ bit), 2) = 1)
            ${none ? `or ${field} = '0'` : ''} else false end`;
}

/** Returns the condition for elements. The elements of an array with several dimensions have no words. */
function elementSql(
  { quoted, plain }: Extract<PartTest, { is: 'elements' }>,
  field: string,
  parameters: SqlValues,
): string {
  const bare = `regexp_replace(${field}, '"([^"\\\\]|\\\\.)*"', '""', 'g')`;
  const has = (text: string, elements: readonly string[]): readonly string[] => {
    const one = elements.map((element) => literal(escaped(element))).join('|');
    return elements.length === 0 ? [] : [`${text} ~ ${parameters.add(`[{,](${one})[,}]`, 'text')}`];
  };
  return `${bare} !~ '[{].*[{]' and (${[...has(field, quoted), ...has(bare, plain)].join(' or ')})`;
}

/** Source of the lookup keys in a stored field: the field itself, its elements, or a member of JSON. */
export type KeysOf =
  { readonly is: 'value' } | { readonly is: 'elements' } | { readonly is: 'member'; readonly name: string };

/** Returns a query for the keys in a stored field, one in each row. */
export function keysSql(
  keys: Exclude<KeysOf, { is: 'value' }>,
  field: string,
  parameters: SqlValues,
): string {
  switch (keys.is) {
    case 'elements':
      return `select unnest(string_to_array(translate(substr(${field}, strpos(${field}, '{')), '{}"', ''), ','))
               where ${field} not like '%{%{%'`;
    case 'member': {
      const value = String.raw`(\[[^][{}]*\]|"[^"]*"|[^],{}[:space:]]+)`;
      const pattern = `${literal(escaped(JSON.stringify(keys.name)))}\\s*:\\s*${value}`;
      return `select unnest(string_to_array(translate(m[1], '[]" ', ''), ','))
                from regexp_matches(${field}, ${parameters.add(pattern, 'text')}, 'g') m`;
    }
  }
}
