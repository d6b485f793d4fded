import { isNamedBy } from './column-lists.js';
import { namesKeys } from './column-uses.js';
import { ruleFor } from './match.js';
import { nameColumns } from './name-paths.js';
import { matchesColumn, matchesTable, type ColumnName, type TableName } from './names.js';
import type { RedactRule, RedactWith, TableRule, TrackingConfig } from './rules.js';
import { isSecretColumn, isSecretName } from './secrets.js';
import { holdsText, type ValueKind } from './value-kind.js';

/** What is redacted of a column's values, DECISIONS 63. */
export interface Redaction {
  /** How the whole value is stored; null: as it is, but for `within`. */
  readonly whole: RedactWith | null;
  /** Members and texts are looked at for secrets, where the type holds such. */
  readonly within: boolean;
}

/** A decision of the YAML about a column: how it is redacted, or that it is not (`allow`); null: none. */
export type Decision = RedactWith | 'allow' | null;

const MASK: RedactWith = { method: 'mask' };
const DROP: RedactWith = { method: 'drop' };

/**
 * What the YAML says of a column: not in the list of the table's columns, the first rule of `redact` that
 * matches, or `secrets.allow`.
 *
 * @param options.exempt from the list: keys, ids, modifiers and tenants
 */
export function decisionFor(
  config: TrackingConfig,
  name: ColumnName,
  { exempt }: { readonly exempt: boolean },
): Decision {
  const rule = ruleFor(config, name);
  if (rule !== undefined && !exempt && !isListed(rule, name.column)) return DROP;
  return redactionFor(config, name) ?? (isAllowed(config, name) ? 'allow' : null);
}

/** How a column's values are stored: the first rule of `redact` that matches; null: as they are. */
export function redactionFor(config: TrackingConfig, name: ColumnName): RedactWith | null {
  const { column, ...table } = name;
  const rule = rulesOf(config, table).find(({ columns }) =>
    columns.some((pattern) => matchesColumn(pattern, column)),
  );
  return rule?.with ?? null;
}

/** Rules of `redact` for a table. */
export const rulesOf = ({ redact }: TrackingConfig, table: TableName): readonly RedactRule[] =>
  redact.filter(({ tables }) => tables === null || tables.some((pattern) => matchesTable(pattern, table)));

/** Whether a column is said to be no secret. */
export const isAllowed = ({ secrets }: TrackingConfig, name: ColumnName): boolean =>
  secrets.allow.some(
    (allow) =>
      (allow.table === null || matchesTable(allow.table, name)) && matchesColumn(allow.name, name.column),
  );

/**
 * Whether the defaults mask a column for its name.
 *
 * @param options.exempt keys, ids, modifiers and tenants
 */
export const isDefaultSecret = (
  { secrets }: TrackingConfig,
  name: ColumnName,
  options: { readonly kind: ValueKind; readonly exempt: boolean },
): boolean =>
  secrets.defaults && !options.exempt && holdsText(options.kind) && isSecretColumn(name.table, name.column);

/** How the whole value of a column of this name is redacted; null: it is not. */
export function wholeRedaction(
  config: TrackingConfig,
  name: ColumnName,
  options: { readonly kind: ValueKind; readonly exempt: boolean },
): RedactWith | null {
  const decision = decisionFor(config, name, options);
  if (decision === 'allow') return null;
  return decision ?? (isDefaultSecret(config, name, options) ? MASK : null);
}

/**
 * What becomes of the values of a column.
 *
 * @param options.followed what held for it under an earlier name; null: nothing
 */
export function redactionOf(
  config: TrackingConfig,
  name: ColumnName,
  options: { readonly kind: ValueKind; readonly exempt: boolean; readonly followed: RedactWith | null },
): Redaction {
  const within = !options.exempt;
  const decision = decisionFor(config, name, options);
  if (decision === 'allow') return { whole: null, within };
  return { whole: decision ?? options.followed ?? wholeRedaction(config, name, options), within };
}

/**
 * How a member of JSON or hstore is stored; null: as it is. `name` is its name, `path` the column and the
 * names down to it, with dots between them. `byDefault`: numbers and booleans are no secrets.
 */
export type MemberRedaction = (
  name: string,
  path: () => string,
) => { readonly with: RedactWith; readonly byDefault: boolean } | null;

/**
 * Compiles what holds for the members of a column.
 *
 * @returns `byPath` whether paths are asked for; `isEmpty` where no member is redacted
 */
export function memberRedaction(
  config: TrackingConfig,
  name: ColumnName,
): { readonly of: MemberRedaction; readonly byPath: boolean; readonly isEmpty: boolean } {
  const rules = rulesOf(config, name).flatMap((rule) => rule.columns.map((pattern) => ({ pattern, rule })));
  const { defaults } = config.secrets;
  const allow = config.secrets.allow.filter(
    ({ table, name: allowed }) => table === null || (allowed.includes('.') && matchesTable(table, name)),
  );
  const byPath =
    rules.some(({ pattern }) => pattern.includes('.')) || allow.some(({ table }) => table !== null);
  return {
    byPath,
    isEmpty: rules.length === 0 && !defaults,
    of: (member, pathOf) => {
      const path = byPath ? pathOf() : member;
      const found = rules.find(({ pattern }) =>
        matchesColumn(pattern, pattern.includes('.') ? path : member),
      );
      if (found !== undefined) return { with: found.rule.with, byDefault: false };
      if (!defaults || !isSecretName(member)) return null;
      const allowed = allow.some(({ table, name: pattern }) =>
        matchesColumn(pattern, table === null ? member : path),
      );
      return allowed ? null : { with: MASK, byDefault: true };
    },
  };
}

/** Whether a member of the context of a logical message is masked; see {@link MemberRedaction}. */
export function contextRedaction(
  config: Pick<TrackingConfig, 'redact' | 'secrets'>,
): (name: string, path: () => string) => 'by rule' | 'by default' | null {
  const patterns = config.redact.filter(({ tables }) => tables === null).flatMap(({ columns }) => columns);
  const byPath = patterns.filter((pattern) => pattern.includes('.'));
  const byName = patterns.filter((pattern) => !pattern.includes('.'));
  const { allow, defaults } = config.secrets;
  return (name, pathOf) => {
    if (byName.some((pattern) => matchesColumn(pattern, name))) return 'by rule';
    const path = byPath.length === 0 ? '' : pathOf();
    if (byPath.some((pattern) => matchesColumn(pattern, path))) return 'by rule';
    const allowed = allow.some((rule) => rule.table === null && matchesColumn(rule.name, name));
    return defaults && !allowed && isSecretName(name) ? 'by default' : null;
  };
}

/** Patterns of `redact` that are about the context of logical messages alone. */
export const isOfContext = (pattern: string): boolean => /^context\./i.test(pattern);

/** Whether a column may be stored: every one, or as `only` and `except` of the rule say. */
export function isListed(rule: TableRule, column: string): boolean {
  const { only, except } = rule;
  if (only === null && except.length === 0) return true;
  const isIn =
    (only === null || only.some((pattern) => matchesColumn(pattern, column))) &&
    !except.some((item) => isNamedBy(item, column));
  return isIn || shownColumns(rule).includes(column);
}

/** Columns that entries show by other keys of a rule than `only` and `except`. */
const shownColumns = (rule: TableRule): readonly string[] => [
  ...(rule.id ?? []),
  ...nameColumns(rule),
  ...rule.modifier.map(({ column }) => column),
  ...(rule.tenant === null ? [] : [rule.tenant]),
  ...rule.labels.keys(),
  ...[...rule.typedLabels].flatMap(([column, { type }]) => [column, type]),
  ...rule.values.keys(),
];

/** Columns of a table that tell rows apart or say whose they are: the defaults never mask them. */
export function exemptColumns(
  config: TrackingConfig,
  table: TableName,
  primaryKey: readonly string[],
): ReadonlySet<string> {
  const rule = ruleFor(config, table);
  return new Set([
    ...primaryKey,
    ...namesKeys(config, table),
    ...(rule?.id ?? []),
    ...(rule?.modifier ?? []).map(({ column }) => column),
    ...(rule?.tenant == null ? [] : [rule.tenant]),
  ]);
}
