import { POSTGRES_EPOCH_MS } from '../pg/clock.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import { COPY_DATA } from '../pg/message-types.js';
import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import { INTERNAL_ERROR } from '../pg/sql-state.js';

/**
 * The first byte of the content of CopyData during replication, as character codes.
 *
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */
export const XLOG_DATA = 0x77; // 'w'
export const PRIMARY_KEEPALIVE = 0x6b; // 'k'
const STANDBY_STATUS_UPDATE = 0x72; // 'r'

/**
 * Returns the START_REPLICATION command. It asks for protocol 2 if transactions in progress can be spooled
 * (`streaming`), and for protocol 1 otherwise.
 *
 * Protocols 3 and 4 are not needed (DECISIONS 32). Protocol 3 adds two-phase commits: without it, a prepared
 * transaction arrives at its COMMIT PREPARED as an ordinary one. Protocol 4 adds time and LSN of a rollback.
 * `messages` includes what pg_logical_emit_message wrote, the first rung of attribution.
 *
 * @see https://www.postgresql.org/docs/current/protocol-logical-replication.html
 */
export function startReplication(options: {
  readonly slot: string;
  readonly publication: string;
  readonly startLsn: Lsn;
  readonly streaming: boolean;
}): string {
  const protocol = options.streaming ? `proto_version '2', streaming 'on'` : `proto_version '1'`;
  return (
    `START_REPLICATION SLOT ${quoteIdentifier(options.slot)} LOGICAL ${formatLsn(options.startLsn)} ` +
    `(${protocol}, publication_names ${quoteLiteral(quoteIdentifier(options.publication))}, messages 'true')`
  );
}

/**
 * Returns a standby status update as a CopyData frame. It reports that everything before `lsn` is written,
 * flushed and applied.
 *
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */
export function statusUpdate(lsn: Lsn, options: { readonly wantsAnswer: boolean }): Buffer {
  const frame = Buffer.alloc(39);
  frame[0] = COPY_DATA;
  frame.writeInt32BE(38, 1);
  frame[5] = STANDBY_STATUS_UPDATE;
  frame.writeBigUInt64BE(lsn, 6);
  frame.writeBigUInt64BE(lsn, 14);
  frame.writeBigUInt64BE(lsn, 22);
  frame.writeBigInt64BE(BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1000n, 30);
  frame[38] = options.wantsAnswer ? 1 : 0;
  return frame;
}

/**
 * Reads the fields of an ErrorResponse or NoticeResponse that may be shown: the SQLSTATE and the message.
 * Before a message is shown, streamError (stream-error.ts) removes one that could quote a value.
 *
 * @see https://www.postgresql.org/docs/current/protocol-error-fields.html
 */
export function errorFields(
  bytes: Buffer,
  start: number,
): { readonly code: string; readonly message: string } {
  const fields = new Map<string, string>();
  for (let at = start; bytes[at] !== 0;) {
    const end = bytes.indexOf(0, at + 1);
    fields.set(String.fromCharCode(bytes[at]!), bytes.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return { code: fields.get('C') ?? INTERNAL_ERROR, message: fields.get('M') ?? 'unknown error' };
}
