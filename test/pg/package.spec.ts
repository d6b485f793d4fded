import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { freshDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const execute = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');

/** The package as `npm pack` makes it, installed in a folder with its dependencies. */
async function installed() {
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-package-'));
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  const { stdout } = await execute('npm', pack, { cwd: ROOT, timeout: 60_000 });
  await execute('tar', ['-xzf', path.join(folder, stdout.trim()), '-C', folder]);
  const home = path.join(folder, 'package');
  await symlink(path.join(ROOT, 'node_modules'), path.join(home, 'node_modules'));
  const bin = path.join(folder, 'bin');
  await mkdir(bin);
  const { bin: commands } = JSON.parse(await readFile(path.join(home, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const [name, file] of Object.entries(commands)) {
    await chmod(path.join(home, file), 0o755);
    await symlink(path.join(home, file), path.join(bin, name));
  }
  return {
    folder,
    home,
    bin,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** All values of a key in the systemd unit. */
const said = (unit: string, key: string): string[] =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

test('the package has all that the systemd service starts, and reloads', async () => {
  await using source = await freshDatabase('empty');
  await using trail = await freshDatabase('empty');
  await using at = await installed();
  await source.query('create table items (id int primary key, name text)');
  const unit = await readFile(path.join(at.home, 'config/waltrail.service'), 'utf8');
  const yaml = path.join(at.folder, 'waltrail.yaml');
  const tables = (entity: string): string => `
source: { name: test, url: "\${WALTRAIL_SOURCE_URL}", slot: slot_${source.name} }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
tables: { public.items: { entity: ${entity} } }
`;
  await writeFile(yaml, tables('item'));
  const names = said(unit, 'Environment').map((setting) => setting.split('=')[0]!);
  expect(names).toEqual(['WALTRAIL_CONFIG', 'WALTRAIL_DATA_DIR']);
  const environment = {
    PATH: `${at.bin}:${process.env.PATH}`,
    HOME: at.folder,
    WALTRAIL_CONFIG: yaml,
    WALTRAIL_DATA_DIR: path.join(at.folder, 'data'),
    WALTRAIL_SOURCE_URL: source.url,
    WALTRAIL_TRAIL_URL: trail.url,
    WALTRAIL_PORT: '0',
  };
  // Run in a folder other than that of the package.
  const options = { cwd: at.folder, env: environment };
  await execute('waltrail', ['apply'], { ...options, timeout: 60_000 });
  const [start] = said(unit, 'ExecStart').map((command) => command.split(' '));
  const daemon = spawn(start![0]!, start!.slice(1), { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(daemon, 'exit');
  let log = '';
  daemon.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-100_000)));
  const logged = (text: string): Promise<void> =>
    until(`the log to contain: ${text}`, () => {
      if (daemon.exitCode !== null) throw new Error(`the daemon ended: ${log}`);
      return log.includes(text);
    });
  try {
    await logged('Waltrail runs.');
    await logged('Capture streams');
    const { url } = JSON.parse(/^.*Waltrail runs\..*$/m.exec(log)![0]) as { url: string };
    const page = await fetch(url);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<script')]);
    await writeFile(yaml, tables('thing'));
    const [reload] = said(unit, 'ExecReload');
    await execute('/bin/sh', ['-c', reload!], { env: { MAINPID: String(daemon.pid) }, timeout: 10_000 });
    await logged('The file is in effect.');
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
  expect(daemon.exitCode).toBe(0);
});
