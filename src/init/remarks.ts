import { listNames } from '../tracking/list-names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Costs } from './costs.js';
import type { SourceFacts } from './facts.js';
import { grantsFor } from './grants.js';
import type { Proposal } from './proposal.js';
import type { Remarks } from './write-yaml.js';

/** What the YAML tells beside its rules: what was found, what was not, and what capture needs. */
export function remarksOf({
  facts,
  proposal,
  config,
  costs,
}: {
  readonly facts: SourceFacts;
  readonly proposal: Proposal;
  readonly config: TrackingConfig;
  readonly costs: Costs;
}): Remarks {
  const { database } = facts.catalog.server;
  const { tables, secrets } = proposal;
  const masked = secrets.reduce((count, { columns }) => count + columns.length, 0);
  return {
    head: [
      `Written by waltrail init from the catalog of database ${database}: ${tables.length} tables, ${masked} columns with secrets.`,
      ...unnamed(proposal),
      ...(proposal.tenant === null
        ? ['No column was found that says in most tables whose rows they are.']
        : []),
      ...byNames(proposal),
      ...(tables.some(({ values }) => values.numbers.length > 0)
        ? ['Numbers that stand for words have a commented key values under their table, to be filled in.']
        : []),
      ...(tables.some(({ table, baseline }) => baseline && !costs.large.has(table))
        ? [
            'Tables that say who may do what, or how things are set, have a commented key baseline: with it the trail has one entry for each row that is there when it begins.',
          ]
        : []),
      ...costs.total,
      ...facts.unread,
    ],
    grants: grantsFor(config, facts.catalog),
    costs: costs.byTable,
    large: costs.large,
  };
}

function unnamed({ tables }: Proposal): readonly string[] {
  const found = tables.filter(({ name }) => name === null).map(({ table }) => table);
  return found.length === 0
    ? []
    : [`Rows shown by their ids, for no column names them: ${listNames(found)}.`];
}

/** Labels that no foreign key declares. */
function byNames({ tables }: Proposal): readonly string[] {
  const labels = tables.flatMap((table) => table.labels);
  const guessed = labels.filter(({ declared }) => !declared).length;
  if (guessed === 0) return [];
  return [
    `Of ${labels.length} columns that hold keys of other tables, ${guessed} are known by their names alone: no foreign key declares them.`,
  ];
}
