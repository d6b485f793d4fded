import type { Explanation } from './explanation.js';
import type { Subject } from './subject.js';

/** Returns the entity of a row, and the keys of the YAML that decide it. */
export function entityOf(
  { tracked, relation, at }: Subject,
  entity: { readonly type: string; readonly id: string | null; readonly name: string | null },
): Explanation['entity'] {
  const { because, idColumns } = tracked;
  return {
    ...entity,
    because: because.entity,
    rule: because.entity === 'entity' ? at('entity') : null,
    idColumns: idColumns.map((column) => relation.columns[column]!.name),
    idBecause: because.id,
    idRule: because.id === 'id' ? at('id') : null,
    nameBecause: because.name,
    nameRule: because.name === 'name' ? at('name') : null,
  };
}

/** @param value null if the row has none, or if it is not known */
export const tenantOf = ({ rule, at }: Subject, value: string | null): Explanation['tenant'] =>
  rule.tenant === null ? null : { value, rule: at('tenant') };
