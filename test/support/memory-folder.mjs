import { chmod, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { isAlive } from '../../scripts/exclusively.mjs';

const MEMORY = '/dev/shm';
const PREFIX = 'waltrail-test-';
/** Three times the peak of a whole run with four workers. */
const NEEDED_BYTES = 8 * 2 ** 30;

/**
 * Returns a folder in memory for the servers and files of a run. A database is created there in a tenth of
 * the time that a disk takes. Undefined if there is none, or too little memory. The caller removes the
 * folder.
 */
export async function memoryFolder() {
  try {
    const { bavail, bsize } = await statfs(MEMORY);
    if (Math.min(bavail * bsize, os.freemem()) < NEEDED_BYTES) return undefined;
    await removeLeft();
    const folder = path.join(MEMORY, `${PREFIX}${process.pid}`);
    await mkdir(folder);
    // PostgreSQL runs under another account than root.
    await chmod(folder, 0o1777);
    return folder;
  } catch {
    return undefined;
  }
}

/** Removes folders that killed runs left. */
async function removeLeft() {
  for (const name of await readdir(MEMORY)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : NaN;
    if (pid > 0 && !isAlive(pid)) await rm(path.join(MEMORY, name), { recursive: true, force: true });
  }
}
