import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Entry } from '../../src/web/api-types.js';
import { diffText, diffTokens, type Part } from '../../src/web/detail/text-diff.js';
import { fieldsOf as fieldsIn, isOnlyNotation } from '../../src/web/entry/fields.js';
import { parseExact } from '../../src/web/exact-json.js';

const entry = (said: Partial<Entry>): Entry => ({
  id: '1',
  committedAt: '2026-11-23T09:51:07.123456Z',
  modifier: { key: '7', name: 'Dana Levi', kind: 'agent', rung: 'column' },
  action: 'edit',
  entity: { type: 'customer', name: 'Acme', id: '1' },
  tenant: null,
  previous: {},
  updated: {},
  table: 'public.customers',
  operation: 'update',
  transaction: { xid: '1', commitLsn: '0/1', seq: 0 },
  context: null,
  ...said,
});
const side = (parts: readonly Part[], left: 'removed' | 'added'): string =>
  parts
    .filter((part) => part.is === 'same' || part.is === left)
    .map((part) => part.text)
    .join('');

const fieldsOf = (of: Parameters<typeof fieldsIn>[0]) => fieldsIn(of, 'UTC');

describe('fields of an entry', () => {
  test('null, empty text, not sent, too large and not there are five different things', () => {
    const fields = fieldsOf(
      entry({ previous: { a: null, b: '' }, updated: { a: '', b: 'x', c: 1 }, unknown: ['c', 'd'] }),
    );
    expect(fields.map(({ column, previous, updated }) => [column, previous.is, updated.is])).toEqual([
      ['a', 'null', 'empty'],
      ['b', 'empty', 'value'],
      ['c', 'unknown', 'value'],
      ['d', 'unknown', 'unknown'],
    ]);
    const large = { side: 'updated', column: 'c', bytes: 70_000_000, sha256: '00ff' } as const;
    expect(fieldsOf(entry({ updated: {}, unknown: ['c'], tooLarge: [large] }))[0]!.updated).toEqual({
      is: 'large',
      bytes: 70_000_000,
    });
    expect(fieldsOf(entry({ previous: null, updated: { a: 1 }, operation: 'insert' }))[0]!.previous).toEqual({
      is: 'absent',
    });
  });

  test('the null of json is not the null of SQL', () => {
    const fields = fieldsOf(
      entry({
        previous: { a: null, b: null, c: null },
        updated: { a: null, b: 1, c: null },
        jsonNulls: { previous: ['b', 'c'], updated: ['a'] },
      }),
    );
    expect(fields.map(({ column, previous, updated }) => [column, previous.is, updated.is])).toEqual([
      ['a', 'null', 'json-null'],
      ['b', 'json-null', 'value'],
      ['c', 'json-null', 'null'],
    ]);
  });

  test('json that reads the same before and after was only written differently', () => {
    const values = parseExact('{"same":{"a":1},"other":{"a":1},"text":"x"}') as Entry['updated'];
    const updated = parseExact('{"same":{"a":9,"a":1},"other":{"a":1.0},"text":"x"}') as Entry['updated'];
    const told = (said: Partial<Entry>): string[] =>
      fieldsOf(entry(said))
        .filter((field) => isOnlyNotation(entry(said), field))
        .map(({ column }) => column);
    expect(told({ previous: values, updated })).toEqual(['same']);
    expect(told({ previous: null, updated, operation: 'insert' })).toEqual([]);
  });

  test('numbers keep their text, json is printed over lines, words stand beside what is stored', () => {
    const updated = parseExact('{"n":1.50,"j":{"a":[1e400]},"s":2,"e":{}}') as Entry['updated'];
    const fields = fieldsOf(entry({ updated, labels: { previous: {}, updated: { s: 'away' } } }));
    expect(fields.map((field) => field.updated)).toEqual([
      { is: 'value', text: '1.50', type: 'number' },
      { is: 'value', text: '{\n  "a": [\n    1e400\n  ]\n}', type: 'json' },
      { is: 'value', text: '2', type: 'number', label: 'away' },
      { is: 'value', text: '{}', type: 'json' },
    ]);
  });

  test('a column called like a member of every object is a column', () => {
    const values = JSON.parse('{"constructor":"x","__proto__":"y"}') as Entry['updated'];
    expect(fieldsOf(entry({ updated: values })).map(({ column, previous }) => [column, previous.is])).toEqual(
      [
        ['constructor', 'absent'],
        ['__proto__', 'absent'],
      ],
    );
  });
});

describe('the difference of two texts', () => {
  test('its parts put together are the two texts, whatever they are', () => {
    const text = fc.array(fc.constantFrom('a', 'b', ' ', '\n', 'c d', ',')).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, text, (previous, updated) => {
        const parts = diffText(previous, updated);
        expect(side(parts, 'removed')).toBe(previous);
        expect(side(parts, 'added')).toBe(updated);
      }),
    );
  });

  test('a changed word is marked alone', () => {
    expect(diffText('call me after five please', 'call me before five please')).toEqual([
      { is: 'same', text: 'call me ' },
      { is: 'removed', text: 'after' },
      { is: 'added', text: 'before' },
      { is: 'same', text: ' five please' },
    ]);
  });

  test('texts with little in common are replaced whole', () => {
    expect(diffText('one, two', 'red green blue, gold').map((part) => part.is)).toEqual(['removed', 'added']);
  });

  test('a member added to json marks that member and the comma before it', () => {
    const added = diffText('[\n  "a"\n]', '[\n  "a",\n  "b"\n]').filter((part) => part.is !== 'same');
    expect(added.map((part) => part.is)).toEqual(['added']);
    expect(added[0]!.text.replace(/\s/g, '')).toBe(',"b"');
  });

  test('huge texts end soon, with their middle replaced', () => {
    const tokens = (seed: number): string[] => [
      'same',
      ...Array.from({ length: 3000 }, (_, i) => `${seed}:${i}`),
      'end',
    ];
    expect(diffTokens(tokens(1), tokens(2)).map((part) => part.is)).toEqual([
      'same',
      'removed',
      'added',
      'same',
    ]);
  });
});
