import { describe, expect, test } from '@jest/globals';
import { matchOptions, optionText } from '../../src/web/filters/match.js';
import { filtersText } from '../../src/web/texts/export-texts.js';
import { bytesText, entriesText } from '../../src/web/texts/numbers.js';
import {
  actionTone,
  CONFLICT_TEXTS,
  humanize,
  RUNG_TEXTS,
  sessionText,
} from '../../src/web/texts/vocabulary.js';

describe('texts of the page', () => {
  test('show the vocabulary of the API as words', () => {
    expect(['login_failed', 'block', 'x-ray', ''].map(humanize)).toEqual([
      'Login failed',
      'Block',
      'X ray',
      '',
    ]);
  });

  test('show sizes and counts in short form', () => {
    expect([0, 999, 48_213, 123_456_789].map(bytesText)).toEqual([
      '0 bytes',
      '999 bytes',
      '48.2 kB',
      '123 MB',
    ]);
    expect([entriesText(1), entriesText(1234)]).toEqual(['1 entry', '1,234 entries']);
  });

  test('colour only actions that remove or fail as bad', () => {
    expect(['block', 'login_failed', 'add', 'edit', 'unblock'].map(actionTone)).toEqual([
      'bad',
      'bad',
      'good',
      'neutral',
      'good',
    ]);
  });

  test('state filters in a sentence', () => {
    const names = {
      modifier: (key: string): string => (key === '7' ? 'Dana Levi' : key),
      action: (action: string): string => (action === 'e_mail' ? 'E-Mail' : action),
    };
    const filters = { modifier: ['7', '12'], action: ['login_failed', 'e_mail'], q: 'acme' };
    expect(filtersText(filters, names)).toBe(
      'Modified by Dana Levi or 12; action Login failed or E-Mail; text “acme”',
    );
    expect(filtersText({ modifier: ['12'], actingAs: ['7'] }, names)).toBe(
      'Modified by 12; acting as Dana Levi',
    );
    expect(filtersText({ modifier: undefined }, names)).toBe('All entries');
  });
});

describe('search in a list of options', () => {
  const options = [
    { value: '7', name: 'Zoë Álvarez', count: 1 },
    { value: '12', name: 'Dana Levi', count: 2 },
    { value: '', name: 'Unattributed', kind: null, count: 3 },
  ];

  test('ignores case, accents and the order of words, and also searches the keys', () => {
    const found = (search: string): string[] =>
      matchOptions(options, search, false).map(({ value }) => value);
    expect([found('alvarez zoe'), found('LEV'), found('12'), found(''), found('nobody')]).toEqual([
      ['7'],
      ['12'],
      ['12'],
      ['7', '12', ''],
      [],
    ]);
  });

  test('shows the names of modifiers, and the vocabulary of the API as words', () => {
    expect(options.map((option) => optionText(option, false))).toEqual([
      'Zoë Álvarez',
      'Dana Levi',
      'Unattributed',
    ]);
    expect(optionText({ value: 'login_failed', name: 'login_failed', count: 1 }, true)).toBe('Login failed');
    // A name from the YAML is not changed.
    expect(optionText({ value: 'send_mail', name: 'e-Mail_Versand', count: 1 }, true)).toBe('e-Mail_Versand');
  });
});

test('every rung and every conflict with a lower rung has its own text', () => {
  const rungs = Object.values(RUNG_TEXTS).map(({ sentence }) => sentence);
  expect(new Set(rungs).size).toBe(7);
  expect(RUNG_TEXTS.witness).toEqual({
    short: 'from an audit row',
    sentence: expect.stringContaining('a row to its own audit table'),
  });
  expect(Object.values(CONFLICT_TEXTS).map(({ short }) => short)).toEqual([
    'an audit row names',
    'the row names',
    'the session names',
  ]);
});

test('the connected user is shown on one line, with everything that is known', () => {
  expect(sessionText({ user: 'app' })).toBe('Database user app');
  expect(sessionText({ user: 'app', role: 'app', application: 'psql' })).toBe('Database user app, psql');
  expect(sessionText({ user: 'app', role: 'anon', application: 'api', address: '::1' })).toBe(
    'Database user app as anon, api, from ::1',
  );
});
