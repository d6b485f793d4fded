import { connect } from '../../src/pg/connect.js';
import { applyPlan } from '../../src/tracking/apply.js';
import { readCatalog, type Catalog } from '../../src/tracking/catalog.js';
import { parseConfig } from '../../src/tracking/load.js';
import type { TrackingPlan } from '../../src/tracking/findings.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import type { TestDatabase } from './database.ts';

/** Returns a configuration that tracks tables of one database. */
export const trackingConfig = (
  database: TestDatabase,
  options: {
    /** YAML of the tables. */
    readonly tables: string;
    readonly eventTrigger?: boolean;
    readonly publication?: string;
  },
): TrackingConfig =>
  parseConfig({
    text: `source: { name: crm, url: "\${URL}", slot: ${database.name}, publication: ${options.publication ?? 'waltrail'}, event_trigger: ${options.eventTrigger === true} }
trail: { url: "\${URL}" }
tables: ${options.tables}
`,
    file: 'w.yaml',
    environment: { URL: database.url },
  });

export async function catalogOf(url: string): Promise<Catalog> {
  const client = await connect({ url, purpose: 'test' });
  try {
    return await readCatalog(client);
  } finally {
    await client.end();
  }
}

/** Applies the plan of a configuration without the tables that have problems, and returns it. */
export async function applyConfig(config: TrackingConfig): Promise<TrackingPlan> {
  const client = await connect({ url: config.source.url, purpose: 'test' });
  try {
    const plan = planTracking({ config, catalog: await readCatalog(client) });
    await applyPlan(client, plan);
    return plan;
  } finally {
    await client.end();
  }
}
