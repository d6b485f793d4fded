const text = { type: 'string' };
const nullable = (schema: object): object => ({ ...schema, nullable: true });
const count = { type: 'integer', minimum: 0 };
const instant = { type: 'string', format: 'date-time' };
const list = (items: object): object => ({ type: 'array', items });
const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const object = (properties: Record<string, object>, optional: readonly string[] = []): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});
const choice = (...values: readonly string[]): object => ({ type: 'string', enum: [...values] });
/** In OpenAPI 3.0 a list of values has null in it too. */
const KIND = { type: 'string', enum: ['agent', 'bot', 'system', null], nullable: true };

const VALUES = {
  type: 'object',
  additionalProperties: true,
  description:
    'Column to value. Numbers are exactly as PostgreSQL printed them, whatever their size: parse them as decimals where that matters. NaN and infinities are strings. So is json that some parsers refuse: deeper than 60 levels, or with an escape for half of a surrogate pair.',
};
const LABELS = {
  type: 'object',
  additionalProperties: text,
  description: 'Column to the word for its value.',
};

/** What the API answers with, by hand: entries are printed by the trail and not serialised from a class. */
export const SCHEMAS = {
  Entry: object(
    {
      id: { ...text, description: 'Opaque; grows in commit order.' },
      committedAt: { ...instant, description: 'Commit time of the source transaction, UTC, microseconds.' },
      modifier: object({
        key: nullable(text),
        name: text,
        kind: {
          ...KIND,
          description:
            "Null where nobody is known to have made the change, and in entries of Waltrail's own.",
        },
        rung: {
          ...choice('message', 'column', 'session', 'unattributed', 'waltrail'),
          description:
            'How the modifier was found; "unattributed": it was not; "waltrail": the entry is Waltrail\'s own.',
        },
      }),
      action: text,
      entity: object({ type: text, name: nullable(text), id: nullable(text) }),
      tenant: nullable(text),
      previous: { ...VALUES, nullable: true },
      updated: { ...VALUES, nullable: true },
      labels: object({ previous: LABELS, updated: LABELS }, ['previous', 'updated']),
      jsonNulls: {
        ...object({ previous: list(text), updated: list(text) }),
        description: 'Columns whose value is the JSON null, which is otherwise shown like SQL null.',
      },
      unknown: {
        ...list(text),
        description: 'Columns of which the source did not send a value, or one too large to be stored.',
      },
      tooLarge: {
        ...list(object({ side: choice('previous', 'updated'), column: text, bytes: count, sha256: text })),
        description:
          'Values that were too large to be stored, or together for an answer, with their length and digest.',
      },
      table: text,
      operation: choice('insert', 'update', 'delete', 'truncate'),
      transaction: object(
        {
          xid: text,
          commitLsn: text,
          seq: { type: 'integer', description: "Negative in entries of Waltrail's own." },
          origin: {
            ...text,
            description: 'Replication origin, where the transaction came to the source from elsewhere.',
          },
          claimedCommitAt: {
            ...text,
            description:
              'Commit time that the source claimed where none can be shown for it, as "infinity"; committedAt is then that of the transaction before.',
          },
        },
        ['origin', 'claimedCommitAt'],
      ),
      context: { nullable: true, description: 'JSON that a logical message of the application carried.' },
      unreadMessage: {
        ...object({ lsn: text, reason: text }),
        description: 'The logical message that speaks for this change, where it was not understood.',
      },
    },
    ['labels', 'jsonNulls', 'unknown', 'tooLarge', 'unreadMessage'],
  ),
  EntryPage: object({
    items: list(ref('Entry')),
    next: nullable({ ...text, description: 'Cursor of the next page; null at the end.' }),
  }),
  Facet: object(
    {
      value: { ...text, description: 'What the filter takes; of modifiers the empty text: nobody.' },
      name: text,
      kind: { ...KIND, description: 'Of modifiers; null: nobody.' },
      count,
    },
    ['kind'],
  ),
  Facets: object({
    modifiers: list(ref('Facet')),
    actions: list(ref('Facet')),
    entityTypes: list(ref('Facet')),
    tenants: list(ref('Facet')),
  }),
  Gap: object(
    {
      id: count,
      code: { ...text, description: 'What happened; the README lists the codes with their remedies.' },
      summary: { ...text, description: "The same in the administrator's words." },
      scope: {
        ...choice('stream', 'tables'),
        description:
          'Of the whole stream: capture stops until it is accepted. Of named tables: the others go on, and it ends by itself.',
      },
      tables: nullable({
        ...list(text),
        description:
          'Tables that may lack changes; null: every tracked table. Absent for a tenant-scoped token.',
      }),
      fromLsn: { ...text, description: 'Changes committed from here on' },
      toLsn: nullable({ ...text, description: 'and before here may be missing; null: not known yet.' }),
      lastEntryAt: nullable({
        ...instant,
        description: 'Commit time of the last entry before fromLsn; null: there was none.',
      }),
      foundAt: instant,
      acceptedAt: nullable({ ...instant, description: 'When an operator accepted it.' }),
      closedAt: nullable({
        ...instant,
        description: 'When capture went on, or the tables were captured again or gone; null: the gap lasts.',
      }),
    },
    ['tables'],
  ),
  GapList: object({
    items: list(ref('Gap')),
    total: { ...count, description: 'How many overlap the range; "items" has the newest.' },
  }),
  Export: object({
    id: text,
    state: choice('queued', 'running', 'ready', 'failed', 'cancelled', 'expired'),
    progress: object({ done: count, total: nullable(count) }),
    format: choice('xlsx', 'csv', 'ndjson'),
    filters: { type: 'object', additionalProperties: true },
    range: object({ from: instant, to: instant }),
    timezone: text,
    requestedBy: text,
    createdAt: instant,
    finishedAt: nullable(instant),
    expiresAt: nullable(instant),
    file: nullable(object({ name: text, bytes: count, sha256: text })),
    gaps: nullable({
      ...count,
      description: 'Gaps that overlap the range, so that the file may lack changes; null until it is made.',
    }),
    error: { nullable: true, allOf: [ref('Problem')] },
  }),
  ExportList: object({ items: list(ref('Export')), next: nullable(text) }),
  Session: object({
    name: text,
    role: choice('viewer', 'exporter', 'admin'),
    tenant: nullable(text),
    maxRangeDays: { type: 'number' },
    timezone: text,
    source: text,
  }),
  Status: object({
    version: text,
    roles: list(choice('capture', 'api', 'exports')),
    startedAt: instant,
    source: text,
    maxRangeMs: count,
    timezone: text,
    retentionDays: nullable(count),
    queue: choice('postgres', 'redis'),
    capture: nullable({ type: 'object', additionalProperties: true }),
    trail: nullable({ type: 'object', additionalProperties: true }),
    exportQueue: nullable(
      object({
        works: { type: 'boolean' },
        error: nullable(object({ code: text, message: text, remedy: text })),
      }),
    ),
    gaps: nullable(object({ open: count, total: count, last: { nullable: true, allOf: [ref('Gap')] } })),
  }),
  Health: object({ status: choice('ok') }),
  Readiness: object({
    ready: { type: 'boolean' },
    trail: choice('up', 'down'),
    capture: nullable(text),
    exportQueue: nullable(choice('up', 'down')),
  }),
  Problem: object(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      detail: text,
      code: { ...text, description: 'What a client branches on.' },
      remedy: { ...text, description: 'What the reader can do about it.' },
      instance: text,
      errors: list(object({ path: text, message: text })),
    },
    ['status', 'instance', 'errors'],
  ),
} as const satisfies Record<string, object>;

export type SchemaName = keyof typeof SCHEMAS;
