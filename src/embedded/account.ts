import { readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { WaltrailError } from '../errors.js';

/** The account PostgreSQL runs as; undefined: the account of this process. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number } | undefined;

/** In order of preference. The last one exists on nearly every system, and owns nothing. */
const UNPRIVILEGED = ['postgres', 'node', 'nobody'];

/** PostgreSQL refuses to run as root, so root runs it as the first unprivileged account of the system. */
export async function postgresAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return undefined;
  const rows = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of UNPRIVILEGED) {
    const row = rows.find((fields) => fields[0] === name);
    if (row !== undefined) return { name, uid: Number(row[2]), gid: Number(row[3]) };
  }
  throw new WaltrailError(
    'EMBEDDED_NO_ACCOUNT',
    `PostgreSQL does not run as root, and none of the accounts ${UNPRIVILEGED.join(', ')} exists.`,
  );
}

/** For `spawn`: the ids to run under. */
export const spawnIds = (account: Account): { uid?: number; gid?: number } =>
  account === undefined ? {} : { uid: account.uid, gid: account.gid };

/**
 * Whether the account may pass through every existing folder on the way to `target` (a clone under /root: it
 * may not).
 */
export async function canReach(target: string, account: Account): Promise<boolean> {
  if (account === undefined) return true;
  for (let folder = path.resolve(target); ; folder = path.dirname(folder)) {
    const info = await stat(folder).catch(() => undefined);
    if (info !== undefined) {
      const shift = info.uid === account.uid ? 6 : info.gid === account.gid ? 3 : 0;
      if (((info.mode >> shift) & 1) === 0) return false;
    }
    if (folder === path.dirname(folder)) return true;
  }
}

/** The temporary folder, or the system's where TMPDIR names one that is closed to the account. */
export const temporaryFolder = async (account: Account): Promise<string> =>
  (await canReach(tmpdir(), account)) ? tmpdir() : '/tmp';
