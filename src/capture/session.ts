import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close } from '../pg/connect.js';
import type { Lsn } from '../pg/lsn.js';
import { Pipeline } from '../pipeline/pipeline.js';
import type { LateAttributions } from '../pipeline/transaction-attribution.js';
import { heldTables } from '../pipeline/relation-plan.js';
import { readDecoder, type Decoder } from '../source/encoding.js';
import { recode } from '../source/recode.js';
import { ReplicationStream, type StreamHandler } from '../source/replication.js';
import { readSlot, type SystemIdentity } from '../source/slot.js';
import { checkTracking } from '../tracking/check.js';
import { lookAtPublished } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { elect, readCheckpoint, readRedactionKey, type Checkpoint } from '../trail/checkpoint.js';
import { readMissingUntil, rememberLook } from '../trail/gaps.js';
import { TrailWriter } from '../trail/write.js';
import { begin } from './begin.js';
import { isReadable } from './continuity.js';
import { Opening } from './opening.js';
import { settle, type Settled } from './settle.js';
import { onSource } from './source-look.js';
import { watchPublished } from './watch.js';

/** The source could not decode or send what comes next. */
const UNDECODABLE: ReadonlySet<string> = new Set(['SOURCE_ROW_TOO_LARGE', 'SOURCE_REPLICATION_FAILED']);

/**
 * A session that begins further behind than this reads transactions when they have committed, which most of what it will
 * read has long done: spooled first and replayed then, they are stored a third slower. As much as the source keeps of one
 * transaction before it streams it (logical_decoding_work_mem).
 */
const BACKLOG_BYTES = 64n * 1024n * 1024n;

export interface SessionOptions {
  readonly config: TrackingConfig;
  readonly log: Log;
  readonly lateAttributions: LateAttributions;
  /** A checkpoint that this process has seen committed: a lower one was restored. */
  readonly knownLsn: Lsn | null;
  /** Where transactions in progress are spooled; null: they are read when they have committed. */
  readonly spoolFolder: string | null;
  /** The last stream ended because the source had no publication when something was changed. */
  readonly publicationMissed: boolean;
  /** Between two looks whether source and trail still answer. */
  readonly tickMs: number;
  /** Gives up opening; a session that is open is ended by its `stop`. */
  readonly signal: AbortSignal;
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
  const opening = new Opening(options);
  try {
    return await open({ ...options, opening, signal: opening.signal });
  } finally {
    opening.done();
  }
}

async function open(options: OpeningOptions): Promise<Session | null> {
  const { config, opening, signal } = options;
  const client = await opening.step(() => elect(config.trail.url, signal));
  if (client === null) return null;
  let writer: TrailWriter | undefined;
  try {
    const redactionKey = await opening.step(() => readRedactionKey(client));
    const start = await findStart({ ...options, client, redactionKey });
    const end = deferred<WaltrailError>();
    writer = await opening.step(() =>
      TrailWriter.open({
        client,
        checkpoint: start.checkpoint,
        held: heldTables(config),
        tickMs: options.tickMs,
        failed: end.resolve,
      }),
    );
    return await connectStream({ ...options, ...start, writer, redactionKey, end });
  } catch (error) {
    if (writer === undefined) await close(client);
    else await writer.close();
    throw error;
  }
}

const BACKLOG_READ = new WaltrailError(
  'SOURCE_LOOK_AGAIN',
  'The backlog is read; from here on transactions are read while they run.',
);

/** Where a session begins, and what it has to know of the source. */
interface Start extends Settled {
  readonly facts: SourceFacts;
  readonly missingUntil: Lsn | null;
}

async function findStart(
  options: OpeningOptions & { readonly client: pg.Client; readonly redactionKey: Buffer },
): Promise<Start> {
  const { client, config, opening } = options;
  const checkpoint = await opening.step(() => readCheckpoint(client, config.source.name));
  if (checkpoint === undefined) {
    // Looked at before it is checked, and remembered before the trail begins: a change after that is found by the next look.
    const published = await opening.step(() =>
      onSource(options, (source) => lookAtPublished(source, config.source.publication)),
    );
    const facts = await opening.step(() => checkSource(options));
    await opening.step(() => rememberLook(client, published));
    const begun = await begin(options);
    return { checkpoint: begun, published, sourceLsn: published.lsn, facts, missingUntil: null };
  }
  const checked: { facts?: SourceFacts } = {};
  const settled = await settle({
    ...options,
    checkpoint,
    step: (run) => opening.step(run),
    checkSource: async () => {
      checked.facts = await checkSource(options);
    },
  });
  return {
    ...settled,
    facts: checked.facts!,
    missingUntil: await opening.step(() => readMissingUntil(client)),
  };
}

type OpeningOptions = SessionOptions & { readonly opening: Opening };

interface SourceFacts {
  readonly decoder: Decoder;
  readonly primaryKeys: ReadonlyMap<string, readonly string[]>;
  /** `schema.table` of partitioned tables. */
  readonly partitioned: ReadonlySet<string>;
}

async function connectStream(
  options: OpeningOptions & {
    readonly writer: TrailWriter;
    readonly redactionKey: Buffer;
    readonly end: Deferred<WaltrailError>;
  } & Start,
): Promise<Session> {
  const { config, writer, checkpoint, end, opening } = options;
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
    partitioned: (schema, table) => options.facts.partitioned.has(`${schema}.${table}`),
    publishedAs: (oid) => options.published.state.tables[oid],
    lateAttributions: options.lateAttributions,
    failed: end.resolve,
  });
  const backlog = options.sourceLsn - checkpoint.endLsn > BACKLOG_BYTES;
  let sure = false;
  const { decoder } = options.facts;
  const handler: StreamHandler = {
    message:
      decoder === null
        ? (bytes, start, until) => pipeline.message(bytes, start, until)
        : (bytes, start, until) => {
            const message = recode(bytes.subarray(start, until), decoder);
            pipeline.message(message, 0, message.length);
          },
    keepalive: (walEnd) => {
      if (sure) pipeline.keepalive(walEnd);
      if (backlog && options.spoolFolder !== null && writer.checkpointLsn >= options.sourceLsn)
        end.resolve(BACKLOG_READ);
    },
    readDone: () => {
      if (sure) pipeline.readDone();
    },
    ended: (error) => end.resolve(UNDECODABLE.has(error.code) ? pipeline.located(error) : error),
  };
  const stream = await opening.step(() =>
    ReplicationStream.open({
      url: config.source.url,
      slot: config.source.slot,
      publication: config.source.publication,
      check: (identity) => checkIdentity(checkpoint, identity),
      startLsn: checkpoint.endLsn,
      missingUntil: options.missingUntil,
      spoolFolder: backlog ? null : options.spoolFolder,
      handler,
      tickMs: options.tickMs,
      signal: options.signal,
    }),
  );
  parts.stream = stream;
  try {
    // Only now is the slot ours alone. Whoever moved it since the first look made a hole, and a stored entry would hide it.
    stream.pause();
    await opening.step(() => checkUnmoved(options, checkpoint));
    sure = true;
    stream.resume();
    pipeline.readDone();
  } catch (error) {
    await stream.stop();
    throw error;
  }
  // With a signal of its own: that of the opening is for the opening.
  const watch = watchPublished({
    config,
    log: options.log,
    published: options.published,
    changed: end.resolve,
  });
  return {
    pipeline,
    stream,
    writer,
    ended: end.promise,
    stop: async () => {
      await pipeline.finish();
      await stream.stop();
      await writer.close();
      await watch.stop();
    },
  };
}

/** Refuses a source that cannot be captured as configured, and reads what the pipeline has to know of it. */
function checkSource(options: SessionOptions): Promise<SourceFacts> {
  return onSource(options, async (client) => {
    const catalog = await checkTracking(client, options.config);
    return {
      decoder: await readDecoder(client),
      primaryKeys: new Map(
        catalog.tables.map(({ schema, name, primaryKey }) => [`${schema}.${name}`, primaryKey]),
      ),
      partitioned: new Set(
        catalog.tables.flatMap(({ schema, name, kind }) =>
          kind === 'partitioned' ? [`${schema}.${name}`] : [],
        ),
      ),
    };
  });
}

/** The slot and the source as they were settled; since then nobody else can have moved the slot. */
async function checkUnmoved(options: SessionOptions, checkpoint: Checkpoint): Promise<void> {
  const { slot } = options.config.source;
  const state = await onSource(options, (client) => readSlot(client, slot));
  if (isReadable(state) && state.confirmedFlushLsn! <= checkpoint.endLsn) return;
  throw new WaltrailError('SOURCE_LOOK_AGAIN', `Slot ${slot} was moved while capture began.`);
}

function checkIdentity(checkpoint: Checkpoint, identity: SystemIdentity): void {
  if (identity.systemIdentifier === checkpoint.systemIdentifier && identity.timeline === checkpoint.timeline)
    return;
  throw new WaltrailError('SOURCE_LOOK_AGAIN', 'The source became another one while capture began.');
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
