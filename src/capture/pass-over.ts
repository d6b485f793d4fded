import type pg from 'pg';
import { codeOf } from '../errors.js';
import type { Log } from '../log.js';
import { withClient } from '../pg/connect.js';
import { formatLsn } from '../pg/lsn.js';
import { readCheckpoint, storeNames, type Checkpoint } from '../trail/write/checkpoint.js';
import { goOnAt, openGap, readOpenGaps, readStoredPublished, isOfStream } from '../trail/write/gaps.js';
import { takeRole } from '../trail/roles.js';
import {
  endSkip,
  readSkipRequest,
  rememberStuck,
  type SkipRequest,
  type Stuck,
} from '../trail/write/stuck.js';
import type { PublishedState } from '../tracking/published.js';
import { trailError } from '../trail/trail-error.js';
import type { SourceAccess } from './source-state.js';
import { readStartNames } from './start-names.js';

const TELL_LIMIT_MS = 5_000;

/**
 * Stores in the trail the error that capture waits on, for `waltrail skip`. Uses a connection of its own,
 * because that of the session is closed. Never rejects: a trail that accepts no writes refuses this one too,
 * and the next attempt stores it.
 */
export async function tellStuck(options: {
  readonly trailUrl: string;
  readonly stuck: Stuck;
  readonly log: Log;
}): Promise<void> {
  const { trailUrl, stuck, log } = options;
  try {
    const options = {
      url: trailUrl,
      side: 'trail' as const,
      purpose: 'stuck',
      statementTimeoutMs: TELL_LIMIT_MS,
    };
    await withClient(options, async (client) => {
      await takeRole(client, 'waltrail_writer');
      await rememberStuck(client, stuck);
    });
  } catch (error) {
    log.debug({ code: codeOf(error) }, 'The error that capture waits on could not be stored in the trail.');
  }
}

export interface PassOverOptions extends SourceAccess {
  /** A connection that won the election and is in no transaction. */
  readonly client: pg.Client;
  readonly log: Log;
  readonly redactionKey: Buffer;
  readonly checkpoint: Checkpoint;
  /** The error that this process waits on. */
  readonly stuck: Stuck;
}

/**
 * Passes over the transaction that capture waits on, if an operator has asked for exactly this one. Returns
 * the checkpoint after it; without a matching request, the checkpoint as it is.
 *
 * One transaction of the trail stores the gap, which names the operator and the reason and is closed at once,
 * and moves the checkpoint to one byte after the commit. The source sends no transaction that commits before
 * the start of the stream. So no byte of the transaction is read again, whatever is wrong with it (DECISIONS
 * 41).
 */
export async function passOver(options: PassOverOptions): Promise<Checkpoint> {
  const { client, log, stuck, checkpoint, config } = options;
  const request = await readSkipRequest(client);
  if (request === undefined || request.atLsn !== stuck.commitLsn || stuck.checkpointLsn !== checkpoint.endLsn)
    return checkpoint;
  // An open gap of the whole stream has to be accepted first. Capture may not wait on this transaction then.
  if ((await readOpenGaps(client)).some(isOfStream)) return checkpoint;
  try {
    await store(options, request, { names: true });
  } catch (error) {
    await client.query('rollback').catch((failed: unknown) => {
      throw trailError(failed);
    });
    log.warn(
      { code: trailError(error).code },
      'The present names of lookup tables cannot be read. Names that the transaction changed stay as they were.',
    );
    await store(options, request, { names: false }).catch((failed: unknown) => {
      throw trailError(failed);
    });
  }
  log.warn(
    { lsn: formatLsn(request.atLsn), tables: stuck.tables, askedBy: request.askedBy },
    'Capture has passed over a transaction, as an operator asked. The trail has a gap for it.',
  );
  return (await readCheckpoint(client, config.source.name))!;
}

async function store(
  options: PassOverOptions,
  request: SkipRequest,
  { names }: { readonly names: boolean },
): Promise<void> {
  const { client, checkpoint, stuck, config } = options;
  const after = request.atLsn + 1n;
  const published = (await readStoredPublished(client))?.state as PublishedState | undefined;
  await client.query('begin');
  // Names that the transaction changed would be missing otherwise.
  if (names)
    await storeNames(client, {
      names: readStartNames({ ...options, published, snapshot: null }),
      fromId: checkpoint.nextId,
    });
  await openGap(client, {
    code: 'SOURCE_TRANSACTION_SKIPPED',
    tables: stuck.tables.length === 0 ? null : stuck.tables,
    fromLsn: request.atLsn,
    toLsn: after,
    name: `Changes are missing: ${request.askedBy} had a transaction skipped (${request.reason})`,
  });
  // Gaps of tables that last are left open.
  const gaps = (await readOpenGaps(client)).filter(({ code }) => code === 'SOURCE_TRANSACTION_SKIPPED');
  await goOnAt(client, {
    from: checkpoint,
    to: {
      lsn: after,
      slot: config.source.slot,
      systemIdentifier: checkpoint.systemIdentifier,
      timeline: checkpoint.timeline,
    },
    gaps,
  });
  await endSkip(client, { id: request.id, gap: gaps[0]!.id });
  await client.query('commit');
}
