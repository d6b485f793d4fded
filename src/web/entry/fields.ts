import type { Entry } from '../api-types.ts';
import { ExactNumber, printExact, type Json } from '../exact-json.ts';

/** One side of a field. Six kinds of cell have no text, and are kept apart. */
export type Cell =
  | { readonly is: 'value'; readonly text: string; readonly type: ValueType; readonly label?: string }
  | { readonly is: 'null' }
  /** The column holds the JSON value null. */
  | { readonly is: 'json-null' }
  | { readonly is: 'empty' }
  /** The source did not send the value. */
  | { readonly is: 'unknown' }
  /** The value was too large to be stored. */
  | { readonly is: 'large'; readonly bytes: number }
  /** The row did not exist on this side. */
  | { readonly is: 'absent' };
export type ValueType = 'text' | 'number' | 'boolean' | 'json';

export interface Field {
  readonly column: string;
  readonly previous: Cell;
  readonly updated: Cell;
}

/** Returns the fields of an entry in the order of its columns, each with its value before and after. */
export function fieldsOf(entry: Entry): Field[] {
  const columns = new Set([
    ...Object.keys(entry.updated ?? {}),
    ...Object.keys(entry.previous ?? {}),
    ...(entry.unknown ?? []),
  ]);
  return [...columns].map((column) => ({
    column,
    previous: cellOf(entry, 'previous', column),
    updated: cellOf(entry, 'updated', column),
  }));
}

/**
 * Whether the two sides of a json field differ only in notation. An update holds changed columns only, so
 * json that prints the same on both sides was stored with other white space or escapes, or with a repeated
 * key.
 */
export function isOnlyNotation(entry: Entry, { previous, updated }: Field): boolean {
  return (
    entry.operation === 'update' &&
    previous.is === 'value' &&
    updated.is === 'value' &&
    previous.type === 'json' &&
    updated.type === 'json' &&
    previous.text === updated.text
  );
}

/** Returns the text of a value: as PostgreSQL printed it, json in compact form on one line. */
export function valueText(value: Json): string {
  return typeof value === 'string' ? value : printExact(value);
}

function cellOf(entry: Entry, side: 'previous' | 'updated', column: string): Cell {
  const values = entry[side];
  if (values === null) return { is: 'absent' };
  if (!Object.hasOwn(values, column)) {
    const large = entry.tooLarge?.find((value) => value.side === side && value.column === column);
    if (large !== undefined) return { is: 'large', bytes: large.bytes };
    return { is: entry.unknown?.includes(column) ? 'unknown' : 'absent' };
  }
  const value = values[column]!;
  if (value === null) return { is: entry.jsonNulls?.[side]?.includes(column) ? 'json-null' : 'null' };
  if (value === '') return { is: 'empty' };
  const label = entry.labels?.[side]?.[column];
  const isTree = typeof value === 'object' && !(value instanceof ExactNumber);
  return {
    is: 'value',
    text: isTree ? printExact(value, 2) : valueText(value),
    type: isTree ? 'json' : typeOf(value),
    ...(label === undefined ? {} : { label }),
  };
}

function typeOf(value: Json): ValueType {
  if (typeof value === 'boolean') return 'boolean';
  return typeof value === 'string' ? 'text' : 'number';
}
