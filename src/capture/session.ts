import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { connect } from '../pg/connect.js';
import type { Lsn } from '../pg/lsn.js';
import { Pipeline, type LateAttributions } from '../pipeline/pipeline.js';
import { heldTables } from '../pipeline/relation-plan.js';
import { ReplicationStream, type StreamHandler } from '../source/replication.js';
import { checkSlot, createSlot, identifySource, readSlot, type SystemIdentity } from '../source/slot.js';
import { checkTracking } from '../tracking/check.js';
import type { TrackingConfig } from '../tracking/rules.js';
import {
  beginTrail,
  elect,
  readCheckpoint,
  readRedactionKey,
  TrailWriter,
  type Checkpoint,
} from '../trail/write.js';
import { readStartNames } from './start-names.js';

export interface SessionOptions {
  readonly config: TrackingConfig;
  readonly log: Log;
  readonly lateAttributions: LateAttributions;
}

/** One connected stretch of capture: from the checkpoint until something fails or `stop`. */
export interface Session {
  readonly pipeline: Pipeline;
  readonly stream: ReplicationStream;
  readonly writer: TrailWriter;
  /** Resolves with what ended the session. Never rejects. */
  readonly ended: Promise<WaltrailError>;
  stop(): Promise<void>;
}

/**
 * Opens a session: election, checks of source and slot against the checkpoint, writer, stream. Null when another daemon
 * captures. Throws with everything closed again.
 */
export async function openSession(options: SessionOptions): Promise<Session | null> {
  const { config } = options;
  const client = await elect(config.trail.url);
  if (client === null) return null;
  let writer: TrailWriter | undefined;
  try {
    const redactionKey = await readRedactionKey(client);
    const facts = await checkSource(options);
    const checkpoint =
      (await readCheckpoint(client, config.source.name)) ??
      (await begin({ ...options, client, redactionKey }));
    await checkContinuity(config, checkpoint);
    const end = deferred<WaltrailError>();
    writer = await TrailWriter.open({
      client,
      checkpoint,
      held: heldTables(config),
      checkUtf8: facts.serverEncoding === 'SQL_ASCII',
      failed: end.resolve,
    });
    return await connectStream({ ...options, writer, checkpoint, redactionKey, facts, end });
  } catch (error) {
    if (writer === undefined) await client.end().catch(() => undefined);
    else await writer.close();
    throw error;
  }
}

interface SourceFacts {
  readonly serverEncoding: string;
  readonly primaryKeys: ReadonlyMap<string, readonly string[]>;
}

async function connectStream(
  options: SessionOptions & {
    readonly writer: TrailWriter;
    readonly checkpoint: Checkpoint;
    readonly redactionKey: Buffer;
    readonly facts: SourceFacts;
    readonly end: Deferred<WaltrailError>;
  },
): Promise<Session> {
  const { config, writer, checkpoint, end } = options;
  // The stream calls the pipeline, and the pipeline the stream: whichever is made first knows the other by this.
  const parts: { pipeline?: Pipeline; stream?: ReplicationStream } = {};
  const pipeline = new Pipeline({
    config,
    trail: writer,
    source: {
      pause: () => parts.stream?.pause(),
      resume: () => parts.stream?.resume(),
      acknowledge: (lsn) => parts.stream?.acknowledge(lsn),
    },
    log: options.log,
    redactionKey: options.redactionKey,
    primaryKey: (schema, table) => options.facts.primaryKeys.get(`${schema}.${table}`) ?? [],
    lateAttributions: options.lateAttributions,
    failed: end.resolve,
  });
  const handler: StreamHandler = {
    message: (bytes, start, until) => pipeline.message(bytes, start, until),
    keepalive: (walEnd) => pipeline.keepalive(walEnd),
    readDone: () => pipeline.readDone(),
    ended: end.resolve,
  };
  const stream = await ReplicationStream.open({
    url: config.source.url,
    slot: config.source.slot,
    publication: config.source.publication,
    check: (identity) => checkIdentity(checkpoint, identity),
    startLsn: checkpoint.endLsn,
    handler,
  });
  parts.stream = stream;
  return {
    pipeline,
    stream,
    writer,
    ended: end.promise,
    stop: async () => {
      await pipeline.finish();
      await stream.stop();
      await writer.close();
    },
  };
}

/** Refuses a source that cannot be captured as configured, and reads what the pipeline has to know of it. */
async function checkSource({ config, log }: SessionOptions): Promise<SourceFacts> {
  const client = await connect({ url: config.source.url, purpose: 'checks' });
  try {
    const catalog = await checkTracking(client, config);
    for (const remark of catalog.remarks) log.warn(remark);
    const { rows } = await client.query<{ server_encoding: string }>('show server_encoding');
    return {
      serverEncoding: rows[0]!.server_encoding,
      primaryKeys: new Map(
        catalog.tables.map(({ schema, name, primaryKey }) => [`${schema}.${name}`, primaryKey]),
      ),
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The first start: a new slot and, in its snapshot, the names; or a slot that somebody made before, as it stands. */
async function begin(
  options: SessionOptions & {
    readonly client: Parameters<typeof beginTrail>[0];
    readonly redactionKey: Buffer;
  },
): Promise<Checkpoint> {
  const { client, config, redactionKey } = options;
  const { url, name, slot } = config.source;
  const beginAt = (at: {
    readonly identity: SystemIdentity;
    readonly startLsn: Lsn;
    readonly snapshot: string | null;
  }) =>
    beginTrail(client, {
      source: name,
      identity: at.identity,
      slot,
      startLsn: at.startLsn,
      names: readStartNames({ config, snapshot: at.snapshot, redactionKey }),
    });
  const source = await connect({ url, purpose: 'checks' });
  try {
    const state = await readSlot(source, slot);
    if (state === undefined) await createSlot({ url, slot, begin: beginAt });
    else if (state.confirmedFlushLsn !== null) {
      await beginAt({
        identity: await identifySource(url),
        startLsn: state.confirmedFlushLsn,
        snapshot: null,
      });
    }
  } finally {
    await source.end().catch(() => undefined);
  }
  const checkpoint = await readCheckpoint(client, name);
  if (checkpoint === undefined)
    throw new WaltrailError('SOURCE_SLOT_INVALID', `Slot ${slot} cannot be read from.`);
  options.log.info({ slot }, 'The trail begins.');
  return checkpoint;
}

/** The slot must still be there and must not be ahead of what the trail has. */
async function checkContinuity(config: TrackingConfig, checkpoint: Checkpoint): Promise<void> {
  const { url, slot } = config.source;
  const client = await connect({ url, purpose: 'checks' });
  try {
    const state = await readSlot(client, slot);
    if (state === undefined)
      throw new WaltrailError(
        'SOURCE_SLOT_LOST',
        `The source has no replication slot ${slot}, but the trail was fed from it.`,
      );
    checkSlot({ slot, state, checkpointLsn: checkpoint.endLsn });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function checkIdentity(checkpoint: Checkpoint, identity: SystemIdentity): void {
  if (identity.systemIdentifier !== checkpoint.systemIdentifier) {
    throw new WaltrailError(
      'SOURCE_CHANGED',
      'The source is another PostgreSQL cluster than the one this trail was fed from.',
    );
  }
  if (identity.timeline !== checkpoint.timeline) {
    throw new WaltrailError(
      'SOURCE_CHANGED',
      `The source is on timeline ${identity.timeline}, the trail on ${checkpoint.timeline}: a standby was promoted or a backup restored.`,
      {
        remedy:
          'Find out what the new timeline lacks or has in addition; then begin a new trail, or restore the old primary.',
      },
    );
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
