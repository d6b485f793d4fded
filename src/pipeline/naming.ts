import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import { sentIn } from './old-row.js';
import type { Lookups } from './ports.js';
import type { Redactor } from './redaction.js';
import type { TypedColumn } from './typed-labels.js';

/** A part of a name: fixed text, or a column that may be shown by its label. */
export type NamePart = FixedPart | ColumnPart;

export interface FixedPart {
  readonly text: Buffer;
  /** Whether it only separates: it is left out if there is nothing before or after it. */
  readonly isBlank: boolean;
}

export interface ColumnPart {
  readonly column: number;
  /** Labels by stored value. */
  readonly values: ReadonlyMap<string, string> | null;
  /** Lookups that lead to the label, one after another. Empty: there is none, or it depends on a type. */
  readonly way: readonly string[];
  /** The column that determines which table has the label. Null: the table is fixed. */
  readonly typed: TypedColumn | null;
  /** What is shown if this column is null or empty. Null: nothing. */
  readonly or: ColumnPart | null;
}

/** Whether a column is shown as it is. */
export const isPlain = ({ values, way, typed }: ColumnPart): boolean =>
  values === null && way.length === 0 && typed === null;

/**
 * Returns the column of a part that is shown: the first one that has a text. A column that was not sent ends
 * the search, because its value is unknown.
 *
 * @param previous has what was not sent with the row; null: no old row was sent
 */
export function shownPart(part: ColumnPart, row: Tuple, previous: Tuple | null): ColumnPart {
  let shown = part;
  while (shown.or !== null) {
    const { column } = shown;
    const holder = sentIn(column, row, previous);
    if (holder === null || holder.lengths[column]! > 0 || holder.lengths[column] === LENGTH_UNCHANGED)
      return shown;
    shown = shown.or;
  }
  return shown;
}

interface Naming {
  readonly redactors: readonly (Redactor | null)[];
  readonly lookups: Pick<Lookups, 'get' | 'hasTenants'>;
  /** Returns the tenant of the named row. Null: it has none. */
  readonly tenant: () => string | null;
}

/**
 * Returns the text of a column within a name: its label if it has one, otherwise its value. Null: it has no
 * value.
 */
export function partText(part: ColumnPart, row: Tuple, naming: Naming): Buffer | null {
  const { column, values } = part;
  if (!row.has(column)) return null;
  if (!isPlain(part)) {
    const text = row.text(column)!;
    const label = values?.get(text) ?? lookedUp(part, row, naming);
    if (label !== undefined) return Buffer.from(label);
  }
  const redacted = naming.redactors[column]?.(row.bytes, row.offsets[column]!, row.lengths[column]!);
  if (redacted) return redacted;
  return row.isOpaque(column) ? Buffer.from(row.text(column)!) : valueOf(row, column);
}

/**
 * Returns what is shown instead of a key: the label at the end of its lookups. Undefined: the key itself is
 * shown.
 */
function lookedUp(part: ColumnPart, row: Tuple, naming: Naming): string | undefined {
  const { column, typed } = part;
  const way = typed === null ? part.way : (typed.ways.get(row.text(typed.type) ?? '') ?? []);
  let shown: string | undefined;
  for (const lookup of way) {
    const found = wordFor(lookup, shown ?? row.text(column)!, naming);
    // An unknown row is shown by its key. A null on the way is shown as nothing.
    if (found === undefined || found === '') return found ?? shown;
    shown = found;
  }
  return shown;
}

/**
 * Returns the label of a key. An entry's name is shown to every reader of the entry's tenant, so it has no
 * label from another tenant's row (DECISIONS 57).
 */
function wordFor(lookup: string, key: string, { lookups, tenant }: Naming): string | undefined {
  const found = lookups.get(lookup, key);
  if (found === undefined || !lookups.hasTenants(lookup)) return found?.name;
  const own = tenant();
  return own === null || own === found.tenant ? found.name : undefined;
}

function valueOf({ bytes, offsets, lengths }: Tuple, column: number): Buffer {
  const start = offsets[column]!;
  return bytes.subarray(start, start + lengths[column]!);
}

/** Longest name, or part of a name. It repeats with every entry (DECISIONS 28). */
const MAX_NAME_BYTES = 1_000;

/** Returns a name as it may be stored. A longer one is cut between two characters. */
export function shortName(name: string): string {
  if (name.length * 3 <= MAX_NAME_BYTES) return name;
  const bytes = Buffer.from(name);
  if (bytes.length <= MAX_NAME_BYTES) return name;
  let end = MAX_NAME_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}
