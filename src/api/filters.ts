import { z } from 'zod';

/**
 * Limits for the texts and lists of every request, in a query string or in a body. The whole request, URL or
 * body, is limited by REQUEST_LIMIT_BYTES of admin/http.ts. The page's fields have the same maxlength
 * (test/unit/api-requests.spec.ts).
 */
export const MAX_TEXT_LENGTH = 1000;
export const MAX_LIST_LENGTH = 500;

const EMPTY = 'is empty: leave it out instead';

const AnyText = z
  .string({
    error: (issue) => (Array.isArray(issue.input) ? 'takes one text, not several' : 'must be a text'),
  })
  .max(MAX_TEXT_LENGTH, `is longer than ${MAX_TEXT_LENGTH} characters`);

/**
 * A text in a request. An empty text is refused, because as a filter it would match nothing or everything.
 */
export const Text = AnyText.min(1, EMPTY);

const list = (of: z.ZodString) =>
  z
    .array(of, 'must be a list of texts')
    .min(1, EMPTY)
    .max(MAX_LIST_LENGTH, `has more than ${MAX_LIST_LENGTH} values`);

/**
 * Accepts a list in a query string. A parameter that is given once arrives as a text, a repeated one as an
 * array.
 */
const repeated = <T extends z.ZodType>(texts: T) =>
  z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), texts)
    .optional()
    .describe(`${texts.description ?? ''} Repeat the parameter for several.`);

const Modifiers = list(AnyText).describe(
  'Modifier keys: entries with any of them. The empty text stands for unattributed entries.',
);
const ActingAs = list(Text).describe(
  'Keys of the persons in whose names the modifier acted: entries with any of them. The person who acted is the modifier.',
);
const Actions = list(Text).describe('Action categories, such as block: entries with any of them.');
const EntityTypes = list(Text).describe('Entity types, such as agent: entries with any of them.');
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
  .describe('Ways in which the modifier was found, such as witness: entries with any of them.');
const TEXTS = {
  entity: Text.optional().describe('The exact entity id.'),
  tenant: Text.optional().describe('The exact tenant. A tenant-scoped token sees only its tenant.'),
  q: Text.optional().describe(
    'A text that an entry shows, ignoring case: in the entity name or id, a value or its label, the action, the entity type, or a present or former name of the modifier or of the person acted as.',
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
/** Filters as requested, in a query string or a body. */
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
    // Only names are accepted. Offsets such as "+02:00" have no daylight saving time, and older engines do
    // not know them.
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
    'Start of the half-open range [from, to): an RFC 3339 instant, or a date (its midnight in the time zone). Default: the longest range allowed before "to".',
  ),
  to: Text.optional().describe(
    'End of the half-open range [from, to): an RFC 3339 instant, or a date (its midnight in the time zone). Default: now.',
  ),
  timezone: Timezone,
};
