/** A read shorter than what Node reads at once means that the socket was emptied. */
const FULL_READ_BYTES = 65_536;
const FREQUENT_MS = 10;
/** A transaction arrives in a few reads; only what goes on after that is a stream worth gathering. */
const FREQUENT_READS = 8;
const PAUSE_MS = 5;

/** What is remembered from one read to the next. */
export interface Pace {
  readonly lastEmptiedAt: number;
  /** Reads in a row that emptied the socket soon after the one before. */
  readonly frequentReads: number;
}

export const QUIET: Pace = { lastEmptiedAt: -Infinity, frequentReads: 0 };

/**
 * How long to leave the socket unread after a read, in milliseconds. The source sends once per message, and
 * each send wakes a reader that keeps up; letting it gather for 5 ms while reads are frequent turns a hundred
 * thousand wake-ups into hundreds and spares the source's CPU too (DECISIONS 8). A quiet stream is read at
 * once, and so is a transaction that comes after a while.
 *
 * @returns the pause, and what to hand in next time
 */
export function pauseAfterRead(
  read: { readonly bytes: number; readonly nowMs: number },
  pace: Pace,
): { readonly pauseMs: number; readonly pace: Pace } {
  if (read.bytes >= FULL_READ_BYTES) return { pauseMs: 0, pace };
  const isFrequent = read.nowMs - pace.lastEmptiedAt < FREQUENT_MS;
  const frequentReads = isFrequent ? pace.frequentReads + 1 : 0;
  return {
    pauseMs: frequentReads >= FREQUENT_READS ? PAUSE_MS : 0,
    pace: { lastEmptiedAt: read.nowMs, frequentReads },
  };
}
