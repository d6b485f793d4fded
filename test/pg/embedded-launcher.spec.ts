import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { startPostgres } from '../../src/embedded/postgres.js';
import { copyInstallation, type Installation } from '../support/installation.ts';
import { eventually, processesWith, runNode } from '../support/processes.ts';

const LAUNCHER = path.resolve(import.meta.dirname, '../../dist/embedded/postgres.js');
const HERE: Installation = { launcher: LAUNCHER, node: process.execPath };
const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

/** Starts a server in `home`, prints its URL, and stops it at SIGTERM. */
const holderScript = (launcher: string): string => `
  import { startPostgres } from ${JSON.stringify(pathToFileURL(launcher).href)};
  const home = process.argv[1] === '' ? null : process.argv[1];
  try {
    const server = await startPostgres({ home });
    process.on('SIGTERM', () => server.stop().then(() => process.exit(0)));
    setInterval(() => undefined, 1000);
    process.stdout.write(JSON.stringify({ url: server.url('postgres'), pid: server.pid, cluster: server.cluster }) + '\\n');
  } catch (error) {
    process.stderr.write(error.code + ': ' + error.message);
    process.exit(1);
  }`;

const holder = (
  home: string | null,
  {
    installation = HERE,
    ...options
  }: {
    readonly installation?: Installation;
    readonly ids?: { uid: number; gid: number };
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
) =>
  runNode(['--input-type=module', '-e', holderScript(installation.launcher), home ?? ''], {
    cwd: '/',
    node: installation.node,
    ...options,
  });

interface Held {
  readonly url: string;
  readonly pid: number;
  readonly cluster: string;
}

const held = (child: ReturnType<typeof holder>): Promise<Held> =>
  eventually('the server is up', () =>
    child.stdout().includes('\n') ? (JSON.parse(child.stdout()) as Held) : undefined,
  );

async function query<T>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

describe('the embedded PostgreSQL', () => {
  let root = '';
  let count = 0;
  const folder = async (): Promise<string> => {
    const made = path.join(root, `home-${++count}`);
    await mkdir(made);
    return made;
  };

  /** For an ordinary account, which may be unable to reach the repository. */
  let copy = '';
  let installation = HERE;

  beforeAll(async () => {
    root = await mkdtemp('/tmp/waltrail-launcher-');
    await chmod(root, 0o755);
    copy = path.join(root, 'copy');
    await mkdir(copy);
    if (isRoot) installation = await copyInstallation(copy, { name: 'nobody', ...NOBODY });
  });
  afterAll(async () => {
    await rm(root, { recursive: true, force: true });
  });

  test('keeps rows, password and port between runs', async () => {
    const home = await folder();
    const first = await startPostgres({ home });
    await query(first.url('postgres'), 'create table kept as select 42 as answer');
    await first.stop();
    const second = await startPostgres({ home });
    try {
      expect(second.port).toBe(first.port);
      expect(await query(second.url('postgres'), 'select answer from kept')).toEqual([{ answer: 42 }]);
    } finally {
      await second.stop();
    }
    expect((await stat(path.join(home, 'cluster.json'))).mode & 0o777).toBe(0o600);
  });

  test('a second start on the same folder is refused and names the process that has it', async () => {
    const home = await folder();
    await using first = holder(home);
    await held(first);
    await using second = holder(home);
    expect(await second.ended).toBe(1);
    expect(second.stderr()).toContain('EMBEDDED_IN_USE');
    expect(second.stderr()).toContain(`process ${first.pid}`);
    await expect(startPostgres({ home })).rejects.toMatchObject({ code: 'EMBEDDED_IN_USE' });
    first.process.kill('SIGTERM');
    expect(await first.ended).toBe(0);
  });

  test('SIGKILL of the process that started the server leaves no PostgreSQL, and the next start recovers', async () => {
    const home = await folder();
    const killed = holder(home);
    const { url, cluster } = await held(killed);
    await query(url, 'create table survives as select 1 as x');
    killed.process.kill('SIGKILL');
    await killed.ended;
    // Starts at once: the guard is still stopping the old server.
    const next = await startPostgres({ home });
    try {
      expect(await query(next.url('postgres'), 'select x from survives')).toEqual([{ x: 1 }]);
    } finally {
      await next.stop();
    }
    await eventually('no process is left', async () => (await processesWith(cluster)).length === 0);
  });

  test('recovers when the guard and the server were killed as well', async () => {
    const home = await folder();
    const killed = holder(home);
    const { url, cluster } = await held(killed);
    await query(url, 'create table survives as select 1 as x');
    for (const pid of [killed.pid, ...(await processesWith(cluster))]) process.kill(pid, 'SIGKILL');
    await killed.ended;
    await eventually('no process is left', async () => (await processesWith(cluster)).length === 0);
    expect(await readFile(path.join(cluster, 'postmaster.pid'), 'utf8')).not.toBe('');
    const next = await startPostgres({ home });
    try {
      expect(await query(next.url('postgres'), 'select x from survives')).toEqual([{ x: 1 }]);
    } finally {
      await next.stop();
    }
  });

  test('takes over a server that lost both its daemon and its guard', async () => {
    const home = await folder();
    const killed = holder(home);
    const { pid, cluster } = await held(killed);
    const others = (await processesWith(cluster)).filter((found) => found !== pid);
    for (const other of [...others, killed.pid]) process.kill(other, 'SIGKILL');
    await killed.ended;
    const next = await startPostgres({ home });
    expect(next.pid).not.toBe(pid);
    await next.stop();
    await eventually('no process is left', async () => (await processesWith(cluster)).length === 0);
  });

  test('a lock file with a process id that another program has now does not stop a start', async () => {
    const home = await folder();
    const first = await startPostgres({ home });
    const { cluster } = first;
    await first.stop();
    // Alive, of the same account, and no PostgreSQL on this cluster: as after a restart of a container.
    await writeFile(path.join(cluster, 'postmaster.pid'), `${process.pid}\n${cluster}\n`);
    await writeFile(path.join(home, 'lock'), `${process.pid} 1\n`);
    const second = await startPostgres({ home });
    await second.stop();
  });

  test('an ephemeral cluster leaves no files, also when its process is killed', async () => {
    const killed = holder(null);
    const { cluster } = await held(killed);
    killed.process.kill('SIGKILL');
    await killed.ended;
    await eventually('the files are removed', () =>
      stat(path.dirname(cluster)).then(
        () => false,
        () => true,
      ),
    );
  });

  test("the server's log holds no row value, also after a failed statement", async () => {
    const home = await folder();
    const server = await startPostgres({ home });
    const url = server.url('postgres');
    await query(url, 'create table one (secret text primary key)');
    await query(url, `insert into one values ('hunter2')`);
    await expect(query(url, `insert into one values ('hunter2')`)).rejects.toMatchObject({ code: '23505' });
    await server.stop();
    const log = await readFile(path.join(home, 'server.log'), 'utf8');
    expect(log).toContain('one_pkey');
    expect(log).not.toContain('hunter2');
  });

  test('a folder that is a file is one clear error', async () => {
    const file = path.join(await folder(), 'file');
    await writeFile(file, '');
    await expect(startPostgres({ home: path.join(file, 'postgres') })).rejects.toMatchObject({
      code: 'EMBEDDED_FOLDER',
      message: expect.stringContaining(file),
    });
  });

  test('a cluster that vanished is an error that explains how to start over', async () => {
    const home = await folder();
    const server = await startPostgres({ home });
    await server.stop();
    await rm(server.cluster, { recursive: true });
    await expect(startPostgres({ home })).rejects.toMatchObject({
      code: 'EMBEDDED_FAILED',
      remedy: expect.stringContaining(home),
    });
    await expect(stat(path.join(home, 'lock'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  const asRoot = isRoot ? test : test.skip;

  asRoot("runs for an ordinary account, and root then refuses that account's cluster", async () => {
    const home = await folder();
    await chown(home, NOBODY.uid, NOBODY.gid);
    await using child = holder(home, { installation, ids: NOBODY });
    const { pid } = await held(child);
    expect((await stat(`/proc/${pid}`)).uid).toBe(NOBODY.uid);
    child.process.kill('SIGTERM');
    expect(await child.ended).toBe(0);
    await chown(path.join(home, 'cluster'), 4242, 4242);
    await expect(startPostgres({ home })).rejects.toMatchObject({ code: 'EMBEDDED_FOLDER' });
  });

  asRoot('an ordinary account that may not write the folder gets one clear error', async () => {
    const home = await folder();
    await using child = holder(home, { installation, ids: NOBODY });
    expect(await child.ended).toBe(1);
    expect(child.stderr()).toContain('EMBEDDED_FOLDER');
    expect(child.stderr()).toContain('EACCES');
  });

  asRoot(
    'root never runs PostgreSQL as root, and keeps data elsewhere when the folder is closed to its account',
    async () => {
      const home = await folder();
      await chmod(home, 0o700);
      const server = await startPostgres({ home });
      try {
        expect((await stat(`/proc/${server.pid}`)).uid).not.toBe(0);
        expect(server.cluster.startsWith('/var/lib/waltrail/')).toBe(true);
      } finally {
        await server.stop();
      }
      const again = await startPostgres({ home });
      expect(again.cluster).toBe(server.cluster);
      await again.stop();
      await rm(path.dirname(server.cluster), { recursive: true });
    },
  );

  asRoot(
    'programs are staged for an account that cannot reach them, and the copy of another account is never run',
    async () => {
      // As in a clone below /root: dist and node_modules are in a closed folder.
      await chmod(copy, 0o700);
      const temporary = await folder();
      await chmod(temporary, 0o777);
      const start = () =>
        holder(null, {
          installation: { ...installation, node: process.execPath },
          environment: { TMPDIR: temporary },
        });

      await using first = start();
      const { pid } = await held(first);
      const program = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')[0]!;
      expect(program.startsWith(`${temporary}/waltrail-postgresql-`)).toBe(true);
      first.process.kill('SIGTERM');
      expect(await first.ended).toBe(0);

      const staged = program.replace(/\/bin\/postgres$/, '');
      await chown(staged, NOBODY.uid, NOBODY.gid);
      await using second = start();
      expect(await second.ended).toBe(1);
      expect(second.stderr()).toContain('EMBEDDED_STAGING');
      await chmod(copy, 0o755);
    },
  );
});
