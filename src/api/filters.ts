import { z } from 'zod';

/**
 * Limits of the texts and lists of every request, in a query string or in a body. A request as a whole is
 * limited by REQUEST_LIMIT_BYTES of admin/http.ts, a URL like a body. The page's fields have the same
 * maxlength (test/unit/api-requests.spec.ts).
 */
export const MAX_TEXT_LENGTH = 1000;
export const MAX_LIST_LENGTH = 500;

const EMPTY = 'is empty: leave it out instead';

const AnyText = z
  .string({
    error: (issue) => (Array.isArray(issue.input) ? 'takes one text, not several' : 'must be a text'),
  })
  .max(MAX_TEXT_LENGTH, `is longer than ${MAX_TEXT_LENGTH} characters`);

/** A text in a request. An empty text is refused: as a filter it would match nothing, or everything. */
export const Text = AnyText.min(1, EMPTY);

const list = (of: z.ZodString) =>
  z
    .array(of, 'must be a list of texts')
    .min(1, EMPTY)
    .max(MAX_LIST_LENGTH, `has more than ${MAX_LIST_LENGTH} values`);

/**
 * Accepts a list in a query string: a parameter that is given once arrives as a text, a repeated one as an
 * array.
 */
const repeated = <T extends z.ZodType>(texts: T) =>
  z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), texts)
    .optional()
    .describe(`${texts.description ?? ''} Repeat the parameter for several.`);

const Modifiers = list(AnyText).describe(
  'Modifier keys, any of them; the empty text stands for unattributed entries.',
);
const ActingAs = list(Text).describe(
  'Keys of those in whose name the modifier acted, any of them. Who acted is the modifier.',
);
const Actions = list(Text).describe('Action categories, any of them, as block.');
const EntityTypes = list(Text).describe('Entity types, any of them, as agent.');
/** How the modifier of an entry was found, the strongest first. */
export const RUNG_NAMES = [
  'message',
  'witness',
  'column',
  'session',
  'unattributed',
  'waltrail',
  'baseline',
] as const;
const Rungs = z
  .array(z.enum(RUNG_NAMES, `must be one of ${RUNG_NAMES.join(', ')}`), 'must be a list of texts')
  .min(1, EMPTY)
  .max(MAX_LIST_LENGTH, `has more than ${MAX_LIST_LENGTH} values`)
  .describe('Ways in which the modifier was found, any of them, as witness.');
const TEXTS = {
  entity: Text.optional().describe('Entity id, exactly.'),
  tenant: Text.optional().describe('Tenant, exactly. A tenant-scoped token sees its tenant only.'),
  q: Text.optional().describe(
    'Text contained, ignoring case, in what is shown of an entry: entity name or id, a value or the word for it, a name that the modifier, or the person acted as, has or had, action or entity type.',
  ),
};

/** Filters of entries as members of a body. Different filters are combined with "and". */
export const FILTERS = {
  modifier: Modifiers.optional(),
  actingAs: ActingAs.optional(),
  action: Actions.optional(),
  entityType: EntityTypes.optional(),
  rung: Rungs.optional(),
  ...TEXTS,
};
/** The same filters as parameters of a query string. */
export const QUERY_FILTERS = {
  modifier: repeated(Modifiers),
  actingAs: repeated(ActingAs),
  action: repeated(Actions),
  entityType: repeated(EntityTypes),
  rung: repeated(Rungs),
  ...TEXTS,
};
/** Filters as they were requested, whichever way they arrived. */
export type EntryFilters = z.infer<z.ZodObject<typeof FILTERS>>;

const Timezone = z
  .string('must be a text')
  .refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin')
  .optional()
  .describe(
    'IANA time zone of days, of dates without a time and of the dates in a file. Default: reports.timezone.',
  );

function isTimeZone(name: string): boolean {
  try {
    // Only names are accepted: offsets such as "+02:00" are known to newer engines only and have no daylight
    // saving time.
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

/**
 * The range of commit times for a page, a facet count or an export. trail/read/range.ts has its defaults and
 * its limit.
 */
export const RANGE = {
  from: Text.optional().describe(
    'RFC 3339 instant, or date (its midnight in the time zone), the first of the half-open range [from, to). Default: to minus the longest range allowed.',
  ),
  to: Text.optional().describe(
    'RFC 3339 instant, or date (its midnight in the time zone), the end of the half-open range [from, to). Default: now.',
  ),
  timezone: Timezone,
};
