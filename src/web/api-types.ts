import type { Answer } from '../api/answers.ts';
import type { Json } from './exact-json.ts';

/**
 * What the API answers, as the page reads it: its only contract with the daemon. Types only, so that no
 * schema is in the bundle.
 */
export type EntryPage = Omit<Answer<'EntryPage'>, 'items'> & { readonly items: readonly Entry[] };

/** An entry as `parseExact` reads it. */
export type Entry = Omit<Answer<'Entry'>, 'previous' | 'updated' | 'context'> & {
  /** Null for an insert, and for a row that arrived from another tenant. */
  readonly previous: Values | null;
  /** Null for a delete, and for a row that left for another tenant. */
  readonly updated: Values | null;
  readonly context: Json;
};
/** Column to value; numbers that a double would change are `ExactNumber`. */
export type Values = Readonly<Record<string, Json>>;

export type Operation = Entry['operation'];
export type Rung = Entry['modifier']['rung'];
export type Kind = NonNullable<Entry['modifier']['kind']>;

export type Facet = Answer<'Facet'>;
export type Facets = Answer<'Facets'>;
export type FacetList = Answer<'FacetList'>;
export type Coverage = Answer<'EntryPage'>['coverage'];
export type Gap = Answer<'Gap'>;
export type GapList = Answer<'GapList'>;
export type Status = Answer<'Status'>;
export type Session = Answer<'Session'>;

export type Export = Answer<'Export'>;
export type ExportFormat = Export['format'];
export type ExportState = Export['state'];

/** A problem document, or what the page says where there is none: `status` is 0 without an answer. */
export type Problem = Partial<Answer<'Problem'>> & Pick<Answer<'Problem'>, 'title'>;
