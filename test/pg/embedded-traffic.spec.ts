import { describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLog } from '../../src/log.js';
import { connect } from '../../src/pg/connect.js';
import { Random } from '../../src/embedded/random.js';
import { SCENES } from '../../src/embedded/scenes.js';
import { startTraffic } from '../../src/embedded/traffic.js';
import { freshDatabase } from '../support/database.ts';

async function until(condition: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in time');
    await delay(20);
  }
}

describe('the simulated CRM', () => {
  test('every scene runs against the sample, with any random choice', async () => {
    await using database = await freshDatabase('crm');
    const client = await connect({ url: database.url, purpose: 'test' });
    try {
      const random = new Random(7);
      for (const scene of SCENES) {
        for (let round = 0; round < 12; round++) {
          await client.query('begin');
          await scene.play({ client, random });
          await client.query('commit');
        }
      }
    } finally {
      await client.end();
    }
    const [row] = await database.query<{ failed: number; blocked: number }>(
      `select (select count(*)::int from login_events where not ok) as failed, (select count(*)::int from agents where blocked) as blocked`,
    );
    expect(row!.failed).toBe(12);
    expect(row!.blocked).toBeLessThanOrEqual(1);
  });

  test('commits one small transaction after another until it is stopped', async () => {
    await using database = await freshDatabase('crm');
    const traffic = startTraffic({ url: database.url, log: silentLog, seed: 1, pauseMs: [1, 2] });
    await until(() => traffic.transactions() > 100);
    await traffic.stop();
    const stoppedAt = traffic.transactions();
    const open = await database.query(
      `select from pg_stat_activity where datname = $1 and application_name like '%sample crm'`,
      [database.name],
    );
    expect(open).toEqual([]);
    expect(traffic.transactions()).toBe(stoppedAt);
  });

  test('connects again when its connection is broken', async () => {
    await using database = await freshDatabase('crm');
    const traffic = startTraffic({ url: database.url, log: silentLog, seed: 2, pauseMs: [1, 2] });
    try {
      await until(() => traffic.transactions() > 5);
      await database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like '%sample crm'`,
        [database.name],
      );
      const before = traffic.transactions();
      await until(() => traffic.transactions() > before + 5);
    } finally {
      await traffic.stop();
    }
  });

  test('keeps the tables that it writes to from growing without limit', async () => {
    await using database = await freshDatabase('crm');
    await database.query(
      `insert into messages (organization_id, conversation_id, body) select 1, id, 'x' from conversations, generate_series(1, 30)`,
    );
    const client = await connect({ url: database.url, purpose: 'test' });
    try {
      const prune = SCENES.find((scene) => scene.name === 'prune')!;
      for (let round = 0; round < 80; round++) await prune.play({ client, random: new Random(1) });
    } finally {
      await client.end();
    }
    const [row] = await database.query<{ count: number }>('select count(*)::int from messages');
    expect(row!.count).toBe(1500);
  });
});

describe('Random', () => {
  test('repeats its numbers for the same seed and stays within its bounds', () => {
    const first = new Random(42);
    const second = new Random(42);
    for (let i = 0; i < 1000; i++) {
      const drawn = first.between(3, 9);
      expect(drawn).toBe(second.between(3, 9));
      expect(drawn).toBeGreaterThanOrEqual(3);
      expect(drawn).toBeLessThanOrEqual(9);
    }
    expect(new Random(1).next()).not.toBe(new Random(2).next());
  });
});
