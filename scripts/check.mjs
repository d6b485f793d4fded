/**
 * Runs `npm run check`: format, lint with the import rule, and types, two at a time; then the unit tests,
 * which use all cores by themselves. The output of a check that fails is shown in full. The tests run only
 * when all other checks pass.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..');
const AT_ONCE = 2;
/** The checks, slowest first. */
const CHECKS = ['lint', 'types:test', 'types:daemon', 'types:page', 'format:check'];

const began = Date.now();
const waiting = [...CHECKS];
const failed = [];
await Promise.all(Array.from({ length: AT_ONCE }, runWaiting));
if (failed.length > 0) process.stdout.write(`failed: ${failed.join(', ')}\n`);
const code = failed.length > 0 ? 1 : (await npm(['test', '--', 'test/unit'], 'inherit')).code;
process.stdout.write(`checked in ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
process.exitCode = code;

async function runWaiting() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const start = Date.now();
    const { code, output } = await npm(['run', '--silent', name], 'pipe');
    process.stdout.write(`${name} (${((Date.now() - start) / 1000).toFixed(1)} s)\n`);
    if (code === 0) continue;
    failed.push(name);
    process.stdout.write(`${output.trim()}\n`);
  }
}

/** Runs npm until it exits. The output is empty if it goes straight to the terminal. */
function npm(npmArguments, output) {
  const child = spawn('npm', npmArguments, {
    cwd: ROOT,
    stdio: ['ignore', output, output],
    shell: process.platform === 'win32',
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
  return new Promise((resolve) => {
    child
      .on('close', (code) => resolve({ code: code ?? 1, output: text }))
      .on('error', (error) => resolve({ code: 1, output: error.message }));
  });
}
