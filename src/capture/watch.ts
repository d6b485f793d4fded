import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect, withClient } from '../pg/connect.js';
import type { Lsn } from '../pg/lsn.js';
import { runningTransactions } from '../pg/running.js';
import { currentLsn } from '../pg/wal.js';
import type { Told } from '../pipeline/pipeline.js';
import { checkTracking, type CheckedCatalog } from '../tracking/check.js';
import { renameNotes, withNamedColumns } from '../tracking/named-columns.js';
import {
  fateOfTables,
  readCatalogDigest,
  readPublished,
  type CatalogDigest,
  type PublishedAtLsn,
  type PublishedState,
} from '../tracking/published.js';
import {
  publishedChanges,
  refusalNotes,
  withKnownNames,
  withRefusals,
  type TrackingNote,
} from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { TableTrouble } from '../tracking/troubles.js';
import { beginTableGaps, publishedStatement, storePublished, type OpenGap } from '../trail/write/gaps.js';
import { gapClosedNotice, gapNotice, trackingNotice, type TableGapEnd } from '../trail/write/notices.js';
import { takeRole } from '../trail/roles.js';
import { logGaps } from './gap-log.js';
import type { CatalogReading } from './source-facts.js';
import { endedGaps, lackingTables } from './table-gaps.js';

/** Largest part of the time that reading the whole catalog may take, however often the catalog changes. */
const READING_SHARE = 1 / 5;
/** Time limit of a statement to the source. */
const SOURCE_LIMIT_MS = 20_000;
/**
 * How often the last good look is stored. If the daemon is killed, a gap is said to begin at the stored look.
 */
const REMEMBER_MS = 60_000;
/**
 * Time limit of a statement to the trail. If a gap began long ago, the last entry before it is searched for
 * among many.
 */
const TRAIL_LIMIT_MS = 30_000;
/** Time limit for storing the last look at the end. If it is not stored, a gap is said to begin earlier. */
const STOP_LIMIT_MS = 5_000;
/** Number of looks that have to fail in a row before the log says so: half a minute or more. */
const FAILURES_TO_TELL = 15;

/** What a look has learned about the source. */
export interface Learned extends CatalogReading {
  readonly catalog: CheckedCatalog;
}

export interface Watch {
  /** Stops looking, and stores the last good look. Never rejects. */
  stop(): Promise<void>;
}

export interface WatchOptions {
  readonly config: TrackingConfig;
  readonly log: Log;
  /** Milliseconds between two looks; more if reading the catalog takes long. */
  readonly lookMs: number;
  /** The publication as the session found it. */
  readonly published: PublishedAtLsn;
  /** Open gaps, as recorded when the session began. */
  readonly open: readonly OpenGap[];
  /** Stores entries between two transactions of the source. */
  readonly tell: (told: Told) => void;
  /** Called with every reading of the catalog. */
  readonly learned: (learned: Learned) => void;
  /** Called once, when something concerns the whole stream: capture then compares source and trail again. */
  readonly changed: (error: WaltrailError) => void;
}

/**
 * Checks repeatedly whether the publication and the tables that the YAML wants are as they were. The stream
 * does not say that a table was created, renamed or removed from the publication; its changes simply do not
 * arrive. What concerns named tables is recorded while capture streams, and stops nothing. What concerns the
 * whole stream ends the session.
 */
export function watchPublished(options: WatchOptions): Watch {
  const abort = new AbortController();
  const watcher = new Watcher({ ...options, signal: abort.signal });
  const running = watcher.run();
  return {
    stop: async () => {
      abort.abort();
      await running;
      await watcher.remember(AbortSignal.timeout(STOP_LIMIT_MS));
    },
  };
}

/** A gap that is over. It is kept until nothing that belongs to it can be committed any more. */
interface Ending {
  readonly end: TableGapEnd;
  /** Transactions that were running when the end was seen. What they changed before may be missing. */
  readonly running: readonly string[];
}

class Watcher {
  readonly #options: WatchOptions & { readonly signal: AbortSignal };
  #client: pg.Client | undefined;
  /** The last digest that was compared; undefined: the catalog has to be read. */
  #digest: string | undefined;
  /** The last digest whose gaps have been recorded. */
  #begunDigest: string | undefined;
  /** The last good look, with a position that it surely covers. */
  #sure: PublishedAtLsn;
  /**
   * A later good look. It is unsure until the transactions have ended that were running at it, because one of
   * them may be in the WAL already.
   */
  #unsure: { readonly lsn: Lsn; readonly running: readonly string[] } | undefined;
  #remembered: PublishedAtLsn;
  #rememberedAt = performance.now();
  /** Open gaps of tables, by their number. */
  readonly #open: Map<number, OpenGap>;
  /** The gaps of `#open` that are over. */
  readonly #ending = new Map<number, Ending>();
  /**
   * Whether entries are on their way into the trail. Meanwhile gaps are recorded, but nothing more is told
   * until the entries are stored.
   */
  #telling = false;
  #lookMs: number;
  #failures = 0;

  constructor(options: WatchOptions & { readonly signal: AbortSignal }) {
    this.#options = options;
    this.#lookMs = options.lookMs;
    this.#sure = this.#remembered = options.published;
    this.#open = new Map(options.open.map((gap) => [gap.id, gap]));
  }

  async run(): Promise<void> {
    const { signal, changed } = this.#options;
    while (!signal.aborted) {
      await sleep(this.#lookMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      try {
        if (!(await this.#look())) {
          changed(new WaltrailError('SOURCE_LOOK_AGAIN', 'The publication has changed.'));
          break;
        }
        if (performance.now() - this.#rememberedAt > REMEMBER_MS) await this.remember(signal);
        this.#failures = 0;
      } catch (error) {
        // A failure of this connection says nothing about the stream, and the stream itself reports when the
        // source is gone.
        await this.#disconnect();
        if (++this.#failures === FAILURES_TO_TELL && !signal.aborted)
          this.#options.log.warn(
            { code: codeOf(error) },
            'The publication cannot be looked at: a table that is taken out of it would be noticed late.',
          );
      }
    }
    await this.#disconnect();
  }

  /**
   * Stores the last good look if its position has moved. Never rejects: if storing fails, a gap would only be
   * said to begin earlier.
   */
  async remember(signal: AbortSignal): Promise<void> {
    this.#rememberedAt = performance.now();
    const sure = this.#sure;
    if (this.#telling || this.#remembered.lsn === sure.lsn) return;
    try {
      await this.#onTrail(signal, (client) => storePublished(client, sure));
      this.#remembered = sure;
    } catch {
      // The next call tries again.
    }
  }

  /** Looks once. Returns false if what has changed concerns the whole stream. */
  async #look(): Promise<boolean> {
    const { config, signal } = this.#options;
    this.#client ??= await connect({
      url: config.source.url,
      purpose: 'watch',
      statementTimeoutMs: SOURCE_LIMIT_MS,
      signal,
    });
    const read = await readCatalogDigest(this.#client);
    if (this.#telling && read.digest === this.#begunDigest) return true;
    if (read.digest !== this.#digest) return this.#compare(this.#client, read);
    this.#lookMs = this.#options.lookMs;
    this.#cover(read);
    await this.#end(this.#client, read);
    return true;
  }

  /**
   * Moves the position that a good look surely covers. The order of what is read matters: position, running
   * transactions, digest. A change of the catalog that is in the WAL before the position, but not in the
   * digest, belongs to one of those transactions. If they have ended and the digest is still the same, there
   * was no such change.
   */
  #cover({ lsn, running }: CatalogDigest): void {
    const unsure = this.#unsure;
    if (unsure?.running.some((xid) => running.includes(xid)) === true) return;
    if (unsure !== undefined) this.#sure = { ...this.#sure, lsn: unsure.lsn };
    this.#unsure = { lsn, running };
  }

  /** Reads the catalog and records what concerns tables. Returns false if the whole stream is concerned. */
  async #compare(client: pg.Client, read: CatalogDigest): Promise<boolean> {
    const { config, learned, lookMs } = this.#options;
    const { publication } = config.source;
    const began = performance.now();
    const last = this.#sure.state;
    const now = await readPublished(client, publication);
    const fate = await fateOfTables(client, { tables: last.tables, publication });
    const changes = publishedChanges({ config, last, now, fate });
    const catalog = changes.stream === null ? await this.#check(client) : null;
    this.#lookMs = Math.max(lookMs, (performance.now() - began) / READING_SHARE);
    if (catalog === null) return false;
    const { troubles } = catalog;
    const known = withKnownNames({ config, last, now, fate });
    const published = withRefusals(withNamedColumns({ config, catalog, last, now: known }), troubles);
    learned({ published, catalog, lsn: read.lsn });
    await this.#begin(troubles, changes.unpublished);
    this.#begunDigest = read.digest;
    // What cannot be told now is compared again by the next look.
    if (this.#telling) return true;
    const quiet = this.#record({
      published,
      catalog,
      notes: [...changes.notes, ...refusalNotes(last, published), ...renameNotes(last, published)],
      // Read again: transactions that began since the digest was read may have changed a table before it was
      // repaired.
      running: await runningTransactions(client),
    });
    this.#digest = read.digest;
    if (quiet) {
      // Frequent changes to other tables must not keep gaps open.
      this.#cover(read);
      await this.#end(client, read);
    } else {
      this.#unsure = { lsn: read.lsn, running: read.running };
    }
    return true;
  }

  /** Checks the source; null if it is not fit to be captured at all. */
  async #check(client: pg.Client): Promise<CheckedCatalog | null> {
    try {
      return await checkTracking(client, this.#options.config);
    } catch (error) {
      if (isWaltrailError(error)) return null;
      throw error;
    }
  }

  /** Records gaps. They begin at the last look that surely showed the tables as they should be. */
  async #begin(troubles: readonly TableTrouble[], unpublished: readonly string[]): Promise<void> {
    const { signal, log } = this.#options;
    const lacking = lackingTables({ open: [...this.#open.values()], troubles, unpublished });
    if (lacking.length === 0) return;
    const fromLsn = this.#sure.lsn;
    const gaps = await this.#onTrail(signal, (client) => beginTableGaps(client, { lacking, fromLsn }));
    for (const gap of gaps) this.#open.set(gap.id, gap);
    logGaps(
      log,
      gaps.filter(({ untold }) => untold),
    );
  }

  /** Passes what was found to the trail, as entries. Returns true if there was nothing to pass. */
  #record(found: {
    readonly published: PublishedState;
    readonly catalog: CheckedCatalog;
    readonly notes: readonly TrackingNote[];
    readonly running: readonly string[];
  }): boolean {
    const { published, catalog, running } = found;
    const { config } = this.#options;
    const { lsn, state } = this.#sure;
    const open = [...this.#open.values()];
    const untold = open.filter((gap) => gap.untold);
    const changed = JSON.stringify(published) !== JSON.stringify(state);
    const quiet = !changed && untold.length === 0 && found.notes.length === 0;
    const before = new Map(quiet ? this.#ending : []);
    this.#ending.clear();
    for (const { gap, end } of endedGaps({ open, published, catalog, config, troubles: catalog.troubles }))
      this.#ending.set(gap.id, { end, running: before.get(gap.id)?.running ?? running });
    this.#sure = { state: published, lsn };
    if (quiet) return true;
    for (const gap of untold) this.#open.set(gap.id, { ...gap, untold: false });
    this.#tell([...untold.map(gapNotice), ...found.notes.map((note) => trackingNotice({ ...note, lsn }))]);
    return false;
  }

  /** Ends gaps once nothing that was changed before their tables were repaired can still be committed. */
  async #end(client: pg.Client, { running }: CatalogDigest): Promise<void> {
    if (this.#ending.size === 0 || this.#telling) return;
    const ended = [...this.#ending].filter(
      ([, ending]) => !ending.running.some((xid) => running.includes(xid)),
    );
    if (ended.length === 0) return;
    const toLsn = await currentLsn(client);
    const notices = ended.flatMap(([id, { end }]) => {
      const gap = this.#open.get(id);
      this.#open.delete(id);
      this.#ending.delete(id);
      return gap === undefined ? [] : [gapClosedNotice(gap, { end, toLsn })];
    });
    this.#tell(notices);
  }

  #tell(notices: Told['notices']): void {
    const sure = this.#sure;
    this.#telling = true;
    this.#options.tell({
      notices,
      statement: publishedStatement(sure),
      stored: () => {
        this.#telling = false;
        this.#remembered = sure;
      },
    });
  }

  #onTrail<T>(signal: AbortSignal, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const { url } = this.#options.config.trail;
    const options = { url, purpose: 'watch', statementTimeoutMs: TRAIL_LIMIT_MS, signal };
    return withClient(options, async (client) => {
      await takeRole(client, 'waltrail_writer');
      return work(client);
    });
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await close(client);
  }
}
