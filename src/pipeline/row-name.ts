import { storable } from '../pg/text.js';
import type { Relation } from '../pgoutput/reader.js';
import { defaultName } from '../tracking/entity-default.js';
import type { TableRule, Template } from '../tracking/rules.js';
import { templateColumns } from '../tracking/template.js';
import { valueKind, type CatalogType } from '../tracking/value-kind.js';
import type { Column } from './classification.js';
import type { ColumnRedaction } from './column-redactions.js';
import { OID_BOOL } from './conditions.js';
import type { ColumnPart, NamePart } from './naming.js';

/**
 * Compiles what rows are called: by the template of the rule; where there is none, or the table has none of
 * its columns, by the columns that rows are usually called by (entity-default.ts).
 */
export function planName(options: {
  readonly relation: Relation;
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly types: ReadonlyMap<number, CatalogType>;
  readonly redacted: readonly ColumnRedaction[];
}): { readonly name: NamePart[] | null; readonly because: NameReason } {
  const { relation, rule, columns, types, redacted } = options;
  const named = rule.name === null ? null : templateColumns(rule.name);
  if (named !== null && (named.length === 0 || named.some((column) => columns.has(column))))
    return { name: planTemplate(rule.name!, { columns, rule }), because: 'name' };
  const candidates = relation.columns.map(({ name, typeOid }, index) => {
    const method = redacted[index]!.redaction.whole?.method;
    return { name, kind: valueKind(typeOid, types), hidden: method === 'mask' || method === 'drop' };
  });
  const template = defaultName(relation, candidates);
  return template === null
    ? { name: null, because: 'none' }
    : { name: planTemplate(template, { columns, rule: null }), because: 'columns' };
}

/** What rows are called by: the key `name`, the columns that the table has, or nothing. */
export type NameReason = 'name' | 'columns' | 'none';

/** The column that is the whole name, as it was sent; -1: there is more to it. */
export function plainNameOf(name: readonly NamePart[] | null): number {
  const [part] = name ?? [];
  if (name?.length !== 1 || part === undefined || 'text' in part) return -1;
  return part.values === null && part.lookup === null && part.or === null ? part.column : -1;
}

/** A template as the columns of a relation fill it; parts whose columns it lacks are left out. */
export function planTemplate(
  template: Template,
  options: { readonly columns: ReadonlyMap<string, Column>; readonly rule: TableRule | null },
): NamePart[] {
  return template.flatMap((part): NamePart[] => {
    if ('text' in part) return [{ text: Buffer.from(storable(part.text)) }];
    const columns = [part.column, ...(part.or ?? [])].flatMap((name) => options.columns.get(name) ?? []);
    const first = columns.reduceRight<ColumnPart | null>(
      (or, column) => ({
        column: column.index,
        values: options.rule === null ? null : valueLabelsOf(column, options.rule),
        lookup: options.rule?.labels.get(column.name)?.table ?? null,
        or,
      }),
      null,
    );
    return first === null ? [] : [first];
  });
}

/** Labels of a column by stored value as PostgreSQL prints it: a person writes a boolean out. */
export function valueLabelsOf(
  column: { readonly name: string; readonly typeOid: number },
  rule: TableRule,
): ReadonlyMap<string, string> | null {
  const labels = rule.values.get(column.name);
  if (labels === undefined) return null;
  if (column.typeOid !== OID_BOOL) return labels;
  return new Map(
    [...labels].map(([value, label]) => [value === 'true' ? 't' : value === 'false' ? 'f' : value, label]),
  );
}
