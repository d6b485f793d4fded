import { createInterface } from 'node:readline/promises';
import type { Confirm } from './command.js';

/**
 * Asks on a terminal. Null unless both input and output are terminals. Every answer except y and yes means
 * no.
 */
export function confirmOn({
  stdin,
  stdout,
}: {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
}): Confirm | null {
  if (!stdin.isTTY || !stdout.isTTY) return null;
  return async (question) => {
    const terminal = createInterface({ input: stdin, output: stdout });
    try {
      return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
    } finally {
      terminal.close();
    }
  };
}
