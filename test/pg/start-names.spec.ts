import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { readStartNames } from '../../src/capture/start-names.js';
import { createLog, silentLog } from '../../src/log.js';
import { connect } from '../../src/pg/connect.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { planTracking } from '../../src/tracking/plan.js';
import { applyTracking, readEntries, streaming, testConfig, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { dropOwner, plantTraps, type TrappedDatabase } from '../support/traps.ts';

type Line = Readonly<Record<string, unknown>>;

function recordedLog() {
  const lines: Line[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString()) as Line);
      done();
    },
  });
  return { lines, log: createLog({ level: 'info', destination }) };
}

/** Labels with the words of these tables, by `id` and `name`. */
const labels = (...tables: readonly string[]): string => `
modifiers: { table: ${tables[0]!}, key: id, name: "{name}" }
tables: { public.notes: { entity: note, labels: {
  ${tables.map((table, index) => `l${index}: { table: ${table}, key: id, name: "{name}" }`).join(', ')} } } }`;

/** The names that a role reads, by table, and the log. */
async function namesOf(
  source: TestDatabase,
  options: { readonly url: string; readonly yaml: string; readonly lockTimeoutMs?: number },
) {
  const config = testConfig({ source: { ...source, url: options.url }, trail: source, yaml: options.yaml });
  const { lines, log } = recordedLog();
  const names: Record<string, string[]> = {};
  for await (const batch of readStartNames({
    ...options,
    config,
    snapshot: null,
    published: undefined,
    redactionKey: Buffer.from('key'),
    log,
    signal: new AbortController().signal,
  })) {
    for (const { table, key, name } of batch) (names[table] ??= []).push(`${key}: ${name}`);
  }
  return { names, lines };
}

/** A role for Waltrail that may log in and nothing else. */
async function withReader<T>(
  source: TestDatabase,
  work: (reader: { readonly role: string; readonly url: string }) => Promise<T>,
): Promise<T> {
  const role = `${source.name}_reader`;
  await source.query(`create role ${role} login replication password 'x'`);
  const url = new URL(source.url);
  url.username = role;
  url.password = 'x';
  try {
    return await work({ role, url: url.href });
  } finally {
    await source.query(`drop owned by ${role}`);
    await source.query(`drop role ${role}`);
  }
}

async function trappedSource(): Promise<TrappedDatabase> {
  const admin = await freshDatabase('empty');
  const source = await plantTraps(await freshDatabase('empty'));
  return {
    ...source,
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await dropOwner(admin, source.owner);
      await admin[Symbol.asyncDispose]();
    },
  };
}

describe('names that exist before the start', () => {
  test('are read unchanged, with rights on the named columns only', async () => {
    await using source = await freshDatabase('empty');
    await source.query(`create table public.people (id int4 primary key, name text, salary int4);
      insert into public.people values (1, e'a\\tb\\nc\\\\d'), (2, ''), (3, null), (4, '\\N'), (5, 'é😀')`);
    await withReader(source, async ({ role, url }) => {
      await source.query(`grant select (id, name) on public.people to ${role}`);
      const { names, lines } = await namesOf(source, { url, yaml: labels('public.people') });
      // An empty text is no name, as null is none.
      expect(names).toEqual({ 'public.people': ['1: a\tb\nc\\d', '4: \\N', '5: é😀'] });
      expect(lines).toEqual([]);
    });
  });

  test('are read from tables of any size, each key once in a batch, even without a unique constraint', async () => {
    await using source = await freshDatabase('empty');
    await source.query(`create table public.people (id int4, name text);
      insert into public.people select n / 2, 'person ' || n from generate_series(2, 20001) n`);
    const { names } = await namesOf(source, { url: source.url, yaml: labels('public.people') });
    expect(new Set(names['public.people']).size).toBeGreaterThanOrEqual(10_000);
    expect(names['public.people']).toContain('10000: person 20001');
    expect(names['public.people']).toContain('1: person 3');
  });

  test('are unknown, and reported once with the remedy, for a table that cannot be read; those of other tables are read', async () => {
    await using source = await trappedSource();
    await source.asOwner(`
      create table public.first (id int4 primary key, name pg_catalog.text);
      create table public.secret (id int4 primary key, name pg_catalog.text);
      create table public.filtered (id int4 primary key, name pg_catalog.text);
      alter table public.filtered enable row level security;
      create policy p on public.filtered using (traps.spring('policy'));
      create view public.shown as select * from public.first where traps.spring('view');
      create table public.computed (id int4 primary key, first pg_catalog.text, name pg_catalog.text generated always as (first || '!') stored);
      create table public.last (id int4 primary key, name pg_catalog.text);
      insert into public.first values (1, 'value 1'); insert into public.secret values (2, 'value 2');
      insert into public.filtered values (3, 'value 3'); insert into public.computed values (4, 'value 4');
      insert into public.last values (5, 'value 5');`);
    await withReader(source, async ({ role, url }) => {
      await source.query(
        `grant usage on schema public to ${role}; grant select on public.first, public.filtered, public.shown, public.computed, public.last to ${role}`,
      );
      const tables = ['first', 'secret', 'filtered', 'shown', 'computed', 'missing', 'last'].map(
        (name) => `public.${name}`,
      );
      const { names, lines } = await namesOf(source, { url, yaml: labels(...tables) });
      expect(names).toEqual({ 'public.first': ['1: value 1'], 'public.last': ['5: value 5'] });
      expect(lines.map(({ table }) => table)).toEqual(tables.slice(1, -1));
      expect(new Set(lines.map(({ code }) => code))).toEqual(new Set(['SOURCE_NAMES_UNREAD']));
      expect(lines.map(({ remedy }) => remedy)).toEqual([
        expect.stringContaining(`grant select ("id", "name") on "public"."secret" to "${role}";`),
        expect.stringContaining('bypassrls'),
        expect.stringContaining('ordinary table'),
        expect.stringContaining('generated from'),
        expect.stringContaining('YAML'),
      ]);
      expect(JSON.stringify(lines)).not.toContain('value');
    });
    expect(await source.sprung()).toEqual({ calls: 0, what: null });
  });

  test('are given up after a while for a locked table, and those of other tables are read', async () => {
    await using source = await freshDatabase('empty');
    await source.query(`create table public.busy (id int4 primary key, name text);
      create table public.people (id int4 primary key, name text);
      insert into public.busy values (1, 'x'); insert into public.people values (1, 'Dana')`);
    const migration = await connect({ url: source.url, purpose: 'test' });
    await migration.query('begin; lock table public.busy');
    const yaml = labels('public.busy', 'public.people');
    const { names, lines } = await namesOf(source, { url: source.url, yaml, lockTimeoutMs: 100 });
    await migration.end();
    expect(names).toEqual({ 'public.people': ['1: Dana'] });
    expect(lines).toEqual([
      expect.objectContaining({ table: 'public.busy', reason: expect.stringContaining('55P03') }),
    ]);
  });

  test('are read from the partitions of a table, and never from a foreign table or an inheritance child', async () => {
    await using source = await trappedSource();
    await source.query(`create foreign data wrapper elsewhere; create server elsewhere foreign data wrapper elsewhere;
      grant usage on foreign server elsewhere to ${source.owner}`);
    await source.asOwner(`
      create table public.teams (id int4, name pg_catalog.text, note pg_catalog.text) partition by range (id);
      create table public.teams_low partition of public.teams for values from (0) to (100) partition by range (id);
      create table public.teams_1 partition of public.teams_low for values from (0) to (10);
      create table public.teams_2 (note pg_catalog.text, name pg_catalog.text, id int4);
      alter table public.teams_low attach partition public.teams_2 for values from (10) to (20);
      create foreign table public.teams_far partition of public.teams for values from (100) to (200) server elsewhere;
      create table public.empty (id int4, name pg_catalog.text) partition by range (id);
      create table public.people (id int4 primary key, name pg_catalog.text);
      create foreign table public.people_far () inherits (public.people) server elsewhere;
      create table public.people_own (check (traps.spring('check'))) inherits (public.people);
      create index on public.teams_1 ((traps.constant(1)));
      insert into public.teams values (1, 'red'), (11, 'blue');
      insert into public.people values (7, 'Dana'); insert into public.people_own values (8, 'Omer');`);
    const { names, lines } = await namesOf(source, {
      url: source.url,
      yaml: labels('public.teams', 'public.empty', 'public.people'),
    });
    expect(names).toEqual({ 'public.teams': ['1: red', '11: blue'], 'public.people': ['7: Dana'] });
    expect(lines).toEqual([
      expect.objectContaining({
        table: 'public.teams',
        relation: 'public.teams_far',
        code: 'SOURCE_NAMES_UNREAD',
      }),
    ]);
    expect(await source.sprung()).toEqual({ calls: 0, what: null });
  });

  test('do not prevent capture when the role may not read them, and plan reports that before', async () => {
    await using source = await freshDatabase('empty');
    await using trail = await freshDatabase('trail');
    await source.query(`create table public.agents (id int4 primary key, name text);
      insert into public.agents values (1, 'Dana');
      create table public.notes (id int4 primary key, author int4)`);
    const yaml = `
modifiers: { table: public.agents, key: id, name: "{name}" }
tables: { public.notes: { entity: note, modifier: author } }`;
    await applyTracking(testConfig({ source, trail, yaml }));
    await withReader(source, async ({ role, url }) => {
      const config = testConfig({ source: { ...source, url }, trail, yaml });
      const client = await connect({ url, purpose: 'test' });
      const { problems, warnings } = planTracking({ config, catalog: await readCatalog(client) });
      await client.end();
      expect(problems).toEqual([]);
      expect(warnings.join('\n')).toContain(`grant select ("id", "name") on "public"."agents" to "${role}";`);
      const capture = startCapture({ config, log: silentLog });
      try {
        await streaming(capture);
        await source.query('insert into public.notes values (1, 1)');
        await source.query(`update public.agents set name = 'Dana Levi'`);
        await source.query('insert into public.notes values (2, 1)');
        await untilCaughtUp(source, trail);
      } finally {
        await capture.stop();
      }
      const entries = await readEntries(trail);
      expect(entries.map(({ modifierKey, modifier }) => [modifierKey, modifier])).toEqual([
        ['1', '1'],
        ['1', 'Dana Levi'],
      ]);
    });
  });
});
