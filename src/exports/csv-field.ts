/**
 * What may separate fields in some dialect of CSV, or delimit texts: a spreadsheet that is told so takes what
 * stands behind it for the start of a field.
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
 * A text without formulas, whatever separates fields and delimits texts where it is opened: an apostrophe
 * stands before each start of a formula, unless a plain number begins there.
 */
export const withoutFormulas = (text: string): string => text.replace(FORMULA, "'$&");

/** One field of CSV (RFC 4180), without formulas, and quoted where it needs to be. */
export function csvField(text: string): string {
  const safe = withoutFormulas(text);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
