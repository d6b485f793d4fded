/**
 * `npm run dev`: compiles the daemon at every change of `src/`, within a tenth of a second, and shows errors
 * of types when the compiler has found them. What it has built is what `npm start` and `npm test` take.
 */
import { spawn } from 'node:child_process';
import { readdirSync, watch } from 'node:fs';
import path from 'node:path';
import { prepare } from './prepare.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
const SOURCES = path.join(ROOT, 'src');
/** Editors write a file in several steps. */
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
 * One watcher for each folder: Node's own watching of whole trees loses files that are replaced, on Linux.
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
      // The folder is gone.
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
