import { setTimeout as delay } from 'node:timers/promises';

/**
 * test/faults/guards.mjs makes it shorter: most guards that are missing show by something that never happens.
 */
const LIMIT_MS = Number(process.env['WALTRAIL_TEST_WAIT_MS'] ?? 120_000);

/**
 * Between two looks: soon what is soon there, and seldom what is not, for looking takes the time of others.
 */
const FIRST_PAUSE_MS = 5;
const PAUSE_MS = 80;

/** Resolves when the condition holds; after the limit an error says what was waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = LIMIT_MS,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (let pauseMs = FIRST_PAUSE_MS; !(await condition()); pauseMs = Math.min(pauseMs * 1.3, PAUSE_MS)) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await delay(pauseMs);
  }
}
