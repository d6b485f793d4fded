/** A trail session without a database: rows are encoded, taken and thrown away, everything else is as in TrailWriter. */
import { TrailDictionary } from '../../../dist/trail/dictionary.js';
import { EntryRowBuffer } from '../../../dist/trail/rows.js';

/** @param names of held lookup tables, as rows of trail.lookup */
export async function memoryTrail({ held, names }) {
  const rows = new EntryRowBuffer({ nextId: 0n, checkUtf8: false });
  const client = { query: async (sql) => ({ rows: sql.includes('trail.lookup') ? names : [] }) };
  const dictionary = await TrailDictionary.load(client, { held, nextId: () => rows.nextId });
  let boundary = { bytes: 0, entries: 0, endLsn: 0n, committedAt: 0n };
  let checkpointLsn = 0n;
  let torn = false;
  let storedBytes = 0;
  const take = () => {
    const frame = rows.take(boundary.bytes, boundary.entries);
    if (frame !== null) {
      storedBytes += frame.length;
      rows.recycle(frame);
    }
    boundary = { ...boundary, bytes: 0, entries: 0 };
  };
  return {
    rows,
    dictionary,
    lookups: dictionary.lookups,
    pendingBytes: 0,
    busy: false,
    get checkpointLsn() {
      return checkpointLsn;
    },
    get unsentBytes() {
      return rows.bytes;
    },
    get pendingEntries() {
      return rows.entries;
    },
    get committable() {
      return !torn && boundary.endLsn > checkpointLsn;
    },
    get storedBytes() {
      return storedBytes;
    },
    onDrain: () => undefined,
    boundary: (position) => {
      torn = false;
      boundary = { ...position, bytes: rows.bytes, entries: rows.entries };
    },
    spill: () => {
      boundary = { ...boundary, bytes: rows.bytes, entries: rows.entries };
      take();
      torn = true;
    },
    commit: async () => {
      const { endLsn, committedAt, entries } = boundary;
      take();
      dictionary.takeStatements(rows.nextId);
      checkpointLsn = endLsn;
      return { endLsn, entries, committedAt };
    },
    skipTo: async () => undefined,
  };
}
