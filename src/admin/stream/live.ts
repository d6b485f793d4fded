import { codeOf } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Entry, TailBatch, TrailHead, UnboundedFilter } from '../../trail/read/entry.js';
import { sharedRead } from '../../trail/read/shared-read.js';
import { Lane, type Owner } from './lane.js';

/** The part of the trail that the live feed needs (`TrailReader`). */
export interface LiveTrail {
  head(): Promise<TrailHead>;
  after(
    filter: UnboundedFilter,
    options: {
      readonly id: string;
      readonly limit: number;
      readonly stretch: number;
      /** The owner of the listener that is read for. */
      readonly owner: Owner;
    },
  ): Promise<TailBatch>;
}

export interface Listener {
  readonly owner: Owner;
  readonly filter: UnboundedFilter;
  /** Where the listener begins. Undefined: at the end of the trail. */
  readonly resume?: ResumePoint | undefined;
  /**
   * Returns false while the client has not read what it was sent. Until then the listener is skipped and
   * keeps its position.
   */
  readonly ready: () => boolean;
  /**
   * Delivers one entry. Entries come in ascending order of id, and stop when the listener is no longer ready.
   */
  readonly deliver: (entry: Entry) => void;
  /** Reports a position. Every entry up to it was examined and, if it matched, delivered. */
  readonly reached: (position: string) => void;
}

/** The point at which a listener resumes after its connection was lost. */
export interface ResumePoint {
  /** Entries after this id are delivered. */
  readonly after: string;
  /** Commit time of the first entry after it, in milliseconds since the epoch. */
  readonly asOfMs: number;
}

export interface Listening {
  readonly position: string;
  /** Returns how far the listener is behind the trail, in milliseconds. Below 1,000 it is not behind. */
  readonly behindMs: () => number;
  /** Must be called when the listener is ready again. */
  readonly resume: () => void;
  readonly stop: () => void;
}

const POLL_MS = 200;
/**
 * Maximum number of entries in a page. It is small, because the entries of a page are in memory at the same
 * time and may have large values.
 */
const PAGE = 50;
/**
 * Ids that one read covers. A search for text in this number of entries takes some tenths of a second. A
 * listener that is far behind is served stretch by stretch, and others have their turns in between.
 */
const STRETCH = 32_768;
/**
 * Limits for reads of listeners that keep up, at the same time and by owner. A slow search delays only its
 * owner: one place is always left for others.
 */
const LIVE_READS = { atOnce: 3, forOwner: 2 };
/** The same for listeners that catch up. Their reads are long and have separate connections. */
export const CATCH_UP_READS = { atOnce: 2, forOwner: 1 };
/** A listener that has not been at the end of the trail for this long counts as catching up. */
const LIVE_MS = 10_000;
/**
 * A listener that cannot be served is retried after a pause, which doubles from the first value up to the
 * second.
 */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Follows the trail for all listeners. While there is a listener, one poller per process asks for the head of
 * the trail. New entries are then read for each listener with its own filter. There are two lanes, so that
 * listeners that keep up never wait for those that catch up. In a lane, owners take turns (lane.ts). A
 * listener is a position in the trail and not a buffer: a slow one falls behind and costs no memory. If its
 * entries cannot be read or delivered, it keeps its position and is retried. No other listener waits for it.
 */
export class LiveFeed {
  /** Reads the head of the trail. Listeners that begin at the same time share one read. */
  readonly #head: () => Promise<TrailHead>;
  readonly #live: Readers;
  readonly #catchUp: Readers;
  readonly #log: Log;
  readonly #followers = new Set<Follower>();
  #polling: Promise<void> | undefined;
  #closed = false;
  /** Reads in progress. */
  readonly #reading = new Set<Promise<void>>();
  /** Whether a listener that is behind was left for a later round, because others are being served. */
  #crowded = false;
  /** Whether the next poll follows without a pause. */
  #awake = false;
  #endPause: () => void = () => undefined;

  /** `catchUp` reads for listeners that catch up. It should have separate connections. */
  constructor(options: {
    readonly trail: LiveTrail;
    readonly catchUp: Pick<LiveTrail, 'after'>;
    readonly log: Log;
  }) {
    this.#head = sharedRead(() => options.trail.head());
    this.#live = { trail: options.trail, lane: new Lane(LIVE_READS) };
    this.#catchUp = { trail: options.catchUp, lane: new Lane(CATCH_UP_READS) };
    this.#log = options.log;
  }

  /**
   * Adds a listener. Resolves to its handle, with the position at which it begins. That is never beyond the
   * end of the trail, or the listener would miss new entries.
   */
  async listen(listener: Listener): Promise<Listening> {
    const head = lastId(await this.#head());
    const { resume } = listener;
    const position = resume === undefined || BigInt(resume.after) > head ? head : BigInt(resume.after);
    const follower: Follower = {
      owner: listener.owner,
      listener,
      position,
      asOfMs: position === head ? Date.now() : (resume?.asOfMs ?? Date.now()),
      caughtUpAt: position === head ? performance.now() : -Infinity,
      limit: PAGE,
      isReading: false,
      retryAt: -Infinity,
      retryMs: FIRST_RETRY_MS,
    };
    this.#followers.add(follower);
    this.#polling ??= this.#poll();
    this.#wake();
    return {
      position: String(position),
      behindMs: () => Math.max(Date.now() - follower.asOfMs, 0),
      resume: () => this.#wake(),
      stop: () => this.#followers.delete(follower),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#followers.clear();
    this.#wake();
    await this.#polling;
    await Promise.all(this.#reading);
  }

  async #poll(): Promise<void> {
    let failing = false;
    while (this.#followers.size > 0 && !this.#closed) {
      const started = performance.now();
      try {
        const head = lastId(await this.#head());
        this.#readAhead(head);
        failing = false;
      } catch (error) {
        // Positions stay unchanged, so nothing is missed. Clients keep their connections until the trail
        // answers again.
        if (!failing)
          this.#log.warn(
            { code: codeOf(error) },
            'The live view cannot read the trail database. It retries.',
          );
        failing = true;
      }
      await this.#pause(Math.max(POLL_MS - (performance.now() - started), 20));
    }
    // No listener can be added between the last check for listeners and this line (one turn of the event
    // loop). So the next listener starts a new poller.
    this.#polling = undefined;
  }

  /** Begins to read for the listeners that are behind, as far as the lanes have places. */
  #readAhead(head: bigint): void {
    const now = performance.now();
    const live: Follower[] = [];
    const catchingUp: Follower[] = [];
    // A copy, because a listener that is served moves to the end of the set.
    for (const follower of [...this.#followers]) {
      if (follower.position >= head) caughtUp(follower);
      else if (!follower.isReading && now >= follower.retryAt && follower.listener.ready())
        (now - follower.caughtUpAt < LIVE_MS ? live : catchingUp).push(follower);
    }
    this.#crowded = false;
    this.#begin(this.#live, { waiting: live, head });
    this.#begin(this.#catchUp, { waiting: catchingUp, head });
  }

  #begin(
    readers: Readers,
    { waiting, head }: { readonly waiting: readonly Follower[]; readonly head: bigint },
  ): void {
    const left = new Set(waiting);
    for (let follower = readers.lane.next(left); follower !== undefined; follower = readers.lane.next(left)) {
      left.delete(follower);
      this.#read(follower, { readers, head });
    }
    if (left.size > 0) this.#crowded = true;
  }

  #read(follower: Follower, { readers, head }: { readonly readers: Readers; readonly head: bigint }): void {
    // Moves the listener to the end of the set, for the next round.
    if (this.#followers.delete(follower)) this.#followers.add(follower);
    follower.isReading = true;
    const serve = (): Promise<boolean> => this.#serve(follower, { trail: readers.trail, head });
    const reading = readers.lane.run(follower.owner, serve).then((isBehindStill) => {
      follower.isReading = false;
      this.#reading.delete(reading);
      if (isBehindStill || this.#crowded) this.#wake();
    });
    this.#reading.add(reading);
  }

  /** Delivers one page to one listener. Resolves to whether there is more. Never rejects. */
  async #serve(follower: Follower, from: ReadFrom): Promise<boolean> {
    try {
      const more = await this.#advance(follower, from);
      follower.retryMs = FIRST_RETRY_MS;
      return more;
    } catch (error) {
      // Logged once, although the read is retried for as long as the client stays.
      if (follower.retryMs === FIRST_RETRY_MS)
        this.#log.warn(
          { code: codeOf(error), after: String(follower.position) },
          'A live listener cannot be served and is retried. The others are served.',
        );
      follower.retryAt = performance.now() + follower.retryMs;
      follower.retryMs = Math.min(2 * follower.retryMs, LAST_RETRY_MS);
      return false;
    }
  }

  /**
   * Delivers at most one page, so that a listener that is far behind does not delay others. Resolves to
   * whether there is more.
   */
  async #advance(follower: Follower, { trail, head }: ReadFrom): Promise<boolean> {
    const { listener, limit } = follower;
    const { items, through } = await trail.after(listener.filter, {
      id: String(follower.position),
      limit,
      stretch: STRETCH,
      owner: follower.owner,
    });
    follower.limit = Math.min(limit * 2, PAGE);
    for (const [taken, entry] of items.entries()) {
      // The client may have disconnected while the query ran, or its socket may be full by now. In the second
      // case the rest is read again later.
      if (!this.#followers.has(follower) || !listener.ready()) {
        // The entries that the client could not take were read in vain. So the next read fetches only the
        // number that it has taken now.
        follower.limit = Math.max(taken, 1);
        return false;
      }
      listener.deliver(entry);
      follower.position = BigInt(entry.id);
    }
    follower.position = BigInt(through);
    const newest = items.at(-1);
    if (follower.position >= head) caughtUp(follower);
    else if (newest !== undefined) follower.asOfMs = Date.parse(newest.committedAt);
    listener.reached(through);
    return follower.position < head;
  }

  #wake(): void {
    this.#awake = true;
    this.#endPause();
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#awake) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#awake = false;
  }
}

interface Readers {
  readonly trail: Pick<LiveTrail, 'after'>;
  readonly lane: Lane;
}

interface ReadFrom {
  readonly trail: Pick<LiveTrail, 'after'>;
  readonly head: bigint;
}

interface Follower {
  readonly owner: Owner;
  readonly listener: Listener;
  position: bigint;
  /** The time up to which the listener is known to have everything (milliseconds since the epoch). */
  asOfMs: number;
  /**
   * When the listener last was at the end of the trail, by the clock of `performance`, which never jumps.
   * -Infinity: never.
   */
  caughtUpAt: number;
  /** Maximum number of entries in the next read. */
  limit: number;
  isReading: boolean;
  /**
   * After an error: the time of the retry, by the same clock, and the pause after the next error
   * (milliseconds).
   */
  retryAt: number;
  retryMs: number;
}

function caughtUp(follower: Follower): void {
  follower.asOfMs = Date.now();
  follower.caughtUpAt = performance.now();
}

/** Returns the id of the newest entry, or 0 before the trail has begun. Every id is greater than 0. */
const lastId = (head: TrailHead): bigint => (head.nextId === '0' ? 0n : BigInt(head.nextId) - 1n);
