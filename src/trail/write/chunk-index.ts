import { viewOf } from '../../pg/byte-loops.js';
import { KeyCounts, KeyOrder } from './chunk-keys.js';
import { CopyRows, FRAME_HEADER_BYTES } from './copy-format.js';
import { CHUNK_ENTRIES, chunkOf, chunkOfId, numberOfId, placeOf } from '../entry-id.js';
import {
  BITMAP_BYTES,
  bucketOf,
  entityHash,
  FEWEST_IN_BITMAP,
  LIST_HEAD_BYTES,
  POSTING_DIMENSIONS,
  type PostingDimension,
} from '../posting-lists.js';
import {
  AT_ACTION,
  AT_COMMITTED_AT,
  AT_DAY,
  AT_ENTITY_ID,
  AT_ENTITY_TYPE,
  AT_MODIFIER,
  AT_NUMBER,
  AT_TENANT,
  rowEnd,
} from './row-layout.js';

const POSTING_TABLE = 'trail.posting (dimension, bucket, chunk, lists)';
const CHUNK_TABLE =
  'trail.chunk (chunk, entries, first_committed_at, last_committed_at, modifiers, modifier_counts, entity_types, entity_type_counts, ' +
  'actions, action_counts, tenants, tenant_counts)';
/** Dimensions with counts, in the order of the columns. */
const COUNTED = ['modifiers', 'entityTypes', 'actions', 'tenants'] as const;
/** Initial sizes of the buffers, enough for a chunk of a usual trail. The buffers grow. */
const POSTING_BYTES = 256 * 1024;
const CHUNK_ROW_BYTES = 8 * 1024;
/** Commit times are kept in two halves of 32 bits. */
const TIME_LOW_BITS = 32n;
const TIME_LOW_MASK = 0xffffffffn;
/** Number of buffers kept for reuse: as many as wait for the socket while it keeps up. */
const SPARE_BUFFERS = 2;

/** The values by which an entry is found. */
export interface IndexedEntry {
  readonly id: bigint;
  /** Microseconds since 2000-01-01. */
  readonly committedAt: bigint;
  readonly modifierId: number;
  readonly entityTypeId: number;
  readonly actionId: number;
  readonly tenantId: number;
  /** Null: the entry has no entity id. */
  readonly entityHash: number | null;
}

/** Rows to be stored in a table. */
export interface TableRows {
  /** Name and columns of the table, as COPY expects them. */
  readonly table: string;
  /** CopyData frames without header and trailer of the binary format. */
  readonly frames: readonly Buffer[];
}

/**
 * Builds the posting lists and the summary of each chunk from the entries as they are sent to the trail. The
 * open chunk takes 0.9 MB of memory. A chunk is complete with its last entry, or with the first entry of
 * another chunk (of a new day).
 */
export class ChunkIndex {
  /** Number of the open chunk; -1 before the first entry. */
  #chunk = -1;
  #count = 0;
  readonly #places = new Uint16Array(CHUNK_ENTRIES);
  readonly #keys: Readonly<Record<PostingDimension, Int32Array>> = {
    modifiers: new Int32Array(CHUNK_ENTRIES),
    entityTypes: new Int32Array(CHUNK_ENTRIES),
    actions: new Int32Array(CHUNK_ENTRIES),
    tenants: new Int32Array(CHUNK_ENTRIES),
    entity: new Int32Array(CHUNK_ENTRIES),
  };
  /** Whether an entry has an entity id, by the entry's number in the chunk. */
  readonly #hasEntity = new Uint8Array(CHUNK_ENTRIES);
  /** Commit times in halves: a bigint for each entry would be garbage. */
  readonly #timesHigh = new Int32Array(CHUNK_ENTRIES);
  readonly #timesLow = new Uint32Array(CHUNK_ENTRIES);
  readonly #keyOrder = new KeyOrder();
  readonly #summary = new KeyCounts();
  readonly #spare: Buffer[] = [];
  #postings: Buffer[] = [];
  #chunks: Buffer[] = [];

  /** Adds the entries of a CopyData frame of whole rows of `trail.entry`. */
  addFrame(data: Buffer): void {
    const view = viewOf(data);
    for (let at = FRAME_HEADER_BYTES; at < data.length; at = rowEnd(view, at)) {
      const number = view.getUint32(at + AT_NUMBER);
      const place = placeOf(number);
      const index = this.#place(chunkOf(view.getInt32(at + AT_DAY), number), place);
      this.#timesHigh[index] = view.getInt32(at + AT_COMMITTED_AT);
      this.#timesLow[index] = view.getUint32(at + AT_COMMITTED_AT + 4);
      this.#keys.modifiers[index] = view.getInt32(at + AT_MODIFIER);
      this.#keys.entityTypes[index] = view.getInt16(at + AT_ENTITY_TYPE);
      this.#keys.actions[index] = view.getInt16(at + AT_ACTION);
      this.#keys.tenants[index] = view.getInt32(at + AT_TENANT);
      const length = view.getInt32(at + AT_ENTITY_ID);
      this.#hasEntity[index] = length < 0 ? 0 : 1;
      if (length >= 0) this.#keys.entity[index] = entityHash(view, at + AT_ENTITY_ID + 4, length);
      if (place === CHUNK_ENTRIES - 1) this.#close();
    }
  }

  add(entry: IndexedEntry): void {
    const place = placeOf(numberOfId(entry.id));
    const index = this.#place(chunkOfId(entry.id), place);
    this.#timesHigh[index] = Number(entry.committedAt >> TIME_LOW_BITS);
    this.#timesLow[index] = Number(entry.committedAt & TIME_LOW_MASK);
    this.#keys.modifiers[index] = entry.modifierId;
    this.#keys.entityTypes[index] = entry.entityTypeId;
    this.#keys.actions[index] = entry.actionId;
    this.#keys.tenants[index] = entry.tenantId;
    this.#hasEntity[index] = entry.entityHash === null ? 0 : 1;
    this.#keys.entity[index] = entry.entityHash ?? 0;
    if (place === CHUNK_ENTRIES - 1) this.#close();
  }

  /** Takes the rows of the chunks that have become complete since the last call; empty if there are none. */
  takeComplete(): readonly TableRows[] {
    if (this.#chunks.length === 0) return [];
    const complete = [
      { table: POSTING_TABLE, frames: this.#postings },
      { table: CHUNK_TABLE, frames: this.#chunks },
    ];
    this.#postings = [];
    this.#chunks = [];
    return complete;
  }

  /** Takes back a frame that is no longer needed. */
  recycle(frame: Buffer): void {
    if (frame.buffer.byteLength >= POSTING_BYTES && this.#spare.length < SPARE_BUFFERS)
      this.#spare.push(Buffer.from(frame.buffer));
  }

  /** Returns the index at which the keys of the next entry are stored. */
  #place(chunk: number, place: number): number {
    if (chunk !== this.#chunk) {
      this.#close();
      this.#chunk = chunk;
    }
    this.#places[this.#count] = place;
    return this.#count++;
  }

  #close(): void {
    if (this.#count === 0) return;
    const postings = new CopyRows(this.#spare.pop() ?? Buffer.allocUnsafeSlow(POSTING_BYTES));
    const chunk = new CopyRows(Buffer.allocUnsafeSlow(CHUNK_ROW_BYTES));
    chunk.beginRow(4 + 2 * COUNTED.length);
    chunk.int4(this.#chunk);
    chunk.int4(this.#count);
    const { first, last } = this.#timeRange();
    chunk.int8(first);
    chunk.int8(last);
    for (const dimension of COUNTED) {
      this.#summary.clear();
      this.#writeLists(postings, dimension);
      const { keys, counts } = this.#summary.byKey();
      chunk.int4Array(keys);
      chunk.int4Array(counts);
    }
    this.#writeLists(postings, 'entity');
    this.#postings.push(postings.take());
    this.#chunks.push(chunk.take());
    this.#count = 0;
  }

  #timeRange(): { readonly first: bigint; readonly last: bigint } {
    let first = 0;
    let last = 0;
    for (let index = 1; index < this.#count; index++) {
      if (this.#isBefore(index, first)) first = index;
      else if (this.#isBefore(last, index)) last = index;
    }
    return { first: this.#timeOf(first), last: this.#timeOf(last) };
  }

  #isBefore(one: number, other: number): boolean {
    const difference = this.#timesHigh[one]! - this.#timesHigh[other]!;
    return difference === 0 ? this.#timesLow[one]! < this.#timesLow[other]! : difference < 0;
  }

  #timeOf(index: number): bigint {
    return (BigInt(this.#timesHigh[index]!) << TIME_LOW_BITS) | BigInt(this.#timesLow[index]!);
  }

  /** Writes the rows of a dimension, and adds its keys to the summary if it has one. */
  #writeLists(rows: CopyRows, dimension: PostingDimension): void {
    const keys = this.#keys[dimension];
    const order = this.#keyOrder.order(keys, this.#count);
    let bucket = -1;
    let bytesAt = 0;
    for (let start = 0, end: number; start < this.#count; start = end) {
      const key = keys[order[start]!]!;
      for (end = start + 1; end < this.#count && keys[order[end]!] === key; end++);
      const listed = dimension === 'entity' ? this.#withEntity(order, start, end) : end - start;
      if (listed === 0) continue;
      if (bucketOf(key) !== bucket) {
        if (bucket >= 0) rows.endBytes(bytesAt);
        bucket = bucketOf(key);
        rows.beginRow(4);
        rows.char(POSTING_DIMENSIONS[dimension]);
        rows.int2(bucket);
        rows.int4(this.#chunk);
        bytesAt = rows.beginBytes();
      }
      this.#writeList(rows, { key, order, start, end: start + listed });
      if (dimension !== 'entity') this.#summary.add(key, listed);
    }
    if (bucket >= 0) rows.endBytes(bytesAt);
  }

  /** Moves the entries without an entity id behind the others, and returns the number of the others. */
  #withEntity(order: Uint16Array, start: number, end: number): number {
    let to = start;
    for (let from = start; from < end; from++)
      if (this.#hasEntity[order[from]!] === 1) order[to++] = order[from]!;
    return to - start;
  }

  #writeList(
    rows: CopyRows,
    list: {
      readonly key: number;
      readonly order: Uint16Array;
      readonly start: number;
      readonly end: number;
    },
  ): void {
    const count = list.end - list.start;
    const isBitmap = count >= FEWEST_IN_BITMAP;
    const length = LIST_HEAD_BYTES + (isBitmap ? BITMAP_BYTES : 2 * count);
    const { buffer, at } = rows.bytes(length);
    buffer.writeInt32BE(list.key, at);
    buffer.writeUInt16BE(count, at + 4);
    const body = at + LIST_HEAD_BYTES;
    if (isBitmap) buffer.fill(0, body, at + length);
    for (let index = list.start, to = body; index < list.end; index++) {
      const place = this.#places[list.order[index]!]!;
      if (isBitmap) buffer[body + (place >> 3)]! |= 1 << (place & 7);
      else {
        buffer[to++] = place >> 8;
        buffer[to++] = place & 0xff;
      }
    }
  }
}
