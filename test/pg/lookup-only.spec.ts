import pg from 'pg';
import { describe, expect, test } from '@jest/globals';
import { startCapture } from '../../src/capture/capture.js';
import { silentLog } from '../../src/log.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import type { TrackingPlan } from '../../src/tracking/findings.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import {
  applyTracking,
  readEntries,
  streaming,
  testConfig,
  untilCaughtUp,
  type PlainEntry,
} from '../support/capture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { viewGround, type AnsweredEntry } from '../support/tenant-view.ts';
import { until } from '../support/until.ts';

const SCHEMA = `
  create table people (id int primary key, name text, role text, secret text, seen int not null default 0);
  create table teams (id int primary key, name text, secret text, seen int not null default 0);
  create table badges (id int primary key, code text not null, name text);
  create table tasks (id int primary key, title text, team_id int, badge text, updated_by int);
  insert into people values (1, 'Dana', 'agent', 's3cret'), (2, 'Omer', 'agent', 's3cret');
  insert into teams values (1, 'Blue', 's3cret'), (2, 'Red', 's3cret');
  insert into badges values (1, 'g', 'Gold');`;
const TASKS = (labels: string): string => `
modifiers: { table: public.people, key: id, name: "{name}", kind: { column: role, bot: [bot] } }
tables: { public.tasks: { entity: task, modifier: { column: updated_by, always_set: true }, labels: { ${labels} } } }`;
const TEAM = 'team_id: { table: public.teams, key: id, name: "{name}" }';
const BADGE = 'badge: { table: public.badges, key: code, name: "{name}" }';

interface Ground extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  /** The configuration of a YAML, as the role of capture reads it. */
  config(yaml: string): TrackingConfig;
  caughtUp(): Promise<PlainEntry[]>;
}

/** A role that may read the columns that names come from, and nothing else. */
async function ground(): Promise<Ground> {
  const source = await freshDatabase('empty');
  const trail = await freshDatabase('trail');
  const role = `reader_${source.name}`;
  await source.query(`${SCHEMA}
    create role ${role} login replication password 'reader';
    grant select (id, name, role) on people to ${role};
    grant select (id, name) on teams to ${role}`);
  const url = new URL(source.url);
  url.username = role;
  url.password = 'reader';
  return {
    source,
    trail,
    config: (yaml) => testConfig({ source: { ...source, url: url.href }, trail, yaml }),
    caughtUp: async () => {
      await untilCaughtUp(source, trail);
      return readEntries(trail);
    },
    [Symbol.asyncDispose]: async () => {
      await source.query(`drop owned by ${role}; drop role ${role}`);
      await trail[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

async function planned(config: TrackingConfig): Promise<TrackingPlan> {
  const client = new pg.Client(config.source.url);
  await client.connect();
  try {
    return planTracking({ config, catalog: await readCatalog(client) });
  } finally {
    await client.end();
  }
}

describe('a table that is only looked up', () => {
  test('keeps its replica identity when that has its key, and needs rights only on key, name and kind', async () => {
    await using g = await ground();
    const yaml = TASKS(TEAM);
    await applyTracking(testConfig({ ...g, yaml }));
    const identities = await g.source.query(
      `select relname as table, relreplident as identity from pg_class where relname in ('people', 'teams', 'badges', 'tasks') order by 1`,
    );
    expect(identities).toEqual([
      { table: 'badges', identity: 'd' },
      { table: 'people', identity: 'd' },
      { table: 'tasks', identity: 'f' },
      { table: 'teams', identity: 'd' },
    ]);
    const plan = await planned(g.config(yaml));
    expect({ steps: plan.steps, problems: plan.problems }).toEqual({ steps: [], problems: [] });
    expect(plan.warnings.join('\n')).not.toContain('unknown');

    const config = g.config(yaml);
    let capture = startCapture({ config, readConfig: () => config, log: silentLog });
    try {
      await streaming(capture);
      await g.source.query(`insert into tasks values (1, 'Paint', 1, 'g', 1)`);
      // Most updates change no name: none of these is a new version of one.
      await g.source.query(`update people set seen = seen + 1; update teams set seen = seen + 1`);
      await g.source.query(`update people set seen = seen + 1; update teams set seen = seen + 1`);
      await g.source.query(
        `update people set name = 'Dana L.' where id = 1; update teams set name = 'Navy', seen = 0 where id = 1`,
      );
      await g.source.query(`update teams set seen = 5`);
      await g.source.query(`update tasks set title = 'Paint it' where id = 1`);
      await g.source.query(`update teams set id = 7 where id = 2`);
      await g.source.query(`insert into tasks values (2, 'Write', 2, null, 2), (3, 'Read', 7, null, 2)`);
      await g.source.query(`delete from teams where id = 7`);
      await g.source.query(`update tasks set title = 'Read it' where id = 3`);
      await g.source.query(`update tasks set team_id = 7 where id = 1`);
      const entries = (await g.caughtUp()).filter(({ table }) => table.includes('tasks'));
      expect(entries.map(({ modifier }) => modifier)).toEqual([
        'Dana',
        'Dana L.',
        'Omer',
        'Omer',
        'Omer',
        'Dana L.',
      ]);
      expect(await labels(g)).toEqual([
        [undefined, 'Blue'],
        [undefined, undefined],
        [undefined, undefined],
        [undefined, 'Red'],
        [undefined, undefined],
        ['Navy', undefined],
      ]);
      const versions = await g.trail.query(
        `select table_name as table, key, count(*)::int4 as count from trail.lookup group by 1, 2 order by 1, 2`,
      );
      expect(versions).toEqual([
        { table: 'public.people', key: '1', count: 2 },
        { table: 'public.people', key: '2', count: 1 },
        { table: 'public.teams', key: '1', count: 2 },
        { table: 'public.teams', key: '2', count: 2 },
        { table: 'public.teams', key: '7', count: 2 },
      ]);

      // Another rule: a table that is looked up by a column other than its key, and another form of name.
      await capture.stop();
      await g.source.query(`grant select (code, name) on badges to reader_${g.source.name}`);
      const other = TASKS(`${TEAM.replace('{name}', 'Team {name}')}, ${BADGE}`).replace(
        '"{name}", kind',
        '"{name} #{id}", kind',
      );
      await applyTracking(testConfig({ ...g, yaml: other }));
      expect(
        await g.source.query(`select relreplident as identity from pg_class where relname = 'badges'`),
      ).toEqual([{ identity: 'f' }]);
      const next = g.config(other);
      capture = startCapture({ config: next, readConfig: () => next, log: silentLog });
      await streaming(capture);
      await until(
        'the configuration to be in effect',
        () => capture.status().configuration.waitsFor === null,
      );
      await g.source.query(`insert into tasks values (4, 'Shine', 1, 'g', 2)`);
      const last = (await g.caughtUp()).filter(({ table }) => table.includes('tasks')).at(-1)!;
      expect(last.modifier).toBe('Omer #2');
      expect((await shown(g)).at(-1)!.labels?.updated).toEqual({ team_id: 'Team Navy', badge: 'Gold' });
    } finally {
      await capture.stop();
    }
  });

  test('gets full replica identity when PostgreSQL would refuse its updates', async () => {
    await using g = await ground();
    await g.source.query('alter table teams drop constraint teams_pkey');
    await applyTracking(testConfig({ ...g, yaml: TASKS(TEAM) }));
    await g.source.query('update teams set seen = 1');
    expect(
      await g.source.query(`select relreplident as identity from pg_class where relname = 'teams'`),
    ).toEqual([{ identity: 'f' }]);
  });
});

/** Entries of tasks as the API answers them, oldest first. */
async function shown(g: Ground): Promise<readonly AnsweredEntry[]> {
  await using views = await viewGround(g.trail);
  return [...(await (await views.as(null)).items('&entityType=task'))].reverse();
}

/** Words of the teams before and after. */
const labels = async (g: Ground): Promise<(readonly (string | undefined)[])[]> =>
  (await shown(g)).map(({ labels: words }) => [words?.previous['team_id'], words?.updated['team_id']]);
