/** The queries of the bench `pages`, in terms of test/support/trail-data.ts. */

/** Words that are in the dictionaries but in no entry. */
export const ABSENT_WORDS = /* sql */ `
insert into trail.action (id, name) values (1000, 'never');
insert into trail.entity_type (id, name) values (1000, 'nothing');
insert into trail.tenant (id, name) values (1000, 'empty');
insert into trail.modifier (id, key, name, kind) values (1000000, 'newcomer', 'Newcomer', 'agent');`;

const TYPES = ['agent', 'customer', 'conversation', 'setting', 'campaign', 'module', 'team'];
const ACTIONS = ['add', 'edit', 'delete', 'set', 'block', 'activate', 'assign', 'merge', 'archive'];

const modifiers = (n, count) => ({
  modifiers: Array.from({ length: count }, (_, index) => String(1 + ((n * 37 + index * 71) % 400))),
});
const SINGLES = {
  modifier: (n) => modifiers(n, 1),
  type: (n) => ({ entityTypes: [pick(TYPES, n)] }),
  action: (n) => ({ actions: [pick(ACTIONS, n)] }),
  entity: (n) => ({ entity: String(1 + ((n * 7919) % 100_000)) }),
  tenant: (n) => ({ tenant: String(1 + (n % 5)) }),
};
const SEVERAL = {
  'nobody found': () => ({ modifiers: [''] }),
  'five modifiers': (n) => modifiers(n, 5),
  'forty modifiers': (n) => modifiers(n, 40),
  'three actions': (n) => ({ actions: [0, 1, 2].map((index) => pick(ACTIONS, n + index)) }),
  'modifier + type + action': (n) => ({
    ...SINGLES.modifier(n),
    ...SINGLES.type(n),
    ...SINGLES.action(n + 1),
  }),
};
/** The last two filters combine words that many entries have, but no entry has both. */
const ABSENT = {
  'absent modifier': () => ({ modifiers: ['newcomer'] }),
  'absent type': () => ({ entityTypes: ['nothing'] }),
  'absent action': () => ({ actions: ['never'] }),
  'absent entity': () => ({ entity: 'nothing has this' }),
  'absent pair': (n) => ({ actions: ['login'], entityTypes: [pick(['team', 'module'], n)] }),
  'absent pair with a modifier': (n) => ({
    ...SINGLES.modifier(n),
    actions: ['login'],
    entityTypes: ['team'],
  }),
};
const PAGES = { 'no filter': () => ({}), ...SINGLES, ...pairs(SINGLES), ...SEVERAL, ...ABSENT };
const TENANTS_OWN = Object.fromEntries(
  Object.entries(PAGES)
    .filter(([name]) => !name.includes('tenant'))
    .map(([name, filter]) => [name, (n) => ({ ...filter(n), ...SINGLES.tenant(n + 2) })]),
);
const SMALL_TENANTS = Object.fromEntries(
  ['no filter', 'modifier', 'type', 'action', 'entity', 'type + action'].map((name) => [
    name,
    (n) => ({ ...PAGES[name](n), tenant: 'small' }),
  ]),
);
const FACETS = {
  'no filter': PAGES['no filter'],
  ...SINGLES,
  'small tenant': () => ({ tenant: 'small' }),
  'absent action': ABSENT['absent action'],
};

/** Filters that no summary covers. */
const FACETS_UNDER_TWO = {
  'modifier + type': PAGES['modifier + type'],
  'type + action': PAGES['type + action'],
  'tenant + type': PAGES['type + tenant'],
  'tenant + action': PAGES['action + tenant'],
  'tenant + modifier': PAGES['modifier + tenant'],
};

const HOUR_MS = 3_600_000;
const week = (range) => range;
/** Returns a range within the week, by the number of the run. */
const within = (lengthMs) => (range, n) => {
  const from = Date.parse(range.from);
  const start = from + ((n * 0.618034) % 1) * (Date.parse(range.to) - from - lengthMs);
  return { from: new Date(start).toISOString(), to: new Date(start + lengthMs).toISOString() };
};

export const GROUPS = [
  { name: 'first page', read: 'page', range: week, filters: PAGES },
  { name: "a tenant's page", read: 'page', range: week, filters: { ...TENANTS_OWN, 'absent tenant': () => ({ tenant: 'empty' }) } },
  { name: "a small tenant's page", read: 'page', range: week, filters: SMALL_TENANTS },
  { name: 'one hour', read: 'page', range: within(HOUR_MS), filters: { ...PAGES } },
  { name: 'one day', read: 'page', range: within(24 * HOUR_MS), filters: { ...PAGES } },
  { name: 'next page', read: 'next', range: week, filters: { 'no filter': PAGES['no filter'], ...SINGLES, ...pairs(SINGLES) } },
  { name: 'counts of 7 days', read: 'counts', range: week, filters: {
    'actions and types': () => ({ dimensions: ['actions', 'entityTypes'] }),
    modifiers: () => ({ dimensions: ['modifiers'] }),
  } },
  { name: 'facets of 7 days', read: 'facets', range: week, filters: FACETS },
  { name: 'facets of 7 days under two filters', read: 'facets', most: 10, range: week, filters: FACETS_UNDER_TWO },
  { name: 'facets of a day', read: 'facets', range: within(24 * HOUR_MS), filters: { 'no filter': FACETS['no filter'], ...SINGLES } },
  { name: 'history', read: 'history', range: week, filters: {
    'of an entity': (n) => ({ type: pick(TYPES, n), id: String(1 + ((n * 7919) % 10_000)) }),
    'of none': () => ({ type: 'customer', id: 'nothing has this' }),
    "a tenant's": (n) => ({ type: 'customer', id: String(1 + ((n * 7919) % 10_000)), tenant: '1' }),
  } },
  { name: 'text', read: 'text', most: 5, range: within(24 * HOUR_MS), filters: {
    'found often': () => ({ q: 'name 1' }),
    'found nowhere': () => ({ q: 'nothing has this' }),
    'found nowhere, a modifier': (n) => ({ q: 'nothing has this', ...SINGLES.modifier(n) }),
  } },
]; // prettier-ignore

function pairs(filters) {
  const names = Object.keys(filters);
  return Object.fromEntries(
    names.flatMap((one, index) =>
      names
        .slice(index + 1)
        .map((other) => [`${one} + ${other}`, (n) => ({ ...filters[one](n), ...filters[other](n + 1) })]),
    ),
  );
}

function pick(words, n) {
  return words[n % words.length];
}
