import type { Entry } from '../api-types.ts';
import { isOwn } from './own-entries.ts';

export interface EntityQuestions {
  /** Id for the filter that lists the entity's entries; null: no filter has it. */
  readonly filter: string | null;
  /** Type and id for the entity's history; null: the entity has no id, or no address can have it. */
  readonly history: { readonly type: string; readonly id: string } | null;
}

/** Steps of a path. A browser resolves them in each address that it requests, also if they are escaped. */
const STEPS = ['', '.', '..'];

/** Returns what the API can be asked about the entity of an entry. */
export function entityQuestions(entry: Entry): EntityQuestions {
  const { type, id } = entry.entity;
  if (id === null || isOwn(entry)) return { filter: null, history: null };
  // An empty filter is no filter: it would list entries of every entity.
  return { filter: id === '' ? null : id, history: STEPS.includes(id) ? null : { type, id } };
}
