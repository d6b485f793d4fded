/**
 * Runs ESLint on what changed since it last found nothing: `npm run lint` (decision 45). Type-aware rules
 * look into what a file imports. A file is therefore linted again when it has changed, or when anything that
 * it imports, directly or through other files, has changed. ESLint's own cache looks at the file alone and
 * would miss that.
 *
 *   node scripts/lint.mjs --all     every file
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { filesBelow, hashOf, isGenerated } from './files.mjs';
import { importsOf } from './imports.mjs';

const ROOT = path.resolve(import.meta.dirname, '..');
/**
 * The cache lies in node_modules, so that it is removed together with the packages on whose versions it
 * depends.
 */
const CACHE = path.join(ROOT, 'node_modules/.cache/waltrail/lint.json');
const LINTED = /\.(?:ts|tsx|mjs|js)$/;
/** What every file's result depends on. */
const COMMON = [
  'package-lock.json',
  'eslint.config.mjs',
  'scripts/files.mjs',
  'scripts/imports.mjs',
  'scripts/lint.mjs',
  'tsconfig.json',
  'test/tsconfig.json',
  'src/web/tsconfig.json',
];

const sources = readSources();
const common = hashOf([...COMMON.map((file) => readFileSync(path.join(ROOT, file))), ...ambientTexts()]);
const current = new Map([...sources.keys()].map((file) => [file, hashOfClosure(file)]));
const clean = process.argv.includes('--all') ? new Map() : readClean();
const stale = [...current].filter(([file, hash]) => clean.get(file) !== hash).map(([file]) => file);
if (stale.length > 0) {
  // Loaded only when needed: loading takes a second.
  const { ESLint } = await import('eslint');
  const eslint = new ESLint({ cwd: ROOT });
  const results = await eslint.lintFiles(stale);
  const text = await (await eslint.loadFormatter('stylish')).format(results);
  if (text !== '') process.stdout.write(text);
  const faulty = new Set(
    results
      .filter(({ messages }) => messages.length > 0)
      .map(({ filePath }) => path.relative(ROOT, filePath).split(path.sep).join('/')),
  );
  const files = Object.fromEntries([...current].filter(([file]) => !faulty.has(file)));
  mkdirSync(path.dirname(CACHE), { recursive: true });
  writeFileSync(CACHE, JSON.stringify({ common, files }));
  process.exitCode = results.some(({ errorCount }) => errorCount > 0) ? 1 : 0;
}

/** Reads each file that is linted: its text, and which of these files it imports. */
function readSources() {
  const texts = new Map(
    filesBelow(ROOT, isGenerated)
      .filter((file) => LINTED.test(file))
      .map((file) => [file, readFileSync(path.join(ROOT, file), 'utf8')]),
  );
  return new Map(
    [...texts].map(([file, text]) => [file, { text, imports: importsOf({ file, text, files: texts }) }]),
  );
}

/** Returns the texts that declare types for all files, whether or not a file imports them. */
function ambientTexts() {
  return [...sources]
    .filter(([file, { text }]) => file.endsWith('.d.ts') || /^\s*declare (?:global|module)\b/m.test(text))
    .map(([, { text }]) => text);
}

/** Hashes a file together with everything that it imports, directly or through other files. */
function hashOfClosure(file) {
  const seen = new Set([file]);
  for (const one of seen) for (const target of sources.get(one).imports) seen.add(target);
  return hashOf([...seen].sort().flatMap((name) => [name, sources.get(name).text]));
}

/** Reads which files had no message at the last run, each with the hash that it had then. */
function readClean() {
  if (!existsSync(CACHE)) return new Map();
  try {
    const cache = JSON.parse(readFileSync(CACHE, 'utf8'));
    return new Map(cache.common === common ? Object.entries(cache.files) : []);
  } catch {
    // The cache is incomplete: the run that wrote it was killed.
    return new Map();
  }
}
