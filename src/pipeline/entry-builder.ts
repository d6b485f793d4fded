import { LENGTH_NULL, LENGTH_UNCHANGED, Tuple } from '../pgoutput/tuple.js';
import { BASELINE_ACTION } from '../tracking/rules.js';
import { classify } from './classification.js';
import type { Difference } from './difference.js';
import { IdWriter } from './entity-id.js';
import { MovedRow } from './moved-row.js';
import { isPlain, partText, shownPart, type NamePart } from './naming.js';
import { sentIn } from './old-row.js';
import {
  MARK_NULL,
  MARK_UNKNOWN,
  OPERATION_BASELINE,
  OPERATION_DELETE,
  OPERATION_INSERT,
  OPERATION_TRUNCATE,
  OPERATION_UPDATE,
  RUNG_OWN,
  SAME_TENANT,
  UNATTRIBUTED,
  type Dictionary,
  type EntryHead,
  type EntryRows,
  type Lookups,
} from './ports.js';
import type { TrackedPlan } from './relation-plan.js';
import { mayRedact, mayRedactTexts, mayRedactValue, TEXTS } from './row-look.js';
import type { RowChange } from './row-change.js';
import { TenantReader } from './row-tenant.js';

/** Longest name that is stored. A longer one is cut, and "…" is added. */
const MAX_NAME_BYTES = 1_000;
const ELLIPSIS = Buffer.from('…');
/** Name of the entity of a truncate. */
const ALL_ROWS = Buffer.from('(all)');
/** A member of an entry's extra data, which trail/read/extra.ts reads. */
const LATER_KEY = Buffer.from('"laterKey":true');
const OPEN = Buffer.from('{');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from('}');

/**
 * Writes an entry for each row change: difference, action, names and values. It copies bytes of the stream to
 * bytes of the trail.
 */
export class EntryBuilder {
  readonly #rows: EntryRows;
  readonly #tenants: TenantReader;
  readonly #lookups: Lookups;
  readonly #dictionary: Pick<Dictionary, 'action'>;
  readonly #difference: Difference;
  readonly #moved: MovedRow;
  readonly #ids: IdWriter;
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
    moved: false as boolean,
  } satisfies EntryHead;
  /** The row that a name is computed for. */
  readonly #named: { plan: TrackedPlan | null; row: Tuple; fallback: Tuple | null } = {
    plan: null,
    row: new Tuple(),
    fallback: null,
  };
  /**
   * Returns the tenant of this row. Few names need it: those with a label from a table whose rows have
   * tenants.
   */
  readonly #namedTenant = (): string | null => {
    const { plan, row, fallback } = this.#named;
    return this.#tenants.text(plan!, row, fallback);
  };

  readonly #transaction: { readonly extra: Buffer | null };
  readonly #tenantUnknown: (plan: TrackedPlan, seq: number) => void;

  constructor(options: {
    readonly rows: EntryRows;
    readonly dictionary: Dictionary;
    readonly lookups: Lookups;
    /** The difference of the update that is written. */
    readonly difference: Difference;
    /** The current transaction. Its extra data is stored with each of its entries. */
    readonly transaction: { readonly extra: Buffer | null };
    /** Called for a change whose entry lacks a tenant on one of its sides because the tenant is unknown. */
    readonly tenantUnknown: (plan: TrackedPlan, seq: number) => void;
  }) {
    this.#rows = options.rows;
    this.#transaction = options.transaction;
    this.#tenantUnknown = options.tenantUnknown;
    this.#tenants = new TenantReader(options);
    this.#lookups = options.lookups;
    this.#dictionary = options.dictionary;
    this.#difference = options.difference;
    this.#moved = new MovedRow({ difference: options.difference, tenants: this.#tenants });
    this.#ids = new IdWriter(options.rows);
  }

  insert(plan: TrackedPlan, change: RowChange): void {
    const row = change.row!;
    this.#begin(plan, change, OPERATION_INSERT, classify(plan.onInsert, change));
    this.#text(plan.wholeRowColumns);
    this.#rows.nullText();
    this.#wholeRow(plan, row);
    this.#extra(plan, change);
  }

  /** Writes the entry of an existing row. It has no extra data, because it belongs to no transaction. */
  baseline(plan: TrackedPlan, change: RowChange): void {
    this.#begin(plan, change, OPERATION_BASELINE, this.#dictionary.action(BASELINE_ACTION));
    this.#text(plan.wholeRowColumns);
    this.#rows.nullText();
    this.#wholeRow(plan, change.row!);
    this.#rows.nullText();
  }

  delete(plan: TrackedPlan, change: RowChange): void {
    this.#begin(plan, change, OPERATION_DELETE, classify(plan.onDelete, change));
    this.#text(plan.wholeRowColumns);
    this.#wholeRow(plan, change.row!);
    this.#rows.nullText();
    this.#extra(plan, change);
  }

  /** Writes the entry of an update. Its difference must have been found, with the columns in `changed`. */
  update(plan: TrackedPlan, change: RowChange): void {
    const { previous } = change;
    const row = change.row!;
    const { shown, shownCount } = this.#difference;
    this.#begin(plan, change, OPERATION_UPDATE, classify(plan.onUpdate, change));
    const rows = this.#rows;
    rows.beginText();
    for (let index = 0; index < shownCount; index++) {
      const mark = plan.columnMarks[shown[index]!]!;
      rows.raw(mark, 0, mark.length);
    }
    rows.endText();
    rows.beginText();
    if (previous !== null) this.#values(plan, previous, shown, shownCount);
    else for (let index = 0; index < shownCount; index++) rows.mark(MARK_UNKNOWN);
    rows.endText();
    rows.beginText();
    this.#values(plan, row, shown, shownCount);
    rows.endText();
    this.#extra(plan, change);
  }

  truncate(plan: TrackedPlan, change: RowChange): void {
    this.#head.tenantId = 0;
    this.#head.moved = false;
    this.#writeHead(plan, change, OPERATION_TRUNCATE, classify(plan.onTruncate, change));
    this.#rows.nullText();
    this.#text(ALL_ROWS);
    for (let text = 0; text < 3; text++) this.#rows.nullText();
    this.#extra(plan, change);
  }

  /**
   * Writes an entry of Waltrail's own, as a change of the table version `relationId`. `previous` and
   * `updated` are its fields. Without `previous` it is an insert, otherwise an update.
   */
  own(entry: {
    readonly seq: number;
    readonly relationId: number;
    readonly entityTypeId: number;
    readonly actionId: number;
    readonly entityId: string | null;
    readonly entityName: string;
    readonly previous: readonly (string | null)[] | null;
    readonly updated: readonly (string | null)[];
  }): void {
    const { seq, relationId, entityTypeId, actionId, previous, updated } = entry;
    this.#rows.head({
      seq,
      relationId,
      entityTypeId,
      actionId,
      modifierId: UNATTRIBUTED,
      tenantId: 0,
      operation: previous === null ? OPERATION_INSERT : OPERATION_UPDATE,
      rung: RUNG_OWN,
      moved: false,
    });
    this.#text(entry.entityId === null ? null : Buffer.from(entry.entityId));
    this.#text(Buffer.from(entry.entityName));
    this.#rows.nullText();
    for (const fields of [previous, updated]) this.#ownFields(fields);
    this.#rows.nullText();
  }

  #ownFields(fields: readonly (string | null)[] | null): void {
    if (fields === null) return this.#rows.nullText();
    this.#rows.beginText();
    for (const field of fields) {
      if (field === null) this.#rows.mark(MARK_NULL);
      else this.#rows.value(...allOf(Buffer.from(field)));
    }
    this.#rows.endText();
  }

  #begin(plan: TrackedPlan, change: RowChange, operation: number, actionId: number): void {
    const row = change.row!;
    const fallback = change.previous;
    const head = this.#head;
    head.tenantId = this.#tenants.id(plan, row, fallback);
    head.moved = operation === OPERATION_UPDATE && this.#moved.find(plan, fallback, row);
    if (this.#tenants.takeMissed()) this.#tenantUnknown(plan, change.seq);
    this.#writeHead(plan, change, operation, actionId);
    if (head.moved) this.#before(plan, fallback!);
    this.#ids.write(plan, row, fallback);
    this.#entityName(plan, row, fallback);
  }

  #writeHead(plan: TrackedPlan, change: RowChange, operation: number, actionId: number): void {
    const head = this.#head;
    head.seq = change.seq;
    head.modifierId = change.modifierId;
    head.rung = change.rung;
    head.relationId =
      plan.typedVersions === null || change.row === null
        ? plan.relationId
        : plan.typedVersions.idFor(change.row, change.previous);
    head.entityTypeId = plan.entityTypeId;
    head.actionId = actionId;
    head.operation = operation;
    this.#rows.head(head);
  }

  /**
   * Writes tenant and id from before an update. If the tenant has changed, writes the name from before it
   * too.
   */
  #before(plan: TrackedPlan, previous: Tuple): void {
    const { previousTenantId } = this.#moved;
    this.#rows.previousTenant(previousTenantId);
    this.#ids.write(plan, previous, null);
    // Readers of the former tenant see this name. With a part missing, it would be a name that the row never
    // had.
    if (previousTenantId === SAME_TENANT || !hasWholeName(plan, previous)) this.#rows.nullText();
    else this.#entityName(plan, previous, null);
  }

  #entityName(plan: TrackedPlan, row: Tuple, fallback: Tuple | null): void {
    const { plainName } = plan;
    if (plainName >= 0 && row.has(plainName) && !row.isOpaque(plainName)) {
      this.#rows.beginText();
      this.#plainPart(plan, row, plainName);
      return this.#rows.endText();
    }
    if (plan.name === null) return this.#rows.nullText();
    let found = false;
    for (const part of plan.name) {
      if ('text' in part) continue;
      const { column } = shownPart(part, row, fallback);
      const holder = sentIn(column, row, fallback);
      found ||= holder !== null && holder.has(column) && holder.lengths[column] !== 0;
    }
    if (!found) return this.#rows.nullText();
    this.#rows.beginText();
    const start = this.#rows.bytes;
    let blank: Buffer | null = null;
    for (const part of plan.name) {
      if ('text' in part && part.isBlank) {
        blank = part.text;
        continue;
      }
      const before = this.#rows.bytes;
      if (blank !== null && before > start) this.#rows.raw(blank, 0, blank.length);
      const after = this.#rows.bytes;
      this.#namePart(plan, part, row, fallback);
      if (this.#rows.bytes > after) blank = null;
      else this.#rows.rewind(before);
    }
    this.#rows.endText();
  }

  #namePart(plan: TrackedPlan, named: NamePart, row: Tuple, fallback: Tuple | null): void {
    if ('text' in named) return this.#rows.raw(named.text, 0, named.text.length);
    const part = shownPart(named, row, fallback);
    const { column } = part;
    const holder = sentIn(column, row, fallback);
    if (holder === null || !holder.has(column)) return;
    if (isPlain(part) && !holder.isOpaque(column)) return this.#plainPart(plan, holder, column);
    if (!isPlain(part)) {
      this.#named.plan = plan;
      this.#named.row = row;
      this.#named.fallback = fallback;
    }
    const text = partText(part, holder, {
      redactors: plan.redactors,
      lookups: this.#lookups,
      tenant: this.#namedTenant,
    });
    if (text !== null) this.#shortened(text, 0, text.length);
  }

  /** Writes a column as it was sent, or redacted. */
  #plainPart(plan: TrackedPlan, row: Tuple, column: number): void {
    const { bytes } = row;
    const start = row.offsets[column]!;
    const length = row.lengths[column]!;
    if (plan.lookKinds[column] === TEXTS && length <= MAX_NAME_BYTES) {
      const before = this.#rows.bytes;
      if (this.#rows.lookedText(bytes, start, length) === 0) return;
      this.#rows.rewind(before);
    }
    const redacted = redactedBytes(plan, row, column);
    if (redacted === null) this.#shortened(bytes, start, length);
    else this.#shortened(redacted, 0, redacted.length);
  }

  #shortened(bytes: Buffer, start: number, length: number): void {
    if (length <= MAX_NAME_BYTES) return this.#rows.text(bytes, start, length);
    let end = start + MAX_NAME_BYTES;
    // Do not cut within a UTF-8 character, which has at most three continuation bytes.
    for (let back = 0; back < 3 && (bytes[end]! & 0xc0) === 0x80; back++) end--;
    this.#rows.text(bytes, start, end - start);
    this.#rows.raw(ELLIPSIS, 0, ELLIPSIS.length);
  }

  /** Writes the extra data of the transaction and of the change. */
  #extra(plan: TrackedPlan, { beside }: RowChange): void {
    const { extra } = this.#transaction;
    if (beside === null && !plan.hasLaterKey) return this.#text(extra);
    const rows = this.#rows;
    rows.beginText();
    if (extra === null) {
      rows.raw(OPEN, 0, 1);
    } else {
      rows.raw(extra, 0, extra.length - 1);
      rows.raw(COMMA, 0, 1);
    }
    if (beside !== null) rows.raw(beside, 0, beside.length);
    if (beside !== null && plan.hasLaterKey) rows.raw(COMMA, 0, 1);
    if (plan.hasLaterKey) rows.raw(LATER_KEY, 0, LATER_KEY.length);
    rows.raw(CLOSE, 0, 1);
    rows.endText();
  }

  #text(text: Buffer | null): void {
    if (text === null) return this.#rows.nullText();
    this.#rows.beginText();
    this.#rows.raw(text, 0, text.length);
    this.#rows.endText();
  }

  #wholeRow(plan: TrackedPlan, row: Tuple): void {
    this.#rows.beginText();
    if (mayRedact(plan, row, plan.lookedAt, plan.lookedAt.length))
      this.#redactedValues(plan, row, plan.stored, plan.stored.length);
    else this.#texts(plan, row, plan.stored, plan.stored.length);
    this.#rows.endText();
  }

  #values(plan: TrackedPlan, row: Tuple, columns: Uint16Array, count: number): void {
    if (mayRedact(plan, row, columns, count)) this.#redactedValues(plan, row, columns, count);
    else this.#texts(plan, row, columns, count);
  }

  /**
   * Writes values. Only texts among them may need redaction. Signs of a secret are found while the values are
   * written. If there are any and a text must be redacted, the values are written again.
   */
  #texts(plan: TrackedPlan, row: Tuple, columns: Uint16Array, count: number): void {
    if (row.hasOpaque || row.count < plan.columnCount) return this.#redactedValues(plan, row, columns, count);
    const before = this.#rows.bytes;
    const signs = this.#rows.values(row, columns, count, plan.lookedTexts);
    if (signs === 0 || !mayRedactTexts(plan, row, columns, count)) return;
    this.#rows.rewind(before);
    this.#redactedValues(plan, row, columns, count);
  }

  #redactedValues(plan: TrackedPlan, row: Tuple, columns: Uint16Array, count: number): void {
    for (let index = 0; index < count; index++) {
      const column = columns[index]!;
      const redacted = redactedBytes(plan, row, column);
      if (redacted === null) this.#value(row, column);
      else this.#rows.value(redacted, 0, redacted.length);
    }
  }

  #value(row: Tuple, column: number): void {
    const length = row.lengths[column]!;
    if (column >= row.count || length === LENGTH_UNCHANGED) this.#rows.mark(MARK_UNKNOWN);
    else if (length === LENGTH_NULL) this.#rows.mark(MARK_NULL);
    else if (row.isOpaque(column)) this.#rows.bytesValue(row.bytes, row.offsets[column]!, length);
    else this.#rows.value(row.bytes, row.offsets[column]!, length);
  }
}

/** Returns what is stored instead of a value. Null: the value is stored as it was sent. */
function redactedBytes(plan: TrackedPlan, row: Tuple, column: number): Buffer | null {
  return mayRedactValue(plan, row, column)
    ? plan.redactors[column]!(row.bytes, row.offsets[column]!, row.lengths[column]!)
    : null;
}

const allOf = (bytes: Buffer): [Buffer, number, number] => [bytes, 0, bytes.length];

/** Whether every part of a row's name was sent. */
const hasWholeName = ({ name }: TrackedPlan, row: Tuple): boolean =>
  name?.every(
    (part) => 'text' in part || row.lengths[shownPart(part, row, null).column] !== LENGTH_UNCHANGED,
  ) ?? false;
