/**
 * Measures what the trigger of `session` costs an application, with the TPC-B transactions of pgbench. Each
 * table is tracked, without the trigger and with it, while no capture runs. Commits wait for the disk.
 */
import { connect } from '../../dist/pg/connect.js';
import { applyPlan } from '../../dist/tracking/apply.js';
import { readCatalog } from '../../dist/tracking/catalog.js';
import { parseConfig } from '../../dist/tracking/load.js';
import { planTracking } from '../../dist/tracking/plan.js';
import { PUBLICATION, SOURCE_SETTINGS, withCluster } from './ground.mjs';
import { median, medians, ratio, say, startTool, toolVersion } from './lib.mjs';

export const defaults = { seconds: 20, runs: 5 };
const TOOL = 'pgbench';
const CLIENTS = 8;
/** At least the number of clients. Otherwise they wait for each other at the single row of a branch. */
const SCALE = 16;
const WARM_UP_S = 3;
const INIT_LIMIT_MS = 300_000;
/** Settings as in an application that states for each transaction who it works for. */
const ENVIRONMENT = { PGOPTIONS: '-c app.user_id=4711' };
const SESSION = 'session: [postgrest, hasura, { setting: app.user_id }]';

export async function run({ seconds, runs }) {
  const version = toolVersion(TOOL);
  if (version === null) throw new Error(`${TOOL} is not on the PATH; install postgresql-contrib`);
  return withCluster(SOURCE_SETTINGS, async ({ server, client }) => {
    const ground = { url: server.url('postgres'), client };
    const init = ['--initialize', '--quiet', '--scale', SCALE].map(String);
    await startTool(TOOL, { args: init, url: ground.url, limitMs: INIT_LIMIT_MS }).done;
    await track(ground, '');
    await write(ground, WARM_UP_S);
    const ways = { 'no trigger': '', 'trigger of session': SESSION };
    const results = Object.keys(ways).map((way) => ({ way, runs: [] }));
    for (let index = 0; index < runs; index++) {
      // Each way goes first in turn, because a rate also drifts within a round.
      for (const result of index % 2 === 0 ? results : results.toReversed()) {
        await track(ground, ways[result.way]);
        await client.query('vacuum');
        await client.query('checkpoint');
        const figures = { transactionsPerS: await write(ground, seconds) };
        result.runs.push(figures);
        say(`  ${result.way} ${index + 1}/${runs}: ${Math.round(figures.transactionsPerS)} transactions/s`);
      }
    }
    const base = results[0].runs;
    const rows = results.map(({ way, runs: measured }) => ({
      session: way,
      'transactions/s': Math.round(medians(measured).transactionsPerS),
      kept: median(measured.map((one, index) => ratio(one.transactionsPerS, base[index].transactionsPerS))),
    }));
    const { rows: versions } = await client.query('show server_version');
    return { versions: { postgres: versions[0].server_version, [TOOL]: version }, rows, runs: results };
  });
}

/** Applies a YAML with or without `session`. */
async function track({ url }, session) {
  const text = `
source: { name: bench, url: "${url}", publication: ${PUBLICATION} }
trail: { url: "${url}" }
${session}
tables: { "public.pgbench_*": {} }
`;
  const config = parseConfig({ text, file: 'bench.yaml', environment: {} });
  const client = await connect({ url, purpose: 'bench' });
  try {
    await applyPlan(client, planTracking({ config, catalog: await readCatalog(client) }));
  } finally {
    await client.end();
  }
}

async function write({ url }, seconds) {
  const args = ['--no-vacuum', '--protocol', 'prepared', '--client', CLIENTS, '--jobs', 1, '--time', seconds];
  const tool = startTool(TOOL, {
    args: args.map(String),
    url,
    limitMs: (seconds + 30) * 1000,
    environment: ENVIRONMENT,
  });
  return Number(/tps = ([\d.]+)/.exec(await tool.done)[1]);
}
