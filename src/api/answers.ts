import type { z } from 'zod';
import { Entry, EntryPage, Facet, FacetList, Facets } from './entries.js';
import { Export, ExportList } from './exports.js';
import { Gap, GapList } from './gaps.js';
import { Problem } from './problem.js';
import { Health, Readiness, Session, Status } from './status.js';

/**
 * The schemas of the API's answers, by their names in the OpenAPI document. The document, the server's types
 * and the page's types are derived from them. test/pg/admin-answers.spec.ts compares them with real answers
 * of a daemon.
 */
export const ANSWERS = {
  Entry,
  EntryPage,
  Facet,
  FacetList,
  Facets,
  Gap,
  GapList,
  Export,
  ExportList,
  Session,
  Status,
  Health,
  Readiness,
  Problem,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type AnswerName = keyof typeof ANSWERS;

/** The type of an answer. The page imports only the type, so its bundle has no code of this room. */
export type Answer<Name extends AnswerName> = Immutable<z.infer<(typeof ANSWERS)[Name]>>;

type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Member in keyof T]: Immutable<T[Member]> }
    : T;
