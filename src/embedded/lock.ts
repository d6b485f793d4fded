import { readFile, rm, writeFile } from 'node:fs/promises';
import { WaltrailError } from '../errors.js';

/** Releases a lock made by {@link lockFolder}; does nothing when somebody else holds it by now. */
export type Unlock = () => Promise<void>;

const ATTEMPTS = 5;

/**
 * Takes `file` as the lock of the folder it stands in, for the life of this process. A lock whose holder is
 * dead, or whose process id belongs to a younger process, is taken over. Throws EMBEDDED_IN_USE that names
 * the holder.
 *
 * Two processes that find the same dead lock may both pass. That is rare and harmless: the lock is there for
 * a quick and clear answer, and PostgreSQL's own lock on the cluster stops the second one.
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

/** Whether a process of that id exists, of whichever account. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process started, in clock ticks since boot: tells it from a later process with the same id, as after
 * a restart of a container. Empty where /proc does not exist. Field 22 of proc_pid_stat(5), counted after the
 * command's name.
 */
async function startOfProcess(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
