import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from '@jest/globals';

/**
 * Mounts a file system of a given size in MB, which is removed when disposed. Mounting needs root, and a
 * container that allows it.
 */
export function smallDisk(megabytes: number): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'waltrail-small-disk-'));
  try {
    const size = `size=${megabytes}m,mode=700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return {
    folder,
    [Symbol.dispose]: () => {
      execFileSync('umount', ['--lazy', folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Returns `test`, or `test.skip` with the reason on standard error if there can be no small disk. */
export function onSmallDisk(): typeof test | typeof test.skip {
  try {
    // Tried once and removed again: the test that needs it may be left out of a run.
    smallDisk(1)[Symbol.dispose]();
    return test;
  } catch (error) {
    process.stderr.write(`No small disk, so no test of a full one: ${(error as Error).message.trim()}\n`);
    return test.skip;
  }
}

/** Fills the remaining space of a disk. Returns the file that takes it. */
export async function fillDisk(folder: string): Promise<string> {
  const name = path.join(folder, 'filler');
  const file = await open(name, 'w');
  try {
    for (const bytes of [1_048_576, 4_096]) {
      for (;;) {
        try {
          await file.appendFile(Buffer.alloc(bytes));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          break;
        }
      }
    }
  } finally {
    await file.close();
  }
  return name;
}
