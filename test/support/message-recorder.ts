import type { MessageHandler } from '../../src/pgoutput/reader.js';
import type { Tuple } from '../../src/pgoutput/tuple.js';
import { UNCHANGED, type Column } from './pgoutput-bytes.ts';

/** A row as data: its texts, null, or unchanged. */
const rowOf = (tuple: Tuple): Column[] =>
  Array.from({ length: tuple.count }, (_, column) =>
    tuple.lengths[column] === -2 ? UNCHANGED : tuple.text(column),
  );

/** Returns a handler that records everything it receives as plain data, in order. */
export function messageRecorder(): { readonly handler: MessageHandler; readonly seen: unknown[][] } {
  const seen: unknown[][] = [];
  return {
    seen,
    handler: {
      begin: (bytes, at) =>
        seen.push([
          'begin',
          bytes.readBigInt64BE(at),
          bytes.readBigInt64BE(at + 8),
          bytes.readInt32BE(at + 16),
        ]),
      commit: (bytes, at) =>
        seen.push([
          'commit',
          bytes.readBigInt64BE(at),
          bytes.readBigInt64BE(at + 8),
          bytes.readBigInt64BE(at + 16),
        ]),
      relation: (relation) => seen.push(['relation', relation]),
      insert: (oid, updated) => seen.push(['insert', oid, rowOf(updated)]),
      update: (oid, change) =>
        seen.push([
          'update',
          oid,
          change.oldRow,
          change.oldRow === 'none' ? null : rowOf(change.previous),
          rowOf(change.updated),
        ]),
      delete: (oid, change) => seen.push(['delete', oid, change.oldRow, rowOf(change.previous)]),
      truncate: (oids) => seen.push(['truncate', oids]),
      logicalMessage: ({ content, ...message }) =>
        seen.push(['message', { ...message, content: content.toString() }]),
      origin: (origin) => seen.push(['origin', origin]),
      transaction: (message) => seen.push(['transaction', message]),
      streamed: (xid) => seen.push(['streamed', xid]),
    },
  };
}
