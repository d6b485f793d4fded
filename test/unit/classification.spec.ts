import { describe, expect, test } from '@jest/globals';
import { classify, compileActions, type ClassifiedChange } from '../../src/pipeline/classification.js';
import { redactorOf } from '../../src/pipeline/redaction.js';
import { Tuple } from '../../src/pgoutput/tuple.js';
import type { ActionRule, Operation, Scalar } from '../../src/tracking/rules.js';

const COLUMNS = new Map(
  [
    ['id', 23],
    ['blocked', 16],
    ['amount', 1700],
    ['state', 25],
  ].map(([name, typeOid], index) => [
    name as string,
    { index, name: name as string, typeOid: typeOid as number },
  ]),
);

function row(...values: (string | null)[]): Tuple {
  const tuple = new Tuple();
  tuple.bytes = Buffer.from(values.map((value) => value ?? '').join(''));
  tuple.count = values.length;
  let at = 0;
  values.forEach((value, column) => {
    tuple.offsets[column] = at;
    tuple.lengths[column] = value === null ? -1 : value.length;
    at += value?.length ?? 0;
  });
  return tuple;
}

const rule = (on: Operation[], action: string, of: Partial<ActionRule> = {}): ActionRule => ({
  on,
  action,
  changed: null,
  from: undefined,
  to: undefined,
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
    actionId: (name) => names.push(name) - 1,
  });
  return names[classify(compiled, { previous: null, row: null, changed: null, ...change })]!;
}

describe('classification', () => {
  test('without rules an insert adds, an update edits, a delete and a truncate delete', () => {
    const change = { row: row('1', 't', '1', 'x') };
    expect(
      (['insert', 'update', 'delete', 'truncate'] as const).map((operation) =>
        actionOf(operation, [], change),
      ),
    ).toEqual(['add', 'edit', 'delete', 'delete']);
  });

  test('the first rule whose conditions all hold names the action', () => {
    const rules = [
      rule(['update'], 'block', { changed: ['blocked'], to: true }),
      rule(['update'], 'activate', { changed: ['blocked'], to: false }),
      rule(['update', 'insert'], 'close', {
        when: new Map<string, Scalar[]>([['state', ['closed', 'done']]]),
      }),
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

  test('`from` looks at the value before, and never matches where that was not sent', () => {
    const rules = [rule(['update'], 'reopen', { changed: ['state'], from: 'closed' })];
    const changed = Uint8Array.from([0, 0, 0, 1]);
    const updated = row('1', 'f', '1', 'open');
    expect(actionOf('update', rules, { previous: row('1', 'f', '1', 'closed'), row: updated, changed })).toBe(
      'reopen',
    );
    expect(actionOf('update', rules, { previous: null, row: updated, changed })).toBe('edit');
  });

  test('numbers compare by value where PostgreSQL prints one number in several ways, null only equals null', () => {
    const amount = (wanted: Scalar) => [rule(['insert'], 'match', { when: new Map([['amount', [wanted]]]) })];
    expect(actionOf('insert', amount(1.5), { row: row('1', 'f', '1.50', 'x') })).toBe('match');
    expect(actionOf('insert', amount('1.5'), { row: row('1', 'f', '1.50', 'x') })).toBe('add');
    expect(actionOf('insert', amount(null), { row: row('1', 'f', null, 'x') })).toBe('match');
    expect(actionOf('insert', amount(null), { row: row('1', 'f', '0', 'x') })).toBe('add');
    expect(actionOf('insert', amount(0), { row: row('1', 'f', null, 'x') })).toBe('add');
  });

  test('a rule about a column that the table has no more never matches', () => {
    expect(
      actionOf('insert', [rule(['insert'], 'never', { when: new Map([['gone', ['x']]]) })], {
        row: row('1', 'f', '1', 'x'),
      }),
    ).toBe('add');
  });
});

describe('redaction', () => {
  const key = Buffer.from('key');
  const apply = (rule: Parameters<typeof redactorOf>[0], text: string): string => {
    const bytes = Buffer.from(`<<${text}>>`);
    return redactorOf(rule, { key })!(bytes, 2, bytes.length - 4)!.toString();
  };

  test('a mask says nothing, a hash only whether two values are the same, a truncation only the beginning', () => {
    expect(apply({ method: 'mask' }, 'secret')).toBe('***');
    expect(apply({ method: 'hash' }, 'secret')).toMatch(/^[0-9a-f]{32}$/);
    expect(apply({ method: 'hash' }, 'secret')).toBe(apply({ method: 'hash' }, 'secret'));
    expect(apply({ method: 'hash' }, 'secret')).not.toBe(apply({ method: 'hash' }, 'secrets'));
    expect(apply({ method: 'truncate', length: 3 }, '日本語テキスト')).toBe('日本語…');
    expect(apply({ method: 'truncate', length: 3 }, 'abc')).toBe('abc');
  });
});
