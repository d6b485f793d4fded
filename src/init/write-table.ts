import type { Template } from '../tracking/rules.js';
import type {
  As,
  Lookup,
  ModifierColumn,
  PeopleTable,
  ProposedAction,
  ProposedTenant,
  TableProposal,
} from './proposal.js';
import { comment, flow, list, remarked, scalar } from './yaml-text.js';

/** A key, and its value as YAML. */
export type Pair = readonly [key: string, value: string];

/** What comments say about a table in addition to its rules. */
export interface Told {
  /** Further facts of the table, such as its costs. */
  readonly facts: readonly string[];
  /** Whether it has more rows than a baseline may. */
  readonly isLarge: boolean;
  /** Whether to say of a label or a join that no foreign key declares it. */
  readonly doubts: boolean;
}

/** Writes the lines of one table. Without comments if `told` is null. */
export function tableBlock(
  table: TableProposal,
  { people, told }: { readonly people: readonly PeopleTable[]; readonly told: Told | null },
): readonly string[] {
  const facts = told === null ? [] : [...table.facts, ...told.facts];
  const keys = [
    ...(table.entity === null ? [] : [`entity: ${scalar(table.entity)}`]),
    ...(table.name === null ? [] : [`name: ${templateText(table.name)}`]),
    ...(table.id === null ? [] : [`id: ${list(table.id)}`]),
    ...(table.tenant === null ? [] : [tenantLine(table.tenant, told)]),
    ...modifierLines(table.modifiers, { people, isTold: told !== null }),
    ...(table.operations === null ? [] : [`operations: ${list(table.operations)}`]),
    ...(table.ignore.length === 0 ? [] : [`ignore: ${list(table.ignore)}`]),
    ...labelLines(table, told),
    ...(table.actions.length === 0 ? [] : ['actions:']),
    ...table.actions.map((action) => `  - ${actionText(action)}`),
  ];
  return [
    ...facts.flatMap((fact) => comment(fact, '  ')),
    `  ${scalar(table.table)}:`,
    ...keys.map((key) => `    ${key}`),
    ...(told === null ? [] : [...valueLines(table.values), ...baselineLines(table, told)]),
  ];
}

export const lookupPairs = ({ table, key, name }: Lookup): readonly Pair[] => [
  ['table', scalar(table)],
  ['key', scalar(key)],
  ['name', templateText(name)],
];

/** Writes the table of people. The first one is left out because it is the default. */
export function asPair(as: As, people: readonly PeopleTable[]): readonly Pair[] {
  if (typeof as === 'string') return as === people[0]?.called ? [] : [['as', scalar(as)]];
  const values = as.values.map(([value, called]): Pair => [value, scalar(called)]);
  return [['as', flow([[as.column, flow(values)]])]];
}

function modifierLines(
  modifiers: readonly ModifierColumn[],
  { people, isTold }: { readonly people: readonly PeopleTable[]; readonly isTold: boolean },
): readonly string[] {
  if (modifiers.length === 0) return [];
  return [
    'modifier:',
    ...modifiers.map(({ column, as, on, action, fact }) => {
      const pairs: readonly Pair[] = [
        ['column', scalar(column)],
        ...asPair(as, people),
        ...(on === null ? [] : [['on', on] as const]),
        ...(action === null ? [] : [['action', action] as const]),
      ];
      return remarked(`  - ${flow(pairs)}`, isTold ? fact : null);
    }),
  ];
}

function tenantLine({ column, of }: ProposedTenant, told: Told | null): string {
  if (of === null) return `tenant: ${scalar(column)}`;
  const join = flow([
    ['via', scalar(column)],
    ['table', scalar(of.table)],
    ['key', scalar(of.key)],
  ]);
  return remarked(`tenant: ${join}`, !of.declared && told?.doubts === true ? BY_NAME : null);
}

/** Remark on a reference, in a database that declares most of them. */
const BY_NAME = 'guessed by its name: no foreign key';

function labelLines({ labels, typedLabels }: TableProposal, told: Told | null): readonly string[] {
  if (labels.length + typedLabels.length === 0) return [];
  return [
    'labels:',
    ...labels.map(({ column, lookup, declared }) =>
      remarked(
        `  ${scalar(column)}: ${flow(lookupPairs(lookup))}`,
        !declared && told?.doubts === true ? BY_NAME : null,
      ),
    ),
    ...typedLabels.map(({ column, type, of }) => {
      const types = flow(of.map(([value, lookup]): Pair => [value, flow(lookupPairs(lookup))]));
      return `  ${scalar(column)}: ${flow([
        ['type', scalar(type)],
        ['types', types],
      ])}`;
    }),
  ];
}

const actionText = ({ on, column, when, action }: ProposedAction): string =>
  flow([
    ['on', on],
    ...(column === null ? [] : [[column.how, scalar(column.name)] as const]),
    ...(when.length === 0
      ? []
      : [['when', flow(when.map(([name, value]): Pair => [name, String(value)]))] as const]),
    ['action', action],
  ]);

/** What is known of values, and the key that gives words to numbers, to be filled in. */
function valueLines({ facts, numbers, masks }: TableProposal['values']): readonly string[] {
  const words = numbers.map(({ column, stored }): Pair => [
    column,
    flow((stored.length === 0 ? ['0'] : stored).map((value) => [value, '…'])),
  ]);
  const bits = masks.map((column): Pair => [column, flow([['bits', flow([['0', '…']])]])]);
  return [
    ...facts.flatMap((fact) => comment(fact, '    ')),
    ...(words.length + bits.length === 0 ? [] : comment(`values: ${flow([...words, ...bits])}`, '    ')),
  ];
}

/** Left to whoever knows whether the rows of before are worth an entry each. */
const baselineLines = ({ baseline }: TableProposal, { isLarge }: Told): readonly string[] =>
  baseline && !isLarge ? comment('baseline: true', '    ') : [];

/** A template as the loader reads it. */
function templateText(template: Template): string {
  return scalar(
    template
      .map((part) =>
        'text' in part
          ? part.text.replaceAll('{', '{{').replaceAll('}', '}}')
          : `{${[part.column, ...(part.or ?? [])].join('|')}}`,
      )
      .join(''),
  );
}
