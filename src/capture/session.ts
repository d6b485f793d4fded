import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect, connectError } from '../pg/connect.js';
import type { Lsn } from '../pg/lsn.js';
import { GIVE_UP_TICKS } from '../pg/silence.js';
import { Pipeline, type LateAttributions } from '../pipeline/pipeline.js';
import { heldTables } from '../pipeline/relation-plan.js';
import { ReplicationStream, type StreamHandler } from '../source/replication.js';
import { checkSlot, createSlot, identifySource, readSlot, type SystemIdentity } from '../source/slot.js';
import { checkTracking } from '../tracking/check.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { beginTrail, elect, readCheckpoint, readRedactionKey, type Checkpoint } from '../trail/checkpoint.js';
import { TrailWriter } from '../trail/write.js';
import { readStartNames } from './start-names.js';

/** Ticks between two looks at the source's catalog: half a minute. */
const WATCH_TICKS = 6;

export interface SessionOptions {
  readonly config: TrackingConfig;
  readonly log: Log;
  readonly lateAttributions: LateAttributions;
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
    const facts = await opening.step(() => checkSource(options));
    const checkpoint =
      (await opening.step(() => readCheckpoint(client, config.source.name))) ??
      (await begin({ ...options, client, redactionKey }));
    await opening.step(() => checkContinuity(options, checkpoint));
    const end = deferred<WaltrailError>();
    writer = await opening.step(() =>
      TrailWriter.open({
        client,
        checkpoint,
        held: heldTables(config),
        checkUtf8: facts.serverEncoding === 'SQL_ASCII',
        tickMs: options.tickMs,
        failed: end.resolve,
      }),
    );
    return await connectStream({ ...options, writer, checkpoint, redactionKey, facts, end });
  } catch (error) {
    if (writer === undefined) await close(client);
    else await writer.close();
    throw error;
  }
}

/** Ends an opening that takes too long at one step, or that is not wanted any more, by destroying its connections. */
class Opening {
  readonly #abort = new AbortController();
  readonly #wanted: AbortSignal;
  readonly #limitMs: number;
  readonly #giveUp = (): void => this.#abort.abort();

  constructor(options: { readonly signal: AbortSignal; readonly tickMs: number }) {
    this.#wanted = options.signal;
    this.#limitMs = GIVE_UP_TICKS * options.tickMs;
    if (this.#wanted.aborted) this.#giveUp();
    this.#wanted.addEventListener('abort', this.#giveUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A step with a limit. Beginning a trail has none: a new slot waits for the transactions that run on the source. */
  async step<T>(run: () => Promise<T>): Promise<T> {
    const limit = setTimeout(this.#giveUp, this.#limitMs);
    try {
      return await run();
    } finally {
      clearTimeout(limit);
    }
  }

  done(): void {
    this.#wanted.removeEventListener('abort', this.#giveUp);
  }
}

type OpeningOptions = SessionOptions & { readonly opening: Opening };

interface SourceFacts {
  readonly serverEncoding: string;
  readonly primaryKeys: ReadonlyMap<string, readonly string[]>;
  /** `schema.table` of partitioned tables. */
  readonly partitioned: ReadonlySet<string>;
}

async function connectStream(
  options: OpeningOptions & {
    readonly writer: TrailWriter;
    readonly checkpoint: Checkpoint;
    readonly redactionKey: Buffer;
    readonly facts: SourceFacts;
    readonly end: Deferred<WaltrailError>;
  },
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
    lateAttributions: options.lateAttributions,
    failed: end.resolve,
  });
  let sure = false;
  const handler: StreamHandler = {
    message: (bytes, start, until) => pipeline.message(bytes, start, until),
    keepalive: (walEnd) => {
      if (sure) pipeline.keepalive(walEnd);
    },
    readDone: () => {
      if (sure) pipeline.readDone();
    },
    ended: end.resolve,
  };
  const stream = await opening.step(() =>
    ReplicationStream.open({
      url: config.source.url,
      slot: config.source.slot,
      publication: config.source.publication,
      check: (identity) => checkIdentity(checkpoint, identity),
      startLsn: checkpoint.endLsn,
      handler,
      tickMs: options.tickMs,
      signal: options.signal,
    }),
  );
  parts.stream = stream;
  try {
    // Only now is the slot ours alone. Whoever moved it since the first look made a hole, and a stored entry would hide it.
    stream.pause();
    await opening.step(() => checkContinuity(options, checkpoint));
    sure = true;
    stream.resume();
    pipeline.readDone();
  } catch (error) {
    await stream.stop();
    throw error;
  }
  const watch = watchSource(options, end.resolve);
  return {
    pipeline,
    stream,
    writer,
    ended: end.promise,
    stop: async () => {
      clearInterval(watch);
      await pipeline.finish();
      await stream.stop();
      await writer.close();
    },
  };
}

/** Refuses a source that cannot be captured as configured, and reads what the pipeline has to know of it. */
function checkSource(options: SessionOptions): Promise<SourceFacts> {
  return onSource(options, async (client) => {
    const catalog = await checkTracking(client, options.config);
    const { rows } = await client.query<{ server_encoding: string }>('show server_encoding');
    return {
      serverEncoding: rows[0]!.server_encoding,
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

/**
 * Looks now and then whether the source is still as it was checked. The stream does not say that a tracked table was
 * renamed or taken out of the publication; its changes just stop coming.
 */
function watchSource(options: SessionOptions, failed: (error: WaltrailError) => void): NodeJS.Timeout {
  let looking = false;
  const look = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    try {
      await checkSource(options);
    } catch (error) {
      // Only what a person has to mend: trouble with this look's own connection says nothing about the stream.
      if (isWaltrailError(error) && error.retry !== 'backoff') failed(error);
    } finally {
      looking = false;
    }
  };
  return setInterval(() => void look(), WATCH_TICKS * options.tickMs).unref();
}

/** Runs `work` on a connection to the source of its own. */
async function onSource<T>(
  { config, signal }: SessionOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { url } = config.source;
  const client = await connect({ url, purpose: 'checks', signal });
  try {
    return await work(client);
  } catch (error) {
    throw isWaltrailError(error) ? error : connectError(url, error);
  } finally {
    await close(client);
  }
}

/** The first start: a new slot and, in its snapshot, the names; or a slot that somebody made before, as it stands. */
async function begin(
  options: SessionOptions & {
    readonly client: Parameters<typeof beginTrail>[0];
    readonly redactionKey: Buffer;
  },
): Promise<Checkpoint> {
  const { client, config, redactionKey, signal } = options;
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
      names: readStartNames({ config, snapshot: at.snapshot, redactionKey, signal }),
    });
  await onSource(options, async (source) => {
    const state = await readSlot(source, slot);
    if (state === undefined) await createSlot({ url, slot, signal, begin: beginAt });
    else if (state.confirmedFlushLsn !== null) {
      checkSlot({ slot, state, checkpointLsn: state.confirmedFlushLsn });
      await beginAt({
        identity: await identifySource(url, signal),
        startLsn: state.confirmedFlushLsn,
        snapshot: null,
      });
    }
  });
  const checkpoint = await readCheckpoint(client, name);
  if (checkpoint === undefined)
    throw new WaltrailError('SOURCE_SLOT_INVALID', `Slot ${slot} cannot be read from.`);
  options.log.info({ slot }, 'The trail begins.');
  return checkpoint;
}

/** The slot must still be there and must not be ahead of what the trail has. */
async function checkContinuity(options: SessionOptions, checkpoint: Checkpoint): Promise<void> {
  const { slot } = options.config.source;
  const state = await onSource(options, (client) => readSlot(client, slot));
  if (state === undefined)
    throw new WaltrailError(
      'SOURCE_SLOT_LOST',
      `The source has no replication slot ${slot}, but the trail was fed from it.`,
    );
  checkSlot({ slot, state, checkpointLsn: checkpoint.endLsn });
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
