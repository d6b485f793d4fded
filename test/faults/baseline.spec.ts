import { describe, expect, test } from '@jest/globals';
import type { PlainEntry } from '../support/capture.ts';
import { until } from '../support/until.ts';
import { faultGround, note, type FaultGround } from './ground.ts';

const GRADES = {
  sql: `create table grades (id int primary key, name text);
        insert into grades select n, 'grade ' || n from generate_series(1, 3000) n;`,
  tablesYaml: `
  public.grades: { entity: grade, name: "{name}", baseline: true }`,
};

const taken = async (g: FaultGround): Promise<boolean> =>
  (await g.trail.query('select from trail.baseline')).length > 0;

const existed = (entries: readonly PlainEntry[]): (string | null)[] =>
  entries.flatMap(({ operation, entityId }) => (operation === 'b' ? [entityId] : []));

/** Expects each row once in the baseline, and later changes after it. */
async function expectOnce(g: FaultGround): Promise<void> {
  await until('the baseline', () => taken(g));
  await g.source.query(`update grades set name = 'other' where id = 1`);
  const entries = await g.caughtUp();
  const ids = existed(entries);
  expect([ids.length, new Set(ids).size]).toEqual([3000, 3000]);
  const ofFirst = entries.filter(({ entityType, entityId }) => entityType === 'grade' && entityId === '1');
  expect(ofFirst.map(({ operation }) => operation)).toEqual(['b', 'u']);
}

describe('a daemon that is killed (SIGKILL) while it takes a baseline', () => {
  test('before its commit reaches the trail stores nothing, and the next daemon takes another baseline', async () => {
    await using g = await faultGround(GRADES);
    const reached = g.toTrail.cutAt({ before: ['trail.remember_baseline'] });
    const daemon = await g.startDaemon();
    await until('the baseline to be sent', reached);
    await daemon.kill('SIGKILL');
    g.toTrail.pass();
    expect([existed(await g.entries()), await taken(g)]).toEqual([[], false]);
    await note(g.source, 'between the two');
    await g.startDaemon();
    await expectOnce(g);
  });

  test('after its commit, before it could know, leaves a baseline that the next daemon does not repeat', async () => {
    await using g = await faultGround(GRADES);
    const reached = g.toTrail.cutAt({ after: ['trail.remember_baseline'] });
    const daemon = await g.startDaemon();
    await until('the baseline to be sent', reached);
    await until('the commit', () => taken(g));
    await daemon.kill('SIGKILL');
    g.toTrail.pass();
    const before = await g.trail.query('select stored_at from trail.baseline');
    await g.startDaemon();
    await expectOnce(g);
    expect(await g.trail.query('select stored_at from trail.baseline')).toEqual(before);
  });

  test('while it reads the rows leaves no slot, and the next daemon takes the baseline', async () => {
    await using g = await faultGround(GRADES);
    const first = g.toTrail.cutAt({ before: ['trail.remember_baseline'] });
    const daemon = await g.startDaemon();
    await until('the baseline to be sent', first);
    await daemon.kill('SIGKILL');
    g.toTrail.pass();
    const reached = g.toSource.cutAt({ before: ['copy "public"."grades"'] });
    const second = await g.startDaemon();
    await until('the rows to be asked for', reached);
    const temporary = (): Promise<unknown[]> =>
      g.source.query(`select from pg_replication_slots where temporary and slot_name like 'waltrail_baseline%'
                                                           and database = current_database()`);
    expect(await temporary()).toHaveLength(1);
    await second.kill('SIGKILL');
    g.toSource.pass();
    await until('the temporary slot to be dropped', async () => (await temporary()).length === 0);
    await g.startDaemon();
    await expectOnce(g);
  });
});
