import { describe, expect, test } from '@jest/globals';
import { pauseAfterRead, QUIET } from '../../src/source/pacing.js';

/** Pauses after reads of `bytes`. Each read comes `everyMs` after the end of the previous pause. */
function pauses(count: number, read: { readonly everyMs: number; readonly bytes: number }, before = QUIET) {
  let nowMs = 1_000;
  let pace = before;
  return Array.from({ length: count }, () => {
    const next = pauseAfterRead({ bytes: read.bytes, nowMs }, pace);
    pace = next.pace;
    nowMs += next.pauseMs + read.everyMs;
    return next.pauseMs;
  });
}

describe('the pause between two reads of the socket', () => {
  test('is 0 while the stream is quiet, however long that lasts', () => {
    expect(pauses(100, { everyMs: 10, bytes: 500 })).toEqual(Array(100).fill(0));
  });

  test('is 0 after the few reads in which one transaction arrives', () => {
    expect(pauses(8, { everyMs: 0.1, bytes: 500 })).toEqual(Array(8).fill(0));
  });

  test('is 5 ms while reads follow each other closely, until there is a lull', () => {
    expect(pauses(12, { everyMs: 0.1, bytes: 500 })).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5]);
    const busy = { lastEmptiedAt: 980, frequentReads: 50 };
    expect(pauses(2, { everyMs: 0.1, bytes: 500 }, busy)).toEqual([0, 0]);
  });

  test('is 0 after a read that left data in the socket', () => {
    expect(pauses(20, { everyMs: 0, bytes: 65_536 })).toEqual(Array(20).fill(0));
  });
});
