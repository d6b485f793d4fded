import { describe, expect, test } from '@jest/globals';
import { isStatement, StatementReader, type Statement } from '../../src/pipeline/statement.js';

const reader = new StatementReader({
  redact: [
    { columns: ['*token*'], tables: null, with: { method: 'mask' } },
    { columns: ['endpoint'], tables: ['public.requests'], with: { method: 'mask' } },
  ],
  secrets: { defaults: true, allow: [] },
});
const read = (prefix: string, content: string) =>
  reader.read({ prefix, content: Buffer.from(content), transactional: true, lsn: 1n });
const says = (modifier: object | null, context: string | null): unknown => ({
  of: 'modifier and context',
  modifier,
  context,
});
const nothing = (reason: string): unknown => ({ of: 'nothing', reason });
const seven = { key: '7', name: null, kind: null };

test('a message speaks for changes when it is transactional and has one of our prefixes', () => {
  const is = (prefix: string, transactional = true) =>
    isStatement({ prefix, transactional, content: Buffer.from('{"modifier":7}'), lsn: 1n });
  expect(['waltrail', '_bemi', 'other', 'waltrail2', 'Waltrail', ''].filter((prefix) => is(prefix))).toEqual([
    'waltrail',
    '_bemi',
  ]);
  expect(is('waltrail', false)).toBe(false);
});

describe('our own messages', () => {
  test('that name a modifier say everything: name, kind and context, also that there is none', () => {
    expect(
      read(
        'waltrail',
        '{"modifier": 7, "name": "Dana", "kind": "bot", "context": {"a": 1, "apiToken": "x"}}',
      ),
    ).toEqual(says({ key: '7', name: 'Dana', kind: 'bot' }, '{"a":1,"apiToken":"***"}'));
    expect(read('waltrail', '{"modifier": "x", "kind": "king", "name": {}}')).toEqual(
      says({ key: 'x', name: null, kind: null }, null),
    );
    expect(read('waltrail', '{"modifier": 12345678901234567890}')).toEqual(
      says({ ...seven, key: '12345678901234567890' }, null),
    );
  });

  test('with context alone say nothing of the modifier; with the modifier null they clear it', () => {
    expect(read('waltrail', '{"context": {"endpoint": "/x"}}')).toEqual({
      of: 'context',
      context: '{"endpoint":"/x"}',
    });
    expect(read('waltrail', '{"context": null, "name": "Dana"}')).toEqual({ of: 'context', context: null });
    expect(read('waltrail', '{"modifier": null}')).toEqual(says(null, null));
    expect(read('waltrail', '{"modifier": null, "context": [1, 2]}')).toEqual(says(null, '[1,2]'));
  });

  test.each([
    ['', 'not a JSON object'],
    ['null', 'not a JSON object'],
    ['undefined', 'not a JSON object'],
    ['[]', 'not a JSON object'],
    ['{"modifier": 7', 'not a JSON object'],
    ['{"modifier": 7} x', 'not a JSON object'],
    ['{}', 'neither modifier nor context'],
    ['{"name": "Dana"}', 'neither modifier nor context'],
    ['{"modifier": ""}', 'the modifier is no key'],
    ['{"modifier": {"id": 7}, "context": 1}', 'the modifier is no key'],
    ['{"modifier": [7]}', 'the modifier is no key'],
    ['{"modifier": true}', 'the modifier is no key'],
    [`{"context": ${'['.repeat(3000)}${']'.repeat(3000)}}`, 'nested too deeply'],
    [`{"modifier": 7, "context": "${'x'.repeat(5_000_000)}"}`, 'too large'],
  ])('that say nothing are told apart, with a reason in fixed words: %.40s', (content, reason) => {
    expect(read('waltrail', content)).toEqual(nothing(reason));
  });
});

describe('messages of the Bemi packages', () => {
  test('are a context as a whole, which may name a user; without one they say that it is nobody', () => {
    expect(read('_bemi', '{"userId": 12, "endpoint": "/x", "token": "x"}')).toEqual(
      says({ ...seven, key: '12' }, '{"userId":12,"endpoint":"/x","token":"***"}'),
    );
    expect(read('_bemi', '{"userID": 3, "user_id": "2", "modifier": null}')).toEqual(
      says({ ...seven, key: '2' }, '{"userID":3,"user_id":"2","modifier":null}'),
    );
    expect(read('_bemi', '{"modifier": {"id": 1}, "user_id": 7}')).toMatchObject({ modifier: seven });
    expect(read('_bemi', '{"user": 7}')).toEqual(says(null, '{"user":7}'));
    expect(read('_bemi', '{"user_id": null}')).toEqual(says(null, '{"user_id":null}'));
    expect(read('_bemi', '{}')).toEqual(says(null, '{}'));
  });

  test('clear everything with null, undefined or nothing at all', () => {
    for (const content of ['null', 'undefined', '', ' null\n'])
      expect(read('_bemi', content)).toEqual(says(null, null));
  });

  test('with a context of a million characters still name their user', () => {
    const statement: Statement = read('_bemi', JSON.stringify({ sql: '日'.repeat(999_000), userId: 7 }));
    expect(statement).toMatchObject({
      modifier: seven,
      context: expect.stringMatching(/^\{"userId":7,"waltrail_cut":/),
    });
  });

  test('that cannot be understood, or name a user by what is no key, say nothing', () => {
    expect(read('_bemi', '[7]')).toEqual(nothing('not a JSON object'));
    expect(read('_bemi', '{"userId": 7')).toEqual(nothing('not a JSON object'));
    expect(read('_bemi', '{"userId": {"id": 7}}')).toEqual(nothing('the modifier is no key'));
  });
});
