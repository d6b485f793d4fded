import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readSessionStatement, type SessionStatement } from '../../src/pipeline/session-statement.js';
import type { SessionRule } from '../../src/tracking/rules.js';

const RULE: SessionRule = {
  settings: [
    { setting: 'app.claims', member: 'sub', nobody: [], as: 1 },
    { setting: 'app.user', member: null, nobody: ['nobody'], as: 0 },
  ],
  databaseUser: false,
};
const read = (content: unknown): ReturnType<typeof readSessionStatement> =>
  readSessionStatement(
    { content: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)) },
    { rule: RULE, publication: 'waltrail' },
  );
const namedBy = (settings: Readonly<Record<string, unknown>>): SessionStatement['named'] =>
  (read({ for: 'waltrail', user: 'app', settings }) as SessionStatement).named;

describe('a message of the session', () => {
  test.each([
    ['the first setting that names somebody', { 'app.claims': '{"sub":"7"}', 'app.user': '2' }, [1, '7']],
    ['the next where one is empty, missing or null', { 'app.claims': '', 'app.user': '2' }, [0, '2']],
    ['the next where the member is missing', { 'app.claims': '{}', 'app.user': '2' }, [0, '2']],
    ['the next where the member is null', { 'app.claims': '{"sub":null}', 'app.user': '2' }, [0, '2']],
    ['every digit of a number', { 'app.claims': '{"sub":9007199254740993}' }, [1, '9007199254740993']],
    ['nobody by a value that is nobody', { 'app.user': 'nobody' }, null],
    ['nobody behind a value that is no JSON', { 'app.claims': '{"sub":', 'app.user': '2' }, null],
    ['nobody behind a member that is no key', { 'app.claims': '{"sub":[7]}', 'app.user': '2' }, null],
    ['nobody behind a value that was cut', { 'app.claims': 'x'.repeat(4_097), 'app.user': '2' }, null],
    ['nobody by a key that is too long', { 'app.user': '7'.repeat(300) }, null],
    ['nobody by what is no text', { 'app.user': 7 }, null],
    ['nobody by an inherited name', {}, null],
  ])('names %s', (_, settings, named) => {
    expect(namedBy(settings)).toEqual(named === null ? null : { table: named[0], key: named[1] });
  });

  test('says who is connected', () => {
    expect(
      read({
        for: 'waltrail',
        within: true,
        user: 'app',
        role: 'r',
        application: 'psql',
        address: '::1',
        settings: {},
      }),
    ).toEqual({
      within: true,
      facts: { user: 'app', role: 'r', application: 'psql', address: '::1' },
      named: null,
    });
  });

  test('of another publication is passed by, and one that is none says nothing', () => {
    expect(read({ for: 'billing', user: 'app', settings: {} })).toBe('of another');
    for (const content of [
      '',
      'null',
      '7',
      '[]',
      '{}',
      { for: 'waltrail', settings: {} },
      { for: 'waltrail', user: 'app' },
      { for: 'waltrail', user: 'app', role: 7, settings: {} },
      { for: 'waltrail', user: 'app', within: 'x', settings: {} },
      { for: 'waltrail', user: 'x'.repeat(300), settings: {} },
      `{"for":"waltrail","user":"app","settings":{"app.user":"${'x'.repeat(1024 * 1024)}"}}`,
    ])
      expect(read(content)).toBeNull();
  });

  test('never throws, whatever it holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.string(), (settings, text) => {
        read(text);
        read(settings);
        read({ for: 'waltrail', user: 'app', settings: { 'app.claims': settings, 'app.user': text } });
      }),
    );
  });
});
