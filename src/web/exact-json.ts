/** A number that JavaScript would print differently: a 64-bit integer, `1.50`, `1e400`. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Json = null | boolean | number | string | ExactNumber | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Matches the beginning of a string, or a number. */
const TOKEN = /"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const COLON = /\s*:/y;

/**
 * Parses JSON like `JSON.parse`, but keeps the text of each number: a number that a double would change
 * becomes an `ExactNumber`. The parser gets such numbers as strings that begin with NUL and `n`. Strings of
 * the data that begin with NUL get NUL and `s` in front, so no string is taken for a number. `context.source`
 * of the reviver would do the same, but not all browsers in use have it. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  return JSON.parse(markNumbers(text), (_key, value: unknown) => {
    if (typeof value !== 'string' || value.charCodeAt(0) !== 0) return value;
    return value[1] === 'n' ? new ExactNumber(value.slice(2)) : value.slice(2);
  });
}

function markNumbers(text: string): string {
  const pieces: string[] = [];
  let taken = 0;
  const replace = (start: number, end: number, by: string): void => {
    pieces.push(text.slice(taken, start), by);
    taken = end;
  };
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [token] = match;
    const start = match.index;
    if (token !== '"') {
      if (String(Number(token)) !== token) replace(start, start + token.length, `"\\u0000n${token}"`);
      continue;
    }
    const end = endOfString(text, start);
    if (text.startsWith('\\u0000', start + 1) && !isName(text, end)) replace(start, start + 1, '"\\u0000s');
    TOKEN.lastIndex = end;
  }
  return pieces.join('') + text.slice(taken);
}

/**
 * Returns the position after the quote that ends a string. It searches for quotes, because a pattern for the
 * whole string overflows the stack with a string of 16 MB.
 */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text[at - 1 - escapes] === '\\') escapes += 1;
    if (escapes % 2 === 0) return at + 1;
  }
  return text.length;
}

function isName(text: string, end: number): boolean {
  COLON.lastIndex = end;
  return COLON.test(text);
}

/** Prints a value as JSON, with numbers as they were parsed. `indent`: spaces for each level; 0: one line. */
export function printExact(value: Json, indent = 0): string {
  return print(value, indent, '\n');
}

function print(value: Json, indent: number, newline: string): string {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const inner = newline + ' '.repeat(indent);
  const parts = isList
    ? (value as readonly Json[]).map((item) => print(item, indent, inner))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}:${indent > 0 ? ' ' : ''}${print(item, indent, inner)}`,
      );
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  if (parts.length === 0) return open + close;
  return indent === 0
    ? open + parts.join(',') + close
    : `${open}${inner}${parts.join(`,${inner}`)}${newline}${close}`;
}
