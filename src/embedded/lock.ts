import { readFile, rm, writeFile } from 'node:fs/promises';
import { WaltrailError } from '../errors.js';

/** Releases a lock of {@link lockFolder}. Does nothing if another process holds it by now. */
export type Unlock = () => Promise<void>;

const ATTEMPTS = 5;

/**
 * Takes `file` as the lock of the folder that contains it, until this process ends. A lock is taken over if
 * its holder has ended, or if its process id belongs to a newer process. Throws EMBEDDED_IN_USE, which names
 * the holder.
 *
 * Two processes that find the same stale lock may both take it. That is rare and harmless. The lock is for a
 * quick and clear answer; PostgreSQL's own lock on the cluster stops the second process.
 */
export async function lockFolder(options: {
  readonly file: string;
  readonly folder: string;
}): Promise<Unlock> {
  const mine = `${process.pid} ${await startOfProcess(process.pid)}\n`;
  for (let attempt = 1; ; attempt++) {
    try {
      await writeFile(options.file, mine, { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === ATTEMPTS) throw error;
    }
    const holder = await readFile(options.file, 'utf8').catch(() => '');
    const [pid, started] = holder.trim().split(' ');
    if (pid !== undefined && pid !== '' && (await isAlive(Number(pid), started ?? ''))) {
      throw new WaltrailError(
        'EMBEDDED_IN_USE',
        `Waltrail already runs on ${options.folder} (process ${pid}).`,
      );
    }
    await rm(options.file, { force: true });
  }
  return async () => {
    if ((await readFile(options.file, 'utf8').catch(() => '')) === mine)
      await rm(options.file, { force: true });
  };
}

async function isAlive(pid: number, started: string): Promise<boolean> {
  if (!processExists(pid)) return false;
  const now = await startOfProcess(pid);
  return started === '' || now === '' || now === started;
}

/** Whether a process with this id exists, whatever its account. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Returns the start time of a process, in clock ticks since boot. It distinguishes the process from a later
 * one with the same id, for example after a restart of a container. Empty if /proc does not exist. It is
 * field 22 of proc_pid_stat(5), counted after the command's name.
 */
async function startOfProcess(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
