import { RowFields } from '../pg/copy-binary.js';
import { CHUNK_ENTRIES } from '../trail/entry-id.js';
import {
  BITMAP_BYTES,
  bucketOf,
  BUCKETS,
  FEWEST_IN_BITMAP,
  LIST_HEAD_BYTES,
  POSTING_DIMENSIONS,
  type PostingDimension,
} from '../trail/posting-lists.js';
import { counted, ENTRIES, type Findings } from './findings.js';
import { STRETCH_CHUNKS, type Stretch } from './stretch.js';

const DIMENSIONS = Object.keys(POSTING_DIMENSIONS) as PostingDimension[];
const LETTERS: readonly string[] = Object.values(POSTING_DIMENSIONS);
/** Names of the dimensions in findings. */
const WORDS: Readonly<Record<PostingDimension, string>> = {
  modifiers: 'modifier',
  entityTypes: 'entity type',
  actions: 'action',
  tenants: 'tenant',
  entity: 'entity',
  moved: 'move',
};

/**
 * Checks the posting lists of a stretch against its entries, in both directions, without building lists. Each
 * place in a list must belong to an entry with the key of the list, and may occur only once. The number of
 * such places must equal the number of keys of the entries. Together, these conditions mean that every entry
 * is in exactly its lists.
 */
export class ListChecks {
  readonly #findings: Findings;
  readonly #stretch: Stretch;
  /**
   * By slot, two bits for each dimension: the entry was found in the list of its key, and in the list of its
   * previous key.
   */
  readonly #named = new Uint16Array(STRETCH_CHUNKS * CHUNK_ENTRIES);
  /** By chunk and dimension: number of correct places, and number of wrong ones. */
  readonly #right = new Int32Array(STRETCH_CHUNKS * DIMENSIONS.length);
  readonly #wrong = new Int32Array(STRETCH_CHUNKS * DIMENSIONS.length);
  readonly #rowsOfChunk = new Int32Array(STRETCH_CHUNKS);

  readonly #keys: Readonly<Record<PostingDimension, ListedKeys>>;

  constructor(findings: Findings, stretch: Stretch) {
    this.#findings = findings;
    this.#stretch = stretch;
    const { keys, kinds, hasEntity, previous } = stretch;
    const none = { before: new Int32Array(kinds.length), hasBefore: new Uint8Array(kinds.length) };
    const tenants = { now: keys.tenants, before: previous.tenants, hasBefore: previous.hasTenant };
    this.#keys = {
      modifiers: { now: keys.modifiers, hasNow: kinds, ...none },
      entityTypes: { now: keys.entityTypes, hasNow: kinds, ...none },
      actions: { now: keys.actions, hasNow: kinds, ...none },
      tenants: { ...tenants, hasNow: kinds },
      entity: {
        now: keys.entity,
        hasNow: hasEntity,
        before: previous.entity,
        hasBefore: previous.hasEntity,
      },
      moved: { ...tenants, hasNow: previous.hasTenant },
    };
  }

  begin(): void {
    this.#named.fill(0);
    this.#right.fill(0);
    this.#wrong.fill(0);
    this.#rowsOfChunk.fill(0);
  }

  /** Returns the statement that reads the lists of chunks from `first` to before `end`; null: to the last. */
  static sql({ first, end }: { readonly first: number; readonly end: number | null }): string {
    return `copy (select dimension, bucket, chunk, lists from trail.posting
      where dimension = any ('{${LETTERS.join(',')}}'::"char"[])
        and bucket = any (array(select generate_series(0, ${BUCKETS - 1})::int2))
        and chunk >= ${first} ${end === null ? '' : `and chunk < ${end}`}) to stdout (format binary)`;
  }

  /** Takes a row. Rows of chunks outside the stretch are ignored here; `RowCounts` reports them. */
  add(row: Buffer, at: number): void {
    const fields = new RowFields(row, at);
    const letter = fields.char();
    const bucket = fields.int2();
    const chunk = fields.int4() - this.#stretch.bounds.firstChunk;
    if (chunk < 0 || chunk >= this.#stretch.bounds.chunks) return;
    this.#rowsOfChunk[chunk]!++;
    const dimension = LETTERS.indexOf(letter);
    const checked: CheckedRow = {
      bucket,
      keys: this.#keys[DIMENSIONS[dimension]!],
      base: chunk * CHUNK_ENTRIES,
      bit: 1 << (2 * dimension),
      right: 0,
      wrong: 0,
    };
    this.#checkRow(fields.bytes(), checked);
    this.#right[chunk * DIMENSIONS.length + dimension]! += checked.right;
    this.#wrong[chunk * DIMENSIONS.length + dimension]! += checked.wrong;
  }

  /** Returns the number of rows of a chunk, which is numbered within the stretch. */
  rowsOf(chunk: number): number {
    return this.#rowsOfChunk[chunk]!;
  }

  /** Reports differences in the lists of a chunk. Call it after all rows were taken. */
  report(chunk: number): void {
    for (const [index, dimension] of DIMENSIONS.entries()) {
      const of = chunk * DIMENSIONS.length + index;
      const unlisted = this.#keysOf(chunk, dimension) - this.#right[of]!;
      const wrong = this.#wrong[of]!;
      if (unlisted === 0 && wrong === 0) continue;
      const parts = [
        ...(unlisted > 0 ? [`leave out ${counted(unlisted, ENTRIES)}`] : []),
        ...(wrong > 0 ? [`are wrong at ${counted(wrong, ['place', 'places'])}`] : []),
      ];
      this.#findings.add(
        'posting_lists',
        `The posting lists of chunk ${this.#stretch.bounds.firstChunk + chunk} by ${WORDS[dimension]} ${parts.join(' and ')}.`,
      );
    }
  }

  /** Returns the number of keys that the entries of a chunk have in a dimension. */
  #keysOf(chunk: number, dimension: PostingDimension): number {
    const { entries } = this.#stretch.bounds;
    const { hasNow, hasBefore } = this.#keys[dimension];
    let count = 0;
    for (
      let slot = chunk * CHUNK_ENTRIES, end = Math.min(entries, slot + CHUNK_ENTRIES);
      slot < end;
      slot++
    ) {
      if (hasNow[slot] !== 0) count++;
      if (hasBefore[slot] !== 0) count++;
    }
    return count;
  }

  /** Checks the lists of a row. Most lists have one place, so nothing is allocated for a list. */
  #checkRow(lists: Buffer, row: CheckedRow): void {
    for (let at = 0; at < lists.length;) {
      const start = at + LIST_HEAD_BYTES;
      if (start > lists.length) {
        row.wrong++;
        return;
      }
      const key = lists.readInt32BE(at);
      const count = lists.readUInt16BE(at + 4);
      const isBitmap = count >= FEWEST_IN_BITMAP;
      at = start + (isBitmap ? BITMAP_BYTES : 2 * count);
      if (at > lists.length || bucketOf(key) !== row.bucket || count === 0) row.wrong += Math.max(1, count);
      else if (isBitmap) this.#checkBitmap(lists.subarray(start, at), { key, count, row });
      else this.#checkPlaces(lists, start, at, key, row);
    }
  }

  #checkPlaces(lists: Buffer, start: number, end: number, key: number, row: CheckedRow): void {
    const { base } = row;
    for (let at = start, before = -1; at < end; at += 2) {
      const place = (lists[at]! << 8) | lists[at + 1]!;
      if (place > before && place < CHUNK_ENTRIES && this.#isNamedRightly(base + place, key, row))
        row.right++;
      else row.wrong++;
      before = place;
    }
  }

  /** Whether an entry has a key and was not found in its list before. */
  #isNamedRightly(slot: number, key: number, { keys, bit }: CheckedRow): boolean {
    const named = this.#named;
    if (keys.hasNow[slot] !== 0 && keys.now[slot] === key && (named[slot]! & bit) === 0) {
      named[slot]! |= bit;
      return true;
    }
    const bitBefore = bit << 1;
    if (keys.hasBefore[slot] === 0 || keys.before[slot] !== key || (named[slot]! & bitBefore) !== 0)
      return false;
    named[slot]! |= bitBefore;
    return true;
  }

  #checkBitmap(
    bitmap: Buffer,
    { key, count, row }: { readonly key: number; readonly count: number; readonly row: CheckedRow },
  ): void {
    const { base } = row;
    let places = 0;
    for (let byte = 0; byte < BITMAP_BYTES; byte++) {
      for (let bits = bitmap[byte]!; bits !== 0; bits &= bits - 1) {
        const slot = base + 8 * byte + (31 - Math.clz32(bits & -bits));
        places++;
        if (this.#isNamedRightly(slot, key, row)) row.right++;
        else row.wrong++;
      }
    }
    if (places !== count) row.wrong++;
  }
}

/**
 * The keys of a dimension by slot: the present key of an entry, if it has one, and the previous key if it
 * moved.
 */
interface ListedKeys {
  readonly now: Int32Array;
  /** Not zero: the entry of the slot exists and has the key. */
  readonly hasNow: Uint8Array;
  readonly before: Int32Array;
  readonly hasBefore: Uint8Array;
}

/** A row of `trail.posting` during its check: what its lists are compared with, and how many places agree. */
interface CheckedRow {
  readonly bucket: number;
  readonly keys: ListedKeys;
  /** Slot of the chunk's first place. */
  readonly base: number;
  /** The first of the dimension's two bits in `#named`. */
  readonly bit: number;
  right: number;
  wrong: number;
}
