import { connect } from '../pg/connect.js';
import type { Settings } from '../settings.js';
import { applyPlan } from '../tracking/apply.js';
import { readCatalog, type Catalog } from '../tracking/catalog.js';
import { loadConfig } from '../tracking/load.js';
import { applyProblems, type TrackingPlan } from '../tracking/findings.js';
import { planTracking } from '../tracking/plan.js';
import { planText } from '../tracking/plan-text.js';
import type { TrackingConfig } from '../tracking/rules.js';

interface CommandOptions {
  readonly settings: Settings;
  readonly write: (text: string) => void;
}

/** `waltrail plan`: what `apply` would do to the source. Changes nothing. Resolves with the exit code: 1 where there are problems. */
export async function planCommand(options: CommandOptions): Promise<number> {
  return withSource(options, async ({ config, client }) => {
    const { plan, catalog } = await planOf(config, client);
    options.write(planText({ plan, catalog, config }));
    return plan.problems.length > 0 ? 1 : 0;
  });
}

/**
 * `waltrail apply`: prints the plan and carries it out. Resolves with the exit code: 0 when the source is then as the YAML
 * wants it, 1 where problems stand in the way, of all tables or of some, which are then left out. Throws what
 * {@link applyPlan} throws.
 */
export async function applyCommand(options: CommandOptions): Promise<number> {
  return withSource(options, async ({ config, client }) => {
    const { plan, catalog } = await planOf(config, client);
    options.write(planText({ plan, catalog, config }));
    if (applyProblems(plan).length > 0) return 1;
    const leftOut = plan.problems.some(({ tables }) => tables.length > 0);
    if (plan.steps.length === 0) return leftOut ? 1 : 0;
    await applyPlan(client, plan);
    const left = (await planOf(config, client)).plan;
    if (applyProblems(left).length + left.steps.length > 0) {
      options.write('Somebody else changed the source meanwhile; run waltrail apply again.\n');
      return 1;
    }
    options.write(
      `Applied: ${plan.steps.length} ${plan.steps.length === 1 ? 'step' : 'steps'} in one transaction.\n`,
    );
    return leftOut ? 1 : 0;
  });
}

type Client = Awaited<ReturnType<typeof connect>>;

async function planOf(
  config: TrackingConfig,
  client: Client,
): Promise<{ plan: TrackingPlan; catalog: Catalog }> {
  const catalog = await readCatalog(client);
  return { plan: planTracking({ config, catalog }), catalog };
}

async function withSource(
  { settings }: CommandOptions,
  work: (source: { config: TrackingConfig; client: Client }) => Promise<number>,
): Promise<number> {
  const config = await loadConfig({ file: settings.configFile, environment: settings.environment });
  const client = await connect({ url: config.source.url, purpose: 'plan' });
  try {
    return await work({ config, client });
  } finally {
    await client.end().catch(() => undefined);
  }
}
