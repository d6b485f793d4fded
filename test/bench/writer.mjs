/**
 * Measures what an application loses: transactions of a closed-loop writer without audit, with Waltrail, and
 * with a trigger for each row.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { dropSlot, makeTrail, touch, trackingYaml, withGround } from './ground.mjs';
import { median, medians, ratio, say, startConsumer, startTool, toolVersion } from './lib.mjs';

export const defaults = { seconds: 20, runs: 3 };
const TOOL = 'pgbench';
const CLIENTS = 4;
const CUSTOMERS = 50_000;
const WARM_UP_S = 3;
const CATCH_UP_LIMIT_MS = 300_000;
const CHANGES_PER_TRANSACTION = 3;

export async function run({ seconds, runs }) {
  const version = toolVersion(TOOL);
  if (version === null) throw new Error(`${TOOL} is not on the PATH; install postgresql-contrib`);
  return withGround({ changes: CUSTOMERS / 0.75 }, async (ground) => {
    await write(ground, WARM_UP_S);
    const ways = { 'no audit': alone, Waltrail: withWaltrail, 'trigger for each row': withTrigger };
    const results = Object.keys(ways).map((way) => ({ way, runs: [] }));
    for (let index = 0; index < runs; index++) {
      for (const result of results) {
        // The same tables for every way: no dead rows from the round before, and no pending writes.
        await ground.source.query('vacuum public.customers, public.conversations');
        await ground.source.query('checkpoint');
        const figures = await ways[result.way](ground, { seconds, name: `bench_writer_${index}` });
        result.runs.push({ caughtUpPercent: null, catchUpS: null, ...figures });
        say(`  ${result.way} ${index + 1}/${runs}: ${Math.round(figures.transactionsPerS)} transactions/s`);
      }
    }
    const base = results[0].runs;
    const rows = results.map(({ way, runs: measured }) => {
      const middle = medians(measured);
      return {
        audit: way,
        'transactions/s': Math.round(middle.transactionsPerS),
        kept: median(measured.map((one, index) => ratio(one.transactionsPerS, base[index].transactionsPerS))),
        'stored at the end %': middle.caughtUpPercent,
        'catching up s': middle.catchUpS,
      };
    });
    return { versions: { postgres: ground.postgres, [TOOL]: version }, rows, runs: results };
  });
}

async function alone(ground, { seconds }) {
  return { transactionsPerS: await write(ground, seconds) };
}

/**
 * Measures with Waltrail. The writer does not wait for it, so the result includes how far the trail is behind
 * at the end.
 */
async function withWaltrail(ground, { seconds, name }) {
  const trail = await makeTrail(ground, name);
  const yaml = trackingYaml({ sourceUrl: ground.sourceUrl, slot: name, trailUrl: trail.url });
  const waltrail = startConsumer('waltrail.mjs', { yaml, until: null });
  try {
    await waltrail.next({ limitMs: 60_000 });
    const transactionsPerS = await write(ground, seconds);
    const ended = Date.now();
    waltrail.send({ report: true, until: await touch(ground) });
    const { counts: early } = await waltrail.next({ limitMs: 60_000 });
    const { doneAt, counts } = await waltrail.next({ limitMs: CATCH_UP_LIMIT_MS });
    if (counts.entries < transactionsPerS * seconds * CHANGES_PER_TRANSACTION * 0.9)
      throw new Error(`the trail got ${counts.entries} entries only`);
    return {
      transactionsPerS,
      caughtUpPercent: (100 * early.entries) / counts.entries,
      catchUpS: (doneAt - ended) / 1000,
    };
  } finally {
    await waltrail.stop();
    await dropSlot(ground, name);
    await trail.drop();
  }
}

async function withTrigger(ground, { seconds }) {
  await ground.source.query(readFileSync(path.resolve(import.meta.dirname, 'audit-trigger.sql'), 'utf8'));
  try {
    return { transactionsPerS: await write(ground, seconds) };
  } finally {
    await ground.source.query('drop function bench.audit() cascade; drop table bench.audit');
  }
}

/**
 * Returns the transactions per second of four connections that do not wait for the disk. The bench is about
 * the case in which the processors are the limit.
 */
async function write(ground, seconds) {
  const script = path.resolve(import.meta.dirname, 'writer.pgbench.sql');
  const args = [
    '--no-vacuum',
    '--protocol',
    'prepared',
    '--client',
    CLIENTS,
    '--jobs',
    1,
    '--time',
    seconds,
    '--file',
    script,
  ];
  const tool = startTool(TOOL, {
    args: args.map(String),
    url: ground.sourceUrl,
    limitMs: (seconds + 30) * 1000,
    environment: { PGOPTIONS: '-c synchronous_commit=off' },
  });
  const rate = /tps = ([\d.]+)/.exec(await tool.done);
  return Number(rate[1]);
}
