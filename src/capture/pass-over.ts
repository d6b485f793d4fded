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
 * Tells the trail what capture waits on, so that `waltrail skip` knows it. Over a connection of its own, for
 * that of the session is over. Never rejects: a trail that takes nothing at all takes this neither, and is
 * told with the next try.
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
    log.debug({ code: codeOf(error) }, 'The trail could not be told what capture waits on.');
  }
}

export interface PassOverOptions extends SourceAccess {
  /** Elected, and in no transaction. */
  readonly client: pg.Client;
  readonly log: Log;
  readonly redactionKey: Buffer;
  readonly checkpoint: Checkpoint;
  /** What this process waits on. */
  readonly stuck: Stuck;
}

/**
 * Passes over the transaction that capture waits on, where an operator has asked for exactly that, and gives
 * the checkpoint behind it. In one transaction of the trail: the gap that says who and why, closed at once,
 * and the checkpoint one byte behind the commit. The source sends nothing that commits before where the
 * stream starts, so no byte of the transaction is read again, whatever is wrong with it (DECISIONS 41).
 */
export async function passOver(options: PassOverOptions): Promise<Checkpoint> {
  const { client, log, stuck, checkpoint, config } = options;
  const request = await readSkipRequest(client);
  if (request === undefined || request.atLsn !== stuck.commitLsn || stuck.checkpointLsn !== checkpoint.endLsn)
    return checkpoint;
  // Something else is missing and comes first; then capture would not wait on this.
  if ((await readOpenGaps(client)).some(isOfStream)) return checkpoint;
  try {
    await store(options, request, { names: true });
  } catch (error) {
    await client.query('rollback').catch((failed: unknown) => {
      throw trailError(failed);
    });
    log.warn(
      { code: trailError(error).code },
      'The names as they are now cannot be read; names that the transaction changed stay as they were.',
    );
    await store(options, request, { names: false }).catch((failed: unknown) => {
      throw trailError(failed);
    });
  }
  log.warn(
    { lsn: formatLsn(request.atLsn), tables: stuck.tables, askedBy: request.askedBy },
    'Capture passes over a transaction that an operator named; a gap of the trail says so.',
  );
  return (await readCheckpoint(client, config.source.name))!;
}

async function store(
  options: PassOverOptions,
  request: SkipRequest,
  { names }: { readonly names: boolean },
): Promise<void> {
  const { client, checkpoint, stuck, config } = options;
  const behind = request.atLsn + 1n;
  const published = (await readStoredPublished(client))?.state as PublishedState | undefined;
  await client.query('begin');
  // Those that it changed are nowhere else.
  if (names)
    await storeNames(client, {
      names: readStartNames({ ...options, published, snapshot: null }),
      fromId: checkpoint.nextId,
    });
  await openGap(client, {
    code: 'SOURCE_TRANSACTION_SKIPPED',
    tables: stuck.tables.length === 0 ? null : stuck.tables,
    fromLsn: request.atLsn,
    toLsn: behind,
    name: `Changes are missing: ${request.askedBy} had a transaction skipped (${request.reason})`,
  });
  // Gaps of tables that last are no part of this.
  const gaps = (await readOpenGaps(client)).filter(({ code }) => code === 'SOURCE_TRANSACTION_SKIPPED');
  await goOnAt(client, {
    from: checkpoint,
    to: {
      lsn: behind,
      slot: config.source.slot,
      systemIdentifier: checkpoint.systemIdentifier,
      timeline: checkpoint.timeline,
    },
    gaps,
  });
  await endSkip(client, { id: request.id, gap: gaps[0]!.id });
  await client.query('commit');
}
