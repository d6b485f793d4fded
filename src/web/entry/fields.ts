import type { Entry } from '../api-types.ts';
import { ExactNumber, printExact, type Json } from '../exact-json.ts';
import { printedInstantText } from '../time/format.ts';

/** One side of a field. Six kinds of cell have no text; the page shows each differently. */
export type Cell =
  /** `clock`: the instant of a timestamptz in the zone that is shown. */
  | {
      readonly is: 'value';
      readonly text: string;
      readonly type: ValueType;
      readonly label?: string;
      readonly clock?: string;
    }
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

/**
 * Returns the fields of an entry in the order of its columns, with the values before and after the change.
 * Instants are shown in `zone`.
 */
export function fieldsOf(entry: Entry, zone: string): Field[] {
  const columns = new Set([
    ...Object.keys(entry.updated ?? {}),
    ...Object.keys(entry.previous ?? {}),
    ...(entry.unknown ?? []),
  ]);
  return [...columns].map((column) => ({
    column,
    previous: cellOf(entry, { side: 'previous', column, zone }),
    updated: cellOf(entry, { side: 'updated', column, zone }),
  }));
}

/**
 * Whether the two sides of a json field differ only in notation. An update has only changed columns. If json
 * prints the same on both sides, its white space, its escapes or a repeated key differ.
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

function cellOf(
  entry: Entry,
  {
    side,
    column,
    zone,
  }: { readonly side: 'previous' | 'updated'; readonly column: string; readonly zone: string },
): Cell {
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
  const labels = entry.labels?.[side];
  // A column may have the name of a member that every object has, such as `constructor`.
  const label = labels !== undefined && Object.hasOwn(labels, column) ? labels[column] : undefined;
  const clock =
    typeof value === 'string' && entry.instants?.includes(column) === true
      ? printedInstantText(value, zone)
      : null;
  const isTree = typeof value === 'object' && !(value instanceof ExactNumber);
  return {
    is: 'value',
    text: isTree ? printExact(value, 2) : valueText(value),
    type: isTree ? 'json' : typeOf(value),
    ...(label === undefined ? {} : { label }),
    ...(clock === null ? {} : { clock }),
  };
}

function typeOf(value: Json): ValueType {
  if (typeof value === 'boolean') return 'boolean';
  return typeof value === 'string' ? 'text' : 'number';
}
