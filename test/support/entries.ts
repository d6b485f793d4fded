import type { Entry, EntryFilter, Value } from '../../src/trail/read/entry.js';
import type { RowBatch } from '../../src/trail/read/row-batch.js';
import type { TrailReader } from '../../src/trail/read/trail-reader.js';

export const textValue = (text: string, label?: string): Value => ({
  kind: 'text',
  text,
  ...(label === undefined ? {} : { label }),
});

/** An entry with every member set; `changes` replaces members. */
export function sampleEntry(changes: Partial<Entry> = {}): Entry {
  return {
    id: '1048577',
    committedAt: '2026-11-23T09:51:07.123456Z',
    modifier: { key: '7', name: 'Dana Levi', kind: 'agent', rung: 'column' },
    action: 'block',
    actionName: null,
    entity: { type: 'agent', name: 'Omer Katz', id: '12', previousId: null },
    tenant: '1',
    moved: null,
    laterKey: false,
    previous: new Map([['blocked', { kind: 'boolean', text: 'false' } as const]]),
    updated: new Map([['blocked', { kind: 'boolean', text: 'true' } as const]]),
    unknown: [],
    tooLarge: [],
    table: 'public.agents',
    operation: 'update',
    transaction: { xid: '812', commitLsn: '0/16B3748', seq: 0, origin: null, claimedCommitAt: null },
    context: null,
    session: null,
    unreadMessage: null,
    lastSetBy: null,
    conflict: null,
    ...changes,
  };
}

/** Returns entries as batches for a file. No batch has the entries' bytes. */
export async function* batchesOf(entries: readonly Entry[], size = 100): AsyncGenerator<RowBatch> {
  for (let start = 0; start < entries.length; start += size) {
    await Promise.resolve();
    yield batchOf(entries.slice(start, start + size));
  }
}

export function batchOf(entries: readonly Entry[]): RowBatch {
  const times = entries.map(({ committedAt }) => committedAt).sort();
  return {
    count: entries.length,
    stored: null,
    entry: (index) => entries[index]!,
    coverage: () => ({
      firstLsn: entries.at(-1)!.transaction.commitLsn,
      lastLsn: entries[0]!.transaction.commitLsn,
      firstCommittedAt: times[0]!,
      lastCommittedAt: times.at(-1)!,
    }),
  };
}

/** Returns all entries of a filter, newest first, as its pages show them. */
export async function pagedEntries(reader: TrailReader, filter: EntryFilter): Promise<Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | undefined;
  do {
    const { items, next } = await reader.page(filter, { limit: 500, cursor });
    entries.push(...items);
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return entries;
}

/** Returns all entries of a filter that are stored now, as a walk for a file returns them. */
export async function walkedEntries(reader: TrailReader, filter: EntryFilter): Promise<Entry[]> {
  const entries: Entry[] = [];
  const { nextId } = await reader.head();
  for await (const batch of reader.walkRows(filter, { below: nextId, withContexts: true }))
    for (let index = 0; index < batch.count; index++) entries.push(batch.entry(index));
  return entries;
}
