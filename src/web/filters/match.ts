import type { Facet } from '../api-types.ts';
import { vocabularyText } from '../texts/vocabulary.ts';

/**
 * Returns the text of an option: the name of a modifier, the YAML's text for an action, or the API's word as
 * text.
 */
export function optionText({ name, value }: Facet, isVocabulary: boolean): string {
  return isVocabulary ? vocabularyText(value, name) : name;
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
