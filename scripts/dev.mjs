/**
 * Runs `npm run dev`: compiles the daemon at every change of `src/`, within a tenth of a second, and shows
 * type errors once the compiler has found them. `npm start` and `npm test` use what it has built.
 */
import { spawn } from 'node:child_process';
import { readdirSync, watch } from 'node:fs';
import path from 'node:path';
import { prepare } from './prepare.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const SOURCES = path.join(ROOT, 'src');
/** The pause after a change before the build, because editors write a file in several steps. */
const SETTLE_MS = 30;

await build();
const watchers = new Map();
watchFolders();
const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
const types = spawn(process.execPath, [tsc, '-p', ROOT, '--watch', '--preserveWatchOutput'], {
  cwd: ROOT,
  stdio: 'inherit',
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    types.kill(signal);
    process.exit(0);
  });
}

/**
 * Watches each folder with a watcher of its own: on Linux, Node's recursive watching loses files that are
 * replaced.
 */
function watchFolders() {
  const folders = [SOURCES, ...foldersBelow(SOURCES)];
  for (const [folder, watcher] of watchers) {
    if (folders.includes(folder)) continue;
    watcher.close();
    watchers.delete(folder);
  }
  for (const folder of folders) {
    if (watchers.has(folder)) continue;
    const watcher = watch(folder, later).on('error', () => {
      // The folder was removed.
      watcher.close();
      watchers.delete(folder);
    });
    watchers.set(folder, watcher);
  }
}

function foldersBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(folder, entry.name))
    .flatMap((below) => [below, ...foldersBelow(below)]);
}

let timer;
let building = Promise.resolve();

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    watchFolders();
    building = building.then(build);
  }, SETTLE_MS);
}

async function build() {
  try {
    await prepare(['daemon']);
  } catch (error) {
    process.stderr.write(`waltrail: ${error.message}\n`);
  }
}
