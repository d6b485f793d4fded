import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

/** It is 26 MB where each value with a label is a copy with one more member, and now and then 10 without. */
const MOST_LEFT_MB = 15;

test('pages that were decoded leave little behind until the next full collection', async () => {
  const program = path.resolve(import.meta.dirname, '../support/decode-often.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-incremental-marking', program], {
    timeout: 60_000,
  });
  const { leftMb, labels } = JSON.parse(stdout) as { leftMb: number; labels: (string | null)[] };
  expect(labels).toEqual([null, 'closed', 'Team 1']);
  expect(leftMb).toBeLessThan(MOST_LEFT_MB);
});
