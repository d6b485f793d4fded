/** Node reads at most this much at once. A shorter read means that the socket was emptied. */
const FULL_READ_BYTES = 65_536;
const FREQUENT_MS = 10;
/** A transaction arrives in a few reads. Only a longer series is a stream whose reads are worth combining. */
const FREQUENT_READS = 8;
const PAUSE_MS = 5;

/** The state that is kept from one read to the next. */
export interface Pace {
  readonly lastEmptiedAt: number;
  /** Reads in a row that emptied the socket soon after the one before. */
  readonly frequentReads: number;
}

export const QUIET: Pace = { lastEmptiedAt: -Infinity, frequentReads: 0 };

/**
 * Returns how long to leave the socket unread after a read, in milliseconds. The source makes one send per
 * message, and each send wakes a reader that keeps up. While reads are frequent, a pause of 5 ms lets
 * messages accumulate. That turns a hundred thousand wake-ups into hundreds, and saves CPU time on the source
 * too (DECISIONS 8). A quiet stream, or a transaction after a quiet time, is read at once.
 *
 * @returns the pause, and the state to pass with the next read
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
