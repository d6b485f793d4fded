import type pg from 'pg';
import { copyBinary, RowFields } from '../pg/copy-binary.js';
import { BLOCK_CHUNKS, CHUNK_ENTRIES } from '../trail/entry-id.js';
import { counted, type Findings } from './findings.js';
import { KeyNumbers } from './key-numbers.js';
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
 * Modifiers and tenants have a summary of their own only with so many entries of a block
 * (`trail.summarize_block`).
 */
const FEWEST_OF_VALUE: readonly number[] = [64, 1, 1, 64];
/** Bits of a number in a block: a block has 65,536 entries, so it has at most as many keys. */
const NUMBER_BITS = 16;

/**
 * Checks the summaries of blocks against the entries: the counts of a block, and for each of its values the
 * counts of the entries that have the value.
 */
export class BlockChecks {
  readonly #findings: Findings;
  readonly #stretch: Stretch;
  /** Keys of each dimension, in the order of {@link COUNTED}. */
  readonly #numbers = COUNTED.map(() => new KeyNumbers(BLOCK_ENTRIES));
  /** For each entry of the block the number of its key. */
  readonly #numberOf = COUNTED.map(() => new Uint16Array(BLOCK_ENTRIES));
  /** Pairs of keys, for each two dimensions the first of which stands before the second. */
  readonly #pairs = COUNTED.map((_, one) =>
    COUNTED.map((_, other) => (one < other ? new KeyNumbers(BLOCK_ENTRIES) : undefined)),
  );

  constructor(findings: Findings, stretch: Stretch) {
    this.#findings = findings;
    this.#stretch = stretch;
  }

  /**
   * Checks a block of the stretch, whose first chunk is numbered within the stretch. Returns the number of
   * rows that `trail.block_value` has to have of it.
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
    const different = differences(block.summary, { ...this.#range(block), numbers: this.#numbers });
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
        `Of the summaries of block ${block} by value ${parts.join(', and ')} (trail.block_value).`,
      );
    }
    return wanted;
  }

  #valuesOf(dimension: number): number[] {
    const numbers = this.#numbers[dimension]!;
    const values: number[] = [];
    for (let number = 0; number < numbers.length; number++) {
      const key = numbers.keyOf(number);
      if (numbers.countOf(key) >= FEWEST_OF_VALUE[dimension]!) values.push(key);
    }
    return values;
  }

  #isRight(dimension: number, value: number, lists: readonly CountList[]): boolean {
    const number = this.#numbers[dimension]!.numberOf(value);
    const sum = this.#numbers[dimension]!.countOf(value);
    return lists.every((list, other) => {
      const others = this.#numbers[other]!;
      return isCountOf(list, {
        sum,
        countOf: (key) =>
          other === dimension
            ? key === value
              ? sum
              : 0
            : this.#pairCount(dimension, number, other, others.numberOf(key)),
      });
    });
  }

  #pairCount(one: number, numberOfOne: number, other: number, numberOfOther: number): number {
    if (numberOfOther < 0) return 0;
    return one < other
      ? this.#pairs[one]![other]!.countOf((numberOfOne << NUMBER_BITS) | numberOfOther)
      : this.#pairs[other]![one]!.countOf((numberOfOther << NUMBER_BITS) | numberOfOne);
  }
}
