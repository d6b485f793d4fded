import { storable } from '../pg/text.js';
import type { Relation } from '../pgoutput/reader.js';
import { defaultName } from '../tracking/entity-default.js';
import { labelWay, lookupName } from '../tracking/lookups.js';
import { nameColumns, namePath, ownColumn } from '../tracking/name-paths.js';
import type { TableRule, Template, TrackingConfig } from '../tracking/rules.js';
import { valueKind, type CatalogType } from '../tracking/value-kind.js';
import type { Column } from './classification.js';
import type { ColumnRedaction } from './column-redactions.js';
import { OID_BOOL, printedBoolean } from '../tracking/boolean-text.js';
import { isPlain, type ColumnPart, type NamePart } from './naming.js';
import { typedColumns } from './typed-labels.js';

/**
 * Compiles the name of rows from the template of the rule. If there is none, or the table has none of its
 * columns, the name comes from columns that usually have one (entity-default.ts).
 */
export function planName(options: {
  readonly relation: Relation;
  readonly config: TrackingConfig;
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly redacted: readonly ColumnRedaction[];
}): { readonly name: NamePart[] | null; readonly because: NameReason } {
  const { config, relation, rule, columns, types, redacted } = options;
  const named = rule.name === null ? null : nameColumns(rule);
  if (named !== null && (named.length === 0 || named.some((column) => columns.has(column))))
    return { name: planTemplate(rule.name!, { columns, shown: { config, rule } }), because: 'name' };
  const candidates = relation.columns.map(({ name, typeOid }, index) => {
    const method = redacted[index]!.redaction.whole?.method;
    return { name, kind: valueKind(typeOid, types), hidden: method === 'mask' || method === 'drop' };
  });
  const template = defaultName(relation, candidates);
  return template === null
    ? { name: null, because: 'none' }
    : { name: planTemplate(template, { columns, shown: null }), because: 'columns' };
}

/** Where the name of rows comes from: the key `name`, columns of the table, or nothing. */
export type NameReason = 'name' | 'columns' | 'none';

/** Returns the column that is the whole name, as it was sent. -1: the name is not a single column. */
export function plainNameOf(name: readonly NamePart[] | null): number {
  const [part] = name ?? [];
  if (name?.length !== 1 || part === undefined || 'text' in part) return -1;
  return isPlain(part) && part.or === null ? part.column : -1;
}

/**
 * Compiles a template for a relation. Parts with columns that the relation lacks are left out.
 *
 * @param options.shown the rule that gives labels to columns; null: columns are shown as they are
 */
export function planTemplate(
  template: Template,
  options: { readonly columns: ReadonlyMap<string, Column>; readonly shown: Shown | null },
): NamePart[] {
  return template.flatMap((part): NamePart[] => {
    if ('text' in part) return [{ text: Buffer.from(storable(part.text)), isBlank: part.text.trim() === '' }];
    const words = [part.column, ...(part.or ?? [])];
    const first = words.reduceRight<ColumnPart | null>((or, word) => planWord(word, options, or) ?? or, null);
    return first === null ? [] : [first];
  });
}

interface Shown {
  readonly config: TrackingConfig;
  readonly rule: TableRule;
}

function planWord(
  word: string,
  { columns, shown }: { readonly columns: ReadonlyMap<string, Column>; readonly shown: Shown | null },
  or: ColumnPart | null,
): ColumnPart | null {
  if (shown === null) {
    const column = columns.get(word);
    return column === undefined ? null : { column: column.index, values: null, way: [], typed: null, or };
  }
  const { config, rule } = shown;
  const path = namePath(config, rule, word);
  const column = columns.get(ownColumn(rule, word));
  if (column === undefined || typeof path === 'string') return null;
  const label = path === null ? (rule.labels.get(word) ?? null) : path.label;
  const steps = path === null ? [] : path.steps.map(lookupName);
  const typed = typedColumns({ ...shown, columns }).find((typed) => typed.column === column.index);
  return {
    column: column.index,
    values:
      path === null
        ? valueLabelsOf({ name: column.name, isBoolean: column.typeOid === OID_BOOL }, rule)
        : null,
    way: label === null ? steps : [...steps, ...labelWay(config, label)],
    typed: typed ?? null,
    or,
  };
}

/**
 * Returns the labels of a column by stored value, as PostgreSQL prints the value. The YAML may have any word
 * for a boolean that PostgreSQL reads.
 *
 * @param column.isBoolean whether the column's values, or the elements of its values, are booleans
 */
export function valueLabelsOf(
  column: { readonly name: string; readonly isBoolean: boolean },
  rule: TableRule,
): ReadonlyMap<string, string> | null {
  const labels = rule.values.get(column.name);
  if (labels === undefined) return null;
  if (!column.isBoolean) return labels;
  return new Map([...labels].map(([value, label]) => [printedBoolean(value) ?? value, label]));
}
