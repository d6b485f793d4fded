import type pg from 'pg';
import { copyBinary, RowFields } from '../pg/copy-binary.js';
import { BLOCK_CHUNKS, CHUNK_ENTRIES } from '../trail/entry-id.js';
import { counted, type Findings } from './findings.js';
import { KeyNumbers, TenantCounts } from './key-numbers.js';
import type { Stretch } from './stretch.js';
import {
  COUNT_COLUMNS,
  COUNTED,
  COUNTED_LETTERS,
  differences,
  isCountOf,
  readCountLists,
  type CountList,
  type Summary,
} from './summaries.js';

const BLOCK_ENTRIES = BLOCK_CHUNKS * CHUNK_ENTRIES;
/**
 * Fewest entries of a block with which a value has a summary of its own, in the order of {@link COUNTED}
 * (`trail.summarize_block`).
 */
const FEWEST_OF_VALUE: readonly number[] = [64, 1, 1, 64];
const TENANTS = COUNTED.indexOf('tenants');
/** Bits of the number of a key. A block has 65,536 entries, so it has at most 65,536 keys. */
const NUMBER_BITS = 16;

/**
 * Checks the summaries of blocks against the entries: the counts of a block, and the counts for each of its
 * values.
 */
export class BlockChecks {
  readonly #findings: Findings;
  readonly #stretch: Stretch;
  readonly #tenants = new TenantCounts(BLOCK_ENTRIES);
  /** Keys of each dimension, in the order of {@link COUNTED}. For tenants, only the present tenants. */
  readonly #numbers = COUNTED.map((dimension) =>
    dimension === 'tenants' ? this.#tenants.now : new KeyNumbers(BLOCK_ENTRIES),
  );
  readonly #counts = this.#numbers.map((numbers, index) => (index === TENANTS ? this.#tenants : numbers));
  /** By dimension and entry of the block: the number of the entry's key. */
  readonly #numberOf = COUNTED.map(() => new Uint16Array(BLOCK_ENTRIES));
  /** Pairs of keys, for each pair of dimensions in the order of {@link COUNTED}. */
  readonly #pairs = COUNTED.map((_, one) =>
    COUNTED.map((_, other) => (one < other ? new KeyNumbers(BLOCK_ENTRIES) : undefined)),
  );

  /** Pairs of a key and a previous tenant, of entries that moved, for each dimension before the tenants. */
  readonly #movedPairs = COUNTED.slice(0, TENANTS).map(() => new KeyNumbers(BLOCK_ENTRIES));
  /** Number of entries that moved, by the number of their key in each of these dimensions. */
  readonly #moved = COUNTED.slice(0, TENANTS).map(() => new Uint32Array(BLOCK_ENTRIES));

  constructor(findings: Findings, stretch: Stretch) {
    this.#findings = findings;
    this.#stretch = stretch;
  }

  /**
   * Checks a block of the stretch. `firstChunk` is its first chunk, numbered within the stretch. Returns the
   * number of rows that `trail.block_value` must have for the block.
   */
  async check(
    client: pg.Client,
    block: {
      readonly block: number;
      readonly firstChunk: number;
      readonly chunks: number;
      readonly summary: Summary;
    },
  ): Promise<number> {
    this.#count(block);
    const different = differences(block.summary, { ...this.#range(block), counts: this.#counts });
    if (different.length > 0)
      this.#findings.add(
        'block_summary',
        `The summary of block ${block.block} does not agree with its entries: ${different.join(', ')}.`,
      );
    return this.#checkValues(client, block.block);
  }

  #count({ firstChunk, chunks }: { readonly firstChunk: number; readonly chunks: number }): void {
    const stretch = this.#stretch;
    const start = firstChunk * CHUNK_ENTRIES;
    const end = Math.min(start + chunks * CHUNK_ENTRIES, stretch.bounds.entries);
    for (const [index, dimension] of COUNTED.entries()) {
      const numbers = this.#numbers[index]!;
      const numberOf = this.#numberOf[index]!;
      const keys = stretch.keys[dimension];
      numbers.clear();
      for (let slot = start; slot < end; slot++)
        if (stretch.has(slot)) numberOf[slot - start] = numbers.add(keys[slot]!);
    }
    for (let one = 0; one < COUNTED.length; one++) {
      for (let other = one + 1; other < COUNTED.length; other++) {
        const pairs = this.#pairs[one]![other]!;
        const [ofOne, ofOther] = [this.#numberOf[one]!, this.#numberOf[other]!];
        pairs.clear();
        for (let slot = start; slot < end; slot++)
          if (stretch.has(slot)) pairs.add((ofOne[slot - start]! << NUMBER_BITS) | ofOther[slot - start]!);
      }
    }
    this.#countMoved({ start, end });
  }

  #countMoved({ start, end }: { readonly start: number; readonly end: number }): void {
    const { tenants, hasTenant } = this.#stretch.previous;
    this.#tenants.before.clear();
    for (const pairs of this.#movedPairs) pairs.clear();
    for (const moved of this.#moved) moved.fill(0);
    for (let slot = start; slot < end; slot++) {
      if (hasTenant[slot] === 0) continue;
      const before = this.#tenants.before.add(tenants[slot]!);
      for (let one = 0; one < TENANTS; one++) {
        const number = this.#numberOf[one]![slot - start]!;
        this.#movedPairs[one]!.add((number << NUMBER_BITS) | before);
        this.#moved[one]![number]!++;
      }
    }
  }

  #range({ firstChunk, chunks }: { readonly firstChunk: number; readonly chunks: number }) {
    let entries = 0;
    let firstCommit = 0n;
    let lastCommit = 0n;
    for (let chunk = firstChunk; chunk < firstChunk + chunks; chunk++) {
      const of = this.#stretch.summaryOf(chunk);
      if (of.entries === 0) continue;
      if (entries === 0 || of.firstCommit < firstCommit) firstCommit = of.firstCommit;
      if (entries === 0 || of.lastCommit > lastCommit) lastCommit = of.lastCommit;
      entries += of.entries;
    }
    return { entries, firstCommit, lastCommit };
  }

  async #checkValues(client: pg.Client, block: number): Promise<number> {
    const expected = COUNTED.map((_, dimension) => this.#valuesOf(dimension));
    const selects = expected.map(
      (values, dimension) =>
        `select dimension, value, ${COUNT_COLUMNS} from trail.block_value
          where dimension = '${COUNTED_LETTERS[dimension]!}' and value = any ('{${values.join(',')}}') and block = ${block}`,
    );
    let found = 0;
    let wrong = 0;
    await copyBinary(client, `copy (${selects.join(' union all ')}) to stdout (format binary)`, (row, at) => {
      const fields = new RowFields(row, at);
      const dimension = COUNTED_LETTERS.indexOf(fields.char());
      const value = fields.int4();
      found++;
      if (!this.#isRight(dimension, value, readCountLists(fields))) wrong++;
    });
    const wanted = expected.reduce((sum, values) => sum + values.length, 0);
    if (found < wanted || wrong > 0) {
      const parts = [
        ...(found < wanted ? [`${counted(wanted - found, ['is', 'are'])} missing`] : []),
        ...(wrong > 0 ? [`${counted(wrong, ['does', 'do'])} not agree with the entries`] : []),
      ];
      this.#findings.add(
        'value_summary',
        `Summaries of block ${block} by value: ${parts.join(', and ')} (trail.block_value).`,
      );
    }
    return wanted;
  }

  #valuesOf(dimension: number): number[] {
    const counts = this.#counts[dimension]!;
    const keys = this.#numbers[dimension]!.keys();
    const { now, before } = this.#tenants;
    if (dimension === TENANTS) keys.push(...before.keys().filter((key) => now.numberOf(key) < 0));
    return keys.filter((key) => counts.countOf(key) >= FEWEST_OF_VALUE[dimension]!);
  }

  #isRight(dimension: number, value: number, lists: readonly CountList[]): boolean {
    const own = this.#counts[dimension]!.countOf(value);
    return lists.every((list, other) => {
      if (other === dimension)
        return isCountOf(list, { sum: own, countOf: (key) => (key === value ? own : 0) });
      // An entry that moved counts for both of its tenants.
      const moved =
        other === TENANTS ? this.#moved[dimension]![this.#numbers[dimension]!.numberOf(value)]! : 0;
      return isCountOf(list, {
        sum: own + moved,
        countOf: (key) =>
          dimension < other
            ? this.#pairCount(dimension, value, other, key)
            : this.#pairCount(other, key, dimension, value),
      });
    });
  }

  /** Returns the number of entries that have both keys. Dimension `one` comes before dimension `other`. */
  #pairCount(one: number, keyOfOne: number, other: number, keyOfOther: number): number {
    const number = this.#numbers[one]!.numberOf(keyOfOne);
    if (number < 0) return 0;
    const count = (pairs: KeyNumbers, numberOfOther: number): number =>
      numberOfOther < 0 ? 0 : pairs.countOf((number << NUMBER_BITS) | numberOfOther);
    const now = count(this.#pairs[one]![other]!, this.#numbers[other]!.numberOf(keyOfOther));
    return other === TENANTS
      ? now + count(this.#movedPairs[one]!, this.#tenants.before.numberOf(keyOfOther))
      : now;
  }
}
