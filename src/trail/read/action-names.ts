import { BASELINE_ACTION } from '../../tracking/rules.js';

/** Texts for Waltrail's own actions if the YAML has none. They show that no person did this. */
export const ACTION_TEXTS: ReadonlyMap<string, string> = new Map([[BASELINE_ACTION, 'Existed already']]);

/**
 * Returns the texts for action categories in a document of `trail.configuration` (`action_names` of the
 * YAML). Returns an empty map if the document cannot be read, for example because a later version of Waltrail
 * wrote it.
 */
export function actionNamesOf(document: string): ReadonlyMap<string, string> {
  let data: unknown;
  try {
    data = JSON.parse(document);
  } catch {
    return new Map();
  }
  const names = (data as { readonly action_names?: unknown } | null)?.action_names;
  if (typeof names !== 'object' || names === null) return new Map();
  return new Map(
    Object.entries(names).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}
