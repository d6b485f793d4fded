import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

/** Measured: up to 10 MB; 26 MB if each value with a label is copied to add one more member. */
const MOST_LEFT_MB = 15;

test('decoding pages leaves little garbage until the next full collection', async () => {
  const program = path.resolve(import.meta.dirname, '../support/decode-often.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-incremental-marking', program], {
    timeout: 60_000,
  });
  const { leftMb, labels } = JSON.parse(stdout) as { leftMb: number; labels: (string | null)[] };
  expect(labels).toEqual([null, 'closed', 'Team 1']);
  expect(leftMb).toBeLessThan(MOST_LEFT_MB);
});
