import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  MARK_NULL,
  MARK_UNKNOWN,
  MAX_VALUE_BYTES,
  RUNG_OWN,
  SAME_TENANT,
  type EntryAttribution,
  type EntryHead,
  type EntryRows,
  type SentRow,
} from '../../pipeline/ports.js';
import { bytesText, isText } from '../../pg/text.js';
import { LastView, viewOf } from '../../pg/byte-loops.js';
import { dayOfId, entryId, numberOfId } from '../entry-id.js';
import { WaitingContexts } from './contexts.js';
import { frame, FRAME_HEADER_BYTES } from './copy-format.js';
import {
  AT_ACTION,
  AT_COMMIT_LSN,
  AT_COMMITTED_AT,
  AT_DAY,
  AT_ENTITY_TYPE,
  AT_MODIFIER,
  AT_NUMBER,
  AT_OPERATION,
  AT_PREVIOUS_TENANT,
  AT_RELATION,
  AT_RUNG,
  AT_SEQ,
  AT_TENANT,
  AT_XID,
  ENTRY_COLUMNS,
  HEAD_BYTES,
  NULL_FIELD,
  rowsBetween,
  type Row,
} from './row-layout.js';
import { copyLooked, copyPlain, NOT_PLAIN, SIGN } from './value-copy.js';
import {
  ESCAPE,
  ESCAPED_ESCAPE,
  ESCAPED_SEPARATOR,
  MARK_BYTES,
  MARK_LARGE,
  MAX_SIDE_BYTES,
  SEPARATOR,
} from '../values.js';

/**
 * A buffer is twice as large as the data that the pipeline gathers before it sends. The number of spare
 * buffers is the number that may wait for the socket.
 */
const BUFFER_BYTES = 256 * 1024;
const SPARE_BUFFERS = 16;
/**
 * Largest number of bytes that late attribution may add to the rows of the buffer. A thousand rows with 64
 * KiB of context each would take too much memory.
 */
const MAX_EXTRA_BYTES = 4 * 1024 * 1024;
/** Lengths above which a native copy is faster than a loop over bytes (raw) or over words (value). */
const LONG_RAW_BYTES = 64;
const LONG_VALUE_BYTES = 256;
/**
 * Mask that clears, in each byte of a word, the one bit in which ESCAPE and SEPARATOR differ. Both are then
 * 0x1B.
 */
const BUT_THAT_BIT = 0xfbfbfbfb;
const ESCAPES = 0x1b1b1b1b;
const SIGNS = 0x80808080;
/** Length of a null field in a row from the source. */
const LENGTH_NULL = -1;
const TRANSACTION_WORDS = 5;
/** Bytes of the length before each field. */
const LENGTH_BYTES = 4;
/** Lengths 8, 4, 2 and 1. They are big-endian in a row, and are written here as little-endian words. */
const OF_EIGHT = 0x08000000;
const OF_FOUR = 0x04000000;
const OF_TWO = 0x02000000;
const OF_ONE = 0x01000000;
const NOTHING = Buffer.alloc(0);
const HEX = Buffer.from('0123456789abcdef');
const NO_FRAMES: readonly Buffer[] = [];

/**
 * Builds rows of `trail.entry` in the binary COPY format. Its buffers go to the socket without copying.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html (Binary Format)
 */
export class EntryRowBuffer implements EntryRows {
  /** The running transaction in the bytes of the stream: commit LSN, commit time, xid. */
  readonly #transaction = new Int32Array(TRANSACTION_WORDS);
  readonly #sources = new LastView();
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #view = viewOf(this.#buffer);
  #at = FRAME_HEADER_BYTES;
  #textAt = 0;
  /**
   * Offset of the first row of the running transaction; -1: some of its rows were already taken from this
   * buffer.
   */
  #transactionAt = FRAME_HEADER_BYTES;
  #entries = 0;
  #day: number;
  #number: number;
  readonly #spare: Buffer[] = [];
  readonly #contexts = new WaitingContexts();

  /** @param options.nextId id of the next entry */
  constructor(options: { readonly nextId: bigint }) {
    this.#day = dayOfId(options.nextId);
    this.#number = numberOfId(options.nextId);
  }

  /** Id that the next entry will have. */
  get nextId(): bigint {
    return entryId(this.#day, this.#number);
  }

  /** Bytes of rows that were not taken yet. */
  get bytes(): number {
    return this.#at - FRAME_HEADER_BYTES;
  }

  /** Bytes of contexts that were not taken yet. */
  get contextBytes(): number {
    return this.#contexts.bytes;
  }

  /** Number of entries that were not taken yet. */
  get entries(): number {
    return this.#entries;
  }

  /**
   * Numbers the following entries within `day` (days since 2026-01-01). Call it only while no rows are
   * buffered.
   */
  startDay(day: number): void {
    this.#day = day;
    this.#number = 0;
  }

  transaction(bytes: Buffer, at: number): void {
    const view = this.#sources.of(bytes);
    for (let word = 0; word < TRANSACTION_WORDS; word++)
      this.#transaction[word] = view.getInt32(at + 4 * word, true);
    this.#transactionAt = this.#at;
  }

  head(head: EntryHead): void {
    this.#reserve(HEAD_BYTES + 256);
    const at = this.#at;
    const view = this.#view;
    const transaction = this.#transaction;
    // Written field by field, which takes half the time of filling in a copied template.
    view.setInt16(at, ENTRY_COLUMNS.length);
    view.setInt32(at + AT_DAY - LENGTH_BYTES, OF_EIGHT, true);
    view.setInt32(at + AT_DAY, this.#day);
    view.setInt32(at + AT_NUMBER, this.#number);
    view.setInt32(at + AT_COMMITTED_AT - LENGTH_BYTES, OF_EIGHT, true);
    view.setInt32(at + AT_COMMITTED_AT, transaction[2]!, true);
    view.setInt32(at + AT_COMMITTED_AT + 4, transaction[3]!, true);
    view.setInt32(at + AT_COMMIT_LSN - LENGTH_BYTES, OF_EIGHT, true);
    view.setInt32(at + AT_COMMIT_LSN, transaction[0]!, true);
    view.setInt32(at + AT_COMMIT_LSN + 4, transaction[1]!, true);
    view.setInt32(at + AT_SEQ - LENGTH_BYTES, OF_FOUR, true);
    view.setInt32(at + AT_SEQ, head.seq);
    view.setInt32(at + AT_XID - LENGTH_BYTES, OF_FOUR, true);
    view.setInt32(at + AT_XID, transaction[4]!, true);
    view.setInt32(at + AT_MODIFIER - LENGTH_BYTES, OF_FOUR, true);
    view.setInt32(at + AT_MODIFIER, head.modifierId);
    view.setInt32(at + AT_RELATION - LENGTH_BYTES, OF_FOUR, true);
    view.setInt32(at + AT_RELATION, head.relationId);
    view.setInt32(at + AT_TENANT - LENGTH_BYTES, OF_FOUR, true);
    view.setInt32(at + AT_TENANT, head.tenantId);
    view.setInt32(at + AT_ENTITY_TYPE - LENGTH_BYTES, OF_TWO, true);
    view.setInt16(at + AT_ENTITY_TYPE, head.entityTypeId);
    view.setInt32(at + AT_ACTION - LENGTH_BYTES, OF_TWO, true);
    view.setInt16(at + AT_ACTION, head.actionId);
    view.setInt32(at + AT_OPERATION - LENGTH_BYTES, OF_ONE, true);
    view.setUint8(at + AT_OPERATION, head.operation);
    view.setInt32(at + AT_RUNG - LENGTH_BYTES, OF_ONE, true);
    view.setUint8(at + AT_RUNG, head.rung);
    view.setInt32(at + AT_PREVIOUS_TENANT, NULL_FIELD);
    view.setInt32(at + AT_PREVIOUS_TENANT + 4, NULL_FIELD);
    view.setInt32(at + AT_PREVIOUS_TENANT + 8, NULL_FIELD);
    this.#at = head.moved ? at + AT_PREVIOUS_TENANT : at + HEAD_BYTES;
    this.#number++;
    this.#entries++;
  }

  previousTenant(id: number): void {
    if (id === SAME_TENANT) return this.nullText();
    this.#reserve(8);
    this.#view.setInt32(this.#at, 4);
    this.#view.setInt32(this.#at + 4, id);
    this.#at += 8;
  }

  nullText(): void {
    this.#reserve(4);
    this.#view.setInt32(this.#at, NULL_FIELD);
    this.#at += 4;
  }

  beginText(): void {
    this.#reserve(4);
    this.#textAt = this.#at;
    this.#at += 4;
  }

  endText(): void {
    this.#view.setInt32(this.#textAt, this.#at - this.#textAt - 4);
  }

  raw(bytes: Buffer, start: number, length: number): void {
    this.#reserve(length);
    if (length > LONG_RAW_BYTES) {
      this.#at += bytes.copy(this.#buffer, this.#at, start, start + length);
      return;
    }
    const buffer = this.#buffer;
    let at = this.#at;
    for (let index = start, end = start + length; index < end; index++) buffer[at++] = bytes[index]!;
    this.#at = at;
  }

  text(bytes: Buffer, start: number, length: number): void {
    if (length <= LONG_RAW_BYTES) {
      this.#reserve(length);
      if (copyPlain(this.#sources.of(bytes), start, length, this.#view, this.#at)) {
        this.#at += length;
        return;
      }
    }
    this.#unusualText(bytes, start, length);
  }

  lookedText(bytes: Buffer, start: number, length: number): number {
    if (length <= LONG_RAW_BYTES) {
      this.#reserve(length);
      const found = copyLooked(this.#sources.of(bytes), start, length, this.#view, this.#at);
      if (found !== NOT_PLAIN) {
        this.#at += length;
        return found;
      }
    }
    this.#unusualText(bytes, start, length);
    return NOT_PLAIN;
  }

  value(bytes: Buffer, start: number, length: number): void {
    if (length > LONG_VALUE_BYTES) this.#longValue(bytes, start, length);
    else {
      this.#reserve(2 * length + 3);
      if (copyPlain(this.#sources.of(bytes), start, length, this.#view, this.#at)) this.#at += length;
      else this.#markedValue(bytes, start, length);
    }
    this.#buffer[this.#at++] = SEPARATOR;
  }

  values(row: SentRow, columns: Uint16Array, count: number, looked: Uint8Array): number {
    const { bytes, offsets, lengths } = row;
    const from = this.#sources.of(bytes);
    let signs = 0;
    for (let index = 0; index < count; index++) {
      const column = columns[index]!;
      const length = lengths[column]!;
      const start = offsets[column]!;
      if (length < 0) {
        this.mark(length === LENGTH_NULL ? MARK_NULL : MARK_UNKNOWN);
        continue;
      }
      if (length > LONG_VALUE_BYTES) {
        this.#longValue(bytes, start, length);
        if (looked[column] === 1) signs |= SIGN;
      } else {
        this.#reserve(2 * length + 3);
        if (looked[column] === 0) {
          if (copyPlain(from, start, length, this.#view, this.#at)) this.#at += length;
          else this.#markedValue(bytes, start, length);
        } else {
          const found = copyLooked(from, start, length, this.#view, this.#at);
          signs |= found;
          if (found === NOT_PLAIN) this.#markedValue(bytes, start, length);
          else this.#at += length;
        }
      }
      this.#view.setUint8(this.#at++, SEPARATOR);
    }
    return signs;
  }

  rewind(bytes: number): void {
    this.#at = FRAME_HEADER_BYTES + bytes;
  }

  bytesValue(bytes: Buffer, start: number, length: number): void {
    if (this.#isTooLarge(length)) this.#largeValue(bytes.subarray(start, start + length));
    else this.#hexadecimalValue(bytes, start, length);
    this.#buffer[this.#at++] = SEPARATOR;
  }

  context(json: Buffer): bigint {
    const id = entryId(this.#day, this.#number - 1);
    this.#contexts.add(id, json);
    return id;
  }

  mark(mark: number): void {
    this.#reserve(3);
    this.#buffer[this.#at++] = ESCAPE;
    this.#buffer[this.#at++] = mark;
    this.#buffer[this.#at++] = SEPARATOR;
  }

  reattribute(revise: (entry: EntryAttribution) => EntryAttribution | null): boolean {
    if (this.#transactionAt < 0) return false;
    const rows = rowsBetween(this.#view, this.#transactionAt, this.#at);
    const revised: (EntryAttribution | undefined)[] = [];
    let extraBytes = 0;
    for (const row of rows) {
      const entry = this.#isOwn(row) ? undefined : revise(this.#attributionOf(row));
      if (entry === null) return false;
      extraBytes += entry?.extra?.length ?? 0;
      if (extraBytes > MAX_EXTRA_BYTES) return false;
      revised.push(entry);
    }
    rows.forEach((row, index) => {
      const entry = revised[index];
      if (entry === undefined) return;
      this.#view.setInt32(row.start + AT_MODIFIER, entry.modifierId);
      this.#buffer[row.start + AT_RUNG] = entry.rung;
    });
    const isBare = (row: Row, index: number): boolean =>
      this.#view.getInt32(row.extraAt) < 0 && (revised[index]?.extra ?? null) === null;
    if (!rows.every(isBare)) this.#replaceExtras(rows, revised);
    return true;
  }

  /**
   * Takes the first `bytes` as one CopyData frame. Later bytes stay. When the frame was sent, the caller
   * returns it with {@link recycle}.
   */
  take(bytes: number, entries: number): Buffer | null {
    if (bytes === 0) return null;
    const buffer = this.#buffer;
    const end = FRAME_HEADER_BYTES + bytes;
    const rest = this.#at - end;
    let next: Buffer | undefined = this.#spare.pop();
    if (next === undefined || next.length < rest + FRAME_HEADER_BYTES) {
      next = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, FRAME_HEADER_BYTES + rest));
    }
    buffer.copy(next, FRAME_HEADER_BYTES, end, this.#at);
    this.#buffer = next;
    this.#view = viewOf(next);
    this.#at = FRAME_HEADER_BYTES + rest;
    this.#entries -= entries;
    this.#transactionAt = this.#transactionAt < end ? -1 : this.#transactionAt - bytes;
    return frame(buffer.subarray(0, end));
  }

  /** Takes the contexts of all entries that were taken, as CopyData frames of `trail.context`. */
  takeContexts(): readonly Buffer[] {
    return this.#contexts.bytes === 0
      ? NO_FRAMES
      : this.#contexts.take(entryId(this.#day, this.#number - this.#entries));
  }

  recycle(frame: Buffer): void {
    if (frame.buffer.byteLength === BUFFER_BYTES && this.#spare.length < SPARE_BUFFERS)
      this.#spare.push(Buffer.from(frame.buffer));
  }

  // Each of the following methods leaves room for the separator.

  /**
   * Copies a value that may need escapes, or may not be text. The caller must have reserved enough bytes for
   * both cases.
   */
  #markedValue(bytes: Buffer, start: number, length: number): void {
    const from = this.#sources.of(bytes);
    const to = this.#view;
    const end = start + length;
    let source = start;
    let target = this.#at;
    let seen = 0;
    for (const last = end - 4; source <= last; source += 4, target += 4) {
      const word = from.getInt32(source, true);
      const marked = (word & BUT_THAT_BIT) ^ ESCAPES;
      // Finds a zero byte: subtracting 1 from it sets its sign bit, which was clear. A zero byte in `marked`
      // is an ESCAPE or SEPARATOR, in `word` it is NUL.
      if ((((marked - 0x01010101) & ~marked) | ((word - 0x01010101) & ~word)) & SIGNS) break;
      seen |= word;
      to.setInt32(target, word, true);
    }
    for (; source < end; source++) {
      const byte = from.getUint8(source);
      seen |= byte;
      if (byte === 0) return this.#hexadecimalValue(bytes, start, length);
      if (byte === ESCAPE || byte === SEPARATOR) {
        to.setUint8(target++, ESCAPE);
        to.setUint8(target++, byte === ESCAPE ? ESCAPED_ESCAPE : ESCAPED_SEPARATOR);
      } else {
        to.setUint8(target++, byte);
      }
    }
    // isUtf8 is a native call, which pure ASCII does not need.
    if ((seen & SIGNS) !== 0 && !isUtf8(bytes.subarray(start, end)))
      return this.#hexadecimalValue(bytes, start, length);
    this.#at = target;
  }

  #unusualText(bytes: Buffer, start: number, length: number): void {
    if (isText(bytes, start, length)) return this.raw(bytes, start, length);
    const ascii = bytesText(bytes.toString('hex', start, start + length));
    this.#reserve(ascii.length);
    this.#at += this.#buffer.write(ascii, this.#at, 'latin1');
  }

  #longValue(bytes: Buffer, start: number, length: number): void {
    const value = bytes.subarray(start, start + length);
    if (this.#isTooLarge(length)) return this.#largeValue(value);
    if (!isText(bytes, start, length)) return this.#hexadecimalValue(bytes, start, length);
    this.#reserve(2 * length + 3);
    if (value.includes(ESCAPE) || value.includes(SEPARATOR)) return this.#markedValue(bytes, start, length);
    this.#at += value.copy(this.#buffer, this.#at);
  }

  #isTooLarge(length: number): boolean {
    return length > MAX_VALUE_BYTES || this.#at - this.#textAt + length > MAX_SIDE_BYTES;
  }

  /**
   * Writes the length and digest in place of a value. They show that there was a value, and distinguish it
   * from others.
   */
  #largeValue(value: Buffer): void {
    this.#reserve(100);
    this.#buffer[this.#at++] = ESCAPE;
    this.#buffer[this.#at++] = MARK_LARGE;
    const digest = createHash('sha256').update(value).digest('hex');
    this.#at += this.#buffer.write(`${value.length} ${digest}`, this.#at);
  }

  #hexadecimalValue(bytes: Buffer, start: number, length: number): void {
    this.#reserve(2 * length + 3);
    this.#buffer[this.#at++] = ESCAPE;
    this.#buffer[this.#at++] = MARK_BYTES;
    for (let index = start, end = start + length; index < end; index++) {
      const byte = bytes[index]!;
      this.#buffer[this.#at++] = HEX[byte >> 4]!;
      this.#buffer[this.#at++] = HEX[byte & 15]!;
    }
  }

  #isOwn(row: Row): boolean {
    return this.#buffer[row.start + AT_RUNG] === RUNG_OWN;
  }

  #attributionOf(row: Row): EntryAttribution {
    const { start, extraAt, end } = row;
    return {
      modifierId: this.#view.getInt32(start + AT_MODIFIER),
      rung: this.#buffer[start + AT_RUNG]!,
      extra: this.#view.getInt32(extraAt) < 0 ? null : this.#buffer.subarray(extraAt + 4, end),
    };
  }

  /**
   * Rewrites the rows of the running transaction with another last field (`extra`). This is rare: only late
   * messages need it.
   */
  #replaceExtras(rows: readonly Row[], revised: readonly (EntryAttribution | undefined)[]): void {
    const pieces = rows.flatMap((row, index) => {
      const entry = revised[index];
      if (entry === undefined) return [this.#buffer.subarray(row.start, row.end)];
      const length = Buffer.alloc(4);
      length.writeInt32BE(entry.extra?.length ?? -1);
      return [this.#buffer.subarray(row.start, row.extraAt), length, entry.extra ?? NOTHING];
    });
    const all = Buffer.concat(pieces);
    this.#at = this.#transactionAt;
    this.#reserve(all.length);
    this.#at += all.copy(this.#buffer, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length - this.#at >= bytes) return;
    let size = this.#buffer.length * 2;
    while (size - this.#at < bytes) size *= 2;
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
    this.#view = viewOf(grown);
  }
}
