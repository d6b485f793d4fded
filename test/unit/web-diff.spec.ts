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
  test('distinguish null, empty text, not sent, too large and absent', () => {
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

  test('have only labels of their own, whatever the columns are called', () => {
    const names = ['constructor', 'toString', '__proto__', 'hasOwnProperty'];
    const json = JSON.stringify(
      entry({ labels: { previous: {}, updated: { status: 'online' } }, updated: { status: 1 } }),
    ).replace('"status":1', `"status":1,${names.map((name) => `${JSON.stringify(name)}:"x"`).join()}`);
    expect(
      fieldsOf(parseExact(json) as Entry).map(({ column, updated }) => [
        column,
        updated.is === 'value' && [updated.text, updated.label],
      ]),
    ).toEqual([['status', ['1', 'online']], ...names.map((name) => [name, ['x', undefined]])]);
  });

  test('distinguish null in json from null in SQL', () => {
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

  test('mark json that only changed its notation', () => {
    const values = parseExact('{"same":{"a":1},"other":{"a":1},"text":"x"}') as Entry['updated'];
    const updated = parseExact('{"same":{"a":9,"a":1},"other":{"a":1.0},"text":"x"}') as Entry['updated'];
    const told = (said: Partial<Entry>): string[] =>
      fieldsOf(entry(said))
        .filter((field) => isOnlyNotation(entry(said), field))
        .map(({ column }) => column);
    expect(told({ previous: values, updated })).toEqual(['same']);
    expect(told({ previous: null, updated, operation: 'insert' })).toEqual([]);
  });

  test('keep the text of numbers, print json over several lines, and show labels beside stored values', () => {
    const updated = parseExact('{"n":1.50,"j":{"a":[1e400]},"s":2,"e":{}}') as Entry['updated'];
    const fields = fieldsOf(entry({ updated, labels: { previous: {}, updated: { s: 'away' } } }));
    expect(fields.map((field) => field.updated)).toEqual([
      { is: 'value', text: '1.50', type: 'number' },
      { is: 'value', text: '{\n  "a": [\n    1e400\n  ]\n}', type: 'json' },
      { is: 'value', text: '2', type: 'number', label: 'away' },
      { is: 'value', text: '{}', type: 'json' },
    ]);
  });

  test('include a column named like a built-in property of objects', () => {
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
  test('consists of parts that together give both texts', () => {
    const text = fc.array(fc.constantFrom('a', 'b', ' ', '\n', 'c d', ',')).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, text, (previous, updated) => {
        const parts = diffText(previous, updated);
        expect(side(parts, 'removed')).toBe(previous);
        expect(side(parts, 'added')).toBe(updated);
      }),
    );
  });

  test('marks only the changed word', () => {
    expect(diffText('call me after five please', 'call me before five please')).toEqual([
      { is: 'same', text: 'call me ' },
      { is: 'removed', text: 'after' },
      { is: 'added', text: 'before' },
      { is: 'same', text: ' five please' },
    ]);
  });

  test('replaces texts with little in common as a whole', () => {
    expect(diffText('one, two', 'red green blue, gold').map((part) => part.is)).toEqual(['removed', 'added']);
  });

  test('marks a member added to json together with the comma before it', () => {
    const added = diffText('[\n  "a"\n]', '[\n  "a",\n  "b"\n]').filter((part) => part.is !== 'same');
    expect(added.map((part) => part.is)).toEqual(['added']);
    expect(added[0]!.text.replace(/\s/g, '')).toBe(',"b"');
  });

  test('ends soon for huge texts, and replaces their middle', () => {
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
