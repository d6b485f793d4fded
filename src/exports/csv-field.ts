/**
 * Characters that separate fields or delimit texts in some dialect of CSV. A spreadsheet with such a setting
 * takes the text after one for the start of a field.
 */
const SEPARATORS = ',;:|\\t \\n\\v\\f\\r\\u0085\\u2028\\u2029';
const QUOTES = '"\'';
/** Starts of formulas (OWASP, "CSV Injection"), and their full-width forms. */
const FORMULA_STARTS = '=+\\-@\\uff1d\\uff0b\\uff0d\\uff20';

const FORMULA = new RegExp(
  `(?<![^${SEPARATORS}${QUOTES}])[${FORMULA_STARTS}](?!(?<=[+-])\\d+(?:\\.\\d+)?(?:[${SEPARATORS}]|$))`,
  'g',
);

/**
 * Returns a text without formulas, for all separators and delimiters that a spreadsheet may use. An
 * apostrophe precedes each start of a formula, unless a plain number begins there.
 */
export const withoutFormulas = (text: string): string => text.replace(FORMULA, "'$&");

/** Returns one field of CSV (RFC 4180), without formulas, and quoted if needed. */
export function csvField(text: string): string {
  const safe = withoutFormulas(text);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
