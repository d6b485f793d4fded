import type { Answer } from '../api/answers.ts';
import type { Json } from './exact-json.ts';

/**
 * The answers of the API, as the page reads them. They are the page's only contract with the daemon. Only
 * types are imported, so the bundle contains no schema.
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
/** Values by column. Numbers that a double would change are `ExactNumber`. */
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

/**
 * A problem document, or the page's own description of a problem. `status` is 0 if the server did not answer.
 */
export type Problem = Partial<Answer<'Problem'>> & Pick<Answer<'Problem'>, 'title'>;
