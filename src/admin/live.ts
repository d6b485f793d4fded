import { codeOf } from '../errors.js';
import type { Log } from '../log.js';
import type { Entry, EntryBatch, EntryFilter, TrailHead } from '../trail/entry.js';

/** What the live feed needs of the trail (`TrailReader`). */
export interface LiveTrail {
  head(): Promise<TrailHead>;
  after(
    filter: Omit<EntryFilter, 'from' | 'to'>,
    options: { id: string; limit: number },
  ): Promise<EntryBatch>;
}

export interface Listener {
  readonly filter: Omit<EntryFilter, 'from' | 'to'>;
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

/**
 * Follows the trail for everybody who listens. One poller a process asks for the head of the trail, and only while
 * somebody listens; new entries are then read for each listener with its own filter, one listener after the other. A
 * listener is a position in the trail and not a buffer: a slow one falls behind, and costs no memory.
 */
export class LiveFeed {
  readonly #trail: LiveTrail;
  readonly #log: Log;
  readonly #followers = new Set<Follower>();
  #polling: Promise<void> | undefined;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(options: { readonly trail: LiveTrail; readonly log: Log }) {
    this.#trail = options.trail;
    this.#log = options.log;
  }

  /** Resolves to the position where the listener begins. */
  async listen(listener: Listener): Promise<Listening> {
    const position = listener.after === undefined ? lastId(await this.#trail.head()) : BigInt(listener.after);
    const follower: Follower = { listener, position, limit: PAGE };
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
  }

  async #poll(): Promise<void> {
    let failing = false;
    while (this.#followers.size > 0 && !this.#closed) {
      const started = Date.now();
      let behind = false;
      try {
        const head = lastId(await this.#trail.head());
        for (const follower of this.#followers) behind = (await this.#advance(follower, head)) || behind;
        failing = false;
      } catch (error) {
        // Positions stay, so nothing is missed; clients keep their connection while the trail comes back.
        if (!failing) this.#log.warn({ code: codeOf(error) }, 'The live view cannot read the trail.');
        failing = true;
      }
      await this.#pause(behind ? 0 : Math.max(POLL_MS - (Date.now() - started), 20));
    }
    // In the same turn as the last look at the listeners: whoever comes next starts a new poller.
    this.#polling = undefined;
  }

  /** Delivers at most one page, so that one listener far behind does not hold up the others; true: there is more. */
  async #advance(follower: Follower, head: bigint): Promise<boolean> {
    const { listener } = follower;
    if (follower.position >= head || !listener.ready() || !this.#followers.has(follower)) return false;
    const { limit } = follower;
    const { items, more } = await this.#trail.after(listener.filter, {
      id: String(follower.position),
      limit,
    });
    follower.limit = Math.min(limit * 2, PAGE);
    for (const [taken, entry] of items.entries()) {
      // The client may have gone while the query ran, or be full by now: the rest is read again when it is not.
      if (!this.#followers.has(follower) || !listener.ready()) {
        // What it could not take was read in vain; next time no more is read than it took now.
        follower.limit = Math.max(taken, 1);
        return false;
      }
      listener.deliver(entry);
      follower.position = BigInt(entry.id);
    }
    // The head was read before the entries: everything up to it was visible to the query, so without more nothing
    // matches below it. The query may also have seen beyond.
    if (!more && follower.position < head) follower.position = head;
    listener.reached(String(follower.position));
    return more;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

interface Follower {
  readonly listener: Listener;
  position: bigint;
  /** Entries to read at once. */
  limit: number;
}

/** 0 before the trail has begun: ids are greater. */
const lastId = (head: TrailHead): bigint => (head.nextId === '0' ? 0n : BigInt(head.nextId) - 1n);
