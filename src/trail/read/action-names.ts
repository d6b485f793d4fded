import { BASELINE_ACTION } from '../../tracking/rules.js';

/** Texts for actions of ours, where the YAML has none: nobody should take one for what a person did. */
export const ACTION_TEXTS: ReadonlyMap<string, string> = new Map([[BASELINE_ACTION, 'Existed already']]);

/**
 * Texts for action categories that a document of `trail.configuration` has (`action_names` of the YAML);
 * empty where it cannot be read. A later version of Waltrail may have written it.
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
