import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect } from '../pg/connect.js';
import type { Lsn } from '../pg/lsn.js';
import { runningTransactions, writersOf } from '../pg/running.js';
import { currentLsn } from '../pg/wal.js';
import type { Told } from '../pipeline/pipeline.js';
import type { Notice } from '../pipeline/ports.js';
import { configurationBegins } from '../pipeline/transaction-recorder.js';
import type { Catalog } from '../tracking/catalog.js';
import { renameNotes, withNamedColumns } from '../tracking/named-columns.js';
import {
  readCatalogDigest,
  readPublishedAndFate,
  type CatalogDigest,
  type PublishedAtLsn,
  type PublishedState,
} from '../tracking/published.js';
import {
  publishedChanges,
  refusalNotes,
  withHistory,
  withRefusals,
  type TrackingNote,
} from '../tracking/published-change.js';
import type { TrackingConfig } from '../tracking/rules.js';
import {
  beginTableGaps,
  publishedStatement,
  publishedUntilStatement,
  readOpenGaps,
  type OpenGap,
} from '../trail/write/gaps.js';
import { gapClosedNotice, gapNotice, trackingNotice, type TableGapEnd } from '../trail/write/notices.js';
import { asWriter } from './as-writer.js';
import type { Currency } from './currency.js';
import { logGaps } from './gap-log.js';
import { NewTables } from './new-tables.js';
import { SureLooks } from './sure-looks.js';
import { readSourceCatalog, type SourceCatalog } from './source-catalog.js';
import type { CatalogReading } from './source-facts.js';
import { endedGaps, lackingTables, passedGaps, type EndedGap } from './table-gaps.js';

/** Largest share of the time that reading the whole catalog may take, however often the catalog changes. */
const READING_SHARE = 1 / 5;
/** Time limit of a statement to the source. */
const SOURCE_LIMIT_MS = 20_000;
/**
 * How often the last good look is stored. If the daemon is killed, a gap is recorded as beginning at the
 * stored look.
 */
const REMEMBER_MS = 60_000;
/** How often the time up to which the trail is current is stored, for processes that do not capture. */
const NOTE_CURRENT_MS = 10_000;
/**
 * Time limit for storing the last look at the end. If that fails, the next gap is recorded as beginning
 * earlier.
 */
const STOP_LIMIT_MS = 5_000;
/** Number of successive failed looks before the log reports it: half a minute or more. */
const FAILURES_TO_TELL = 15;

/** What a look has found out about the source. */
export interface Learned extends CatalogReading {
  readonly catalog: SourceCatalog;
}

export interface Watch {
  /**
   * Notes that the trail has gaps that had ended when they were recorded. The next look records them as
   * entries.
   */
  gapsPassed(): void;
  /** Stops looking, and stores the last good look. Never rejects. */
  stop(): Promise<void>;
}

export interface WatchOptions {
  readonly config: TrackingConfig;
  /** The configuration on disk, if it comes into effect later; null: it is in effect. */
  readonly pending: TrackingConfig | null;
  /**
   * Returns true if the file has another configuration than capture knows, and the source is prepared for it.
   */
  readonly appliedAnother: (catalog: Catalog) => boolean;
  /**
   * Called with the first position from which the source sends everything that the pending configuration asks
   * for.
   */
  readonly prepared: (lsn: Lsn) => void;
  readonly log: Log;
  /** Milliseconds between two looks; more if reading the catalog takes long. */
  readonly lookMs: number;
  /** The publication at the start of the session. */
  readonly published: PublishedAtLsn;
  /** Open gaps, as recorded when the session began. */
  readonly open: readonly OpenGap[];
  /** Receives every look. */
  readonly currency: Currency;
  /** Everything before this position is stored. */
  readonly storedUntil: () => Lsn;
  /** Stores entries between two transactions of the source. */
  readonly tell: (told: Told) => void;
  /** Called with every reading of the catalog. */
  readonly learned: (learned: Learned) => void;
  /** Called once, when a change concerns the whole stream. Capture then compares source and trail again. */
  readonly changed: (error: WaltrailError) => void;
}

/**
 * Checks repeatedly whether the publication and the tables that the YAML wants are unchanged. The stream does
 * not report that a table was created, renamed or removed from the publication. The changes of the table
 * simply do not arrive. What concerns named tables is recorded while capture streams, and stops nothing. What
 * concerns the whole stream ends the session.
 */
export function watchPublished(options: WatchOptions): Watch {
  const abort = new AbortController();
  const watcher = new Watcher({ ...options, signal: abort.signal });
  const running = watcher.run();
  return {
    gapsPassed: () => watcher.gapsPassed(),
    stop: async () => {
      abort.abort();
      await running;
      await watcher.remember(AbortSignal.timeout(STOP_LIMIT_MS));
    },
  };
}

/** A gap that has ended. It is kept until nothing that belongs to it can still be committed. */
interface Ending {
  readonly end: TableGapEnd;
  readonly oids: readonly string[];
  /**
   * Transactions that could write the tables when the end was seen, and that still run. Their earlier changes
   * may be missing. Other transactions have nothing to do with these tables.
   */
  readonly writers: ReadonlySet<string>;
}

class Watcher {
  readonly #options: WatchOptions & { readonly signal: AbortSignal };
  #client: pg.Client | undefined;
  /** The last digest that was compared; undefined: the catalog has to be read. */
  #digest: string | undefined;
  /** The last digest whose gaps have been recorded. */
  #begunDigest: string | undefined;
  /** What the last look found. */
  #state: PublishedState;
  readonly #looks: SureLooks;
  readonly #newTables: NewTables;
  #remembered: PublishedAtLsn;
  #rememberedAt = performance.now();
  #currentNotedAt = -Infinity;
  /** Open gaps of tables, by their number. */
  readonly #open: Map<number, OpenGap>;
  /** The gaps of `#open` that have ended. */
  readonly #ending = new Map<number, Ending>();
  /**
   * True while entries are on their way into the trail. Until they are stored, gaps are recorded, but no
   * further entries are sent.
   */
  #telling = false;
  #gapsPassed = false;
  /** Transactions that were running when the source was first seen prepared for the pending configuration. */
  #preparing: readonly string[] | undefined;
  #lookMs: number;
  #failures = 0;

  constructor(options: WatchOptions & { readonly signal: AbortSignal }) {
    this.#options = options;
    this.#lookMs = options.lookMs;
    this.#remembered = options.published;
    this.#state = options.published.state;
    this.#looks = new SureLooks(options.published.lsn);
    this.#newTables = new NewTables(options);
    this.#open = new Map(options.open.map((gap) => [gap.id, gap]));
  }

  gapsPassed(): void {
    this.#gapsPassed = true;
  }

  async run(): Promise<void> {
    const { signal, changed } = this.#options;
    while (!signal.aborted) {
      await sleep(this.#lookMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      try {
        const ends = await this.#look();
        if (ends !== null) {
          changed(ends);
          break;
        }
        if (performance.now() - this.#rememberedAt > REMEMBER_MS) await this.remember(signal);
        await this.#noteCurrent(signal);
        this.#failures = 0;
      } catch (error) {
        // A failure of this connection says nothing about the stream. If the source has failed, the stream
        // reports it.
        await this.#disconnect();
        if (++this.#failures === FAILURES_TO_TELL && !signal.aborted)
          this.#options.log.warn(
            { code: codeOf(error) },
            'The publication on the source cannot be read. Until it can, a table that is removed from it is not noticed.',
          );
      }
    }
    await this.#disconnect();
  }

  /**
   * Stores the last good look if its position has moved. Never rejects: if storing fails, a gap is only
   * recorded as beginning earlier.
   */
  async remember(signal: AbortSignal): Promise<void> {
    this.#rememberedAt = performance.now();
    const sure = this.#sure;
    if (this.#telling || this.#remembered.lsn === sure.lsn) return;
    try {
      await this.#onTrail(signal, (client) => client.query(this.#statementOf(sure)));
      this.#remembered = sure;
    } catch {
      // The next call tries again.
    }
  }

  /** Stores the time up to which the trail is current, every ten seconds. Never rejects. */
  async #noteCurrent(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const { currency, storedUntil } = this.#options;
    const until = currency.until(storedUntil());
    if (until === null || now - this.#currentNotedAt < NOTE_CURRENT_MS) return;
    this.#currentNotedAt = now;
    await this.#onTrail(signal, (client) =>
      client.query(/* sql */ `select trail.note_current($1)`, [until]),
    ).catch(() => undefined);
  }

  /** The last look, with the position up to which it is certain. */
  get #sure(): PublishedAtLsn {
    return { state: this.#state, lsn: this.#looks.lsn };
  }

  /** Looks once. If a change concerns the whole stream, returns the error that ends the session. */
  async #look(): Promise<WaltrailError | null> {
    const { config, signal } = this.#options;
    this.#client ??= await connect({
      url: config.source.url,
      side: 'source',
      purpose: 'watch',
      statementTimeoutMs: SOURCE_LIMIT_MS,
      signal,
    });
    if (this.#gapsPassed && !this.#telling) await this.#tellPassed();
    const read = await readCatalogDigest(this.#client);
    this.#options.currency.looked(read);
    if (this.#telling && read.digest === this.#begunDigest) return null;
    if (read.digest !== this.#digest || this.#newTables.isDue) return this.#compare(this.#client, read);
    this.#lookMs = this.#options.lookMs;
    this.#looks.looked(read, []);
    await this.#prepare(this.#client, read);
    await this.#end(this.#client);
    return null;
  }

  /**
   * Reads the catalog and records what concerns tables. Returns the error that ends the session, as
   * {@link #look}.
   */
  async #compare(client: pg.Client, read: CatalogDigest): Promise<WaltrailError | null> {
    const { config, pending, learned, lookMs } = this.#options;
    const { publication } = config.source;
    const began = performance.now();
    const last = this.#state;
    const { state: now, fate } = await readPublishedAndFate(client, { publication, last: last.tables });
    const changes = publishedChanges({ config, last, now, fate });
    const catalog = changes.stream === null ? await this.#check(client) : null;
    this.#lookMs = Math.max(lookMs, (performance.now() - began) / READING_SHARE);
    if (catalog === null) return new WaltrailError('SOURCE_LOOK_AGAIN', 'The publication has changed.');
    if (this.#options.appliedAnother(catalog)) return configurationBegins();
    const { troubles } = catalog;
    const known = withHistory({ config, last, now, fate });
    const published = withRefusals(
      withNamedColumns({ config, pending, catalog, last, now: known }),
      troubles,
    );
    learned({ published, catalog, lsn: read.lsn });
    await this.#begin({
      troubles,
      unpublished: changes.unpublished.filter((table) => !catalog.leaving.has(table)),
      rewritten: changes.rewritten,
    });
    this.#begunDigest = read.digest;
    // What cannot be recorded now is found again by the next look.
    if (this.#telling) return null;
    const quiet = this.#record({
      published,
      catalog,
      notes: [...changes.notes, ...refusalNotes(last, published), ...renameNotes(last, published)],
    });
    const broken = [...changes.unpublished, ...changes.rewritten];
    await this.#beginEndings(client, { published, catalog, broken });
    await this.#newTables.publish(client, { catalog, published });
    this.#digest = read.digest;
    this.#preparing = catalog.isPrepared
      ? (this.#preparing ?? (await runningTransactions(client)))
      : undefined;
    this.#looks.looked(read, [
      ...broken,
      ...changes.notes.map(({ subject }) => subject),
      ...troubles.map(({ table }) => table),
    ]);
    // Entries that are being stored come before the ends of gaps.
    if (quiet) await this.#end(client);
    return null;
  }

  /**
   * Calls `prepared` once every transaction has ended that may have written a table before it was published.
   * If `apply` has marked the position in the WAL, the stream has reached that mark before.
   */
  async #prepare(client: pg.Client, { running }: CatalogDigest): Promise<void> {
    if (this.#preparing === undefined || this.#preparing.some((xid) => running.includes(xid))) return;
    this.#preparing = [];
    this.#options.prepared(await currentLsn(client));
  }

  /** Checks the source. Returns null if it cannot be captured at all. */
  async #check(client: pg.Client): Promise<SourceCatalog | null> {
    try {
      return await readSourceCatalog(client, this.#options);
    } catch (error) {
      if (isWaltrailError(error)) return null;
      throw error;
    }
  }

  /** Records gaps. Each begins at the last position where the tables were certainly as they should be. */
  async #begin(found: Omit<Parameters<typeof lackingTables>[0], 'open'>): Promise<void> {
    const { signal, log } = this.#options;
    const lacking = lackingTables({ ...found, open: [...this.#open.values()] });
    if (lacking.length === 0) return;
    const gaps = await this.#onTrail(signal, (client) =>
      beginTableGaps(client, { lacking, fromLsn: (table) => this.#looks.of(table) }),
    );
    for (const gap of gaps) this.#open.set(gap.id, gap);
    logGaps(
      log,
      gaps.filter(({ untold }) => untold),
    );
  }

  /** Stores what was found in the trail, as entries. Returns true if there was nothing to store. */
  #record(found: {
    readonly published: PublishedState;
    readonly catalog: SourceCatalog;
    readonly notes: readonly TrackingNote[];
  }): boolean {
    const { published } = found;
    const { lsn } = this.#looks;
    const open = [...this.#open.values()];
    const untold = open.filter((gap) => gap.untold);
    const changed = JSON.stringify(published) !== JSON.stringify(this.#state);
    const quiet = !changed && untold.length === 0 && found.notes.length === 0;
    if (changed) this.#state = published;
    if (quiet) return true;
    for (const gap of untold) this.#open.set(gap.id, { ...gap, untold: false });
    this.#tell([...untold.map(gapNotice), ...found.notes.map((note) => trackingNotice({ ...note, lsn }))]);
    return false;
  }

  /**
   * Notes which gaps have ended, and which transactions could write their tables at that moment. Asks for
   * these after the catalog was read: a transaction that begins to write later writes a table that is as it
   * should be. Changes to other tables do not affect a gap that is already waiting for its writers.
   *
   * @param found.broken tables whose changes were not sent for a while since the last look
   */
  async #beginEndings(
    client: pg.Client,
    found: {
      readonly published: PublishedState;
      readonly catalog: SourceCatalog;
      readonly broken: readonly string[];
    },
  ): Promise<void> {
    const { config } = this.#options;
    const { troubles } = found.catalog;
    const ended = endedGaps({ ...found, config, troubles, open: [...this.#open.values()] });
    const before = new Map(this.#ending);
    this.#ending.clear();
    const isNew = ({ gap }: EndedGap): boolean =>
      !before.has(gap.id) || gap.tables!.some((table) => found.broken.includes(table));
    const writers = await this.#writersOf(client, ended.filter(isNew));
    for (const one of ended)
      this.#ending.set(
        one.gap.id,
        isNew(one) ? { ...one, writers: writers(one.oids) } : before.get(one.gap.id)!,
      );
  }

  /** Ends gaps once nothing that was changed before their tables were repaired can still be committed. */
  async #end(client: pg.Client): Promise<void> {
    if (this.#ending.size === 0 || this.#telling) return;
    const writers = await this.#writersOf(client, [...this.#ending.values()]);
    const notices: Notice[] = [];
    const toLsn = await currentLsn(client);
    for (const [id, ending] of [...this.#ending]) {
      const now = writers(ending.oids);
      const left = new Set([...ending.writers].filter((writer) => now.has(writer)));
      this.#ending.set(id, { ...ending, writers: left });
      const gap = this.#open.get(id);
      if (left.size > 0 || gap === undefined) continue;
      this.#open.delete(id);
      this.#ending.delete(id);
      notices.push(gapClosedNotice(gap, { end: ending.end, toLsn: gap.toLsn ?? toLsn }));
    }
    if (notices.length > 0) this.#tell(notices);
  }

  /** Records the start and the end of gaps at a command that an event trigger of the source has reported. */
  async #tellPassed(): Promise<void> {
    const passed = passedGaps(await this.#onTrail(this.#options.signal, readOpenGaps));
    this.#gapsPassed = false;
    for (const { id } of passed) {
      this.#open.delete(id);
      this.#ending.delete(id);
    }
    if (passed.length === 0) return;
    this.#tell(
      passed.flatMap((gap) => [
        ...(gap.untold ? [gapNotice(gap)] : []),
        gapClosedNotice(gap, { end: 'captured', toLsn: gap.toLsn }),
      ]),
    );
    logGaps(this.#options.log, passed);
  }

  async #writersOf(
    client: pg.Client,
    of: readonly { readonly oids: readonly string[] }[],
  ): Promise<(oids: readonly string[]) => ReadonlySet<string>> {
    const oids = [...new Set(of.flatMap((one) => one.oids))];
    const writers = oids.length === 0 ? new Map<string, readonly string[]>() : await writersOf(client, oids);
    return (wanted) => new Set(wanted.flatMap((oid) => writers.get(oid) ?? []));
  }

  #tell(notices: Told['notices']): void {
    const sure = this.#sure;
    this.#telling = true;
    this.#options.tell({
      notices,
      statement: this.#statementOf(sure),
      stored: () => {
        this.#telling = false;
        this.#remembered = sure;
      },
    });
  }

  /**
   * Returns the statement that stores a look. If the stored look saw the same, only the position is stored.
   */
  #statementOf(sure: PublishedAtLsn): string {
    return sure.state === this.#remembered.state
      ? publishedUntilStatement(sure.lsn)
      : publishedStatement(sure);
  }

  #onTrail<T>(signal: AbortSignal, work: (client: pg.Client) => Promise<T>): Promise<T> {
    return asWriter({ config: this.#options.config, signal, purpose: 'watch' }, work);
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await close(client);
  }
}
