import type pg from 'pg';
import { copyBinary, RowFields } from '../pg/copy-binary.js';
import { POSTING_DIMENSIONS } from '../trail/posting-lists.js';
import type { KeyCounts } from './key-numbers.js';

/** Dimensions with counts, in the order of the columns of a summary. */
export const COUNTED = ['modifiers', 'entityTypes', 'actions', 'tenants'] as const;
export type Counted = (typeof COUNTED)[number];
/** Letters of these dimensions in `trail.block_value`. */
export const COUNTED_LETTERS: readonly string[] = COUNTED.map((dimension) => POSTING_DIMENSIONS[dimension]);

/** The columns with the counts of all dimensions, in `trail.chunk`, `trail.block` and `trail.block_value`. */
export const COUNT_COLUMNS =
  'modifiers, modifier_counts, entity_types, entity_type_counts, actions, action_counts, tenants, tenant_counts';

/** The counts of one dimension: keys, ascending, each with the number of entries that have it. */
export interface CountList {
  readonly keys: Int32Array;
  readonly counts: Int32Array;
}

/** A row of `trail.chunk` or `trail.block`. */
export interface Summary {
  readonly entries: number;
  /** Microseconds since 2000-01-01. */
  readonly firstCommit: bigint;
  readonly lastCommit: bigint;
  /** In the order of {@link COUNTED}. */
  readonly lists: readonly CountList[];
}

/** The same numbers, counted from the entries themselves. */
export interface Counting {
  readonly entries: number;
  readonly firstCommit: bigint;
  readonly lastCommit: bigint;
  /** In the order of {@link COUNTED}. */
  readonly counts: readonly KeyCounts[];
}

/**
 * Reads the summaries of chunks or blocks, by their number, from `first` to before `end`; null: to the last.
 */
export async function readSummaries(
  client: pg.Client,
  { of, first, end }: { readonly of: 'chunk' | 'block'; readonly first: number; readonly end: number | null },
): Promise<ReadonlyMap<number, Summary>> {
  const summaries = new Map<number, Summary>();
  await copyBinary(
    client,
    `copy (select ${of}, entries, first_committed_at, last_committed_at, ${COUNT_COLUMNS} from trail.${of}
      where ${of} >= ${first} ${end === null ? '' : `and ${of} < ${end}`}) to stdout (format binary)`,
    (row, at) => {
      const fields = new RowFields(row, at);
      summaries.set(fields.int4(), {
        entries: fields.int4(),
        firstCommit: fields.int8(),
        lastCommit: fields.int8(),
        lists: readCountLists(fields),
      });
    },
  );
  return summaries;
}

/** Reads the fields of {@link COUNT_COLUMNS}. */
export const readCountLists = (fields: RowFields): CountList[] =>
  COUNTED.map(() => ({ keys: fields.int4Array(), counts: fields.int4Array() }));

const WORDS: Readonly<Record<Counted, string>> = {
  modifiers: 'modifiers',
  entityTypes: 'entity types',
  actions: 'actions',
  tenants: 'tenants',
};

/** Compares a summary with its entries. Returns the differences in words. */
export function differences(summary: Summary, counting: Counting): string[] {
  return [
    ...(summary.entries === counting.entries ? [] : ['the number of entries']),
    ...(summary.firstCommit === counting.firstCommit && summary.lastCommit === counting.lastCommit
      ? []
      : ['the commit times']),
    ...COUNTED.filter((_, index) => {
      const counts = counting.counts[index]!;
      return !isCountOf(summary.lists[index]!, { sum: counts.total, countOf: (key) => counts.countOf(key) });
    }).map((dimension) => `the counts of ${WORDS[dimension]}`),
  ];
}

/**
 * Whether a list has every key once with its count. Keys must ascend, so none occurs twice. If every count is
 * right, none is zero and the sum is right, no key is missing.
 */
export function isCountOf(
  { keys, counts }: CountList,
  { sum, countOf }: { readonly sum: number; readonly countOf: (key: number) => number },
): boolean {
  if (keys.length !== counts.length) return false;
  let total = 0;
  for (let index = 0; index < keys.length; index++) {
    const count = counts[index]!;
    if (index > 0 && keys[index]! <= keys[index - 1]!) return false;
    if (count === 0 || count !== countOf(keys[index]!)) return false;
    total += count;
  }
  return total === sum;
}
