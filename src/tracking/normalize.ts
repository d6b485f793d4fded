import { createHash } from 'node:crypto';
import type { ActionFile } from './action-schema.js';
import {
  toLabel,
  toModifierRules,
  toModifiers,
  toName,
  toTemplate,
  toWitnesses,
} from './attribution-config.js';
import { effectiveTables } from './inherit.js';
import { columnName } from './names.js';
import type { Places } from './places.js';
import { DEFAULT_BASELINE_ROWS } from './rules.js';
import type {
  ActionRule,
  Definition,
  LabelRule,
  ModifiersRule,
  RedactWith,
  TableRule,
  TrackingConfig,
  TypedLabel,
} from './rules.js';
import { parseDuration, type TrackingFile } from './schema.js';
import { toSession } from './session-file.js';
import { defaultSlot } from './slot-name.js';
import { toWanted, toWhen } from './wanted.js';

const DAY_MS = 86_400_000;

/**
 * Converts the checked file into the form that the rest of Waltrail uses: canonical names, parsed templates,
 * durations as numbers.
 */
export function toConfig(file: TrackingFile, places: Places): TrackingConfig {
  return withLookupTenants(asWritten(file, places));
}

function asWritten(file: TrackingFile, places: Places): TrackingConfig {
  const retention = file.trail.retention;
  const tables = effectiveTables(file);
  const modifiers = toModifiers(file.modifiers);
  const {
    on_gap: onGap,
    event_trigger: eventTrigger,
    on_new_table: onNewTable,
    slot,
    ...source
  } = file.source;
  return {
    source: {
      ...source,
      slot: slot ?? defaultSlot(source.name),
      slotNamed: slot !== undefined,
      onGap,
      eventTrigger,
      onNewTable,
    },
    trail: {
      url: file.trail.url,
      ...(file.trail.urls === undefined ? {} : { urls: given(file.trail.urls) }),
      retentionDays:
        retention === undefined || retention === 'forever' ? null : parseDuration(retention)! / DAY_MS,
    },
    reports: toReports(file.reports),
    modifiers,
    attribution: toWitnesses(file.attribution, modifiers),
    session: toSession(file.session, modifiers),
    messages: { trustNames: file.messages.trust_names, signingKeys: file.messages.signing_keys },
    redact: file.redact.map((rule) => ({
      columns: rule.columns,
      tables: rule.tables?.map(toName) ?? null,
      with: toRedactWith(rule.with),
    })),
    secrets: {
      defaults: file.secrets.defaults,
      allow: file.secrets.allow.map((text) => columnName(text)!),
    },
    tables: tables.map(({ key, rule }) => toTable(key, rule, modifiers)),
    actionNames: new Map(Object.entries(file.action_names ?? {})),
    exclude: file.exclude.map(toName),
    definition: toDefinition(file),
    places: places.withOrigins(new Map(tables.map(({ key, origins }) => [toName(key), origins]))),
  };
}

function toReports({ max_range: longest, timezone }: TrackingFile['reports']): TrackingConfig['reports'] {
  const maxRangeMs = parseDuration(longest)!;
  return { maxRangeMs, maxRangeDays: longest.endsWith('d') ? maxRangeMs / DAY_MS : null, timezone };
}

function toDefinition({
  source: _source,
  trail: _trail,
  reports: _reports,
  messages: { signing_keys: _keys, ...messages },
  ...tracking
}: TrackingFile): Definition {
  const document = JSON.stringify({ ...tracking, messages });
  return { document, digest: createHash('sha256').update(document).digest('hex') };
}

/** Gives all lookups in a table the same tenant column, even if only one of its labels names it. */
function withLookupTenants(config: TrackingConfig): TrackingConfig {
  const { modifiers, tables } = config;
  const named = new Map<string, string>();
  const labels = tables.flatMap(({ labels, typedLabels }) => [
    ...labels.values(),
    ...[...typedLabels.values()].flatMap(({ of }) => [...of.values()]),
  ]);
  for (const { table, tenant } of [...modifiers, ...labels])
    if (tenant !== null && !named.has(table)) named.set(table, tenant);
  const withTenant = <T extends LabelRule>(label: T): T => ({
    ...label,
    tenant: named.get(label.table) ?? null,
  });
  return {
    ...config,
    modifiers: modifiers.map(withTenant),
    tables: tables.map((table) => ({
      ...table,
      labels: mapped(table.labels, withTenant),
      typedLabels: mapped(table.typedLabels, (label) => ({ ...label, of: mapped(label.of, withTenant) })),
    })),
  };
}

type TableFile = NonNullable<TrackingFile['tables'][string]>;

function toTable(key: string, rule: TableFile, modifiers: readonly ModifiersRule[]): TableRule {
  return {
    pattern: toName(key),
    entity: rule.entity ?? null,
    oneHistory: rule.one_history ?? false,
    name: rule.name === undefined ? null : rule.name === false ? [] : toTemplate(rule.name),
    id: rule.id === undefined ? null : [rule.id].flat(),
    modifier: toModifierRules(rule.modifier, modifiers),
    ...toTenant(rule.tenant),
    only: rule.only ?? null,
    except: rule.except ?? [],
    newPartitions: rule.new_partitions ?? null,
    ignore: rule.ignore ?? [],
    operations: rule.operations ?? null,
    baseline: toBaseline(rule.baseline),
    where: toWhen(rule.where),
    labels: new Map(
      Object.entries(rule.labels ?? {}).flatMap(([column, label]): [string, LabelRule][] =>
        'types' in label ? [] : [[column, toLabel(label)]],
      ),
    ),
    typedLabels: new Map(
      Object.entries(rule.labels ?? {}).flatMap(([column, label]): [string, TypedLabel][] =>
        'types' in label
          ? [[column, { type: label.type, of: mapped(new Map(Object.entries(label.types)), toLabel) }]]
          : [],
      ),
    ),
    ...toWords(rule.values),
    actions: (rule.actions ?? []).map(toAction),
  };
}

const toBaseline = (file: TableFile['baseline']): TableRule['baseline'] =>
  typeof file === 'object'
    ? (file.max_rows ?? DEFAULT_BASELINE_ROWS)
    : file === true
      ? DEFAULT_BASELINE_ROWS
      : null;

function toWords(file: TableFile['values'] = {}): Pick<TableRule, 'values' | 'bits'> {
  const values = new Map<string, ReadonlyMap<string, string>>();
  const bits = new Map<string, ReadonlyMap<number, string>>();
  for (const [column, words] of Object.entries(file)) {
    const ofBits = words['bits'];
    if (typeof ofBits === 'object')
      bits.set(column, new Map(Object.entries(ofBits).map(([bit, word]) => [Number(bit), word])));
    // Loading has refused everything but words here.
    else values.set(column, new Map(Object.entries(words as Record<string, string>)));
  }
  return { values, bits };
}

function toTenant(file: TableFile['tenant']): Pick<TableRule, 'tenant' | 'tenantOf' | 'tenantless'> {
  const tenantless = file === false;
  if (typeof file !== 'object') return { tenant: file || null, tenantOf: null, tenantless };
  const { via, table, key, tenant = null } = file;
  return { tenant: via, tenantOf: { table: toName(table), key, tenant }, tenantless };
}

const toAction = (rule: ActionFile): ActionRule => ({
  on: [rule.on].flat(),
  changed: rule.changed === undefined ? null : [rule.changed].flat(),
  from: rule.from === undefined ? null : toWanted(rule.from),
  to: rule.to === undefined ? null : toWanted(rule.to),
  increased: [rule.increased ?? []].flat(),
  decreased: [rule.decreased ?? []].flat(),
  when: toWhen(rule.when),
  action: rule.action,
});

function toRedactWith(method: TrackingFile['redact'][number]['with']): RedactWith {
  if (typeof method === 'object') return { method: 'truncate', length: method.truncate };
  if (method === 'drop' || method === 'mask' || method === 'hash') return { method };
  return { method: 'truncate', length: Number(method.slice('truncate:'.length)) };
}

const mapped = <A, B>(map: ReadonlyMap<string, A>, to: (value: A) => B): ReadonlyMap<string, B> =>
  new Map([...map].map(([key, value]) => [key, to(value)]));

/** Returns an object without the keys that have no value. */
const given = <T extends object>(members: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
