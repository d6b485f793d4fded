import { createHash } from 'node:crypto';
import { z } from 'zod';
import { WaltrailError } from '../errors.js';
import type { EntryFilter } from '../trail/read/entry.js';
import type { TimeRange } from '../trail/read/range.js';

export const EXPORT_FORMATS = ['xlsx', 'csv', 'ndjson'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const MAX_VALUES = 500;
const MAX_LENGTH = 1000;

const anyText = z
  .string({
    error: (issue) => (Array.isArray(issue.input) ? 'must be one text, not a list' : 'must be a text'),
  })
  .max(MAX_LENGTH, `is longer than ${MAX_LENGTH} characters`);
const text = anyText.min(1, 'is empty: leave it out instead');
const list = (of: z.ZodString) =>
  z
    .array(of, 'must be a list of texts')
    .min(1, 'is empty: leave it out instead')
    .max(MAX_VALUES, `has more than ${MAX_VALUES} values`)
    .optional();

/**
 * Body of `POST /v1/exports`: the filter names of `GET /v1/entries` at the top level, lists as arrays, with `format`
 * and `timezone`. Unknown members are errors: a misspelt filter would export more than was asked for.
 */
export const ExportBody = z.strictObject(
  {
    modifier: list(anyText).describe('Modifier keys; "" for unattributed entries.'),
    action: list(text).describe('Action categories.'),
    entityType: list(text).describe('Entity types.'),
    entity: text.optional().describe('Entity id, exactly.'),
    tenant: text.optional(),
    q: text.optional().describe('Text contained, ignoring case, in entity name, entity id or a value.'),
    from: text.optional().describe('RFC 3339 instant or date; the range is half-open: [from, to).'),
    to: text.optional().describe('RFC 3339 instant or date; now if missing.'),
    format: z.enum(EXPORT_FORMATS, 'must be xlsx, csv or ndjson').default('xlsx'),
    timezone: z
      .string('must be a text')
      .refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin')
      .optional()
      .describe('IANA time zone of the dates in the file; reports.timezone if missing.'),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'must be a JSON object') },
);
export type ExportRequest = z.infer<typeof ExportBody>;

/** The filters of a request as an export shows them: the members that narrow the trail, but not its range. */
export type ExportFilters = Omit<ExportRequest, 'from' | 'to' | 'format' | 'timezone'>;

/** Throws EXPORT_INVALID whose `details.errors` name every wrong member; values are not repeated. */
export function parseExportRequest(body: unknown): ExportRequest {
  const parsed = ExportBody.safeParse(body);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'is not a known member' }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  );
  const [first] = errors;
  const place = first!.path === '' ? 'The body' : `"${first!.path}"`;
  throw new WaltrailError('EXPORT_INVALID', `${place} ${first!.message}.`, { details: { errors } });
}

export function filtersOf(request: ExportRequest): ExportFilters {
  const { modifier, action, entityType, entity, tenant, q } = request;
  return { modifier, action, entityType, entity, tenant, q };
}

/** `tenant`, the requester's, wins over a tenant asked for: whoever sees one tenant exports that one. */
export function entryFilter(filters: ExportFilters, range: TimeRange, tenant: string | null): EntryFilter {
  const only = tenant ?? filters.tenant;
  return {
    ...(filters.modifier === undefined ? {} : { modifiers: filters.modifier }),
    ...(filters.action === undefined ? {} : { actions: filters.action }),
    ...(filters.entityType === undefined ? {} : { entityTypes: filters.entityType }),
    ...(filters.entity === undefined ? {} : { entity: filters.entity }),
    ...(only === undefined ? {} : { tenant: only }),
    ...(filters.q === undefined ? {} : { q: filters.q }),
    from: range.from,
    to: range.to,
  };
}

/** SHA-256 over the request as parsed, the same for members in any order: what "the same request" means to an Idempotency-Key. */
export function requestDigest(request: ExportRequest): Buffer {
  const members = Object.entries(request).filter(([, value]) => value !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(members)).digest();
}

function isTimeZone(name: string): boolean {
  try {
    // Offsets such as "+02:00" are accepted by newer engines only and know no daylight saving: names, then.
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
