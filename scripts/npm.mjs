import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Runs npm in the project until it exits. `output` is `pipe`, and what npm printed is then returned as text;
 * or `inherit`, and it goes to the terminal. The code is a number, or `ENOENT` if there is no npm.
 */
export function runNpm(npmArguments, output) {
  // The npm that runs this script, or else the one on the PATH.
  const own = process.env.npm_execpath;
  const options = { cwd: ROOT, stdio: ['ignore', output, output] };
  const child = own?.endsWith('.js')
    ? spawn(process.execPath, [own, ...npmArguments], options)
    : spawn('npm', npmArguments, { ...options, shell: process.platform === 'win32' });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk));
  return new Promise((resolve) => {
    child
      .on('close', (code) => resolve({ code: code ?? 1, output: text }))
      .on('error', (error) => resolve({ code: error.code, output: error.message }));
  });
}
