import type pg from 'pg';

import type { WaltrailError } from '../../src/errors.js';
import { OPERATION_INSERT, RUNG_NOBODY, UNATTRIBUTED } from '../../src/pipeline/ports.js';
import { beginTrail, elect, readCheckpoint } from '../../src/trail/write/checkpoint.js';
import { TrailWriter } from '../../src/trail/write/trail-writer.js';
import type { TestDatabase } from './database.ts';
import { until } from './until.ts';

const HEAD = {
  seq: 0,
  modifierId: UNATTRIBUTED,
  relationId: 1,
  tenantId: 0,
  entityTypeId: 1,
  actionId: 1,
  operation: OPERATION_INSERT,
  rung: RUNG_NOBODY,
  moved: false,
};

/**
 * Opens a writer without a source. The trail begins at LSN 100 if it has not begun. Waits until the server
 * notices that the previous writer is closed, because that one holds the election until then.
 */
export async function openWriter(
  trail: TestDatabase,
  failed: (error: WaltrailError) => void = () => undefined,
): Promise<TrailWriter> {
  let elected: pg.Client | null = null;
  await until('no other writer is elected', async () => (elected = await elect(trail.url)) !== null);
  const client = elected!;
  if ((await readCheckpoint(client, 'test')) === undefined) {
    await beginTrail(client, {
      namesRead: { wanted: [], read: new Map() },
      source: 'test',
      identity: { systemIdentifier: '1', timeline: 1 },
      slot: 's',
      startLsn: 100n,
      names: (async function* () {})(),
    });
  }
  return TrailWriter.open({
    client,
    checkpoint: (await readCheckpoint(client, 'test'))!,
    held: new Set(['public.agents']),
    lookupTables: new Map([['public.agents', false]]),
    tickMs: 5_000,
    failed,
  });
}

/** Writes one entry with this entity id; null for none. `before` is what it moved from. */
export function writeEntry(
  writer: TrailWriter,
  entityId: string | null = '1',
  head: Partial<typeof HEAD> = {},
  before?: { readonly tenantId: number; readonly entityId: string | null },
): void {
  writer.rows.transaction(Buffer.alloc(20), 0);
  writer.rows.head({ ...HEAD, ...head, moved: before !== undefined });
  if (before !== undefined) {
    writer.rows.previousTenant(before.tenantId);
    writeText(writer, before.entityId);
    writer.rows.nullText();
  }
  writeText(writer, entityId);
  for (let text = 1; text < 6; text++) writer.rows.nullText();
}

function writeText({ rows }: TrailWriter, text: string | null): void {
  if (text === null) return rows.nullText();
  const bytes = Buffer.from(text);
  rows.beginText();
  rows.raw(bytes, 0, bytes.length);
  rows.endText();
}

/** The end of a source transaction. */
export function endTransaction(writer: TrailWriter, endLsn: bigint): void {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE(endLsn);
  writer.boundary(bytes, 0, { byClock: true, begun: null });
}
