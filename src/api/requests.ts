import { z } from 'zod';
import { didYouMean } from '../tracking/nearest.js';
import { FILTERS, QUERY_FILTERS, RANGE, Text } from './filters.js';

const MAX_PAGE_LENGTH = 500;
const DEFAULT_PAGE_LENGTH = 50;
const MAX_FACETS = 500;
const DEFAULT_FACETS = 100;

const PAGE = {
  cursor: Text.optional().describe('The "next" of the previous page.'),
  limit: limitOf(MAX_PAGE_LENGTH)
    .default(DEFAULT_PAGE_LENGTH)
    // The description names the default, because the OpenAPI document does not show the default of a
    // preprocessed schema.
    .describe(`Maximum number of entries in the page. Default: ${DEFAULT_PAGE_LENGTH}.`),
};

/** Unknown members that an error names. A request has room for thousands, also without a token. */
const MAX_UNKNOWN = 10;

export const EntriesQuery = strict({ ...QUERY_FILTERS, ...RANGE, ...PAGE });
export type EntriesQuery = z.infer<typeof EntriesQuery>;
const FACETS = {
  ...QUERY_FILTERS,
  ...RANGE,
  limit: limitOf(MAX_FACETS)
    .default(DEFAULT_FACETS)
    .describe(
      `Maximum number of values in a list, in addition to those that the filter names. Default: ${DEFAULT_FACETS}.`,
    ),
};
export const FacetsQuery = strict(FACETS);
export type FacetsQuery = z.infer<typeof FacetsQuery>;
export const FacetListQuery = strict({
  ...FACETS,
  search: Text.optional().describe(
    'Only values whose name or key has every word of this text, ignoring case.',
  ),
});
export type FacetListQuery = z.infer<typeof FacetListQuery>;
/** Names of the lists of facets, as they are in the path. */
export const FACET_LISTS = ['modifiers', 'actingAs', 'actions', 'entityTypes', 'tenants'] as const;
export const StreamQuery = strict(QUERY_FILTERS);
export type StreamQuery = z.infer<typeof StreamQuery>;
/** Maximum number of views that one stream follows: about the tabs of the page that a browser has open. */
const MAX_VIEWS = 10;
const View = strict({
  ...FILTERS,
  after: z
    .string('must be a text')
    .regex(/^\d{1,18}$/, 'is not the id of an entry')
    .optional()
    .describe('Id of the last entry that the client has, as in Last-Event-ID. Default: new entries only.'),
});
/** The body of `POST entries/stream`. */
export const ViewsBody = strict({
  views: z
    .array(View, 'must be a list of views')
    .min(1, 'is empty')
    .max(MAX_VIEWS, `has more than ${MAX_VIEWS} views`)
    .describe('Views: filters as in the body of an export. Each view has its own position to resume from.'),
});
export type ViewsBody = z.infer<typeof ViewsBody>;
export const HistoryQuery = strict(PAGE);
export type HistoryQuery = z.infer<typeof HistoryQuery>;
export const GapsQuery = strict({
  ...RANGE,
  limit: PAGE.limit.describe(`Maximum number of gaps. Default: ${DEFAULT_PAGE_LENGTH}.`),
});
export type GapsQuery = z.infer<typeof GapsQuery>;
export const NoQuery = strict({});
export type NoQuery = z.infer<typeof NoQuery>;

/** The body of `POST session`. */
export const SignInBody = strict({ token: Text.describe('An API token or a one-time sign-in code.') });
export type SignInBody = z.infer<typeof SignInBody>;

export const EXPORT_FORMATS = ['xlsx', 'csv', 'ndjson'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/**
 * The body of `POST exports`: the filters and the range of `GET entries` as members, lists as arrays.
 */
export const ExportBody = strict({
  ...FILTERS,
  ...RANGE,
  format: z.enum(EXPORT_FORMATS, 'must be xlsx, csv or ndjson').default('xlsx'),
});
export type ExportBody = z.infer<typeof ExportBody>;

/**
 * An object without unknown members. A misspelt filter must not be ignored, or the request would find more
 * than was meant.
 */
function strict<T extends z.ZodRawShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'The body must be a JSON object.';
      const { keys } = issue as { keys: readonly string[] };
      const named = keys
        .slice(0, MAX_UNKNOWN)
        .map((key) => `"${key.slice(0, 100)}" is not known here.${didYouMean(key, Object.keys(shape))}`);
      const others = keys.length - named.length;
      return [...named, ...(others === 0 ? [] : [`${others} more are not known here.`])].join(' ');
    },
  });
}

function limitOf(most: number) {
  return z.preprocess(
    // Number() also reads "0x10", "1e2", " 5" and "5.0". Other texts stay texts, so that the error reports
    // them.
    (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
    z
      .number({
        error: (issue) =>
          Array.isArray(issue.input) ? 'takes one number, not several' : 'must be a whole number in digits',
      })
      .int('must be a whole number in digits')
      .min(1, 'must be at least 1')
      .max(most, `must be at most ${most}`),
  );
}
