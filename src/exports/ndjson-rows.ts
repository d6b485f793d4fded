import type { StoredColumn } from '../trail/read/dictionaries.js';
import { kindOfType, TIMESTAMPTZ } from '../trail/read/decode.js';
import { entryToJson, oneLine, valueToJson } from '../trail/read/json.js';
import type { RowBatch, StoredRows } from '../trail/read/row-batch.js';
import { lsnText, ROW_TEXT, type RowText } from '../trail/read/row-bytes.js';
import { StoredFields } from '../trail/read/stored-fields.js';
import type { ByteWriter } from './byte-writer.js';
import { ZoneClock } from './dates.js';
import { decodedEntry, mayBeDecoded } from './decoded.js';
import { RowTimes } from './row-times.js';
import { byteClasses, copyPlain, type TextForm } from './text-form.js';
import { Words } from './words.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const LETTER_T = 0x74;
const LETTER_F = 0x66;

/** Text between the quotes of a JSON string, as `JSON.stringify` escapes it. */
const JSON_TEXT: TextForm = {
  classes: byteClasses({ stops: '"\\', asks: [] }),
  stops: () => true,
  encode: (text) => JSON.stringify(text).slice(1, -1),
};

const ascii = (text: string): Uint8Array => Buffer.from(text);
/** Bytes of a long text that become a string together. */
const PART_BYTES = 64 * 1024;

const NULL = ascii('null');
const TRUE = ascii('true');
const FALSE = ascii('false');
const ID = ascii('{"id":"');
const COMMITTED = ascii('","committedAt":"');
const MODIFIER = ascii('","modifier":');
const ACTION = ascii(',"action":');
const ENTITY = ascii(',"entity":{"type":');
const NAME = ascii(',"name":');
const ENTITY_ID = ascii(',"id":');
const TENANT = ascii('},"tenant":');
const PREVIOUS = ascii(',"previous":');
const UPDATED = ascii(',"updated":');
const TABLE = ascii(',"table":');
const OPERATION_NAME = ascii(',"operation":"');
const XID = ascii('","transaction":{"xid":"');
const LSN = ascii('","commitLsn":"');
const SEQ = ascii('","seq":');
const CONTEXT = ascii('},"context":');
const END = ascii('}\n');
const OPEN = ascii('{');
const CLOSE = ascii('}');

/** Of a column: its name as a member, and what its values usually are. */
interface Notes {
  readonly member: Uint8Array;
  readonly kind: 'text' | 'number' | 'boolean' | 'decoded';
  readonly isInstant: boolean;
}

/** What the two sides of an entry have beside their values, as an entry's JSON shows it. */
interface Beside {
  readonly labels: { readonly previous: string[]; readonly updated: string[] };
  readonly instants: Set<string>;
  readonly jsonNulls: { readonly previous: string[]; readonly updated: string[] };
  readonly unknown: Set<string>;
  readonly tooLarge: string[];
}

/** Entries as json.ts prints them, one JSON object a line, from the bytes of the trail or from entries. */
export class NdjsonRows {
  readonly #fields = new StoredFields<Notes>((column) => notesOf(column));
  readonly #times = new RowTimes(new ZoneClock('UTC'));
  readonly #modifiers = new Words(ascii);
  readonly #actions = new Words(ascii);
  readonly #entityTypes = new Words(ascii);
  readonly #tenants = new Words(ascii);
  readonly #tables = new Words(ascii);
  #beside: Beside | undefined;

  /** Writes one row of a batch. */
  row(batch: RowBatch, index: number, out: ByteWriter): void {
    const { stored } = batch;
    if (stored === null || !stored.goTo(index)) {
      out.text(entryToJson(decodedEntry(batch, index)));
      out.byte(LINE_FEED);
    } else this.#members(stored, index, out);
  }

  #members(stored: StoredRows, index: number, out: ByteWriter): void {
    const { rows } = stored;
    this.#beside = undefined;
    out.piece(ID);
    out.integer(rows.idNumber);
    out.piece(COMMITTED);
    this.#times.write(rows.committedMicros, out);
    // `+00:00` is `Z` here.
    out.at -= 6;
    out.byte(0x5a);
    out.piece(MODIFIER);
    const modifier = stored.modifierNumber;
    out.piece(this.#modifiers.piece(modifier * 128 + rows.rung, () => JSON.stringify(stored.modifier)));
    out.piece(ACTION);
    out.piece(this.#actions.piece(rows.actionId, () => JSON.stringify(stored.action)));
    out.piece(ENTITY);
    out.piece(this.#entityTypes.piece(rows.entityTypeId, () => JSON.stringify(stored.entityType)));
    out.piece(NAME);
    this.#text(stored, ROW_TEXT.entityName, out);
    out.piece(ENTITY_ID);
    this.#text(stored, ROW_TEXT.entityId, out);
    out.piece(TENANT);
    out.piece(this.#tenants.piece(rows.tenantId, () => JSON.stringify(stored.tenant)));
    out.piece(PREVIOUS);
    this.#values(stored, 'previous', out);
    out.piece(UPDATED);
    this.#values(stored, 'updated', out);
    if (this.#beside !== undefined) out.text(besideText(this.#beside));
    out.piece(TABLE);
    out.piece(this.#tables.piece(rows.relationId, () => JSON.stringify(stored.table)));
    out.piece(OPERATION_NAME);
    out.text(stored.operation);
    out.piece(XID);
    out.integer(rows.xid);
    out.piece(LSN);
    out.text(lsnText(rows.lsnHigh, rows.lsnLow));
    out.piece(SEQ);
    out.integer(rows.seq);
    const extra = stored.extra(index);
    if (extra === undefined) {
      out.piece(CONTEXT);
      out.piece(NULL);
    } else {
      if (extra.origin !== null) out.text(`,"origin":${JSON.stringify(extra.origin)}`);
      out.piece(CONTEXT);
      out.text(oneLine(stored.contextOf(extra) ?? 'null'));
    }
    out.piece(END);
  }

  #text({ rows }: StoredRows, field: RowText, out: ByteWriter): void {
    const length = rows.lengthOf(field);
    if (length < 0) return out.piece(NULL);
    const start = rows.startOf(field);
    out.byte(QUOTE);
    const place = { bytes: rows.bytes, start, end: start + length };
    writeString(place, out);
    out.byte(QUOTE);
  }

  #values(stored: StoredRows, side: 'previous' | 'updated', out: ByteWriter): void {
    const fields = this.#fields;
    if (!fields.begin(stored, side)) return out.piece(NULL);
    out.piece(OPEN);
    let isFirst = true;
    while (fields.next()) {
      const { column, notes } = fields.column;
      if (fields.kind === 'unknown' || fields.kind === 'large') {
        this.#unknown(side, column);
        continue;
      }
      if (!isFirst) out.byte(COMMA);
      isFirst = false;
      out.piece(notes.member);
      this.#value(side, out);
    }
    out.piece(CLOSE);
  }

  #value(side: 'previous' | 'updated', out: ByteWriter): void {
    const fields = this.#fields;
    const { kind, bytes, start, end } = fields;
    const { notes } = fields.column;
    if (kind === 'null') return out.piece(NULL);
    if (kind === 'text')
      switch (notes.kind) {
        case 'boolean':
          if (end - start !== 1 || (bytes[start] !== LETTER_T && bytes[start] !== LETTER_F)) break;
          return out.piece(bytes[start] === LETTER_T ? TRUE : FALSE);
        case 'number':
          if (!isPlainNumber(bytes, start, end)) break;
          copyPlain(JSON_TEXT, fields, out);
          return;
        case 'text':
          if (notes.isInstant) this.#besides.instants.add(fields.column.column.name);
          out.byte(QUOTE);
          writeString(fields, out);
          out.byte(QUOTE);
          return;
        case 'decoded':
      }
    this.#decoded(side, out);
  }

  #decoded(side: 'previous' | 'updated', out: ByteWriter): void {
    mayBeDecoded(this.#fields.end - this.#fields.start);
    const { value } = this.#fields;
    const { name } = this.#fields.column.column;
    out.text(valueToJson(value));
    if (value.label !== undefined)
      this.#besides.labels[side].push(`${JSON.stringify(name)}:${JSON.stringify(value.label)}`);
    if (value.isInstant === true) this.#besides.instants.add(name);
    if (value.kind === 'json' && value.text === 'null') this.#besides.jsonNulls[side].push(name);
  }

  #unknown(side: 'previous' | 'updated', { name }: StoredColumn): void {
    this.#besides.unknown.add(name);
    if (this.#fields.kind !== 'large') return;
    this.#besides.tooLarge.push(JSON.stringify({ side, column: name, ...this.#fields.large }));
  }

  get #besides(): Beside {
    return (this.#beside ??= {
      labels: { previous: [], updated: [] },
      instants: new Set(),
      jsonNulls: { previous: [], updated: [] },
      unknown: new Set(),
      tooLarge: [],
    });
  }
}

/**
 * Writes what stands between the quotes of a string. A long text is encoded part by part, so that it needs no
 * memory of its size: JSON escapes each character by itself.
 */
function writeString(
  text: { readonly bytes: Buffer; readonly start: number; readonly end: number },
  out: ByteWriter,
): void {
  if (copyPlain(JSON_TEXT, text, out)) return;
  const { bytes, end } = text;
  for (let start = text.start, to: number; start < end; start = to) {
    to = Math.min(end, start + PART_BYTES);
    // Not within a character.
    while (to < end && (bytes[to]! & 0xc0) === 0x80) to++;
    if (!copyPlain(JSON_TEXT, { bytes, start, end: to }, out))
      out.text(JSON_TEXT.encode(bytes.toString('utf8', start, to)));
  }
}

function notesOf(column: StoredColumn): Notes {
  const kind = kindOfType(column.type);
  const isLabelled = column.label !== undefined || column.values !== undefined;
  return {
    member: ascii(`${JSON.stringify(column.name)}:`),
    kind: isLabelled || kind === 'json' ? 'decoded' : kind,
    isInstant: column.type === TIMESTAMPTZ,
  };
}

function besideText({ labels, instants, jsonNulls, unknown, tooLarge }: Beside): string {
  let text = '';
  if (labels.previous.length + labels.updated.length > 0)
    text += `,"labels":{"previous":{${labels.previous.join(',')}},"updated":{${labels.updated.join(',')}}}`;
  if (jsonNulls.previous.length + jsonNulls.updated.length > 0)
    text += `,"jsonNulls":${JSON.stringify(jsonNulls)}`;
  if (instants.size > 0) text += `,"instants":${JSON.stringify([...instants])}`;
  if (unknown.size > 0) text += `,"unknown":${JSON.stringify([...unknown])}`;
  if (tooLarge.length > 0) text += `,"tooLarge":[${tooLarge.join(',')}]`;
  return text;
}

/** Whether bytes are an integer or a decimal fraction of JSON; numbers of other forms are decoded. */
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
