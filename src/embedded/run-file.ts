import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The content of <dataDir>/run.json, with which a running `waltrail start` informs scripts and other
 * commands: its addresses and an admin token.
 */
export interface RunFile {
  readonly url: string;
  readonly token: string;
  readonly sourceUrl: string;
  readonly trailUrl: string;
  readonly pid: number;
}

/** Returns the path of the file. It exists while a `waltrail start` on the sample runs with this folder. */
export const runFileIn = (dataDir: string): string => path.join(dataDir, 'run.json');

/** Writes the file in one step, readable only by its owner, because it contains a token and passwords. */
export async function writeRunFile(dataDir: string, run: RunFile): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const draft = `${runFileIn(dataDir)}.${process.pid}`;
  await rm(draft, { force: true });
  await writeFile(draft, `${JSON.stringify(run, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(draft, runFileIn(dataDir));
}

/**
 * Removes the file unless another process wrote it. With `pid` null, removes it in any case; a start that
 * owns the folder does so.
 */
export async function removeRunFile(dataDir: string, pid: number | null): Promise<void> {
  const text = await readFile(runFileIn(dataDir), 'utf8').catch(() => undefined);
  if (text === undefined) return;
  if (pid === null || text.includes(`"pid": ${pid}\n`)) await rm(runFileIn(dataDir), { force: true });
}
