import {
  isSeveral,
  type AttributionFile,
  type KeyOfFile,
  type ModifierFile,
  type ModifiersFile,
} from './attribution-file.js';
import { canonicalName } from './names.js';
import type {
  KeyOf,
  LabelRule,
  ModifierRule,
  ModifiersRule,
  Template,
  WitnessedRow,
  WitnessRule,
} from './rules.js';
import { parseTemplate } from './template.js';
import { toWhen } from './wanted.js';

/*
 * Turns the keys of attribution into the form that the rest of Waltrail uses. The file was checked before, so
 * nothing fails here.
 */

/** Tables of modifiers, in the order of the file. */
export function toModifiers(file: ModifiersFile | undefined): readonly ModifiersRule[] {
  if (file === undefined) return [];
  const tables: readonly (readonly [string | null, ModifiersTableFile])[] = isSeveral(file)
    ? Object.entries(file)
    : [[null, file]];
  return tables.map(([called, table]) => ({ ...toLabel(table), called, kind: table.kind ?? null }));
}

type ModifiersTableFile = Extract<ModifiersFile, { readonly table: string; readonly key: string }>;

/** Rules by which columns of a table name the modifier. */
export function toModifierRules(
  file: ModifierFile | undefined,
  modifiers: readonly ModifiersRule[],
): readonly ModifierRule[] {
  if (file === undefined || file === false) return [];
  return (Array.isArray(file) ? file : [file]).map((item) => {
    const rule = typeof item === 'string' ? { column: item, always_set: false } : item;
    return {
      column: rule.column,
      alwaysSet: rule.always_set,
      as: toKeyOf(rule.as, modifiers),
      on: rule.on === undefined ? BOTH : [rule.on].flat(),
      actions: rule.action === undefined ? null : [rule.action].flat(),
      when: toWhen(rule.when),
    };
  });
}

const BOTH = ['insert', 'update'] as const;

/** Audit tables of the application. */
export const toWitnesses = (
  file: AttributionFile | undefined,
  modifiers: readonly ModifiersRule[],
): readonly WitnessRule[] =>
  (file ?? []).map(({ table, modifier, prefix, as, when, row }) => ({
    table: toName(table),
    modifier,
    prefix: prefix ?? '',
    as: toKeyOf(as, modifiers),
    when: toWhen(when),
    row: row === undefined ? null : { key: row.key, of: toRowTable(row) },
  }));

function toRowTable({ table, type, types }: NonNullable<AttributionFile[number]['row']>): WitnessedRow['of'] {
  if (type === undefined) return { table: toName(table!) };
  const tables = types && new Map(Object.entries(types).map(([value, name]) => [value, toName(name)]));
  return { type, types: tables ?? null };
}

function toKeyOf(file: KeyOfFile | undefined, modifiers: readonly ModifiersRule[]): KeyOf {
  const indexOf = (name: string): number => modifiers.findIndex(({ called }) => called === name);
  if (file === undefined) return 0;
  if (typeof file === 'string') return indexOf(file);
  const [[column, tables]] = Object.entries(file) as [[string, Readonly<Record<string, string>>]];
  return {
    column,
    tables: new Map(Object.entries(tables).map(([value, name]) => [value, indexOf(name)])),
  };
}

export const toLabel = (label: {
  table: string;
  key: string;
  name: string;
  tenant?: string | undefined;
}): LabelRule => ({
  table: toName(label.table),
  key: label.key,
  name: toTemplate(label.name),
  tenant: label.tenant ?? null,
});

export const toName = (text: string): string => canonicalName(text)!;
export const toTemplate = (text: string): Template => parseTemplate(text) as Template;
