/**
 * The readers of a window's slot, each in a separate process: PostgreSQL's tool, peers that only decode, and
 * Waltrail into a trail.
 */
import { connect } from '../../dist/pg/connect.js';
import { dropSlot, makeTrail, PUBLICATION, rulesYaml, trackingYaml } from './ground.mjs';
import { processFigures, startConsumer, startTool, until } from './lib.mjs';

/** PostgreSQL's own reader. */
export const TOOL = 'pg_recvlogical';
/** The peers that consumers/peer.mjs can read with, and their packages. */
export const PEERS = {
  'pg-logical-replication': 'pg-logical-replication',
  'postgres.js': 'postgres',
  pgwire: 'pgwire',
};

const SAMPLE_INTERVAL_MS = 20;
/** Far more than the slowest reader takes. A reader that loses a change would otherwise wait forever. */
const limitMs = ({ changes }) => 60_000 + changes;

/** Reads to /dev/null. The tool does not report how many changes it wrote. */
export async function throughTool(ground, { window, slot }) {
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
  const tool = startTool(TOOL, {
    args: [...args, ...options],
    url: ground.sourceUrl,
    limitMs: limitMs(window),
  });
  try {
    const sampler = await sample(ground, { slot, pid: tool.pid, died: tool.done });
    await tool.done;
    return perChange(window, sampler.stop(Date.now()));
  } finally {
    tool.stop();
  }
}

export const throughPeer =
  (peer) =>
  async (ground, { window, slot }) => {
    const order = {
      peer,
      url: ground.sourceUrl,
      slot,
      publication: PUBLICATION,
      changes: total(window.counts),
    };
    const consumer = startConsumer('peer.mjs', order);
    try {
      const sampler = await sample(ground, { slot, pid: consumer.pid });
      const { doneAt, counts } = await consumer.next({ limitMs: limitMs(window) });
      const figures = perChange(window, sampler.stop(doneAt));
      return { ...figures, counted: compared(peer, { counts, window }) };
    } finally {
      await consumer.stop();
    }
  };

/** Runs until everything is in the trail and the checkpoint says so. */
export const throughWaltrail = (ground, order) =>
  throughCapture(ground, {
    ...order,
    yamlOf: trackingYaml,
    counted: ({ window, entries }) => compared('Waltrail', { counts: entries, window }),
  });

/** The same with rules for every table. Some rules leave changes out. */
export const throughWaltrailWithRules = (ground, order) =>
  throughCapture(ground, {
    ...order,
    yamlOf: rulesYaml,
    counted: ({ window, changes }) => {
      if (changes < total(window.counts))
        throw new Error(`Waltrail read ${changes} of ${total(window.counts)} changes`);
      return changes;
    },
  });

async function throughCapture(ground, { window, slot, yamlOf, counted }) {
  const trail = await makeTrail(ground, slot);
  const yaml = yamlOf({ sourceUrl: ground.sourceUrl, slot, trailUrl: trail.url });
  const waltrail = startConsumer('waltrail.mjs', { yaml, until: window.until });
  try {
    const sampler = await sample(ground, { slot, pid: waltrail.pid, trailDatabase: slot });
    await waltrail.next({ limitMs: 60_000 });
    const {
      doneAt,
      counts: { changes },
    } = await waltrail.next({ limitMs: limitMs(window) });
    const figures = perChange(window, sampler.stop(doneAt));
    const { bytes, ...entries } = await stored(trail.url);
    return {
      ...figures,
      counted: counted({ window, entries, changes }),
      bytesPerEntry: bytes / total(entries),
    };
  } finally {
    await waltrail.stop();
    await dropSlot(ground, slot);
    await trail.drop();
  }
}

/**
 * Returns the number of changes read. Fails if a kind has another number than the source's server counted.
 */
function compared(reader, { counts, window }) {
  for (const kind of ['insert', 'update', 'delete']) {
    if (counts[kind] !== window.counts[kind])
      throw new Error(
        `${reader} has ${JSON.stringify(counts)} of the changes ${JSON.stringify(window.counts)}`,
      );
  }
  return total(counts);
}

const total = (counts) => counts.insert + counts.update + counts.delete;

async function stored(url) {
  const client = await connect({ url, purpose: 'bench' });
  try {
    const { rows } = await client.query(
      `select count(*) filter (where operation = 'i')::float8 as insert,
              count(*) filter (where operation = 'u')::float8 as update,
              count(*) filter (where operation = 'd')::float8 as delete,
              ((select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = 'trail.entry'::regclass)
                + pg_total_relation_size('trail.posting') + pg_total_relation_size('trail.chunk'))::float8 as bytes
         from trail.entry`,
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

/**
 * Samples a reader, its walsender and the trail's backend. The period is from the walsender's start, so that
 * starting a process counts for nobody, to the time given to `stop`. Figures of a process that ends before
 * are up to 20 ms old.
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
      // A process that has just ended reports no memory.
      if (figures !== null)
        last[name] = { ...figures, peakRssMb: figures.peakRssMb ?? last[name]?.peakRssMb ?? null };
    }
  };
  look();
  // The timer does not keep the process alive: a run that fails does not stop it, but must still end.
  const timer = setInterval(look, SAMPLE_INTERVAL_MS).unref();
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
    counted: null,
    readerCpuUs: us(reader),
    walsenderCpuUs: us(walsender),
    trailCpuUs: us(trail),
    peakRssMb: reader?.peakRssMb ?? null,
    bytesPerEntry: null,
  };
}
