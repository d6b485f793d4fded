import type { Catalog, CatalogTable } from './catalog.js';
import type { Said } from './configuration-change.js';
import { matchesColumn } from './names.js';
import { exemptColumns, wholeRedaction } from './redact.js';
import type { RedactRule, RedactWith, TrackingConfig } from './rules.js';
import { nameOf } from './tracked.js';
import { valueKind } from './value-kind.js';

/** Ways of redaction, in order: each later one leaves less of a value readable. */
const STRENGTH = { truncate: 1, hash: 2, mask: 3, drop: 4 } as const;
const WORDS = { truncate: 'shortened', hash: 'as hashes', mask: 'masked', drop: 'left out' } as const;

/** Returns a change for each column whose values will be stored differently. */
export function compareRedaction(options: {
  readonly table: CatalogTable;
  readonly old: TrackingConfig;
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): readonly Said[] {
  const { table, old, config, catalog } = options;
  const name = nameOf(table);
  const exempt = [old, config].map((one) => exemptColumns(one, name, table.primaryKey));
  return table.columns.flatMap(({ name: column, typeOid }) => {
    const kind = valueKind(typeOid, catalog.types);
    const [before, after] = [old, config].map((one, index) =>
      wholeRedaction(one, { ...name, column }, { kind, exempt: exempt[index]!.has(column) }),
    ) as [RedactWith | null, RedactWith | null];
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    return [
      {
        aspect: 'redaction',
        says: `${column} stored ${worded(after)} instead of ${worded(before)}`,
        exposes: isWeaker(after, before),
      },
    ];
  });
}

const worded = (redaction: RedactWith | null): string =>
  redaction === null
    ? 'AS IT IS'
    : `${WORDS[redaction.method]}${redaction.method === 'truncate' ? ` to ${redaction.length}` : ''}`;

function isWeaker(after: RedactWith | null, before: RedactWith | null): boolean {
  if (before === null) return false;
  if (after === null) return true;
  if (after.method === 'truncate' && before.method === 'truncate') return after.length > before.length;
  return STRENGTH[after.method] < STRENGTH[before.method];
}

/**
 * Compares redaction of JSON members and contexts, which no catalog lists: patterns that only one of the two
 * configurations has, and the settings of `secrets`.
 */
export function compareRedactRules(old: TrackingConfig, config: TrackingConfig): readonly Said[] {
  const said = (says: string, exposes: boolean): Said => ({ aspect: 'redaction', says, exposes });
  const [removed, added] = [uncovered(old, config), uncovered(config, old)];
  const allowed = config.secrets.allow.filter(
    (rule) => !old.secrets.allow.some((known) => JSON.stringify(known) === JSON.stringify(rule)),
  );
  return [
    ...(old.secrets.defaults && !config.secrets.defaults
      ? [said('secrets.defaults: values that are secrets by their name are NO LONGER MASKED', true)]
      : []),
    ...(!old.secrets.defaults && config.secrets.defaults
      ? [said('secrets.defaults: values that are secrets by their name are masked', false)]
      : []),
    ...allowed.map(({ table, name }) =>
      said(`secrets.allow: ${table === null ? '' : `${table}.`}${name} is NO LONGER A SECRET`, true),
    ),
    ...removed.map((pattern) =>
      said(`${pattern}: LESS REDACTED THAN BEFORE, including members of JSON and of contexts`, true),
    ),
    ...added.map((pattern) =>
      said(`${pattern}: more redacted than before, including members of JSON and of contexts`, false),
    ),
  ];
}

/**
 * Patterns of one configuration without a rule in the other that redacts the same tables at least as
 * strictly.
 */
function uncovered(of: TrackingConfig, by: TrackingConfig): readonly string[] {
  return of.redact.flatMap((rule) =>
    rule.columns
      .filter((pattern) => !by.redact.some((other) => covers(other, { rule, pattern })))
      .map((pattern) => (rule.tables === null ? pattern : `${pattern} of ${rule.tables.join(', ')}`)),
  );
}

/**
 * Whether a rule redacts everything that another pattern redacts. A pattern covers another one if it matches
 * its text: a star matches a star.
 */
const covers = (
  other: RedactRule,
  { rule, pattern }: { readonly rule: RedactRule; readonly pattern: string },
): boolean =>
  (other.tables === null || JSON.stringify(other.tables) === JSON.stringify(rule.tables)) &&
  !isWeaker(other.with, rule.with) &&
  other.columns.some((wider) => matchesColumn(wider, pattern));
