import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { FailedAttempts } from '../../src/admin/auth/attempts.js';
import { LiveFeed } from '../../src/admin/stream/live.js';
import { QuickStarts } from '../../src/exports/worker.js';
import { silentLog } from '../../src/log.js';
import type { TrailHead } from '../../src/trail/read/entry.js';

const HOUR_MS = 3_600_000;
const realNow = Date.now.bind(Date);

/** Sets the clock of the machine, as NTP or a person may, without letting time pass. */
const setClock = (byMs: number): void => {
  jest.spyOn(Date, 'now').mockImplementation(() => realNow() + byMs);
};

afterEach(() => {
  jest.restoreAllMocks();
});

const until = async (condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 3_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true in 3 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

describe('a clock that is set back by an hour', () => {
  test('does not stop the live view, and does not delay the retry of a listener', async () => {
    let head = 1;
    let failures = 1;
    const seen: string[] = [];
    const after = (_: unknown, { id }: { id: string }) => {
      if (failures-- > 0) return Promise.reject(new Error('away'));
      return Promise.resolve({
        items: Array.from({ length: head - Number(id) }, (_item, index) => ({
          id: String(Number(id) + index + 1),
          committedAt: '2026-01-01T00:00:00Z',
        })),
        more: false,
        through: String(head),
      } as never);
    };
    const trail = {
      head: () => {
        // In the middle of a round.
        setClock(-HOUR_MS * ++rounds);
        return Promise.resolve({ nextId: String(head + 1) } as TrailHead);
      },
      after,
    };
    let rounds = 0;
    const feed = new LiveFeed({ trail, catchUp: trail, log: silentLog });
    await feed.listen({
      owner: 'a',
      filter: {},
      ready: () => true,
      deliver: ({ id }) => void seen.push(id),
      reached: () => undefined,
    });
    head = 2;
    await until(() => seen.includes('2'));
    await until(() => rounds > 5);
    head = 3;
    await until(() => seen.includes('3'));
    await feed.close();
  });

  test('does not lock an address out for longer than a minute', async () => {
    const attempts = new FailedAttempts();
    const wrong = (): Promise<undefined> => Promise.resolve(undefined);
    for (let n = 0; n < 30; n++) await attempts.lookUp('192.0.2.1', wrong);
    setClock(-HOUR_MS);
    const error = (await attempts.lookUp('192.0.2.1', wrong).catch((thrown: unknown) => thrown)) as {
      details: { retryAfterSeconds: number };
    };
    expect(error.details.retryAfterSeconds).toBeLessThanOrEqual(60);
  });

  test('does not keep the next export of a token at low priority', () => {
    jest.useFakeTimers({ doNotFake: ['Date'] });
    try {
      const quick = new QuickStarts();
      expect(quick.take('a')).toBe(true);
      setClock(-HOUR_MS);
      jest.advanceTimersByTime(31_000);
      expect(quick.take('a')).toBe(true);
    } finally {
      jest.useRealTimers();
    }
  });
});
