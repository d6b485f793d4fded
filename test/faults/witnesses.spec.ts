import { describe, expect, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { faultGround, note, type FaultGround } from './ground.ts';

const ROWS = 4_000;
const SQL = `
  create table witnessed (id int primary key, state text);
  create table audits (id int generated always as identity primary key, user_id int, row_type text, row_id int);`;
const YAML = `
  public.witnessed: { entity: thing }
attribution:
  - { table: public.audits, modifier: user_id, row: { type: row_type, key: row_id, types: { W: public.witnessed } } }`;
/** Two people work, so that each row must be named by its own witness. */
const WORK = `begin;
  insert into witnessed select i, 'a witnessed row ' || i from generate_series(1, ${ROWS}) i;
  insert into audits (user_id, row_type, row_id) select 7 + i % 2, 'W', i from generate_series(1, ${ROWS}) i;
  commit`;

const ground = (): Promise<FaultGround> => faultGround({ sql: SQL, tablesYaml: YAML });

/** Expects each row once, named by its witness, between earlier and later changes. */
async function expectNamed(g: FaultGround): Promise<void> {
  await note(g.source, 'behind');
  const entries = await g.caughtUp();
  const expected = Array.from({ length: ROWS }, (_, index) => `${index + 1} a ${7 + ((index + 1) % 2)}`);
  expect(entries.map(({ entityId, rung, modifierKey }) => `${entityId} ${rung} ${modifierKey}`)).toEqual([
    '1 - null',
    ...expected,
    '1 - null',
  ]);
}

describe('a daemon that reads a transaction again for its witnesses, and is killed (SIGKILL)', () => {
  test('in the first reading, names each row by its witness', async () => {
    await using g = await ground();
    const daemon = await g.startDaemon();
    await note(g.source, 'before');
    await until('the entry before', async () => (await g.stored()) === 1);
    const reached = g.toSource.cutAt({ streamed: 250_000 });
    await g.source.query(WORK);
    await until('half of the transaction to arrive', reached);
    await daemon.kill('SIGKILL');
    expect(await g.stored()).toBe(1);
    g.toSource.pass();
    await g.startDaemon();
    await expectNamed(g);
  });

  test('in the second reading, before it is stored, names each row by its witness', async () => {
    await using g = await ground();
    const daemon = await g.startDaemon();
    await note(g.source, 'before');
    await until('the entry before', async () => (await g.stored()) === 1);
    // Only a reading that is stored gets this far.
    const reached = g.toTrail.cutAt({ before: [`a witnessed row ${ROWS}`, 'trail.advance'] });
    await g.source.query(WORK);
    await until('the commit to be sent', reached);
    expect(daemon.log()).toContain('PIPELINE_READ_AGAIN');
    await daemon.kill('SIGKILL');
    expect(await g.stored()).toBe(1);
    g.toTrail.pass();
    const second = await g.startDaemon();
    await expectNamed(g);
    // What the first reading had heard is lost with its process.
    expect(second.log()).toContain('PIPELINE_READ_AGAIN');
  });

  test('after the second reading is stored, before it could acknowledge, does not store it twice', async () => {
    await using g = await ground();
    const daemon = await g.startDaemon();
    await note(g.source, 'before');
    await until('the entry before', async () => (await g.stored()) === 1);
    const reached = g.toTrail.cutAt({ after: [`a witnessed row ${ROWS}`, 'trail.advance'] });
    await g.source.query(WORK);
    await until('the commit to be sent', reached);
    await until('the commit', async () => (await g.stored()) === 1 + ROWS);
    await daemon.kill('SIGKILL');
    g.toTrail.pass();
    await g.startDaemon();
    await expectNamed(g);
  });
});
