import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createToken } from '../../src/admin/auth/tokens.js';
import { createLog, silentLog } from '../../src/log.js';
import { checkLogins } from '../../src/trail/logins.js';
import type { TrailUrls } from '../../src/trail/roles.js';
import { addressOf } from '../support/daemon.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { makeLogins, type TrailLogins } from '../support/logins.ts';
import { caller, firstNote, notesGround, untilReady } from '../support/notes.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/cli/cli.js');

let trail: TestDatabase;
let logins: TrailLogins;
beforeAll(async () => {
  trail = await freshDatabase('trail');
  logins = await makeLogins(trail);
});
afterAll(async () => {
  await logins[Symbol.asyncDispose]();
  await trail[Symbol.asyncDispose]();
});

const check = (urls: TrailUrls['urls'] = {}): Promise<void> =>
  checkLogins({ trail: { url: trail.url, urls }, writes: true, log: silentLog });

describe('a URL of trail.urls', () => {
  test('is accepted when its login has one role and nothing more', async () => {
    await check(logins.urls);
  });

  test.each([
    ['superuser', '', /it is a superuser/],
    ['createrole', '', /it is allowed to create roles/],
    ['replication', '', /it is allowed to start replication/],
    ['', 'grant waltrail_keeper to %s', /it is a member of waltrail_keeper/],
    ['noinherit', 'grant waltrail_keeper to %s', /it is a member of waltrail_keeper/],
    ['', 'grant pg_read_all_data to %s', /it is a member of pg_read_all_data/],
    ['', 'grant update (name) on trail.modifier to %s', /it may update on trail.modifier.name/],
    ['', 'grant delete on trail.entry to %s', /it may delete on trail.entry/],
    ['', 'grant execute on function trail.drop_before to %s', /it may execute trail.drop_before\(integer\)/],
    ['', 'grant create on schema trail to %s', /it may create objects in trail/],
  ])('is refused when its login has more rights (%s %s), and names them', async (attributes, grant, says) => {
    const login = `more_${trail.name}`;
    await trail.query(`create role ${login} login password 'p' ${attributes} in role waltrail_writer`);
    try {
      if (grant !== '') await trail.query(grant.replace('%s', login));
      const url = new URL(trail.url);
      url.username = login;
      url.password = 'p';
      await expect(check({ ...logins.urls, writer: url.href })).rejects.toMatchObject({
        code: 'TRAIL_LOGIN',
        message: expect.stringMatching(says),
        remedy: expect.stringContaining('in role waltrail_writer'),
      });
    } finally {
      await trail.query(`drop owned by ${login} cascade`);
      await trail.query(`drop role ${login}`);
    }
  });

  test('is refused when its login lacks the role, with the statement that grants it', async () => {
    await expect(check({ ...logins.urls, keeper: logins.urls.reader })).rejects.toMatchObject({
      code: 'TRAIL_LOGIN',
      message: `trail.urls.keeper: the login ${logins.names.reader} is not a member of waltrail_keeper.`,
      remedy: `As a user who may grant this role, run: grant waltrail_keeper to "${logins.names.reader}";`,
    });
  });

  test('is refused when it leads to another trail, although its login has the role there', async () => {
    await using other = await freshDatabase('trail');
    const url = new URL(logins.urls.api);
    url.pathname = `/${other.name}`;
    await expect(check({ ...logins.urls, api: url.href })).rejects.toMatchObject({
      code: 'TRAIL_LOGIN',
      message: 'trail.urls.api leads to another database than trail.url.',
    });
  });

  test('is reported without its password when it cannot be opened', async () => {
    const url = new URL(logins.urls.api);
    url.username = 'nobody_there';
    url.password = 's3cret';
    const error = await check({ api: url.href }).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: expect.stringMatching(/^PG_/) });
    expect(JSON.stringify([(error as Error).message, error])).not.toContain('s3cret');
  });
});

test('the owner of the trail is warned once, with the roles that have no login, and the SQL that creates them', async () => {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>);
      done();
    },
  });
  const { writer, reader } = logins.urls;
  await checkLogins({
    trail: { url: trail.url, urls: { writer, reader } },
    writes: true,
    log: createLog({ level: 'info', destination }),
  });
  expect(lines).toMatchObject([
    {
      level: expect.anything(),
      roles: ['waltrail_api', 'waltrail_keeper'],
      remedy: expect.stringContaining("create role trail_api login password '…' in role waltrail_api;"),
    },
  ]);
});

test('a daemon that knows no owner captures, answers, exports and keeps the trail', async () => {
  const pool = new pg.Pool({ connectionString: trail.url, max: 1 });
  const token = await createToken(pool, { name: 'test', role: 'admin' });
  await pool.end();
  await using ground = await notesGround({
    trail,
    trailUrl: logins.urls.reader,
    trailYaml: `, urls: { writer: "\${W}", reader: "\${WALTRAIL_TRAIL_URL}", api: "\${A}", keeper: "\${K}" }, retention: 40d`,
    environment: { W: logins.urls.writer, A: logins.urls.api, K: logins.urls.keeper },
  });
  const { source, daemons } = ground;
  const daemon = daemons.start(['--port', '0']);
  const call = caller(await addressOf(daemon), token);
  await firstNote({ source, trail, call, body: 'Hello' });
  const created = await call('/v1/exports', { method: 'POST', body: '{"format":"csv"}' });
  const { id } = (await created.json()) as { id: string };
  await untilReady(call, id);
  expect(await (await call(`/v1/exports/${id}/file`)).text()).toContain('Hello');
  const signedIn = await call('/v1/session', { method: 'POST', body: JSON.stringify({ token }) });
  expect(signedIn.status).toBe(200);
  const used = await trail.query<{ login: string }>(
    `select distinct usename::text as login from pg_stat_activity where datname = $1 and application_name like 'waltrail %' order by 1`,
    [trail.name],
  );
  expect(used.map(({ login }) => login)).toEqual(
    [logins.names.api, logins.names.keeper, logins.names.reader, logins.names.writer].sort(),
  );
  expect(daemon.log()).not.toMatch(/42501|may do more|housekeeping failed/);

  const plan = await promisify(execFile)(process.execPath, [CLI, 'plan'], {
    env: {
      PATH: process.env.PATH,
      WALTRAIL_SOURCE_URL: source.url,
      WALTRAIL_TRAIL_URL: trail.url,
      WALTRAIL_CONFIG: path.join(daemons.folder, 'waltrail.yaml'),
      W: logins.urls.reader,
      A: logins.urls.api,
      K: logins.urls.keeper,
    },
  }).catch((error: unknown) => error as { stdout: string });
  expect(plan.stdout).toContain(
    `trail.urls.writer: the login ${logins.names.reader} is not a member of waltrail_writer.`,
  );
});

test('plan prints the SQL that creates a login for each role, when the owner is used for all', async () => {
  await using ground = await notesGround({ trail });
  const { source, daemons } = ground;
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'plan'], {
    env: {
      PATH: process.env.PATH,
      WALTRAIL_SOURCE_URL: source.url,
      WALTRAIL_TRAIL_URL: trail.url,
      WALTRAIL_CONFIG: path.join(daemons.folder, 'waltrail.yaml'),
    },
  });
  for (const role of ['writer', 'reader', 'api', 'keeper'])
    expect(stdout).toContain(`create role trail_${role} login password '…' in role waltrail_${role};`);
});
