import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import { formatLsn, type Lsn } from '../pg/lsn.js';
import { quoteLiteral } from '../pg/quote.js';
import { runningTransactions, untilEnded, writersOf } from '../pg/running.js';
import { currentLsn } from '../pg/wal.js';
import { checkSlotKind, createSlot } from '../source/slot.js';
import { renameNotes, withNamedColumns } from '../tracking/named-columns.js';
import { readPublished, type PublishedAtLsn, type PublishedState } from '../tracking/published.js';
import { refusalNotes, withHistory, withoutUnwanted, withRefusals } from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { TableTrouble } from '../tracking/troubles.js';
import { storeNames, readCheckpoint, type Checkpoint } from '../trail/write/checkpoint.js';
import {
  beginTableGaps,
  closeTableGap,
  endGap,
  goOnAt,
  isOfStream,
  openGap,
  readOpenGaps,
  readStoredPublished,
  recordTracking,
  storePublished,
  tellUntold,
  type FoundGap,
  type NewPosition,
  type OpenGap,
} from '../trail/write/gaps.js';
import { trailError } from '../trail/trail-error.js';
import {
  compareWithTrail,
  coveredUntil,
  isReadable,
  skipsNothing,
  startPosition,
  type Continuity,
  type SourceState,
} from './continuity.js';
import { logGaps } from './gap-log.js';
import { lacksLastTransaction } from './last-transaction.js';
import type { Pace } from './pace.js';
import type { TakenBaseline } from './placed-baseline.js';
import type { SourceCatalog } from './source-catalog.js';
import { readSourceState, onSource } from './source-state.js';
import { readStartNames } from './start-names.js';
import { ENDS } from '../trail/write/notices.js';
import { endedGaps, lackingTables } from './table-gaps.js';
import { GAP_END, NEW_SLOT, sayWhileWaiting, type WaitingOptions } from './waiting.js';

/** How long the end of a gap waits for running transactions if capture does not resume anyway. */
const PATIENCE_MS = 2_000;

export interface SettleOptions extends WaitingOptions {
  /** The configuration of the file, if it comes into effect later; null: it is in effect. */
  readonly pending: TrackingConfig | null;
  /** A connection that won the election and is in no transaction. */
  readonly client: pg.Client;
  readonly redactionKey: Buffer;
  readonly checkpoint: Checkpoint;
  readonly knownLsn: Lsn | null;
  readonly pace: Pace;
  /**
   * Runs a step with a time limit. Creating a slot has no limit, because it waits for the transactions that
   * run on the source.
   */
  readonly step: <T>(run: () => Promise<T>) => Promise<T>;
  /** True if the last stream ended because the source had no publication when something was changed. */
  readonly publicationMissed: boolean;
  /** Refuses a source that cannot be captured at all. */
  readonly checkSource: () => Promise<SourceCatalog>;
}

/** The position to stream from, and what the watch compares with. */
export interface Settled {
  readonly checkpoint: Checkpoint;
  readonly published: PublishedAtLsn;
  /** Where the source's WAL ended. What lies between the checkpoint and this position is a backlog. */
  readonly sourceLsn: Lsn;
  /** Open gaps of named tables, which end while capture streams. */
  readonly open: readonly OpenGap[];
  readonly catalog: SourceCatalog;
  /** Baselines that were read with the first snapshot; null: there are none, or they are taken later. */
  readonly taken: TakenBaseline | null;
}

/**
 * Compares source and trail before anything is streamed, and records each gap that it finds once, as an
 * entry. Gaps of named tables stop nothing.
 *
 * If an operator or the YAML lets capture resume after a gap of the whole stream, moves to a position from
 * which that is possible. Otherwise, throws an error with the code of the gap.
 */
export async function settle(options: SettleOptions): Promise<Settled> {
  const { client, config, checkpoint, step } = options;
  const lastPublished = (await step(() => readStoredPublished(client))) as PublishedAtLsn | undefined;
  const seenState = await step(() => readSourceState({ ...options, lastPublished }));
  if (seenState.slot !== undefined) checkSlotKind(config.source.slot, seenState.slot);
  const lacksLast = await lacksLastTransaction({
    ...options,
    sourceState: seenState,
    tickMs: options.pace.tickMs,
  });
  const sourceState: SourceState = { ...seenState, lacksLast };
  const found = compareWithTrail({ ...options, sourceState, lastPublished });
  const before = await readOpenGaps(client);
  for (const gap of [...found.gaps, ...missedGap(options, [...found.gaps, ...before])])
    if (!isOfOpen(gap, before)) await recordGap(options, gap);
  const gaps = (await readOpenGaps(client)).filter(isOfStream);
  const moved = gaps.length > 0 || sourceState.identity.timeline !== checkpoint.timeline;
  const stopping = gaps.filter((gap) => !mayResume(gap, options));
  const catalog = await step(options.checkSource).catch((error: unknown) => {
    throw stopping.length === 0 ? error : fixFirst(error, gapsError(stopping, config.source.slot));
  });
  const covered = coveredUntil({ checkpoint, sourceState, lastPublished });
  await recordTables(options, {
    fromLsn: covered,
    troubles: catalog.troubles,
    unpublished: found.unpublished.filter((table) => !catalog.leaving.has(table)),
    rewritten: found.rewritten,
  });
  const seen = knownPublished({ ...options, sourceState, lastPublished, catalog });
  let sure = surely(seen, covered);
  let notes = [
    ...found.notes,
    ...refusalNotes(lastPublished?.state, seen.state),
    ...renameNotes(lastPublished?.state, seen.state),
  ];
  if (!moved) await record(client, { sure, notes });
  await step(() => endTableGaps(options, { published: seen.state, catalog }));
  const unended = gaps.filter((gap) => isOfPublication(gap) && gap.toLsn === null);
  if (unended.length > 0) {
    const toLsn = await fitSince(options, { sourceState, patient: stopping.length === 0 });
    if (toLsn !== null) {
      // Every transaction that the look may have missed has ended by now.
      sure = seen;
      await endGaps(client, { gaps: unended, toLsn, sure, notes });
      notes = [];
    }
  }
  if (stopping.length > 0) throw gapsError(stopping, config.source.slot);
  const rest = { published: sure, sourceLsn: sourceState.lsn, catalog, taken: null };
  if (!moved) {
    await step(() => beginEarlier(options, sourceState));
    return {
      ...rest,
      // Read again: gaps and notes are entries too, and the writer continues after them.
      checkpoint: (await readCheckpoint(client, config.source.name))!,
      open: await readOpenGaps(client),
    };
  }
  const resumed = await resume({
    ...options,
    sourceState,
    sure,
    gaps: (await readOpenGaps(client)).filter(isOfStream),
    notes: [...found.failover, ...notes],
  });
  return { ...rest, checkpoint: resumed, open: await readOpenGaps(client) };
}

/**
 * Moves the checkpoint back if the source may have been put back to a state between the last transaction and
 * the checkpoint. It then sends the changes that it has made there since; otherwise, nothing is sent twice.
 */
async function beginEarlier(
  { client, config, checkpoint }: SettleOptions,
  sourceState: SourceState,
): Promise<void> {
  const lsn = startPosition({ checkpoint, sourceState, gaps: [] });
  if (lsn === checkpoint.endLsn) return;
  const to = { ...sourceState.identity, lsn, slot: config.source.slot };
  await goOnAt(client, { from: checkpoint, to, gaps: [] });
}

/**
 * Records gaps of tables that begin at `fromLsn`, as entries. May be called only while there is no writer.
 * Gaps end while capture streams, because waiting for running transactions delays nothing then.
 */
export async function recordTables(
  options: Pick<SettleOptions, 'client' | 'log'>,
  found: {
    readonly fromLsn: Lsn;
    readonly troubles: readonly TableTrouble[];
    readonly unpublished: readonly string[];
    readonly rewritten: readonly string[];
  },
): Promise<void> {
  const { client, log } = options;
  const open = await readOpenGaps(client);
  const begun = await beginTableGaps(client, {
    lacking: lackingTables({ ...found, open }),
    fromLsn: () => found.fromLsn,
  });
  logGaps(log, begun);
  await tellUntold(client, [...open, ...begun]);
}

/**
 * Ends gaps of tables that no transaction can have written to while they were not as they should be. The
 * watch does this too, but if a daemon is killed repeatedly, the watch may never get to it.
 */
async function endTableGaps(
  options: SettleOptions,
  found: { readonly published: PublishedState; readonly catalog: SourceCatalog },
): Promise<void> {
  const { client, config } = options;
  const { troubles } = found.catalog;
  const ended = endedGaps({ ...found, config, troubles, open: await readOpenGaps(client) });
  if (ended.length === 0) return;
  const { writers, toLsn } = await onSource(options, async (source) => ({
    writers: await writersOf(source, [...new Set(ended.flatMap(({ oids }) => oids))]),
    toLsn: await currentLsn(source),
  }));
  for (const { gap, end, oids } of ended)
    if (!oids.some((oid) => writers.has(oid)))
      await closeTableGap(client, gap, { toLsn: gap.toLsn ?? toLsn, name: ENDS[end] });
}

async function recordGap(
  { client, log }: Pick<SettleOptions, 'client' | 'log'>,
  gap: FoundGap,
): Promise<void> {
  if (await openGap(client, gap)) logGaps(log, [gap]);
}

/**
 * Returns the look at the publication, with the names under which renamed tables are still captured, the
 * columns that the YAML names and the tables that refuse writes.
 */
function knownPublished(options: {
  readonly config: TrackingConfig;
  readonly pending: TrackingConfig | null;
  readonly sourceState: SourceState;
  readonly lastPublished: PublishedAtLsn | undefined;
  readonly catalog: SourceCatalog;
}): PublishedAtLsn {
  const { config, pending, sourceState, lastPublished, catalog } = options;
  const { state, lsn } = sourceState.published;
  const last = lastPublished?.state;
  const known =
    last === undefined
      ? withoutUnwanted(config, state)
      : withHistory({ config, last, now: state, fate: sourceState.fate });
  const named = withNamedColumns({ config, pending, catalog, last, now: known });
  return { state: withRefusals(named, catalog.troubles), lsn };
}

/**
 * Returns the look with a position that it certainly covers: that of the last sure look. A commit that waits
 * for a standby is in the WAL, and is decoded, before any session can see it. So a look may show the state
 * from before it. The watch moves the position forward when it has seen such transactions end.
 */
const surely = ({ state, lsn }: PublishedAtLsn, covered: Lsn): PublishedAtLsn => ({
  state,
  lsn: covered < lsn ? covered : lsn,
});

/**
 * True if a gap is part of one that is open. Resuming after a lost slot takes steps: an invalid slot is
 * dropped, a new one is created, the checkpoint is moved. If the process ended between two steps, or a person
 * did one of them, the same stretch is missing, and one acceptance covers it.
 */
function isOfOpen({ code }: FoundGap, open: readonly OpenGap[]): boolean {
  const isOpen = (lost: FoundGap['code']): boolean =>
    open.some((gap) => gap.code === lost && gap.toLsn === null);
  switch (code) {
    case 'SOURCE_SLOT_LOST':
      return isOpen('SOURCE_SLOT_INVALID');
    case 'SOURCE_SLOT_AHEAD':
      return isOpen('SOURCE_SLOT_INVALID') || isOpen('SOURCE_SLOT_LOST');
    default:
      return false;
  }
}

/**
 * Returns the gap that the source itself reported, if no look has found the cause: a change was made while
 * there was no publication.
 */
function missedGap({ publicationMissed, checkpoint }: SettleOptions, known: readonly FoundGap[]): FoundGap[] {
  if (!publicationMissed || known.some(({ code }) => code === 'SOURCE_PUBLICATION_MISSING')) return [];
  return [{ code: 'SOURCE_PUBLICATION_MISSING', tables: null, fromLsn: checkpoint.endLsn, toLsn: null }];
}

/**
 * Returns a position after which every commit contains only changes that were published as in the look. The
 * end of the look is not such a position: what a transaction changed before the publication was repaired is
 * never sent, however late it commits. So the running transactions have to end first, as for a new slot.
 * Returns null if they do not end soon and nothing waits for them.
 */
async function fitSince(
  options: SettleOptions,
  { sourceState, patient }: { readonly sourceState: SourceState; readonly patient: boolean },
): Promise<Lsn | null> {
  const { config, signal } = options;
  const { publication } = config.source;
  return onSource(options, async (source) => {
    const transactions = await runningTransactions(source);
    if (!(await untilEnded(source, { transactions, limitMs: PATIENCE_MS, signal }))) {
      if (!patient) return null;
      await sayWhileWaiting({ ...options, ...GAP_END }, () =>
        untilEnded(source, { transactions, limitMs: Infinity, signal }),
      );
    }
    const lsn = await currentLsn(source);
    // If the publication was broken again since the look, or was repaired only after it, its gap would end
    // too early.
    const state = await readPublished(source, publication);
    if (!isDeepStrictEqual(state, sourceState.published.state))
      throw new WaltrailError('SOURCE_LOOK_AGAIN', `Publication ${publication} has just changed.`);
    return lsn;
  });
}

/**
 * Ends gaps and stores the look, in one transaction. The next look is compared with it. So if the publication
 * breaks again before the gaps are accepted, this is found.
 */
async function endGaps(
  client: pg.Client,
  options: {
    readonly gaps: readonly OpenGap[];
    readonly toLsn: Lsn;
    readonly sure: PublishedAtLsn;
    readonly notes: Continuity['notes'];
  },
): Promise<void> {
  try {
    await client.query('begin');
    for (const gap of options.gaps) await endGap(client, gap, options.toLsn);
    await record(client, options);
    await client.query('commit');
  } catch (error) {
    throw trailError(error);
  }
}

const isOfPublication = ({ code }: OpenGap): boolean =>
  code === 'SOURCE_PUBLICATION_MISSING' || code === 'SOURCE_PUBLICATION_INCOMPLETE';

/** True if capture may resume after a gap, because an operator or the YAML accepts it. */
const mayResume = ({ accepted }: OpenGap, { config }: SettleOptions): boolean =>
  accepted || config.source.onGap === 'continue';

/** Creates the error for gaps. The codes state what happened, the message states where. */
function gapsError(gaps: readonly OpenGap[], slot: string): WaltrailError {
  const sentences = gaps.map(
    ({ code, fromLsn, toLsn }) =>
      `${code}: changes from ${formatLsn(fromLsn)} ` +
      `${toLsn === null ? 'on' : `to ${formatLsn(toLsn)}`} may not be in the trail (slot ${slot}).`,
  );
  return new WaltrailError(gaps[0]!.code, sentences.join('\n'));
}

/**
 * Combines the error of a source that cannot be captured with that of its gaps: the operator first fixes the
 * source, then accepts the gaps.
 */
function fixFirst(error: unknown, gaps: WaltrailError): unknown {
  if (!isWaltrailError(error) || error.retry !== 'operator') return error;
  return new WaltrailError(error.code, `${error.message}\n${gaps.message}`, {
    remedy: `${error.remedy}\nThen: ${gaps.remedy}`,
  });
}

interface Resuming extends SettleOptions {
  readonly sourceState: SourceState;
  readonly sure: PublishedAtLsn;
  readonly gaps: readonly OpenGap[];
  readonly notes: Continuity['notes'];
}

/** Moves to the first position from which the source can send everything, on the slot or on a new one. */
async function resume(options: Resuming): Promise<Checkpoint> {
  const { client, config, log, checkpoint, sourceState, gaps } = options;
  const { slot, url, name } = config.source;
  if (isReadable(sourceState.slot)) {
    const lsn = startPosition({ checkpoint, sourceState, gaps });
    await move(options, { to: { lsn, slot, ...sourceState.identity }, snapshot: null });
  } else {
    if (sourceState.slot !== undefined) {
      // An invalidated slot can only be dropped. No client can read from it.
      await onSource(options, (source) =>
        source.query(`select pg_catalog.pg_drop_replication_slot(${quoteLiteral(slot)})`),
      );
    }
    await sayWhileWaiting({ ...options, ...NEW_SLOT }, (made) =>
      createSlot({
        ...options,
        url,
        slot,
        begin: ({ identity, startLsn, snapshot }) => {
          made();
          return move(options, { to: { lsn: startLsn, slot, ...identity }, snapshot });
        },
      }),
    );
  }
  log.warn({ slot, gaps: gaps.map(({ id }) => id) }, 'Capture has resumed after a gap or a failover.');
  return (await readCheckpoint(client, name))!;
}

/**
 * Stores position, gaps and notes in one trail transaction. If something was skipped, it also stores the
 * names as they are now.
 */
async function move(
  options: Resuming,
  target: { readonly to: NewPosition; readonly snapshot: string | null },
): Promise<void> {
  const { client, checkpoint, sure, gaps, notes } = options;
  const { to, snapshot } = target;
  try {
    await client.query('begin');
    if (!skipsNothing(checkpoint, to.lsn) || snapshot !== null)
      await storeNames(client, {
        names: readStartNames({ ...options, published: sure.state, snapshot }),
        fromId: checkpoint.nextId,
      });
    await goOnAt(client, { from: checkpoint, to, gaps });
    await record(client, { sure, notes });
    await client.query('commit');
  } catch (error) {
    throw trailError(error);
  }
}

async function record(
  client: pg.Client,
  { sure, notes }: { readonly sure: PublishedAtLsn; readonly notes: Continuity['notes'] },
): Promise<void> {
  for (const note of notes) await recordTracking(client, { ...note, lsn: sure.lsn });
  await storePublished(client, sure);
}
