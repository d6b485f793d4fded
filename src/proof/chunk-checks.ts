import { CHUNK_ENTRIES, dateOfDay, firstIdOfChunk } from '../trail/entry-id.js';
import { counted, ENTRIES, type Findings } from './findings.js';
import { KeyNumbers, TenantCounts } from './key-numbers.js';
import type { ListChecks } from './list-checks.js';
import type { References } from './references.js';
import type { Stretch } from './stretch.js';
import { COUNTED, differences, type Counted, type Summary } from './summaries.js';

/** What the checks of chunks need to know about their part. */
export interface ChunksOfPart {
  readonly summaries: ReadonlyMap<number, Summary>;
  readonly lists: ListChecks;
  /** The first chunk after the last one that has a summary. */
  readonly openFrom: number;
}

/**
 * Checks each chunk of a stretch. Its summary and lists must agree with its entries and must exist when they
 * are due. The dictionaries must have the rows that its entries refer to.
 *
 * The writer stores a chunk's summary and lists with the last entry of the chunk or of the day, before any
 * later entry of the source. Functions of the trail may also store entries of Waltrail's own; they leave the
 * lists to the next writer. Therefore only a later entry of the source proves that lists are missing.
 */
export class ChunkChecks {
  readonly #findings: Findings;
  readonly #stretch: Stretch;
  readonly #references: References;
  /** The counts of one chunk at a time. */
  readonly #counts = {
    modifiers: new KeyNumbers(CHUNK_ENTRIES),
    entityTypes: new KeyNumbers(CHUNK_ENTRIES),
    actions: new KeyNumbers(CHUNK_ENTRIES),
    tenants: new TenantCounts(CHUNK_ENTRIES),
  };
  /** Chunks without a summary. They need one only if an entry of the source follows. */
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
    const different = differences(summary, {
      ...this.#stretch.summaryOf(index),
      counts: COUNTED.map((dimension) => this.#counts[dimension]),
    });
    if (different.length > 0)
      this.#findings.add(
        'chunk_summary',
        `The summary of ${chunkText(this.#stretch.bounds.firstChunk + index)} does not agree with its entries: ${different.join(', ')}.`,
      );
  }

  #count(index: number): void {
    const { kinds, keys, previous } = this.#stretch;
    const { modifiers, entityTypes, actions, tenants } = this.#counts;
    this.#countKeys(index, {
      dimension: 'modifiers',
      marks: kinds,
      keys: keys.modifiers,
      numbers: modifiers,
    });
    this.#countKeys(index, {
      dimension: 'entityTypes',
      marks: kinds,
      keys: keys.entityTypes,
      numbers: entityTypes,
    });
    this.#countKeys(index, { dimension: 'actions', marks: kinds, keys: keys.actions, numbers: actions });
    this.#countKeys(index, { dimension: 'tenants', marks: kinds, keys: keys.tenants, numbers: tenants.now });
    const before = { marks: previous.hasTenant, keys: previous.tenants, numbers: tenants.before };
    this.#countKeys(index, { dimension: 'tenants', ...before });
  }

  /** Counts the keys of the slots of a chunk that have a mark, and checks that the dictionary has them. */
  #countKeys(
    index: number,
    options: {
      readonly dimension: Counted;
      readonly marks: Uint8Array;
      readonly keys: Int32Array;
      readonly numbers: KeyNumbers;
    },
  ): void {
    const { dimension, marks, keys, numbers } = options;
    const start = index * CHUNK_ENTRIES;
    const end = Math.min(start + CHUNK_ENTRIES, this.#stretch.bounds.entries);
    numbers.clear();
    for (let slot = start; slot < end; slot++) if (marks[slot] !== 0) numbers.add(keys[slot]!);
    for (let number = 0; number < numbers.length; number++) {
      const id = numbers.keyOf(number);
      if (this.#references.has(dimension, id)) continue;
      const entries = counted(numbers.countOf(id), ENTRIES);
      this.#references.report(dimension, {
        id,
        entries: `${entries} of ${chunkText(this.#stretch.bounds.firstChunk + index)}`,
      });
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
