import { dateOfDay, dayOfId } from '../trail/entry-id.js';

/** Kinds of findings. docs/operations.md explains each. */
export type FindingKind =
  | 'missing_entry'
  | 'unknown_entry'
  | 'repeated_entry'
  | 'order'
  | 'commit_time'
  | 'reference'
  | 'posting_lists'
  | 'chunk_summary'
  | 'block_summary'
  | 'value_summary'
  | 'counter'
  | 'gap';

export interface Finding {
  readonly kind: FindingKind;
  /** A sentence. It names ids, days and tables, never a value of a row. */
  readonly text: string;
}

/** Most findings that are kept. Further ones are only counted. */
const MOST_LISTED = 100;

/** Collects findings in a limited amount of memory. */
export class Findings {
  readonly #listed: Finding[] = [];
  readonly #byKind = new Map<FindingKind, number>();

  add(kind: FindingKind, text: string): void {
    this.#byKind.set(kind, (this.#byKind.get(kind) ?? 0) + 1);
    if (this.#listed.length < MOST_LISTED) this.#listed.push({ kind, text });
  }

  /** The first findings, in the order in which the trail was read. */
  get listed(): readonly Finding[] {
    return this.#listed;
  }

  get total(): number {
    let total = 0;
    for (const count of this.#byKind.values()) total += count;
    return total;
  }

  get byKind(): Readonly<Partial<Record<FindingKind, number>>> {
    return Object.fromEntries(this.#byKind);
  }
}

/** Names an entry by its id and the day when it was stored. */
export const entryText = (id: bigint): string => `entry ${id} of ${dateOfDay(dayOfId(id))}`;

/** `1 entry`, `3 entries`. */
export const counted = (count: number, [one, many]: readonly [one: string, many: string]): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

export const ENTRIES = ['entry', 'entries'] as const;

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
