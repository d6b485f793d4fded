/**
 * Lists every correction of answers since a trail was recorded. Recorded questions are translated to present
 * ones, and recorded answers to present ones. Everything that is not listed here must still be equal.
 *
 * - Entries without a modifier (DECISIONS 39): they show `Unattributed` or `Waltrail`, not `System`. The
 *   filter for unattributed entries is the empty value, not a word. This filter, and the counts of
 *   unattributed entries, leave out Waltrail's own entries, and those of an agent with that word as key.
 * - Rows of csv have more columns. These are empty for recorded entries (DECISIONS 51, 53, 104).
 * - A search also finds shown names and labels (DECISIONS 76), so it finds at least what was recorded.
 * - Entries state what differs within their values (DECISIONS 105); rows of csv have one more
 *   column for that.
 * - Gaps state whether they concern the whole stream or certain tables (DECISIONS 43).
 * - Lists show a reader of one tenant the newest name of a person that a counted entry has, not the newest of
 *   all. `pg/admin-api` tests which name that is.
 */

export interface Facet {
  readonly value: string;
  readonly name: string;
  readonly kind?: string | null;
  readonly count: number;
}
export type Facets = Readonly<Record<'modifiers' | 'actions' | 'entityTypes' | 'tenants', readonly Facet[]>>;
export type Answer = Readonly<Record<string, unknown>>;

export const NOBODY_BEFORE = 'unattributed';
export const NOBODY_NOW = '';
export const UNATTRIBUTED_NOW = { key: null, name: 'Unattributed', kind: null, rung: 'unattributed' };

const MODIFIERS = [
  { before: { key: null, name: 'System', kind: 'system', rung: 'system' }, now: UNATTRIBUTED_NOW },
  {
    before: { key: null, name: 'System', kind: 'system', rung: 'waltrail' },
    now: { key: null, name: 'Waltrail', kind: null, rung: 'waltrail' },
  },
];
const OWN_TYPE = 'waltrail';

export interface Asked {
  /** Path below `/v1/`. */
  readonly path: string;
  readonly ofNobody: boolean;
  readonly isSearch: boolean;
  /** Whether the entity types in the question exclude Waltrail's own entries. */
  readonly withoutOwn: boolean;
  /**
   * Path of the facets of Waltrail's own entries under the same filters; null if the question is not a count.
   */
  readonly ownPath: string | null;
}

/**
 * Translates a recorded path to the present one. Null if it has a cursor for pages of unattributed entries,
 * because that form of the filter no longer exists.
 */
export function askedNow(path: string): Asked | null {
  const [route, query] = path.split('?');
  if (query === undefined)
    return { path, ofNobody: false, isSearch: false, withoutOwn: false, ownPath: null };
  const asked = [...new URLSearchParams(query)];
  const ofNobody = asked.some(([name, value]) => name === 'modifier' && value === NOBODY_BEFORE);
  if (ofNobody && asked.some(([name]) => name === 'cursor')) return null;
  const now = asked.map(([name, value]) => [name, name === 'modifier' ? keyNow(value) : value]);
  const types = asked.filter(([name]) => name === 'entityType').map(([, value]) => value);
  const others = asked.filter(([name]) => name !== 'modifier' && name !== 'entityType');
  const own = new URLSearchParams([...others, ['entityType', OWN_TYPE]]);
  return {
    path: `${route}?${new URLSearchParams(now)}`,
    ofNobody,
    isSearch: asked.some(([name]) => name === 'q'),
    withoutOwn: types.length > 0 && !types.includes(OWN_TYPE),
    ownPath: route === 'facets' ? `facets?${own}` : null,
  };
}

/** Returns both answers to a question in the same form, so that they can be compared. */
export function expectedAnswer(answers: {
  readonly before: Answer;
  readonly now: Answer;
  readonly own: Facets | null;
  readonly asked: Asked;
}): { readonly before: unknown; readonly now: unknown } {
  const { own, asked } = answers;
  const before = corrected(answers.before) as Answer;
  // Answers now also state what the trail covers.
  const now = { ...answers.now };
  delete (now as { coverage?: unknown }).coverage;
  if (own !== null) {
    const counts = (facets: Answer): Counts => countsOf(facets as unknown as Facets);
    const then = without(counts(before), { own: countsOf(own), asked });
    return asked.isSearch ? foundToo(then, counts(now)) : { before: then, now: counts(now) };
  }
  if (!asked.ofNobody) return { before, now };
  // Waltrail's own entries are no longer on these pages, so they have other entries after the recorded ones.
  const items = (before['items'] as readonly Answer[]).filter(({ modifier }) => !isOwn(modifier));
  return { before: items, now: (now['items'] as readonly Answer[]).slice(0, items.length) };
}

/** Returns the requests whose files together equal the recorded file of an export. */
export function bodiesNow(body: Answer): readonly Answer[] {
  const keys = body['modifier'] as readonly string[] | undefined;
  if (keys === undefined || !keys.includes(NOBODY_BEFORE)) return [body];
  return [
    { ...body, modifier: keys.map(keyNow) },
    { ...body, modifier: undefined, entityType: [OWN_TYPE] },
  ];
}

/** Combines present files into the recorded one. Only the format ndjson has several. */
export function fileBefore(files: readonly string[], format: string): string {
  if (format === 'ndjson') {
    const lines = files.flatMap((file) => file.split('\n').slice(0, -1));
    const idOf = (line: string): bigint => BigInt((JSON.parse(line) as { id: string }).id);
    if (files.length > 1) lines.sort((one, other) => Number(idOf(other) - idOf(one)));
    return MODIFIERS.reduce(
      (text, { before, now }) =>
        text.replaceAll(`"modifier":${JSON.stringify(now)}`, `"modifier":${JSON.stringify(before)}`),
      lines.map((line) => `${line.replace(CHANGES, '')}\n`).join(''),
    );
  }
  // The name is the first field of a csv row; kind and rung are next to each other.
  return MODIFIERS.reduce(
    (text, { before, now }) =>
      text
        .replaceAll(new RegExp(`^${now.name},`, 'gm'), `${before.name},`)
        .replaceAll(`,,${now.rung},`, `,${before.kind},${before.rung},`),
    files
      .join('')
      // Newer columns. They are empty in recorded rows, except the offset.
      .replace(
        ',Previous entity id,Previous tenant,Note,UTC offset,Acting as,Changes within values\r\n',
        '\r\n',
      )
      .replaceAll(/(?<=,-?\d+),,,,[+-]\d\d:\d\d,,(?:"(?:[^"]|"")*"|[^,"\r\n]*)\r\n/g, '\r\n'),
  );
}

/** `changes` of an entry of ndjson, up to the next member. */
const CHANGES = /,"changes":\[\{"column":.*?\}\](?=,"(?:jsonNulls|instants|unknown|tooLarge|table)":)/;

/** Returns a present answer without what differs within values. */
export function withoutChanges<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutChanges) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => name !== 'changes');
  return Object.fromEntries(members.map(([name, member]) => [name, withoutChanges<unknown>(member)])) as T;
}

/** The column of the recorded tables whose labels are names of a lookup table. */
const LOOKED_UP = 'team_id';

/**
 * Translates a recorded answer to what a reader of one tenant gets now. Names of a lookup table are hidden: a
 * recorded trail does not know the tenant of its rows, and no session of capture has stated that they have
 * none.
 */
export function withoutLookedUp<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutLookedUp) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).flatMap(([name, member]) => {
    if (name !== 'labels') return [[name, withoutLookedUp<unknown>(member)]];
    const sides = Object.entries(member as Record<string, Record<string, string>>).map(([side, labels]) => [
      side,
      Object.fromEntries(Object.entries(labels).filter(([column]) => column !== LOOKED_UP)),
    ]);
    const isEmpty = sides.every(([, labels]) => Object.keys(labels as object).length === 0);
    return isEmpty ? [] : [[name, Object.fromEntries(sides)]];
  });
  return Object.fromEntries(members) as T;
}

/** The recorded agent with two names. */
const RENAMED = { before: 'Omer Katz-Bar', now: 'Omer Katz' };

/** Returns an answer for a reader of one tenant with one of the two names of the renamed agent. */
export function withFormerName<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withFormerName) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [
    name,
    name === 'name' && member === RENAMED.before ? RENAMED.now : withFormerName<unknown>(member),
  ]);
  return Object.fromEntries(members) as T;
}

const keyNow = (key: string): string => (key === NOBODY_BEFORE ? NOBODY_NOW : key);

const isOwn = (modifier: unknown): boolean => (modifier as { rung: string }).rung === 'waltrail';

/** A summary of gaps with another wording now. Entries of gaps keep the text that they were stored with. */
const SUMMARY = {
  before: `Changes may be missing: the replication slot is ${'gone'}`,
  now: 'Changes may be missing: the replication slot no longer exists',
};

/** Corrects summaries of gaps, modifiers, and filters of exports, wherever they occur. */
function corrected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(corrected);
  if (typeof value !== 'object' || value === null) return value;
  const modifier = MODIFIERS.find(({ before }) => JSON.stringify(before) === JSON.stringify(value));
  if (modifier !== undefined) return modifier.now;
  const members = Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, corrected(member)]),
  );
  if ('lastEntryAt' in members && 'foundAt' in members)
    return {
      ...members,
      scope: members['tables'] == null ? 'stream' : 'tables',
      ...(members['summary'] === SUMMARY.before ? { summary: SUMMARY.now } : {}),
    };
  const filters = members['filters'] as { modifier?: readonly string[] } | undefined;
  if (filters?.modifier === undefined) return members;
  return { ...members, filters: { ...filters, modifier: filters.modifier.map(keyNow) } };
}

/**
 * Name, kind and count, by dimension and value. Unattributed entries and those of an agent with the key
 * `unattributed` had one value in the recording, so they have one here.
 */
type Counts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function countsOf(facets: Facets): Counts {
  const dimension = (list: readonly Facet[]): Record<string, unknown> =>
    Object.fromEntries(list.map(({ value, ...rest }) => [value, rest]));
  const isMerged = ({ value }: Facet): boolean => value === NOBODY_BEFORE || value === NOBODY_NOW;
  const merged = facets.modifiers.filter(isMerged).reduce((sum, { count }) => sum + count, 0);
  return {
    actions: dimension(facets.actions),
    entityTypes: dimension(facets.entityTypes),
    tenants: dimension(facets.tenants),
    modifiers: dimension(facets.modifiers.filter((facet) => !isMerged(facet))),
    nobody: { [NOBODY_NOW]: { count: merged } },
  };
}

/**
 * Subtracts Waltrail's own entries from recorded counts: always from those of unattributed entries, and from
 * all others if the filter asked for unattributed entries.
 */
function without(counts: Counts, { own, asked }: { readonly own: Counts; readonly asked: Asked }): Counts {
  // A dimension is counted without its own filter. So own entries count among the types, whatever types the
  // filter has.
  const types = counts['entityTypes']!;
  const ownCount = countOf(own['entityTypes']![OWN_TYPE]);
  const before = countOf(counts['nobody']![NOBODY_NOW]);
  // The count is 0 if the filter has a word that the trail does not know.
  const nobody = before === 0 || asked.withoutOwn ? before : before - ownCount;
  return {
    ...counts,
    nobody: { [NOBODY_NOW]: { count: nobody } },
    ...(asked.ofNobody ? { entityTypes: less(types, { [OWN_TYPE]: { count: ownCount } }) } : {}),
    ...(asked.ofNobody && !asked.withoutOwn ? { actions: less(counts['actions']!, own['actions']!) } : {}),
  };
}

/** Returns the counts of a search then and now, without what is found only now. */
function foundToo(then: Counts, now: Counts): { readonly before: Counts; readonly now: Counts } {
  const each = (change: (dimension: string, value: string) => unknown): Counts =>
    Object.fromEntries(
      Object.entries(then).map(([dimension, facets]) => [
        dimension,
        Object.fromEntries(Object.keys(facets).map((value) => [value, change(dimension, value)])),
      ]),
    );
  return {
    before: then,
    now: each((dimension, value) => {
      const [before, after] = [then[dimension]![value], now[dimension]?.[value]];
      return countOf(after) > countOf(before) ? { ...(after as object), count: countOf(before) } : after;
    }),
  };
}

const less = (
  counts: Readonly<Record<string, unknown>>,
  subtrahend: Readonly<Record<string, unknown>>,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(counts)
      .map(([value, facet]): [string, object] => [
        value,
        { ...(facet as object), count: countOf(facet) - countOf(subtrahend[value]) },
      ])
      .filter(([, facet]) => countOf(facet) > 0),
  );

const countOf = (facet: unknown): number => (facet as { count?: number } | undefined)?.count ?? 0;
