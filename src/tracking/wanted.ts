import type { WantedFile } from './action-schema.js';
import type { Wanted } from './rules.js';

/** Converts conditions of the file, where a condition can be written in several ways. */
export const toWhen = (when: Readonly<Record<string, WantedFile>> | undefined): ReadonlyMap<string, Wanted> =>
  new Map(Object.entries(when ?? {}).map(([column, wanted]) => [column, toWanted(wanted)]));

export const toWanted = (wanted: WantedFile): Wanted =>
  typeof wanted === 'object' && wanted !== null && 'not' in wanted
    ? { values: [wanted.not].flat(), not: true }
    : { values: [wanted].flat(), not: false };
