/**
 * Runs `npm run check`: format, lint with the import rule, and types, two at a time; then the unit tests,
 * which use all cores by themselves. The output of a check that fails is shown in full. The tests run only
 * when all other checks pass.
 */
import { runNpm } from './npm.mjs';

const AT_ONCE = 2;
/** The checks, slowest first. */
const CHECKS = ['lint', 'types:test', 'types:daemon', 'types:page', 'format:check'];

const began = Date.now();
const waiting = [...CHECKS];
const failed = [];
await Promise.all(Array.from({ length: AT_ONCE }, runWaiting));
if (failed.length > 0) process.stdout.write(`failed: ${failed.join(', ')}\n`);
const code = failed.length > 0 ? 1 : (await runNpm(['test', '--', 'test/unit'], 'inherit')).code;
process.stdout.write(`checked in ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
process.exitCode = code === 0 ? 0 : 1;

async function runWaiting() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const start = Date.now();
    const { code, output } = await runNpm(['run', '--silent', name], 'pipe');
    process.stdout.write(`${name} (${((Date.now() - start) / 1000).toFixed(1)} s)\n`);
    if (code === 0) continue;
    failed.push(name);
    process.stdout.write(`${output.trim()}\n`);
  }
}
