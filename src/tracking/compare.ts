import type { Catalog, CatalogTable } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { trackedKeys } from './configuration-tables.js';
import { ruleFor } from './match.js';
import { compareRedaction, compareRedactRules } from './compare-redaction.js';
import {
  changed,
  listed,
  mapped,
  type Aspect,
  type ConfigurationChange,
  type Said,
} from './configuration-change.js';
import type { TableRule, TrackingConfig } from './rules.js';
import { nameOf } from './tracked.js';

/**
 * Describes in words how a configuration differs from an older one, for the tables that the source has.
 * Changes that expose values come first, then tables that begin or cease to be tracked. Pure.
 */
export function compareConfigurations(options: {
  readonly old: TrackingConfig;
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): readonly ConfigurationChange[] {
  const { old, config, catalog } = options;
  const [before, after] = [old, config].map((one) => trackedKeys(one, catalog)) as [
    ReadonlySet<string>,
    ReadonlySet<string>,
  ];
  const byTable = [...new Set([...before, ...after])].flatMap((key) => {
    const said = (one: Said): ConfigurationChange => ({ ...one, tables: [key] });
    if (!before.has(key)) return [said(tracking('tracked from now on'))];
    if (!after.has(key)) return [said(tracking('no longer tracked'))];
    return compareTable(indexOf(catalog).tables.get(key)!, options).map(said);
  });
  const ofAll = [...compareWhole(old, config), ...compareRedactRules(old, config)];
  const all = [...ofAll.map((one) => ({ ...one, tables: [] })), ...together(byTable)];
  const weightOf = ({ exposes, aspect }: ConfigurationChange): number =>
    exposes ? 0 : aspect === 'tracking' ? 1 : 2;
  return all.sort((a, b) => weightOf(a) - weightOf(b));
}

const tracking = (says: string): Said => ({ aspect: 'tracking', says, exposes: false });

/** Merges equal changes of several tables into one change with all these tables. */
function together(changes: readonly ConfigurationChange[]): ConfigurationChange[] {
  const found = new Map<string, ConfigurationChange>();
  for (const change of changes) {
    const key = JSON.stringify([change.aspect, change.says]);
    const known = found.get(key);
    found.set(key, known === undefined ? change : { ...known, tables: [...known.tables, ...change.tables] });
  }
  return [...found.values()];
}

function compareTable(
  table: CatalogTable,
  { old, config, catalog }: Parameters<typeof compareConfigurations>[0],
): readonly Said[] {
  const [before, after] = [old, config].map((one) => ruleFor(one, nameOf(table))!) as [TableRule, TableRule];
  const said = ASPECTS.flatMap(([aspect, of]) =>
    of(before, after).map((says): Said => ({ aspect, says, exposes: false })),
  );
  return [...compareRedaction({ table, old, config, catalog }), ...said];
}

/** The aspects of a table's rule, each with how a difference reads. */
const ASPECTS: readonly (readonly [Aspect, (before: TableRule, after: TableRule) => string[]])[] = [
  ['entity', (a, b) => changed(a.entity, b.entity)],
  ['entity', (a, b) => changed(a.oneHistory, b.oneHistory, 'one_history')],
  ['name', (a, b) => changed(a.name, b.name)],
  ['id', (a, b) => changed(a.id, b.id)],
  ['modifier', (a, b) => listed(a.modifier, b.modifier, ({ column }) => column)],
  ['tenant', (a, b) => changed(tenantOf(a), tenantOf(b))],
  ['operations', (a, b) => changed(a.operations, b.operations)],
  ['baseline', (a, b) => changed(a.baseline, b.baseline)],
  ['where', (a, b) => mapped(a.where, b.where)],
  ['ignore', (a, b) => listed(a.ignore, b.ignore, (column) => column)],
  ['labels', (a, b) => mapped(labelsOf(a), labelsOf(b))],
  ['values', (a, b) => mapped(wordsOf(a), wordsOf(b))],
  ['actions', (a, b) => listed(a.actions, b.actions, ({ action }) => action)],
];

const tenantOf = ({ tenant, tenantOf }: TableRule): unknown =>
  tenantOf === null ? tenant : { via: tenant, ...tenantOf };

const wordsOf = ({ values, bits }: TableRule): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([...values, ...bits]);

const labelsOf = ({ labels, typedLabels }: TableRule): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([...labels, ...typedLabels]);

/** Compares the keys that concern all tables. */
function compareWhole(old: TrackingConfig, config: TrackingConfig): readonly Said[] {
  const said = (aspect: Aspect, texts: readonly string[]): readonly Said[] =>
    texts.map((says) => ({ aspect, says, exposes: false }));
  return [
    ...said(
      'modifiers',
      listed(old.modifiers, config.modifiers, ({ called, table }) => called ?? table),
    ),
    ...said(
      'attribution',
      listed(old.attribution, config.attribution, ({ table }) => table),
    ),
    ...said('session', changed(old.session, config.session)),
    ...said('messages', changed(old.messages.trustNames, config.messages.trustNames, 'trust_names')),
    ...said('action_names', mapped(old.actionNames, config.actionNames)),
  ];
}
