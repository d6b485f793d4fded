import type { OldRow } from '../pgoutput/reader.js';
import { LENGTH_NULL, LENGTH_UNCHANGED, type Tuple } from '../pgoutput/tuple.js';
import type { Attributed } from './attribution.js';
import { classify } from './classification.js';
import type { EntryHead, EntryRows, Lookups, OperationCode, Dictionary } from './ports.js';
import { partText } from './naming.js';
import type { RelationPlan, TrackedPlan } from './relation-plan.js';

/** Marks of trail/values.ts. */
const MARK_NULL = 0x4e;
const MARK_UNKNOWN = 0x55;
const MAX_COLUMNS = 1664;
/** Name of what a truncate did away with. */
const ALL_ROWS = Buffer.from('(all)');
const COMMA = Buffer.from(',');

/** One change of a tracked row, with the modifier that was found for it. */
interface ChangeHead {
  readonly seq: number;
  readonly attributed: Attributed;
}

/** Makes entries of row changes: difference, action, names, values; from the bytes of the stream to the bytes of the trail. */
export class EntryBuilder {
  readonly #rows: EntryRows;
  readonly #dictionary: Dictionary;
  readonly #lookups: Lookups;
  readonly #changed = new Uint8Array(MAX_COLUMNS);
  // One head, reused: see MessageReader.
  readonly #head = {
    seq: 0,
    modifierId: 0,
    relationId: 0,
    tenantId: 0,
    entityTypeId: 0,
    actionId: 0,
    operation: 0,
    rung: 0,
  } satisfies EntryHead;

  /** JSON of the transaction's context, stored with each of its entries. */
  extra: Buffer | null = null;

  constructor(options: {
    readonly rows: EntryRows;
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
  }) {
    this.#rows = options.rows;
    this.#dictionary = options.dictionary;
    this.#lookups = options.lookups;
  }

  insert(plan: TrackedPlan, row: Tuple, change: ChangeHead): void {
    const actionId = classify(plan.onInsert, { previous: null, row, changed: null });
    this.#begin(plan, { ...change, operation: 'i', actionId, row, fallback: null });
    this.#text(plan.wholeRowColumns);
    this.#rows.nullText();
    this.#wholeRow(plan, row, null);
    this.#text(this.extra);
  }

  delete(
    plan: TrackedPlan,
    change: ChangeHead & { readonly previous: Tuple; readonly oldRow: OldRow; readonly keys: Uint8Array },
  ): void {
    const { previous } = change;
    const actionId = classify(plan.onDelete, { previous, row: previous, changed: null });
    this.#begin(plan, { ...change, operation: 'd', actionId, row: previous, fallback: null });
    this.#text(plan.wholeRowColumns);
    this.#wholeRow(plan, previous, change.oldRow === 'full' ? null : change.keys);
    this.#rows.nullText();
    this.#text(this.extra);
  }

  /** False when nothing changed but columns that make no entry. */
  update(
    plan: TrackedPlan,
    change: ChangeHead & {
      readonly previous: Tuple;
      readonly oldRow: OldRow;
      readonly updated: Tuple;
      readonly keys: Uint8Array;
    },
  ): boolean {
    const { previous, oldRow, updated, keys } = change;
    if (!this.#difference(plan, change)) return false;
    const known = oldRow === 'full' ? previous : null;
    const actionId = classify(plan.onUpdate, { previous: known, row: updated, changed: this.#changed });
    this.#begin(plan, { ...change, operation: 'u', actionId, row: updated, fallback: known });
    const rows = this.#rows;
    rows.beginText();
    for (let column = 0; column < plan.columnCount; column++) {
      if (this.#stored(plan, column))
        rows.raw(plan.columnMarks[column]!, 0, plan.columnMarks[column]!.length);
    }
    rows.endText();
    rows.beginText();
    for (let column = 0; column < plan.columnCount; column++) {
      if (!this.#stored(plan, column)) continue;
      if (oldRow === 'full' || (oldRow === 'key' && keys[column] === 1)) this.#value(plan, previous, column);
      else rows.mark(MARK_UNKNOWN);
    }
    rows.endText();
    rows.beginText();
    for (let column = 0; column < plan.columnCount; column++) {
      if (this.#stored(plan, column)) this.#value(plan, updated, column);
    }
    rows.endText();
    this.#text(this.extra);
    return true;
  }

  truncate(plan: TrackedPlan, change: ChangeHead): void {
    const actionId = classify(plan.onTruncate, { previous: null, row: null, changed: null });
    this.#writeHead(plan, { ...change, operation: 't', actionId, tenantId: 0 });
    this.#rows.nullText();
    this.#text(ALL_ROWS);
    for (let text = 0; text < 3; text++) this.#rows.nullText();
    this.#text(this.extra);
  }

  /**
   * Marks the columns that differ. Without the old row every column that was sent may have changed; one that was not
   * sent (unchanged TOAST) has not.
   */
  #difference(
    plan: TrackedPlan,
    change: { readonly previous: Tuple; readonly oldRow: OldRow; readonly updated: Tuple },
  ): boolean {
    const { previous, oldRow, updated } = change;
    const changed = this.#changed;
    let any = 0;
    for (let column = 0; column < plan.columnCount; column++) {
      const length = updated.lengths[column]!;
      let differs = 0;
      if (length !== LENGTH_UNCHANGED) {
        differs =
          oldRow !== 'full' ||
          previous.lengths[column] !== length ||
          (length > 0 && !sameBytes(previous, updated, column))
            ? 1
            : 0;
      }
      changed[column] = differs;
      any |= differs & (plan.silent[column]! ^ 1);
    }
    return any === 1;
  }

  #stored(plan: TrackedPlan, column: number): boolean {
    return this.#changed[column] === 1 && plan.silent[column] === 0;
  }

  #begin(
    plan: TrackedPlan,
    change: ChangeHead & {
      readonly operation: OperationCode;
      readonly actionId: number;
      readonly row: Tuple;
      readonly fallback: Tuple | null;
    },
  ): void {
    const { row, fallback } = change;
    const tenant = plan.tenantColumn < 0 ? null : sentText(plan.tenantColumn, row, fallback);
    this.#writeHead(plan, { ...change, tenantId: tenant === null ? 0 : this.#dictionary.tenant(tenant) });
    this.#id(plan, row);
    this.#entityName(plan, row, fallback);
  }

  #writeHead(
    plan: TrackedPlan,
    change: ChangeHead & {
      readonly operation: OperationCode;
      readonly actionId: number;
      readonly tenantId: number;
    },
  ): void {
    const head = this.#head;
    head.seq = change.seq;
    head.modifierId = change.attributed.modifierId;
    head.rung = change.attributed.rung.charCodeAt(0);
    head.relationId = plan.relationId;
    head.tenantId = change.tenantId;
    head.entityTypeId = plan.entityTypeId;
    head.actionId = change.actionId;
    head.operation = change.operation.charCodeAt(0);
    this.#rows.head(head);
  }

  #id(plan: TrackedPlan, row: Tuple): void {
    const columns = plan.idColumns;
    if (columns.length === 0 || !columns.every((column) => row.has(column))) return this.#rows.nullText();
    this.#rows.beginText();
    for (let index = 0; index < columns.length; index++) {
      if (index > 0) this.#rows.raw(COMMA, 0, 1);
      const column = columns[index]!;
      const redactor = plan.redactors[column];
      if (redactor) this.#rows.raw(...whole(redactor(row.bytes, row.offsets[column]!, row.lengths[column]!)));
      else this.#rows.raw(row.bytes, row.offsets[column]!, row.lengths[column]!);
    }
    this.#rows.endText();
  }

  #entityName(plan: TrackedPlan, row: Tuple, fallback: Tuple | null): void {
    if (plan.name === null) return this.#rows.nullText();
    let found = false;
    for (const part of plan.name)
      found ||= 'column' in part && (sent(part.column, row, fallback)?.has(part.column) ?? false);
    if (!found) return this.#rows.nullText();
    this.#rows.beginText();
    for (const part of plan.name) {
      const bytes =
        'text' in part
          ? part.text
          : partText(part, sent(part.column, row, fallback) ?? row, {
              redactors: plan.redactors,
              lookups: this.#lookups,
            });
      if (bytes !== null) this.#rows.raw(bytes, 0, bytes.length);
    }
    this.#rows.endText();
  }

  #text(text: Buffer | null): void {
    if (text === null) return this.#rows.nullText();
    this.#rows.beginText();
    this.#rows.raw(text, 0, text.length);
    this.#rows.endText();
  }

  /** `keys` where only the replica identity's columns were sent: the source sends null for all others. */
  #wholeRow(plan: TrackedPlan, row: Tuple, keys: Uint8Array | null): void {
    this.#rows.beginText();
    for (let column = 0; column < plan.columnCount; column++) {
      if (plan.dropped[column] === 1) continue;
      if (keys !== null && keys[column] === 0) this.#rows.mark(MARK_UNKNOWN);
      else this.#value(plan, row, column);
    }
    this.#rows.endText();
  }

  #value(plan: TrackedPlan, row: Tuple, column: number): void {
    const length = row.lengths[column]!;
    if (column >= row.count || length === LENGTH_UNCHANGED) return this.#rows.mark(MARK_UNKNOWN);
    if (length === LENGTH_NULL) return this.#rows.mark(MARK_NULL);
    const redactor = plan.redactors[column];
    if (!redactor) return this.#rows.value(row.bytes, row.offsets[column]!, length);
    const redacted = redactor(row.bytes, row.offsets[column]!, length);
    this.#rows.value(redacted, 0, redacted.length);
  }
}

const whole = (bytes: Buffer): [Buffer, number, number] => [bytes, 0, bytes.length];

/** By column index: 1 for the columns of the replica identity. */
export const keyColumns = (plan: RelationPlan): Uint8Array =>
  Uint8Array.from(plan.relation.columns, ({ isKey }) => (isKey ? 1 : 0));

/** The row in which the column was sent: unchanged TOAST is only in the old one. */
function sent(column: number, row: Tuple, fallback: Tuple | null): Tuple | null {
  return row.lengths[column] === LENGTH_UNCHANGED ? fallback : row;
}

function sentText(column: number, row: Tuple, fallback: Tuple | null): string | null {
  return sent(column, row, fallback)?.text(column) ?? null;
}

function sameBytes(previous: Tuple, updated: Tuple, column: number): boolean {
  const length = updated.lengths[column]!;
  let left = previous.offsets[column]!;
  let right = updated.offsets[column]!;
  if (length > 64) {
    return previous.bytes.compare(updated.bytes, right, right + length, left, left + length) === 0;
  }
  const { bytes } = previous;
  for (const end = left + length; left < end; left++, right++) if (bytes[left] !== bytes[right]) return false;
  return true;
}
