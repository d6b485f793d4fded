import { codeOf } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Entry, EntryBatch, TrailHead, UnboundedFilter } from '../../trail/read/entry.js';

/** The part of the trail that the live feed needs (`TrailReader`). */
export interface LiveTrail {
  head(): Promise<TrailHead>;
  after(filter: UnboundedFilter, options: { id: string; limit: number }): Promise<EntryBatch>;
}

export interface Listener {
  readonly filter: UnboundedFilter;
  /** Entries after this id are delivered; undefined: only entries that arrive from now on. */
  readonly after?: string | undefined;
  /**
   * Returns false while the client has not read what it was sent. The listener is then skipped and keeps its
   * position.
   */
  readonly ready: () => boolean;
  /**
   * Delivers one entry. Entries come in ascending order of id, and stop when the listener is no longer ready.
   */
  readonly deliver: (entry: Entry) => void;
  /** Reports a position up to which every entry was looked at and, if it matched, delivered. */
  readonly reached: (position: string) => void;
}

export interface Listening {
  readonly position: string;
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
 * Maximum number of listeners that are served at the same time. With several, a slow search delays only
 * itself.
 */
const READING_TOGETHER = 3;
/**
 * A listener that cannot be served is retried after a pause, which doubles from the first value up to the
 * second.
 */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Follows the trail for all listeners. As long as there is a listener, one poller per process asks for the
 * head of the trail. New entries are then read for each listener with its own filter, for a few listeners at
 * a time. A listener is a position in the trail and not a buffer: a slow one falls behind and costs no
 * memory. If its entries cannot be read or delivered, it keeps its position and is retried; no other listener
 * waits for it.
 */
export class LiveFeed {
  readonly #trail: LiveTrail;
  readonly #log: Log;
  readonly #followers = new Set<Follower>();
  #polling: Promise<void> | undefined;
  #closed = false;
  /** Reads in progress. */
  readonly #reading = new Set<Promise<void>>();
  /** Whether a listener that is behind was skipped because too many others are being served. */
  #crowded = false;
  /** Whether the next poll follows without a pause. */
  #awake = false;
  #endPause: () => void = () => undefined;

  constructor(options: { readonly trail: LiveTrail; readonly log: Log }) {
    this.#trail = options.trail;
    this.#log = options.log;
  }

  /** Adds a listener. Resolves to its handle, with the position at which it begins. */
  async listen(listener: Listener): Promise<Listening> {
    const position = listener.after === undefined ? lastId(await this.#trail.head()) : BigInt(listener.after);
    const follower: Follower = {
      listener,
      position,
      limit: PAGE,
      isReading: false,
      retryAt: 0,
      retryMs: FIRST_RETRY_MS,
    };
    this.#followers.add(follower);
    this.#polling ??= this.#poll();
    this.#wake();
    return {
      position: String(position),
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
      const started = Date.now();
      try {
        const head = lastId(await this.#trail.head());
        this.#readAhead(head);
        failing = false;
      } catch (error) {
        // Positions stay unchanged, so nothing is missed. Clients keep their connection until the trail is
        // back.
        if (!failing) this.#log.warn({ code: codeOf(error) }, 'The live view cannot read the trail.');
        failing = true;
      }
      await this.#pause(Math.max(POLL_MS - (Date.now() - started), 20));
    }
    // This runs in the same turn of the event loop as the last look at the listeners, so the next listener
    // starts a new poller.
    this.#polling = undefined;
  }

  /** Begins to read for the listeners that are behind, those that have waited longest first. */
  #readAhead(head: bigint): void {
    this.#crowded = false;
    for (const follower of [...this.#followers]) {
      if (follower.isReading || Date.now() < follower.retryAt || !isBehind(follower, head)) continue;
      if (this.#reading.size >= READING_TOGETHER) {
        this.#crowded = true;
        return;
      }
      // Moves the listener behind the others, for the next round.
      this.#followers.delete(follower);
      this.#followers.add(follower);
      follower.isReading = true;
      const reading = this.#serve(follower, head).then((isBehindStill) => {
        follower.isReading = false;
        this.#reading.delete(reading);
        if (isBehindStill || this.#crowded) this.#wake();
      });
      this.#reading.add(reading);
    }
  }

  /** Delivers one page to one listener. Resolves to whether there is more. Never rejects. */
  async #serve(follower: Follower, head: bigint): Promise<boolean> {
    try {
      const more = await this.#advance(follower, head);
      follower.retryMs = FIRST_RETRY_MS;
      return more;
    } catch (error) {
      // Logged once, although the read is retried for as long as the client stays.
      if (follower.retryMs === FIRST_RETRY_MS)
        this.#log.warn(
          { code: codeOf(error), after: String(follower.position) },
          'A live listener cannot be served; the others are.',
        );
      follower.retryAt = Date.now() + follower.retryMs;
      follower.retryMs = Math.min(2 * follower.retryMs, LAST_RETRY_MS);
      return false;
    }
  }

  /**
   * Delivers at most one page, so that a listener that is far behind does not hold up the others. Resolves to
   * whether there is more.
   */
  async #advance(follower: Follower, head: bigint): Promise<boolean> {
    const { listener, limit } = follower;
    const { items, more } = await this.#trail.after(listener.filter, {
      id: String(follower.position),
      limit,
    });
    follower.limit = Math.min(limit * 2, PAGE);
    for (const [taken, entry] of items.entries()) {
      // The client may have disconnected while the query ran, or its socket may be full by now. In the second
      // case the rest is read again later.
      if (!this.#followers.has(follower) || !listener.ready()) {
        // The entries that the client could not take were read in vain, so the next read fetches no more than
        // it took now.
        follower.limit = Math.max(taken, 1);
        return false;
      }
      listener.deliver(entry);
      follower.position = BigInt(entry.id);
    }
    // The head was read before the entries, so everything up to it was visible to the query: if there is no
    // more, nothing else matches up to the head. The query may also have seen entries beyond it.
    if (!more && follower.position < head) follower.position = head;
    listener.reached(String(follower.position));
    return more;
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

interface Follower {
  readonly listener: Listener;
  position: bigint;
  /** Maximum number of entries in the next read. */
  limit: number;
  isReading: boolean;
  /**
   * After an error: the time of the retry (milliseconds since the epoch), and the pause after the next error
   * (milliseconds).
   */
  retryAt: number;
  retryMs: number;
}

const isBehind = ({ listener, position }: Follower, head: bigint): boolean =>
  position < head && listener.ready();

/** Returns the id of the newest entry, or 0 before the trail has begun. Every id is greater than 0. */
const lastId = (head: TrailHead): bigint => (head.nextId === '0' ? 0n : BigInt(head.nextId) - 1n);
