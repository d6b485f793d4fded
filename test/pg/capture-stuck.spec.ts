import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Pace } from '../../src/capture/pace.js';
import { applyTracking, captureGround, streaming, type CaptureGround } from '../support/capture.ts';
import { waltrail, type CommandResult } from '../support/command.ts';
import { until } from '../support/until.ts';

const SCHEMA = `
  create table customers (id bigint generated always as identity primary key, name text);
  create table notes (id bigint generated always as identity primary key, body text);
  create table agents (id int primary key, name text);`;
const YAML = `
modifiers: { table: public.agents, key: id, name: "{name}" }
tables:
  public.customers: { entity: customer, name: "{name}" }
  public.notes: { entity: note, name: "{body}" }`;

/**
 * The pace of a daemon, but with a shorter wait before an operator's error is tried again, and a shorter time
 * until it needs a person.
 */
const TICK_MS = 500;
const QUICK = { tickMs: TICK_MS, patienceMs: 2_000 };

const ground = (pace: Partial<Pace> = QUICK) =>
  captureGround({ schemaSql: SCHEMA, yaml: YAML, options: { pace } });

/** Makes the trail refuse every entry that holds this text, with this SQLSTATE. */
async function refuse(g: CaptureGround, text: string, sqlState = '22021'): Promise<void> {
  await g.trail.query(`create or replace function public.refuse() returns trigger language plpgsql as
    $$ begin if new.updated like '%${text}%' then raise exception 'not this one' using errcode = '${sqlState}'; end if; return new; end $$`);
  await g.trail.query(
    `create trigger refuse before insert on trail.entry for each row execute function public.refuse()`,
  );
}

/** What capture waits for, once it names the transaction. */
async function stuck(
  g: CaptureGround,
): Promise<{ code: string; message: string; remedy: string; lsn: string }> {
  await until('capture to need a person', () => {
    const { state, error } = g.capture.status();
    return state === 'stopped' && error!.remedy.includes('waltrail skip --at');
  });
  const error = g.capture.status().error!;
  return { ...error, lsn: /waltrail skip --at (\S+)/.exec(error.remedy)![1]! };
}

async function skip(g: CaptureGround, ...args: string[]): Promise<CommandResult> {
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-skip-'));
  const configFile = path.join(folder, 'waltrail.yaml');
  await writeFile(
    configFile,
    `source: { name: test, url: "${g.source.url}", slot: "${g.config.source.slot}" }\ntrail: { url: "${g.trail.url}" }\n${YAML}`,
  );
  try {
    return await waltrail(['skip', ...args], { WALTRAIL_CONFIG: configFile });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const names = async (g: CaptureGround): Promise<(string | null | undefined)[]> =>
  (await g.caughtUp())
    .filter(({ rung }) => rung !== 'w')
    .map(({ updated }) => updated!.name ?? updated!.body);

describe('a transaction that the trail refuses again and again', () => {
  test('needs a person within a minute, is named by table and LSN, and is passed over alone when asked', async () => {
    // At the pace of a daemon.
    await using g = await ground({ tickMs: TICK_MS });
    await refuse(g, 'poison');
    const began = performance.now();
    // One batch: many small transactions, one of them refused.
    await g.source.query(`
      do $$ begin
        for i in 1..20 loop
          insert into customers (name) values ('c' || i); commit;
        end loop;
        insert into customers (name) values ('with it'); insert into notes (body) values ('poison'); commit;
        for i in 21..40 loop
          insert into customers (name) values ('c' || i); commit;
        end loop;
      end $$`);
    const error = await stuck(g);
    expect(performance.now() - began).toBeLessThan(60_000);
    expect(error).toMatchObject({ code: 'TRAIL_WRITE_FAILED' });
    expect(error.message).toContain('22021');
    expect(error.message).toContain(`commits at ${error.lsn} (public.customers, public.notes)`);
    expect(error.message).not.toContain('poison');
    const before = await g.entries();
    expect(before).toHaveLength(20);
    expect(await skip(g)).toMatchObject({ code: 1, output: expect.stringContaining(error.lsn) });

    expect(await skip(g, '--at', '0/1', '--reason', 'x', '--json')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('SKIP_OTHER_LSN'),
    });
    expect(await skip(g, '--at', error.lsn, '--reason', 'Ticket 7: cannot be stored')).toMatchObject({
      code: 0,
    });
    await streaming(g.capture, { fromStopped: true });
    expect(await names(g)).toEqual(Array.from({ length: 40 }, (_, index) => `c${index + 1}`));
    const [opened, closed] = (await g.entries()).filter(({ rung }) => rung === 'w');
    expect(opened).toMatchObject({ action: 'gap', commitLsn: error.lsn });
    expect(opened!.entityName).toMatch(/skipped \(Ticket 7: cannot be stored\)$/);
    expect(opened!.updated).toMatchObject({
      code: 'SOURCE_TRANSACTION_SKIPPED',
      tables: 'public.customers, public.notes',
    });
    expect(closed).toMatchObject({ action: 'gap_closed' });
    const [request] = await g.trail.query(
      `select asked_by, done_at is not null as done, gap_id from trail.skip`,
    );
    expect(request).toMatchObject({ done: true, gap_id: 1, asked_by: expect.stringMatching(/, \w+$/) });
    expect(await skip(g, '--at', error.lsn, '--reason', 'x', '--json')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('SKIP_NOT_WAITING'),
    });
    // The stream continues at the right place, also after a restart.
    await g.restart();
    await g.source.query(`insert into customers (name) values ('later')`);
    expect((await names(g)).at(-1)).toBe('later');
  });

  test('lets the lag show the WAL that waits on the source, and not only what the source has sent', async () => {
    await using g = await ground();
    await refuse(g, 'poison', '23514');
    await g.source.query(`insert into customers (name) values ('poison')`);
    await stuck(g);
    // In WAL alone: a message without a transaction that no one listens to.
    await g.source.query(
      `select pg_logical_emit_message(false, 'another', repeat('x', 1000000)) from generate_series(1, 5)`,
    );
    await until('the lag to grow', () => g.capture.status().lagBytes! > 5_000_000);
    await g.trail.query('drop trigger refuse on trail.entry');
    await until('the lag to end', () => g.capture.status().lagBytes! < 5_000_000);
  });

  test('stays stopped while it is retried, is known to the next process, and is stored when the trail accepts it', async () => {
    await using g = await ground();
    await refuse(g, 'poison', '23514');
    await g.source.query(`insert into customers (name) values ('poison')`);
    const error = await stuck(g);
    const seen = new Set<string>();
    const watching = setInterval(() => seen.add(g.capture.status().state), 5);
    const backends = new Set<number>();
    // Each try is a session of its own.
    await until('three more tries', async () => {
      const rows = await g.trail.query<{ pid: number }>(
        `select pid from pg_stat_activity where datname = current_database() and application_name = 'waltrail capture'`,
      );
      for (const { pid } of rows) backends.add(pid);
      return backends.size >= 3;
    });
    clearInterval(watching);
    expect([...seen]).toEqual(['stopped']);
    await g.capture.stop();
    const restarted = performance.now();
    g.capture = (await import('../../src/capture/capture.js')).startCapture({
      config: g.config,
      log: (await import('../../src/log.js')).silentLog,
      pace: QUICK,
    });
    expect((await stuck(g)).lsn).toBe(error.lsn);
    expect(performance.now() - restarted).toBeLessThan(15_000);
    await g.trail.query(`drop trigger refuse on trail.entry`);
    await streaming(g.capture, { fromStopped: true });
    expect(await names(g)).toEqual(['poison']);
    expect(await skip(g, '--at', error.lsn, '--reason', 'x', '--json')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('SKIP_NOT_WAITING'),
    });
    expect(await g.trail.query(`select from trail.gap`)).toEqual([]);
  });

  test('is named and passed over, too, when it is larger than memory and streamed while it runs', async () => {
    await using g = await ground();
    await refuse(g, 'poison');
    await g.source.query(`alter system set logical_decoding_work_mem = '64kB'`);
    await g.source.query(`select pg_reload_conf()`);
    try {
      await g.restart();
      await g.source.query(`insert into customers (name) values ('before')`);
      await g.source.query(
        `insert into customers (name) select case i when 15000 then 'poison' else 'a name of some length ' || i end from generate_series(1, 30000) i`,
      );
      await g.source.query(`insert into customers (name) values ('after')`);
      const error = await stuck(g);
      expect(error.message).toContain('(public.customers)');
      await skip(g, '--at', error.lsn, '--reason', 'too much');
      await streaming(g.capture, { fromStopped: true });
      expect(await names(g)).toEqual(['before', 'after']);
    } finally {
      await g.source.query(`alter system reset logical_decoding_work_mem`);
      await g.source.query(`select pg_reload_conf()`);
    }
  });
});

test('names that a skipped transaction changed are read again in their current state', async () => {
  await using g = await captureGround({
    schemaSql: `${SCHEMA} alter table customers add column updated_by int; insert into agents values (1, 'Dana');`,
    yaml: YAML.replace('entity: customer,', 'entity: customer, modifier: updated_by,'),
    options: { pace: QUICK },
  });
  await refuse(g, 'poison');
  await g.source.query(
    `begin; update agents set name = 'Dana Levi'; insert into customers (name) values ('poison'); commit`,
  );
  const error = await stuck(g);
  await skip(g, '--at', error.lsn, '--reason', 'x');
  await g.source.query(`insert into customers (name, updated_by) values ('next', 1)`);
  await streaming(g.capture, { fromStopped: true });
  expect((await g.caughtUp()).at(-1)).toMatchObject({ modifier: 'Dana Levi' });
});

test('a table leaves the publication while another transaction cannot be stored: each is reported, and ends', async () => {
  await using g = await ground();
  const told = async (action: string, count: number) =>
    until(`${count} entries ${action}`, async () => {
      const entries = await g.entries();
      return entries.filter((entry) => entry.rung === 'w' && entry.action === action).length === count;
    });
  await g.source.query('alter publication waltrail drop table customers');
  await told('gap', 1);
  await refuse(g, 'poison');
  await g.source.query(`insert into notes (body) values ('poison')`);
  const error = await stuck(g);
  await g.source.query(`alter publication waltrail drop table agents`);
  expect(await skip(g, '--at', error.lsn, '--reason', 'x')).toMatchObject({ code: 0 });
  await streaming(g.capture, { fromStopped: true });
  // Gaps of two tables, and one of the transaction.
  await told('gap', 3);
  await g.source.query(`insert into notes (body) values ('next')`);
  expect(await names(g)).toEqual(['next']);
  await applyTracking(g.config);
  await told('gap_closed', 3);
});

test('a walsender that fails at one transaction each time is an error that names that place', async () => {
  await using g = await captureGround({
    schemaSql: `create type mood as enum ('glad', 'sad');
      create table people (id int primary key, mood mood, note text);
      insert into people values (1, 'glad', ''), (2, 'sad', '');`,
    yaml: `tables: { public.people: { entity: person } }`,
    options: { pace: QUICK },
  });
  // A value without a label, as a damaged catalog leaves it: its output function fails, here and in the
  // walsender.
  await g.source.query(`delete from pg_enum where enumlabel = 'sad' and enumtypid = 'mood'::regtype`);
  await g.source.query(`update people set note = 'x' where id = 1`);
  await g.source.query(`update people set note = 'y' where id = 2`);
  await g.source.query(`update people set note = 'z' where id = 1`);
  const error = await stuck(g);
  expect(error).toMatchObject({
    code: 'SOURCE_REPLICATION_FAILED',
    message: expect.stringContaining('22P03'),
  });
  expect(error.message).toContain(`commits at ${error.lsn}`);
  await g.trail.query(`select trail.ask_skip($1, 'a label is missing', 'dba')`, [error.lsn]);
  await streaming(g.capture, { fromStopped: true });
  const entries = await g.caughtUp();
  expect(entries.filter(({ rung }) => rung !== 'w').map(({ updated }) => updated!.note)).toEqual(['x', 'z']);
});
