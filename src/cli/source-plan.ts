import type pg from 'pg';
import { withClient } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { readCatalog, type Catalog } from '../tracking/catalog.js';
import type { TrackingPlan } from '../tracking/findings.js';
import { planTracking } from '../tracking/plan.js';
import { planText } from '../tracking/plan-text.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { Answer } from './command.js';
import { loadOwnConfig } from './config.js';

/** The plan for a source, and what it was made from. */
export interface SourcePlan {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly plan: TrackingPlan;
}

/**
 * Connects to the source of the YAML for as long as `work` lasts. Throws what loading the YAML and connecting
 * throw.
 */
export async function withSource(
  settings: Settings,
  work: (source: { readonly config: TrackingConfig; readonly client: pg.Client }) => Promise<number>,
): Promise<number> {
  const config = loadOwnConfig(settings);
  return withClient({ url: config.source.url, purpose: 'plan' }, (client) => work({ config, client }));
}

export async function makePlan(config: TrackingConfig, client: pg.Client): Promise<SourcePlan> {
  const catalog = await readCatalog(client);
  return { config, catalog, plan: planTracking({ config, catalog }) };
}

/** Returns the plan as text; and as data, with the source and the role that it was made for. */
export function planAnswer(made: SourcePlan): Answer {
  const { config, catalog, plan } = made;
  return {
    text: planText(made),
    data: {
      source: config.source.name,
      database: catalog.server.database,
      serverVersion: catalog.server.version,
      role: catalog.role.name,
      ...plan,
    },
  };
}
