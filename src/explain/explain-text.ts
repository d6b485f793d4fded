import type { Place } from '../tracking/places.js';
import { listNames } from '../tracking/list-names.js';
import type {
  AskedRung,
  ExplainedLabels,
  ExplainedModifier,
  ExplainedText,
  ExplainedValue,
  Explanation,
  LeftOut,
  Lookup,
} from './explanation.js';

/** Formats an explanation for a terminal. */
export function explanationText(explained: Explanation): string {
  const { table, operation, leftOut, values, remarks } = explained;
  const makes = leftOut === null ? 'makes an entry' : `makes no entry: ${leftOutText(leftOut)}`;
  return [
    `${operation} of ${table}: ${makes}`,
    ...aligned(headOf(explained)),
    ...(values.length === 0 ? [] : ['values', ...aligned(values.flatMap(valueLines))]),
    'who made the change is asked in this order',
    ...aligned(explained.modifier.rungs.map(rungLine)),
    ...(remarks.length === 0 ? [] : ['to know', ...remarks.map((remark) => `  - ${remark}`)]),
    '',
  ].join('\n');
}

type Line = readonly [what: string, says: string, because: string];

/** Pads columns to equal width. */
function aligned(lines: readonly Line[]): readonly string[] {
  const [first, second] = [0, 1].map((cell) =>
    Math.min(MAX_WIDTH, Math.max(...lines.map((line) => line[cell]!.length))),
  );
  return lines.map(([what, says, because]) =>
    `  ${what.padEnd(first!)}  ${says.padEnd(second!)}  ${because}`.trimEnd(),
  );
}

const MAX_WIDTH = 48;

function headOf({ rule, action, entity, tenant, modifier }: Explanation): readonly Line[] {
  const shown =
    action.shown === null ? '' : ` (shown as "${action.shown.text}": ${placeText(action.shown.rule)})`;
  return [
    ['rule', '', placeText(rule)],
    ['action', action.category, `${actionText(action)}${shown}`],
    ...action.unknown.map((place): Line => ['', '', `not known whether it matches: ${placeText(place)}`]),
    ['entity', entity.type, entity.rule === null ? ENTITY[entity.because] : placeText(entity.rule)],
    ['id', entity.id ?? 'not known', idText(entity)],
    [
      'name',
      entity.name ?? (entity.nameBecause === 'none' ? 'the id' : 'not known'),
      entity.nameRule === null ? NAMES[entity.nameBecause] : placeText(entity.nameRule),
    ],
    ...(tenant === null ? [] : [['tenant', tenant.value ?? 'not known', placeText(tenant.rule)] as const]),
    ...modifierLines(modifier),
  ];
}

const ENTITY = {
  entity: '',
  'table name': 'the name of the table, in the singular',
  taken: 'the qualified name of the table, because another table has the short one',
  'too many': 'too many tables have an entity type of their own',
} as const;

const NAMES = {
  name: '',
  columns: 'a column that usually names rows',
  none: 'the table has no column that usually names rows',
} as const;

function actionText({ rules }: Explanation['action']): string {
  if (rules.length === 0) return 'the default of the operation: no rule of actions matches';
  return rules.length === 1 ? placeText(rules[0]!) : `one of ${rules.map(placeText).join(', ')}`;
}

function idText({ idColumns, idBecause, idRule }: Explanation['entity']): string {
  if (idRule !== null) return placeText(idRule);
  if (idBecause === 'none') return 'the table has no key';
  return idBecause === 'primary key' ? `primary key (${idColumns.join(', ')})` : 'column id';
}

function modifierLines(modifier: ExplainedModifier): readonly Line[] {
  const { rung, key, name, actingAs, rules, lookup, lastSetBy } = modifier;
  const who = key === null ? 'unattributed' : name === null ? key : `${name} (${key})`;
  const by = rules.map(placeText);
  const because =
    rung === 'unattributed'
      ? 'nobody is named'
      : `rung ${rung}${by.length === 0 ? '' : `: ${by.length > 1 ? 'one of ' : ''}${by.join(', ')}`}`;
  return [
    ['modifier', who, because],
    ...lookupLines(lookup),
    ...(actingAs === null
      ? []
      : [
          ['acting as', `${actingAs.name} (${actingAs.key})`, 'acting_as of the logical message'] as const,
          ...lookupLines(actingAs.lookup),
        ]),
    ...(lastSetBy === null
      ? []
      : [
          [
            '',
            '',
            `last set by ${lastSetBy.key}, whom a column names that this change has not set${lastSetBy.rule === null ? '' : ` (${placeText(lastSetBy.rule)})`}`,
          ] as const,
        ]),
  ];
}

const lookupLines = (lookup: Lookup | null): readonly Line[] =>
  lookup === null
    ? []
    : [['', '', `name and kind: looked up in ${lookup.table} by ${lookup.key} (${placeText(lookup.rule)})`]];

const RUNGS: Readonly<Record<AskedRung['rung'], string>> = {
  message: 'a logical message of the transaction',
  witness: 'an audit row of the transaction in',
  column: 'the column',
  session: 'what the session says in',
};

const rungLine = ({ rung, names, rules }: AskedRung): Line => [
  rung,
  [RUNGS[rung], listNames(names)].filter((part) => part !== '').join(' '),
  rules.map(placeText).join(', '),
];

function leftOutText({ by, rule }: LeftOut): string {
  const why = {
    operations: 'its operation is not one of',
    where: 'its row does not fulfill',
    skip: 'it is skipped by',
    ignore: 'nothing but ignored columns changed:',
    'nothing changed': 'no value differs',
  }[by];
  return rule === null ? why : `${why} ${placeText(rule)}`;
}

function valueLines({
  column,
  previous,
  updated,
  stored,
  rule,
  why,
  members,
  labels,
  memberLabels,
}: ExplainedValue): readonly Line[] {
  const sides = [previous, updated].filter((side) => side !== null).map(textOf);
  const because = [rule === null ? '' : placeText(rule), why ?? ''].filter((part) => part !== '').join('; ');
  return [
    [column, sides.join(' -> '), because === '' ? stored : `${stored}: ${because}`],
    ...members.map(({ member, stored: how, rule: by }): Line => [
      '',
      '',
      `member ${member} ${how}: ${by === null ? 'its name is that of a secret (secrets.defaults)' : placeText(by)}`,
    ]),
    ...(labels === null ? [] : [['', '', `label: ${labelText(labels)}`] as const]),
    ...memberLabels.map((of): Line => ['', '', `label of member ${of.member}: ${labelText(of)}`]),
  ];
}

function labelText({ lookups, rule }: ExplainedLabels): string {
  const tables = lookups.map(({ table, key }) => `${table} by ${key}`).join(' or ');
  return `${tables === '' ? '' : `looked up in ${tables}: `}${placeText(rule)}`;
}

/** Longer values are cut: the point is what becomes of them. */
const MAX_TEXT = 200;

function textOf({ text, label }: ExplainedText): string {
  if (text === null) return 'null';
  const printed = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  const line = printed.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
  return label === null ? line : `${line} (${label})`;
}

const placeText = ({ at, key, isTakenOver }: Place): string =>
  `${at === null ? '' : `${at}: `}${key}${isTakenOver ? ' (taken over)' : ''}`;
