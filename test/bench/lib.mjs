/**
 * Helpers of all benches: statistics, /proc, child processes with a limit, and how results are printed and
 * stored.
 */
import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import prettier from 'prettier';

const RESULTS = path.resolve(import.meta.dirname, 'results');
/** USER_HZ: the unit of /proc/PID/stat on every Linux. */
const TICKS_PER_S = 100;

// ---------------------------------------------------------------- statistics

/** Nearest rank; `share` is from 0 to 1. */
export function quantile(values, share) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}

export const median = (values) => quantile(values, 0.5);

/** Returns the median of each number over several runs with the same members. */
export function medians(runs) {
  return Object.fromEntries(Object.keys(runs[0]).map((name) => [name, median(runs.map((run) => run[name]))]));
}

/** Null if a figure could not be measured. */
export const ratio = (a, b) => (a === null || b === null || b === 0 ? null : a / b);

// ---------------------------------------------------------------- processes

/**
 * Returns the CPU seconds of all threads so far, and the peak RSS in MB (10^6). Null if there is no /proc, or
 * no such process.
 */
export function processFigures(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses that may contain anything; utime and stime are the 14th and
    // 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return {
      cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S,
      peakRssMb: peak === null ? null : (Number(peak[1]) * 1024) / 1e6,
    };
  } catch {
    return null;
  }
}

/** Repeats `attempt` until it returns something. After the limit an error names what was waited for. */
export async function until(what, attempt, { limitMs = 60_000, pauseMs = 20 } = {}) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await attempt();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs / 1000} s for ${what}`);
    await delay(pauseMs);
  }
}

/**
 * Runs a module of consumers/ in a separate process, with one order. `next()` resolves with its next report.
 * It rejects if the process ends before, or after the limit. The module ends when this process disconnects.
 */
export function startConsumer(file, order) {
  const child = fork(path.resolve(import.meta.dirname, 'consumers', file), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaints = '';
  child.stderr.on('data', (chunk) => (complaints = (complaints + chunk).slice(-4000)));
  const ended = once(child, 'exit');
  const reports = [];
  child.on('message', (report) => reports.push(report));
  child.send(order);
  return {
    pid: child.pid,
    next: ({ limitMs }) =>
      until(
        `a report of ${file}`,
        () => {
          if (reports.length === 0 && (child.exitCode ?? child.signalCode) !== null)
            throw new Error(`${file} ended early: ${complaints}`);
          return reports.shift();
        },
        { limitMs },
      ),
    send: (message) => child.send(message),
    stop: async () => {
      if (child.connected) child.disconnect();
      const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
      if (child.exitCode === null && child.signalCode === null) await ended;
      clearTimeout(kill);
    },
  };
}

/** Pause between two looks at a process. */
export const SAMPLE_MS = 20;

/** Returns what a module of consumers/ reports for an order. Calls `look` repeatedly until then. */
export async function reportOf(file, order, { limitMs, look = () => undefined }) {
  const consumer = startConsumer(file, order);
  const looking = setInterval(() => look(consumer.pid), SAMPLE_MS);
  try {
    return await consumer.next({ limitMs });
  } finally {
    clearInterval(looking);
    await consumer.stop();
  }
}

/**
 * Runs a program of PostgreSQL's client package. `done` resolves with its output, and rejects if it fails or
 * takes too long.
 */
export function startTool(command, { args, url, limitMs, environment = {} }) {
  const { hostname, port, username, password, pathname } = new URL(url);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      LC_ALL: 'C',
      PGHOST: hostname,
      PGPORT: port,
      PGUSER: username,
      PGPASSWORD: decodeURIComponent(password),
      PGDATABASE: pathname.slice(1),
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const kill = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const done = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(kill);
      if (code === 0) resolve(output);
      else reject(new Error(`${command} failed (${code ?? 'killed'}): ${output.trim().slice(-2000)}`));
    });
  });
  done.catch(() => undefined);
  return { pid: child.pid, done, stop: () => child.kill('SIGKILL') };
}

/** Debian's Python packages belong to the system's Python. */
export const PYTHON = '/usr/bin/python3';

/** Returns the first line of a program's version output; null if it is not on the PATH. */
export function toolVersion(command) {
  try {
    return execFileSync(command, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

/** Returns the version of an installed package that is compared. */
export function packageVersion(name) {
  const file = path.resolve(import.meta.dirname, '../../node_modules', name, 'package.json');
  return JSON.parse(readFileSync(file, 'utf8')).version;
}

/**
 * Creates a folder that is removed when this process ends, also by a signal (run.mjs turns those into an
 * exit).
 */
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'waltrail-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// ---------------------------------------------------------------- results

/** Returns what the worth of a result depends on: machine, versions, and how busy the machine was before. */
export function circumstances() {
  return {
    at: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memoryGb: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${arch()}`,
    },
    loadBefore: loadavg().map((load) => Number(load.toFixed(2))),
    versions: { node: process.versions.node, waltrail: commit() },
  };
}

function commit() {
  const git = (...args) =>
    execFileSync('git', args, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  try {
    const changed = git('status', '--porcelain', '--', ':/src', ':/sql').trim() !== '';
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? ' with changes' : ''}`;
  } catch {
    return 'not a checkout';
  }
}

/**
 * Writes results/<processor>/<name>.json, in the form that the format check wants. Results are kept by
 * processor because ratios differ too: a wake-up takes half the time of one reader and a tenth of another's.
 */
export async function saveResult(name, result) {
  const processor = result.machine.cpu
    .replace(/\([^)]*\)/g, ' ')
    .toLowerCase()
    .match(/[a-z0-9]+/g)
    .join('-');
  const folder = path.join(RESULTS, processor);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.json`);
  const rounded = JSON.stringify(result, (_, value) => (typeof value === 'number' ? round(value) : value));
  const style = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(rounded, { ...style, parser: 'json' }));
}

/** Formats rows as a table with the names of their members as headings; the first column is text. */
export function table(rows) {
  const heads = Object.keys(rows[0]);
  const cells = [heads, ...rows.map((row) => heads.map((head) => show(row[head])))];
  const widths = heads.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  return cells
    .map((line) =>
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function show(value) {
  if (value === null || value === undefined) return '-';
  return typeof value === 'number' ? String(round(value)) : value;
}

/** Rounds to three significant digits. Counts are not rounded. */
function round(value) {
  return Number.isInteger(value) ? value : Number(value.toPrecision(value >= 1000 ? 4 : 3));
}

/** Prints to the terminal, not into the result. */
export function say(text) {
  process.stdout.write(`${text}\n`);
}
