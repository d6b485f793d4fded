import { viewOf } from '../../pg/byte-loops.js';
import { CHUNK_KEYS, KeyCounts, KeyOrder } from './chunk-keys.js';
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
import { SAME_TENANT } from '../../pipeline/ports.js';
import {
  AT_ACTION,
  AT_COMMITTED_AT,
  AT_DAY,
  AT_ENTITY_TYPE,
  AT_MODIFIER,
  AT_NUMBER,
  AT_PREVIOUS_TENANT,
  AT_TENANT,
  entityIdAt,
  previousEntityIdAt,
  rowEnd,
} from './row-layout.js';

const POSTING_TABLE = 'trail.posting (dimension, bucket, chunk, lists)';
const CHUNK_TABLE =
  'trail.chunk (chunk, entries, first_committed_at, last_committed_at, modifiers, modifier_counts, entity_types, entity_type_counts, ' +
  'actions, action_counts, tenants, tenant_counts)';
/** Dimensions that are counted, in the order of the columns of `trail.chunk`. */
const COUNTED = ['modifiers', 'entityTypes', 'actions', 'tenants'] as const;
/** Initial sizes of the buffers. They suffice for a chunk of a usual trail, and grow if necessary. */
const POSTING_BYTES = 256 * 1024;
const CHUNK_ROW_BYTES = 8 * 1024;
/** Commit times are kept as two 32-bit halves. */
const TIME_LOW_BITS = 32n;
const TIME_LOW_MASK = 0xffffffffn;
/** Number of buffers kept for reuse. No more wait for the socket while it keeps up. */
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
  /** Tenant before the change; {@link SAME_TENANT} if the change did not move the row to another tenant. */
  readonly previousTenantId: number;
  /** Null: the entry has no previous entity id. */
  readonly previousEntityHash: number | null;
}

/** Rows to be stored in a table. */
export interface TableRows {
  /** Name and columns of the table, in the form that COPY expects. */
  readonly table: string;
  /** CopyData frames, without the header and trailer of the binary format. */
  readonly frames: readonly Buffer[];
}

/**
 * Builds the posting lists and the summary of each chunk while its entries are sent to the trail. The open
 * chunk takes 1.8 MB of memory. A chunk is complete when its last possible entry arrives, or the first entry
 * of another chunk (of a new day).
 */
export class ChunkIndex {
  /** Number of the open chunk; -1 before the first entry. */
  #chunk = -1;
  #count = 0;
  readonly #places = new Uint16Array(CHUNK_ENTRIES);
  readonly #keys = {
    modifiers: new DimensionKeys(CHUNK_ENTRIES),
    entityTypes: new DimensionKeys(CHUNK_ENTRIES),
    actions: new DimensionKeys(CHUNK_ENTRIES),
    tenants: new DimensionKeys(CHUNK_KEYS),
    entity: new DimensionKeys(CHUNK_KEYS),
    moved: new DimensionKeys(CHUNK_KEYS),
  } satisfies Readonly<Record<PostingDimension, DimensionKeys>>;
  /** Commit times in halves. A bigint for each entry would create garbage. */
  readonly #timesHigh = new Int32Array(CHUNK_ENTRIES);
  readonly #timesLow = new Uint32Array(CHUNK_ENTRIES);
  readonly #keyOrder = new KeyOrder();
  readonly #summary = new KeyCounts();
  readonly #spare: Buffer[] = [];
  #postings: Buffer[] = [];
  #chunks: Buffer[] = [];

  /** Adds the entries of a CopyData frame. The frame holds complete rows of `trail.entry`. */
  addFrame(data: Buffer): void {
    const view = viewOf(data);
    for (let at = FRAME_HEADER_BYTES; at < data.length; at = rowEnd(view, at)) {
      const number = view.getUint32(at + AT_NUMBER);
      const place = placeOf(number);
      const index = this.#place(chunkOf(view.getInt32(at + AT_DAY), number), place);
      this.#timesHigh[index] = view.getInt32(at + AT_COMMITTED_AT);
      this.#timesLow[index] = view.getUint32(at + AT_COMMITTED_AT + 4);
      this.#keys.modifiers.add(index, view.getInt32(at + AT_MODIFIER));
      this.#keys.entityTypes.add(index, view.getInt16(at + AT_ENTITY_TYPE));
      this.#keys.actions.add(index, view.getInt16(at + AT_ACTION));
      const tenant = view.getInt32(at + AT_TENANT);
      this.#keys.tenants.add(index, tenant);
      this.#addEntity(index, view, entityIdAt(view, at));
      this.#addEntity(index, view, previousEntityIdAt(view, at));
      if (view.getInt32(at + AT_PREVIOUS_TENANT) > 0)
        this.#addMove(index, { from: view.getInt32(at + AT_PREVIOUS_TENANT + 4), to: tenant });
      if (place === CHUNK_ENTRIES - 1) this.#close();
    }
  }

  add(entry: IndexedEntry): void {
    const place = placeOf(numberOfId(entry.id));
    const index = this.#place(chunkOfId(entry.id), place);
    this.#timesHigh[index] = Number(entry.committedAt >> TIME_LOW_BITS);
    this.#timesLow[index] = Number(entry.committedAt & TIME_LOW_MASK);
    this.#keys.modifiers.add(index, entry.modifierId);
    this.#keys.entityTypes.add(index, entry.entityTypeId);
    this.#keys.actions.add(index, entry.actionId);
    this.#keys.tenants.add(index, entry.tenantId);
    if (entry.entityHash !== null) this.#keys.entity.add(index, entry.entityHash);
    if (entry.previousEntityHash !== null) this.#keys.entity.add(index, entry.previousEntityHash);
    if (entry.previousTenantId !== SAME_TENANT)
      this.#addMove(index, { from: entry.previousTenantId, to: entry.tenantId });
    if (place === CHUNK_ENTRIES - 1) this.#close();
  }

  /** Takes the rows of all chunks that have become complete since the last call. */
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

  /** Accepts a frame that is no longer needed, for reuse of its buffer. */
  recycle(frame: Buffer): void {
    if (frame.buffer.byteLength >= POSTING_BYTES && this.#spare.length < SPARE_BUFFERS)
      this.#spare.push(Buffer.from(frame.buffer));
  }

  /** Adds the hash of the current or previous entity id in the field at `at`. A null field adds nothing. */
  #addEntity(index: number, view: DataView, at: number): void {
    const length = view.getInt32(at);
    if (length >= 0) this.#keys.entity.add(index, entityHash(view, at + 4, length));
  }

  #addMove(index: number, { from, to }: { readonly from: number; readonly to: number }): void {
    this.#keys.tenants.add(index, from);
    this.#keys.moved.add(index, to);
    this.#keys.moved.add(index, from);
  }

  /** Adds an entry to the open chunk, and returns its index there. */
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
      this.#writeLists(postings, dimension);
      const { keys, counts } = this.#summary.byKey();
      chunk.int4Array(keys);
      chunk.int4Array(counts);
    }
    this.#writeLists(postings, 'entity');
    this.#writeLists(postings, 'moved');
    this.#postings.push(postings.take());
    this.#chunks.push(chunk.take());
    this.#count = 0;
    for (const keys of Object.values(this.#keys)) keys.clear();
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

  /** Writes the rows of a dimension, and fills the summary with the counts of its keys. */
  #writeLists(rows: CopyRows, dimension: PostingDimension): void {
    this.#summary.clear();
    const { keys, entries, count } = this.#keys[dimension];
    const order = this.#keyOrder.order(keys, count);
    let bucket = -1;
    let bytesAt = 0;
    for (let start = 0, end: number; start < count; start = end) {
      const key = keys[order[start]!]!;
      for (end = start + 1; end < count && keys[order[end]!] === key; end++);
      if (bucketOf(key) !== bucket) {
        if (bucket >= 0) rows.endBytes(bytesAt);
        bucket = bucketOf(key);
        rows.beginRow(4);
        rows.char(POSTING_DIMENSIONS[dimension]);
        rows.int2(bucket);
        rows.int4(this.#chunk);
        bytesAt = rows.beginBytes();
      }
      this.#writeList(rows, { key, order, entries, start, end });
      this.#summary.add(key, end - start);
    }
    if (bucket >= 0) rows.endBytes(bytesAt);
  }

  #writeList(
    rows: CopyRows,
    list: {
      readonly key: number;
      readonly order: Uint16Array;
      readonly entries: Uint16Array;
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
      const place = this.#places[list.entries[list.order[index]!]!]!;
      if (isBitmap) buffer[body + (place >> 3)]! |= 1 << (place & 7);
      else {
        buffer[to++] = place >> 8;
        buffer[to++] = place & 0xff;
      }
    }
  }
}

/** Keys of a chunk's entries in one dimension, in the order of the entries. An entry has at most two. */
class DimensionKeys {
  readonly keys: Int32Array;
  /** Number of the entry in the chunk, for each key. */
  readonly entries: Uint16Array;
  count = 0;

  constructor(most: number) {
    this.keys = new Int32Array(most);
    this.entries = new Uint16Array(most);
  }

  /** Adds a key of an entry, unless the entry already has it: two ids may have the same hash. */
  add(entry: number, key: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.entries[last] === entry && this.keys[last] === key) return;
    this.keys[this.count] = key;
    this.entries[this.count++] = entry;
  }

  clear(): void {
    this.count = 0;
  }
}
