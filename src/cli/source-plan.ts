import type pg from 'pg';
import { isWaltrailError, type WaltrailError } from '../errors.js';
import { withClient } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { sqlStateOf } from '../pg/sql-state.js';
import type { Settings } from '../settings.js';
import { baselineTables } from '../tracking/baseline.js';
import { baselineCosts, type BaselineCost } from '../tracking/baseline-cost.js';
import { readCatalog, type Catalog } from '../tracking/catalog.js';
import type { PlanProblem, TrackingPlan } from '../tracking/findings.js';
import { forecast, type IdentityCost } from '../tracking/forecast.js';
import { planTracking } from '../tracking/plan.js';
import { planText } from '../tracking/plan-text.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readStatistics } from '../tracking/statistics.js';
import type { Answer } from './command.js';
import { loadOwnConfig } from './config.js';
import { lookForPlan } from './trail-look.js';

/** The plan for a source, and the inputs of its computation. */
export interface SourcePlan {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly plan: TrackingPlan;
  /** WAL that the plan adds to the source. */
  readonly costs: readonly IdentityCost[];
  /** What tables with `baseline` add to the trail. */
  readonly baselines: readonly BaselineCost[];
}

/**
 * Connects to the source of the YAML for as long as `work` lasts. Throws what loading the YAML and connecting
 * throw.
 */
export async function withSource(
  settings: Settings,
  work: (source: PlanSource) => Promise<number>,
): Promise<number> {
  const config = loadOwnConfig(settings);
  const address = { url: config.source.url, side: 'source' } as const;
  return withClient({ ...address, purpose: 'plan' }, async (client) => {
    const look = await lookForPlan(config, client);
    return work({
      config: look.config,
      client,
      remarks: look.unasked === null ? [] : [look.unasked],
      problems: [...(look.inSource === null ? [] : [look.inSource]), ...look.troubles].map(problemOf),
      advice: look.advice,
    });
  }).catch((error: unknown) => {
    throw isWaltrailError(error) || sqlStateOf(error) === undefined ? error : queryError(address, error);
  });
}

/** A source to plan for. */
export interface PlanSource {
  /** The configuration, with the slot that capture uses. */
  readonly config: TrackingConfig;
  readonly client: pg.Client;
  /** Remarks that come from elsewhere than the source's catalog. Empty if nothing else was read. */
  readonly remarks?: readonly string[];
  readonly problems?: readonly PlanProblem[];
  readonly advice?: readonly string[];
  /** Whether to take over a publication that another source's YAML has marked as its own. */
  readonly takeOver?: boolean;
}

export async function makePlan(source: PlanSource): Promise<SourcePlan> {
  const { config, client, remarks = [], problems = [], advice = [], takeOver = false } = source;
  const catalog = await readCatalog(client);
  const plan = planTracking({ config, catalog, takeOver });
  const asked = baselineTables({ config, catalog });
  const statistics = await readStatistics(client, [
    ...new Set([
      ...plan.widened.flatMap(({ oids }) => oids),
      ...asked.flatMap(({ parts }) => parts.map(({ oid }) => oid)),
    ]),
  ]);
  return {
    config,
    catalog,
    costs: forecast(plan.widened, statistics),
    baselines: baselineCosts(asked, statistics),
    plan: {
      ...plan,
      problems: [...problems, ...plan.problems],
      warnings: [...remarks, ...plan.warnings],
      advice: [...plan.advice, ...advice],
    },
  };
}

const problemOf = ({ code, message, remedy }: WaltrailError): PlanProblem => ({
  code,
  message,
  remedy,
  tables: [],
  captureOnly: true,
});

/** Returns the plan as text and as data. The data include the source and the role that it was made for. */
export function planAnswer(made: SourcePlan): Answer {
  const { config, catalog, plan, costs, baselines } = made;
  const { steps, problems, warnings } = plan;
  return {
    text: planText(made),
    data: {
      source: config.source.name,
      database: catalog.server.database,
      serverVersion: catalog.server.version,
      role: catalog.role.name,
      steps,
      problems,
      warnings,
      costs,
      baselines,
    },
  };
}
