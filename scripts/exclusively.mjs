/**
 * Allows one run at a time: a start and a test, for example, must not install or build over each other. Uses
 * bare Node, because `prepare.mjs` needs it before anything is installed.
 */
import { mkdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readText } from './files.mjs';

const LOCK_TIMEOUT_MS = 15 * 60_000;
/**
 * The holder writes its process id within moments of creating the lock. An empty lock that is older than this
 * was left by a run that was killed in between.
 */
const NAMELESS_MS = 2_000;

/** An error whose message is a sentence for the person at the terminal. */
export class Refusal extends Error {}

/** An error whose message is what a program printed when it failed. */
export class Complaint extends Error {}

/**
 * Runs `work` while no other process runs any for the repository in `root`. Waits for a process that does.
 * Throws {@link Refusal} if it has waited too long or may not write in the repository.
 */
export async function exclusively({ root, say }, work) {
  const lock = path.join(root, '.waltrail', 'prepare.lock');
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  let told = false;
  while (!takeLock({ root, lock })) {
    const holder = Number(readText(lock));
    if (holder > 0 ? !isAlive(holder) : ageMs(lock) > NAMELESS_MS) {
      rmSync(lock, { force: true });
      continue;
    }
    if (Date.now() > deadline) {
      throw new Refusal(
        `process ${holder} has been preparing ${root} for too long. End it or remove ${lock}, then try again.`,
      );
    }
    if (!told && holder > 0) {
      say(`waiting for process ${holder}, which installs or builds here …`);
      told = true;
    }
    await delay(50);
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
    try {
      rmdirSync(path.dirname(lock));
    } catch {
      // The folder is not empty: it holds data.
    }
  }
}

function takeLock({ root, lock }) {
  try {
    mkdirSync(path.dirname(lock), { recursive: true });
  } catch (error) {
    throw new Refusal(unwritable(root, error.code));
  }
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    // Another run holds the lock, or the run that held it has just removed the folder.
    if (error.code === 'EEXIST' || error.code === 'ENOENT') return false;
    throw new Refusal(unwritable(root, error.code));
  }
}

/** Returns the sentence for a repository that this account may not write. */
export function unwritable(root, code) {
  return `${root} cannot be written (${code}). Make it writable for this account, or clone into a folder of your own.`;
}

/** Whether a process runs, of this account or of another one. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Returns the age of a file; zero if there is no such file. */
function ageMs(file) {
  return Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
}
