import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { ELECTION_LOCK } from '../../src/trail/election.js';
import { holdersSql, takeLock } from '../../src/trail/role-lock.js';
import { elect } from '../../src/trail/write/checkpoint.js';
import { apiGround, type ApiGround } from '../support/api.ts';
import { makeLogins, type TrailLogins } from '../support/logins.ts';
import { until } from '../support/until.ts';

/** A key that earlier versions used for the lock. */
const PARTITIONS = `hashtextextended('trail.ensure_partitions', 0)`;

let ground: ApiGround;
let logins: TrailLogins;
let open: pg.Client[] = [];
beforeAll(async () => {
  ground = await apiGround({ roles: ['api', 'exports'] });
  // The queue makes its schema, which the logins would make, too.
  await until('the queue', async () =>
    /"exportQueue":"up"/.test(await (await ground.get('/readyz', 'none')).text()),
  );
  logins = await makeLogins(ground.trail);
});
afterEach(async () => {
  for (const client of open.splice(0)) await client.end();
});
afterAll(async () => {
  await logins[Symbol.asyncDispose]();
  await ground[Symbol.asyncDispose]();
});

/** Holds locks as a login until the test ends. */
async function holding(url: string, ...locks: string[]): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  open.push(client);
  for (const lock of locks) await client.query(`select ${lock}`);
  return client;
}
const elected = async (url: string): Promise<boolean> => {
  const client = await elect(url);
  if (client !== null) open.push(client);
  return client !== null;
};
const election = (exclusive = true): string =>
  `pg_advisory_lock${exclusive ? '' : '_shared'}(${ELECTION_LOCK.first}, ${ELECTION_LOCK.second})`;

test.each(['reader', 'api', 'keeper'] as const)(
  'a lock that a %s holds keeps nobody from being elected, and two are never elected',
  async (role) => {
    await holding(logins.urls[role], election(), `pg_advisory_lock(${PARTITIONS})`);
    expect(await elected(logins.urls.writer)).toBe(true);
    expect(await elected(logins.urls.writer)).toBe(false);
    expect(await elected(ground.trail.url)).toBe(false);
    expect(await elected(logins.urls.reader)).toBe(false);
  },
);

test('shared locks of several readers keep nobody from being elected, and status finds the daemon alone', async () => {
  const strangers = [
    await holding(logins.urls.reader, election(false)),
    await holding(logins.urls.reader, election(false)),
  ];
  expect(await elected(logins.urls.writer)).toBe(true);
  const { rows } = await open.at(-1)!.query<{ pid: number }>('select pg_backend_pid() as pid');
  expect(await ground.trail.query(`select pid from (${holdersSql(ELECTION_LOCK)}) holder`)).toEqual(rows);
  for (const stranger of strangers) await stranger.query('select pg_advisory_unlock_all()');
  expect(await elected(ground.trail.url)).toBe(false);
});

test('a reader that waits for the lock of a daemon that ends does not keep the next one out', async () => {
  expect(await elected(logins.urls.writer)).toBe(true);
  const [first] = open;
  const waiting = await holding(logins.urls.reader);
  const got = waiting.query(`select ${election()}`);
  await first!.end();
  open = open.filter((client) => client !== first);
  await got;
  await until('the next to be elected', () => elected(ground.trail.url));
});

test('of many that try at once beside a stranger, at most one is elected, and one is in the end', async () => {
  await holding(logins.urls.reader, election());
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 6 }, () => holding(logins.urls.writer)));
    const taken = await Promise.all(clients.map((client) => takeLock(client, ELECTION_LOCK)));
    expect(taken.filter((lock) => lock !== undefined).length).toBeLessThanOrEqual(1);
    for (const client of clients) await client.query('select pg_advisory_unlock_all()');
  }
  expect(await elected(logins.urls.writer)).toBe(true);
});

test('locks that a reader holds keep no export from being requested and made', async () => {
  const exporter = await ground.token({ name: 'exporter', role: 'exporter' });
  const [{ id: tokenId }] = (await ground.trail.query<{ id: string }>(
    `select id from trail.token where name = 'exporter'`,
  )) as [{ id: string }];
  await holding(
    logins.urls.reader,
    `pg_advisory_lock(hashtextextended('waltrail export ' || '${tokenId}', 0))`,
    `pg_advisory_lock(${0x57546578}, hashtext('${tokenId}'))`,
  );
  const asked = await ground.get('/v1/exports', exporter, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"format":"csv"}',
    signal: AbortSignal.timeout(5_000),
  });
  expect(asked.status).toBe(202);
  const { id } = (await asked.json()) as { id: string };
  await until('the export to be ready', async () => {
    const { state } = (await (await ground.get(`/v1/exports/${id}`, exporter)).json()) as { state: string };
    return state === 'ready';
  });
});
