import { setTimeout as sleep } from 'node:timers/promises';
import { isWaltrailError, type ErrorCode } from '../errors.js';
import type { Log } from '../log.js';
import { readCommitTime } from '../source/commit-time.js';
import { readSlot } from '../source/slot.js';
import type { Checkpoint } from '../trail/write/checkpoint.js';
import { isOnTimeline, isReadable, type SourceState } from './continuity.js';
import { onSource, type SourceAccess } from './source-state.js';

/** Errors with which a source that has the transaction may refuse to send it again. */
const SAYS_NOTHING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SOURCE_PUBLICATION_MISSING',
  'SOURCE_REPLICATION_FAILED',
  'SOURCE_ROW_TOO_LARGE',
  'SOURCE_SLOT_INVALID',
]);
/** How long the source may take to release the slot, and the pause between two looks at it. */
const RELEASE_LIMIT_MS = 5_000;
const RELEASE_LOOK_MS = 20;

/**
 * True if the source certainly lacks the last transaction that the trail has of it. It was then put back to
 * an older state, as by a snapshot of its disk, and has written past the checkpoint since (DECISIONS 108).
 *
 * A slot that is beyond the transaction is of a state that had it. Otherwise, the source still has to keep
 * the transaction, and is asked for it. Has no time limit, because the source may have to read much WAL.
 */
export async function lacksLastTransaction(
  options: SourceAccess & {
    readonly log: Log;
    readonly checkpoint: Checkpoint;
    readonly sourceState: Omit<SourceState, 'lacksLast'>;
    readonly tickMs: number;
  },
): Promise<boolean> {
  const { config, log, checkpoint, sourceState } = options;
  const { identity, slot, lsn } = sourceState;
  const { url, slot: name, publication } = config.source;
  const last = checkpoint.lastTransaction;
  if (last === null || !isReadable(slot) || slot.confirmedFlushLsn! > last.commitLsn) return false;
  if (!isOnTimeline(checkpoint, identity) || lsn < checkpoint.endLsn) return false;
  try {
    const sentAt = await readCommitTime({ ...options, ...last, url, slot: name, publication });
    await untilReleased(options);
    return sentAt !== last.sentAt;
  } catch (error) {
    if (!isWaltrailError(error) || !SAYS_NOTHING.has(error.code)) throw error;
    log.warn(
      { code: error.code },
      'The source cannot send its last stored transaction again, so it was not compared with the trail.',
    );
    return false;
  }
}

/** Waits until the source has noticed that nobody reads from the slot any more. */
async function untilReleased(options: SourceAccess): Promise<void> {
  const { slot } = options.config.source;
  await onSource(options, async (client) => {
    const until = performance.now() + RELEASE_LIMIT_MS;
    while ((await readSlot(client, slot))?.active === true && performance.now() < until)
      await sleep(RELEASE_LOOK_MS);
  });
}
