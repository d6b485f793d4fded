import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround, type CaptureGround } from '../support/capture.ts';

const SCHEMA = 'create table items (id int primary key, name text)';
const YAML = 'tables: { public.items: { entity: item } }';
/** Commit times that a session with an origin can claim, each as PostgreSQL prints it. */
const CLAIMS = [
  'infinity',
  '-infinity',
  '4714-11-24 00:00:00+00 BC',
  '294276-12-31 23:59:59.999999+00',
  '10000-01-01 00:00:00+00',
  '0001-12-31 23:59:59.5+00 BC',
];

/** Transactions of a session, one after the other. Its origin claims their commit times. */
async function claim(
  url: string,
  commits: readonly { readonly at: string; readonly sql: string }[],
): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const origin = `origin_${Date.now()}_${Math.trunc(Math.random() * 1e6)}`;
    await client.query(`select pg_replication_origin_create('${origin}')`);
    await client.query(`select pg_replication_origin_session_setup('${origin}')`);
    for (const [index, { at, sql }] of commits.entries()) {
      await client.query('begin');
      await client.query(sql);
      await client.query(`select pg_replication_origin_xact_setup('0/${index + 1}', $1)`, [at]);
      await client.query('commit');
    }
    await client.query('select pg_replication_origin_session_reset()');
    await client.query(`select pg_replication_origin_drop('${origin}')`);
  } finally {
    await client.end();
  }
}

async function readAll(g: CaptureGround) {
  const pool = new pg.Pool({ connectionString: g.trail.url, max: 2 });
  try {
    const reader = new TrailReader({ pool });
    const now = Date.now();
    const range = {
      from: new Date(now - 86_400_000).toISOString(),
      to: new Date(now + 86_400_000).toISOString(),
    };
    const { items } = await reader.page(range, { limit: 500 });
    return { items, facets: await reader.facets(range), head: await reader.head() };
  } finally {
    await pool.end();
  }
}

describe('commit times that no reader can show', () => {
  test('are stored as the last one before them, with the claimed time, and capture starts again', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    await g.source.query(`insert into items values (0, 'honest')`);
    const [honest] = await g.caughtUp();
    await claim(
      g.source.url,
      CLAIMS.map((at, index) => ({ at, sql: `insert into items values (${index + 1}, 'claimed')` })),
    );
    await g.caughtUp();
    await g.restart();
    await claim(g.source.url, [{ at: 'infinity', sql: `update items set name = 'again' where id = 1` }]);
    await g.caughtUp();
    const { items, facets, head } = await readAll(g);
    const [last, ...others] = items;
    const first = others.pop()!;
    expect(first.id).toBe(String(honest!.id));
    expect(first.transaction.claimedCommitAt).toBeNull();
    expect(others.map(({ transaction }) => transaction.claimedCommitAt)).toEqual(CLAIMS.toReversed());
    expect(new Set(others.map(({ committedAt }) => committedAt)).size).toBe(1);
    expect(others[0]!.committedAt >= first.committedAt && others[0]!.committedAt <= last!.committedAt).toBe(
      true,
    );
    expect(JSON.parse(entryToJson(last!))).toMatchObject({ transaction: { claimedCommitAt: 'infinity' } });
    expect(facets.actions).toEqual([
      { value: 'add', name: 'add', count: 7 },
      { value: 'edit', name: 'edit', count: 1 },
    ]);
    expect(head.lastCommittedAt).toMatch(/^20\d\d-/);
    const readable = await g.trail.query<{ claimed_commit_at: string | null }>(
      'select claimed_commit_at from trail.readable order by id',
    );
    expect(readable.map((row) => row.claimed_commit_at)).toEqual([null, ...CLAIMS, 'infinity']);
    expect(g.capture.status().latencyMs ?? 0).toBeLessThan(60_000);
  });

  test('commit times that a reader can show are kept, and do not change how late capture is', async () => {
    await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
    const kept = ['9999-12-30 00:00:00+00', '0001-01-02 00:00:00+00', '1970-01-01 00:00:00.000001+00'];
    await claim(
      g.source.url,
      kept.map((at, index) => ({ at, sql: `insert into items values (${index + 1}, 'claimed')` })),
    );
    await g.caughtUp();
    const rows = await g.trail.query<{ at: string; claimed: string | null }>(
      `select (committed_at at time zone 'utc')::text || '+00' as at, claimed_commit_at as claimed from trail.readable order by id`,
    );
    expect(rows).toEqual(kept.map((at) => ({ at, claimed: null })));
    expect(g.capture.status().latencyMs ?? 0).toBeLessThan(60_000);
  });
});
