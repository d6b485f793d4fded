import { viewOf } from '../pg/byte-loops.js';
import { RUNG_BASELINE, RUNG_OWN } from '../pipeline/ports.js';
import { CHUNK_ENTRIES, entryId } from '../trail/entry-id.js';
import { entityHash } from '../trail/posting-lists.js';

/** Most chunks that are checked together: two blocks. Their keys take 5 MB. */
export const STRETCH_CHUNKS = 8;
const SLOTS = STRETCH_CHUNKS * CHUNK_ENTRIES;

/**
 * The checked columns of `trail.entry`, in the order of the places below. They include no value. From
 * `extra`, only the id of a context is read, which the writer puts first.
 */
export const CHECKED_COLUMNS =
  'id, committed_at, commit_lsn, seq, modifier_id, relation_id, tenant_id, entity_type_id, action_id, rung, entity_id, ' +
  `previous_tenant_id, previous_entity_id, substring(extra from '^{"contextId":"(\\d{1,15})"')::int8`;

// Places in a row of binary COPY, counted from its number of fields.
export const AT_DAY = 6;
export const AT_NUMBER = 10;
export const AT_COMMITTED_AT = 18;
export const AT_COMMIT_LSN = 30;
export const AT_SEQ = 42;
const AT_MODIFIER = 50;
export const AT_RELATION = 58;
const AT_TENANT = 66;
const AT_ENTITY_TYPE = 74;
export const AT_ACTION = 80;
export const AT_RUNG = 86;
/** A length, then the text. After it come the fields that are null in most entries. */
export const AT_ENTITY_ID = 87;

/** Returns the id in a row. */
export const idOf = (row: Buffer, at: number): bigint =>
  entryId(row.readInt32BE(at + AT_DAY), row.readUInt32BE(at + AT_NUMBER));

/** Whether the entry is no change of the source. */
const isOfWaltrail = (rung: number): boolean => rung === RUNG_OWN || rung === RUNG_BASELINE;

/** Contents of a slot. */
const ABSENT = 0;
const OF_SOURCE = 1;
const OWN_ENTRY = 2;

/** Consecutive chunks of one day, and the entries that they must have. */
export interface StretchBounds {
  readonly day: number;
  readonly firstChunk: number;
  readonly chunks: number;
  /** The number within its day of the entry at slot 0. */
  readonly firstNumber: number;
  /** Number of entries according to the trail's counters. */
  readonly entries: number;
}

/** Consecutive missing entries. */
export interface Hole {
  readonly first: bigint;
  readonly last: bigint;
  readonly entries: number;
}

/**
 * The keys of the entries of a stretch, by their place in it (slot). Chunks begin at multiples of 16,384
 * slots. The arrays are reused for each stretch.
 */
export class Stretch {
  bounds: StretchBounds = { day: 0, firstChunk: 0, chunks: 0, firstNumber: 0, entries: 0 };
  readonly keys = {
    modifiers: new Int32Array(SLOTS),
    entityTypes: new Int32Array(SLOTS),
    actions: new Int32Array(SLOTS),
    tenants: new Int32Array(SLOTS),
    entity: new Int32Array(SLOTS),
  };
  /** 1: the entry of the slot exists and has an entity id. */
  readonly hasEntity = new Uint8Array(SLOTS);
  /** Previous tenant and entity of an entry that moved. Each is valid only if its mark is 1. */
  readonly previous = {
    tenants: new Int32Array(SLOTS),
    hasTenant: new Uint8Array(SLOTS),
    entity: new Int32Array(SLOTS),
    hasEntity: new Uint8Array(SLOTS),
  };
  /** Contexts that entries refer to, by their ids, each with the first such entry. */
  readonly contexts = new Map<bigint, bigint>();
  /** The content of each slot: no entry, an entry of the source, or one of Waltrail's own. */
  readonly kinds = new Uint8Array(SLOTS);
  /** Earliest and latest commit time by chunk, in two halves: a bigint for each entry would be garbage. */
  readonly #firstCommits = new Halves();
  readonly #lastCommits = new Halves();
  readonly #entriesOfChunk = new Int32Array(STRETCH_CHUNKS);

  begin(bounds: StretchBounds): void {
    this.bounds = bounds;
    this.kinds.fill(ABSENT, 0, bounds.chunks * CHUNK_ENTRIES);
    this.hasEntity.fill(0, 0, bounds.chunks * CHUNK_ENTRIES);
    this.previous.hasTenant.fill(0, 0, bounds.chunks * CHUNK_ENTRIES);
    this.previous.hasEntity.fill(0, 0, bounds.chunks * CHUNK_ENTRIES);
    this.contexts.clear();
    this.#entriesOfChunk.fill(0);
  }

  /**
   * Takes a row. Ignores it if its id does not belong to the stretch (`unknown`) or was taken before
   * (`repeated`).
   */
  add(row: Buffer, at: number): 'taken' | 'unknown' | 'repeated' {
    const slot = row.readUInt32BE(at + AT_NUMBER) - this.bounds.firstNumber;
    if (row.readInt32BE(at + AT_DAY) !== this.bounds.day || slot < 0 || slot >= this.bounds.entries)
      return 'unknown';
    if (this.kinds[slot] !== ABSENT) return 'repeated';
    this.kinds[slot] = isOfWaltrail(row[at + AT_RUNG]!) ? OWN_ENTRY : OF_SOURCE;
    this.keys.modifiers[slot] = row.readInt32BE(at + AT_MODIFIER);
    this.keys.entityTypes[slot] = row.readInt16BE(at + AT_ENTITY_TYPE);
    this.keys.actions[slot] = row.readInt16BE(at + AT_ACTION);
    this.keys.tenants[slot] = row.readInt32BE(at + AT_TENANT);
    const length = row.readInt32BE(at + AT_ENTITY_ID);
    this.hasEntity[slot] = length < 0 ? 0 : 1;
    if (length >= 0) this.keys.entity[slot] = entityHash(viewOf(row), at + AT_ENTITY_ID + 4, length);
    const context = this.#addPrevious(slot, row, at + AT_ENTITY_ID + 4 + Math.max(0, length));
    if (context !== null && !this.contexts.has(context)) this.contexts.set(context, idOf(row, at));
    const high = row.readInt32BE(at + AT_COMMITTED_AT);
    const low = row.readUInt32BE(at + AT_COMMITTED_AT + 4);
    const chunk = Math.floor(slot / CHUNK_ENTRIES);
    const isFirst = this.#entriesOfChunk[chunk]!++ === 0;
    if (isFirst || this.#firstCommits.compare(chunk, high, low) > 0) this.#firstCommits.set(chunk, high, low);
    if (isFirst || this.#lastCommits.compare(chunk, high, low) < 0) this.#lastCommits.set(chunk, high, low);
    return 'taken';
  }

  /**
   * Takes the fields with the previous tenant and entity, which begin at `at`. Returns the id of the context
   * after them.
   */
  #addPrevious(slot: number, row: Buffer, at: number): bigint | null {
    let field = at;
    const { previous } = this;
    if (row.readInt32BE(field) > 0) {
      previous.tenants[slot] = row.readInt32BE(field + 4);
      previous.hasTenant[slot] = 1;
      field += 4;
    }
    field += 4;
    const length = row.readInt32BE(field);
    if (length >= 0) {
      const hash = entityHash(viewOf(row), field + 4, length);
      previous.entity[slot] = hash;
      // A list has an entry only once under a key, even if both ids have the same hash.
      previous.hasEntity[slot] = this.hasEntity[slot] === 1 && this.keys.entity[slot] === hash ? 0 : 1;
    }
    field += 4 + Math.max(0, length);
    return row.readInt32BE(field) < 0 ? null : row.readBigInt64BE(field + 4);
  }

  /** Whether a slot of the stretch has its entry. */
  has(slot: number): boolean {
    return this.kinds[slot] !== ABSENT;
  }

  /** Whether a slot has an entry of the source. False if it is missing or is one of Waltrail's own. */
  isOfSource(slot: number): boolean {
    return this.kinds[slot] === OF_SOURCE;
  }

  /** Whether a chunk, numbered within the stretch, has an entry of the source. */
  hasSource(chunk: number): boolean {
    const start = chunk * CHUNK_ENTRIES;
    const first = this.kinds.indexOf(OF_SOURCE, start);
    return first >= 0 && first < Math.min(start + CHUNK_ENTRIES, this.bounds.entries);
  }

  /**
   * Returns the number of entries of a chunk, and its earliest and latest commit time in microseconds since
   * 2000-01-01.
   */
  summaryOf(chunk: number): {
    readonly entries: number;
    readonly firstCommit: bigint;
    readonly lastCommit: bigint;
  } {
    return {
      entries: this.#entriesOfChunk[chunk]!,
      firstCommit: this.#firstCommits.get(chunk),
      lastCommit: this.#lastCommits.get(chunk),
    };
  }

  /** Yields the missing entries of the stretch, ascending. */
  *holes(): Generator<Hole, void, undefined> {
    const { day, firstNumber, entries } = this.bounds;
    for (let slot = this.#absentFrom(0); slot < entries;) {
      let end = slot + 1;
      while (end < entries && this.kinds[end] === ABSENT) end++;
      yield {
        first: entryId(day, firstNumber + slot),
        last: entryId(day, firstNumber + end - 1),
        entries: end - slot,
      };
      slot = this.#absentFrom(end);
    }
  }

  #absentFrom(slot: number): number {
    const absent = this.kinds.indexOf(ABSENT, slot);
    return absent < 0 ? this.bounds.entries : absent;
  }
}

/** 64-bit numbers, one for each chunk of a stretch. */
class Halves {
  readonly #high = new Int32Array(STRETCH_CHUNKS);
  readonly #low = new Uint32Array(STRETCH_CHUNKS);

  set(chunk: number, high: number, low: number): void {
    this.#high[chunk] = high;
    this.#low[chunk] = low;
  }

  get(chunk: number): bigint {
    return (BigInt(this.#high[chunk]!) << 32n) | BigInt(this.#low[chunk]!);
  }

  /**
   * Returns a value below, equal to or above zero if the number of the chunk is less than, equal to or
   * greater than the given one.
   */
  compare(chunk: number, high: number, low: number): number {
    return this.#high[chunk] === high ? this.#low[chunk]! - low : this.#high[chunk]! - high;
  }
}
