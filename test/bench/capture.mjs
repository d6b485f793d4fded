/** The same WAL through pg_recvlogical to /dev/null, through pg-logical-replication decoding only, and through Waltrail into a trail. */
import { performance } from 'node:perf_hooks';
import { connect } from '../../dist/pg/connect.js';
import {
  dropSlot,
  makeTrail,
  makeWindow,
  PUBLICATION,
  trackingYaml,
  withGround,
  withSlot,
} from './ground.mjs';
import {
  median,
  medians,
  peerVersion,
  processFigures,
  ratio,
  say,
  startConsumer,
  startTool,
  toolVersion,
  until,
} from './lib.mjs';

export const defaults = { changes: 1_000_000, runs: 3 };
const SAMPLE_INTERVAL_MS = 20;
const TOOL = 'pg_recvlogical';

export async function run({ changes, runs }) {
  return withGround({ changes }, async (ground) => {
    const versions = {
      postgres: ground.postgres,
      'pg-logical-replication': peerVersion(),
      [TOOL]: toolVersion(TOOL) ?? 'not on the PATH (postgresql-client)',
    };
    if (toolVersion(TOOL) === null)
      say(`${TOOL} is not on the PATH; install postgresql-client to compare with it.`);
    const results = [];
    for (const [name, statement] of [
      ['small', `call bench.small_transactions(${ground.customers}, ${changes})`],
      ['one', `call bench.one_transaction(${changes})`],
    ]) {
      const start = performance.now();
      const window = await makeWindow(ground, { name, changes, statement });
      const loadS = (performance.now() - start) / 1000;
      say(
        `${name}: ${changes} changes, ${Math.round(window.walMb)} MB of WAL, written in ${loadS.toFixed(1)} s`,
      );
      results.push(...(await measureWindow(ground, { window, runs })));
      await window.drop();
    }
    return { versions, rows: results.map(summary), runs: results };
  });
}

async function measureWindow(ground, { window, runs }) {
  const consumers = {
    [TOOL]: throughTool,
    'pg-logical-replication, decode only': throughPeer,
    Waltrail: throughWaltrail,
  };
  if (toolVersion(TOOL) === null) delete consumers[TOOL];
  const measured = Object.keys(consumers).map((consumer) => ({ load: window.name, consumer, runs: [] }));
  for (let index = 0; index < runs; index++) {
    for (const result of measured) {
      const slot = `bench_${window.name}_${index}`;
      // What an earlier run left to be written must not be written during this one.
      await ground.source.query('checkpoint');
      await ground.trail.query('checkpoint');
      const figures = await withSlot(ground, { window, slot }, () =>
        consumers[result.consumer](ground, { window, slot, limitMs: 60_000 + window.changes }),
      );
      result.runs.push(figures);
      say(`  ${result.consumer} ${index + 1}/${runs}: ${figures.seconds.toFixed(2)} s`);
    }
  }
  const seconds = (name) =>
    measured.find(({ consumer }) => consumer === name)?.runs.map((one) => one.seconds);
  for (const result of measured) {
    // Of runs side by side, since the machine's speed drifts.
    for (const [name, other] of [
      ['speedToTool', seconds(TOOL)],
      ['speedToPeer', seconds('pg-logical-replication, decode only')],
    ]) {
      result[name] = median(result.runs.map((one, index) => ratio(other?.[index] ?? null, one.seconds)));
    }
  }
  return measured;
}

function summary({ load, consumer, runs, speedToTool, speedToPeer }) {
  const middle = medians(runs);
  return {
    'load, reader': `${load}, ${consumer}`,
    'changes/s': Math.round(middle.changesPerS),
    [`speed / ${TOOL}`]: speedToTool,
    'speed / peer': speedToPeer,
    'reader CPU us/change': middle.readerCpuUs,
    'walsender CPU us/change': middle.walsenderCpuUs,
    'trail CPU us/change': middle.trailCpuUs,
    'peak RSS MB': middle.peakRssMb,
    'bytes/entry': middle.bytesPerEntry,
  };
}

async function throughTool(ground, { window, slot, limitMs }) {
  const database = new URL(ground.sourceUrl).pathname.slice(1);
  const args = [
    '--start',
    '--dbname',
    database,
    '--slot',
    slot,
    '--file',
    '/dev/null',
    '--no-loop',
    '--endpos',
    window.until,
  ];
  const options = ['-o', 'proto_version=1', '-o', `publication_names=${PUBLICATION}`];
  const tool = startTool(TOOL, { args: [...args, ...options], url: ground.sourceUrl, limitMs });
  try {
    const sampler = await sample(ground, { slot, pid: tool.pid, died: tool.done });
    await tool.done;
    return perChange(window, sampler.stop(Date.now()));
  } finally {
    tool.stop();
  }
}

async function throughPeer(ground, { window, slot, limitMs }) {
  // The one change behind the window is the sign that all of it was read, here as for the others.
  const order = { url: ground.sourceUrl, slot, publication: PUBLICATION, changes: window.changes + 1 };
  const peer = startConsumer('peer.mjs', order);
  try {
    const sampler = await sample(ground, { slot, pid: peer.pid });
    const { doneAt } = await peer.next({ limitMs });
    return perChange(window, sampler.stop(doneAt));
  } finally {
    await peer.stop();
  }
}

async function throughWaltrail(ground, { window, slot, limitMs }) {
  const trail = await makeTrail(ground, slot);
  const yaml = trackingYaml({ sourceUrl: ground.sourceUrl, slot, trailUrl: trail.url });
  const waltrail = startConsumer('waltrail.mjs', { yaml, until: window.until });
  try {
    const sampler = await sample(ground, { slot, pid: waltrail.pid, trailDatabase: slot });
    await waltrail.next({ limitMs });
    const { doneAt, counts } = await waltrail.next({ limitMs });
    const figures = perChange(window, sampler.stop(doneAt));
    const stored = await entriesAndBytes(trail.url);
    if (counts.ignored !== 0 || stored.entries !== window.changes + 1)
      throw new Error(`${window.changes + 1} changes made ${stored.entries} entries`);
    return { ...figures, bytesPerEntry: stored.bytes / stored.entries };
  } finally {
    await waltrail.stop();
    await dropSlot(ground, slot);
    await trail.drop();
  }
}

async function entriesAndBytes(url) {
  const client = await connect({ url, purpose: 'bench' });
  try {
    const { rows } = await client.query(
      `select (select entries from trail.checkpoint)::float8 as entries,
              (select sum(pg_total_relation_size(inhrelid)) from pg_inherits
                where inhparent = 'trail.entry'::regclass)::float8 as bytes`,
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

/**
 * Watches a reader, the walsender that serves it and the trail's backend: from the walsender's start, so that starting a process
 * counts for nobody, to the moment that `stop` is given. A process that ends before is known up to its last 20 ms.
 */
async function sample(ground, { slot, pid, trailDatabase, died }) {
  let failed = null;
  died?.catch((error) => (failed = error));
  const walsender = await until(`the walsender of ${slot}`, async () => {
    if (failed !== null) throw failed;
    const { rows } = await ground.source.query(
      `select pid, extract(epoch from backend_start)::float8 * 1000 as started
         from pg_stat_activity where pid = (select active_pid from pg_replication_slots where slot_name = $1)`,
      [slot],
    );
    return rows[0];
  });
  const trail = trailDatabase === undefined ? null : await trailBackend(ground, trailDatabase);
  const last = { reader: null, walsender: null, trail: null };
  const look = () => {
    for (const [name, watched] of Object.entries({ reader: pid, walsender: walsender.pid, trail })) {
      const figures = watched === null ? null : processFigures(watched);
      // A process that has just ended has no memory any more.
      if (figures !== null)
        last[name] = { ...figures, peakRssMb: figures.peakRssMb ?? last[name]?.peakRssMb ?? null };
    }
  };
  look();
  const timer = setInterval(look, SAMPLE_INTERVAL_MS);
  return {
    stop: (endedAt) => {
      look();
      clearInterval(timer);
      return { seconds: (endedAt - walsender.started) / 1000, ...last };
    },
  };
}

function trailBackend(ground, database) {
  return until('the writer of the trail', async () => {
    const { rows } = await ground.trail.query(
      `select pid from pg_stat_activity where datname = $1 and application_name = 'waltrail capture'`,
      [database],
    );
    return rows[0]?.pid;
  });
}

function perChange({ changes }, { seconds, reader, walsender, trail }) {
  const us = (figures) => (figures === null ? null : (figures.cpuS * 1e6) / changes);
  return {
    seconds,
    changesPerS: changes / seconds,
    readerCpuUs: us(reader),
    walsenderCpuUs: us(walsender),
    trailCpuUs: us(trail),
    peakRssMb: reader?.peakRssMb ?? null,
    bytesPerEntry: null,
  };
}
