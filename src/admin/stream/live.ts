import { codeOf } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Entry, EntryBatch, TrailHead, UnboundedFilter } from '../../trail/read/entry.js';

/** What the live feed needs of the trail (`TrailReader`). */
export interface LiveTrail {
  head(): Promise<TrailHead>;
  after(filter: UnboundedFilter, options: { id: string; limit: number }): Promise<EntryBatch>;
}

export interface Listener {
  readonly filter: UnboundedFilter;
  /** Entries after this id are delivered; undefined: those that come from now on. */
  readonly after?: string | undefined;
  /** False while the client has not read what it was sent: it is left out, and keeps its position. */
  readonly ready: () => boolean;
  /** One entry after the other, ascending by id; stops when the listener is not ready any more. */
  readonly deliver: (entry: Entry) => void;
  /** Everything up to here was looked at and delivered where it matched. */
  readonly reached: (position: string) => void;
}

export interface Listening {
  readonly position: string;
  /** To be called when the listener is ready again. */
  readonly resume: () => void;
  readonly stop: () => void;
}

const POLL_MS = 200;
/** Small, because the entries of a page are in memory at once and may have large values. */
const PAGE = 50;
/** Listeners that are read for at the same time, so that a slow search delays only itself. */
const READING_TOGETHER = 3;
/**
 * A listener that cannot be served is tried again after a pause, which doubles from the first value to the
 * second.
 */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

/**
 * Follows the trail for everybody who listens. One poller per process asks for the head of the trail while
 * somebody listens. New entries are then read for each listener with its own filter, for a few listeners at a
 * time. A listener is a position in the trail and not a buffer: a slow one falls behind and costs no memory.
 * If its entries cannot be read or delivered, it keeps its position and is tried again; nobody else waits for
 * it.
 */
export class LiveFeed {
  readonly #trail: LiveTrail;
  readonly #log: Log;
  readonly #followers = new Set<Follower>();
  #polling: Promise<void> | undefined;
  #closed = false;
  /** Reads that run. */
  readonly #reading = new Set<Promise<void>>();
  /** Some listener is behind and was not read for, because so many are. */
  #crowded = false;
  /** Nothing is to be waited for before the next look. */
  #awake = false;
  #endPause: () => void = () => undefined;

  constructor(options: { readonly trail: LiveTrail; readonly log: Log }) {
    this.#trail = options.trail;
    this.#log = options.log;
  }

  /** Resolves to the position where the listener begins. */
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
        // Positions stay, so nothing is missed; clients keep their connection while the trail comes back.
        if (!failing) this.#log.warn({ code: codeOf(error) }, 'The live view cannot read the trail.');
        failing = true;
      }
      await this.#pause(Math.max(POLL_MS - (Date.now() - started), 20));
    }
    // In the same turn as the last look at the listeners: whoever comes next starts a new poller.
    this.#polling = undefined;
  }

  /** Begins to read for those that are behind, who waited longest first. */
  #readAhead(head: bigint): void {
    this.#crowded = false;
    for (const follower of [...this.#followers]) {
      if (follower.isReading || Date.now() < follower.retryAt || !isBehind(follower, head)) continue;
      if (this.#reading.size >= READING_TOGETHER) {
        this.#crowded = true;
        return;
      }
      // Behind the others, for the next time.
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

  /** One page for one listener; true: there is more. Never rejects. */
  async #serve(follower: Follower, head: bigint): Promise<boolean> {
    try {
      const more = await this.#advance(follower, head);
      follower.retryMs = FIRST_RETRY_MS;
      return more;
    } catch (error) {
      // Said once: it is tried again for as long as the client stays.
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
   * Delivers at most one page, so that one listener far behind does not hold up the others; true: there is
   * more.
   */
  async #advance(follower: Follower, head: bigint): Promise<boolean> {
    const { listener, limit } = follower;
    const { items, more } = await this.#trail.after(listener.filter, {
      id: String(follower.position),
      limit,
    });
    follower.limit = Math.min(limit * 2, PAGE);
    for (const [taken, entry] of items.entries()) {
      // The client may have gone while the query ran, or be full by now: the rest is read again when it is
      // not.
      if (!this.#followers.has(follower) || !listener.ready()) {
        // What it could not take was read in vain; next time no more is read than it took now.
        follower.limit = Math.max(taken, 1);
        return false;
      }
      listener.deliver(entry);
      follower.position = BigInt(entry.id);
    }
    // The head was read before the entries: everything up to it was visible to the query, so without more
    // nothing matches below it. The query may also have seen beyond.
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
  /** Entries to read at once. */
  limit: number;
  isReading: boolean;
  /** After an error: when it is tried again, and how long after the one that comes next. */
  retryAt: number;
  retryMs: number;
}

const isBehind = ({ listener, position }: Follower, head: bigint): boolean =>
  position < head && listener.ready();

/** 0 before the trail has begun: ids are greater. */
const lastId = (head: TrailHead): bigint => (head.nextId === '0' ? 0n : BigInt(head.nextId) - 1n);
