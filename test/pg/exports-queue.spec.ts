import { describe, expect, test } from '@jest/globals';
import { openQueue, type ExportQueue } from '../../src/exports/queue.js';
import { silentLog } from '../../src/log.js';
import { freshDatabase } from '../support/database.ts';
import { redisBinary, startRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const backends = ['postgres', ...(redisBinary === undefined ? [] : ['redis'])] as const;

async function ground(backend: string) {
  const db = await freshDatabase('empty');
  const redis = backend === 'redis' ? await startRedis() : undefined;
  const queues: ExportQueue[] = [];
  return {
    db,
    redis,
    open(source = 'crm'): ExportQueue {
      const queue = openQueue({ trailUrl: db.url, redisUrl: redis?.url, source, log: silentLog });
      queues.push(queue);
      return queue;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(queues.map((queue) => queue.close()));
      await redis?.[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
    },
  };
}

describe.each(backends)('the queue of exports on %s', (backend) => {
  test('reports its backend and hands every id to a consumer', async () => {
    await using room = await ground(backend);
    const queue = room.open();
    expect(queue.status()).toMatchObject({ kind: backend });
    const seen: string[] = [];
    await queue.enqueue('a');
    await queue.work({ concurrency: 1, process: (id) => Promise.resolve(void seen.push(id)) }).ready;
    await queue.enqueue('b');
    await until('both exports', () => seen.length === 2);
    expect(seen).toEqual(['a', 'b']);
  });

  test('an export in the queue is not enqueued again, one that has ended may be', async () => {
    await using room = await ground(backend);
    const queue = room.open();
    const seen: string[] = [];
    await queue.enqueue('a');
    await queue.enqueue('a');
    await queue.enqueue('b');
    await queue.work({ concurrency: 1, process: (id) => Promise.resolve(void seen.push(id)) }).ready;
    await until('export b', () => seen.includes('b'));
    expect(seen).toEqual(['a', 'b']);
    await until('export a again', async () => {
      await queue.enqueue('a');
      return seen.length >= 3;
    });
    expect(seen[2]).toBe('a');
  });

  test('a rejected export is delivered again', async () => {
    await using room = await ground(backend);
    const queue = room.open();
    let deliveries = 0;
    queue.work({
      concurrency: 1,
      process: () => (++deliveries === 1 ? Promise.reject(new Error('broken')) : Promise.resolve()),
    });
    await queue.enqueue('a');
    await until('the second delivery', () => deliveries === 2);
  });

  test('a removed export is not delivered', async () => {
    await using room = await ground(backend);
    const queue = room.open();
    const seen: string[] = [];
    await queue.enqueue('a');
    await queue.enqueue('b');
    await queue.remove('a');
    await queue.remove('never was there');
    queue.work({ concurrency: 1, process: (id) => Promise.resolve(void seen.push(id)) });
    await until('a delivery', () => seen.length > 0);
    expect(seen).toEqual(['b']);
  });

  test('several queues may be opened at the same time on a database without one', async () => {
    await using room = await ground(backend);
    const queues = [room.open(), room.open(), room.open()] as const;
    await Promise.all(queues.map((queue) => queue.enqueue('a')));
    const seen: string[] = [];
    for (const queue of queues) {
      queue.work({ concurrency: 1, process: (id) => Promise.resolve(void seen.push(id)) });
    }
    await queues[0].enqueue('z');
    await until('export z', () => seen.includes('z'));
    await until('export a', () => seen.includes('a'));
    expect(seen.sort()).toEqual(['a', 'z']);
  });
});

test('a role without the right to create schemas may use an existing queue', async () => {
  await using room = await ground('postgres');
  const opened = room.open();
  await until('the queue to be there', () => opened.status().works);
  const role = `clerk_${room.db.name}`;
  await room.db.query(`create role ${role} login password 'clerk'`);
  try {
    await room.db.query(`grant usage on schema bullmq to ${role}`);
    await room.db.query(`grant all on all tables in schema bullmq to ${role}`);
    await room.db.query(`grant all on all sequences in schema bullmq to ${role}`);
    const url = new URL(room.db.url);
    url.username = role;
    url.password = 'clerk';
    const queue = openQueue({ trailUrl: url.href, redisUrl: undefined, source: 'crm', log: silentLog });
    await expect(queue.enqueue('a')).resolves.toBeUndefined();
    await queue.close();
  } finally {
    await room.db.query(`drop owned by ${role}`);
    await room.db.query(`drop role ${role}`);
  }
});

(redisBinary === undefined ? test.skip : test)(
  'two Waltrails share one Redis without taking exports from each other',
  async () => {
    await using room = await ground('redis');
    const [crm, shop] = [room.open('crm'), room.open('shop')];
    const seen: string[] = [];
    await crm.enqueue('of the crm');
    shop.work({ concurrency: 1, process: (id) => Promise.resolve(void seen.push(id)) });
    await shop.enqueue('of the shop');
    await until('a delivery', () => seen.length > 0);
    expect(seen).toEqual(['of the shop']);
  },
);

(redisBinary === undefined ? test.skip : test)(
  'a Redis that does not answer is an error within seconds',
  async () => {
    await using room = await ground('redis');
    const queue = room.open();
    await room.redis![Symbol.asyncDispose]();
    await expect(queue.enqueue('a')).rejects.toMatchObject({ code: 'EXPORT_QUEUE_UNAVAILABLE', status: 503 });
  },
);
