import type { StoredColumn } from '../trail/read/dictionaries.js';
import type { Extra } from '../trail/read/extra.js';
import { changesJson, entryToJson, oneLine, valueToJson } from '../trail/read/json.js';
import type { RowBatch, StoredRows } from '../trail/read/row-batch.js';
import { ROW_TEXT, type RowText } from '../trail/read/row-bytes.js';
import { RowChanges } from '../trail/read/row-changes.js';
import { StoredFields, type ColumnNotes } from '../trail/read/stored-fields.js';
import { ByteWriter } from './byte-writer.js';
import { ZoneClock } from './dates.js';
import { decodedEntry, mayBeDecoded } from './decoded.js';
import { JsonBytes } from './json-bytes.js';
import { writeLsn } from './lsn-bytes.js';
import { Piece } from './piece.js';
import { RowTimes } from './row-times.js';
import { booleanOf, KeptByValue, storedKind, type StoredKind } from './stored-kinds.js';
import { byteTable, copyText, PLAIN, type TextForm } from './text-form.js';
import { Words } from './words.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const CLOSE_BRACE = 0x7d;

const piece = (text: string): Piece => new Piece(text);

const json = (value: unknown): Piece => new Piece(JSON.stringify(value));
const escapeJson = (text: string): string => JSON.stringify(text).slice(1, -1);
/**
 * Text between the quotes of a JSON string, as `JSON.stringify` escapes it. Each byte is escaped
 * independently.
 */
const JSON_TEXT: TextForm = {
  ...byteTable({
    pieces: Object.fromEntries(
      [...Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)), '"', '\\'].map(
        (character) => [character, escapeJson(character)] as const,
      ),
    ),
  }),
  ask: () => PLAIN,
  encode: escapeJson,
};

const NULL = piece('null');
const TRUE = piece('true');
const FALSE = piece('false');
const ID = piece('{"id":"');
const COMMITTED = piece('","committedAt":"');
const MODIFIER = piece('","modifier":');
const ACTION = piece(',"action":');
const ENTITY = piece(',"entity":{"type":');
const NAME = piece(',"name":');
const ENTITY_ID = piece(',"id":');
const TENANT = piece('},"tenant":');
const PREVIOUS = piece(',"previous":');
const UPDATED = piece(',"updated":');
const LABELS = piece(',"labels":{"previous":{');
const UPDATED_LABELS = piece('},"updated":{');
const LABELS_END = piece('}}');
const JSON_NULLS = piece(',"jsonNulls":{"previous":');
const UPDATED_JSON_NULLS = piece(',"updated":');
const INSTANTS = piece(',"instants":');
const UNKNOWN = piece(',"unknown":');
const TABLE = piece(',"table":');
const OPERATION_NAME = piece(',"operation":');
const XID = piece(',"transaction":{"xid":"');
const LSN = piece('","commitLsn":"');
const SEQ = piece('","seq":');
const CONTEXT = piece('},"context":');
const END = piece('}\n');
const OPEN_LIST = piece('[');
const CLOSE_LIST = piece(']');
const OPEN = piece('{');
const CLOSE = piece('}');
/** Start of an extra that has only a context, as the pipeline writes it. */
const ONLY_CONTEXT = piece('{"context":');

/** Initial number of bytes for the labels of one side of an entry. */
const SMALL = 4 * 1024;

/** Notes about a column: its name as a member and alone, and the usual kind of its values. */
interface Notes {
  readonly member: Piece;
  readonly name: Piece;
  readonly kind: StoredKind;
  readonly labelled: KeptByValue<Shown>;
}

/** A value as an entry's JSON shows it, and what it adds to members after the values. */
interface Shown {
  readonly json: Piece;
  /** Its member of `labels`. */
  readonly label: Piece | null;
  readonly isInstant: boolean;
  readonly isJsonNull: boolean;
}

type Side = 'previous' | 'updated';
type Column = ColumnNotes<Notes>;

/**
 * Writes entries as json.ts prints them, one JSON object in each line, from the bytes of the trail or from
 * entries.
 */
export class NdjsonRows {
  readonly #fields = new StoredFields<Notes>((column) => notesOf(column));
  readonly #times = new RowTimes(new ZoneClock('UTC'));
  readonly #json = new JsonBytes(null);
  readonly #changes = new RowChanges();
  readonly #modifiers = new Words((rows) => json(rows.modifier));
  readonly #actions = new Words(({ action, actionName }) =>
    actionName === null
      ? json(action)
      : piece(`${JSON.stringify(action)},"actionName":${JSON.stringify(actionName)}`),
  );
  readonly #entityTypes = new Words((rows) => json(rows.entityType));
  readonly #tenants = new Words((rows) => json(rows.tenant));
  readonly #tables = new Words((rows) => json(rows.table));
  readonly #operations = new Words((rows) => json(rows.operation));
  // Collected while the values are written, because these members come after them.
  readonly #labels = { previous: new ByteWriter(SMALL), updated: new ByteWriter(SMALL) };
  readonly #jsonNulls: Readonly<Record<Side, Column[]>> = { previous: [], updated: [] };
  readonly #instants: Column[] = [];
  readonly #unknown: Column[] = [];
  readonly #tooLarge: string[] = [];

  /** Writes one row of a batch. */
  row(batch: RowBatch, index: number, out: ByteWriter): void {
    const { stored } = batch;
    if (stored === null || !stored.goTo(index)) {
      out.text(entryToJson(decodedEntry(batch, index)));
      out.byte(LINE_FEED);
    } else this.#members(stored, out);
  }

  #members(stored: StoredRows, out: ByteWriter): void {
    const { rows } = stored;
    out.piece(ID);
    out.integer(rows.idNumber);
    out.piece(COMMITTED);
    this.#times.write(rows.committedMicros, out);
    // `+00:00` is `Z` here.
    out.at -= 6;
    out.byte(0x5a);
    out.piece(MODIFIER);
    const modifier = stored.modifierNumber;
    out.piece(this.#modifiers.piece(modifier * 128 + rows.rung, stored));
    out.piece(ACTION);
    out.piece(this.#actions.piece(rows.actionId, stored));
    out.piece(ENTITY);
    out.piece(this.#entityTypes.piece(rows.entityTypeId, stored));
    out.piece(NAME);
    writeText(stored, ROW_TEXT.entityName, out);
    out.piece(ENTITY_ID);
    writeText(stored, ROW_TEXT.entityId, out);
    out.piece(TENANT);
    out.piece(this.#tenants.piece(rows.tenantId, stored));
    out.piece(PREVIOUS);
    this.#values(stored, 'previous', out);
    out.piece(UPDATED);
    this.#values(stored, 'updated', out);
    this.#writeBeside(stored, out);
    out.piece(TABLE);
    out.piece(this.#tables.piece(rows.relationId, stored));
    out.piece(OPERATION_NAME);
    out.piece(this.#operations.piece(rows.operation, stored));
    out.piece(XID);
    out.integer(rows.xid);
    out.piece(LSN);
    writeLsn(rows, out);
    out.piece(SEQ);
    out.integer(rows.seq);
    this.#writeExtra(stored, out);
  }

  #values(stored: StoredRows, side: Side, out: ByteWriter): void {
    const fields = this.#fields;
    if (!fields.begin(stored, side)) return out.piece(NULL);
    out.piece(OPEN);
    let isFirst = true;
    while (fields.next()) {
      const { column } = fields;
      if (fields.kind === 'unknown' || fields.kind === 'large') {
        this.#noteUnknown(side, column);
        continue;
      }
      if (!isFirst) out.byte(COMMA);
      isFirst = false;
      out.piece(column.notes.member);
      if (fields.kind === 'null') out.piece(NULL);
      else if (fields.kind !== 'text' || !this.#wrote(side, column, out))
        this.#show(this.#shown(), { side, column }, out);
    }
    out.piece(CLOSE);
  }

  /** Writes the text of a field. Returns false, with nothing written, if the field has to be decoded. */
  #wrote(side: Side, column: Column, out: ByteWriter): boolean {
    const { bytes, start, end } = this.#fields;
    const { kind, labelled } = column.notes;
    switch (kind) {
      case 'boolean': {
        const value = booleanOf(bytes, start, end);
        if (value === undefined) return false;
        out.piece(value ? TRUE : FALSE);
        return true;
      }
      case 'number':
        if (!isPlainNumber(bytes, start, end)) return false;
        return copyText(JSON_TEXT, bytes, start, end, out);
      case 'json':
        if (!this.#json.write(bytes, start, end, out)) return false;
        copyOneLine(bytes, start, end, out);
        if (end - start === NULL.length && isNull(bytes, start)) this.#jsonNulls[side].push(column);
        return true;
      case 'labelled':
        this.#show(
          labelled.of(this.#fields, () => this.#shown()),
          { side, column },
          out,
        );
        return true;
      case 'instant':
        note(this.#instants, column);
        writeString(bytes, start, end, out);
        return true;
      case 'text':
        writeString(bytes, start, end, out);
        return true;
      default:
        return kind satisfies never;
    }
  }
  /** Decodes the value of the field. */
  #shown(): Shown {
    mayBeDecoded(this.#fields.end - this.#fields.start);
    const { value } = this.#fields;
    const { name } = this.#fields.column.column;
    return {
      json: new Piece(valueToJson(value)),
      label:
        value.label === undefined
          ? null
          : new Piece(`${JSON.stringify(name)}:${JSON.stringify(value.label)}`),
      isInstant: value.isInstant === true,
      isJsonNull: value.kind === 'json' && value.text === 'null',
    };
  }

  #show(
    { json, label, isInstant, isJsonNull }: Shown,
    { side, column }: { readonly side: Side; readonly column: Column },
    out: ByteWriter,
  ): void {
    out.piece(json);
    if (label !== null) {
      const labels = this.#labels[side];
      if (labels.at > 0) labels.byte(COMMA);
      labels.piece(label);
    }
    if (isInstant) note(this.#instants, column);
    if (isJsonNull) this.#jsonNulls[side].push(column);
  }

  #noteUnknown(side: Side, column: Column): void {
    note(this.#unknown, column);
    if (this.#fields.kind !== 'large') return;
    const { name } = column.column;
    this.#tooLarge.push(JSON.stringify({ side, column: name, ...this.#fields.large }));
  }

  /** Writes the collected members that come after the values, and forgets them. */
  #writeBeside(stored: StoredRows, out: ByteWriter): void {
    const { previous, updated } = this.#labels;
    if (previous.at + updated.at > 0) {
      out.piece(LABELS);
      out.range(previous.bytes, 0, previous.at);
      out.piece(UPDATED_LABELS);
      out.range(updated.bytes, 0, updated.at);
      out.piece(LABELS_END);
      previous.at = 0;
      updated.at = 0;
    }
    const changes = changesJson(this.#changes.of(stored));
    if (changes !== undefined) out.text(`,"changes":${changes}`);
    const nulls = this.#jsonNulls;
    if (nulls.previous.length + nulls.updated.length > 0) {
      out.piece(JSON_NULLS);
      writeNames(nulls.previous, out);
      out.piece(UPDATED_JSON_NULLS);
      writeNames(nulls.updated, out);
      out.piece(CLOSE);
    }
    if (this.#instants.length > 0) {
      out.piece(INSTANTS);
      writeNames(this.#instants, out);
    }
    if (this.#unknown.length > 0) {
      out.piece(UNKNOWN);
      writeNames(this.#unknown, out);
    }
    if (this.#tooLarge.length > 0) out.text(`,"tooLarge":[${this.#tooLarge.splice(0).join(',')}]`);
  }

  /** Writes the end of a row, beginning with the end of `transaction`. */
  #writeExtra(stored: StoredRows, out: ByteWriter): void {
    const { rows } = stored;
    const length = rows.lengthOf(ROW_TEXT.extra);
    if (length < 0) {
      out.piece(CONTEXT);
      out.piece(NULL);
    } else {
      const start = rows.startOf(ROW_TEXT.extra);
      if (this.#isOnlyContext(rows.bytes, start, start + length, out)) {
        out.piece(CONTEXT);
        copyOneLine(rows.bytes, start + ONLY_CONTEXT.length, start + length - 1, out);
      } else out.text(extraText(stored, stored.extra));
    }
    out.piece(END);
  }

  /** True if an extra has only a context, and an answer may contain it as it is. */
  #isOnlyContext(bytes: Buffer, start: number, end: number, out: ByteWriter): boolean {
    const [first, last] = [start + ONLY_CONTEXT.length, end - 1];
    if (last <= first || bytes[last] !== CLOSE_BRACE) return false;
    for (let at = 0; at < ONLY_CONTEXT.length; at++)
      if (bytes[start + at] !== ONLY_CONTEXT.bytes[at]) return false;
    return bytes[first]! > SPACE && bytes[last - 1]! > SPACE && this.#json.write(bytes, first, last, out);
  }
}

/** Returns the end of a row, beginning with the end of `transaction`, without the last brace. */
function extraText(stored: StoredRows, extra: Extra): string {
  const { origin, claimedCommitAt, session, unreadMessage, lastSetBy, conflict, laterKey } = extra;
  let text = '';
  if (origin !== null) text += `,"origin":${JSON.stringify(origin)}`;
  if (claimedCommitAt !== null) text += `,"claimedCommitAt":${JSON.stringify(claimedCommitAt)}`;
  text += `},"context":${oneLine(stored.contextOf(extra) ?? 'null')}`;
  for (const [name, member] of Object.entries({ session, unreadMessage, lastSetBy, conflict }))
    if (member !== null) text += `,"${name}":${JSON.stringify(member)}`;
  return laterKey ? `${text},"laterKey":true` : text;
}

/** Adds a column to a list, unless it is there already. */
function note(list: Column[], column: Column): void {
  if (!list.includes(column)) list.push(column);
}

/** Writes the names of columns as a JSON list, and empties the array. */
function writeNames(columns: Column[], out: ByteWriter): void {
  out.piece(OPEN_LIST);
  columns.forEach(({ notes }, index) => {
    if (index > 0) out.byte(COMMA);
    out.piece(notes.name);
  });
  out.piece(CLOSE_LIST);
  columns.length = 0;
}

function writeText({ rows }: StoredRows, field: RowText, out: ByteWriter): void {
  const length = rows.lengthOf(field);
  if (length < 0) return out.piece(NULL);
  const start = rows.startOf(field);
  writeString(rows.bytes, start, start + length, out);
}

function writeString(bytes: Uint8Array, start: number, end: number, out: ByteWriter): void {
  out.byte(QUOTE);
  copyText(JSON_TEXT, bytes, start, end, out);
  out.byte(QUOTE);
}

/** Copies JSON as `oneLine` returns it. */
function copyOneLine(bytes: Uint8Array, start: number, end: number, out: ByteWriter): void {
  out.room(end - start);
  const to = out.bytes;
  let { at } = out;
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!;
    to[at++] = byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte;
  }
  out.at = at;
}

function notesOf(column: StoredColumn): Notes {
  const name = JSON.stringify(column.name);
  return {
    member: piece(`${name}:`),
    name: piece(name),
    kind: storedKind(column),
    labelled: new KeptByValue(),
  };
}

function isNull(bytes: Uint8Array, start: number): boolean {
  return NULL.bytes.every((byte, index) => bytes[start + index] === byte);
}

/** True if the bytes are an integer or a decimal fraction of JSON. Other numbers are decoded. */
function isPlainNumber(bytes: Uint8Array, start: number, end: number): boolean {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const first = at;
  while (at < end && isDigit(bytes[at]!)) at++;
  if (at === first || (bytes[first] === 0x30 && at - first > 1)) return false;
  if (at === end) return true;
  if (bytes[at] !== 0x2e || at + 1 === end) return false;
  for (at++; at < end; at++) if (!isDigit(bytes[at]!)) return false;
  return true;
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
