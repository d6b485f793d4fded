import type { Relation } from '../pgoutput/reader.js';
import { isIgnored } from '../tracking/column-lists.js';
import { lookupTenant, ruleFor } from '../tracking/match.js';
import { formatTable } from '../tracking/names.js';
import type { LabelRule, ModifiersRule, TableRule, TrackingConfig } from '../tracking/rules.js';
import { templateColumns } from '../tracking/template.js';
import type { CatalogType } from '../tracking/value-kind.js';
import { orderOf } from '../tracking/value-order.js';
import { compileActions, type Column, type CompiledRule } from './classification.js';
import { compileFilters, type RowFilters } from './row-filter.js';
import type { ComparedRelation } from './difference.js';
import type { NamePart } from './naming.js';
import { columnRedactions, type ColumnRedaction } from './column-redactions.js';
import type { EntityTypes } from './entity-types.js';
import { followRelation } from './followed-columns.js';
import { findKey, type KnownKey } from './known-key.js';
import { unsentIdentity } from './old-row.js';
import { FIRST_COLUMN, type Dictionary, type RelationVersion } from './ports.js';
import type { Redactor } from './redaction.js';
import { lookAt, type LookedAt } from './row-look.js';
import { plainNameOf, planName, planTemplate, valueLabelsOf } from './row-name.js';
import { NO_FACTS, type TableFacts } from './table-facts.js';

/** Everything the pipeline needs to know of one relation version, computed once per Relation message. */
export interface RelationPlan {
  readonly relation: Relation;
  readonly qualifiedName: string;
  /** Null: not tracked; its rows may still be names for others. */
  readonly tracked: TrackedPlan | null;
  /** What its rows say about modifiers and labels. */
  readonly names: readonly NamesPlan[];
  /** Columns of its primary key where the table is partitioned; see old-row.ts. */
  readonly rootKey: readonly number[] | null;
}

export interface TrackedPlan extends ComparedRelation, LookedAt {
  readonly relationId: number;
  readonly entityTypeId: number;
  readonly redactors: readonly (Redactor | null)[];
  /** By column index: the character that stands for it in `columns`. */
  readonly columnMarks: readonly Buffer[];
  /** `columns` of a whole row; null when that is all of them. */
  readonly wholeRowColumns: Buffer | null;
  readonly idColumns: readonly number[];
  /** The id is by a primary key that the table may not have had then ({@link KnownKey}). */
  readonly hasLaterKey: boolean;
  /** Those whose change moves a row: of the id and of the tenant. */
  readonly moveColumns: readonly number[];
  readonly name: readonly NamePart[] | null;
  /** The column that is the whole name, as it was sent; -1: there is more to it. */
  readonly plainName: number;
  readonly modifierColumn: number;
  /** The application sets it with each update, also to the value that it had. */
  readonly modifierAlwaysSet: boolean;
  /** Keys are redacted like the columns they come from. */
  readonly modifierRedactor: Redactor | null;
  readonly tenantColumn: number;
  readonly onInsert: readonly CompiledRule[];
  readonly onUpdate: readonly CompiledRule[];
  readonly onDelete: readonly CompiledRule[];
  readonly onTruncate: readonly CompiledRule[];
  /** Which changes make no entry. */
  readonly filters: RowFilters;
}

/** A table that gives names to keys: the modifiers, or the words of a label. */
export interface NamesPlan {
  readonly table: string;
  readonly keyColumn: number;
  /** Column of the tenant of a row; -1: rows have none. */
  readonly tenantColumn: number;
  readonly name: readonly NamePart[];
  readonly redactors: readonly (Redactor | null)[];
  readonly kind: {
    readonly column: number;
    readonly bot: ReadonlySet<string>;
    readonly system: ReadonlySet<string>;
  } | null;
}

/**
 * Compiles the tracking of one relation version.
 *
 * @param options.xid of the transaction that its description belongs to: low 32 bits
 */
export function planRelation(options: {
  readonly relation: Relation;
  readonly config: TrackingConfig;
  readonly facts: TableFacts | undefined;
  readonly xid: number;
  readonly dictionary: Dictionary;
  readonly entityTypes: EntityTypes;
  readonly redactionKey: Buffer;
}): RelationPlan {
  const { relation, config, dictionary, entityTypes } = options;
  const { partitioned, types } = options.facts ?? NO_FACTS;
  const qualifiedName = formatTable(relation);
  const columns = byName(relation, types);
  const followed = followRelation({ ...options, facts: options.facts ?? NO_FACTS });
  const key = findKey({ ...options, followed });
  const redacted = columnRedactions({
    ...options,
    followed,
    primaryKey: key.columns.map((index) => relation.columns[index]!.name),
    remembered: dictionary.redactedColumns(relation.oid >>> 0),
  });
  const rule = ruleFor(config, relation);
  const names = planNames({ config, qualifiedName, columns, redacted });
  // Of a table that is not tracked, versions are stored for what was redacted alone.
  if (rule === undefined && names.length > 0 && redacted.some(({ remembered }) => remembered !== null))
    dictionary.relation(versionOf({ relation, redacted, rule: null }));
  return {
    relation,
    qualifiedName,
    tracked:
      rule === undefined
        ? null
        : planTracked({
            relation,
            dictionary,
            entityTypes,
            types,
            key,
            partitioned,
            rule,
            columns,
            redacted,
          }),
    names,
    rootKey: partitioned && key.columns.length > 0 ? key.columns : null,
  };
}

/** What rows of a relation say about modifiers and labels, without tracking it. */
export function planRelationNames(options: {
  readonly relation: Relation;
  readonly config: TrackingConfig;
  readonly facts: TableFacts;
  readonly redactionKey: Buffer;
}): readonly NamesPlan[] {
  const { relation, config } = options;
  return planNames({
    config,
    qualifiedName: formatTable(relation),
    columns: byName(relation, options.facts.types),
    // The description is that of the catalog.
    redacted: columnRedactions({
      ...options,
      followed: followRelation({ ...options, xid: 0 }),
      primaryKey: options.facts.primaryKey,
      remembered: new Map(),
    }),
  });
}

const byName = (
  { columns }: Relation,
  types: ReadonlyMap<number, CatalogType>,
): ReadonlyMap<string, Column> =>
  new Map(
    columns.map(({ name, typeOid }, index) => [
      name,
      { index, name, typeOid, order: orderOf(typeOid, types) },
    ]),
  );

/** What gives names to keys: the modifiers table, or a lookup table of labels. */
export type NameRule = LabelRule | ModifiersRule;

/** The modifiers table and every other lookup table, each pair of table and key once. */
export function nameRules(config: TrackingConfig): readonly NameRule[] {
  const labels = config.tables.flatMap(({ labels }) => [...labels.values()]);
  const modifiers = config.modifiers;
  const others = labels.filter(
    (label, index) =>
      label.table !== modifiers?.table && labels.findIndex(({ table }) => table === label.table) === index,
  );
  return modifiers === null ? others : [modifiers, ...others];
}

/**
 * Tables whose names are looked up while entries are made: modifiers, and labels that names of entries use.
 */
export function heldTables(config: TrackingConfig): ReadonlySet<string> {
  const held = new Set<string>();
  if (config.modifiers !== null) held.add(config.modifiers.table);
  for (const { name, labels } of config.tables) {
    for (const column of templateColumns(name ?? [])) {
      const label = labels.get(column);
      if (label !== undefined) held.add(label.table);
    }
  }
  return held;
}

function planTracked(options: {
  readonly relation: Relation;
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly key: KnownKey;
  readonly partitioned: boolean;
  readonly dictionary: Dictionary;
  readonly entityTypes: EntityTypes;
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly redacted: readonly ColumnRedaction[];
}): TrackedPlan {
  const { relation, rule, columns, dictionary, redacted, key } = options;
  const dropped = redacted.map(({ redaction }) => redaction.whole?.method === 'drop');
  const redactors = redacted.map(({ redactor }) => redactor);
  const modifier = rule.modifier?.column ?? null;
  const indexOf = (name: string | null): number => (name === null ? -1 : (columns.get(name)?.index ?? -1));
  const marks = relation.columns.map((_, index) => Buffer.from(String.fromCodePoint(FIRST_COLUMN + index)));
  const actions = (operation: 'insert' | 'update' | 'delete' | 'truncate'): readonly CompiledRule[] =>
    compileActions({ operation, rules: rule.actions, columns, actionId: (name) => dictionary.action(name) });
  const [onInsert, onUpdate, onDelete, onTruncate] = [
    actions('insert'),
    actions('update'),
    actions('delete'),
    actions('truncate'),
  ];
  const identity = unsentIdentity(options);
  const entity = options.entityTypes.of(rule, relation);
  const idColumns = entity.hasIds ? idOf({ rule, key, indexOf }) : [];
  const tenantColumn = indexOf(rule.tenant);
  const name = planName(options);
  return {
    relationId: dictionary.relation(versionOf(options)),
    entityTypeId: dictionary.entityType(entity.type),
    columnCount: relation.columns.length,
    ignored: Uint8Array.from(relation.columns, ({ name }) => (isIgnored(rule, name) ? 1 : 0)),
    dropped: Uint8Array.from(dropped, (isDropped) => (isDropped ? 1 : 0)),
    identity,
    redactors,
    ...lookAt(redacted),
    columnMarks: marks,
    wholeRowColumns: dropped.includes(true)
      ? Buffer.concat(marks.filter((_, index) => !dropped[index]))
      : null,
    idColumns,
    hasLaterKey: entity.hasIds && rule.id === null && key.isLater,
    moveColumns: [...idColumns, ...(tenantColumn < 0 ? [] : [tenantColumn])],
    name,
    plainName: plainNameOf(name),
    modifierColumn: indexOf(modifier),
    modifierAlwaysSet: rule.modifier?.alwaysSet ?? false,
    modifierRedactor: redactors[indexOf(modifier)] ?? null,
    tenantColumn,
    onInsert,
    onUpdate,
    onDelete,
    onTruncate,
    filters: compileFilters({
      rule,
      columns,
      identity,
      actions: { insert: onInsert, update: onUpdate, delete: onDelete, truncate: onTruncate },
    }),
  };
}

/** Without a primary key, the column `id` serves where there is one. */
function idOf({
  rule,
  key,
  indexOf,
}: {
  readonly rule: TableRule;
  readonly key: KnownKey;
  readonly indexOf: (name: string) => number;
}): readonly number[] {
  if (rule.id !== null) return wholeKey(rule.id, indexOf);
  return key.columns.length > 0 || key.isPartial ? key.columns : wholeKey(['id'], indexOf);
}

/** Half a key would be the id of other rows, so it is none. */
function wholeKey(names: readonly string[], indexOf: (name: string) => number): readonly number[] {
  const indexes = names.map(indexOf);
  return indexes.includes(-1) ? [] : indexes;
}

/** @param options.rule null: it is not tracked */
function versionOf(options: {
  readonly relation: Relation;
  readonly redacted: readonly ColumnRedaction[];
  readonly rule: TableRule | null;
}): RelationVersion {
  const { relation, redacted, rule } = options;
  return {
    schema: relation.schema,
    table: relation.table,
    columns: relation.columns.map((column, index) => {
      const values = rule === null ? null : valueLabelsOf(column, rule);
      const label = rule?.labels.get(column.name);
      const { remembered } = redacted[index]!;
      return {
        name: column.name,
        type: column.typeOid,
        ...(values === null ? {} : { values: Object.fromEntries(values) }),
        ...(label === undefined ? {} : { label: label.table }),
        ...(remembered === null ? {} : { redacted: remembered }),
      };
    }),
  };
}

function planNames(options: {
  readonly config: TrackingConfig;
  readonly qualifiedName: string;
  readonly columns: ReadonlyMap<string, Column>;
  readonly redacted: readonly ColumnRedaction[];
}): NamesPlan[] {
  const { columns, redacted } = options;
  const redactors = redacted.map(({ redactor }) => redactor);
  return nameRules(options.config).flatMap((names) => {
    const key = columns.get(names.key);
    if (names.table !== options.qualifiedName || key === undefined) return [];
    // Masked or cut, keys of different people are the same: better no name than a wrong one.
    const redaction = redacted[key.index]!.redaction.whole;
    if (redaction !== null && redaction.method !== 'hash') return [];
    return [
      {
        table: names.table,
        keyColumn: key.index,
        tenantColumn: columns.get(lookupTenant(options.config, names) ?? '')?.index ?? -1,
        name: planTemplate(names.name, { columns, rule: null }),
        redactors,
        kind: planKind('kind' in names ? names.kind : null, columns),
      },
    ];
  });
}

function planKind(kind: ModifiersRule['kind'], columns: ReadonlyMap<string, Column>): NamesPlan['kind'] {
  const column = kind === null ? undefined : columns.get(kind.column);
  if (kind === null || column === undefined) return null;
  return {
    column: column.index,
    bot: new Set(kind.bot.map(printed)),
    system: new Set(kind.system.map(printed)),
  };
}

/** A YAML scalar as PostgreSQL prints it. */
const printed = (value: string | number | boolean | null): string =>
  typeof value === 'boolean' ? (value ? 't' : 'f') : String(value);
