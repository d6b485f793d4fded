import { randomBytes } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import ExcelJS from 'exceljs';
import pg from 'pg';
import { createToken } from '../../src/admin/auth/tokens.js';
import { applyTracking, readEntries, untilCaughtUp } from '../support/capture.ts';
import { daemonGround, untilStreaming, type DaemonProcess } from '../support/daemon.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { loadConfig } from '../../src/tracking/load.js';
import { until } from '../support/until.ts';

/** Every secret begins with this text, so one search finds all. The rest tells which secret it was. */
const CANARY = `Cn${randomBytes(8).toString('hex')}`;
const secret = (place: string): string => `${CANARY}.${place}`;
const PASSWORD = `${CANARY}-login`;

const SCHEMA = `
  create table people (email text primary key, name text, motto text);
  create table vault (id int primary key, title text, masked text, dropped text, hashed text, cut text, password text,
    password_digest bytea, otp_codes text[], settings jsonb, raw json, list jsonb[], note text, boss text, org text);
  create table listed (id int primary key, shown text, hidden text);
  create table moving (id int primary key, password text, filler text);
  create table bulk (id int primary key, secret text);
  insert into people values ('${secret('start')}@x.test', 'Dana', '${secret('start name')}');
  insert into moving values (1, '${secret('old')}', 'f');`;

const YAML = `
source: { name: canary, url: "\${WALTRAIL_SOURCE_URL}", slot: "\${SLOT}", publication: waltrail }
trail: { url: "\${WALTRAIL_TRAIL_URL}" }
redact:
  - { columns: [masked, email, boss, motto], with: mask }
  - { columns: [dropped], with: drop }
  - { columns: [hashed, org], with: hash }
  - { columns: [cut], with: { truncate: 4 } }
  - { columns: ['*.kept.pin'], with: mask }
modifiers: { table: public.people, key: email, name: "{name} {motto}" }
tables:
  public.vault: { entity: vault, name: "{title} {masked} {hashed} {password} {note} {dropped}", modifier: boss, tenant: org, labels: { boss: { table: public.people, key: email, name: "{name} {motto}" } } }
  public.listed: { entity: listed, columns: [shown] }
  public.moving: { entity: moving, name: "{password}" }
  public.bulk: { entity: bulk }`;

/** Sets the password of a role, which must not appear anywhere either. */
async function withRole(database: TestDatabase, role: string): Promise<string> {
  await database.query(`create role ${role} login superuser replication password '${PASSWORD}'`);
  const url = new URL(database.url);
  url.username = role;
  url.password = PASSWORD;
  return url.href;
}

const json = (place: string): string =>
  JSON.stringify({
    api_key: secret(`${place} member`),
    deep: [[{ a: { clientSecret: secret(`${place} deep`), tokens: [secret(`${place} list`)] } }]],
    kept: { pin: secret(`${place} path`), n: 1 },
    dsn: `postgres://app:${secret(`${place}-url`)}@db/x?a=1`,
    link: `https:\/\/x.test/reset?reset_token=${secret(`${place}-query`)}&a=1`,
    header: `Bearer ${secret(`${place}-bearer`)}`,
  });

const context = (place: string): string =>
  JSON.stringify({ modifier: '7', context: JSON.parse(json(place)) as unknown });

async function changeRows(source: TestDatabase): Promise<void> {
  const client = new pg.Client(source.url);
  await client.connect();
  try {
    const text = (place: string): string =>
      `see postgres://u:${secret(`${place}-text`)}@h/d and https://h/?token=${secret(`${place}-parameter`)} Bearer ${secret(`${place}-word`)}`;
    const values = (place: string): unknown[] => [
      secret(`${place} masked`),
      secret(`${place} dropped`),
      secret(`${place} hashed`),
      `abcd${secret(`${place} cut`)}`,
      secret(`${place} password`),
      Buffer.from(secret(`${place} digest`)),
      [secret(`${place} code`), `with "quotes" ${secret(`${place} code 2`)}`],
      json(`${place} jsonb`),
      `{"pass\\u0077ord" :"${secret(`${place} escaped`)}", "a":1.10, "a":2, "u":"https:\\/\\/u:${secret(`${place}-slash`)}@h"}`,
      [json(`${place} element`)],
      text(place),
      `${secret(`${place} boss`)}@x.test`,
      secret(`${place} org`),
    ];
    const columns =
      'masked, dropped, hashed, cut, password, password_digest, otp_codes, settings, raw, list, note, boss, org';
    const marks = columns.split(', ').map((_, index) => `$${index + 1}`);
    await client.query(
      `insert into vault (id, title, ${columns}) values (1, 'first', ${marks.join()})`,
      values('insert'),
    );
    await client.query(
      `update vault set title = 'second', (${columns}) = (${marks.join()})`,
      values('update'),
    );
    await client.query(`delete from vault`);
    await client.query(`insert into listed values (1, 'shown', $1)`, [secret('listed')]);
    await client.query(`insert into people values ($1, 'Eva', $2)`, [
      `${secret('person')}@x.test`,
      secret('person name'),
    ]);
    await client.query(`update people set email = $1, motto = $2 where name = 'Eva'`, [
      `${secret('person 2')}@x.test`,
      secret('person name 2'),
    ]);
    await client.query('begin');
    await client.query(`select pg_logical_emit_message(true, 'waltrail', $1)`, [context('context')]);
    await client.query(`select pg_logical_emit_message(true, '_bemi', $1)`, [json('bemi')]);
    await client.query(`select pg_logical_emit_message(true, 'waltrail', $1)`, [
      `{"modifier": {"x": "${secret('no key')}"}, "context": [${secret('no json')}`,
    ]);
    await client.query(`select pg_logical_emit_message(true, 'other', $1)`, [secret('foreign')]);
    await client.query(`insert into listed values (2, 'b', $1)`, [secret('after message')]);
    await client.query('commit');
    await client.query(`update moving set password = $1`, [secret('before rename')]);
    await client.query(
      `alter table moving rename password to pwd_now; alter table moving rename pwd_now to words`,
    );
    await client.query(`update moving set words = $1`, [secret('after rename')]);
    await client.query(`truncate listed`);
  } finally {
    await client.end();
  }
}

/** Every row of every table of the trail's database, including the queue, without its log of statements. */
async function everyRow(trail: TestDatabase): Promise<string> {
  const tables = await trail.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const rows: unknown[] = [];
  for (const { name } of tables) rows.push(await trail.query(`select t::text from ${name} t`));
  expect(tables.map(({ name }) => name).join()).toContain('bullmq');
  return JSON.stringify(rows);
}

/**
 * The secret as it is and as it may be encoded: hexadecimal, base64 at each offset, and in parts of a file.
 */
function expectNone(where: string, text: string | Buffer): void {
  const bytes = Buffer.from(text);
  const core = CANARY.slice(2);
  const forms = [core, Buffer.from(core).toString('hex')];
  for (const shift of [0, 1, 2])
    forms.push(
      Buffer.from(`${'x'.repeat(shift)}${core}`)
        .toString('base64')
        .slice(4, 16),
    );
  const found = forms.filter((form) => bytes.includes(form));
  const at = found.length === 0 ? -1 : bytes.indexOf(found[0]!);
  expect([where, at < 0 ? '' : bytes.subarray(Math.max(0, at - 100), at + 60).toString()]).toEqual([
    where,
    '',
  ]);
}

async function expectNoneInFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.name !== 'waltrail.yaml')
      expectNone(entry.name, await readFile(path.join(entry.parentPath, entry.name)));
}

/** Searches a file that was removed when it was opened. Returns the number of bytes that were read. */
async function expectNoneInSpool(pid: number, folder: string): Promise<number> {
  let bytes = 0;
  for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
    const link = `/proc/${pid}/fd/${descriptor}`;
    if (!(await readlink(link).catch(() => '')).startsWith(folder)) continue;
    const spooled = await readFile(link);
    expectNone('the spool', spooled);
    bytes += spooled.length;
  }
  return bytes;
}

async function expectNoneInAnswers(url: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const get = async (route: string): Promise<Buffer> =>
    Buffer.from(await (await fetch(new URL(route, url), { headers })).arrayBuffer());
  const entries = JSON.parse((await get('/v1/entries?limit=200')).toString()) as { items: { id: string }[] };
  expect(entries.items.length).toBeGreaterThan(10);
  for (const route of [
    '/',
    '/metrics',
    '/healthz',
    '/readyz',
    '/docs',
    '/v1/openapi.json',
    '/v1/status',
    '/v1/facets',
    '/v1/gaps',
    '/v1/entries?limit=200',
    '/v1/entries?q=Dana',
    ...entries.items.map(({ id }) => `/v1/entries/${id}`),
  ])
    expectNone(route, await get(route));
  for (const format of ['xlsx', 'csv', 'ndjson']) {
    const asked = await fetch(new URL('/v1/exports', url), {
      method: 'POST',
      headers,
      body: JSON.stringify({
        format,
        from: new Date(Date.now() - 3_600_000).toISOString(),
        to: new Date(Date.now() + 60_000).toISOString(),
      }),
    });
    const { id } = (await asked.json()) as { id: string };
    await until(
      `the ${format} to be ready`,
      async () =>
        (JSON.parse((await get(`/v1/exports/${id}`)).toString()) as { state: string }).state === 'ready',
    );
    const file = await get(`/v1/exports/${id}/file`);
    expectNone(format, file);
    if (format !== 'xlsx') continue;
    const workbook = new ExcelJS.Workbook();
    await workbook.xlsx.load(file as unknown as ExcelJS.Buffer);
    const cells = workbook.worksheets.map((sheet) => sheet.getSheetValues());
    expect(JSON.stringify(cells)).toContain('vault');
    expectNone('cells', JSON.stringify(cells));
  }
}

const urlOf = (daemon: DaemonProcess): string | undefined => /"url":"(http[^"]+)"/.exec(daemon.log())?.[1];

test('a secret from any place is in no entry, log, metric, queue, file, spool, answer, export or crash message', async () => {
  await using source = await freshDatabase('empty');
  await using trail = await freshDatabase('trail');
  const role = `canary_${source.name}`;
  const sourceUrl = await withRole(source, role);
  const trailUrl = new URL(sourceUrl);
  trailUrl.pathname = `/${trail.name}`;
  try {
    await source.query(SCHEMA);
    await source.query(`alter system set logical_decoding_work_mem = '64kB'`);
    await source.query('select pg_reload_conf()');
    await using ground = await daemonGround({
      sourceUrl,
      trailUrl: trailUrl.href,
      yaml: YAML,
      environment: { SLOT: `slot_${source.name}`, WALTRAIL_LOG_LEVEL: 'debug' },
    });
    const spool = path.join(ground.folder, 'spool');
    await applyTracking(
      loadConfig({
        file: path.join(ground.folder, 'waltrail.yaml'),
        environment: {
          WALTRAIL_SOURCE_URL: sourceUrl,
          WALTRAIL_TRAIL_URL: trailUrl.href,
          SLOT: `slot_${source.name}`,
        },
      }),
    );
    const crash = Buffer.from(
      `process.on('SIGUSR2', () => { throw new Error('an error that nobody caught', { cause: new Error('its cause') }); })`,
    ).toString('base64');
    const daemon = ground.start(['--port', '0'], {
      WALTRAIL_SPOOL_DIR: spool,
      NODE_OPTIONS: `--import=data:text/javascript;base64,${crash}`,
    });
    const stores = () => untilCaughtUp(source, trail);
    await untilStreaming(daemon);
    await changeRows(source);
    await stores();
    const entries = await readEntries(trail);
    expect(entries.filter(({ table }) => table === 'public.vault')).toHaveLength(3);
    expect(entries.find(({ table }) => table === 'public.vault')!.updated).toMatchObject({
      masked: '***',
      cut: 'abcd…',
      password: '***',
    });

    // While a transaction is spooled, its rows are in a file and not redacted yet.
    const running = new pg.Client(sourceUrl);
    running.on('error', () => undefined);
    await running.connect();
    await running.query(
      `begin; insert into bulk select n, '${secret('spool')}' || n from generate_series(1, 20000) n`,
    );
    await until(
      'rows to lie in the spool',
      async () => (await expectNoneInSpool(daemon.pid, spool)) > 50_000,
    );
    await running.query('commit');
    await running.end();
    await stores();

    // The trail refuses a row, and its error holds that row.
    await trail.query(
      `alter table trail.entry add constraint refused check (entity_name not like 'third%') not valid`,
    );
    await source.query(
      `insert into vault (id, title, password, settings, note) values (3, 'third', '${secret('refused')}', '${json('refused')}', 'a://b:${secret('refused-note')}@c')`,
    );
    await until(`the trail to refuse: ${daemon.log()}`, () => daemon.log().includes('23514'));
    await trail.query(`alter table trail.entry drop constraint refused`);
    await stores();

    const token = await tokenFor(trail);
    await until('the daemon to serve', () => urlOf(daemon) !== undefined);
    await expectNoneInAnswers(urlOf(daemon)!, token);
    expectNone('the trail', await everyRow(trail));
    await expectNoneInFiles(ground.folder);

    process.kill(daemon.pid, 'SIGUSR2');
    await until('the daemon to crash', () => daemon.exited);
    expect(daemon.log()).toContain('an error that nobody caught');
    expect(daemon.log().length).toBeLessThan(100_000);
    expectNone('the log', daemon.log());

    // Errors of connections, with the passwords of their URLs.
    for (const [name, url] of [
      ['WALTRAIL_SOURCE_URL', sourceUrl],
      ['WALTRAIL_TRAIL_URL', trailUrl.href],
    ] as const) {
      const broken = new URL(url);
      broken.port = '1';
      const failing = ground.start(['--port', '0'], { [name]: broken.href });
      await until('the daemon to fail', () => failing.exited || failing.log().includes('PG_UNREACHABLE'));
      expectNone(name, failing.log());
      await failing.kill('SIGKILL');
    }
  } finally {
    await source.query(`alter system reset logical_decoding_work_mem`);
    await source.query('select pg_reload_conf()');
    // The objects it owns are dropped with the databases.
    await source.query(`alter role ${role} nologin`);
  }
});

async function tokenFor(trail: TestDatabase): Promise<string> {
  const pool = new pg.Pool({ connectionString: trail.url, max: 1 });
  try {
    return await createToken(pool, { name: 'canary', role: 'admin' });
  } finally {
    await pool.end();
  }
}
