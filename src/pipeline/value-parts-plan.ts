import { ARRAY_OIDS } from '../pg/array-text.js';
import type { Relation } from '../pgoutput/reader.js';
import { labelWay } from '../tracking/lookups.js';
import { memberPath } from '../tracking/member-path.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import type { CatalogType } from '../tracking/value-kind.js';
import { bitWidth, isArray } from '../tracking/value-shape.js';
import type { Column } from './classification.js';
import type { MemberWords, RelationVersionColumn } from './ports.js';
import { labelOfWay } from './typed-labels.js';

type Parts = Pick<RelationVersionColumn, 'array' | 'bits' | 'members'>;

/**
 * Returns what a table version has for the parts of values, by column index: bits, elements and members with
 * labels. Readers know the rest from the type (trail/read/value-parts.ts).
 */
export function planParts(options: {
  readonly config: TrackingConfig;
  readonly relation: Relation;
  readonly rule: TableRule;
  readonly columns: ReadonlyMap<string, Column>;
  readonly types: ReadonlyMap<number, CatalogType>;
}): readonly Parts[] {
  const { relation, types } = options;
  const members = membersOf(options);
  return relation.columns.map(({ name, typeOid }): Parts => {
    const ofMembers = members.get(name);
    const bits = bitsOf(options.rule.bits.get(name), bitWidth(typeOid, types));
    return {
      ...(!ARRAY_OIDS.has(typeOid) && isArray(typeOid, types) ? { array: true } : {}),
      ...(bits === null ? {} : { bits }),
      ...(ofMembers === undefined ? {} : { members: ofMembers }),
    };
  });
}

function bitsOf(
  words: ReadonlyMap<number, string> | undefined,
  width: number | null,
): NonNullable<Parts['bits']> | null {
  if (words === undefined || width === null) return null;
  const named = [...words].sort(([a], [b]) => a - b).map(([bit, word]) => [String(bit), word] as const);
  return { width, words: Object.fromEntries(named) };
}

/** Returns members with labels, by column. A name that is a column's own name does not mean a member. */
function membersOf({
  config,
  rule,
  columns,
}: Parameters<typeof planParts>[0]): ReadonlyMap<string, readonly MemberWords[]> {
  const found = new Map<string, MemberWords[]>();
  const add = (name: string, words: Pick<MemberWords, 'values' | 'label'>): void => {
    const member = columns.has(name) ? null : memberPath(name);
    if (member === null || columns.get(member.column)?.isJson !== true) return;
    const ofColumn = found.get(member.column) ?? [];
    found.set(member.column, [...ofColumn, { path: member.path, ...words }]);
  };
  for (const [name, values] of rule.values) add(name, { values: Object.fromEntries(values) });
  for (const [name, label] of rule.labels) add(name, { label: labelOfWay(labelWay(config, label)) });
  return found;
}
