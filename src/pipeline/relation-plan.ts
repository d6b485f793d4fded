import type { Relation } from '../pgoutput/reader.js';
import { holdsBooleans } from '../tracking/boolean-text.js';
import { isIgnored } from '../tracking/column-lists.js';
import { ruleFor } from '../tracking/match.js';
import { formatTable } from '../tracking/names.js';
import type { Redaction } from '../tracking/redact.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import { labelWay, lookupName } from '../tracking/lookups.js';
import { tenantSteps } from '../tracking/tenants.js';
import { printedType, type CatalogType } from '../tracking/value-kind.js';
import { compileActions, type Column, type CompiledRule } from './classification.js';
import { compileFilters, type RowFilters } from './row-filter.js';
import type { ComparedRelation } from './difference.js';
import type { NamePart } from './naming.js';
import { columnRedactions, type ColumnRedaction } from './column-redactions.js';
import type { EntityReason, EntityTypes } from './entity-types.js';
import { followRelation } from './followed-columns.js';
import { findKey, type KnownKey } from './known-key.js';
import { compileModifiers, type ModifierColumn } from './modifier-column.js';
import { unsentIdentity } from './old-row.js';
import { FIRST_COLUMN, type Dictionary, type RelationVersion } from './ports.js';
import type { Redactor } from './redaction.js';
import { lookAt, type LookedAt } from './row-look.js';
import { columnsByName, planNames, type NamesPlan } from './names-plan.js';
import { plainNameOf, planName, valueLabelsOf, type NameReason } from './row-name.js';
import { labelOfWay, labelsOfTypes, typedColumns, TypedVersions, type TypeLabels } from './typed-labels.js';
import { NO_FACTS, type TableFacts } from './table-facts.js';
import { planParts } from './value-parts-plan.js';
import { planWitness, type WitnessPlan } from './witness-plan.js';

/**
 * Everything that the pipeline needs to know about one relation version. Computed once for each Relation
 * message.
 */
export interface RelationPlan {
  readonly relation: Relation;
  readonly qualifiedName: string;
  /** Null: the table is not tracked. Its rows may still give names to others. */
  readonly tracked: TrackedPlan | null;
  /** How its new rows name who made the changes of their transaction. Null: they are no witnesses. */
  readonly witness: WitnessPlan | null;
  /** What its rows give to others: names, labels or tenants. */
  readonly names: readonly NamesPlan[];
  /** Columns of its primary key, if the table is partitioned (old-row.ts). */
  readonly rootKey: readonly number[] | null;
  /** Redaction of each column, by index. */
  readonly redactions: readonly Redaction[];
}

/** Why rows of a table have their entity type, name and id (`waltrail explain`). */
export interface TrackedReasons {
  readonly entity: EntityReason;
  readonly name: NameReason;
  readonly id: IdReason;
}

/** Where the entity id comes from: the key `id`, the primary key, the column `id`, or nothing. */
export type IdReason = 'id' | 'primary key' | 'column id' | 'none';

export interface TrackedPlan extends ComparedRelation, LookedAt {
  readonly because: TrackedReasons;
  /** Canonical `schema.table`. */
  readonly relationName: string;
  readonly relationId: number;
  /** Null: the labels of all its rows come from the same tables. */
  readonly typedVersions: TypedVersions | null;
  readonly entityTypeId: number;
  readonly redactors: readonly (Redactor | null)[];
  /** By column index: the character that stands for the column in `columns`. */
  readonly columnMarks: readonly Buffer[];
  /** `columns` of a whole row. Null: all columns. */
  readonly wholeRowColumns: Buffer | null;
  readonly idColumns: readonly number[];
  /**
   * Whether the id comes from a primary key that the table may not have had at the time ({@link KnownKey}).
   */
  readonly hasLaterKey: boolean;
  /** Columns of the id and of the tenant. A change of one of them moves the row. */
  readonly moveColumns: readonly number[];
  readonly name: readonly NamePart[] | null;
  /** The column that is the whole name, as it was sent. -1: the name is not a single column. */
  readonly plainName: number;
  /** Column of the key by which a witness may refer to a row. -1: none can. */
  readonly rowKey: number;
  /**
   * Column of a row's type, if several types share the table (Rails). -1: no witness can refer to a row by
   * its type.
   */
  readonly rowType: number;
  /** Columns that may name who made the change, in the order in which they are examined. */
  readonly insertModifiers: readonly ModifierColumn[];
  readonly updateModifiers: readonly ModifierColumn[];
  /**
   * Column of the tenant. With `tenantSteps`, column of the key that leads to it. -1: rows have no tenant.
   */
  readonly tenantColumn: number;
  /** Lookups that lead to the tenant, one after another. Empty: the column has the tenant. */
  readonly tenantSteps: readonly string[];
  readonly onInsert: readonly CompiledRule[];
  readonly onUpdate: readonly CompiledRule[];
  readonly onDelete: readonly CompiledRule[];
  readonly onTruncate: readonly CompiledRule[];
  /** Which changes make no entry. */
  readonly filters: RowFilters;
}

/**
 * Compiles the tracking of one relation version.
 *
 * @param options.xid of the transaction that the relation's description belongs to: low 32 bits
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
  const columns = columnsByName(relation, types);
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
  // Versions of an untracked table are stored only to remember what was redacted.
  if (rule === undefined && names.length > 0 && redacted.some(({ remembered }) => remembered !== null))
    dictionary.relation(versionOf({ config, relation, columns, types, redacted, rule: null }));
  return {
    relation,
    qualifiedName,
    tracked:
      rule === undefined
        ? null
        : planTracked({
            relation,
            config,
            dictionary,
            entityTypes,
            types,
            key,
            partitioned,
            rule,
            columns,
            redacted,
          }),
    witness: planWitness({
      relation,
      qualifiedName,
      config,
      columns,
      redactors: redacted.map(({ redactor }) => redactor),
    }),
    names,
    rootKey: partitioned && key.columns.length > 0 ? key.columns : null,
    redactions: redacted.map(({ redaction }) => redaction),
  };
}

function planTracked(options: {
  readonly relation: Relation;
  readonly config: TrackingConfig;
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
  const indexOf = (name: string | null): number => (name === null ? -1 : (columns.get(name)?.index ?? -1));
  const marks = relation.columns.map((_, index) => Buffer.from(String.fromCodePoint(FIRST_COLUMN + index)));
  const actionId = (name: string): number => dictionary.action(name);
  const actions = (operation: 'insert' | 'update' | 'delete' | 'truncate'): readonly CompiledRule[] =>
    compileActions({ operation, rules: rule.actions, columns, actionId });
  const [onInsert, onUpdate, onDelete, onTruncate] = [
    actions('insert'),
    actions('update'),
    actions('delete'),
    actions('truncate'),
  ];
  const identity = unsentIdentity(options);
  const entity = options.entityTypes.of(rule, relation);
  const id = idOf({ rule, key, indexOf });
  const idColumns = entity.hasIds ? id.columns : [];
  const modifiers = {
    columns,
    redactors,
    actionId,
    idColumns: [...idColumns, ...key.columns],
  };
  const tenantColumn = indexOf(rule.tenant);
  const { name, because: named } = planName(options);
  const relationId = dictionary.relation(versionOf(options));
  const typed = typedColumns(options);
  return {
    because: {
      entity: entity.because,
      name: named,
      id: idColumns.length === 0 ? 'none' : id.because,
    },
    relationName: formatTable(relation),
    relationId,
    typedVersions:
      typed.length === 0
        ? null
        : new TypedVersions(typed, (types) =>
            types.size === 0
              ? relationId
              : dictionary.relationOfType(versionOf({ ...options, labels: labelsOfTypes(typed, types) })),
          ),
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
    ...witnessedBy({ ...options, idColumns }),
    insertModifiers: compileModifiers(rule.modifier, {
      ...modifiers,
      operation: 'insert',
      classes: onInsert,
    }),
    updateModifiers: compileModifiers(rule.modifier, {
      ...modifiers,
      operation: 'update',
      classes: onUpdate,
    }),
    tenantColumn,
    tenantSteps: tenantSteps(options.config, rule).map(lookupName),
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

/** Returns the columns by which rows of audit tables (`attribution`) refer to rows of the table. */
function witnessedBy({
  config,
  columns,
  key,
  idColumns,
}: {
  readonly config: TrackingConfig;
  readonly columns: ReadonlyMap<string, Column>;
  readonly key: KnownKey;
  readonly idColumns: readonly number[];
}): Pick<TrackedPlan, 'rowKey' | 'rowType'> {
  const rows = config.attribution.flatMap(({ row }) => row ?? []);
  const [column, ...others] = key.columns.length > 0 ? key.columns : idColumns;
  const byConvention = rows.some(({ of }) => 'type' in of && of.types === null);
  return {
    rowKey: rows.length === 0 || column === undefined || others.length > 0 ? -1 : column,
    rowType: byConvention ? (columns.get(TYPE_COLUMN)?.index ?? -1) : -1,
  };
}

/** Column in which Rails stores the class of a row, if several classes share a table. */
const TYPE_COLUMN = 'type';

/** Returns the columns of the entity id. Without a primary key, it is the column `id`, if there is one. */
function idOf({
  rule,
  key,
  indexOf,
}: {
  readonly rule: TableRule;
  readonly key: KnownKey;
  readonly indexOf: (name: string) => number;
}): { readonly columns: readonly number[]; readonly because: IdReason } {
  if (rule.id !== null) return { columns: wholeKey(rule.id, indexOf), because: 'id' };
  return key.columns.length > 0 || key.isPartial
    ? { columns: key.columns, because: 'primary key' }
    : { columns: wholeKey(['id'], indexOf), because: 'column id' };
}

/**
 * Returns the columns of a key. A part of a key is not used, because it would be the id of other rows too.
 */
function wholeKey(names: readonly string[], indexOf: (name: string) => number): readonly number[] {
  const indexes = names.map(indexOf);
  return indexes.includes(-1) ? [] : indexes;
}

/**
 * Returns what the trail stores about a relation version.
 *
 * @param options.rule null: the table is not tracked
 * @param options.labels by column index: labels that only rows of one type have
 */
function versionOf(options: {
  readonly config: TrackingConfig;
  readonly relation: Relation;
  readonly columns: ReadonlyMap<string, Column>;
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly redacted: readonly ColumnRedaction[];
  readonly rule: TableRule | null;
  readonly labels?: TypeLabels;
}): RelationVersion {
  const { relation, redacted, rule } = options;
  const parts = rule === null ? null : planParts({ ...options, rule });
  return {
    schema: relation.schema,
    table: relation.table,
    columns: relation.columns.map((column, index) => {
      const base = printedType(column.typeOid, options.types);
      const isBoolean = holdsBooleans(column.typeOid, options.types);
      const values = rule === null ? null : valueLabelsOf({ name: column.name, isBoolean }, rule);
      const label = rule?.labels.get(column.name);
      const { remembered } = redacted[index]!;
      return {
        name: column.name,
        type: column.typeOid,
        ...(base === column.typeOid ? {} : { base }),
        ...(values === null ? {} : { values: Object.fromEntries(values) }),
        ...(label === undefined ? {} : { label: labelOfWay(labelWay(options.config, label)) }),
        ...parts?.[index],
        ...options.labels?.get(index),
        ...(remembered === null ? {} : { redacted: remembered }),
      };
    }),
  };
}
