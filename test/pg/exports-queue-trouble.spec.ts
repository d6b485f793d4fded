import { setTimeout as delay } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { openQueue, type ExportQueue } from '../../src/exports/queue.js';
import { createLog, silentLog } from '../../src/log.js';
import { fakeRedis, type Answer } from '../support/fake-redis.ts';
import { freePort, redisBinary, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

interface Line {
  readonly level: number;
  readonly code?: string;
  readonly msg: string;
}

const WATCHED_MS = 4_000;
const REFUSALS: Readonly<Record<string, string>> = {
  NOAUTH: 'Authentication required.',
  WRONGPASS: 'invalid username-password pair or user is disabled.',
  NOPERM: "User waltrail has no permissions to run the 'info' command",
  READONLY: "You can't write against a read only replica.",
  OOM: "command not allowed when used memory > 'maxmemory'.",
  CROSSSLOT: "Keys in request don't hash to the same slot",
  MOVED: '866 127.0.0.1:1',
  CLUSTERDOWN: 'Hash slot not served',
  LOADING: 'Redis is loading the dataset in memory',
  MISCONF: 'Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  MASTERDOWN: "Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
};

function listen(): { log: ReturnType<typeof createLog>; lines: Line[]; text: () => string } {
  const lines: Line[] = [];
  let text = '';
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      lines.push(JSON.parse(String(chunk)) as Line);
      done();
    },
  });
  return { log: createLog({ level: 'info', destination }), lines, text: () => text };
}

const opened = (redisUrl: string, log = silentLog, source = 'crm') =>
  openQueue({ trailUrl: 'postgres://127.0.0.1:1/none', redisUrl, source, log });

async function delivers(queue: ExportQueue): Promise<void> {
  const seen: string[] = [];
  queue.work({ concurrency: 1, process: (id) => Promise.resolve(void seen.push(id)) });
  await until('the queue to take an export', async () => {
    await queue.enqueue('a').catch(() => undefined);
    return seen.includes('a');
  });
}

const printed: unknown[][] = [];
const spies = ['log', 'warn', 'error'] as const;
beforeEach(() => {
  printed.length = 0;
  for (const name of spies)
    jest.spyOn(console, name).mockImplementation((...args: unknown[]) => void printed.push(args));
});
afterEach(() => {
  jest.restoreAllMocks();
  // A library that writes to the console would break a log of JSON lines.
  expect(printed).toEqual([]);
});

describe('a Redis that refuses', () => {
  test.each(Object.keys(REFUSALS))(
    '%s is reported in one line, with few commands, and without the password',
    async (word) => {
      await using fake = await fakeRedis(() => `-${word} ${REFUSALS[word]}`);
      const { log, lines, text } = listen();
      const queue = opened(fake.url, log);
      queue.work({ concurrency: 1, process: () => Promise.resolve() });
      await delay(WATCHED_MS);
      expect(lines.map(({ code }) => code)).toEqual([word === 'MOVED' ? 'ECONNREFUSED' : word]);
      expect(text()).not.toContain('hunter2');
      expect(fake.commands.length / (WATCHED_MS / 1000)).toBeLessThan(10);
      expect(fake.connections()).toBeLessThan(10);
      await expect(queue.enqueue('a')).rejects.toMatchObject({ code: 'EXPORT_QUEUE_UNAVAILABLE' });
      expect(queue.status()).toMatchObject({ works: false });
      const began = performance.now();
      await queue.close();
      expect(performance.now() - began).toBeLessThan(3_000);
    },
  );

  test('only the commands that a worker needs is reported in one line, too', async () => {
    // An account that may run every tried command, and not those of BullMQ.
    const allowed: Answer = ([name]) =>
      name!.toUpperCase() === 'INFO' ? '$26\r\nredis_version:7.0.0\r\nrole:' : '+OK';
    await using fake = await fakeRedis(allowed);
    const tried = ['AUTH', 'CLIENT', 'INFO', 'SET', 'EVAL', 'EXISTS'];
    fake.answer = (command) =>
      tried.includes(command[0]!.toUpperCase())
        ? allowed(command)
        : '-NOPERM User waltrail has no permissions';
    const { log, lines } = listen();
    const queue = opened(fake.url, log);
    queue.work({ concurrency: 1, process: () => Promise.resolve() });
    await delay(WATCHED_MS);
    expect(lines.map(({ code }) => code)).toEqual(['NOPERM']);
    expect(fake.commands.length / (WATCHED_MS / 1000)).toBeLessThan(20);
    await queue.close();
  });

  test('with another error in the same outage is reported again', async () => {
    await using fake = await fakeRedis(() => '-LOADING Redis is loading the dataset in memory');
    const { log, lines } = listen();
    const queue = opened(fake.url, log);
    await until('the first', () => lines.length === 1);
    fake.answer = () => "-READONLY You can't write against a read only replica.";
    await until('the second', () => lines.length === 2);
    expect(lines.map(({ code }) => code)).toEqual(['LOADING', 'READONLY']);
    await queue.close();
  });
});

(redisBinary === undefined ? describe.skip : describe)('a real redis-server', () => {
  test('is used when it starts later, and again after an outage', async () => {
    const port = await freePort();
    const { log, lines } = listen();
    const queue = opened(`redis://127.0.0.1:${port}`, log);
    await until('the trouble to be reported', () => lines.some(({ code }) => code === 'ECONNREFUSED'));
    {
      await using redis = await startRedis({ port });
      expect(redis.url).toContain(String(port));
      await delivers(queue);
      expect(queue.status()).toEqual({ kind: 'redis', works: true, problem: null });
    }
    await until('the loss to be noticed', () => !queue.status().works);
    await using again = await startRedis({ port });
    await until(`the queue to work at ${again.url}`, () => queue.status().works);
    await queue.enqueue('b');
    await until(
      'the end of the trouble to be reported',
      () => lines.at(-1)?.msg === 'The queue of exports works again.',
    );
    await queue.close();
  });

  test('is used with its password, and refuses without it', async () => {
    await using redis = await startRedis({ options: ['--requirepass', 'hunter2'] });
    const { log, lines, text } = listen();
    const refused = opened(redis.url, log);
    const wrong = opened(redis.url.replace('//', '//:hunter3@'), log, 'shop');
    await until('both refusals', () => lines.length === 2);
    expect(lines.map(({ code }) => code).sort()).toEqual(['NOAUTH', 'WRONGPASS']);
    expect(text()).not.toMatch(/hunter/);
    const queue = opened(redis.url.replace('//', '//:hunter2@'));
    await delivers(queue);
    await Promise.all([refused.close(), wrong.close(), queue.close()]);
  });

  test('is reported while it is a replica or full, and used again afterwards', async () => {
    await using redis = await startRedis();
    await using admin = client(redis.url);
    const { log, lines } = listen();
    const queue = opened(redis.url, log);
    await delivers(queue);
    await admin.redis.replicaof('127.0.0.1', 1);
    await until('the error READONLY', () => lines.some(({ code }) => code === 'READONLY'));
    await admin.redis.replicaof('NO', 'ONE');
    await until('the queue to work', () => queue.status().works);
    await admin.redis.config('SET', 'maxmemory', '1');
    await queue.enqueue('b').catch(() => undefined);
    await until('the error OOM', () => lines.some(({ code }) => code === 'OOM'));
    await admin.redis.config('SET', 'maxmemory', '0');
    await delivers(queue);
    expect(lines.length).toBeLessThan(8);
    await queue.close();
  });

  test('is reported in the log, once, when its eviction policy may lose exports', async () => {
    await using redis = await startRedis({ options: ['--maxmemory-policy', 'allkeys-lru'] });
    const { log, lines } = listen();
    const queue = opened(redis.url, log);
    await delivers(queue);
    expect(lines).toEqual([expect.objectContaining({ level: 40, policy: 'allkeys-lru' })]);
    await queue.close();
  });

  test('needs only an account that sees the keys of the queue', async () => {
    await using redis = await startRedis();
    await using admin = client(redis.url);
    await admin.redis.call(
      'ACL',
      'SETUSER',
      'clerk',
      'on',
      '>secret',
      '~{waltrail:*',
      '+@all',
      '-@admin',
      '-@dangerous',
      '+info',
    );
    const { log, lines } = listen();
    const queue = opened(redis.url.replace('//', '//clerk:secret@'), log);
    await delivers(queue);
    expect(lines.filter(({ code }) => code !== 'NOPERM')).toEqual([]);
    await queue.close();
  });

  test('the queue of an earlier version is removed with all its keys', async () => {
    await using redis = await startRedis();
    await using admin = client(redis.url);
    await using mine = client(redis.url, { maxRetriesPerRequest: null });
    const old = new Queue('exports', {
      connection: mine.redis,
      prefix: 'waltrail:crm',
      skipVersionCheck: true,
    });
    await old.add('export', { id: 'a' }, { jobId: 'a' });
    await old.add('export', { id: 'b' }, { jobId: 'b', delay: 60_000 });
    await old.close();
    const { log, lines } = listen();
    const queue = opened(redis.url, log);
    await delivers(queue);
    expect(await admin.redis.keys('waltrail:*')).toEqual([]);
    expect(lines).toEqual([expect.objectContaining({ exports: 2 })]);
    await queue.close();
  });

  test('is used when it is a cluster of one node', async () => {
    await using node = await startRedis({ options: ['--cluster-enabled', 'yes'] });
    await using admin = client(node.url);
    await admin.redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const { log, lines } = listen();
    const queue = opened(node.url, log);
    await delivers(queue);
    expect(lines.filter(({ code }) => code !== 'CLUSTERDOWN')).toEqual([]);
    await queue.close();
  });

  test('redirects to the node of its cluster that has the keys', async () => {
    await using one = await startRedis({ options: ['--cluster-enabled', 'yes'] });
    await using two = await startRedis({ options: ['--cluster-enabled', 'yes'] });
    await using first = client(one.url);
    await using second = client(two.url);
    await first.redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191');
    await second.redis.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383');
    await first.redis.call('CLUSTER', 'SET-CONFIG-EPOCH', '1');
    await second.redis.call('CLUSTER', 'SET-CONFIG-EPOCH', '2');
    await first.redis.call('CLUSTER', 'MEET', '127.0.0.1', new URL(two.url).port);
    for (const { redis } of [first, second])
      await until('the cluster', async () =>
        /cluster_state:ok/.test(String(await redis.call('CLUSTER', 'INFO'))),
      );
    // One of the two queues is redirected, whichever node has the slot.
    for (const { url } of [one, two]) {
      const queue = opened(url);
      await delivers(queue);
      await queue.close();
    }
  });
});

function client(url: string, options: RedisOptions = {}): { readonly redis: Redis } & AsyncDisposable {
  const redis = new Redis(url, options);
  return { redis, [Symbol.asyncDispose]: () => Promise.resolve(redis.disconnect()) };
}
