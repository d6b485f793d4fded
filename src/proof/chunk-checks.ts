import { CHUNK_ENTRIES, dateOfDay, firstIdOfChunk } from '../trail/entry-id.js';
import { counted, ENTRIES, type Findings } from './findings.js';
import { KeyNumbers } from './key-numbers.js';
import type { ListChecks } from './list-checks.js';
import type { References } from './references.js';
import type { Stretch } from './stretch.js';
import { COUNTED, differences, type Summary } from './summaries.js';

/** What checks of chunks need of the part that they are in. */
export interface ChunksOfPart {
  readonly summaries: ReadonlyMap<number, Summary>;
  readonly lists: ListChecks;
  /** The first chunk behind the last one that has a summary. */
  readonly openFrom: number;
}

/**
 * Checks each chunk of a stretch: that its summary and lists agree with its entries, that they are there when
 * they have to be, and that the dictionaries have what its entries refer to.
 *
 * The writer stores a chunk's summary and lists with the last entry of the chunk, or of the day, before any
 * later entry of the source. Entries of Waltrail's own may also be stored by functions of the trail, which
 * leave the lists to the next writer; so only an entry of the source proves that lists are missing.
 */
export class ChunkChecks {
  readonly #findings: Findings;
  readonly #stretch: Stretch;
  readonly #references: References;
  /** The counts of one chunk at a time, in the order of {@link COUNTED}. */
  readonly #numbers = COUNTED.map(() => new KeyNumbers(CHUNK_ENTRIES));
  /** Chunks without a summary that need none unless an entry of the source follows. */
  #waiting: number[] = [];
  #checked = 0;

  constructor(options: {
    readonly findings: Findings;
    readonly stretch: Stretch;
    readonly references: References;
  }) {
    this.#findings = options.findings;
    this.#stretch = options.stretch;
    this.#references = options.references;
  }

  /** Chunks whose lists and summary were checked. */
  get checked(): number {
    return this.#checked;
  }

  check(part: ChunksOfPart): void {
    const { firstChunk, chunks } = this.#stretch.bounds;
    for (let index = 0; index < chunks; index++) {
      const chunk = firstChunk + index;
      this.#count(index);
      if (this.#waiting.length > 0 && this.#stretch.hasSource(index)) {
        for (const earlier of this.#waiting) this.#lacksSummary(earlier);
        this.#waiting = [];
      }
      const summary = part.summaries.get(chunk);
      if (summary !== undefined) this.#compare(index, summary, part.lists);
      else if (part.lists.rowsOf(index) > 0) this.#hasListsAlone(chunk);
      else if (chunk < part.openFrom || this.#isFilledBySource(index)) this.#lacksSummary(chunk);
      else this.#waiting.push(chunk);
    }
    for (const chunk of part.summaries.keys())
      if (chunk < firstChunk || chunk >= firstChunk + chunks)
        this.#findings.add(
          'chunk_summary',
          `trail.chunk has a summary of chunk ${chunk}, which has no entries.`,
        );
  }

  #compare(index: number, summary: Summary, lists: ListChecks): void {
    this.#checked++;
    lists.report(index);
    const different = differences(summary, { ...this.#stretch.summaryOf(index), numbers: this.#numbers });
    if (different.length > 0)
      this.#findings.add(
        'chunk_summary',
        `The summary of ${chunkText(this.#stretch.bounds.firstChunk + index)} does not agree with its entries: ${different.join(', ')}.`,
      );
  }

  #count(index: number): void {
    const stretch = this.#stretch;
    const start = index * CHUNK_ENTRIES;
    const end = Math.min(start + CHUNK_ENTRIES, stretch.bounds.entries);
    for (const [place, dimension] of COUNTED.entries()) {
      const numbers = this.#numbers[place]!;
      const keys = stretch.keys[dimension];
      numbers.clear();
      for (let slot = start; slot < end; slot++) if (stretch.has(slot)) numbers.add(keys[slot]!);
      for (let number = 0; number < numbers.length; number++) {
        const id = numbers.keyOf(number);
        if (this.#references.has(dimension, id)) continue;
        const entries = counted(numbers.countOf(id), ENTRIES);
        this.#references.report(dimension, {
          id,
          entries: `${entries} of ${chunkText(stretch.bounds.firstChunk + index)}`,
        });
      }
    }
  }

  #isFilledBySource(index: number): boolean {
    const last = (index + 1) * CHUNK_ENTRIES - 1;
    return last < this.#stretch.bounds.entries && this.#stretch.isOfSource(last);
  }

  #lacksSummary(chunk: number): void {
    this.#findings.add(
      'chunk_summary',
      `${chunkText(chunk, 'Chunk')} is complete and has neither a summary nor posting lists.`,
    );
  }

  #hasListsAlone(chunk: number): void {
    this.#findings.add('chunk_summary', `${chunkText(chunk, 'Chunk')} has posting lists and no summary.`);
  }
}

/** Names a chunk by its number, its day and its first id. */
const chunkText = (chunk: number, word = 'chunk'): string => {
  const first = firstIdOfChunk(chunk);
  return `${word} ${chunk} (entries from ${first} on, ${dateOfDay(Number(first >> 32n))})`;
};
