/**
 *   npm run bench -- [name…] [--changes N] [--runs N] [--seconds N] [--entries N] [--toast N]
 *                    [--no-save]
 *
 * Runs the benches of these names, else all of them. README.md beside says what each does and how to read it.
 */
import { parseArgs } from 'node:util';
import { circumstances, saveResult, say, table } from './lib.mjs';
import { judge } from './targets.mjs';

const BENCHES = [
  'capture',
  'memory',
  'decode',
  'latency',
  'writer',
  'session',
  'attribution',
  'pages',
  'verify',
  'export',
  'opened',
  'misuse',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    changes: { type: 'string' },
    runs: { type: 'string' },
    seconds: { type: 'string' },
    entries: { type: 'string' },
    toast: { type: 'string' },
    'no-save': { type: 'boolean', default: false },
  },
});

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

try {
  for (const name of chosen()) await bench(name);
} catch (error) {
  process.stderr.write(`bench: ${error.usage ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function bench(name) {
  const { run, defaults } = await import(`./${name}.mjs`);
  const options = optionsOf(defaults);
  const before = circumstances();
  say(`\n${name} ${JSON.stringify(options)}; load average ${before.loadBefore.join(', ')}`);
  const start = performance.now();
  const { versions, rows, ...rest } = await run(options);
  const seconds = Math.round((performance.now() - start) / 1000);
  const targets = judge(name, { rows, options });
  say([`\n${table(rows)}`, ...(targets.length > 0 ? [table(targets)] : []), `(${seconds} s)`].join('\n\n'));
  if (values['no-save']) return;
  const result = { bench: name, ...before, seconds, options, rows, targets, ...rest };
  await saveResult(name, { ...result, versions: { ...before.versions, ...versions } });
}

function chosen() {
  const unknown = positionals.filter((name) => !BENCHES.includes(name));
  if (unknown.length > 0)
    throw usage(`there is no bench ${unknown.join(', ')}; there are ${BENCHES.join(', ')}`);
  return positionals.length === 0 ? BENCHES : positionals;
}

/** Takes the options that a bench knows. The others are for other benches. */
function optionsOf(defaults) {
  return Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => {
      const given = values[name];
      if (given === undefined) return [name, value];
      if (typeof value === 'string') return [name, given];
      const number = Number(given);
      if (!Number.isInteger(number) || number < 1) throw usage(`--${name} has to be a whole number from 1`);
      return [name, number];
    }),
  );
}

function usage(message) {
  return Object.assign(new Error(message), { usage: true });
}
