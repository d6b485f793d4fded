/** A number that JavaScript's would not print as it was written: 64-bit integers, `1.50`, `1e400`. */
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

const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * `JSON.parse` that keeps every number's text: one that a double would change comes back as `ExactNumber`.
 * Such numbers travel through the parser as strings marked with a leading NUL, and strings that really begin with
 * NUL get a mark too, so nothing in the data can pose as a number. `context.source` of the reviver would do the
 * same, but not every browser in use has it. Throws SyntaxError as JSON.parse does.
 */
export function parseExact(text: string): unknown {
  const marked = text.replace(TOKEN, (token: string, colon: string | undefined) => {
    if (token.charCodeAt(0) !== 0x22) return String(Number(token)) === token ? token : `"\\u0000n${token}"`;
    return colon === undefined && token.startsWith('"\\u0000') ? `"\\u0000s${token.slice(1)}` : token;
  });
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value !== 'string' || value.charCodeAt(0) !== 0) return value;
    return value[1] === 'n' ? new ExactNumber(value.slice(2)) : value.slice(2);
  });
}

/** JSON text of a value with numbers as they came; `indent` spaces a level, 0 for one line. */
export function printExact(value: Json, indent = 0): string {
  return print(value, indent, '\n');
}

/** An object with members, as opposed to a list, a number or null. */
export function isJsonObject(value: Json): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
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
