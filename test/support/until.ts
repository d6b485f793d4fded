import { setTimeout as delay } from 'node:timers/promises';

/**
 * test/faults/guards.mjs makes it shorter: most guards that are missing show by something that never happens.
 */
const LIMIT_MS = Number(process.env['WALTRAIL_TEST_WAIT_MS'] ?? 60_000);

/** Resolves when the condition holds; after the limit an error says what was waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = LIMIT_MS,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await delay(20);
  }
}
