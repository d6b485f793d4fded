import { setTimeout as delay } from 'node:timers/promises';

/**
 * Default limit. test/faults/guards.mjs shortens it: most missing guards show by something that never
 * happens.
 */
const LIMIT_MS = Number(process.env['WALTRAIL_TEST_WAIT_MS'] ?? 120_000);

/**
 * First pause between two looks. Pauses are short at first and then grow, because looking takes time from
 * others.
 */
const FIRST_PAUSE_MS = 5;
const PAUSE_MS = 80;

/** Resolves when the condition holds. After the limit an error names what was waited for. */
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
