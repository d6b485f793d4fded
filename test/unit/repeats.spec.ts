import { describe, expect, test } from '@jest/globals';
import { PACE } from '../../src/capture/pace.js';
import { located, Repeats, stuckError, type Failure } from '../../src/capture/repeats.js';
import { WaltrailError, type ErrorCode } from '../../src/errors.js';

const refused = (sqlState: string): Error => Object.assign(new Error('a value'), { code: sqlState });
const failure = (
  code: ErrorCode,
  options: Partial<Failure> & { sqlState?: string; exact?: boolean } = {},
): Failure => ({
  error: new WaltrailError(code, 'It failed.', { cause: refused(options.sqlState ?? '22021') }),
  position: {
    checkpointLsn: options.checkpointLsn ?? 16n,
    commitLsn: 32n,
    exact: options.exact ?? true,
    tables: ['public.t'],
  },
  checkpointLsn: 16n,
  ...options,
});
/** What the last of these failures leads to. They happen at equal intervals. */
function last(failures: readonly Failure[], stepMs = 10_000): ReturnType<Repeats['met']> {
  const repeats = new Repeats(PACE.patienceMs);
  let said: ReturnType<Repeats['met']>;
  failures.forEach((one, index) => (said = repeats.met(one, index * stepMs)));
  return said;
}
const times = (count: number, one: Failure): Failure[] => Array.from({ length: count }, () => one);

describe('an error counts as repeated at one place', () => {
  test('if a batch is refused three times over at least twenty seconds, and not earlier', () => {
    expect(last(times(2, failure('TRAIL_WRITE_FAILED')))).toBeUndefined();
    expect(last(times(9, failure('TRAIL_WRITE_FAILED')), 1_000)).toBeUndefined();
    expect(last(times(3, failure('TRAIL_WRITE_FAILED')))).toMatchObject({
      code: 'TRAIL_WRITE_FAILED',
      sqlState: '22021',
      commitLsn: 32n,
      tables: ['public.t'],
    });
  });

  test('if an error that needs a person occurs twice', () => {
    expect(last(times(1, failure('SOURCE_ROW_TOO_LARGE')))).toBeUndefined();
    expect(last(times(2, failure('SOURCE_ROW_TOO_LARGE')), 0)).toBeDefined();
  });

  test('but not if the checkpoint moves, or if the SQLSTATE changes each time', () => {
    const moving = [16n, 17n, 18n, 19n].map((checkpointLsn) =>
      failure('TRAIL_WRITE_FAILED', { checkpointLsn }),
    );
    expect(last(moving)).toBeUndefined();
    const changing = ['22021', '53100', '22021', '53100'].map((sqlState) =>
      failure('TRAIL_WRITE_FAILED', { sqlState }),
    );
    expect(last(changing)).toBeUndefined();
  });

  test('if a connection breaks in the same transaction each time, but not if it breaks elsewhere', () => {
    expect(last(times(9, failure('SOURCE_DISCONNECTED', { exact: false })))).toBeUndefined();
    expect(last(times(3, failure('SOURCE_DISCONNECTED')))).toBeDefined();
    expect(last(times(9, failure('PG_UNREACHABLE', { position: null })))).toBeUndefined();
  });

  test('if the trail refuses to begin a session, and then no transaction is named as the cause', () => {
    expect(last(times(3, failure('TRAIL_WRITE_FAILED', { position: null })))).toMatchObject({
      commitLsn: null,
    });
  });

  test('but never if the next session resolves it', () => {
    expect(last(times(9, failure('PIPELINE_READ_AGAIN')))).toBeUndefined();
    expect(last(times(9, failure('SOURCE_LOOK_AGAIN')))).toBeUndefined();
  });

  test('immediately if an earlier process has recorded it', () => {
    const known = last(times(3, failure('TRAIL_WRITE_FAILED')))!;
    const repeats = new Repeats(PACE.patienceMs);
    repeats.recall(known);
    expect(repeats.met(failure('TRAIL_WRITE_FAILED', { sqlState: '53100' }), 0)).toBeUndefined();
    const other = new Repeats(PACE.patienceMs);
    other.recall(known);
    expect(other.met(failure('TRAIL_WRITE_FAILED'), 0)).toBeDefined();
  });
});

test.each(['53100', '25006', '42501', '53300'])(
  'a refusal that concerns every transaction (%s) names none, and the remedy does not offer to skip one',
  (sqlState) => {
    const one = failure('TRAIL_WRITE_FAILED', { sqlState });
    const stuck = last(times(3, one))!;
    expect(stuck).toMatchObject({ sqlState, commitLsn: null, tables: [] });
    const error = stuckError(stuck, one.error);
    expect(error.message).toBe('It failed. It happens again and again.');
    expect(error.remedy).not.toContain('waltrail skip');
    // An error of the source concerns what is read there.
    expect(last(times(3, failure('SOURCE_REPLICATION_FAILED', { sqlState })))).toMatchObject({
      commitLsn: 32n,
    });
  },
);

test('the message names the transaction and its tables, the remedy names the command, and neither contains a value', () => {
  const one = failure('TRAIL_WRITE_FAILED');
  const error = stuckError(last(times(3, one))!, one.error);
  expect(error.message).toBe(
    'It failed. It happened in the transaction that commits at 0/20 (public.t). It happens again and again.',
  );
  expect(error.remedy).toContain('waltrail skip --at 0/20 --reason');
  expect(located(one.error, { ...one.position!, exact: false }).message).toContain('after 0/10');
});
