import { printedElement } from '../../pg/array-text.js';
import { escaped } from '../values.js';
import type { StoredColumn } from './dictionaries.js';
import type { SqlValues } from './parameters.js';
import { partedAs } from './value-parts.js';

/*
 * Words of parts of values, for a search: which bits, elements and members of a stored field they stand for.
 * Fields are matched as text, for a cast would raise where a value was masked or cut. A member is known by
 * its name and value wherever in the JSON it is: a search may find an entry in which another member has both.
 */

/** What of a stored field has a word with the text of a search. */
export type PartTest =
  /** One of the bits is set; with `none`, or no bit is. `width` 0: of a string of bits. */
  | { readonly is: 'bits'; readonly width: number; readonly bits: readonly number[]; readonly none: boolean }
  /** One of the elements is printed so, in quotes or not. */
  | { readonly is: 'elements'; readonly quoted: readonly string[]; readonly plain: readonly string[] }
  /** The field matches a regular expression of PostgreSQL. */
  | { readonly is: 'text'; readonly pattern: string };

/** Positions up to here are looked for in strings of bits that have no words for them. */
const MOST_BITS = 64;

export function partTests(column: StoredColumn, has: (text: string) => boolean): PartTest[] {
  switch (partedAs(column)) {
    case 'bits':
      return bitTests(column.bits!, has);
    case 'list':
      return elementTests(valuesWith(column.values, has));
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

function elementTests(values: readonly string[]): PartTest[] {
  const printed = [...new Set(values.flatMap((value) => [printedElement(value), ...booleanText(value)]))];
  if (printed.length === 0) return [];
  const quoted = printed.filter((element) => element.startsWith('"'));
  return [{ is: 'elements', quoted, plain: printed.filter((element) => !quoted.includes(element)) }];
}

/** The YAML may name a boolean by its word. */
const booleanText = (value: string): readonly string[] =>
  value === 'true' ? ['t'] : value === 'false' ? ['f'] : [];

function memberTests(name: string, values: readonly string[]): PartTest[] {
  if (values.length === 0) return [];
  const tokens = values.flatMap((value) => [value, JSON.stringify(value)]);
  const one = tokens.map((token) => literal(escaped(token))).join('|');
  const pattern = `${literal(escaped(JSON.stringify(name)))}\\s*:\\s*(\\[([^][{}]*,)?\\s*)?(${one})\\s*[],}]`;
  return [{ is: 'text', pattern }];
}

/** A text as a part of a regular expression. */
const literal = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');

/** Returns the condition that a stored field passes a test. */
export function partSql(test: PartTest, field: string, parameters: SqlValues): string {
  if (test.is === 'text') return `${field} ~ ${parameters.add(test.pattern, 'text')}`;
  if (test.is === 'elements') return elementSql(test, field, parameters);
  const { width, bits, none } = test;
  const list = parameters.add(bits, 'int4[]');
  if (width === 0)
    return `${field} ~ '^[01]+$' and (exists (select from unnest(${list}) bit where substr(reverse(${field}), bit + 1, 1) = '1')
              ${none ? `or ${field} !~ '1'` : ''})`;
  // In numeric, for no digits are too many for it; a negative number is one of as many bits as all have.
  const all = parameters.add((2n ** BigInt(width)).toString(), 'text');
  return `case when ${field} ~ '^-?[0-9]{1,19}$' then exists (
            select from unnest(${list}) bit
             where mod(div(mod(${field}::numeric + ${all}::numeric, ${all}::numeric), 2::numeric ^ bit), 2) = 1)
            ${none ? `or ${field} = '0'` : ''} else false end`;
}

/** An array with further dimensions has no elements with words. */
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

/** The keys of a lookup table that a stored field has: itself, its elements, those of a member of JSON. */
export type KeysOf =
  { readonly is: 'value' } | { readonly is: 'elements' } | { readonly is: 'member'; readonly name: string };

/** Returns a query of the keys that a stored field has, one a row. */
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
