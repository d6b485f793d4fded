import { isNamedBy } from './column-lists.js';
import { namesKeys } from './column-uses.js';
import type { KeyPath } from './document.js';
import { ruleFor } from './match.js';
import { columnsMeant } from './member-path.js';
import { nameColumns } from './name-paths.js';
import { matchesColumn, matchesTable, type ColumnName, type TableName } from './names.js';
import type { AllowRule, RedactRule, RedactWith, TableRule, TrackingConfig } from './rules.js';
import { isSecretColumn, isSecretName } from './secrets.js';
import { holdsText, type ValueKind } from './value-kind.js';

/** What is redacted of a column's values, DECISIONS 63. */
export interface Redaction {
  /** How the whole value is stored; null: as it is, but for `within`. */
  readonly whole: RedactWith | null;
  /** Members and texts are looked at for secrets, where the type holds such. */
  readonly within: boolean;
  /** What has decided about the whole value; null: nothing has. */
  readonly because: RedactionReason | null;
}

/**
 * What decides about a column or a member: a key of the YAML, its name (`secrets.defaults`), or a rule that
 * knows the column by an earlier name.
 */
export type RedactionReason =
  | { readonly is: 'key'; readonly path: KeyPath }
  | { readonly is: 'name' }
  | { readonly is: 'earlier name'; readonly as: ColumnName };

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
export const decisionFor = (
  config: TrackingConfig,
  name: ColumnName,
  options: { readonly exempt: boolean },
): Decision => decide(config, name, options)?.decision ?? null;

interface Decided {
  readonly decision: RedactWith | 'allow';
  readonly because: RedactionReason;
}

/** {@link decisionFor} with the key that has decided; null: none has. */
function decide(
  config: TrackingConfig,
  name: ColumnName,
  { exempt }: { readonly exempt: boolean },
): Decided | null {
  const rule = ruleFor(config, name);
  const list = rule === undefined || exempt ? null : unlistedBy(rule, name.column);
  if (list !== null) return { decision: DROP, because: { is: 'key', path: ['tables', rule!.pattern, list] } };
  const redacting = ruleOfColumn(config, name);
  if (redacting !== undefined) return { decision: redacting.with, because: ruleReason(config, redacting) };
  const allowing = config.secrets.allow.findIndex((allow) => allows(allow, name));
  return allowing < 0
    ? null
    : { decision: 'allow', because: { is: 'key', path: ['secrets', 'allow', allowing] } };
}

/** How a column's values are stored: the first rule of `redact` that matches; null: as they are. */
export const redactionFor = (config: TrackingConfig, name: ColumnName): RedactWith | null =>
  ruleOfColumn(config, name)?.with ?? null;

const ruleOfColumn = (config: TrackingConfig, { column, ...table }: ColumnName): RedactRule | undefined =>
  rulesOf(config, table).find(({ columns }) => columns.some((pattern) => matchesColumn(pattern, column)));

const ruleReason = ({ redact }: TrackingConfig, rule: RedactRule): RedactionReason => ({
  is: 'key',
  path: ['redact', redact.indexOf(rule)],
});

/** Rules of `redact` for a table. */
export const rulesOf = ({ redact }: TrackingConfig, table: TableName): readonly RedactRule[] =>
  redact.filter(({ tables }) => tables === null || tables.some((pattern) => matchesTable(pattern, table)));

/** Whether a column is said to be no secret. */
export const isAllowed = ({ secrets }: TrackingConfig, name: ColumnName): boolean =>
  secrets.allow.some((allow) => allows(allow, name));

const allows = (allow: AllowRule, name: ColumnName): boolean =>
  (allow.table === null || matchesTable(allow.table, name)) && matchesColumn(allow.name, name.column);

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
  options: {
    readonly kind: ValueKind;
    readonly exempt: boolean;
    readonly followed: { readonly as: ColumnName; readonly with: RedactWith } | null;
  },
): Redaction {
  const within = !options.exempt;
  const decided = decide(config, name, options);
  if (decided !== null) {
    const { decision, because } = decided;
    return { whole: decision === 'allow' ? null : decision, within, because };
  }
  const { followed } = options;
  if (followed !== null) {
    const { as } = followed;
    // What is remembered under its present name is what that name says.
    const isOwn = as.column === name.column && as.table === name.table && as.schema === name.schema;
    return { whole: followed.with, within, because: isOwn ? { is: 'name' } : { is: 'earlier name', as } };
  }
  return isDefaultSecret(config, name, options)
    ? { whole: MASK, within, because: { is: 'name' } }
    : { whole: null, within, because: null };
}

/**
 * How a member of JSON or hstore is stored; null: as it is. `name` is its name, `path` the column and the
 * names down to it, with dots between them. `byDefault`: numbers and booleans are no secrets. `rule`: the one
 * of `redact` that says so; null: its name does.
 */
export type MemberRedaction = (
  name: string,
  path: () => string,
) => { readonly with: RedactWith; readonly byDefault: boolean; readonly rule: RedactRule | null } | null;

/** What has decided about a member. */
export const memberReason = (config: TrackingConfig, rule: RedactRule | null): RedactionReason =>
  rule === null ? { is: 'name' } : ruleReason(config, rule);

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
      if (found !== undefined) return { with: found.rule.with, byDefault: false, rule: found.rule };
      if (!defaults || !isSecretName(member)) return null;
      const allowed = allow.some(({ table, name: pattern }) =>
        matchesColumn(pattern, table === null ? member : path),
      );
      return allowed ? null : { with: MASK, byDefault: true, rule: null };
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
export const isListed = (rule: TableRule, column: string): boolean => unlistedBy(rule, column) === null;

/** The list by which a column may not be stored; null: it may. */
function unlistedBy(rule: TableRule, column: string): 'only' | 'except' | null {
  const { only, except } = rule;
  const isIn = only === null || only.some((pattern) => matchesColumn(pattern, column));
  const list = !isIn ? 'only' : except.some((item) => isNamedBy(item, column)) ? 'except' : null;
  return list !== null && shownColumns(rule).includes(column) ? null : list;
}

/** Columns that entries show by other keys of a rule than `only` and `except`. */
const shownColumns = (rule: TableRule): readonly string[] => [
  ...(rule.id ?? []),
  ...nameColumns(rule),
  ...rule.modifier.map(({ column }) => column),
  ...(rule.tenant === null ? [] : [rule.tenant]),
  ...[...rule.labels.keys(), ...rule.values.keys()].flatMap(columnsMeant),
  ...[...rule.typedLabels].flatMap(([column, { type }]) => [column, type]),
  ...rule.bits.keys(),
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
