import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { ExportTurns, type ExportTurn } from '../../src/exports/turns.js';
import { apiGround, type ApiGround } from '../support/api.ts';

let ground: ApiGround;
let pool: pg.Pool;
let turns: ExportTurns;
beforeAll(async () => {
  ground = await apiGround();
  await ground.add();
  pool = new pg.Pool({ connectionString: ground.trail.url, max: 10 });
  turns = new ExportTurns({ pool });
});
beforeEach(() => ground.trail.query('delete from trail.export'));
afterAll(async () => {
  await pool.end();
  await ground[Symbol.asyncDispose]();
});

const ask = (token: string, key?: string): Promise<Response> =>
  ground.get('/v1/exports', token, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: '{"format":"csv"}',
  });

/** Asks for exports one after the other. Returns their ids. */
async function askFor(token: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(((await (await ask(token)).json()) as { id: string }).id);
  return ids;
}

/** Takes the next turn, as a run begins, and marks its row as running. */
async function begin(adminsOnly = false): Promise<ExportTurn> {
  const turn = await turns.next({ adminsOnly });
  if (typeof turn === 'string') throw new Error(`no turn: ${turn}`);
  await ground.trail.query(
    `update trail.export set state = 'running', claim = gen_random_uuid(), attempts = attempts + 1, started_at = clock_timestamp() where id = $1`,
    [turn.id],
  );
  return turn;
}

async function finish(turn: ExportTurn): Promise<void> {
  await ground.trail.query('delete from trail.export where id = $1', [turn.id]);
  await turn.release();
}

test('exports of one token wait for each other, and other tokens have their turns in between', async () => {
  const many = await askFor(await ground.token({ name: 'many', role: 'exporter' }), 3);
  const [few] = await askFor(await ground.token({ name: 'few', role: 'exporter' }), 1);
  const first = await begin();
  expect(first.id).toBe(many[0]);
  const second = await begin();
  expect(second.id).toBe(few);
  expect(await turns.next({ adminsOnly: false })).toBe('wait');
  await finish(first);
  const third = await begin();
  expect(third.id).toBe(many[1]);
  await finish(second);
  await finish(third);
  const last = await begin();
  expect(last.id).toBe(many[2]);
  await finish(last);
  expect(await turns.next({ adminsOnly: false })).toBe('none');
});

test("an admin's export comes before those that waited longer, and has a reserved place", async () => {
  const many = await askFor(await ground.token({ name: 'many', role: 'exporter' }), 3);
  const first = await begin();
  expect(first.id).toBe(many[0]);
  expect(await turns.next({ adminsOnly: true })).toBe('wait');
  const [own] = await askFor(await ground.token({ name: 'admin', role: 'admin' }), 1);
  const reserved = await begin(true);
  expect(reserved.id).toBe(own);
  await finish(first);
  await finish(reserved);
});

test('an export is taken over when its worker has ended; one that broke off waits for a while', async () => {
  const [id] = await askFor(await ground.token({ name: 'gone', role: 'exporter' }), 1);
  const turn = await begin();
  expect(await turns.next({ adminsOnly: false })).toBe('wait');
  // As when the worker's connections end with it.
  await turn.release();
  const again = await begin();
  expect(again.id).toBe(id);
  await ground.trail.query(`update trail.export set state = 'queued', claim = null`);
  await again.release();
  expect(await turns.next({ adminsOnly: false })).toBe('wait');
  await ground.trail.query(`update trail.export set started_at = clock_timestamp() - interval '1 minute'`);
  await finish(await begin());
});

test('a token has a quota of unfinished exports, also when it asks for them at once', async () => {
  const token = await ground.token({ name: 'flood', role: 'exporter' });
  const known = await ask(token, 'a-key');
  expect(known.status).toBe(202);
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(token)));
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(9);
  const refused = answers.find(({ status }) => status === 429)!;
  expect(refused.headers.get('retry-after')).toBe('10');
  expect(await refused.json()).toMatchObject({ code: 'EXPORT_QUOTA' });
  expect((await ask(token, 'a-key')).status).toBe(200);
  expect((await ask(await ground.token())).status).toBe(202);
});
