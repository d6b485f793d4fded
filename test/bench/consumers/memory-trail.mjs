/**
 * A trail session without a database. Rows are encoded, taken and thrown away; everything else is as in
 * TrailWriter.
 */
import { TrailDictionary } from '../../../dist/trail/write/dictionary.js';
import { EntryRowBuffer } from '../../../dist/trail/write/rows.js';

/** @param names names of held lookup tables, as rows of trail.lookup */
export async function memoryTrail({ held, names }) {
  const rows = new EntryRowBuffer({ nextId: 0n });
  // A trail without rows: answers to statements, and to COPY.
  const client = {
    query: (what) =>
      typeof what === 'string'
        ? Promise.resolve({ rows: [] })
        : setImmediate(() => what.handleReadyForQuery()),
  };
  const dictionary = await TrailDictionary.load(client, {
    held,
    lookupTables: new Map(),
    nextId: () => rows.nextId,
  });
  for (const { table_name, key, name, kind } of names)
    dictionary.lookups.set(table_name, key, { name, kind, tenant: null });
  dictionary.takeStatements(rows.nextId);
  const boundary = { bytes: 0, entries: 0, end: Buffer.alloc(16) };
  let checkpointLsn = 0n;
  let torn = false;
  let storedBytes = 0;
  const take = () => {
    const frame = rows.take(boundary.bytes, boundary.entries);
    for (const context of rows.takeContexts()) storedBytes += context.length;
    if (frame !== null) {
      storedBytes += frame.length;
      rows.recycle(frame);
    }
    boundary.bytes = 0;
    boundary.entries = 0;
  };
  return {
    rows,
    dictionary,
    lookups: dictionary.lookups,
    lastCommittedAt: null,
    pendingBytes: 0,
    busy: false,
    get checkpointLsn() {
      return checkpointLsn;
    },
    get boundaryLsn() {
      return boundary.end.readBigUInt64BE();
    },
    get unsentBytes() {
      return rows.bytes;
    },
    get pendingEntries() {
      return rows.entries;
    },
    get committable() {
      return !torn && boundary.end.readBigUInt64BE() > checkpointLsn;
    },
    get storedBytes() {
      return storedBytes;
    },
    onDrain: () => undefined,
    boundary: (bytes, at) => {
      torn = false;
      boundary.bytes = rows.bytes;
      boundary.entries = rows.entries;
      for (let index = 0; index < 16; index++) boundary.end[index] = bytes[at + index];
    },
    spill: () => {
      boundary.bytes = rows.bytes;
      boundary.entries = rows.entries;
      take();
      torn = true;
    },
    commit: async () => {
      const { end, entries } = boundary;
      const endLsn = end.readBigUInt64BE();
      const committedAt = end.readBigInt64BE(8);
      take();
      dictionary.takeStatements(rows.nextId);
      checkpointLsn = endLsn;
      return { endLsn, entries, committedAt };
    },
    skipTo: async () => undefined,
  };
}
