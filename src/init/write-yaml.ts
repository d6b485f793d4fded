import type { PeopleTable, Proposal, TableSecrets, Witness } from './proposal.js';
import { asPair, lookupPairs, tableBlock, type Pair } from './write-table.js';
import { comment, flow, list, remarked, scalar } from './yaml-text.js';

/** How much is written about each table, because the size of a YAML is limited. */
export type Detail =
  /** Every rule, with the facts behind it. */
  | 'everything'
  /** Every rule. */
  | 'rules'
  /** Its name only: it has its own entity type, and defaults name its rows. */
  | 'names';

/** What comments say in addition to the proposal. */
export interface Remarks {
  /** About the whole file, one paragraph each. */
  readonly head: readonly string[];
  /** SQL of the grants, one statement per line. */
  readonly grants: readonly string[];
  /** The costs of tables. */
  readonly costs: ReadonlyMap<string, readonly string[]>;
  /** Tables with more rows than a baseline may have. */
  readonly large: ReadonlySet<string>;
}

/** Writes the YAML: one table after the other, in the order of the catalog. */
export function writeYaml(proposal: Proposal, remarks: Remarks, detail: Detail): string {
  const sections = [
    remarks.head.flatMap((paragraph) => comment(paragraph, '')),
    sourceLines(proposal),
    grantLines(remarks),
    modifierLines(proposal),
    witnessLines(proposal),
    sessionLines(proposal),
    redactLines(proposal),
    tableLines(proposal, remarks, detail),
    excludeLines(proposal),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const sourceLines = ({ source }: Proposal): readonly string[] => [
  'source:',
  ...(source.publication === 'waltrail'
    ? []
    : comment('the publication name waltrail is already taken', '  ')),
  `  name: ${scalar(source.name)}`,
  '  url: "$' + '{WALTRAIL_SOURCE_URL}"',
  `  publication: ${scalar(source.publication)}`,
  'trail:',
  '  url: "$' + '{WALTRAIL_TRAIL_URL}"',
];

const grantLines = ({ grants }: Remarks): readonly string[] =>
  grants.length === 0
    ? []
    : [
        '# What the role of source.url needs. Run it as a superuser:',
        ...grants.map((statement) => remarked('', ` ${statement}`).trimStart()),
      ];

function modifierLines({ people }: Proposal): readonly string[] {
  if (people.length === 0)
    return ['# No table of people was found. The key modifiers names the table of those who make changes.'];
  return [
    '# Who makes changes. Logical messages mean people of the first table. Do not change it later.',
    'modifiers:',
    ...people.flatMap((one) => [
      ...comment(one.fact, '  '),
      `  ${one.called}: ${flow([...lookupPairs(one), ...botPair(one)])}`,
    ]),
  ];
}

const botPair = ({ bot }: PeopleTable): readonly Pair[] =>
  bot === null
    ? []
    : [
        [
          'kind',
          flow([
            ['column', scalar(bot)],
            ['bot', '[true]'],
          ]),
        ],
      ];

function witnessLines({ witnesses, people }: Proposal): readonly string[] {
  if (witnesses.length === 0) return [];
  return [
    '# Audit tables of the application: a new row names who made the changes of its transaction.',
    'attribution:',
    ...witnesses.flatMap((witness) => [
      ...comment(witness.fact, '  '),
      `  - ${flow([
        ['table', scalar(witness.table)],
        ['modifier', scalar(witness.modifier)],
        ...(witness.prefix === null ? [] : [['prefix', scalar(witness.prefix)] as const]),
        ...asPair(witness.as, people),
        ...rowPair(witness),
      ])}`,
    ]),
  ];
}

function sessionLines({ session }: Proposal): readonly string[] {
  if (session === null) return [];
  const items = session.settings.flatMap((one) => [
    ...comment(one.fact, '  '),
    `  - ${'preset' in one ? one.preset : flow([['setting', scalar(one.setting)]])}`,
  ]);
  const head = 'Who the application works for, as it tells PostgreSQL in settings.';
  if (session.isAllowed)
    return [
      ...comment(`${head} apply puts a trigger on each table that reports it.`, ''),
      'session:',
      ...items,
    ];
  return [
    ...comment(`${head} It needs the privilege trigger on each table. Remove the # if the role has it.`, ''),
    ...['session:', ...items].map((line) => `# ${line}`),
  ];
}

function rowPair({ row }: Witness): readonly Pair[] {
  if (row === null) return [];
  const of = 'type' in row ? (['type', scalar(row.type)] as const) : (['table', scalar(row.table)] as const);
  return [['row', flow([of, ['key', scalar(row.key)]])]];
}

function redactLines({ secrets }: Proposal): readonly string[] {
  if (secrets.length === 0) return [];
  return [
    '# Columns that hold secrets. Secret members of JSON and passwords in URLs are masked without a rule.',
    'redact:',
    ...grouped(secrets).map(({ columns, tables, with: how, fact }) =>
      remarked(
        `  - ${flow([
          ['columns', list(columns)],
          ['tables', list(tables)],
          ['with', how],
        ])}`,
        fact,
      ),
    ),
  ];
}

type SecretsRule = Omit<TableSecrets, 'table'> & { readonly tables: string[] };

/** Combines tables with the same secrets into one rule. */
function grouped(secrets: readonly TableSecrets[]): readonly SecretsRule[] {
  const rules = new Map<string, SecretsRule>();
  for (const { table, ...secret } of secrets) {
    const key = JSON.stringify(secret);
    const rule = rules.get(key);
    if (rule === undefined) rules.set(key, { ...secret, tables: [table] });
    else rule.tables.push(table);
  }
  return [...rules.values()];
}

function tableLines(proposal: Proposal, remarks: Remarks, detail: Detail): readonly string[] {
  const { tenant, tables } = proposal;
  const doubts = isDeclaring(proposal);
  const without = tables.flatMap((table) => (table.tenant === null ? [table.table] : []));
  return [
    ...(tenant === null || without.length === 0 || detail === 'names'
      ? []
      : comment(
          `Tables whose rows have no tenant: they have no ${tenant.column}, and refer to no row that has one. Readers limited to a tenant do not see them: ${without.join(', ')}`,
          '',
        )),
    'tables:',
    ...tables.flatMap((table) =>
      detail === 'names'
        ? [`  ${scalar(table.table)}:`]
        : tableBlock(table, {
            people: proposal.people,
            told:
              detail === 'everything'
                ? {
                    facts: remarks.costs.get(table.table) ?? [],
                    doubts,
                    isLarge: remarks.large.has(table.table),
                  }
                : null,
          }),
    ),
  ];
}

/**
 * Whether most keys of other tables are declared. If so, a label guessed by the name of its column is
 * remarked.
 */
function isDeclaring({ tables }: Proposal): boolean {
  const labels = tables.flatMap((table) => table.labels);
  return labels.filter(({ declared }) => declared).length * 2 >= labels.length;
}

function excludeLines({ leftOut }: Proposal): readonly string[] {
  const excluded = leftOut.filter(({ isSent }) => isSent);
  const others = leftOut.filter(({ isSent }) => !isSent);
  return [
    ...others.flatMap(({ table, reason }) => comment(`Not tracked: ${table} (${reason})`, '')),
    ...(excluded.length === 0 ? [] : ['# Tables that are left out, with the reason.', 'exclude:']),
    ...excluded.flatMap(({ table, reason }) =>
      reason.length > MAX_REMARK
        ? [...comment(reason, '  '), `  - ${scalar(table)}`]
        : [remarked(`  - ${scalar(table)}`, reason)],
    ),
  ];
}

/** Longest remark after a line, in characters. */
const MAX_REMARK = 60;
