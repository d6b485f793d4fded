import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import { z } from 'zod';
import { WaltrailError } from '../errors.js';
import { didYouMean } from '../tracking/nearest.js';
import type { EntryFilter } from '../trail/read/entry.js';
import type { Principal } from './tokens.js';

const MAX_TEXT = 500;
const MAX_LIST = 100;
const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 50;
const ONCE = 'may be given once only';

const AnyText = z
  .string({ error: (issue) => (Array.isArray(issue.input) ? ONCE : 'must be a text') })
  .max(MAX_TEXT, `is longer than ${MAX_TEXT} characters`);
const Text = AnyText.min(1, 'is empty: leave the parameter out instead');
/** A repeated parameter: one value arrives as a text, more as an array. */
const repeated = (text: z.ZodString) =>
  z
    .preprocess(
      (value) => (typeof value === 'string' ? [value] : value),
      z
        .array(text)
        .min(1, 'is empty: leave it out instead')
        .max(MAX_LIST, `has more than ${MAX_LIST} values`),
    )
    .optional();

const FILTERS = {
  modifier: repeated(AnyText).describe(
    'Modifier keys; empty (modifier=): unattributed entries. Repeat the parameter for any of several.',
  ),
  action: repeated(Text).describe('Action categories, as block. Repeat the parameter for any of several.'),
  entityType: repeated(Text).describe('Entity types, as agent. Repeat the parameter for any of several.'),
  entity: Text.optional().describe('Entity id, exactly.'),
  tenant: Text.optional().describe('Tenant, exactly. A tenant-scoped token sees its tenant only.'),
  q: Text.optional().describe('Text contained, ignoring case, in entity name, entity id or a value.'),
};
const RANGE = {
  from: Text.optional().describe(
    'RFC 3339 instant or date, the first of the half-open range [from, to). Default: to minus the longest range allowed.',
  ),
  to: Text.optional().describe(
    'RFC 3339 instant or date, the end of the half-open range [from, to). Default: now.',
  ),
};
const PAGE = {
  cursor: Text.optional().describe('The "next" of the page before.'),
  // A repeated one is kept as it is: coerced it would be no number, and the message would say that.
  limit: z
    .preprocess(
      (value) => (typeof value === 'string' ? Number(value) : value),
      z
        .number({ error: (issue) => (Array.isArray(issue.input) ? ONCE : 'must be a number') })
        .int('must be a whole number')
        .min(1, 'must be at least 1')
        .max(MAX_LIMIT, `must be at most ${MAX_LIMIT}`),
    )
    .default(DEFAULT_LIMIT)
    // In words too: of a preprocessed schema the OpenAPI document does not show the default.
    .describe(`Entries a page. Default: ${DEFAULT_LIMIT}.`),
};

export const EntriesQuery = strict({ ...FILTERS, ...RANGE, ...PAGE });
export type EntriesQuery = z.infer<typeof EntriesQuery>;
export const FacetsQuery = strict({ ...FILTERS, ...RANGE });
export type FacetsQuery = z.infer<typeof FacetsQuery>;
export const StreamQuery = strict(FILTERS);
export type StreamQuery = z.infer<typeof StreamQuery>;
export const HistoryQuery = strict(PAGE);
export type HistoryQuery = z.infer<typeof HistoryQuery>;
export const GapsQuery = strict({
  ...RANGE,
  limit: PAGE.limit.describe(`Gaps at most. Default: ${DEFAULT_LIMIT}.`),
});
export type GapsQuery = z.infer<typeof GapsQuery>;
export const NoQuery = strict({});
export type NoQuery = z.infer<typeof NoQuery>;

/** The body of `POST session`. */
export const SignInBody = strict({ token: Text.describe('An API token or a one-time sign-in code.') });
export type SignInBody = z.infer<typeof SignInBody>;

/** The filters of a request in the words of the trail, without its range. */
export function filterOf(query: StreamQuery, principal: Principal): Omit<EntryFilter, 'from' | 'to'> {
  const tenant = tenantOf(query.tenant, principal);
  return {
    ...(query.modifier === undefined ? {} : { modifiers: query.modifier }),
    ...(query.action === undefined ? {} : { actions: query.action }),
    ...(query.entityType === undefined ? {} : { entityTypes: query.entityType }),
    ...(query.entity === undefined ? {} : { entity: query.entity }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(query.q === undefined ? {} : { q: query.q }),
  };
}

/** A tenant-scoped token has its tenant forced on every filter. Throws HTTP_FORBIDDEN when it asks for another one. */
export function tenantOf(asked: string | undefined, principal: Principal): string | undefined {
  if (principal.tenant === null) return asked;
  if (asked === undefined || asked === principal.tenant) return principal.tenant;
  throw new WaltrailError('HTTP_FORBIDDEN', 'The token sees another tenant only.', {
    remedy:
      'Leave "tenant" out, or use a token made for that tenant: waltrail token create --name NAME --tenant TENANT.',
  });
}

/** Validates what a route declares with `{ schema }`. Throws HTTP_QUERY_INVALID or HTTP_BODY_INVALID with one message for each fault. */
export class SchemaPipe extends StandardSchemaValidationPipe {
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const schema = metadata.schema;
    if (schema === undefined) return value;
    if (!isStorable(value))
      throw new WaltrailError(
        'HTTP_REQUEST_INVALID',
        'A text holds a character that PostgreSQL cannot store (NUL or half a surrogate pair).',
      );
    const result = await schema['~standard'].validate(value);
    if (result.issues === undefined) return result.value as T;
    const errors = result.issues.map(({ path, message }) => ({
      path: (path ?? [])
        .map((segment) => String(typeof segment === 'object' ? segment.key : segment))
        .join('.'),
      message,
    }));
    const detail = errors
      .map(({ path, message }) => sentence(path === '' ? message : `${path} ${message}`))
      .join(' ');
    throw new WaltrailError(metadata.type === 'body' ? 'HTTP_BODY_INVALID' : 'HTTP_QUERY_INVALID', detail, {
      details: { errors },
    });
  }
}

const sentence = (text: string): string => (/[.?]$/.test(text) ? text : `${text}.`);

/** An object without unknown members: a filter misspelt must not become a filter left out. */
export function strict<T extends z.ZodRawShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'The body must be a JSON object.';
      const { keys } = issue as { keys: readonly string[] };
      return keys
        .map((key) => `"${key.slice(0, 100)}" is not known here.${didYouMean(key, Object.keys(shape))}`)
        .join(' ');
    },
  });
}

/** PostgreSQL's text and jsonb hold neither NUL nor half a surrogate pair. */
function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !/\0|\p{Surrogate}/u.test(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(isStorable);
}
