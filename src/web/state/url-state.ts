import {
  DEFAULT_RANGE,
  QUICK_RANGES,
  type QuickRange,
  type Range,
  type ResolvedRange,
} from '../time/ranges.ts';
import { isZone } from '../time/zone.ts';

/** Among modifiers: nobody is known to have made the entry. No key is empty. */
export const NOBODY = '';

/** What the entries are narrowed by, but for the range. Empty: by nothing. */
export interface Filters {
  readonly modifiers: readonly string[];
  readonly actions: readonly string[];
  readonly entityTypes: readonly string[];
  readonly entity: string;
  readonly tenant: string;
  readonly q: string;
}

/** All that a link to the page says; what the page shows follows from it and the session. */
export interface View extends Filters {
  readonly range: Range;
  /** IANA name; null: the reader's own choice, else the report's. */
  readonly zone: string | null;
  /** Entry whose detail is open. */
  readonly entry: string | null;
  readonly panel: 'exports' | null;
}

/** The filters that hold lists, and what the API and the page's own URL call them. */
export const LISTS = { modifiers: 'modifier', actions: 'action', entityTypes: 'entityType' } as const;
export type ListFilter = keyof typeof LISTS;

export const NO_FILTERS: Filters = {
  modifiers: [],
  actions: [],
  entityTypes: [],
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

/** What the page's URL once called entries that nobody is known to have made. Links with it are still about these. */
const NOBODY_ONCE = 'unattributed';
/** Name in the page's URL of the one key that would be taken for them. */
const LITERAL_KEY = 'modifierKey';

/** Reads a URL's query. What it does not understand it leaves out: an old or mistyped link still opens. */
export function readView(query: URLSearchParams): View {
  const list = (name: string): string[] => [...new Set(query.getAll(name).filter((value) => value !== ''))];
  const zone = query.get('tz');
  return {
    modifiers: readModifiers(query),
    actions: list('action'),
    entityTypes: list('entityType'),
    entity: query.get('entity') ?? '',
    tenant: query.get('tenant') ?? '',
    q: query.get('q') ?? '',
    range: readRange(query),
    zone: zone !== null && isZone(zone) ? zone : null,
    entry: query.get('entry') || null,
    panel: query.get('panel') === 'exports' ? 'exports' : null,
  };
}

/** What `readView` had to leave out of a URL's query, a sentence each, with what is shown in its place. */
export function unreadable(query: URLSearchParams): string[] {
  const said: string[] = [];
  const { range } = readView(query);
  const shown = range.kind === 'custom' ? 'it is left out' : `showing ${QUICK_PHRASES[range.kind]}`;
  const quick = query.get('range');
  if (quick !== null && !isQuickRange(quick)) {
    said.push(`The address has a range that is not known; ${shown}.`);
  }
  if (['from', 'to'].some((name) => query.has(name) && instant(query.get(name)) === null)) {
    said.push(`The address has a date that cannot be read; ${shown}.`);
  }
  const zone = query.get('tz');
  if (zone !== null && !isZone(zone)) {
    said.push('The address has a time zone that is not known; it is left out.');
  }
  return said;
}

/** The query of a view; defaults are left out, so the plain page has none. */
export function writeView(view: View): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of filterQuery(view, {}))
    query.append(name === LISTS.modifiers && value === NOBODY_ONCE ? LITERAL_KEY : name, value);
  if (view.range.kind === 'custom') {
    if (view.range.from !== null) query.set('from', view.range.from);
    if (view.range.to !== null) query.set('to', view.range.to);
  } else if (view.range.kind !== DEFAULT_RANGE) query.set('range', view.range.kind);
  if (view.zone !== null) query.set('tz', view.zone);
  if (view.panel !== null) query.set('panel', view.panel);
  if (view.entry !== null) query.set('entry', view.entry);
  return query;
}

/** Filters and range as the API takes them in a query: lists as repeated parameters. */
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

/** The same for the body of `POST /v1/exports`: lists as arrays. */
export function filterBody(filters: Filters, range: ResolvedRange): Record<string, unknown> {
  const body: Record<string, unknown> = { ...range };
  for (const [list, name] of Object.entries(LISTS)) {
    const values = filters[list as ListFilter];
    if (values.length > 0) body[name] = values;
  }
  for (const name of ['entity', 'tenant', 'q'] as const) if (filters[name] !== '') body[name] = filters[name];
  return body;
}

/** Whether anything but the range narrows the view. */
export function isFiltered(filters: Filters): boolean {
  return filterQuery(filters, {}).size > 0;
}

const QUICK_PHRASES: Readonly<Record<QuickRange, string>> = {
  'last-hour': 'the last hour',
  today: 'today',
  yesterday: 'yesterday',
  'last-24-hours': 'the last 24 hours',
  'last-7-days': 'the last 7 days',
};

const isQuickRange = (text: string): text is QuickRange => (QUICK_RANGES as readonly string[]).includes(text);

/** In their order, whichever of the two names they have. */
function readModifiers(query: URLSearchParams): string[] {
  const keys = [...query].flatMap(([name, value]) => {
    if (name === LISTS.modifiers) return [value === NOBODY_ONCE ? NOBODY : value];
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

function instant(text: string | null): string | null {
  return text !== null &&
    /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text))
    ? text
    : null;
}
