/**
 * Sends the same WAL through pg_recvlogical to /dev/null, through peers that only decode, and through
 * Waltrail into a trail, with few rules and with many.
 */
import { performance } from 'node:perf_hooks';
import { makeWindow, withGround, withSlot } from './ground.mjs';
import { median, medians, packageVersion, ratio, say, toolVersion } from './lib.mjs';
import {
  PEERS,
  throughPeer,
  throughTool,
  throughWaltrail,
  throughWaltrailWithRules,
  TOOL,
} from './readers.mjs';

const WALTRAIL = 'Waltrail';
/** Waltrail with rules for every table. The difference to the default is the cost of the rules. */
const RULES = 'Waltrail, rules for every table';

export const defaults = { changes: 1_000_000, runs: 3 };

export async function run({ changes, runs }) {
  return withGround({ changes }, async (ground) => {
    const tool = toolVersion(TOOL);
    const versions = {
      postgres: ground.postgres,
      ...Object.fromEntries(Object.entries(PEERS).map(([peer, name]) => [peer, packageVersion(name)])),
      [TOOL]: tool ?? 'not on the PATH (postgresql-client)',
    };
    if (tool === null) say(`${TOOL} is not on the PATH; install postgresql-client to compare with it.`);
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
      results.push(...(await measureWindow(ground, { window, runs, readers: readers(tool !== null) })));
      await window.drop();
    }
    return { versions, rows: results.map(summary), runs: results };
  });
}

function readers(hasTool) {
  return {
    ...(hasTool && { [TOOL]: throughTool }),
    ...Object.fromEntries(Object.keys(PEERS).map((peer) => [peer, throughPeer(peer)])),
    [WALTRAIL]: throughWaltrail,
    [RULES]: throughWaltrailWithRules,
  };
}

async function measureWindow(ground, { window, runs, readers }) {
  const measured = Object.keys(readers).map((reader) => ({ load: window.name, reader, runs: [] }));
  for (let index = 0; index < runs; index++) {
    // Every round begins with another reader, so that no reader is always first or last.
    const first = index % measured.length;
    for (const result of [...measured.slice(first), ...measured.slice(0, first)]) {
      const slot = `bench_${window.name}_${index}`;
      // Writes left by an earlier run must not happen during this one.
      await ground.source.query('checkpoint');
      await ground.trail.query('checkpoint');
      const figures = await withSlot(ground, { window, slot }, () =>
        readers[result.reader](ground, { window, slot }),
      );
      result.runs.push(figures);
      say(`  ${result.reader} ${index + 1}/${runs}: ${figures.seconds.toFixed(2)} s`);
    }
  }
  return compare(measured);
}

/**
 * Compares speeds of runs in the same round, because the machine's speed drifts. The fastest peer is the one
 * with the lowest median time.
 */
function compare(measured) {
  const seconds = ({ runs }) => runs.map((one) => one.seconds);
  const tool = measured.find(({ reader }) => reader === TOOL);
  const [fastest] = measured
    .filter(({ reader }) => reader in PEERS)
    .sort((a, b) => median(seconds(a)) - median(seconds(b)));
  const waltrail = measured.find(({ reader }) => reader === WALTRAIL);
  const speed = (result, other) =>
    other === undefined
      ? null
      : median(seconds(result).map((one, index) => ratio(seconds(other)[index], one)));
  return measured.map((result) => ({
    ...result,
    isFastestPeer: result === fastest,
    speedToTool: speed(result, tool),
    speedToFastestPeer: speed(result, fastest),
    speedToWaltrail: speed(result, waltrail),
  }));
}

function summary({ load, reader, runs, isFastestPeer, speedToTool, speedToFastestPeer, speedToWaltrail }) {
  const middle = medians(runs);
  const role = reader in PEERS ? `, decode only${isFastestPeer ? ' (fastest peer)' : ''}` : '';
  return {
    'load, reader': `${load}, ${reader}${role}`,
    'changes read': middle.counted,
    'changes/s': Math.round(middle.changesPerS),
    [`speed / ${TOOL}`]: speedToTool,
    'speed / fastest peer': speedToFastestPeer,
    'speed / Waltrail': speedToWaltrail,
    'reader CPU us/change': middle.readerCpuUs,
    'walsender CPU us/change': middle.walsenderCpuUs,
    'trail CPU us/change': middle.trailCpuUs,
    'peak RSS MB': middle.peakRssMb,
    'bytes/entry': middle.bytesPerEntry,
  };
}
