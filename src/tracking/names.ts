import { isBytesText } from '../pg/text.js';

/** A table as `pg_class` and `pg_namespace` name it: exact, case-sensitive, unquoted. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export interface ColumnName extends TableName {
  readonly column: string;
}

/**
 * Schemas that are never tracked, whatever a pattern says: PostgreSQL's own, and those in which Waltrail
 * itself writes. The trail or the queue auditing itself would be an endless loop.
 */
const NEVER_TRACKED = /^(?:pg_.*|information_schema|trail|waltrail|bullmq)$/;

export const isNeverTracked = (schema: string): boolean => NEVER_TRACKED.test(schema);

interface Part {
  readonly text: string;
  /** A quoted part is literal: its dots and stars mean nothing. */
  readonly quoted: boolean;
}

const PART = /"((?:[^"]|"")+)"|([^".]+)/y;

/** Whether a statement can name the table: its name is text in the encoding of the source. */
export const isNameable = ({ schema, table }: TableName): boolean =>
  !isBytesText(schema) && !isBytesText(table);

/**
 * `schema.table` in its canonical spelling, in which equal names are equal strings; undefined where it is no
 * such name. Names are written as they are, without folding to lower case; a part with a dot, a star or a
 * quote in its name is written in double quotes, a `*` outside quotes matches any characters of its part.
 */
export function canonicalName(text: string): string | undefined {
  return parseParts(text)?.map(formatPart).join('.');
}

/**
 * `schema.table` in its canonical spelling and what stands behind it: of `schema.table.column`, or a longer
 * path. The table is null where there is but one word. Undefined where it is no such name.
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

/** The canonical spelling of an existing table. */
export const formatTable = ({ schema, table }: TableName): string =>
  [schema, table].map((name) => formatPart({ text: name, quoted: true })).join('.');

/** True where a `*` outside quotes makes the name match more than one table. */
export const isPattern = (text: string): boolean =>
  parseParts(text)?.some((part) => !part.quoted && part.text.includes('*')) ?? false;

/**
 * The one table an exact name means. Throws RangeError for a pattern or no name at all: loading has refused
 * both.
 */
export function tableName(text: string): TableName {
  const parts = parseParts(text);
  if (parts === undefined || isPattern(text)) throw new RangeError(`not a table name: ${text}`);
  return { schema: parts[0].text, table: parts[1].text };
}

/** Whether `pattern` (or exact name) means this table. */
export function matchesTable(pattern: string, { schema, table }: TableName): boolean {
  const parts = partsOfPattern(pattern);
  return parts !== undefined && matchesPart(parts[0], schema) && matchesPart(parts[1], table);
}

/** Patterns are those of YAMLs, and each of them is asked about every table; more are read anew. */
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

/** Whether a pattern tracks tables of a schema whose names it does not say. */
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
 * Greedy matching that backtracks to the last star only, so no pattern takes exponential time as a regular
 * expression would.
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
