import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import type { PlanProblem, TrackingPlan } from '../tracking/findings.js';
import { listNames } from '../tracking/list-names.js';
import { parseConfig } from '../tracking/load.js';
import { planTracking } from '../tracking/plan.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readCosts, type Costs } from './costs.js';
import { readFacts, type SourceFacts } from './facts.js';
import { grantsFor } from './grants.js';
import { propose } from './propose.js';
import type { Proposal } from './proposal.js';
import { writeYaml, type Detail, type Remarks } from './write-yaml.js';

/** A YAML for a source, and what it was made from. */
export interface Draft {
  readonly text: string;
  readonly detail: Detail;
  readonly proposal: Proposal;
  /** What plan finds in the way at the server or the role: nothing of the YAML. */
  readonly problems: readonly PlanProblem[];
  /** What could not be read. */
  readonly unread: readonly string[];
}

/**
 * Drafts the YAML for a source. Reads no row of a table and changes nothing. What it returns loads, and plan
 * finds no mistake in it. Throws INIT_NO_TABLES, INIT_TOO_LARGE and what reading the catalog throws.
 *
 * @param client with a limit for statements, which holds for each one
 * @param options.progress is told what is being done, and of how many tables
 */
export async function draftYaml(
  client: pg.Client,
  { progress }: { readonly progress: (step: string, tables: number) => void },
): Promise<Draft> {
  const facts = await readFacts(client);
  const tables = facts.tables.size;
  progress(`proposes what to track of ${tables} tables`, tables);
  const { proposal, plan, config } = accepted(facts);
  const costs = await readCosts(client, plan.widened, {
    progress: (done) => progress(`reads what they cost: ${done} of ${plan.widened.length}`, tables),
  });
  const remarks = remarksOf({ facts, proposal, config, costs });
  const { text, detail } = fitting(proposal, remarks);
  return {
    text,
    detail,
    proposal,
    problems: plan.problems,
    unread: facts.unread,
  };
}

/** Without any remark, as plan reads it. */
const BARE: Remarks = { head: [], grants: [], costs: new Map() };
/** What plan refuses of one table may show only once another is left out. */
const MAX_ROUNDS = 5;

interface Accepted {
  readonly proposal: Proposal;
  readonly config: TrackingConfig;
  readonly plan: TrackingPlan;
}

/** The proposal without the tables that plan refuses. */
function accepted(facts: SourceFacts): Accepted {
  const refused = new Map<string, string>();
  for (let round = 1; ; round++) {
    const proposal = propose(facts, refused);
    if (proposal.tables.length === 0) throw noTables(facts);
    const config = load(fitting(proposal, BARE).text);
    const plan = planTracking({ config, catalog: facts.catalog });
    const found = plan.problems.filter(({ tables }) => tables.length > 0);
    if (found.length === 0 || round === MAX_ROUNDS) return { proposal, config, plan };
    for (const { message, remedy, tables } of found)
      for (const table of tables) refused.set(table, `${message} ${remedy}`);
  }
}

/** No connection is made to either. */
const PLACEHOLDER = 'postgres://waltrail/init';

const load = (text: string): TrackingConfig =>
  parseConfig({
    text,
    file: 'the draft',
    environment: { WALTRAIL_SOURCE_URL: PLACEHOLDER, WALTRAIL_TRAIL_URL: PLACEHOLDER },
  });

function noTables({ catalog }: SourceFacts): WaltrailError {
  const { database } = catalog.server;
  return new WaltrailError(
    'INIT_NO_TABLES',
    `The source (database ${database}) has no table that could be tracked.`,
  );
}

function remarksOf({
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
  const { server } = facts.catalog;
  const { tables, secrets, tenant } = proposal;
  const masked = secrets.reduce((count, { columns }) => count + columns.length, 0);
  const unnamed = tables.filter(({ name }) => name === null).map(({ table }) => table);
  return {
    head: [
      `Written by waltrail init from the catalog of database ${server.database}: ${tables.length} tables, ${masked} columns with secrets.`,
      ...(unnamed.length === 0
        ? []
        : [`Rows shown by their ids, for no column names them: ${listNames(unnamed)}.`]),
      ...(tenant === null
        ? ['No column is in most tables that would say whose rows they are, so there is no tenant.']
        : []),
      ...byNames(proposal),
      ...(tables.some(({ values }) => values.numbers.length > 0)
        ? [
            'Numbers that stand for words are listed under their tables, to be filled in: values: { status: { 0: … } }.',
          ]
        : []),
      ...costs.total,
      ...facts.unread,
    ],
    grants: grantsFor(config, facts.catalog),
    costs: costs.byTable,
  };
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

/** As TrackingDocument of document.ts takes it. */
const MAX_CHARACTERS = 1_048_576;
const DETAILS: readonly Detail[] = ['everything', 'rules', 'names'];

/** As much detail as a YAML may have characters. */
function fitting(proposal: Proposal, remarks: Remarks): { readonly text: string; readonly detail: Detail } {
  for (const detail of DETAILS) {
    const text = writeYaml(proposal, remarks, detail);
    if (text.length <= MAX_CHARACTERS) return { text, detail };
  }
  throw new WaltrailError(
    'INIT_TOO_LARGE',
    `The source has ${proposal.tables.length} tables, and a YAML that names them all is longer than 1 MiB.`,
  );
}
