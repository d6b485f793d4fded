import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readSessionStatement, type SessionStatement } from '../../src/pipeline/session-statement.js';
import type { SessionRule } from '../../src/tracking/rules.js';

const RULE: SessionRule = {
  settings: [
    { setting: 'app.claims', member: 'sub', onlyKnown: false, as: 1 },
    { setting: 'app.user', member: null, onlyKnown: true, as: 0 },
  ],
  databaseUser: false,
};
const read = (content: string): ReturnType<typeof readSessionStatement> =>
  readSessionStatement({ content: Buffer.from(content) }, { rule: RULE, publication: 'waltrail' });
/** An array in PostgreSQL's text form, with quotes around every element. */
const array = (...elements: readonly (string | null)[]): string =>
  `{${elements.map((text) => (text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`)).join(',')}}`;
const namedBy = (settings: Readonly<Record<string, string>>): SessionStatement['named'] =>
  (read(array('waltrail', 'app', 'none', '', null, ...Object.entries(settings).flat())) as SessionStatement)
    .named;

describe('a message of the session', () => {
  test.each([
    [
      'the person of the first setting that names somebody',
      { 'app.claims': '{"sub":"7"}', 'app.user': '2' },
      [1, '7'],
    ],
    ['the person of the next setting if one is empty', { 'app.claims': '', 'app.user': '2' }, [0, '2']],
    [
      'the person of the next setting if the member is missing',
      { 'app.claims': '{}', 'app.user': '2' },
      [0, '2'],
    ],
    [
      'the person of the next setting if the member is null',
      { 'app.claims': '{"sub":null}', 'app.user': '2' },
      [0, '2'],
    ],
    ['a number with every digit', { 'app.claims': '{"sub":9007199254740993}' }, [1, '9007199254740993']],
    ['nobody if an earlier value is not JSON', { 'app.claims': '{"sub":', 'app.user': '2' }, null],
    ['nobody if an earlier member is not a key', { 'app.claims': '{"sub":[7]}', 'app.user': '2' }, null],
    ['nobody if an earlier value was cut', { 'app.claims': 'x'.repeat(4_097), 'app.user': '2' }, null],
    ['nobody if the key is too long', { 'app.user': '7'.repeat(300) }, null],
    ['nobody if there is no setting', {}, null],
  ])('names %s', (_, settings, named) => {
    expect(namedBy(settings)).toEqual(
      named === null ? null : { table: named[0], key: named[1], onlyKnown: named[0] === 0 },
    );
  });

  test('states who is connected', () => {
    expect(read('within {waltrail,app,r,"psql 1",::1}')).toEqual({
      within: true,
      facts: { user: 'app', role: 'r', application: 'psql 1', address: '::1' },
      named: null,
    });
    expect(read('{waltrail,"a\\"\\\\b",none,"",NULL}')).toEqual({
      within: false,
      facts: { user: 'a"\\b', role: null, application: null, address: null },
      named: null,
    });
  });

  test('is ignored if it is for another publication, and means nothing if it is malformed', () => {
    expect(read(array('billing', 'app', 'none', '', null))).toBe('of another');
    for (const content of [
      '',
      '{}',
      '{waltrail,app,none,""',
      '{waltrail,app,none,""}',
      '{waltrail,app,none,"",NULL}x',
      '{waltrail,app,none,"",{}}',
      array('waltrail', '', 'none', '', null),
      array('waltrail', 'app', null, '', null),
      array('waltrail', 'x'.repeat(300), 'none', '', null),
      array('waltrail', 'app', 'none', '', null, 'app.user', 'x'.repeat(1024 * 1024)),
    ])
      expect(read(content)).toBeNull();
  });

  test('keeps any text of a setting, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        read(text);
        read(`{waltrail,app,none,"",NULL,${text}}`);
        const named = namedBy({ 'app.claims': '', 'app.user': text });
        const isKey = text !== '' && text.length <= 255;
        const key = Buffer.from(text).toString();
        expect(named).toEqual(isKey ? { table: 0, key, onlyKnown: true } : null);
      }),
    );
  });
});
