import { createHash } from 'node:crypto';
import type { Entry, LargeValue, Value, Values } from './entry.js';

/**
 * Largest number of characters that the values of an entry may take in an answer. A JavaScript string holds
 * at most 536,870,888 characters, and an answer contains a page beside the entry. Stored values may have 64
 * MiB, and JSON writes a control character as six characters.
 */
const MAX_CHARACTERS = 400_000_000;
const MOST_FOR_ONE = 6;

/**
 * Returns whether a row's values could be too large for an answer in the worst case. It only looks at their
 * lengths, so the values of usual rows need not be examined.
 */
export const mayBeTooLong = (row: {
  readonly previous: string | null;
  readonly updated: string | null;
}): boolean => ((row.previous?.length ?? 0) + (row.updated?.length ?? 0)) * MOST_FOR_ONE > MAX_CHARACTERS;

/**
 * Returns the entry with values that fit into an answer. If they do not fit, the longest are left out and
 * shown like values that were too large to be stored.
 */
export function printable(entry: Entry, limit = MAX_CHARACTERS): Entry {
  const sides = [
    ['previous', entry.previous],
    ['updated', entry.updated],
  ] as const;
  const values = sides.flatMap(([side, of]) =>
    Array.from(of ?? [], ([column, value]) => ({ side, column, value })),
  );
  const printed = values
    .map((value) => ({ ...value, characters: printedLength(value.value.text) }))
    .sort((one, other) => other.characters - one.characters);
  let sum = printed.reduce((all, value) => all + value.characters, 0);
  if (sum <= limit) return entry;
  const left: LargeValue[] = [];
  for (const { side, column, value, characters: length } of printed) {
    if (sum <= limit) break;
    sum -= length;
    left.push({ side, column, ...sizeOf(value) });
  }
  const without = (side: 'previous' | 'updated', of: Values | null): Values | null =>
    of &&
    new Map([...of].filter(([column]) => !left.some((one) => one.side === side && one.column === column)));
  return {
    ...entry,
    previous: without('previous', entry.previous),
    updated: without('updated', entry.updated),
    unknown: [...new Set([...entry.unknown, ...left.map(({ column }) => column)])],
    tooLarge: [...entry.tooLarge, ...left],
  };
}

/**
 * Returns an upper limit for the characters of a text as JSON, without the names and punctuation around it.
 */
function printedLength(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20) length += MOST_FOR_ONE - 1;
    else if (code === 0x22 || code === 0x5c) length++;
  }
  return length;
}

function sizeOf({ text }: Value): { readonly bytes: number; readonly sha256: string } {
  const bytes = Buffer.from(text);
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
