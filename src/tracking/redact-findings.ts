import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { isColumnPattern } from './column-lists.js';
import type { KeyPath } from './document.js';
import type { Findings, PlanProblem } from './findings.js';
import { listNames } from './list-names.js';
import { neededTables } from './lookups.js';
import { ruleFor } from './match.js';
import { formatTable, matchesColumn, matchesTable } from './names.js';
import { didYouMean } from './nearest.js';
import { exemptColumns, isOfContext, wholeRedaction, decisionFor } from './redact.js';
import type { RedactRule, TableRule, TrackingConfig } from './rules.js';
import { isSecretColumn } from './secrets.js';
import { isPublishable, keyOf, nameOf, type PublishedTable } from './tracked.js';
import { holdsMembers, holdsText, valueKind, type ValueKind } from './value-kind.js';

type Given = {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
};

/** The most columns that are listed; the rest is counted. */
const MAX_LISTED = 50;

/** Compares `redact`, `secrets` and the lists of columns with the columns that exist. */
export function redactFindings(given: Given): Findings {
  const { config } = given;
  const tables = tablesOf(given);
  const found = config.redact.map((rule, index) => ruleFindings(rule, { ...given, tables, index }));
  return {
    problems: found.flatMap(({ problems }) => problems),
    warnings: [
      ...found.flatMap(({ warnings }) => warnings),
      ...listWarnings(given),
      ...allowWarnings(given, tables),
      ...undecided(given, tables),
    ],
  };
}

/** Tables with rows that are read: tracked tables and lookup tables. */
const tablesOf = ({ config, catalog }: Given): readonly CatalogTable[] => {
  const needed = neededTables(config);
  return [
    ...catalog.tables.filter((table) => isPublishable(table) && ruleFor(config, nameOf(table)) !== undefined),
    ...needed.flatMap((name) => {
      const table = indexOf(catalog).tables.get(formatTable(name));
      return table === undefined || ruleFor(config, name) !== undefined ? [] : [table];
    }),
  ];
};

/**
 * Reports patterns of a rule that match nothing. A name without a star is then a mistake: the author believes
 * that it is redacted. So is a rule for certain tables that matches nothing in them. A pattern with a star
 * may be meant for future tables. A pattern for every table also applies to members of JSON and of contexts,
 * which no catalog lists.
 */
function ruleFindings(
  rule: RedactRule,
  options: Given & { readonly tables: readonly CatalogTable[]; readonly index: number },
): Findings {
  const { config, catalog, index } = options;
  const tables = options.tables.filter(
    (table) => rule.tables === null || rule.tables.some((pattern) => matchesTable(pattern, nameOf(table))),
  );
  const path = (...keys: KeyPath): string => config.places.of(['redact', index, ...keys]);
  const matches = rule.columns.map((pattern) => matchOf(pattern, { rule, tables, catalog }));
  const problems: PlanProblem[] = [];
  const warnings: string[] = [];
  for (const [place, match] of matches.entries()) {
    const pattern = rule.columns[place]!;
    if (match === 'matches') continue;
    const at = path('columns', place);
    if (match === 'no members')
      problems.push(
        mistake(`${at}: "${pattern}" is a member of a column whose type is not json, jsonb or hstore.`),
      );
    else if (!pattern.includes('*'))
      problems.push(mistake(`${at}: no tracked table has a column "${pattern}".${nearest(pattern, tables)}`));
    else if (rule.tables === null || matches.includes('matches'))
      warnings.push(`${at}: "${pattern}" matches no column of a tracked table.`);
  }
  if (rule.tables !== null && problems.length === 0 && !matches.includes('matches'))
    problems.push(mistake(`${path()}: the rule matches no column of a tracked table.`));
  const unmatched = (rule.tables ?? []).flatMap((pattern, place) =>
    options.tables.some((table) => matchesTable(pattern, nameOf(table)))
      ? []
      : [`${path('tables', place)}: "${pattern}" matches no tracked table.`],
  );
  return { problems, warnings: [...warnings, ...unmatched] };
}

const mistake = (message: string): PlanProblem => ({
  code: 'TRACKING_REDACTION_UNMATCHED',
  message,
  remedy:
    'Correct the name in the YAML, or remove it. Write a member of JSON as column.member, and a member of only the context of logical messages as context.member.',
  tables: [],
  mistake: true,
  applyOnly: true,
});

function matchOf(
  pattern: string,
  options: {
    readonly rule: RedactRule;
    readonly tables: readonly CatalogTable[];
    readonly catalog: Catalog;
  },
): 'matches' | 'no members' | 'nothing' {
  const { rule, tables, catalog } = options;
  if (rule.tables === null && isOfContext(pattern)) return 'matches';
  const columns = tables.flatMap((table) => table.columns);
  if (columns.some(({ name }) => matchesColumn(pattern, name))) return 'matches';
  const dot = pattern.indexOf('.');
  if (dot < 0) return 'nothing';
  const holders = columns.filter(({ name }) => matchesColumn(pattern.slice(0, dot), name));
  if (holders.length === 0) return 'nothing';
  return holders.some(({ typeOid }) => holdsMembers(valueKind(typeOid, catalog.types)))
    ? 'matches'
    : 'no members';
}

const nearest = (pattern: string, tables: readonly CatalogTable[]): string =>
  didYouMean(pattern, [...new Set(tables.flatMap(({ columns }) => columns.map(({ name }) => name)))]);

/** Warns about patterns in column lists of tables that match nothing. */
function listWarnings({ config, published }: Given): string[] {
  const lists = new Map<string, { readonly pattern: string; readonly tables: CatalogTable[] }>();
  for (const rule of config.tables) {
    const tables = published.filter((table) => table.rule === rule).map(({ table }) => table);
    for (const { path, pattern } of tables.length === 0 ? [] : listedPatterns(rule)) {
      const at = config.places.of(path);
      // A list that several tables take over from one place is checked once, with the columns of them all.
      const found = lists.get(at);
      if (found === undefined) lists.set(at, { pattern, tables: [...tables] });
      else found.tables.push(...tables);
    }
  }
  return [...lists].flatMap(([at, { pattern, tables }]) =>
    tables.some(({ columns }) => columns.some(({ name }) => matchesColumn(pattern, name)))
      ? []
      : [`${at}: "${pattern}" matches no column of ${listNames(tables.map(keyOf))}.`],
  );
}

function listedPatterns(rule: TableRule): { readonly path: KeyPath; readonly pattern: string }[] {
  const at = (keys: KeyPath, items: readonly string[]): { path: KeyPath; pattern: string }[] =>
    items.map((pattern, place) => ({ path: ['tables', rule.pattern, ...keys, place], pattern }));
  const patterns = (keys: KeyPath, items: readonly string[]): { path: KeyPath; pattern: string }[] =>
    at(keys, items).filter(({ pattern }) => isColumnPattern(pattern));
  return [
    ...at(['only'], rule.only ?? []),
    ...at(['except'], rule.except),
    ...patterns(['ignore'], rule.ignore),
    ...rule.actions.flatMap(({ changed }, index) => patterns(['actions', index, 'changed'], changed ?? [])),
  ];
}

function allowWarnings({ config }: Given, tables: readonly CatalogTable[]): string[] {
  return config.secrets.allow.flatMap(({ table: pattern, name }, place) => {
    // A single name may be a member of JSON or of a context.
    if (pattern === null) return [];
    const column = name.split('.')[0]!;
    const isThere = tables.some(
      (table) =>
        matchesTable(pattern, nameOf(table)) &&
        table.columns.some((found) => matchesColumn(column, found.name) || matchesColumn(name, found.name)),
    );
    return isThere
      ? []
      : [`${config.places.of(['secrets', 'allow', place])}: "${pattern}.${name}" matches no tracked column.`];
  });
}

/**
 * Warns about columns that look like secrets, are stored as they are, and for which the YAML decides nothing.
 */
function undecided({ config, catalog }: Given, tables: readonly CatalogTable[]): string[] {
  const found = tables.flatMap((table) => {
    const exempt = exemptColumns(config, nameOf(table), table.primaryKey);
    return table.columns.flatMap(({ name: column, typeOid, type }) => {
      const kind = valueKind(typeOid, catalog.types);
      const name = { ...nameOf(table), column };
      const given = { kind, exempt: exempt.has(column) };
      if (kind.of === 'plain' || !isSecretColumn(table.name, column)) return [];
      if (wholeRedaction(config, name, given) !== null || decisionFor(config, name, given) !== null)
        return [];
      return [`${keyOf(table)}.${column} (${whyNot(config, { ...given, type })})`];
    });
  });
  if (found.length === 0) return [];
  const more = found.length - MAX_LISTED;
  const list = [...found.slice(0, MAX_LISTED), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
  return [
    `These columns look like secrets and are not redacted: ${list}. For each, add a rule under redact or list it under secrets.allow.`,
  ];
}

function whyNot(
  { secrets }: TrackingConfig,
  { kind, exempt, type }: { readonly kind: ValueKind; readonly exempt: boolean; readonly type: string },
): string {
  if (!secrets.defaults) return 'secrets.defaults is false';
  return exempt && holdsText(kind) ? 'key, id, modifier or tenant' : `type ${type}`;
}
