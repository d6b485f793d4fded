import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { MessageSignatures } from '../../src/pipeline/signature.js';
import { isStatement, StatementReader, type Statement } from '../../src/pipeline/statement.js';

const SYSTEM = '7543210987654321098';
const XID = 815;
const readerWith = (...keys: string[]) =>
  new StatementReader({
    config: {
      redact: [
        { columns: ['*token*'], tables: null, with: { method: 'mask' } },
        { columns: ['endpoint'], tables: ['public.requests'], with: { method: 'mask' } },
      ],
      secrets: { defaults: true, allow: [] },
    },
    signatures: new MessageSignatures({ keys, systemIdentifier: SYSTEM }),
  });
const unsigned = readerWith();
const read = (prefix: string, content: string, reader = unsigned, xid = XID) =>
  reader.read({ prefix, content: Buffer.from(content), transactional: true, lsn: 1n }, xid);
const says = (modifier: object | null, context: string | null, unread: string | null = null): unknown => ({
  of: 'modifier and context',
  modifier: modifier === null ? null : { actingAs: null, ...modifier },
  context,
  unread,
});
const nothing = (reason: string): unknown => ({ of: 'nothing', reason });
const seven = { key: '7', name: null, kind: null };

test('a message attributes changes if it is transactional and has one of the known prefixes', () => {
  const is = (prefix: string, transactional = true) =>
    isStatement({ prefix, transactional, content: Buffer.from('{"modifier":7}'), lsn: 1n });
  expect(['waltrail', '_bemi', 'other', 'waltrail2', 'Waltrail', ''].filter((prefix) => is(prefix))).toEqual([
    'waltrail',
    '_bemi',
  ]);
  expect(is('waltrail', false)).toBe(false);
});

describe("messages in Waltrail's format", () => {
  test('with a modifier state name, kind and context, even where those are missing', () => {
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

  test('state in whose name the modifier acted, and are not understood without a modifier', () => {
    expect(read('waltrail', '{"modifier": 3, "acting_as": 7, "context": 1}')).toEqual(
      says({ key: '3', name: null, kind: null, actingAs: { key: '7', name: null, table: null } }, '1'),
    );
    expect(
      read(
        'waltrail',
        '{"acting_as_table": "contacts", "acting_as_name": "Bob", "acting_as": "7", "modifier": "3", "name": "Ann"}',
      ),
    ).toEqual(
      says(
        {
          key: '3',
          name: 'Ann',
          kind: null,
          actingAs: { key: '7', name: 'Bob', table: 'contacts' },
        },
        null,
      ),
    );
    expect(read('waltrail', '{"modifier": 7, "acting_as": null, "acting_as_table": "x"}')).toEqual(
      says(seven, null),
    );
    for (const content of [
      '{"acting_as": 7}',
      '{"acting_as": 7, "context": 1}',
      '{"acting_as": {}, "modifier": null}',
    ])
      expect(read('waltrail', content)).toEqual(nothing('no modifier beside acting_as'));
  });

  test.each(['""', '{"id": 7}', '[7]', 'true'])(
    'keep the modifier if %s is not a valid key of the person acted for',
    (value) => {
      expect(read('waltrail', `{"modifier": 7, "acting_as": ${value}}`)).toEqual(
        says(seven, null, 'acting_as is no key'),
      );
      expect(read('waltrail', `{"modifier": 7, "acting_as": 2, "acting_as_table": ${value}}`)).toEqual(
        says(seven, null, 'acting_as_table is no table of modifiers'),
      );
    },
  );

  test('with only a context keep the modifier; with the modifier null they clear it', () => {
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
  ])(
    'without a valid statement are not understood, with a reason in fixed words: %.40s',
    (content, reason) => {
      expect(read('waltrail', content)).toEqual(nothing(reason));
    },
  );
});

describe('messages of the Bemi packages', () => {
  test('are a context, which may name a user; if it names none, the changes are unattributed', () => {
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

  test('clear modifier and context if they are null, undefined or empty', () => {
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

  test('are not understood if they are malformed, or if the user is not a valid key', () => {
    expect(read('_bemi', '[7]')).toEqual(nothing('not a JSON object'));
    expect(read('_bemi', '{"userId": 7')).toEqual(nothing('not a JSON object'));
    expect(read('_bemi', '{"userId": {"id": 7}}')).toEqual(nothing('the modifier is no key'));
  });
});

describe('signed messages', () => {
  const KEY = 'a key of at least thirty-two characters';
  const NEXT = 'the key that replaces it, when it is time';
  const signed = (body: string, of: { key?: string; system?: string; xid?: number | bigint } = {}) => {
    const { key = KEY, system = SYSTEM, xid = XID } = of;
    return `v1.${createHmac('sha256', key).update(`v1.${system}.${xid}.${body}`).digest('hex')}.${body}`;
  };
  const BODY = '{"modifier": 7}';
  const reader = readerWith(KEY);
  const passedOver = (reason: string): unknown => ({ of: 'passed over', reason });

  test('count only in the transaction and the cluster for which a key has signed them', () => {
    expect(read('waltrail', signed(BODY), reader)).toEqual(says(seven, null));
    expect(read('waltrail', signed(BODY).replace(/[a-f0-9]{64}/, (hex) => hex.toUpperCase()), reader)).toEqual(says(seven, null)); // prettier-ignore
    // The stream has an xid as a signed number. pg_current_xact_id() includes its epoch.
    expect(read('waltrail', signed(BODY, { xid: 4_000_000_000 }), reader, 4_000_000_000 | 0)).toEqual(says(seven, null)); // prettier-ignore
    for (const content of [
      signed(BODY, { xid: XID + 1 }),
      signed(BODY, { system: '7543210987654321099' }),
      signed(BODY, { key: NEXT }),
      signed(BODY).replace('7}', '8}'),
      `v1.${'0'.repeat(64)}.${BODY}`,
    ])
      expect(read('waltrail', content, reader)).toEqual(passedOver('wrongly signed'));
    for (const content of [
      BODY,
      '',
      'v1.',
      signed(BODY).slice(1),
      signed(BODY).replace('v1', 'v2'),
      ` ${signed(BODY)}`,
    ])
      // prettier-ignore
      expect(read('waltrail', content, reader)).toEqual(passedOver('not signed'));
    expect(read('_bemi', BODY, reader)).toEqual(passedOver('not signed'));
    expect(read('_bemi', signed('{"user_id": 7}'), reader)).toEqual(says(seven, '{"user_id":7}'));
  });

  test('count with any of several keys; without keys, the signature is removed and not checked', () => {
    const rotating = readerWith(NEXT, KEY);
    expect(read('waltrail', signed(BODY), rotating)).toEqual(says(seven, null));
    expect(read('waltrail', signed(BODY, { key: NEXT }), rotating)).toEqual(says(seven, null));
    expect(read('waltrail', signed(BODY, { xid: 1 }), unsigned)).toEqual(says(seven, null));
  });

  test('are not understood if their content is malformed, and not checked if they are too large', () => {
    expect(read('waltrail', signed('{"modifier": {}}'), reader)).toEqual(nothing('the modifier is no key'));
    const large = `{"modifier": 7, "context": "${'x'.repeat(4 * 1024 * 1024 + 64 * 1024)}"}`;
    expect(read('waltrail', signed(large), reader)).toEqual(passedOver('too large to be signed'));
  });
});
