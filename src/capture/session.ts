import type pg from 'pg';
import { WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close } from '../pg/connect.js';
import { higher, type Lsn } from '../pg/lsn.js';
import { GIVE_UP_TICKS } from '../pg/silence.js';
import type { CaptureWaiting } from '../pipeline/capture-status.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { STATEMENT_PREFIXES } from '../pipeline/statement.js';
import type { LateAttributions } from '../pipeline/late-attributions.js';
import { configurationBegins } from '../pipeline/transaction-recorder.js';
import type { UnknownTenants } from '../pipeline/unknown-tenants.js';
import type { UnreadMessages } from '../pipeline/unread-messages.js';
import { readDecoder, type Decoder } from '../pg/encoding.js';
import { recode } from '../source/recode.js';
import { ReplicationStream, type StreamHandler } from '../source/replication.js';
import { readSlot, type SystemIdentity } from '../source/slot.js';
import { lookupTables } from '../tracking/lookup-tables.js';
import { heldLookups } from '../tracking/lookups.js';
import { renamedTroubles, withNamedColumns } from '../tracking/named-columns.js';
import { readPublishedAtLsn, type PublishedState } from '../tracking/published.js';
import { withNewNames, withoutUnwanted } from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { TableTrouble } from '../tracking/troubles.js';
import { checkpointSlot } from '../trail/checkpoint-slot.js';
import { trailInSource } from '../trail/not-source.js';
import { urlOf } from '../trail/roles.js';
import { elect, readCheckpoint, readRedactionKey, type Checkpoint } from '../trail/write/checkpoint.js';
import { passedStatement, readMissingUntil, readOpenGaps, storePublished } from '../trail/write/gaps.js';
import { forgetStuck, readStuck, type Stuck } from '../trail/write/stuck.js';
import { TrailWriter } from '../trail/write/trail-writer.js';
import type { BaselineAttempts } from './baseline-attempts.js';
import { Baselines } from './baselines.js';
import { begin } from './begin.js';
import { adoptFirst, chooseConfiguration, type Chosen } from './configurations.js';
import { isOnTimeline, isReadable } from './continuity.js';
import { Currency } from './currency.js';
import { fillNames } from './fill-names.js';
import type { FollowedConfiguration } from './followed-configuration.js';
import { Opening } from './opening.js';
import type { Pace } from './pace.js';
import { passOver } from './pass-over.js';
import { placeBaseline } from './placed-baseline.js';
import { recordTables, settle, type Settled } from './settle.js';
import { readSourceCatalog, type SourceCatalog } from './source-catalog.js';
import { SourceFacts } from './source-facts.js';
import { onSource } from './source-state.js';
import { rewritten } from './table-gaps.js';
import { watchPublished, type Watch } from './watch.js';

/**
 * Backlog in bytes above which a session reads transactions after their commit. Most of a backlog has
 * committed already, and transactions that are first spooled and then replayed are stored a third slower.
 * This is the default of logical_decoding_work_mem: how much the source keeps of one transaction before it
 * streams it.
 */
const BACKLOG_BYTES = 64n * 1024n * 1024n;

export interface SessionOptions {
  readonly log: Log;
  /** The configuration of the file. The session may have to work with an earlier one. */
  readonly followed: FollowedConfiguration;
  /** The map `tried` of {@link FillNamesOptions}. */
  readonly namesTried: Map<string, string>;
  readonly baselineAttempts: BaselineAttempts;
  readonly lateAttributions: LateAttributions;
  readonly unreadMessages: UnreadMessages;
  readonly unknownTenants: UnknownTenants;
  /**
   * A checkpoint that this process has seen committed. A lower one means that the trail was restored from a
   * backup.
   */
  readonly knownLsn: Lsn | null;
  /** Folder in which transactions in progress are spooled; null: they are read after their commit. */
  readonly spoolFolder: string | null;
  /**
   * Earliest moment (`performance.now()`) at which transactions may be read while they run. Until then they
   * are read after their commit. Null: no such limit.
   */
  readonly unstreamedUntil: number | null;
  /** True if the last stream ended because the source had no publication when something was changed. */
  readonly publicationMissed: boolean;
  /** Called with what capture waits for on the source, and with null when that is over. */
  readonly waiting: (waiting: CaptureWaiting | null) => void;
  /** Called after every look, with what is wrong with named tables. */
  readonly observed: (troubles: readonly TableTrouble[]) => void;
  /** An error that repeats at one position; null: none is known. */
  readonly stuck: Stuck | null;
  /**
   * Position up to which transactions are stored one at a time, because one of them cannot be stored; null:
   * many are stored together.
   */
  readonly aloneUntil: Lsn | null;
  readonly pace: Pace;
  /** Cancels the opening. A session that is open is ended by its `stop`. */
  readonly signal: AbortSignal;
}

/** One connected stretch of capture: from the checkpoint until something fails or `stop`. */
export interface Session {
  readonly pipeline: Pipeline;
  readonly stream: ReplicationStream;
  readonly writer: TrailWriter;
  /** The error that an earlier process waited on at this position, as stored in the trail. */
  readonly waitedOn: Stuck | undefined;
  /** Time up to which the trail is current, RFC 3339; null: not known yet. */
  readonly currentUntil: string | null;
  /**
   * The end of the source's WAL, as far as the session knows. The stream alone does not tell: each of its
   * messages, keepalives included, states how far the source has sent, not how much waits to be sent.
   */
  readonly sourceLsn: Lsn;
  /** Resolves with what ended the session. Never rejects. */
  readonly ended: Promise<WaltrailError>;
  /** Ends the session with an error, as a failure would. */
  end(error: WaltrailError): void;
  /** `patient`: as in {@link Pipeline.finish}. */
  stop(options: { readonly patient: boolean }): Promise<void>;
}

/**
 * Opens a session: election, checks of source and slot against the checkpoint, writer, stream. Returns null
 * if another daemon captures. If it throws, everything is closed again.
 */
export async function openSession(options: SessionOptions): Promise<Session | null> {
  const opening = new Opening({ signal: options.signal, tickMs: options.pace.tickMs });
  try {
    return await open(options, opening);
  } finally {
    opening.done();
  }
}

async function open(given: SessionOptions, opening: Opening): Promise<Session | null> {
  const { followed } = given;
  const { signal } = opening;
  const { source, trail } = followed.file;
  const client = await opening.step(() => elect(urlOf(trail, 'writer'), signal));
  if (client === null) return null;
  let writer: TrailWriter | undefined;
  try {
    followed.standsOn(await opening.step(() => checkpointSlot(client, source.name)));
    const options: OpeningOptions = { ...given, opening, signal, config: followed.file };
    const redactionKey = await opening.step(() => readRedactionKey(client));
    const start = await findStart({ ...options, client, redactionKey });
    // The session works with this configuration, which may be an earlier one than that of the file.
    const { config } = start;
    const end = deferred<WaltrailError>();
    writer = await opening.step(() =>
      TrailWriter.open({
        client,
        checkpoint: start.checkpoint,
        held: heldLookups(config),
        lookupTables: lookupTables(config, start.catalog),
        tickMs: options.pace.tickMs,
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

/** Ends a session that read transactions after their commit. The next session may have them streamed. */
export const BACKLOG_READ = new WaltrailError(
  'SOURCE_LOOK_AGAIN',
  'The backlog has been read. Transactions are now read while they run.',
);

/** Where a session begins, and what it has to know about the source. */
interface Start extends Settled, Pick<Chosen, 'config' | 'pending'> {
  readonly decoder: Decoder;
  readonly missingUntil: Lsn | null;
  readonly waitedOn: Stuck | undefined;
}

async function findStart(
  options: OpeningOptions & { readonly client: pg.Client; readonly redactionKey: Buffer },
): Promise<Start> {
  const { client, opening } = options;
  const decoder = await opening.step(() => onSource(options, readDecoder));
  const found = await opening.step(() => readCheckpoint(client, options.config.source.name));
  if (found === undefined) {
    const chosen = { config: options.config, pending: null };
    options.followed.chosen(chosen);
    return {
      ...(await findBeginning(options)),
      ...chosen,
      decoder,
      missingUntil: null,
      waitedOn: undefined,
    };
  }
  const skipped = await opening.step(() => afterSkipped(options, found));
  const chosen = await opening.step(() => chooseConfiguration({ ...options, checkpoint: skipped }));
  const { config, pending, checkpoint } = chosen;
  options.followed.chosen(chosen);
  const waitedOn = await opening.step(() => readStuck(client));
  const settled = await settle({
    ...options,
    config,
    pending,
    checkpoint,
    step: (run) => opening.step(run),
    checkSource: () => checkSource(options, chosen),
  });
  const missingUntil = await opening.step(() => readMissingUntil(client));
  // Has no time limit, because a lookup table may have any number of rows.
  await fillNames({
    ...options,
    config,
    checkpoint: settled.checkpoint,
    published: settled.published.state,
    tried: options.namesTried,
  });
  return { ...settled, config, pending, decoder, missingUntil, waitedOn };
}

/**
 * Begins a trail at the first start. The look is stored before the trail begins, so that the next look finds
 * any change made after it.
 */
async function findBeginning(
  options: OpeningOptions & { readonly client: pg.Client; readonly redactionKey: Buffer },
): Promise<Settled> {
  const { client, config, opening } = options;
  await opening.step(() => onSource(options, (source) => refuseOwnSource(client, source)));
  const look = await opening.step(() =>
    onSource(options, (source) => readPublishedAtLsn(source, config.source.publication)),
  );
  const catalog = await opening.step(() =>
    onSource(options, (source) => readSourceCatalog(source, { config, pending: null })),
  );
  const now = withoutUnwanted(config, look.state);
  const state = withNamedColumns({ config, pending: null, catalog, last: undefined, now });
  const published = { ...look, state };
  await opening.step(() => storePublished(client, published));
  const { checkpoint: begun, taken } = await begin({ ...options, catalog, published: state });
  await opening.step(() => adoptFirst(client, { config, checkpoint: begun }));
  const { troubles } = catalog;
  await opening.step(() =>
    recordTables(options, { fromLsn: begun.endLsn, troubles, unpublished: [], rewritten: [] }),
  );
  return {
    // Read again, because recording gaps of tables stores entries.
    checkpoint: (await readCheckpoint(client, config.source.name))!,
    published,
    sourceLsn: published.lsn,
    open: await readOpenGaps(client),
    catalog,
    taken,
  };
}

async function refuseOwnSource(trail: pg.Client, source: pg.Client): Promise<void> {
  const inSource = await trailInSource({ trail, source });
  if (inSource !== null) throw inSource;
}

/**
 * Returns the checkpoint. If an operator asked to pass over the transaction that capture waits on, returns
 * the checkpoint after that transaction.
 */
async function afterSkipped(
  options: Parameters<typeof findStart>[0],
  checkpoint: Checkpoint,
): Promise<Checkpoint> {
  const { client, stuck } = options;
  await forgetStuck(client);
  return stuck === null ? checkpoint : passOver({ ...options, checkpoint, stuck });
}

/**
 * Options of an opening. `config` is the configuration of the file until `findStart` has chosen one, then the
 * chosen one.
 */
type OpeningOptions = SessionOptions & { readonly opening: Opening; readonly config: TrackingConfig };

async function connectStream(
  options: OpeningOptions & {
    readonly writer: TrailWriter;
    readonly redactionKey: Buffer;
    readonly end: Deferred<WaltrailError>;
  } & Start,
): Promise<Session> {
  const { config, followed, writer, checkpoint, end, opening } = options;
  const aloneUntil = aloneUntilOf(options);
  const sure = { ...deferred<void>(), is: false };
  const closing = new AbortController();
  const facts = new SourceFacts({
    config,
    signal: closing.signal,
    limitMs: GIVE_UP_TICKS * options.pace.tickMs,
    catalog: options.catalog,
    published: options.published.state,
    lsn: options.published.lsn,
  });
  options.observed(troublesNow(config, { catalog: options.catalog, published: options.published.state }));
  followed.observed(options.catalog);
  // The stream calls the pipeline, and the pipeline the stream. Whichever is created first finds the other
  // here.
  const parts: { pipeline?: Pipeline; stream?: ReplicationStream; watch?: Watch } = {};
  let published = options.published.state;
  const pipeline = new Pipeline({
    config,
    trail: writer,
    source: {
      pause: () => parts.stream?.pause(),
      resume: () => parts.stream?.resume(),
      acknowledge: (lsn) => parts.stream?.acknowledge(lsn),
      // Nothing is stored before the position of the slot is certain.
      hold: (work) => parts.stream!.hold(sure.promise.then(work)),
    },
    aloneUntil,
    announced: (message) => followed.announce(message),
    reached: (afterLsn) => followed.reached(afterLsn),
    rewrittenStatement: (table, lsn) => passedStatement(rewritten(table), lsn),
    rewrittenStored: () => parts.watch?.gapsPassed(),
    redactionKey: options.redactionKey,
    systemIdentifier: checkpoint.systemIdentifier,
    tableFacts: (oid) => facts.of(oid),
    rowTypes: () => facts.rowTypes,
    areWitnessesSent: () => facts.areWitnessesSent,
    lookedIdentity: (oid) => published.tables[oid >>> 0]?.identity,
    lateAttributions: options.lateAttributions,
    unreadMessages: options.unreadMessages,
    unknownTenants: options.unknownTenants,
    failed: end.resolve,
  });
  const { taken, baselineAttempts: attempts } = options;
  // The rows of the first baselines come before the first change.
  if (taken !== null) pipeline.holdFrom(taken.lsn);
  const { spoolFolder, unstreamedUntil } = options;
  // The source's present WAL is read before anything is streamed. This includes the transaction that could
  // not be read while it ran. A transaction that comes in parts cannot be stored alone, nor be identified as
  // the one that fails.
  const backlog =
    aloneUntil !== null || unstreamedUntil !== null || options.sourceLsn - checkpoint.endLsn > BACKLOG_BYTES;
  const { decoder } = options;
  const handler: StreamHandler = {
    message:
      decoder === null
        ? (bytes, start, until) => pipeline.message(bytes, start, until)
        : (bytes, start, until) => {
            const message = recode(bytes.subarray(start, until), decoder);
            pipeline.message(message, 0, message.length);
          },
    begins: (bytes, at) => pipeline.begins(bytes, at),
    described: (oids, commitLsn) => facts.ask(oids, commitLsn ?? pipeline.readUntil),
    keepalive: (walEnd) => {
      if (sure.is) pipeline.keepalive(walEnd);
      if (!backlog || spoolFolder === null || writer.checkpointLsn < options.sourceLsn) return;
      if (unstreamedUntil === null || performance.now() >= unstreamedUntil) end.resolve(BACKLOG_READ);
    },
    readDone: () => {
      if (sure.is) pipeline.readDone();
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
      missingUntil: options.missingUntil,
      spoolFolder: backlog ? null : spoolFolder,
      messagePrefixes: STATEMENT_PREFIXES,
      handler,
      made: (made) => (parts.stream = made),
      tickMs: options.pace.tickMs,
      signal: options.signal,
    }),
  );
  try {
    // Only now does this session own the slot. If the slot was moved since the first look, changes are
    // missing, and a stored entry would hide that.
    stream.pause();
    await opening.step(() => checkUnmoved(options, checkpoint));
    sure.is = true;
    sure.resolve();
    if (taken !== null) {
      for (const { table } of taken.read.tables) attempts.begun(table.key);
      placeBaseline({ taken, pipeline, log: options.log, attempts, stored: () => undefined });
    }
    stream.resume();
    pipeline.readDone();
  } catch (error) {
    closing.abort();
    await stream.stop();
    throw error;
  }
  const currency = new Currency();
  const baselines = new Baselines({
    config,
    log: options.log,
    pipeline,
    attempts,
    catalog: options.catalog,
    published: options.published.state,
    sourceLsn: options.sourceLsn,
    lookMs: options.pace.lookMs,
    waiting: options.waiting,
  });
  // The watch has a signal of its own, because the signal of the opening is only for the opening.
  const watch = watchPublished({
    config,
    pending: options.pending,
    appliedAnother: (catalog) => followed.appliedAnother(catalog),
    prepared: (lsn) => pipeline.changeAt(lsn),
    log: options.log,
    lookMs: options.pace.lookMs,
    published: options.published,
    open: options.open,
    currency,
    storedUntil: () => pipeline.storedUntil,
    tell: (told) => pipeline.tell(told),
    learned: (learned) => {
      ({ published } = learned);
      facts.learn(learned);
      baselines.learned(learned);
      options.observed(troublesNow(config, learned));
      followed.observed(learned.catalog);
    },
    changed: end.resolve,
  });
  parts.watch = watch;
  return {
    pipeline,
    stream,
    writer,
    waitedOn: options.waitedOn,
    get currentUntil() {
      return currency.until(pipeline.storedUntil);
    },
    get sourceLsn() {
      return [currency.sourceLsn, stream.walEnd].reduce(higher, options.sourceLsn);
    },
    ended: end.promise,
    end: end.resolve,
    stop: async ({ patient }) => {
      closing.abort();
      await pipeline.finish({ patient });
      await stream.stop();
      await writer.close();
      await watch.stop();
      await baselines.stop();
    },
  };
}

/** Returns what is wrong with named tables. Includes tables and columns that have been renamed. */
const troublesNow = (
  config: TrackingConfig,
  { catalog, published }: { readonly catalog: SourceCatalog; readonly published: PublishedState },
): readonly TableTrouble[] => [
  ...withNewNames(catalog.troubles, published),
  ...renamedTroubles(config, published),
];

/**
 * Returns the position up to which transactions are stored one at a time; null: many together. If an earlier
 * process waited on an error here, they are stored one at a time from the start.
 */
function aloneUntilOf({ aloneUntil, waitedOn, checkpoint }: SessionOptions & Start): Lsn | null {
  if (aloneUntil !== null && aloneUntil >= checkpoint.endLsn) return aloneUntil;
  return waitedOn === undefined ? null : (waitedOn.commitLsn ?? checkpoint.endLsn);
}

/**
 * Refuses a source that cannot be captured at all, and reads its catalog. Throws TRACKING_CHANGED if another
 * configuration has been applied since the session chose its own.
 */
async function checkSource(
  options: OpeningOptions,
  chosen: Pick<Chosen, 'config' | 'pending'>,
): Promise<SourceCatalog> {
  const catalog = await onSource(options, (client) => readSourceCatalog(client, chosen));
  // A table that leaves the publication because another configuration was applied is no gap.
  if (options.followed.appliedAnother(catalog)) throw configurationBegins();
  return catalog;
}

/**
 * Throws if the slot has moved since the start position was settled. Now that the stream has the slot, no
 * other process can move it.
 */
async function checkUnmoved(options: OpeningOptions, checkpoint: Checkpoint): Promise<void> {
  const { slot } = options.config.source;
  const state = await onSource(options, (client) => readSlot(client, slot));
  if (isReadable(state) && state.confirmedFlushLsn! <= checkpoint.endLsn) return;
  throw new WaltrailError('SOURCE_LOOK_AGAIN', `Slot ${slot} was moved while capture began.`);
}

function checkIdentity(checkpoint: Checkpoint, identity: SystemIdentity): void {
  if (isOnTimeline(checkpoint, identity)) return;
  throw new WaltrailError('SOURCE_LOOK_AGAIN', 'The source was replaced by another one while capture began.');
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
