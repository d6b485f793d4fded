/**
 * Compiles the daemon, `src/` without the page, into `dist/`: only the files that changed (decision 44). With
 * `isolatedModules` the output of a file depends on that file and the options alone, so building one again is
 * as right as building all. Types are checked by `npm run types`. `npm run build:daemon` compiles every file.
 *
 * `dist/.built-daemon` holds the hash of each source that dist was made of. It is removed before dist is
 * touched and written after, so that a run that was killed in between is not taken for one that was complete.
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
 * What is to be done in `root`: sources to compile, and files of dist that no source has. A few milliseconds.
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

/** Whether dist is what the sources say. */
export function isDaemonBuilt(root) {
  const { stale, orphans } = daemonWork(root);
  return stale.length === 0 && orphans.length === 0;
}

/**
 * Brings dist to what the sources say. Throws {@link Complaint} with what the compiler says; dist is then as
 * it was.
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

/** The JavaScript and the source map of each source. Complaints here are of syntax only. */
async function compile(root, sources) {
  // Loaded when needed: it takes a quarter of a second, and is not there before packages are installed.
  const { default: ts } = await import('typescript');
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const compilerOptions = {
    ...options,
    // Of one file the compiler cannot see that package.json says "module".
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    // Settings of a whole program, which this is not.
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

/** A daemon or a test that reads the file at this moment sees the old one or the new one. */
function replace(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.new`;
  writeFileSync(draft, text);
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
    // Not built, or by another version of this file.
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
