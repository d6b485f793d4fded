import type pg from 'pg';
import { Conversation } from '../../pg/conversation.js';
import { SAME_TENANT } from '../../pipeline/ports.js';
import { ChunkIndex, type TableRows } from './chunk-index.js';
import { COPY_HEADER, COPY_TRAILER } from './copy-format.js';
import { CHUNK_ENTRIES } from '../entry-id.js';

interface UnindexedRow {
  readonly id: string;
  readonly committed_at: string;
  readonly modifier_id: number;
  readonly entity_type_id: number;
  readonly action_id: number;
  readonly tenant_id: number;
  readonly previous_tenant_id: number | null;
  readonly entity_hash: number | null;
  readonly previous_entity_hash: number | null;
}

/**
 * Returns the index with which the writer continues. It holds the entries of the open chunk. Complete chunks
 * without an index are stored first. They can exist because SQL functions store Waltrail's own entries, which
 * may be the last of a chunk or the first of a day.
 */
export async function catchUpIndex(client: pg.Client): Promise<ChunkIndex> {
  await client.query(/* sql */ `select trail.trim_chunks()`);
  const index = new ChunkIndex();
  let above = '-1';
  for (;;) {
    const { rows } = await client.query<UnindexedRow>(
      /* sql */ `select * from trail.unindexed_entries($1, $2)`,
      [above, CHUNK_ENTRIES],
    );
    for (const row of rows) {
      index.add({
        id: BigInt(row.id),
        committedAt: BigInt(row.committed_at),
        modifierId: row.modifier_id,
        entityTypeId: row.entity_type_id,
        actionId: row.action_id,
        tenantId: row.tenant_id,
        entityHash: row.entity_hash,
        previousTenantId: row.previous_tenant_id ?? SAME_TENANT,
        previousEntityHash: row.previous_entity_hash,
      });
    }
    const complete = index.takeComplete();
    if (complete.length > 0) await store(client, complete);
    if (rows.length < CHUNK_ENTRIES) return index;
    above = rows.at(-1)!.id;
  }
}

async function store(client: pg.Client, complete: readonly TableRows[]): Promise<void> {
  const server = new Conversation(client);
  const answers: Promise<void>[] = [];
  for (const { table, frames } of complete) {
    answers.push(server.within(`copy ${table} from stdin (format binary)`));
    server.copyData(COPY_HEADER);
    for (const data of frames) server.copyData(data);
    server.copyData(COPY_TRAILER);
    server.endCopy();
  }
  answers.push(server.commit());
  await Promise.all(answers);
}
