import { readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { WaltrailError } from '../errors.js';

/** The account that runs PostgreSQL. Undefined: the account of this process. */
export type Account = { readonly name: string; readonly uid: number; readonly gid: number } | undefined;

/** In order of preference. The last one exists on nearly every system, and owns nothing. */
const UNPRIVILEGED = ['postgres', 'node', 'nobody'];

/**
 * Returns the account to run PostgreSQL with. PostgreSQL refuses to run as root, so root uses the first of
 * these accounts that exists.
 */
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

/** Returns the user and group ids for `spawn`. */
export const spawnIds = (account: Account): { uid?: number; gid?: number } =>
  account === undefined ? {} : { uid: account.uid, gid: account.gid };

/**
 * Whether the account may enter every existing folder on the path to `target`. It may not enter a clone below
 * /root, for example.
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

/** Returns the temporary folder, or /tmp if the account cannot enter the folder that TMPDIR names. */
export const temporaryFolder = async (account: Account): Promise<string> =>
  (await canReach(tmpdir(), account)) ? tmpdir() : '/tmp';
