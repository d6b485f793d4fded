/**
 * Checks that every fault has a test that fails when its guard is removed. `npm run test:guards` removes each
 * guard of guard-table.mjs from a copy of the compiled code, runs its test, and expects it to fail. If a text
 * is not found, or a test does not pass with the guard in place, that is an error. So the table cannot become
 * outdated unnoticed.
 *
 *   npm run test:guards                 every guard, about half an hour on two quiet cores
 *   npm run test:guards -- fence ack    those whose name has one of these words
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { GUARDS } from './guard-table.mjs';

const ROOT = path.resolve(import.meta.dirname, '../..');
const RUN_LIMIT_MS = 300_000;
/**
 * Limit of a wait. What must happen in a test happens much sooner; what never happens is not waited for
 * longer. A guard may set a longer limit.
 */
const WAIT_MS = 20_000;

const words = process.argv.slice(2);
const chosen = GUARDS.filter(({ guard }) => words.length === 0 || words.some((word) => guard.includes(word)));
const say = (line) => process.stdout.write(`${line}\n`);
const copy = await copyProject();
try {
  for (const guard of chosen) await withoutGuard(guard);
  const verdicts = [];
  for (const guard of chosen) {
    const began = performance.now();
    verdicts.push(await tryGuard(guard));
    say(`${verdicts.at(-1).padEnd(9)} ${guard.guard} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
  }
  const count = (wanted) => verdicts.filter((verdict) => verdict === wanted).length;
  say(
    `guards: ${verdicts.length} removed one at a time, ${count('killed')} killed, ${count('survived')} survived, ${count('unclear')} unclear`,
  );
  process.exitCode = count('killed') === verdicts.length ? 0 : 1;
} finally {
  await rm(copy, { recursive: true, force: true });
}

/** Returns the text of the file without the guard. */
async function withoutGuard({ guard, file, from, to }) {
  const parts = (await readFile(path.join(copy, file), 'utf8')).split(from);
  if (parts.length !== 2)
    throw new Error(`${guard}: its text stands ${parts.length - 1} times in ${file}, not once: ${from}`);
  return parts.join(to);
}

/** `killed`: the test passes with the guard and fails without it. */
async function tryGuard(guard) {
  if ((await runTest(guard)) !== 'passed') return 'unclear';
  const file = path.join(copy, guard.file);
  const whole = await readFile(file);
  await writeFile(file, await withoutGuard(guard));
  const result = await runTest(guard);
  await writeFile(file, whole);
  return { failed: 'killed', passed: 'survived', nothing: 'unclear' }[result];
}

/** Copies the compiled code and the SQL that it reads; the rest is linked. */
async function copyProject() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'waltrail-guards-'));
  for (const name of ['dist', 'sql'])
    await cp(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  for (const name of ['node_modules', 'config', 'package.json'])
    await symlink(path.join(ROOT, name), path.join(folder, name));
  return folder;
}

/** `passed`, `failed`, or `nothing` when the test did not run to its end. */
async function runTest({ spec, test, waitMs = WAIT_MS }) {
  const output = path.join(copy, 'result.json');
  await rm(output, { force: true });
  const child = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      path.join(ROOT, 'node_modules/jest/bin/jest.js'),
      spec,
      '--testNamePattern',
      test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      ...['--json', '--outputFile', output],
    ],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        WALTRAIL_TEST_DIST: path.join(copy, 'dist'),
        WALTRAIL_TEST_WAIT_MS: String(waitMs),
      },
      stdio: 'ignore',
    },
  );
  const limit = setTimeout(() => child.kill('SIGTERM'), RUN_LIMIT_MS);
  await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(limit);
  const result = await readFile(output, 'utf8').then(JSON.parse, () => undefined);
  if (result === undefined || result.numRuntimeErrorTestSuites > 0) return 'nothing';
  if (result.numFailedTests > 0) return 'failed';
  return result.numPassedTests > 0 ? 'passed' : 'nothing';
}
