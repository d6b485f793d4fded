/**
 * Compiles the daemon (`src/` without the page) into `dist/`, and only the files that changed (decision 44).
 * With `isolatedModules`, the output of a file depends on that file and the options alone, so compiling a
 * single file is as correct as compiling all of them. Types are checked by `npm run types`. `npm run
 * build:daemon` compiles every file.
 *
 * `dist/.built-daemon` holds the hash of each source that dist was built from. It is removed before dist is
 * touched and written afterwards, so that a run that was killed in between is not taken for a complete one.
 * Called as a script, this file removes the record first, and so compiles everything.
 */
import { mkdirSync, readFileSync, realpathSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Complaint, exclusively } from './exclusively.mjs';
import { filesBelow, hashOf } from './files.mjs';

const RECORD = 'dist/.built-daemon';
/** What the output of every file depends on: the compiler, its options, and how it is called here. */
const COMMON = ['package-lock.json', 'tsconfig.json', 'scripts/compile.mjs'];

/**
 * Finds what there is to do in `root`: the sources to compile (`stale`) and the files of dist that belong to
 * no source (`orphans`). Takes a few milliseconds.
 */
export function daemonWork(root) {
  const record = readRecord(root);
  const common = hashOf(COMMON.map((file) => readFileSync(path.join(root, file))));
  const known = record?.common === common ? record.files : {};
  const sources = sourcesIn(path.join(root, 'src')).map((name) => {
    const text = readFileSync(path.join(root, 'src', name), 'utf8');
    return { name, text, hash: hashOf([text]) };
  });
  const expected = new Set(sources.flatMap(({ name }) => outputsOf(name)));
  const present = new Set(filesBelow(path.join(root, 'dist'), (folder) => folder === 'web'));
  return {
    common,
    sources,
    stale: sources.filter(
      ({ name, hash }) => known[name] !== hash || outputsOf(name).some((file) => !present.has(file)),
    ),
    orphans: [...present].filter((file) => !expected.has(file) && !file.startsWith('.')),
  };
}

/** Whether dist is up to date with the sources. */
export function isDaemonBuilt(root) {
  const { stale, orphans } = daemonWork(root);
  return stale.length === 0 && orphans.length === 0;
}

/**
 * Brings dist up to date with the sources. Throws {@link Complaint} with the compiler's messages; dist is
 * then unchanged.
 */
export async function buildDaemon(root) {
  const { common, sources, stale, orphans } = daemonWork(root);
  const outputs = stale.length === 0 ? [] : await compile(root, stale);
  const dist = path.join(root, 'dist');
  rmSync(path.join(root, RECORD), { force: true });
  for (const orphan of orphans) {
    rmSync(path.join(dist, orphan), { force: true });
    removeEmptyFolders(dist, path.dirname(orphan));
  }
  for (const { file, text } of outputs) replace(path.join(dist, file), text);
  const files = Object.fromEntries(sources.map(({ name, hash }) => [name, hash]));
  replace(path.join(root, RECORD), JSON.stringify({ common, files }));
}

/**
 * Compiles each source to JavaScript and a source map. The compiler reports syntax errors only, because it
 * sees one file at a time.
 */
async function compile(root, sources) {
  // Loaded only when needed: loading takes a quarter of a second, and the package is absent until packages
  // are installed.
  const { default: ts } = await import('typescript');
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const compilerOptions = {
    ...options,
    // Given a single file, the compiler cannot see that package.json says "module".
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    // These settings apply to whole programs only.
    ...{ noEmit: false, incremental: false, tsBuildInfoFile: undefined, rootDir: undefined },
  };
  const complaints = [];
  const outputs = sources.flatMap(({ name, text }) => {
    const result = ts.transpileModule(text, {
      fileName: `src/${name}`,
      reportDiagnostics: true,
      compilerOptions,
    });
    complaints.push(...result.diagnostics);
    const [script, map] = outputsOf(name);
    const sourceMap = JSON.parse(result.sourceMapText);
    sourceMap.sources = [path.posix.relative(path.posix.dirname(`dist/${name}`), `src/${name}`)];
    return [
      { file: script, text: result.outputText },
      { file: map, text: JSON.stringify(sourceMap) },
    ];
  });
  if (complaints.length > 0) {
    throw new Complaint(
      ts
        .formatDiagnostics(complaints, {
          getCurrentDirectory: () => '',
          getCanonicalFileName: (file) => file,
          getNewLine: () => '\n',
        })
        .trim(),
    );
  }
  return outputs;
}

const outputsOf = (name) => [name.replace(/\.ts$/, '.js'), name.replace(/\.ts$/, '.js.map')];

const sourcesIn = (folder) =>
  filesBelow(folder, (below) => below === 'web').filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.d.ts'),
  );

/**
 * Replaces a file by renaming a complete draft over it. A daemon or a test that reads the file during that
 * time sees either the old or the new content.
 */
function replace(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.new`;
  // npm makes the files of `bin` executable when it installs or links, and not again when they are replaced.
  writeFileSync(draft, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  renameSync(draft, file);
}

function removeEmptyFolders(dist, below) {
  for (let folder = below; folder !== '.'; folder = path.dirname(folder)) {
    try {
      rmdirSync(path.join(dist, folder));
    } catch {
      return;
    }
  }
}

function readRecord(root) {
  try {
    return JSON.parse(readFileSync(path.join(root, RECORD), 'utf8'));
  } catch {
    // Dist was not built, or it was built by another version of this script.
    return undefined;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
  const say = (text) => process.stdout.write(`waltrail: ${text}\n`);
  try {
    await exclusively({ root, say }, async () => {
      rmSync(path.join(root, RECORD), { force: true });
      await buildDaemon(root);
    });
  } catch (error) {
    if (!(error instanceof Complaint)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
