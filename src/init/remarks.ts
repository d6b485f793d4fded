import { listNames } from '../tracking/list-names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Costs } from './costs.js';
import type { SourceFacts } from './facts.js';
import { grantsFor } from './grants.js';
import type { Proposal } from './proposal.js';
import type { Remarks } from './write-yaml.js';

/** Returns what the YAML says besides its rules: what was found, what was not, and what capture needs. */
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
      ...(proposal.tenant === null ? ['No column was found that names the tenant in most tables.'] : []),
      ...byNames(proposal),
      ...(tables.some(({ values }) => values.numbers.length > 0)
        ? ['Numbers may stand for words. Their tables have a commented key "values" to fill in.']
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
    : [`Rows shown by their ids, because no column names them: ${listNames(found)}.`];
}

/** Counts labels that no foreign key declares. */
function byNames({ tables }: Proposal): readonly string[] {
  const labels = tables.flatMap((table) => table.labels);
  const guessed = labels.filter(({ declared }) => !declared).length;
  if (guessed === 0) return [];
  return [
    `${guessed} of ${labels.length} columns that hold keys of other tables are guessed by their names: no foreign key declares them.`,
  ];
}
