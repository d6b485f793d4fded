/**
 * Makes files of a large trail in three ways: by Waltrail from the database while it answers pages, by its
 * writers alone from rows in memory, and by other writers from the cells of the same workbook. The ways take
 * turns, in rounds.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { withCluster } from './ground.mjs';
import {
  median,
  packageVersion,
  processFigures,
  PYTHON,
  ratio,
  reportOf,
  SAMPLE_MS,
  say,
  temporaryFolder,
  toolVersion,
} from './lib.mjs';
import { seedWeek } from './trail-data.mjs';

export const defaults = { entries: 1_000_000, runs: 3 };
const TIMEZONE = 'Europe/Berlin';
const FORMATS = ['xlsx', 'csv', 'ndjson'];
const WRITERS = path.resolve(import.meta.dirname, 'writers');
const LIMIT_MS = 30 * 60_000;

export async function run({ entries: seeded, runs }) {
  return withCluster({}, async ({ server, client }) => {
    const url = server.url('postgres');
    const folder = temporaryFolder();
    say('  seeding …');
    const range = await seedWeek({ url, entries: seeded });
    say('  writing the cells for the other writers …');
    const cells = path.join(folder, 'cells');
    const { kinds, entries } = await reportOf(
      'export-cells.mjs',
      { url, range, timezone: TIMEZONE, file: cells },
      { limitMs: LIMIT_MS },
    );
    const order = { url, exportDir: folder, range, timezone: TIMEZONE };
    const contenders = [
      ...FORMATS.map((format) => ({
        writer: `Waltrail, ${format}`,
        measure: () => waltrail({ ...order, format }),
      })),
      ...FORMATS.map((format) => ({
        writer: `Waltrail's writer, ${format}`,
        measure: () => reportOf('export-writer.mjs', { ...order, format }, { limitMs: LIMIT_MS }),
      })),
      ...peers(folder).map(({ writer, command }) => ({
        writer,
        measure: () => peer({ command, cells, kinds, file: path.join(folder, 'peer.xlsx') }),
      })),
    ];
    const rounds = [];
    for (let index = 0; index < runs; index++) {
      const round = {};
      // Each round begins with another way.
      const turn = [
        ...contenders.slice(index % contenders.length),
        ...contenders.slice(0, index % contenders.length),
      ];
      for (const { writer, measure } of turn) {
        round[writer] = await measure();
        if ((round[writer].entries ?? entries) !== entries)
          throw new Error(`${writer} has ${round[writer].entries} entries`);
        say(`  ${writer}: ${round[writer].seconds.toFixed(1)} s`);
      }
      rounds.push(round);
    }
    const { rows } = await client.query('show server_version');
    return {
      versions: {
        postgres: rows[0].server_version,
        exceljs: packageVersion('exceljs'),
        libxlsxwriter: debianVersion('libxlsxwriter-dev'),
        python: toolVersion(PYTHON),
        xlsxwriter: debianVersion('python3-xlsxwriter'),
      },
      rows: contenders.map(({ writer }) => rowOf(writer, { rounds, entries })),
      runs: rounds,
    };
  });
}

function rowOf(writer, { rounds, entries }) {
  const middle = (figure) => median(rounds.map((round) => round[writer][figure] ?? null));
  const seconds = middle('seconds');
  const against = (other) =>
    median(rounds.map((round) => ratio(round[writer].seconds, round[other].seconds)));
  return {
    writer,
    seconds,
    'entries/s': Math.round(entries / seconds),
    'time / xlsx': against('Waltrail, xlsx'),
    "time / writer's xlsx": against("Waltrail's writer, xlsx"),
    'CPU s': middle('cpuS'),
    'peak RSS MB': middle('peakRssMb'),
    'file MB': middle('fileMb'),
    'page p99 ms before': middle('pageBeforeP99Ms'),
    'page p99 ms': middle('pageP99Ms'),
  };
}

/** Returns the installed writers, each with the command to which cells, file and kinds are added. */
function peers(folder) {
  const exceljs = (mode) => ({
    writer: `exceljs, ${mode}`,
    command: (args) => [process.execPath, path.join(WRITERS, 'exceljs.mjs'), ...args, mode],
  });
  const found = [exceljs('documented'), exceljs('tuned')];
  const program = compiled(folder);
  if (program !== null) {
    found.push({ writer: 'libxlsxwriter, level 1', command: (args) => [program, ...args, '1'] });
    found.push({ writer: 'libxlsxwriter', command: (args) => [program, ...args] });
  }
  if (hasXlsxWriter())
    found.push({
      writer: 'XlsxWriter',
      command: (args) => [PYTHON, path.join(WRITERS, 'write_xlsx.py'), ...args],
    });
  return found;
}

/** Compiles the program of libxlsxwriter. Null if a C compiler or the library is missing. */
function compiled(folder) {
  const program = path.join(folder, 'libxlsxwriter');
  const source = path.join(WRITERS, 'libxlsxwriter.c');
  try {
    execFileSync('cc', ['-O2', '-rdynamic', '-o', program, source, '-lxlsxwriter', '-lz', '-ldl'], {
      stdio: 'ignore',
    });
    return program;
  } catch {
    say('  libxlsxwriter is not compared: it needs cc and libxlsxwriter-dev');
    return null;
  }
}

function hasXlsxWriter() {
  try {
    if (!existsSync(PYTHON)) throw new Error('there is no Python');
    execFileSync(PYTHON, ['-c', 'import xlsxwriter'], { stdio: 'ignore' });
    return true;
  } catch {
    say('  XlsxWriter is not compared: it needs python3-xlsxwriter');
    return false;
  }
}

function debianVersion(name) {
  try {
    return execFileSync('dpkg-query', ['-W', '-f', '${Version}', name], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return null;
  }
}

/** Makes one export, and returns the peak RSS of its process. */
async function waltrail(order) {
  let figures = null;
  const measured = await reportOf('export.mjs', order, {
    limitMs: LIMIT_MS,
    look: (pid) => (figures = processFigures(pid) ?? figures),
  });
  return { ...measured, peakRssMb: figures?.peakRssMb ?? null };
}

/** Runs another writer once, measured from the start of its process to its end. */
async function peer({ command, cells, kinds, file }) {
  const [program, ...args] = command([cells, file, kinds]);
  const start = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  let complaints = '';
  child.stderr.on('data', (chunk) => (complaints = (complaints + chunk).slice(-4000)));
  let figures = null;
  const looking = setInterval(() => (figures = processFigures(child.pid) ?? figures), SAMPLE_MS);
  const [code] = await once(child, 'exit');
  const seconds = (performance.now() - start) / 1000;
  clearInterval(looking);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaints}`);
  const fileMb = statSync(file).size / 1e6;
  rmSync(file);
  return { seconds, fileMb, cpuS: figures?.cpuS ?? null, peakRssMb: figures?.peakRssMb ?? null };
}
