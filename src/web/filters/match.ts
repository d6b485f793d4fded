import type { Facet } from '../api-types.ts';
import { humanize } from '../texts/vocabulary.ts';

/** Returns the text of an option: the name of a modifier, or the API's vocabulary in words. */
export function optionText(option: Facet, isVocabulary: boolean): string {
  return isVocabulary ? humanize(option.name) : option.name;
}

/** Returns the options whose text or value contains every word of the search, ignoring case and accents. */
export function matchOptions(
  options: readonly Facet[],
  search: string,
  isVocabulary: boolean,
): readonly Facet[] {
  const words = fold(search)
    .split(/\s+/)
    .filter((word) => word !== '');
  return options.filter((option) => {
    const text = fold(`${optionText(option, isVocabulary)} ${option.value}`);
    return words.every((word) => text.includes(word));
  });
}

const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
