import { describe, expect, test } from '@jest/globals';
import { LiveFeed, type LiveTrail } from '../../src/admin/stream/live.js';
import { silentLog } from '../../src/log.js';
import type { Entry, TailBatch, TrailHead, UnboundedFilter } from '../../src/trail/read/entry.js';

/** A fake trail with entries 1 to n. Their action is `even` or `odd`. It counts the queries that it gets. */
class FakeTrail implements LiveTrail {
  size: number;
  heads = 0;
  reads = 0;
  failing = false;
  /** An action. Queries with a filter for it fail. */
  broken: string | undefined;
  /** An action. Queries with a filter for it wait until they are released. */
  stuck: string | undefined;
  mostTogether = 0;
  #together = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.size = size;
  }

  head(): Promise<TrailHead> {
    this.heads += 1;
    if (this.failing) return Promise.reject(new Error('the trail is away'));
    return Promise.resolve({ nextId: String(this.size + 1) } as TrailHead);
  }

  async after(filter: UnboundedFilter, options: { id: string; limit: number }): Promise<TailBatch> {
    this.reads += 1;
    this.mostTogether = Math.max(this.mostTogether, ++this.#together);
    if (this.stuck !== undefined && filter.actions?.includes(this.stuck) === true)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    // Every real query waits, too.
    await new Promise((resolve) => setImmediate(resolve));
    this.#together--;
    if (this.broken !== undefined && filter.actions?.includes(this.broken) === true)
      throw new Error('one entry of it cannot be read');
    const found: Entry[] = [];
    for (let id = Number(options.id) + 1; id <= this.size && found.length < options.limit; id++) {
      const action = id % 2 === 0 ? 'even' : 'odd';
      if (filter.actions === undefined || filter.actions.includes(action))
        found.push({ id: String(id), action, committedAt: '2026-01-01T00:00:00Z' } as Entry);
    }
    const more = found.length >= options.limit;
    return {
      items: found,
      more,
      through: more ? found.at(-1)!.id : String(Math.max(this.size, Number(options.id))),
    };
  }

  /** Queries that wait to be released. */
  get waiting(): number {
    return this.#waiting.length;
  }

  release(): void {
    this.stuck = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const until = async (condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

interface Seen {
  readonly ids: number[];
  position: string;
  open: boolean;
  /** Number of entries after which the listener is no longer ready. */
  fullAfter: number;
  readonly ready: () => boolean;
  readonly deliver: (entry: Entry) => void;
  readonly reached: (position: string) => void;
}

function collect(): Seen {
  const seen: Seen = {
    ids: [],
    position: '',
    open: true,
    fullAfter: 0,
    ready: () => seen.open,
    deliver: (entry: Entry) => {
      seen.ids.push(Number(entry.id));
      if (seen.ids.length === seen.fullAfter) seen.open = false;
    },
    reached: (position: string) => {
      seen.position = position;
    },
  };
  return seen;
}

describe('the live feed', () => {
  test('does not query the trail while nobody listens', async () => {
    const trail = new FakeTrail(3);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(trail.heads).toBe(0);
    const seen = collect();
    const { stop } = await feed.listen({ owner: 'one', filter: {}, ...seen });
    stop();
    await new Promise((resolve) => setTimeout(resolve, 250));
    const heads = trail.heads;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(trail.heads).toBe(heads);
    await feed.close();
  });

  test('delivers every new matching entry once and in order, to each listener by its own filter', async () => {
    const trail = new FakeTrail(10);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const all = collect();
    const even = collect();
    const { position } = await feed.listen({ owner: 'one', filter: {}, ...all });
    await feed.listen({ owner: 'one', filter: { actions: ['even'] }, ...even });
    expect(position).toBe('10');
    trail.size = 1_000;
    await until(() => all.position === '1000' && even.position === '1000');
    expect(all.ids).toEqual(Array.from({ length: 990 }, (_, index) => index + 11));
    expect(even.ids).toEqual(all.ids.filter((id) => id % 2 === 0));
    await feed.close();
  });

  test('resumes after the given id', async () => {
    const trail = new FakeTrail(10);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const seen = collect();
    await feed.listen({ owner: 'one', filter: {}, resume: { after: '7', asOfMs: 0 }, ...seen });
    await until(() => seen.position === '10');
    expect(seen.ids).toEqual([8, 9, 10]);
    await feed.close();
  });

  test('reads nothing for a listener that is not ready, and delivers everything once it is', async () => {
    const trail = new FakeTrail(0);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const slow = collect();
    slow.open = false;
    await feed.listen({ owner: 'one', filter: {}, ...slow });
    trail.size = 500;
    const heads = trail.heads;
    await until(() => trail.heads > heads + 2);
    expect(trail.reads).toBe(0);
    slow.open = true;
    await until(() => slow.position === '500');
    expect(slow.ids).toHaveLength(500);
    await feed.close();
  });

  test('delivers the rest of a page to a listener that became full in the middle of it', async () => {
    const trail = new FakeTrail(40);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const seen = collect();
    seen.fullAfter = 7;
    await feed.listen({ owner: 'one', filter: {}, resume: { after: '0', asOfMs: 0 }, ...seen });
    await until(() => !seen.open);
    expect(seen.ids).toHaveLength(7);
    seen.open = true;
    await until(() => seen.position === '40');
    expect(seen.ids).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    await feed.close();
  });

  test('does not read the same entries twice for a filter that matches nothing', async () => {
    const trail = new FakeTrail(100);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const seen = collect();
    await feed.listen({
      owner: 'one',
      filter: { actions: ['never'] },
      resume: { after: '0', asOfMs: 0 },
      ...seen,
    });
    await until(() => seen.position === '100');
    const heads = trail.heads;
    await until(() => trail.heads > heads + 1);
    expect(trail.reads).toBe(1);
    await feed.close();
  });

  test('resumes where it was after the trail could not be reached', async () => {
    const trail = new FakeTrail(1);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const seen = collect();
    await feed.listen({ owner: 'one', filter: {}, ...seen });
    trail.failing = true;
    trail.size = 5;
    const heads = trail.heads;
    await until(() => trail.heads > heads + 1);
    expect(seen.ids).toEqual([]);
    trail.failing = false;
    await until(() => seen.position === '5');
    expect(seen.ids).toEqual([2, 3, 4, 5]);
    await feed.close();
  });

  test("confines an error of one listener's query or delivery to that listener", async () => {
    const trail = new FakeTrail(0);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    trail.broken = 'even';
    const broken = collect();
    await feed.listen({ owner: 'one', filter: { actions: ['even'] }, ...broken });
    const undeliverable = collect();
    await feed.listen({
      owner: 'one',
      filter: {},
      ...undeliverable,
      deliver: () => {
        throw new RangeError('Invalid string length');
      },
    });
    const early = collect();
    await feed.listen({ owner: 'one', filter: {}, ...early });
    trail.size = 120;
    await until(() => early.position === '120');
    const late = collect();
    await feed.listen({ owner: 'one', filter: {}, resume: { after: '0', asOfMs: 0 }, ...late });
    await until(() => late.position === '120');
    expect(early.ids).toHaveLength(120);
    expect(late.ids).toHaveLength(120);
    expect([broken.ids, undeliverable.ids]).toEqual([[], []]);
    // The failed listener gets everything once its query works.
    trail.broken = undefined;
    await until(() => broken.position === '120');
    expect(broken.ids).toHaveLength(60);
    await feed.close();
  });

  test('limits how many queries run at a time, and listeners with endless queries do not delay others', async () => {
    const trail = new FakeTrail(10);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    trail.stuck = 'even';
    const stuck = [collect(), collect()];
    for (const seen of stuck)
      await feed.listen({
        owner: 'stuck',
        filter: { actions: ['even'] },
        resume: { after: '0', asOfMs: 0 },
        ...seen,
      });
    const others = Array.from({ length: 20 }, collect);
    for (const seen of others)
      await feed.listen({ owner: 'one', filter: {}, resume: { after: '0', asOfMs: 0 }, ...seen });
    await until(() => others.every(({ position }) => position === '10'));
    expect(trail.mostTogether).toBeLessThanOrEqual(3);
    trail.release();
    await until(() => stuck.every(({ position }) => position === '10'));
    await feed.close();
  });

  test('listeners that catch up do not delay those that are current, however often they come and however long they take', async () => {
    const trail = new FakeTrail(1_000);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const live = collect();
    await feed.listen({ owner: 'admin', filter: {}, ...live });
    trail.stuck = 'even';
    const looping = Array.from({ length: 4 }, collect);
    for (const seen of looping)
      await feed.listen({
        owner: 'viewer',
        filter: { actions: ['even'] },
        resume: { after: '1', asOfMs: 0 },
        ...seen,
      });
    await until(() => trail.waiting > 0);
    const began = Date.now();
    trail.size = 1_001;
    await until(() => live.position === '1001');
    expect(Date.now() - began).toBeLessThan(1_000);
    expect(live.ids).toEqual([1_001]);
    // Only one of these reads runs at a time, so that other listeners that catch up get a turn.
    expect(trail.waiting).toBe(1);
    const other = collect();
    await feed.listen({ owner: 'other', filter: {}, resume: { after: '900', asOfMs: 0 }, ...other });
    await until(() => other.position === '1001');
    trail.release();
    await until(() => looping.every(({ position }) => position === '1001'));
    await feed.close();
  });

  test('reports how far a listener is behind, and begins at the end of the trail if its position is beyond it', async () => {
    const trail = new FakeTrail(10);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    const seen = collect();
    seen.open = false;
    const resume = { after: '2', asOfMs: Date.now() - 60_000 };
    const { behindMs } = await feed.listen({ owner: 'one', filter: {}, resume, ...seen });
    expect(behindMs()).toBeGreaterThanOrEqual(60_000);
    seen.open = true;
    await until(() => seen.position === '10');
    expect(behindMs()).toBeLessThan(1_000);
    const beyond = await feed.listen({
      owner: 'one',
      filter: {},
      resume: { after: '99', asOfMs: 0 },
      ...collect(),
    });
    expect(beyond.position).toBe('10');
    await feed.close();
  });

  test('serves a listener that comes just after the last one has left', async () => {
    const trail = new FakeTrail(1);
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    for (let round = 0; round < 50; round++) {
      const seen = collect();
      const { stop } = await feed.listen({
        owner: 'one',
        filter: {},
        resume: { after: '0', asOfMs: 0 },
        ...seen,
      });
      await until(() => seen.ids.length === 1);
      stop();
    }
    await feed.close();
  });
});
