import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lsn } from '../pg/lsn.js';
import { currentLsn } from '../pg/wal.js';

/** How far the stream is held back. Longer than the source takes to answer with the position of a slot. */
const DELAY_MS = 2_000;
const STEP_MS = 500;

/**
 * Holds the stream back by two seconds while `work` runs. So the stream cannot pass a position that the
 * source has just chosen before its answer arrives. `work` calls `over` to end this, and may then hold the
 * stream back itself.
 *
 * @param options.holdFrom as {@link Pipeline.holdFrom}
 */
export async function withDelayedStream<T>(
  client: pg.Client,
  options: { readonly holdFrom: (lsn: Lsn) => void; readonly signal: AbortSignal },
  work: (over: () => void) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const { holdFrom } = options;
  const first = await currentLsn(client);
  holdFrom(first);
  const stepping = step(client, { holdFrom, first, signal: AbortSignal.any([options.signal, ended.signal]) });
  try {
    return await work(() => ended.abort());
  } finally {
    ended.abort();
    await stepping;
  }
}

/**
 * Lets the stream continue, step by step, up to the position of two seconds ago. Ends with its signal, or if
 * the source does not answer.
 */
async function step(
  client: pg.Client,
  options: { readonly holdFrom: (lsn: Lsn) => void; readonly first: Lsn; readonly signal: AbortSignal },
): Promise<void> {
  const { holdFrom, signal } = options;
  const seen: { readonly lsn: Lsn; readonly at: number }[] = [{ lsn: options.first, at: performance.now() }];
  try {
    for (;;) {
      await sleep(STEP_MS, undefined, { signal });
      const lsn = await currentLsn(client);
      if (signal.aborted) return;
      seen.push({ lsn, at: performance.now() });
      const old = seen.filter(({ at }) => performance.now() - at >= DELAY_MS);
      if (old.length === 0) continue;
      seen.splice(0, old.length - 1);
      holdFrom(old.at(-1)!.lsn);
    }
  } catch {
    // `work` fails too, and its caller then stops holding the stream back.
  }
}
