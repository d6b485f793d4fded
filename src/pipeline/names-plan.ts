import type { Relation } from '../pgoutput/reader.js';
import { lookupName, lookupTenant, lookupTenantSteps, nameRules } from '../tracking/lookups.js';
import { formatTable } from '../tracking/names.js';
import { OID_BOOL, printedBoolean } from '../tracking/boolean-text.js';
import type { ModifiersRule, TrackingConfig } from '../tracking/rules.js';
import { printedType, type CatalogType } from '../tracking/value-kind.js';
import { orderOf } from '../tracking/value-order.js';
import { isJson } from '../tracking/value-shape.js';
import type { Column } from './classification.js';
import { columnRedactions, type ColumnRedaction } from './column-redactions.js';
import { followRelation } from './followed-columns.js';
import type { NamePart } from './naming.js';
import type { Redactor } from './redaction.js';
import { planTemplate } from './row-name.js';
import type { TableFacts } from './table-facts.js';

/**
 * Compiled rule by which rows of a table give names to modifiers, labels to values, or tenants to other rows.
 */
export interface NamesPlan {
  /** Lookup under which the names are kept: `lookupName` of tracking/lookups.ts. */
  readonly lookup: string;
  readonly keyColumn: number;
  /** Column of a row's tenant. With `tenantSteps`, the column that leads to it. -1: rows have no tenant. */
  readonly tenantColumn: number;
  readonly tenantSteps: readonly string[];
  readonly name: readonly NamePart[];
  /**
   * Whether the name is a single column as it is. Null is then kept as the empty text. Otherwise a row
   * without a name keeps its former one.
   */
  readonly isColumn: boolean;
  readonly redactors: readonly (Redactor | null)[];
  readonly kind: {
    readonly column: number;
    readonly bot: ReadonlySet<string>;
    readonly system: ReadonlySet<string>;
  } | null;
}

/** Compiles the names that rows of a relation give to others, without tracking the relation. */
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
    columns: columnsByName(relation, options.facts.types),
    // The relation is described by the catalog, not by a message.
    redacted: columnRedactions({
      ...options,
      followed: followRelation({ ...options, xid: 0 }),
      primaryKey: options.facts.primaryKey,
      remembered: new Map(),
    }),
  });
}

export const columnsByName = (
  { columns }: Relation,
  types: ReadonlyMap<number, CatalogType>,
): ReadonlyMap<string, Column> =>
  new Map(
    columns.map(({ name, typeOid }, index) => [
      name,
      {
        index,
        name,
        typeOid: printedType(typeOid, types),
        order: orderOf(typeOid, types),
        isJson: isJson(typeOid, types),
        member: null,
      },
    ]),
  );

export function planNames(options: {
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
    // If keys are masked or cut, different people have the same key. No name is better than a wrong one.
    const redaction = redacted[key.index]!.redaction.whole;
    if (redaction !== null && redaction.method !== 'hash') return [];
    const isColumn = 'column' in names;
    // A column that no longer exists has no value, which is not the same as null.
    if (isColumn && !columns.has(names.column)) return [];
    return [
      {
        lookup: lookupName(names),
        keyColumn: key.index,
        tenantColumn: columns.get(lookupTenant(options.config, names) ?? '')?.index ?? -1,
        tenantSteps: lookupTenantSteps(options.config, names).map(lookupName),
        name: planTemplate(names.name, { columns, shown: null }),
        isColumn,
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
    bot: new Set(kind.bot.map((value) => printed(value, column))),
    system: new Set(kind.system.map((value) => printed(value, column))),
  };
}

/** Returns a YAML scalar as PostgreSQL prints it. */
const printed = (value: string | number | boolean | null, { typeOid }: Column): string =>
  (typeof value === 'boolean' || typeOid === OID_BOOL ? printedBoolean(value) : null) ?? String(value);
