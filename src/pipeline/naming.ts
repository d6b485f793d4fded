import { LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import { sentIn } from './old-row.js';
import type { Lookups } from './ports.js';
import type { Redactor } from './redaction.js';
import type { TypedColumn } from './typed-labels.js';

/** A part of a name: fixed text, or a column, perhaps shown by its word. */
export type NamePart = { readonly text: Buffer } | ColumnPart;

export interface ColumnPart {
  readonly column: number;
  /** Labels by stored value. */
  readonly values: ReadonlyMap<string, string> | null;
  /** What is looked into for the word, one key after the other; empty: nothing, or it depends on a type. */
  readonly way: readonly string[];
  /** Where another column of the row says in which table the word is; null: it does not matter. */
  readonly typed: TypedColumn | null;
  /** What is shown where this column is null or empty; null: nothing. */
  readonly or: ColumnPart | null;
}

/** Whether a column is shown as it is. */
export const isPlain = ({ values, way, typed }: ColumnPart): boolean =>
  values === null && way.length === 0 && typed === null;

/**
 * The column of a part that is shown: the first with text in it. One that was not sent ends the search, for
 * what it holds is not known.
 *
 * @param previous has what was not sent with the row; null: it was not sent either
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
  /** Tenant of the row that is named; null: it has none. */
  readonly tenant: () => string | null;
}

/** A column within a name: by its label where it has one, else as printed; null without a value. */
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

/** What stands for a key: the word or the column where the way from it ends. Undefined: the key itself. */
function lookedUp(part: ColumnPart, row: Tuple, naming: Naming): string | undefined {
  const { column, typed } = part;
  const way = typed === null ? part.way : (typed.ways.get(row.text(typed.type) ?? '') ?? []);
  let shown: string | undefined;
  for (const lookup of way) {
    const found = wordFor(lookup, shown ?? row.text(column)!, naming);
    // A row that is not known is shown by its key; null on the way is nothing.
    if (found === undefined || found === '') return found ?? shown;
    shown = found;
  }
  return shown;
}

/**
 * The word for a key. The name of an entry is shown to whoever sees the entry's tenant, so a word of another
 * tenant's row does not go into it (DECISIONS 57).
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

/** Of a name, or of each part of one: it repeats with every entry (DECISIONS 28). */
const MAX_NAME_BYTES = 1_000;

/** A name as it may be stored: a longer one is cut between two characters. */
export function shortName(name: string): string {
  if (name.length * 3 <= MAX_NAME_BYTES) return name;
  const bytes = Buffer.from(name);
  if (bytes.length <= MAX_NAME_BYTES) return name;
  let end = MAX_NAME_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}
