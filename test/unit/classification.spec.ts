import { describe, expect, test } from '@jest/globals';
import {
  classify,
  compileActions,
  SKIPPED,
  type ClassifiedChange,
} from '../../src/pipeline/classification.js';
import { orderOf } from '../../src/tracking/value-order.js';
import { redactorOf } from '../../src/pipeline/redaction.js';
import { Tuple } from '../../src/pgoutput/tuple.js';
import type { ActionRule, Operation, Scalar, Wanted } from '../../src/tracking/rules.js';

const JSONB = 3802;

const COLUMNS = new Map(
  [
    ['id', 23],
    ['blocked', 16],
    ['amount', 1700],
    ['state', 25],
    ['settings', JSONB],
  ].map(([name, typeOid], index) => [
    name as string,
    {
      index,
      name: name as string,
      typeOid: typeOid as number,
      order: orderOf(typeOid as number, new Map()),
      isJson: typeOid === JSONB,
      member: null,
    },
  ]),
);

const is = (...values: Scalar[]): Wanted => ({ values, not: false });
const isNot = (...values: Scalar[]): Wanted => ({ values, not: true });

/** Marks a value that was not sent. */
const NOT_SENT = Symbol('not sent');

function row(...values: (string | null | typeof NOT_SENT)[]): Tuple {
  const tuple = new Tuple();
  const texts = values.map((value) => (typeof value === 'string' ? value : ''));
  tuple.bytes = Buffer.from(texts.join(''));
  tuple.count = values.length;
  let at = 0;
  values.forEach((value, column) => {
    tuple.offsets[column] = at;
    tuple.lengths[column] = value === null ? -1 : value === NOT_SENT ? -2 : value.length;
    at += texts[column]!.length;
  });
  return tuple;
}

const rule = (on: Operation[], action: string, of: Partial<ActionRule> = {}): ActionRule => ({
  on,
  action,
  changed: null,
  from: null,
  to: null,
  increased: [],
  decreased: [],
  when: new Map(),
  ...of,
});

function actionOf(
  operation: Operation,
  rules: readonly ActionRule[],
  change: Partial<ClassifiedChange>,
): string {
  const names: string[] = [];
  const compiled = compileActions({
    operation,
    rules,
    columns: COLUMNS,
    actionId: (name) => names.push(name),
  });
  const action = classify(compiled, { previous: null, row: null, changed: null, ...change });
  return action === SKIPPED ? 'skip' : names[action - 1]!;
}

describe('classification', () => {
  test('is add for an insert, edit for an update, delete for a delete and a truncate, if there are no rules', () => {
    const change = { row: row('1', 't', '1', 'x') };
    expect(
      (['insert', 'update', 'delete', 'truncate'] as const).map((operation) =>
        actionOf(operation, [], change),
      ),
    ).toEqual(['add', 'edit', 'delete', 'delete']);
  });

  test('is the action of the first rule with only true conditions', () => {
    const rules = [
      rule(['update'], 'block', { changed: ['blocked'], to: is(true) }),
      rule(['update'], 'activate', { changed: ['blocked'], to: is(false) }),
      rule(['update', 'insert'], 'close', { when: new Map([['state', is('closed', 'done')]]) }),
    ];
    const changed = Uint8Array.from([0, 1, 0, 0]);
    const unchanged = Uint8Array.from([0, 0, 1, 0]);
    expect(actionOf('update', rules, { row: row('1', 't', '1', 'x'), changed })).toBe('block');
    expect(actionOf('update', rules, { row: row('1', 'f', '1', 'x'), changed })).toBe('activate');
    expect(actionOf('update', rules, { row: row('1', 't', '1', 'x'), changed: unchanged })).toBe('edit');
    expect(actionOf('update', rules, { row: row('1', 't', '1', 'done'), changed: unchanged })).toBe('close');
    expect(actionOf('insert', rules, { row: row('1', 't', '1', 'closed') })).toBe('close');
    expect(actionOf('delete', rules, { row: row('1', 't', '1', 'closed') })).toBe('delete');
  });

  test('compares `from` with the value before, and does not match if that was not sent', () => {
    const rules = [rule(['update'], 'reopen', { changed: ['state'], from: is('closed') })];
    const changed = Uint8Array.from([0, 0, 0, 1]);
    const updated = row('1', 'f', '1', 'open');
    expect(actionOf('update', rules, { previous: row('1', 'f', '1', 'closed'), row: updated, changed })).toBe(
      'reopen',
    );
    expect(actionOf('update', rules, { previous: null, row: updated, changed })).toBe('edit');
  });

  test('compares numbers by value, however PostgreSQL prints them, and null only equals null', () => {
    const amount = (wanted: Scalar) => [
      rule(['insert'], 'match', { when: new Map([['amount', is(wanted)]]) }),
    ];
    expect(actionOf('insert', amount(1.5), { row: row('1', 'f', '1.50', 'x') })).toBe('match');
    expect(actionOf('insert', amount('1.5'), { row: row('1', 'f', '1.50', 'x') })).toBe('add');
    expect(actionOf('insert', amount(null), { row: row('1', 'f', null, 'x') })).toBe('match');
    expect(actionOf('insert', amount(null), { row: row('1', 'f', '0', 'x') })).toBe('add');
    expect(actionOf('insert', amount(0), { row: row('1', 'f', null, 'x') })).toBe('add');
  });

  test('does not match a rule about a column that the table no longer has', () => {
    expect(
      actionOf('insert', [rule(['insert'], 'never', { when: new Map([['gone', is('x')]]) })], {
        row: row('1', 'f', '1', 'x'),
      }),
    ).toBe('add');
  });
});

describe('a rule about a member of JSON', () => {
  const json = (settings: string | null) => row('1', 't', '1', 'x', settings);
  const update = (before: string | null, after: string | null): Partial<ClassifiedChange> => ({
    previous: json(before),
    row: json(after),
    changed: Uint8Array.from([0, 0, 0, 0, before === after ? 0 : 1]),
  });
  const actions = (of: Partial<ActionRule>, changes: [string | null, string | null][]) =>
    changes.map(([before, after]) => actionOf('update', [rule(['update'], 'x', of)], update(before, after)));

  test('matches if that member differs, and not if only other members do', () => {
    expect(
      actions({ changed: ['settings.plan'] }, [
        ['{"plan": 1}', '{"plan": 2}'],
        ['{"plan": 1, "a": 1}', '{"plan": 1, "a": 2}'],
        ['{"a": 1}', '{"plan": 1, "a": 1}'],
        [null, '{"plan": 1}'],
        ['{"b": {"plan": 1}}', '{"b": {"plan": 2}}'],
        ['{"plan": {"a": 1}}', '{"plan": {"a":1 }}'],
        ['{"plan": [1]}', '{"plan": 1}'],
        ['{"plan": 1', '{"plan": 2}'],
      ]),
    ).toEqual(['x', 'edit', 'x', 'x', 'edit', 'edit', 'x', 'edit']);
  });

  test('compares the member before and after: numbers by value, a missing member as null', () => {
    const changes: [string | null, string | null][] = [
      ['{"plan": 1.0}', '{"plan": "pro"}'],
      ['{"plan": "1"}', '{"plan": "pro"}'],
      ['{"plan": 2}', '{"plan": "pro"}'],
      ['{"plan": 1}', '{}'],
      ['{"plan": 1}', '{"plan": null}'],
    ];
    expect(actions({ changed: ['settings.plan'], from: is(1), to: is('pro') }, changes)).toEqual([
      'x',
      'x',
      'edit',
      'edit',
      'edit',
    ]);
    expect(actions({ changed: ['settings.plan'], to: is(null) }, changes)).toEqual([
      'edit',
      'edit',
      'edit',
      'x',
      'x',
    ]);
    expect(
      actions({ when: new Map([['settings.tags', is('a')]]) }, [['{}', '{"tags": ["b", "a"]}']]),
    ).toEqual(['x']);
    expect(
      actions({ increased: ['settings."a.b"'] }, [
        ['{"a.b": 9}', '{"a.b": 10}'],
        ['{"a.b": 10}', '{"a.b": 9}'],
        ['{"a.b": "9"}', '{"a.b": "10"}'],
      ]),
    ).toEqual(['x', 'edit', 'edit']);
  });

  test('never matches if the column has no members', () => {
    expect(actions({ changed: ['state.plan'] }, [['{}', '{"plan": 1}']])).toEqual(['edit']);
    expect(actions({ when: new Map([['state.plan', is(null)]]) }, [['{}', '{"plan": 1}']])).toEqual(['edit']);
  });
});

describe('a condition of a rule', () => {
  const update = (
    previous: (string | null | typeof NOT_SENT)[] | null,
    updated: (string | null | typeof NOT_SENT)[],
    changed: number[],
  ): Partial<ClassifiedChange> => ({
    previous: previous === null ? null : row(...previous),
    row: row(...updated),
    changed: Uint8Array.from(changed),
  });
  const DIFFERS = [0, 0, 1, 0];

  test('compares with one of several values, with none of them, with null and with not null', () => {
    const closed = [rule(['update'], 'x', { changed: ['state'], from: is('open', 'new'), to: isNot(null) })];
    const changed = [0, 0, 0, 1];
    const of = (before: string | null, after: string | null) =>
      actionOf('update', closed, update(['1', 'f', '1', before], ['1', 'f', '1', after], changed));
    expect([of('new', 'done'), of('new', null), of('old', 'done'), of(null, 'done')]).toEqual([
      'x',
      'edit',
      'edit',
      'edit',
    ]);
    const other = [rule(['insert'], 'x', { when: new Map([['state', isNot('open', null)]]) })];
    const inserted = (state: string | null) => actionOf('insert', other, { row: row('1', 'f', '1', state) });
    expect([inserted('done'), inserted('open'), inserted(null)]).toEqual(['x', 'add', 'add']);
  });

  test('on a value that was not sent is never true, and neither is its negation', () => {
    const of = (wanted: Wanted) =>
      actionOf('delete', [rule(['delete'], 'x', { when: new Map([['state', wanted]]) })], {
        row: row('1', 'f', '1', NOT_SENT),
      });
    expect([of(is('a')), of(isNot('a')), of(is(null)), of(isNot(null))]).toEqual(Array(4).fill('delete'));
  });

  test('reads the old row for a value that the update left unchanged', () => {
    const rules = [rule(['update'], 'x', { when: new Map([['state', is('long')]]) })];
    const change = update(['1', 'f', '1', 'long'], ['1', 'f', '2', NOT_SENT], DIFFERS);
    expect(actionOf('update', rules, change)).toBe('x');
  });

  test('compares an increased or decreased number or time to the last digit', () => {
    const rules = [
      rule(['update'], 'more', { increased: ['amount'] }),
      rule(['update'], 'less', { decreased: ['amount', 'id'] }),
    ];
    const of = (before: string | null, after: string | null, changed = DIFFERS) =>
      actionOf('update', rules, update(['1', 'f', before, 'x'], ['1', 'f', after, 'x'], changed));
    expect(of('9007199254740992.1', '9007199254740993.1')).toBe('more');
    expect(of('1.50', '1.5')).toBe('edit');
    expect(of('-1', '-1.5')).toBe('less');
    expect(of('5', 'NaN')).toBe('more');
    expect(of(null, '5')).toBe('edit');
    expect(of('5', null)).toBe('edit');
    expect(of('5', '6', [0, 0, 2, 0])).toBe('edit');
  });

  test('accepts a column pattern', () => {
    const rules = [rule(['update'], 'x', { changed: ['am*', 'gone'] })];
    expect(actionOf('update', rules, update(null, ['1', 'f', '2', 'x'], DIFFERS))).toBe('x');
    expect(actionOf('update', rules, update(null, ['1', 'f', '2', 'x'], [0, 1, 0, 0]))).toBe('edit');
  });
});

describe('skip', () => {
  const rules = [
    rule(['update'], 'block', { changed: ['blocked'] }),
    rule(['update'], 'skip', { changed: ['state', 'blocked'] }),
    rule(['delete'], 'skip', { when: new Map([['state', isNot('kept')]]) }),
  ];
  const updated = (changed: number[]) =>
    actionOf('update', rules, { row: row('1', 'f', '1', 'x'), changed: Uint8Array.from(changed) });

  test('is the action of a change that gets no entry', () => {
    expect(updated([0, 0, 0, 1])).toBe('skip');
    expect(updated([0, 1, 0, 1])).toBe('block');
    expect(updated([0, 0, 1, 0])).toBe('edit');
    expect(actionOf('delete', rules, { row: row('1', 'f', '1', 'gone') })).toBe('skip');
  });

  test('does not apply if an earlier rule may match, or if the row was not sent', () => {
    expect(updated([0, 2, 0, 1])).toBe('edit');
    expect(actionOf('delete', rules, { row: row('1', 'f', '1', NOT_SENT) })).toBe('delete');
  });
});

describe('redaction', () => {
  const key = Buffer.from('key');
  const apply = (rule: Parameters<typeof redactorOf>[0], text: string): string => {
    const bytes = Buffer.from(`<<${text}>>`);
    return redactorOf(rule, { key })!(bytes, 2, bytes.length - 4)!.toString();
  };

  test('hides everything by mask, shows only equality by hash, and only the beginning by truncate', () => {
    expect(apply({ method: 'mask' }, 'secret')).toBe('***');
    expect(apply({ method: 'hash' }, 'secret')).toMatch(/^[0-9a-f]{32}$/);
    expect(apply({ method: 'hash' }, 'secret')).toBe(apply({ method: 'hash' }, 'secret'));
    expect(apply({ method: 'hash' }, 'secret')).not.toBe(apply({ method: 'hash' }, 'secrets'));
    expect(apply({ method: 'truncate', length: 3 }, '日本語テキスト')).toBe('日本語…');
    expect(apply({ method: 'truncate', length: 3 }, 'abc')).toBe('abc');
  });
});
