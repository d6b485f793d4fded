import { describe, expect, test } from '@jest/globals';
import { arrayElements, printedElement } from '../../src/pg/array-text.js';
import { valuesAt } from '../../src/pg/json-members.js';
import { columnsMeant, memberPath } from '../../src/tracking/member-path.js';
import { decodeValue } from '../../src/trail/read/decode.js';
import type { StoredColumn } from '../../src/trail/read/dictionaries.js';
import { changesOf } from '../../src/trail/read/value-changes.js';

const INT8 = 20;
const TEXT_ARRAY = 1009;
const INT_ARRAY = 1007;
const VARBIT = 1562;
const JSONB = 3802;

const valueOf = (column: Omit<StoredColumn, 'name'>, text: string) =>
  decodeValue({ is: 'text', text }, { name: 'c', ...column });
const labelOf = (column: Omit<StoredColumn, 'name'>, text: string) => valueOf(column, text).label;
const changes = (column: Omit<StoredColumn, 'name'>, before: string, after: string) =>
  changesOf({
    previous: new Map([['c', valueOf(column, before)]]),
    updated: new Map([['c', valueOf(column, after)]]),
  }).map(({ column: _column, ...rest }) => rest);

describe('the elements of an array', () => {
  test.each([
    ['{}', []],
    ['{1,2}', ['1', '2']],
    ['{NULL,"NULL",null}', [null, 'NULL', 'null']],
    ['[0:1]={a,b}', ['a', 'b']],
    ['[-2:-2]={a}', ['a']],
    ['{"a,b","c\\"d","e\\\\f","",x y}', null],
    ['{"a,b","c\\"d","e\\\\f","","x y","{}"}', ['a,b', 'c"d', 'e\\f', '', 'x y', '{}']],
    ['{{1,2},{3,4}}', null],
    ['[0:0][1:2]={{1,2}}', null],
    ['***', null],
    ['{1,2', null],
    ['{"a}', null],
    ['{"a"b}', null],
    ['{1,}', null],
    ['', null],
  ])('are read from %s', (text, elements) => {
    expect(arrayElements(text)).toEqual(elements);
  });

  test('are written as PostgreSQL prints them', () => {
    const elements = ['a', '', 'Null', 'a b', 'a,b', 'a"b', 'a\\b', '{'];
    const printed = `{${elements.map(printedElement).join(',')}}`;
    expect(printed).toBe('{a,"","Null","a b","a,b","a\\"b","a\\\\b","{"}');
    expect(arrayElements(printed)).toEqual(elements);
  });
});

describe('the path of a member', () => {
  test.each([
    ['settings.plan', { column: 'settings', path: ['plan'] }],
    ['settings."a.b".c', { column: 'settings', path: ['a.b', 'c'] }],
    ['"my.column"."say ""x"""', { column: 'my.column', path: ['say "x"'] }],
    ['settings', null],
    ['settings.', null],
    ['settings..plan', null],
    ['settings."plan', null],
  ])('is read from %s', (text, path) => {
    expect(memberPath(text)).toEqual(path);
  });

  test('may also be the name of a column, which comes first', () => {
    expect(columnsMeant('a.b')).toEqual(['a.b', 'a']);
    expect(columnsMeant('a')).toEqual(['a']);
  });
});

describe('values at a path', () => {
  const at = (json: string, ...path: string[]) => valuesAt(Buffer.from(json), { path, ofLists: true });

  test.each([
    ['{"a": {"b": 1.50}}', ['1.50']],
    ['{"a": {"b": [1, [2], {"b": 3}]}}', ['1', '2', '{"b":3}']],
    ['{"a": [{"b": 1}, {"c": 2}, {"b": "x"}]}', ['1', '"x"']],
    ['[{"a": {"b": 1}}, {"a": {"b": 2}}]', ['1', '2']],
    ['{"a": {"b": 1, "b": 2}}', ['2']],
    ['{"a": {"b": 1}, "a": {"c": 2}}', []],
    ['{"\\u0061": {"b": true}}', ['true']],
    ['{"x": {"a": {"b": 1}}, "b": 2}', []],
    ['{"a": {"b": {"c": [1, 2]}}}', ['{"c":[1,2]}']],
    ['{"a": 5}', []],
    ['{"a": {"b": null}}', ['null']],
    ['17', []],
  ])('are found in %s', (json, found) => {
    expect(at(json, 'a', 'b')).toEqual(found);
  });

  test('are unknown if the text is not JSON', () => {
    expect(at('***', 'a')).toBeNull();
    expect(at('{"a": 1', 'a')).toBeNull();
  });

  test('may include a whole list', () => {
    expect(valuesAt(Buffer.from('{"a": [1, 2]}'), { path: ['a'], ofLists: false })).toEqual(['[1,2]']);
  });
});

describe('labels for parts of a value', () => {
  test('name the set bits of a mask, and give the positions of bits without a label', () => {
    const bits = { width: 64, words: { 0: 'inbound', 1: 'outbound', 62: 'far', 63: 'sign' } };
    const label = (text: string) => labelOf({ type: INT8, bits }, text);
    expect(label('3')).toBe('inbound, outbound');
    expect(label('9')).toBe('inbound, bit 3');
    expect(label('0')).toBe('none');
    expect(label('4611686018427387905')).toBe('inbound, far');
    expect(label('-9223372036854775808')).toBe('sign');
    expect(label('***')).toBeUndefined();
    expect(labelOf({ type: 21, bits: { width: 16, words: {} } }, '-32768')).toBe('bit 15');
    const ofString = { width: 0, words: { 0: 'first', 9: 'tenth' } };
    expect(labelOf({ type: VARBIT, bits: ofString }, '1000000011')).toBe('first, bit 1, tenth');
  });

  test('name the elements of an array', () => {
    const values = { 1: 'admin', 'a b': 'both', true: 'yes' };
    expect(labelOf({ type: INT_ARRAY, values }, '{1,2,NULL}')).toBe('admin, 2, null');
    expect(labelOf({ type: TEXT_ARRAY, values }, '{"a b"}')).toBe('both');
    expect(labelOf({ type: 1000, values }, '{t,f}')).toBe('yes, f');
    expect(labelOf({ type: 99_999, array: true, values }, '[0:0]={1}')).toBe('admin');
    expect(labelOf({ type: INT_ARRAY, values }, '{2}')).toBeUndefined();
    expect(labelOf({ type: INT_ARRAY, values }, '{{1}}')).toBeUndefined();
    // A label for the whole value still applies.
    expect(labelOf({ type: INT_ARRAY, values: { '{1,2}': 'both' } }, '{1,2}')).toBe('both');
  });

  test('name members of JSON, after their paths', () => {
    const members = [{ path: ['plan'], values: { 1: 'Free', pro: 'Professional' } }];
    const label = (text: string) => labelOf({ type: JSONB, members }, text);
    expect(label('{"plan": 1, "x": 1}')).toBe('plan: Free');
    expect(label('{"plan": "pro"}')).toBe('plan: Professional');
    expect(label('{"plan": 2}')).toBeUndefined();
    expect(label('[{"plan": 1}, {"plan": "pro"}]')).toBe('plan: Free, plan: Professional');
  });

  test('are omitted for a very long value, and limited to one hundred', () => {
    const values = { 1: 'admin' };
    const ones = (count: number) => `{${Array.from({ length: count }, () => '1').join(',')}}`;
    expect(labelOf({ type: INT_ARRAY, values }, ones(102))).toMatch(/^(?:admin, ){99}admin and 2 more$/);
    expect(labelOf({ type: INT_ARRAY, values }, ones(1_001))).toBeUndefined();
  });
});

describe('the changes within a value', () => {
  test('list the added and removed elements of an array, each as often as it was added or removed', () => {
    const column = { type: TEXT_ARRAY, values: { a: 'Anna' } };
    expect(changes(column, '{a,b,b}', '{b,c}')).toEqual([{ removed: ['Anna', 'b'], added: ['c'] }]);
    expect(changes({ type: TEXT_ARRAY }, '{a,b}', '{b,a}')).toEqual([]);
    expect(changes({ type: TEXT_ARRAY }, '{a}', '{NULL}')).toEqual([{ removed: ['a'], added: ['null'] }]);
    expect(changes({ type: TEXT_ARRAY }, '{{a}}', '{{b}}')).toEqual([]);
  });

  test('list the bits that were set and cleared', () => {
    const column = { type: INT8, bits: { width: 64, words: { 0: 'inbound', 1: 'outbound' } } };
    expect(changes(column, '1', '6')).toEqual([{ removed: ['inbound'], added: ['outbound', 'bit 2'] }]);
  });

  test('list the members of JSON that differ, with their labels', () => {
    const column = { type: JSONB, members: [{ path: ['plan'], values: { 1: 'Free', 2: 'Pro' } }] };
    expect(
      changes(
        column,
        '{"plan": 1, "smtp": {"port": 25, "host": "a"}, "tags": ["x"], "old": null}',
        '{"plan": 2, "smtp": {"port": 12345678901234567890, "host": "a"}, "tags": ["x", "y"], "a.b": 1}',
      ),
    ).toEqual([
      { member: 'plan', removed: ['Free'], added: ['Pro'] },
      { member: 'smtp.port', removed: ['25'], added: ['12345678901234567890'] },
      { member: 'tags', removed: [], added: ['"y"'] },
      { member: 'old', removed: ['null'], added: [] },
      { member: '"a.b"', removed: [], added: ['1'] },
    ]);
    expect(changes({ type: JSONB }, '[{"a": 1}, 2]', '[{"a": 3}]')).toEqual([
      { member: '[0].a', removed: ['1'], added: ['3'] },
      { member: '[1]', removed: ['2'], added: [] },
    ]);
    expect(changes({ type: JSONB }, '[1, 2]', '[2, 1]')).toEqual([{ removed: ['[1,2]'], added: ['[2,1]'] }]);
    expect(changes({ type: JSONB }, '1', '{"a": 1}')).toEqual([{ removed: ['1'], added: ['{"a":1}'] }]);
    // The last of two members with the same name counts, and white space makes no difference.
    expect(changes({ type: 114 }, '{"a": 1, "a": 2}', '{"a":2}')).toEqual([]);
  });

  test('are limited, and state how many more there are', () => {
    const object = (value: number, count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`m${at}`, value])));
    const found = changes({ type: JSONB }, object(1, 100), object(2, 100));
    expect(found).toHaveLength(51);
    expect(found.at(-1)).toEqual({ removed: [], added: [], more: 50 });
    expect(changes({ type: JSONB }, object(1, 100_000), object(2, 100_000))).toEqual([
      { removed: [], added: [], notCompared: true },
    ]);
    const long = 'x'.repeat(10_000);
    expect(changes({ type: TEXT_ARRAY }, '{}', `{${long}}`)).toEqual([
      { removed: [], added: [`${'x'.repeat(200)}…`] },
    ]);
    const many = `{${Array.from({ length: 50 }, (_, at) => at).join(',')}}`;
    expect(changes({ type: INT_ARRAY }, '{}', many)).toMatchObject([{ more: 30 }]);
  });
});
