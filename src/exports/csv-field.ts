/**
 * Characters that separate fields or delimit texts in some dialect of CSV. A spreadsheet with such a setting
 * takes the text after one for the start of a field.
 */
const SEPARATORS = ',;:|\\t \\n\\v\\f\\r\\u0085\\u2028\\u2029';
const QUOTES = '"\'';
/** Starts of formulas (OWASP, "CSV Injection"), and their full-width forms. */
const FORMULA_STARTS = '=+\\-@\\uff1d\\uff0b\\uff0d\\uff20';

/** The offset after a time, as in `02:30:00 +02:00 (2026-10-25 00:30:00+00)`. */
const OFFSET = String.raw`(?<=\d\d:\d\d:\d\d(?:\.\d{1,6})? [+-])\d\d:\d\d(?::\d\d)?(?: \(|$)`;

const FORMULA = new RegExp(
  `(?<![^${SEPARATORS}${QUOTES}])[${FORMULA_STARTS}](?!(?<=[+-])\\d+(?:\\.\\d+)?$|${OFFSET})`,
  'g',
);

/**
 * Returns a text without formulas, for all separators and delimiters that a spreadsheet may use. An
 * apostrophe precedes each start of a formula, unless a plain number begins there and ends with the text.
 * More text after a number may continue a formula, because blanks and line ends may stand within one:
 * `-1 *A1`. The offset after a time is left alone too.
 */
export const withoutFormulas = (text: string): string => text.replace(FORMULA, "'$&");

/** Returns one field of CSV (RFC 4180), without formulas, and quoted if needed. */
export const csvField = (text: string): string => quoted(withoutFormulas(text));

/** Returns such a field with several lines. Each line is a text of its own. */
export const csvLines = (lines: readonly string[]): string => quoted(lines.map(withoutFormulas).join('\n'));

function quoted(safe: string): string {
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
