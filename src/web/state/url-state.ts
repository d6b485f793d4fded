import {
  DEFAULT_RANGE,
  QUICK_RANGES,
  type QuickRange,
  type Range,
  type ResolvedRange,
} from '../time/ranges.ts';
import { RUNG_TEXTS } from '../texts/vocabulary.ts';
import { isZone } from '../time/zone.ts';

/** The value of the modifier filter that stands for unattributed entries. No real key is empty. */
export const NOBODY = '';

/** The filters of the list, without the range. An empty value filters nothing. */
export interface Filters {
  readonly modifiers: readonly string[];
  /** Keys of the persons in whose names modifiers acted. */
  readonly actingAs: readonly string[];
  readonly actions: readonly string[];
  readonly entityTypes: readonly string[];
  readonly rungs: readonly string[];
  readonly entity: string;
  readonly tenant: string;
  readonly q: string;
}

/** Everything that a link to the page contains. The link and the session determine what the page shows. */
export interface View extends Filters {
  readonly range: Range;
  /** IANA name. Null: the reader's choice if there is one, else the zone of reports. */
  readonly zone: string | null;
  /** Entry whose detail is open. */
  readonly entry: string | null;
  readonly panel: 'exports' | null;
}

/** The filters that hold lists, with their names in the API and in the page's own URL. */
const LISTS = {
  modifiers: 'modifier',
  actingAs: 'actingAs',
  actions: 'action',
  entityTypes: 'entityType',
  rungs: 'rung',
} as const;
export type ListFilter = keyof typeof LISTS;
/** The filters whose values the server counts. */
export type FacetFilter = Exclude<ListFilter, 'rungs'>;
/** Whether the values of a filter are keys of people. */
export const isOfPeople = (filter: ListFilter): boolean => filter === 'modifiers' || filter === 'actingAs';

export const NO_FILTERS: Filters = {
  modifiers: [],
  actingAs: [],
  actions: [],
  entityTypes: [],
  rungs: [],
  entity: '',
  tenant: '',
  q: '',
};
export const EMPTY_VIEW: View = {
  ...NO_FILTERS,
  range: { kind: DEFAULT_RANGE },
  zone: null,
  entry: null,
  panel: null,
};

/** Former name of NOBODY in the page's URL. Links with it still work. */
const FORMER_NOBODY = 'unattributed';
/** Parameter of the page's URL for the one real key that equals FORMER_NOBODY. */
const LITERAL_KEY = 'modifierKey';

/**
 * Reads a view from a URL's query. Ignores what it does not understand, so that old and mistyped links also
 * open the page.
 */
export function readView(query: URLSearchParams): View {
  const list = (name: string): string[] => [...new Set(query.getAll(name).filter((value) => value !== ''))];
  const zone = query.get('tz');
  return {
    modifiers: readModifiers(query),
    actingAs: list('actingAs'),
    actions: list('action'),
    entityTypes: list('entityType'),
    rungs: list('rung').filter(isRung),
    entity: query.get('entity') ?? '',
    tenant: query.get('tenant') ?? '',
    q: query.get('q') ?? '',
    range: readRange(query),
    zone: zone !== null && isZone(zone) ? zone : null,
    entry: query.get('entry') || null,
    panel: query.get('panel') === 'exports' ? 'exports' : null,
  };
}

/** Returns a sentence for each part of a URL's query that `readView` ignores, with what is shown instead. */
export function unreadable(query: URLSearchParams): string[] {
  const sentences: string[] = [];
  const { range } = readView(query);
  const shown = range.kind === 'custom' ? 'it is ignored' : `showing ${QUICK_RANGE_PHRASES[range.kind]}`;
  const quick = query.get('range');
  if (quick !== null && !isQuickRange(quick)) {
    sentences.push(`The link has an unknown range; ${shown}.`);
  }
  if (['from', 'to'].some((name) => query.has(name) && instant(query.get(name)) === null)) {
    sentences.push(`The link has a date that cannot be read; ${shown}.`);
  }
  if (query.getAll('rung').some((rung) => !isRung(rung)))
    sentences.push('The link has an unknown way in which the modifier was found; it is ignored.');
  const zone = query.get('tz');
  if (zone !== null && !isZone(zone)) {
    sentences.push('The link has an unknown time zone; it is ignored.');
  }
  return sentences;
}

/** Writes a view as the query of a URL. Defaults are omitted, so the default view has no query. */
export function writeView(view: View): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of filterQuery(view, {}))
    query.append(name === LISTS.modifiers && value === FORMER_NOBODY ? LITERAL_KEY : name, value);
  if (view.range.kind === 'custom') {
    if (view.range.from !== null) query.set('from', view.range.from);
    if (view.range.to !== null) query.set('to', view.range.to);
  } else if (view.range.kind !== DEFAULT_RANGE) query.set('range', view.range.kind);
  if (view.zone !== null) query.set('tz', view.zone);
  if (view.panel !== null) query.set('panel', view.panel);
  if (view.entry !== null) query.set('entry', view.entry);
  return query;
}

/** Writes filters and range as a query of the API, with lists as repeated parameters. */
export function filterQuery(filters: Filters, range: ResolvedRange): URLSearchParams {
  const query = new URLSearchParams();
  for (const [list, name] of Object.entries(LISTS)) {
    for (const value of filters[list as ListFilter]) query.append(name, value);
  }
  for (const name of ['entity', 'tenant', 'q'] as const)
    if (filters[name] !== '') query.set(name, filters[name]);
  if (range.from !== undefined) query.set('from', range.from);
  if (range.to !== undefined) query.set('to', range.to);
  return query;
}

/** Writes filters and range for the body of `POST /v1/exports`: lists as arrays. */
export function filterBody(filters: Filters, range: ResolvedRange): Record<string, unknown> {
  const body: Record<string, unknown> = { ...range };
  for (const [list, name] of Object.entries(LISTS)) {
    const values = filters[list as ListFilter];
    if (values.length > 0) body[name] = values;
  }
  for (const name of ['entity', 'tenant', 'q'] as const) if (filters[name] !== '') body[name] = filters[name];
  return body;
}

/** Whether any filter is set. */
export function isFiltered(filters: Filters): boolean {
  return filterQuery(filters, {}).size > 0;
}

const QUICK_RANGE_PHRASES: Readonly<Record<QuickRange, string>> = {
  'last-hour': 'the last hour',
  today: 'today',
  yesterday: 'yesterday',
  'last-24-hours': 'the last 24 hours',
  'last-7-days': 'the last 7 days',
};

const isRung = (text: string): boolean => Object.hasOwn(RUNG_TEXTS, text);

const isQuickRange = (text: string): text is QuickRange => (QUICK_RANGES as readonly string[]).includes(text);

/** Reads the modifiers from both of their parameters, in order. */
function readModifiers(query: URLSearchParams): string[] {
  const keys = [...query].flatMap(([name, value]) => {
    if (name === LISTS.modifiers) return [value === FORMER_NOBODY ? NOBODY : value];
    return name === LITERAL_KEY && value !== '' ? [value] : [];
  });
  return [...new Set(keys)];
}

function readRange(query: URLSearchParams): Range {
  const quick = query.get('range');
  if (quick !== null && isQuickRange(quick)) return { kind: quick };
  const from = instant(query.get('from'));
  const to = instant(query.get('to'));
  return from === null && to === null ? { kind: DEFAULT_RANGE } : { kind: 'custom', from, to };
}

/** Matches an instant in the form that the API takes. */
const INSTANT = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Returns an instant that the API takes as well. Null: the text is not one, or its day does not exist. */
function instant(text: string | null): string | null {
  const date = text === null ? undefined : INSTANT.exec(text)?.[1];
  // `Date.parse` reads February 30 as March 2.
  return date !== undefined &&
    !Number.isNaN(Date.parse(text!)) &&
    new Date(date).toISOString().startsWith(date)
    ? text
    : null;
}
