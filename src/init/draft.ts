import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import type { PlanProblem, TrackingPlan } from '../tracking/findings.js';
import { parseConfig } from '../tracking/load.js';
import { planTracking } from '../tracking/plan.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readCosts } from './costs.js';
import { readFacts, type SourceFacts } from './facts.js';
import { propose } from './propose.js';
import type { Proposal } from './proposal.js';
import { remarksOf } from './remarks.js';
import { fittingYaml } from './fitting-yaml.js';
import type { Detail, Remarks } from './write-yaml.js';

/** A YAML for a source, and what it was made from. */
export interface Draft {
  readonly text: string;
  readonly detail: Detail;
  readonly proposal: Proposal;
  /** Problems that plan finds with the server or the role. The YAML cannot solve them. */
  readonly problems: readonly PlanProblem[];
  /** Sentences about what could not be read. */
  readonly unread: readonly string[];
}

/**
 * Drafts the YAML for a source. Reads no row of a table and changes nothing. The YAML that it returns loads,
 * and plan finds no mistake in it. Throws INIT_NO_TABLES, INIT_TOO_LARGE and what reading the catalog throws.
 *
 * @param client with a statement timeout, which limits each statement
 * @param options.progress is called with what is being done, and the number of tables
 */
export async function draftYaml(
  client: pg.Client,
  { progress }: { readonly progress: (step: string, tables: number) => void },
): Promise<Draft> {
  const tables = await countTables(client);
  progress(`reads the catalog of ${tables} tables`, tables);
  const facts = await readFacts(client);
  progress('proposes what to track', tables);
  const { proposal, plan, config } = accepted(facts);
  const costs = await readCosts(client, plan.widened, {
    progress: (done) => progress(`reads what they cost: ${done} of ${plan.widened.length}`, tables),
  });
  const remarks = remarksOf({ facts, proposal, config, costs });
  const { text, detail } = fittingYaml(proposal, remarks);
  return {
    text,
    detail,
    proposal,
    problems: plan.problems,
    unread: facts.unread,
  };
}

/** Counts the users' tables. Partitions count too, because they take as long to read. */
async function countTables(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{
    count: number;
  }>(/* sql */ `select count(*)::int4 as count from pg_catalog.pg_class c
                where c.relkind in ('r', 'p') and c.oid >= ${FIRST_NORMAL_OID}`);
  return rows[0]!.count;
}

/** Lowest oid of users' objects. */
const FIRST_NORMAL_OID = 16_384;

/** Without any remark, as plan reads it. */
const BARE: Remarks = { head: [], grants: [], costs: new Map(), large: new Set() };
/** What plan refuses of one table may show only once another is left out. */
const MAX_ROUNDS = 5;

interface Accepted {
  readonly proposal: Proposal;
  readonly config: TrackingConfig;
  readonly plan: TrackingPlan;
}

/** Returns the proposal without the tables that plan refuses. */
function accepted(facts: SourceFacts): Accepted {
  const refused = new Map<string, string>();
  for (let round = 1; ; round++) {
    const proposal = propose(facts, refused);
    if (proposal.tables.length === 0) throw noTables(facts);
    const config = load(fittingYaml(proposal, BARE).text);
    const plan = planTracking({ config, catalog: facts.catalog });
    const found = plan.problems.filter(({ tables }) => tables.length > 0);
    if (found.length === 0 || round === MAX_ROUNDS) return { proposal, config, plan };
    for (const { message, remedy, tables } of found)
      for (const table of tables) refused.set(table, `${message} ${remedy}`);
  }
}

/** URL for both sides, to which no connection is made. */
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
