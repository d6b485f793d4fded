/** A read shorter than what Node reads at once means that the socket was emptied. */
const FULL_READ_BYTES = 65_536;
const FREQUENT_MS = 10;
const PAUSE_MS = 5;

/**
 * How long to leave the socket unread after a read, in milliseconds. The source sends once per message, and each send
 * wakes a reader that keeps up; letting it gather for 5 ms while reads are frequent turns a hundred thousand wake-ups
 * into hundreds and spares the source's CPU too (DECISIONS 8). A quiet stream is read at once.
 *
 * @returns the pause, and the time to hand in as `lastEmptiedAt` next time
 */
export function pauseAfterRead(read: {
  readonly bytes: number;
  readonly nowMs: number;
  readonly lastEmptiedAt: number;
}): { readonly pauseMs: number; readonly lastEmptiedAt: number } {
  if (read.bytes >= FULL_READ_BYTES) return { pauseMs: 0, lastEmptiedAt: read.lastEmptiedAt };
  const frequent = read.nowMs - read.lastEmptiedAt < FREQUENT_MS;
  return { pauseMs: frequent ? PAUSE_MS : 0, lastEmptiedAt: read.nowMs };
}
