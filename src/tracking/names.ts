import { isBytesText } from '../pg/text.js';

/** A table as `pg_class` and `pg_namespace` name it: case-sensitive and without quotes. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export interface ColumnName extends TableName {
  readonly column: string;
}

/**
 * Schemas that are never tracked, even if a pattern matches: PostgreSQL's own, and those in which Waltrail
 * writes. If the trail or the queue audited itself, every entry would cause the next one.
 */
const NEVER_TRACKED = /^(?:pg_.*|information_schema|trail|waltrail|bullmq)$/;

export const isNeverTracked = (schema: string): boolean => NEVER_TRACKED.test(schema);

interface Part {
  readonly text: string;
  /** Whether the part was quoted. Dots and stars in a quoted part are plain characters. */
  readonly quoted: boolean;
}

const PART = /"((?:[^"]|"")+)"|([^".]+)/y;

/** Whether a statement can name the table: its name is valid text in the source's encoding. */
export const isNameable = ({ schema, table }: TableName): boolean =>
  !isBytesText(schema) && !isBytesText(table);

/**
 * Returns `schema.table` in canonical spelling, so that equal names are equal strings. Undefined if the text
 * is not such a name. Names keep their case. A part with a dot, a star or a quote in its name is written in
 * double quotes. A `*` outside quotes matches any characters of its part.
 */
export function canonicalName(text: string): string | undefined {
  return parseParts(text)?.map(formatPart).join('.');
}

/**
 * Splits `schema.table.column`, or a longer path, into the canonical `schema.table` and the rest. The table
 * is null if the text is a single word. Undefined if the text is not such a name.
 */
export function columnName(
  text: string,
): { readonly table: string | null; readonly name: string } | undefined {
  if (text !== '' && !text.includes('.')) return { table: null, name: text };
  const parsed = COLUMN.exec(text);
  const table = parsed === null ? undefined : canonicalName(parsed[1]!);
  return table === undefined ? undefined : { table, name: parsed![2]! };
}

const COLUMN = /^((?:"(?:[^"]|"")+"|[^".]+)\.(?:"(?:[^"]|"")+"|[^".]+))\.(.+)$/s;

/** Returns the canonical spelling of an existing table. */
export const formatTable = ({ schema, table }: TableName): string =>
  [schema, table].map((name) => formatPart({ text: name, quoted: true })).join('.');

/** Whether a `*` outside quotes makes the name a pattern. */
export const isPattern = (text: string): boolean =>
  parseParts(text)?.some((part) => !part.quoted && part.text.includes('*')) ?? false;

/**
 * Returns the table that an exact name means. Throws RangeError for a pattern or an invalid name, which
 * loading has refused before.
 */
export function tableName(text: string): TableName {
  const parts = parseParts(text);
  if (parts === undefined || isPattern(text)) throw new RangeError(`not a table name: ${text}`);
  return { schema: parts[0].text, table: parts[1].text };
}

/** Whether a pattern or exact name matches this table. */
export function matchesTable(pattern: string, { schema, table }: TableName): boolean {
  const parts = partsOfPattern(pattern);
  return parts !== undefined && matchesPart(parts[0], schema) && matchesPart(parts[1], table);
}

/**
 * The most patterns whose parts are kept. Each pattern is compared with every table. When there are more, all
 * are parsed again.
 */
const MAX_PATTERNS = 20_000;
const PATTERNS = new Map<string, readonly [Part, Part] | undefined>();

function partsOfPattern(pattern: string): readonly [Part, Part] | undefined {
  const known = PATTERNS.get(pattern);
  if (known !== undefined) return known;
  const parts = parseParts(pattern);
  if (PATTERNS.size >= MAX_PATTERNS) PATTERNS.clear();
  PATTERNS.set(pattern, parts);
  return parts;
}

/** Whether a column name matches a redaction pattern: `*` as wildcard, ignoring case. */
export const matchesColumn = (pattern: string, column: string): boolean =>
  matchesStars(pattern.toLowerCase(), column.toLowerCase());

/** Lower case of a part of a text. A capital sigma has two, and what follows or precedes it decides. */
const lowerPart = (text: string): string => text.toLowerCase().replaceAll('ς', 'σ');

/** Whether a redaction pattern may match a column or path that begins and ends with these texts. */
export function mayMatchColumn(pattern: string, around: { begins: string; ends: string }): boolean {
  const [lower, begins, ends] = [pattern, around.begins, around.ends].map(lowerPart) as [
    string,
    string,
    string,
  ];
  const star = lower.indexOf('*');
  if (star < 0) return lower.startsWith(begins) && lower.endsWith(ends);
  const [head, tail] = [lower.slice(0, star), lower.slice(lower.lastIndexOf('*') + 1)];
  return (head.startsWith(begins) || begins.startsWith(head)) && (tail.endsWith(ends) || ends.endsWith(tail));
}

/** Whether a pattern also tracks tables of a schema that it does not name. */
export function matchesNewTables(pattern: string, schema: string): boolean {
  const parts = parseParts(pattern);
  if (parts === undefined) return false;
  const [ofSchema, ofTable] = parts;
  return matchesPart(ofSchema, schema) && !ofTable.quoted && ofTable.text.includes('*');
}

function parseParts(text: string): readonly [Part, Part] | undefined {
  const parts: Part[] = [];
  let at = 0;
  for (;;) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (match === null) return undefined;
    const quoted = match[1] !== undefined;
    parts.push({ text: quoted ? match[1]!.replaceAll('""', '"') : match[2]!, quoted });
    at = PART.lastIndex;
    if (at === text.length) return parts.length === 2 ? [parts[0]!, parts[1]!] : undefined;
    if (text[at] !== '.') return undefined;
    at++;
  }
}

function formatPart({ text, quoted }: Part): string {
  const special = quoted ? /[".*]/ : /[".]/;
  return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function matchesPart(part: Part, name: string): boolean {
  return part.quoted ? part.text === name : matchesStars(part.text, name);
}

/**
 * Matches greedily and backtracks to the last star only. So no pattern takes exponential time, as a regular
 * expression could.
 */
function matchesStars(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
