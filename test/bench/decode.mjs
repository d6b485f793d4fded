/**
 * Measures decoding alone, from bytes recorded from a slot to rows for the trail. It is compared with the
 * parser of pg-logical-replication, with and without a JSON diff.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { parseLsn } from '../../dist/pg/lsn.js';
import { ReplicationStream } from '../../dist/source/replication.js';
import { makeWindow, PUBLICATION, rulesYaml, trackingYaml, withGround, withSlot } from './ground.mjs';
import { medians, packageVersion, ratio, say, startConsumer, temporaryFolder, until } from './lib.mjs';

export const defaults = { changes: 300_000, runs: 5 };
/** Waltrail without the search for secrets. The difference to the default is the cost of the search. */
const SECRETS_OFF = 'waltrail, secrets.defaults: false';
/** Waltrail with rules for every table. The difference to the default is the cost of the rules. */
const RULES = 'waltrail, rules for every table';
const WAYS = ['waltrail', SECRETS_OFF, RULES, 'parser', 'parser and diff', 'parser and JSON diff'];
const CHUNK_BYTES = 1 << 20;

export async function run({ changes, runs }) {
  const file = path.join(temporaryFolder(), 'messages');
  const { names, postgres } = await withGround({ changes }, (ground) => record(ground, { changes, file }));
  const nowhere = { sourceUrl: 'postgres://none', slot: 'none', trailUrl: 'postgres://none' };
  const yaml = trackingYaml(nowhere);
  const variants = {
    [SECRETS_OFF]: `${yaml}secrets: { defaults: false }\n`,
    [RULES]: rulesYaml(nowhere),
  };
  const results = WAYS.map((how) => ({ how, runs: [] }));
  for (let index = 0; index < runs; index++) {
    for (const result of results) {
      const variant = variants[result.how];
      const figures = await decodeOnce({
        file,
        how: variant === undefined ? result.how : 'waltrail',
        yaml: variant ?? yaml,
        names,
      });
      // The window has one more change at its end.
      if (figures.changes < changes) throw new Error(`${result.how} found ${figures.changes} changes`);
      result.runs.push(perChange(figures));
    }
    say(`  run ${index + 1}/${runs}`);
  }
  const base = medians(results[0].runs).cpuUs;
  const rows = results.map(({ how, runs: measured }) => {
    const middle = medians(measured);
    return {
      how:
        how === 'waltrail'
          ? 'Waltrail, to rows of the trail'
          : how in variants
            ? how.replace('waltrail', 'Waltrail')
            : `pg-logical-replication, ${how}`,
      'CPU us/change': middle.cpuUs,
      'wall us/change': middle.wallUs,
      'CPU / Waltrail': ratio(middle.cpuUs, base),
      'bytes out/change': middle.bytesOut,
    };
  });
  const versions = { postgres, 'pg-logical-replication': packageVersion('pg-logical-replication') };
  return { versions, rows, runs: results };
}

/**
 * Records messages as they came, each after its length, and the modifiers' names as capture would have read
 * them at its start.
 */
async function record(ground, { changes, file }) {
  const statement = `call bench.small_transactions(${ground.customers}, ${changes})`;
  const window = await makeWindow(ground, { name: 'decode', changes, statement });
  await withSlot(ground, { window, slot: 'bench_decode' }, () =>
    receive(ground, { window, slot: 'bench_decode', file }),
  );
  const { rows } = await ground.source.query(
    `select 'public.agents' as table_name, id::text as key, name, 'agent' as kind from public.agents`,
  );
  return { names: rows, postgres: ground.postgres };
}

async function receive(ground, { window, slot, file }) {
  const descriptor = openSync(file, 'w');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let used = 0;
  let isOver = false;
  let failure;
  const target = parseLsn(window.until);
  const flush = () => {
    writeSync(descriptor, chunk, 0, used);
    used = 0;
  };
  const stream = await ReplicationStream.open({
    url: ground.sourceUrl,
    slot,
    publication: PUBLICATION,
    check: () => undefined,
    made: () => undefined,
    startLsn: 0n,
    spoolFolder: null,
    messagePrefixes: [],
    tickMs: 5_000,
    signal: new AbortController().signal,
    handler: {
      message: (bytes, start, end) => {
        if (isOver) return;
        if (used + 4 + end - start > CHUNK_BYTES) flush();
        chunk.writeUInt32BE(end - start, used);
        bytes.copy(chunk, used + 4, start, end);
        used += 4 + end - start;
        // 'C' Commit: flags (1), commit LSN (8), end LSN (8)
        if (bytes[start] === 0x43) isOver = bytes.readBigUInt64BE(start + 10) > target;
      },
      begins: () => undefined,
      described: () => undefined,
      keepalive: () => undefined,
      readDone: () => undefined,
      ended: (error) => (failure = error),
    },
  });
  try {
    await until(
      'the end of the recording',
      () => {
        if (failure !== undefined) throw failure;
        return isOver;
      },
      { limitMs: 60_000 + window.changes },
    );
    flush();
  } finally {
    closeSync(descriptor);
    await stream.stop();
  }
}

async function decodeOnce(order) {
  const decoder = startConsumer('decode.mjs', order);
  try {
    return await decoder.next({ limitMs: 300_000 });
  } finally {
    await decoder.stop();
  }
}

function perChange({ cpuS, seconds, changes, bytes }) {
  return { cpuUs: (cpuS * 1e6) / changes, wallUs: (seconds * 1e6) / changes, bytesOut: bytes / changes };
}
