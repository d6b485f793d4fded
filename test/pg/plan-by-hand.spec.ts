import { execFile, execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { planTracking } from '../../src/tracking/plan.js';
import { planSql, planText } from '../../src/tracking/plan-text.js';
import { freshDatabase } from '../support/database.ts';
import { catalogOf, trackingConfig } from '../support/tracking.ts';

const hasPsql = ((): boolean => {
  try {
    execFileSync('psql', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Runs SQL as an operator does who has copied it. */
const psql = (url: string, sql: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = ['--no-psqlrc', '--set', 'ON_ERROR_STOP=1', '--single-transaction', '--file', '-', url];
    const child = execFile('psql', options, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`psql: ${stderr}`));
    });
    child.stdin!.end(sql);
  });

// psql has its own syntax around SQL: variables after a colon, commands after a backslash.
(hasPsql || process.env.CI === 'true' ? test : test.skip)(
  'the SQL that plan prints does the same in psql as apply, including the event trigger (needs psql)',
  async () => {
    await using database = await freshDatabase('empty');
    await database.query(
      `create table items (id int primary key, x int);
       create schema "we:ird"; create table "we:ird"."a\\b""c':id" (":id" int primary key, "x'y" text);
       create table events (id int, x int) partition by range (id);
       create table events_1 partition of events for values from (0) to (10)`,
    );
    const config = trackingConfig(database, {
      tables: `
  public.items: { entity: item }
  public.events: { entity: event }
  '"we:ird"."a\\b""c'':id"': { entity: odd }`,
      eventTrigger: true,
    });
    const catalog = await catalogOf(database.url);
    const plan = planTracking({ config, catalog });
    expect(new Set(plan.steps.map(({ kind }) => kind))).toEqual(
      new Set(['event_trigger', 'replica_identity', 'publication_create']),
    );
    expect(plan.problems).toEqual([]);

    const [, steps] = /^Steps, in one transaction\n(.*?)\n\n(?=Replica identity full adds|Warnings)/ms.exec(
      planText({ plan, costs: [], baselines: [], catalog, config }),
    )!;
    expect(planSql(plan)).toBe(steps);
    await psql(database.url, steps!);

    const left = planTracking({ config, catalog: await catalogOf(database.url) });
    expect([left.steps, left.problems]).toEqual([[], []]);
    await database.query('create table events_2 partition of events for values from (10) to (20)');
    expect(await database.query(`select relreplident from pg_class where relname = 'events_2'`)).toEqual([
      { relreplident: 'f' },
    ]);
  },
);
