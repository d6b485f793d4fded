import { isNamedBy } from './column-lists.js';
import { namesKeys } from './column-uses.js';
import type { KeyPath } from './document.js';
import { ruleFor } from './match.js';
import { columnsMeant } from './member-path.js';
import { nameColumns } from './name-paths.js';
import { matchesColumn, mayMatchColumn, matchesTable, type ColumnName, type TableName } from './names.js';
import type { AllowRule, RedactRule, RedactWith, TableRule, TrackingConfig } from './rules.js';
import { isSecretColumn, isSecretName } from './secrets.js';
import { holdsText, type ValueKind } from './value-kind.js';

/** How the values of a column are redacted (DECISIONS 63). */
export interface Redaction {
  /** How the whole value is stored. Null: as it is, except for what `within` redacts. */
  readonly whole: RedactWith | null;
  /** Whether members and texts are searched for secrets, where the type holds them. */
  readonly within: boolean;
  /** The reason for the decision about the whole value; null: there was no decision. */
  readonly because: RedactionReason | null;
}

/**
 * The reason for a decision about a column or member: a key of the YAML, the name (`secrets.defaults`), or a
 * rule for an earlier name of the column.
 */
export type RedactionReason =
  | { readonly is: 'key'; readonly path: KeyPath }
  | { readonly is: 'name' }
  | { readonly is: 'earlier name'; readonly as: ColumnName };

/**
 * A decision of the YAML about a column: how it is redacted, or that it is not (`allow`). Null: no decision.
 */
export type Decision = RedactWith | 'allow' | null;

const MASK: RedactWith = { method: 'mask' };
const DROP: RedactWith = { method: 'drop' };

/**
 * Returns what the YAML decides about a column. The first of these counts: the table's `only` and `except`,
 * the first matching rule of `redact`, `secrets.allow`.
 *
 * @param options.exempt whether `only` and `except` do not apply: keys, ids, modifiers and tenants
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

/** {@link decisionFor}, with the key that decides; null: none does. */
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

/** Returns how a column's values are stored, by the first matching rule of `redact`; null: as they are. */
export const redactionFor = (config: TrackingConfig, name: ColumnName): RedactWith | null =>
  ruleOfColumn(config, name)?.with ?? null;

const ruleOfColumn = (config: TrackingConfig, { column, ...table }: ColumnName): RedactRule | undefined =>
  rulesOf(config, table).find(({ columns }) => columns.some((pattern) => matchesColumn(pattern, column)));

const ruleReason = ({ redact }: TrackingConfig, rule: RedactRule): RedactionReason => ({
  is: 'key',
  path: ['redact', redact.indexOf(rule)],
});

/** Returns the rules of `redact` for a table. */
export const rulesOf = ({ redact }: TrackingConfig, table: TableName): readonly RedactRule[] =>
  redact.filter(({ tables }) => tables === null || tables.some((pattern) => matchesTable(pattern, table)));

/** Whether `secrets.allow` lists a column. */
export const isAllowed = ({ secrets }: TrackingConfig, name: ColumnName): boolean =>
  secrets.allow.some((allow) => allows(allow, name));

const allows = (allow: AllowRule, name: ColumnName): boolean =>
  (allow.table === null || matchesTable(allow.table, name)) && matchesColumn(allow.name, name.column);

/**
 * Whether the defaults mask a column because of its name.
 *
 * @param options.exempt whether it is a key, id, modifier or tenant, which the defaults never mask
 */
export const isDefaultSecret = (
  { secrets }: TrackingConfig,
  name: ColumnName,
  options: { readonly kind: ValueKind; readonly exempt: boolean },
): boolean =>
  secrets.defaults && !options.exempt && holdsText(options.kind) && isSecretColumn(name.table, name.column);

/** Returns how the whole value of a column of this name is redacted; null: not at all. */
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
 * Returns how the values of a column are redacted.
 *
 * @param options.followed the redaction that applied under an earlier name; null: none
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
    // A redaction that is remembered under the present name comes from that name.
    const isOwn = as.column === name.column && as.table === name.table && as.schema === name.schema;
    return { whole: followed.with, within, because: isOwn ? { is: 'name' } : { is: 'earlier name', as } };
  }
  return isDefaultSecret(config, name, options)
    ? { whole: MASK, within, because: { is: 'name' } }
    : { whole: null, within, because: null };
}

/**
 * Returns how a member of JSON or hstore is stored; null: as it is. `name` is its name, `path` the column and
 * all names down to it, joined by dots. `byDefault`: numbers and booleans count as no secrets. `rule`: the
 * rule of `redact` that decides; null: the name decides.
 */
export type MemberRedaction = (
  name: string,
  path: () => string,
) => { readonly with: RedactWith; readonly byDefault: boolean; readonly rule: RedactRule | null } | null;

/** Returns the reason for a decision about a member. */
export const memberReason = (config: TrackingConfig, rule: RedactRule | null): RedactionReason =>
  rule === null ? { is: 'name' } : ruleReason(config, rule);

/** The redaction of the members of a column. */
interface CompiledMembers {
  readonly of: MemberRedaction;
  /** Whether a member of this name may be redacted, whatever its path. */
  readonly mayBe: (name: string) => boolean;
  /** Whether paths are needed. */
  readonly byPath: boolean;
  /** Whether no member is redacted. */
  readonly isEmpty: boolean;
}

/** Compiles the rules for the members of a column. Leaves out rules for paths in other columns. */
export function memberRedaction(config: TrackingConfig, name: ColumnName): CompiledMembers {
  const begins = `${name.column}.`;
  const rules = rulesOf(config, name)
    .flatMap((rule) => rule.columns.map((pattern) => ({ pattern, rule, isPath: pattern.includes('.') })))
    .filter(({ pattern, isPath }) => !isPath || mayMatchColumn(pattern, { begins, ends: '' }));
  const { defaults } = config.secrets;
  const allow = config.secrets.allow.filter(
    ({ table, name: allowed }) =>
      table === null ||
      (allowed.includes('.') && matchesTable(table, name) && mayMatchColumn(allowed, { begins, ends: '' })),
  );
  const isAllowedEverywhere = (member: string): boolean =>
    allow.some(({ table, name: pattern }) => table === null && matchesColumn(pattern, member));
  const byPath = rules.some(({ isPath }) => isPath) || allow.some(({ table }) => table !== null);
  return {
    byPath,
    isEmpty: rules.length === 0 && !defaults,
    mayBe: (member) =>
      (defaults && isSecretName(member) && !isAllowedEverywhere(member)) ||
      rules.some(({ pattern, isPath }) =>
        isPath ? mayMatchColumn(pattern, { begins, ends: `.${member}` }) : matchesColumn(pattern, member),
      ),
    of: (member, pathOf) => {
      const path = byPath ? pathOf() : member;
      const found = rules.find(({ pattern, isPath }) => matchesColumn(pattern, isPath ? path : member));
      if (found !== undefined) return { with: found.rule.with, byDefault: false, rule: found.rule };
      if (!defaults || !isSecretName(member)) return null;
      const isAllowed =
        isAllowedEverywhere(member) ||
        allow.some(({ table, name: pattern }) => table !== null && matchesColumn(pattern, path));
      return isAllowed ? null : { with: MASK, byDefault: true, rule: null };
    },
  };
}

/**
 * Returns a function that decides whether a member of the context of a logical message is masked; see {@link
 * MemberRedaction}.
 */
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

/** Whether a pattern of `redact` applies to the context of logical messages only. */
export const isOfContext = (pattern: string): boolean => /^context\./i.test(pattern);

/** Whether a column may be stored by `only` and `except` of the rule. */
export const isListed = (rule: TableRule, column: string): boolean => unlistedBy(rule, column) === null;

/** Returns the list by which a column may not be stored; null: it may be stored. */
function unlistedBy(rule: TableRule, column: string): 'only' | 'except' | null {
  const { only, except } = rule;
  const isIn = only === null || only.some((pattern) => matchesColumn(pattern, column));
  const list = !isIn ? 'only' : except.some((item) => isNamedBy(item, column)) ? 'except' : null;
  return list !== null && shownColumns(rule).includes(column) ? null : list;
}

/** Columns that entries show because of other keys of a rule than `only` and `except`. */
const shownColumns = (rule: TableRule): readonly string[] => [
  ...(rule.id ?? []),
  ...nameColumns(rule),
  ...rule.modifier.map(({ column }) => column),
  ...(rule.tenant === null ? [] : [rule.tenant]),
  ...[...rule.labels.keys(), ...rule.values.keys()].flatMap(columnsMeant),
  ...[...rule.typedLabels].flatMap(([column, { type }]) => [column, type]),
  ...rule.bits.keys(),
];

/** Columns that identify rows or state whose they are. The defaults never mask them. */
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
