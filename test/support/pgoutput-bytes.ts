/**
 * Builds pgoutput messages byte by byte, as PostgreSQL's documentation describes them. It is the counterpart
 * of the reader.
 */

/** Text, null, or a value that was not sent because it is unchanged TOAST. */
export type Column = string | null | { readonly unchanged: true };
export const UNCHANGED: Column = { unchanged: true };

const int8 = (value: number): Buffer => Buffer.from([value]);
const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
};
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};
const cString = (text: string): Buffer => Buffer.from(`${text}\0`);
const tag = (letter: string): Buffer => Buffer.from(letter);

export const begin = (transaction: { lsn: bigint; at: bigint; xid: number }): Buffer =>
  Buffer.concat([tag('B'), int64(transaction.lsn), int64(transaction.at), int32(transaction.xid)]);

export const commit = (transaction: { lsn: bigint; endLsn: bigint; at: bigint }): Buffer =>
  Buffer.concat([
    tag('C'),
    int8(0),
    int64(transaction.lsn),
    int64(transaction.endLsn),
    int64(transaction.at),
  ]);

export interface ColumnDescription {
  readonly name: string;
  readonly type: number;
  readonly key?: boolean;
}

export const relation = (of: {
  oid: number;
  schema: string;
  table: string;
  identity: string;
  columns: readonly ColumnDescription[];
}): Buffer =>
  Buffer.concat([
    tag('R'),
    int32(of.oid),
    cString(of.schema),
    cString(of.table),
    tag(of.identity),
    int16(of.columns.length),
    ...of.columns.map(({ name, type, key }) =>
      Buffer.concat([int8(key === true ? 1 : 0), cString(name), int32(type), int32(-1)]),
    ),
  ]);

export const tuple = (columns: readonly Column[]): Buffer =>
  Buffer.concat([
    int16(columns.length),
    ...columns.map((column) => {
      if (column === null) return tag('n');
      if (typeof column !== 'string') return tag('u');
      const bytes = Buffer.from(column);
      return Buffer.concat([tag('t'), int32(bytes.length), bytes]);
    }),
  ]);

export const insert = (oid: number, row: readonly Column[]): Buffer =>
  Buffer.concat([tag('I'), int32(oid), tag('N'), tuple(row)]);

export const update = (
  oid: number,
  change: { readonly old?: readonly Column[]; readonly kind?: 'K' | 'O'; readonly row: readonly Column[] },
): Buffer =>
  Buffer.concat([
    tag('U'),
    int32(oid),
    ...(change.old === undefined ? [] : [tag(change.kind ?? 'O'), tuple(change.old)]),
    tag('N'),
    tuple(change.row),
  ]);

export const remove = (oid: number, old: readonly Column[], kind: 'K' | 'O' = 'O'): Buffer =>
  Buffer.concat([tag('D'), int32(oid), tag(kind), tuple(old)]);

export const truncate = (oids: readonly number[]): Buffer =>
  Buffer.concat([tag('T'), int32(oids.length), int8(0), ...oids.map(int32)]);

export const logicalMessage = (message: {
  transactional: boolean;
  lsn: bigint;
  prefix: string;
  content: string;
}): Buffer => {
  const content = Buffer.from(message.content);
  return Buffer.concat([
    tag('M'),
    int8(message.transactional ? 1 : 0),
    int64(message.lsn),
    cString(message.prefix),
    int32(content.length),
    content,
  ]);
};

export const origin = (of: { lsn: bigint; name: string }): Buffer =>
  Buffer.concat([tag('O'), int64(of.lsn), cString(of.name)]);

/** Returns a message as it is between Stream Start and Stream Stop: with the xid of its (sub)transaction. */
export const streamed = (xid: number, message: Buffer): Buffer =>
  Buffer.concat([message.subarray(0, 1), int32(xid), message.subarray(1)]);

export const streamStart = (xid: number, first = true): Buffer =>
  Buffer.concat([tag('S'), int32(xid), int8(first ? 1 : 0)]);

export const streamStop = (): Buffer => tag('E');

export const streamCommit = (transaction: { xid: number; lsn: bigint; endLsn: bigint; at: bigint }): Buffer =>
  Buffer.concat([tag('c'), int32(transaction.xid), commit(transaction).subarray(1)]);

export const streamAbort = (xid: number, subXid: number): Buffer =>
  Buffer.concat([tag('A'), int32(xid), int32(subXid)]);

export const type = (of: { oid: number; schema: string; name: string }): Buffer =>
  Buffer.concat([tag('Y'), int32(of.oid), cString(of.schema), cString(of.name)]);

/**
 * Returns a Stream Abort of protocol 4 with `streaming 'parallel'`, which includes when it was rolled back.
 */
export const streamAbortAt = (xid: number, subXid: number, aborted: { lsn: bigint; at: bigint }): Buffer =>
  Buffer.concat([streamAbort(xid, subXid), int64(aborted.lsn), int64(aborted.at)]);

interface Prepared {
  readonly lsn: bigint;
  readonly endLsn: bigint;
  readonly at: bigint;
  readonly xid: number;
  readonly gid: string;
}

const prepared = (of: Prepared): Buffer =>
  Buffer.concat([int64(of.lsn), int64(of.endLsn), int64(of.at), int32(of.xid), cString(of.gid)]);

export const beginPrepare = (of: Prepared): Buffer => Buffer.concat([tag('b'), prepared(of)]);
export const prepare = (of: Prepared): Buffer => Buffer.concat([tag('P'), int8(0), prepared(of)]);
export const streamPrepare = (of: Prepared): Buffer => Buffer.concat([tag('p'), int8(0), prepared(of)]);
export const commitPrepared = (of: Prepared): Buffer => Buffer.concat([tag('K'), int8(0), prepared(of)]);
export const rollbackPrepared = (of: Prepared & { readonly rolledBackAt: bigint }): Buffer =>
  Buffer.concat([
    tag('r'),
    int8(0),
    int64(of.lsn),
    int64(of.endLsn),
    int64(of.at),
    int64(of.rolledBackAt),
    int32(of.xid),
    cString(of.gid),
  ]);
