import { WaltrailError } from '../errors.js';
import { LSN_ZERO, type Lsn } from '../pg/lsn.js';
import { ReplicationStream, type StreamOptions } from './replication.js';

/**
 * Reads from the slot when the transaction at `commitLsn` was committed, in microseconds since 2000-01-01.
 * Returns null if the source's WAL has no transaction with published changes there. The slot does not move,
 * and must not be beyond `commitLsn`.
 *
 * Only the beginning of one transaction is sent. But the source has to read its WAL from the slot's
 * `restart_lsn` on, which may take long. Throws what {@link ReplicationStream.open} throws, and what ends the
 * stream.
 */
export async function readCommitTime(
  options: Pick<StreamOptions, 'url' | 'slot' | 'publication' | 'tickMs' | 'signal'> & {
    readonly commitLsn: Lsn;
  },
): Promise<bigint | null> {
  const { commitLsn, signal } = options;
  let answer: (committedAt: bigint | null) => void = () => undefined;
  let fail: (error: WaltrailError) => void = () => undefined;
  const answered = new Promise<bigint | null>((resolve, reject) => {
    answer = resolve;
    fail = reject;
  });
  answered.catch(() => undefined);
  const stream = await ReplicationStream.open({
    ...options,
    check: () => undefined,
    startLsn: commitLsn,
    durableLsn: LSN_ZERO,
    missingUntil: null,
    spoolFolder: null,
    messagePrefixes: [],
    made: () => undefined,
    handler: {
      message: () => undefined,
      described: () => undefined,
      // What is sent first commits at or after the start of the stream.
      begins: (bytes, at) => {
        answer(bytes.readBigUInt64BE(at) === commitLsn ? bytes.readBigInt64BE(at + 8) : null);
        return undefined;
      },
      keepalive: (walEnd) => {
        if (walEnd > commitLsn) answer(null);
      },
      readDone: () => undefined,
      ended: fail,
    },
  });
  const cancel = (): void =>
    fail(new WaltrailError('SOURCE_DISCONNECTED', 'Reading from the slot was cancelled.'));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await answered;
  } finally {
    signal.removeEventListener('abort', cancel);
    await stream.stop();
  }
}
