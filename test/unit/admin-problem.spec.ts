import { describe, expect, test } from '@jest/globals';
import { toProblem } from '../../src/admin/problem.js';
import { WaltrailError } from '../../src/errors.js';

const thrown = (properties: object, message = 'secret value 4711'): Error =>
  Object.assign(new Error(message), properties);

describe('a problem document', () => {
  test('shows status, code, message, remedy and details of a known error', () => {
    const errors = [{ path: 'limit', message: 'must be a number' }];
    const problem = toProblem(
      new WaltrailError('HTTP_QUERY_INVALID', 'limit must be a number', { details: { errors } }),
    );
    expect(problem).toMatchObject({
      type: 'urn:waltrail:error:HTTP_QUERY_INVALID',
      status: 400,
      code: 'HTTP_QUERY_INVALID',
      title: 'Invalid query parameter',
      detail: 'limit must be a number',
      errors,
    });
    expect(problem.remedy).not.toBe('');
  });

  test.each([
    ['RANGE_TOO_LONG', 'Range too long'],
    ['HTTP_MEDIA_TYPE', 'Unsupported media type'],
    ['HTTP_BODY_INVALID', 'Invalid body'],
    ['TRAIL_CURSOR_INVALID', 'Invalid cursor'],
  ] as const)('titles %s "%s"', (code, title) => {
    expect(toProblem(new WaltrailError(code, 'x'))).toMatchObject({ code, title });
  });

  test.each([
    ['a plain error', thrown({})],
    ['a constraint of the database', thrown({ code: '23505', severity: 'ERROR' })],
    ['an error for operators only', new WaltrailError('PG_MIGRATION_FAILED', 'secret value 4711')],
    ['a text', 'secret value 4711'],
    ['nothing', undefined],
    ['null', null],
  ])('hides the cause of %s: it is a 500 with an id', (_, error) => {
    const problem = toProblem(error);
    expect(problem).toMatchObject({ status: 500, code: 'HTTP_INTERNAL' });
    expect(problem.instance).toMatch(/^urn:uuid:/);
    expect(JSON.stringify(problem)).not.toContain('4711');
  });

  test.each([
    ['a refused connection', thrown({ code: 'ECONNREFUSED' })],
    ['a server that shuts down', thrown({ code: '57P01' })],
    ['a statement that took too long', thrown({ code: '57014' })],
    ['too many connections', thrown({ code: '53300' })],
    ['a lost connection', thrown({}, 'Connection terminated unexpectedly')],
    ['an unreachable trail', new WaltrailError('PG_UNREACHABLE', 'db:5432/trail cannot be reached.')],
  ])('answers 503 for %s', (_, error) => {
    expect(toProblem(error)).toMatchObject({ status: 503, code: 'HTTP_UNAVAILABLE' });
  });

  test.each([
    ['PG_REFUSED', 'refused the connection'],
    ['PG_TLS', 'refused the connection'],
    ['PG_POOLER', 'refused the connection'],
    ['PG_UNPINNED', 'refused the connection'],
    ['PG_UNREACHABLE', 'did not answer in time'],
  ] as const)('answers 503 for %s: the trail %s, without its address', (code, words) => {
    const problem = toProblem(new WaltrailError(code, 'The trail (db:5432/trail) cannot be used.'));
    expect(problem).toMatchObject({ status: 503, code: 'HTTP_UNAVAILABLE' });
    expect(problem.detail).toContain(words);
    expect(JSON.stringify(problem)).not.toContain('db:5432');
  });

  test('answers 503 if Waltrail lacks a right in the trail, without the name of the table', () => {
    const refused = thrown({ code: '42501', severity: 'ERROR' }, 'permission denied for table entry');
    expect(toProblem(refused)).toMatchObject({
      status: 503,
      detail: 'The trail database refused a statement, because Waltrail lacks a right in it.',
    });
  });
  test.each([
    [404, {}, 'HTTP_NOT_FOUND'],
    [413, { code: 'FST_ERR_CTP_BODY_TOO_LARGE' }, 'HTTP_BODY_TOO_LARGE'],
    [415, { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' }, 'HTTP_MEDIA_TYPE'],
    [400, { code: 'FST_ERR_CTP_INVALID_JSON_BODY' }, 'HTTP_REQUEST_INVALID'],
    [429, {}, 'HTTP_TOO_MANY_REQUESTS'],
  ])('keeps status %i of an error of the framework, without its message', (statusCode, properties, code) => {
    const problem = toProblem(thrown({ statusCode, ...properties }));
    expect(problem).toMatchObject({ status: statusCode, code });
    expect(JSON.stringify(problem)).not.toContain('4711');
  });
});
