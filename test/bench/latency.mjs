/**
 * Measures the time from the commit on the source until a reader of the trail can see the entries, at a low
 * and at a high rate.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../dist/pg/connect.js';
import { dropSlot, load, makeTrail, touch, trackingYaml, withGround } from './ground.mjs';
import { quantile, say, startConsumer } from './lib.mjs';

export const defaults = { seconds: 15, runs: 3 };
const CHANGES_PER_TRANSACTION = 3;
/** Several writers share flushes, so that they can keep the higher rate. */
const RATES = [
  { name: '10 transactions/s', perSecond: 10, writers: 1 },
  { name: '5,000 changes/s', perSecond: 5_000 / CHANGES_PER_TRANSACTION, writers: 4 },
];
const CUSTOMERS = 50_000;
/** Code and caches are cold at the beginning of each run, so the transactions of this time are left out. */
const WARM_UP_S = 3;
const POLL_PAUSE_MS = 1;
const CATCH_UP_LIMIT_MS = 60_000;

export async function run({ seconds, runs }) {
  return withGround({ changes: CUSTOMERS }, async (ground) => {
    const results = RATES.map((rate) => ({ load: rate.name, runs: [] }));
    for (let index = 0; index < runs; index++) {
      for (const [at, rate] of RATES.entries()) {
        const slot = `bench_latency_${at}_${index}`;
        const figures = await measure(ground, { slot, rate, seconds });
        results[at].runs.push(figures);
        say(
          `  ${rate.name} ${index + 1}/${runs}: p50 ${figures.p50Ms.toFixed(1)} ms, p99 ${figures.p99Ms.toFixed(1)} ms`,
        );
      }
    }
    const rows = results.map(({ load: name, runs: measured }) => {
      const middle = (member) =>
        quantile(
          measured.map((one) => one[member]),
          0.5,
        );
      return {
        load: name,
        'transactions/s': middle('transactionsPerS'),
        'p50 ms': middle('p50Ms'),
        'p99 ms': middle('p99Ms'),
        'max ms': Math.max(...measured.map(({ maxMs }) => maxMs)),
        'source flush p99 ms': middle('flushP99Ms'),
        'source flush max ms': Math.max(...measured.map(({ flushMaxMs }) => flushMaxMs)),
        'after it p99 ms': middle('afterP99Ms'),
        'after it max ms': Math.max(...measured.map(({ afterMaxMs }) => afterMaxMs)),
        'between looks p50 ms': middle('lookP50Ms'),
        'between looks p99 ms': middle('lookP99Ms'),
      };
    });
    return { versions: { postgres: ground.postgres }, rows, runs: results };
  });
}

async function measure(ground, { slot, rate, seconds }) {
  const trail = await makeTrail(ground, slot);
  const yaml = trackingYaml({ sourceUrl: ground.sourceUrl, slot, trailUrl: trail.url });
  const waltrail = startConsumer('waltrail.mjs', { yaml, until: null });
  try {
    await waltrail.next({ limitMs: 60_000 });
    const watching = await watch(trail.url);
    let visible;
    try {
      // Commits wait for their flush, because WAL that is not flushed is not sent. Otherwise the pauses of
      // the WAL writer would be measured.
      const one = (writer) =>
        load(
          ground,
          paced(ground, {
            perSecond: rate.perSecond / rate.writers,
            seconds: seconds + WARM_UP_S,
            seed: writer / 100,
          }),
          {
            synchronousCommit: 'on',
          },
        );
      await Promise.all(Array.from({ length: rate.writers }, (_, writer) => one(writer)));
      waltrail.send({ until: await touch(ground) });
      await waltrail.next({ limitMs: CATCH_UP_LIMIT_MS });
    } finally {
      visible = await watching.stop();
    }
    const returned = await takeReturned(ground);
    return await latencies(trail.url, { visible, returned, seconds });
  } finally {
    await waltrail.stop();
    await dropSlot(ground, slot);
    await trail.drop();
  }
}

function paced({ customers }, { perSecond, seconds, seed }) {
  return `call bench.paced_transactions(${customers}, ${perSecond}, ${seconds}, ${seed})`;
}

/**
 * Reads the checkpoint again and again, with a pause of a millisecond. What it shows is committed, and so are
 * the entries before its next id. Times are by the clock of the trail server, which is also the source's:
 * both run on one machine.
 */
async function watch(url) {
  const client = await connect({ url, purpose: 'bench watch' });
  const looks = [];
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const { rows } = await client.query({ name: 'look', text: LOOK });
      looks.push(rows[0]);
      await delay(POLL_PAUSE_MS);
    }
  })();
  running.catch(() => undefined);
  return {
    stop: async () => {
      isOver = true;
      await running;
      await client.end();
      return looks.map(({ next_id, at }) => ({ nextId: BigInt(next_id), at: Number(at) }));
    },
  };
}

const LOOK = /* sql */ `select next_id::text, extract(epoch from clock_timestamp()) * 1000 as at from trail.checkpoint`;

/**
 * Returns when the commit of each transaction had returned to the application, by xid. Empties the table for
 * the next run.
 */
async function takeReturned(ground) {
  const { rows } = await ground.source.query(
    `select xid::text, extract(epoch from returned_at) * 1000 as at from bench.committed`,
  );
  await ground.source.query('truncate bench.committed');
  return new Map(rows.map(({ xid, at }) => [xid, Number(at)]));
}

/**
 * For every transaction after the warm-up, computes the time from its commit to the first look that shows its
 * last entry. Also divides it: the time until the source had made the commit durable, before which it sends
 * the commit to nobody, and the time after that.
 */
async function latencies(url, { visible, returned, seconds }) {
  const client = await connect({ url, purpose: 'bench' });
  const { rows } = await client.query(/* sql */ `
    select max(id)::text as last_id, xid::text, extract(epoch from committed_at) * 1000 as at
      from trail.entry group by commit_lsn, committed_at, xid order by max(id)`);
  await client.end();
  const begin = Number(rows[0].at) + WARM_UP_S * 1000;
  const measured = [];
  const flushes = [];
  const after = [];
  let look = 0;
  for (const { last_id, xid, at } of rows) {
    while (visible[look].nextId <= BigInt(last_id)) look++;
    // The one change at the end does not belong to the load.
    if (!returned.has(xid) || Number(at) < begin || Number(at) >= begin + seconds * 1000) continue;
    measured.push(visible[look].at - Number(at));
    flushes.push(returned.get(xid) - Number(at));
    after.push(visible[look].at - returned.get(xid));
  }
  const between = visible.slice(1).map(({ at }, index) => at - visible[index].at);
  return {
    transactionsPerS: measured.length / seconds,
    p50Ms: quantile(measured, 0.5),
    p99Ms: quantile(measured, 0.99),
    maxMs: quantile(measured, 1),
    flushP99Ms: quantile(flushes, 0.99),
    flushMaxMs: quantile(flushes, 1),
    afterP99Ms: quantile(after, 0.99),
    afterMaxMs: quantile(after, 1),
    lookP50Ms: quantile(between, 0.5),
    lookP99Ms: quantile(between, 0.99),
  };
}
