import { describe, expect, test } from '@jest/globals';
import { isWaltrailError } from '../../src/errors.js';
import { restoreConfig } from '../../src/tracking/configuration.js';
import { parseConfig } from '../../src/tracking/load.js';
import { ruleFor } from '../../src/tracking/match.js';
import { tableName } from '../../src/tracking/names.js';
import type { TableRule, TrackingConfig } from '../../src/tracking/rules.js';

const HEAD = 'source: { name: crm, url: postgres://h/a }\ntrail: { url: postgres://h/b }\n';
const parse = (text: string): TrackingConfig =>
  parseConfig({ text: HEAD + text, file: 'w.yaml', environment: { X: '${Y}' } });
const tableOf = (config: TrackingConfig, name: string): TableRule => ruleFor(config, tableName(name))!;

function problemsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!isWaltrailError(error)) throw error;
    return error.message.split('\n');
  }
  throw new Error('the file was accepted');
}

const INHERITING = `defaults:
  tenant: account_id
  modifier: updated_by
  ignore: ["*_at"]
  labels: { user_id: { table: public.users, key: id, name: "{name}" } }
  values: { status: { 1: open }, kind: { 1: a } }
tables:
  public.agents:
    extends: public.a*
    ignore: []
    tenant: false
    labels: { status: { table: public.states, key: id, name: "{name}" } }
  public.a*:
    entity: thing
    only: [id, name]
    values: { kind: { 1: b } }
  public.*:
`;

describe("what a table's own keys leave open", () => {
  const config = parse(INHERITING);

  test('comes from the table that it extends, then from the defaults, key by key', () => {
    const agents = tableOf(config, 'public.agents');
    expect(agents).toMatchObject({
      entity: null,
      tenant: null,
      modifier: [{ column: 'updated_by', alwaysSet: false }],
      ignore: [],
      only: ['id', 'name'],
    });
    expect(tableOf(config, 'public.others')).toMatchObject({
      tenant: 'account_id',
      ignore: ['*_at'],
      only: null,
    });
    expect(tableOf(config, 'public.apples').entity).toBe('thing');
  });

  test('comes column by column for labels and values, and a column has one of the two', () => {
    const agents = tableOf(config, 'public.agents');
    expect([...agents.labels.keys()]).toEqual(['status', 'user_id']);
    expect([...agents.values].map(([column, words]) => [column, [...words]])).toEqual([
      ['kind', [['1', 'b']]],
    ]);
    expect([...tableOf(config, 'public.others').values.keys()]).toEqual(['status', 'kind']);
  });

  test('is explained with its line in the file', () => {
    const at = (...keys: (string | number)[]) => config.places.of(['tables', 'public.agents', ...keys]);
    expect([at('ignore'), at('only', 1), at('modifier')]).toEqual([
      'w.yaml:12:5: tables."public.agents".ignore',
      'w.yaml:17:16: tables."public.a*".only[1]',
      'w.yaml:5:3: defaults.modifier',
    ]);
    expect([at('labels', 'user_id', 'name'), at('values', 'kind')]).toEqual([
      'w.yaml:7:54: defaults.labels.user_id.name',
      'w.yaml:18:15: tables."public.a*".values.kind',
    ]);
  });

  test('is the same if the configuration is restored from the trail', () => {
    const restored = restoreConfig(config.definition.document, config)!;
    expect(restored.tables).toEqual(config.tables);
    expect(restored.definition).toEqual(config.definition);
  });

  test('adds nothing to the stored document if the file has no defaults', () => {
    const { document } = parse('tables: { public.a: { entity: a, columns: [b] } }').definition;
    expect(JSON.parse(document)).toEqual({
      redact: [],
      secrets: { defaults: true, allow: [] },
      tables: { 'public.a': { entity: 'a', columns: ['b'] } },
      exclude: [],
      messages: { trust_names: false },
    });
  });

  test('may use columns, the earlier name of only', () => {
    const { tables } = parse(`defaults: { only: [a] }\ntables: { public.a: { columns: [b] }, public.b: {} }`);
    expect(tables.map(({ only }) => only)).toEqual([['b'], ['a']]);
  });
});

describe('a merge key', () => {
  test('copies the keys of mappings, the nearest first', () => {
    const config = parse(`defaults: &base { tenant: org, ignore: [a] }
tables:
  public.a: &a { <<: *base, entity: x, ignore: [b] }
  public.b: { entity: y, <<: [*a, { tenant: other, modifier: m }] }
`);
    expect(tableOf(config, 'public.a')).toMatchObject({ entity: 'x', tenant: 'org', ignore: ['b'] });
    expect(tableOf(config, 'public.b')).toMatchObject({
      entity: 'y',
      tenant: 'org',
      ignore: ['b'],
      modifier: [{ column: 'm' }],
    });
  });

  test('reports a mistake at the line where it was written, and fills in variables once', () => {
    expect(
      problemsOf(`tables:
  public.a: &a { entity: x, ignore: b }
  public.b: { <<: *a, nam: x }
`),
    ).toEqual([
      'w.yaml:4:37: tables."public.a".ignore must be a list of column names',
      'w.yaml:4:37: tables."public.b".ignore must be a list of column names',
      'w.yaml:5:23: tables."public.b".nam is not a known key here. Did you mean "name"?',
    ]);
    const { tables } = parse('tables:\n  public.a: &a { name: "$${X} {n}" }\n  public.b: { <<: *a }\n');
    const name = [{ text: '$' }, { column: 'X' }, { text: ' ' }, { column: 'n' }];
    expect(tables.map((table) => table.name)).toEqual([name, name]);
  });

  test.each([
    ['of a list', 'a: &a [1]\ntables: { public.a: { <<: *a } }', '4:27', '<< needs an alias of a mapping'],
    ['of a word', 'tables: { public.a: { <<: x } }', '3:27', '<< needs an alias of a mapping'],
    ['of nothing', 'tables: { public.a: { <<: } }', '3:', '<< needs an alias of a mapping'],
    ['without anchor', 'tables: { public.a: { <<: *b } }', '3:27', 'this alias has no anchor'],
    ['of itself', 'tables: { public.a: &a { <<: *a } }', '3:30', 'this alias is inside the mapping'],
    ['twice', 'tables: { public.a: &a {}, public.b: { <<: *a, <<: *a } }', '3:48', 'this key is given twice'],
  ])('%s is reported with its place', (_, text, at, message) => {
    const [first] = problemsOf(text);
    expect(first).toContain(`w.yaml:${at}`);
    expect(first).toContain(message);
  });

  test('that multiplies aliases is refused in seconds', () => {
    const began = performance.now();
    const keys = Array.from({ length: 4_000 }, (_, index) => `k${index}: 1`).join(', ');
    const merges = Array.from({ length: 4_000 }, (_, index) => `t${index}: { <<: *a }`).join('\n');
    expect(problemsOf(`a: &a { ${keys} }\n${merges}\ntables: { public.a: {} }`)[0]).toContain(
      'aliases expand',
    );
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe('a mistake in the language of tables', () => {
  test('such as a misspelt key is reported as an unknown key and as a missing one', () => {
    expect(problemsOf('tables: { public.a: { where: { a: { nto: 1 } } } }')).toEqual([
      'w.yaml:3:32: tables."public.a".where.a.not is missing',
      'w.yaml:3:37: tables."public.a".where.a.nto is not a known key here. Did you mean "not"?',
    ]);
  });

  test.each([
    ['defaults: { entity: a }', '3:13', 'defaults.entity is not a known key here'],
    ['defaults: { tenat: a }', '3:13', 'Did you mean "tenant"?'],
    ['defaults: [a]', '3:11', 'defaults must be a mapping of keys and values'],
    ['defaults: { ignore: "*_at" }', '3:21', 'defaults.ignore must be a list of column names'],
    ['tables: { public.a: { extends: public.b } }', '3:32', 'names no key of tables.'],
    [
      'tables: { public.agents: {}, public.a: { extends: public.agent } }',
      '3:51',
      'extends names no key of tables. Did you mean "public.agents"?',
    ],
    ['tables: { public.a: { extends: public.a } }', '3:32', 'leads back to tables."public.a" itself'],
    ['tables: { public.a: { extends: a } }', '3:32', 'must be schema.table'],
    ['tables: { public.a: { extends: [public.b] } }', '3:32', 'must be a table pattern'],
    ['tables: { public.a: { one_history: true } }', '3:36', 'one_history needs entity'],
    ['tables: { public.a: { entity: a, one_history: yes } }', '3:47', 'one_history must be true'],
    ['tables: { public.a: { only: a } }', '3:29', 'only must be a list of column names'],
    ['tables: { public.a: { only: [] } }', '3:29', 'only names no column'],
    ['tables: { public.a: { except: [1] } }', '3:32', 'except[0] must be a column name'],
    ['tables: { public.a: { only: [a], columns: [b] } }', '3:43', 'columns is the earlier name of only'],
    ['tables: { public.a: { operations: insert } }', '3:35', 'operations must be a list of insert'],
    [
      'tables: { public.a: { operations: [upsert] } }',
      '3:36',
      'operations[0] must be insert, update, delete',
    ],
    ['tables: { public.a: { operations: [] } }', '3:35', 'operations names no operation'],
    ['tables: { public.a: { where: [a] } }', '3:30', 'where must be a mapping from columns to values'],
    ['tables: { public.a: { where: { a: [] } } }', '3:35', 'where.a names no value'],
    ['tables: { public.a: { where: { a: { not: { b: 1 } } } } }', '3:42', 'where.a.not must be a value'],
    [
      'tables: { public.a: { tenant: true } }',
      '3:31',
      'tenant must be a column name, { via: …, table: …, key: … }, or false',
    ],
    ['tables: { public.a: { tenant: { via: b, table: public.b } } }', '3:23', 'tenant.key is missing'],
    [
      'tables: { public.a: { tenant: { via: b, table: public.b, key: id, column: c } } }',
      '3:67',
      'is not a known key here. Known: via, table, key, tenant.',
    ],
    [
      'tables: { public.a: { tenant: { via: b, table: public.b, key: id } } }',
      '3:23',
      'tenant leads to public.b, which is not tracked; set tenant after key to the column of public.b that holds the tenant',
    ],
    [
      'tables: { public.a: { tenant: { via: b, table: public.b, key: id } }, public.b: { tenant: false } }',
      '3:23',
      'tenant leads to public.b, whose rows have no tenant',
    ],
    [
      'tables: { public.a: { tenant: org }, public.b: { tenant: { via: a, table: public.b, key: id } } }',
      '3:50',
      'tenant leads back to public.b',
    ],
    [
      'defaults: { tenant: { via: b, table: public.b, key: id } }',
      '3:13',
      'defaults.tenant leads to public.b, which is not tracked',
    ],
    ['tables: { public.a: { labels: { i: { type: t } } } }', '3:33', 'labels.i.types is missing'],
    ['tables: { public.a: { labels: { i: { type: t, types: {} } } } }', '3:54', 'types names no value'],
    [
      'tables: { public.a: { labels: { i: { type: t, types: { A: { table: public.b, key: id } } } } } }',
      '3:56',
      'labels.i.types.A.name is missing',
    ],
    ['tables: { public.a: { name: true } }', '3:29', 'name must be a template'],
    [
      'tables: { public.a: { actions: [{ on: insert, increased: a, action: b }] } }',
      '3:58',
      'increased is allowed only with on: update',
    ],
    [
      'tables: { public.a: { actions: [{ on: update, changed: "a*", to: 1, action: b }] } }',
      '3:66',
      'to needs exactly one column in changed',
    ],
    [
      'tables: { public.a: { actions: [{ on: update, decreasd: a, action: b }] } }',
      '3:47',
      'Did you mean "decreased"?',
    ],
    ['action_names: { Block: x }', '3:17', 'must be an action category'],
    ['action_names: { block: "" }', '3:24', 'action_names.block must be a text, not empty'],
    ['action_names: { block: "a\\nb" }', '3:24', 'action_names.block must be one line'],
    ['action_names: { block: [a] }', '3:24', 'action_names.block must be a text'],
    ['action_names: [a]', '3:15', 'action_names must be a mapping from action categories to texts'],
    ['tables: { public.a: 3 }', '3:21', 'must be a mapping of keys and values'],
    [
      'tables: { public.a: { values: { f: { bit: { 0: a } } } } }',
      '3:43',
      'values.f.bit must be a word; put words for bits under bits. Did you mean "bits"?',
    ],
    [
      'tables: { public.a: { values: { f: { bits: { x: a } } } } }',
      '3:49',
      'values.f.bits.x must be the position of a bit: 0 is the lowest, whose value is 1',
    ],
    ['tables: { public.a: { values: { f: { bits: { -1: a } } } } }', '3:50', 'must be the position of a bit'],
    [
      'tables: { public.a: { values: { f: { bits: { 0: a }, 1: b } } } }',
      '3:44',
      'cannot be combined with other values; a bit mask has only bits',
    ],
    ['tables: { public.a: { values: { f: { bits: { 0: "" } } } } }', '3:49', 'must be a word, not empty'],
    ['tables: { public.a: { values: { f: { 1: [a] } } } }', '3:41', 'must be a word'],
    [
      `tables: { public.a: { values: { ${'x'.repeat(64)}: { 1: a } } } }`,
      '3:33',
      'is longer than a column name can be',
    ],
  ])('is reported: %s', (text, at, message) => {
    const rest = text.startsWith('tables') ? '' : '\ntables: { public.a: {} }';
    const problems = problemsOf(text + rest);
    expect(problems[0]).toContain(`w.yaml:${at}: `);
    expect(problems[0]).toContain(message);
    expect(problems).toHaveLength(1);
  });

  test.each([
    ['{b_id.c_id.d_id.name}', 'has "b_id.c_id.d_id.name", which leads through more than 2 tables'],
    [
      '{b_id.x_id.name}',
      'has "b_id.x_id.name", but public.b has no label for "x_id", which would say what it refers to',
    ],
    ['{b_id.}', 'has "b_id." with an empty column name'],
  ])('is reported for the path %s in a name', (name, message) => {
    const label = (column: string, table: string): string =>
      `labels: { ${column}: { table: public.${table}, key: id, name: "{name}" } }`;
    expect(
      problemsOf(`tables:
  public.a: { name: "${name}", ${label('b_id', 'b')} }
  public.b: { ${label('c_id', 'c')} }
`),
    ).toEqual([`w.yaml:4:15: tables."public.a".name ${message}`]);
  });

  test.each([
    [
      'of {c_id.name}',
      'has "c_id.name" and other parts; a word of another table must be the whole name of a label',
    ],
    [
      '{c_id.name|x}',
      'has "c_id.name" and other parts; a word of another table must be the whole name of a label',
    ],
    [
      '{c_id.d_id.name}',
      'has "c_id.d_id.name", but public.c has no label for "d_id", which would say what it refers to',
    ],
  ])('is reported for the path %s in a label', (name, message) => {
    expect(
      problemsOf(`tables:
  public.a: { labels: { b_id: { table: public.b, key: id, name: "${name}" } } }
  public.b: { labels: { c_id: { table: public.c, key: id, name: "{name}" } } }
`),
    ).toEqual([`w.yaml:4:59: tables."public.a".labels.b_id.name ${message}`]);
  });

  test('a tenant may be up to four tables away', () => {
    const chain = (length: number): string =>
      Array.from(
        { length },
        (_, at) => `  public.t${at}: { tenant: { via: up, table: public.t${at + 1}, key: id } }\n`,
      ).join('') + `  public.t${length}: { tenant: org }`;
    expect(() => parse(`tables:\n${chain(4)}`)).not.toThrow();
    expect(problemsOf(`tables:\n${chain(5)}`)).toEqual([
      'w.yaml:4:16: tables."public.t0".tenant leads through more than 4 tables',
    ]);
  });

  test('is reported together with all others, in the order of the file', () => {
    const problems = problemsOf(`defaults: { ignor: [a] }
tables:
  public.a: { extends: public.x, where: 3 }
  public.b: { only: 1, operation: [insert] }
`);
    expect(problems.map((line) => line.split(': ')[0])).toEqual([
      'w.yaml:3:13',
      'w.yaml:5:41',
      'w.yaml:6:21',
      'w.yaml:6:24',
    ]);
  });

  test.each([
    ['CRLF', (text: string) => text.replaceAll('\n', '\r\n')],
    ['a byte order mark', (text: string) => `\ufeff${text}`],
  ])('has the same place in a file with %s', (_, change) => {
    const text = `${HEAD}tables:\n  public.a:\n    nam: x\n`;
    expect(() => parseConfig({ text: change(text), file: 'w.yaml', environment: {} })).toThrow(
      'w.yaml:5:5: tables."public.a".nam is not a known key',
    );
    const first = change(`sorce: 1\n${text}`);
    expect(() => parseConfig({ text: first, file: 'w.yaml', environment: {} })).toThrow('w.yaml:1:1: sorce');
  });

  test('is found in an incomplete file, wherever it ends before its tables', () => {
    const whole = `${HEAD}tables:\n  public.a: { entity: a }\n`;
    for (let end = 0; end < whole.indexOf('public.a'); end++)
      expect(() => parseConfig({ text: whole.slice(0, end), file: 'w.yaml', environment: {} })).toThrow(
        'w.yaml:',
      );
  });
});

test('a file of ten thousand tables is read in seconds, with all its mistakes', () => {
  const tables = (rule: string): string =>
    Array.from({ length: 10_000 }, (_, index) => `  public.t${index}: ${rule}\n`).join('');
  const began = performance.now();
  const config = parse(
    `defaults: &d { ignore: ["*_at"], labels: { by: { table: public.users, key: id, name: "{name}" } } }\ntables:\n${tables('{ <<: *d, tenant: org }')}`,
  );
  expect(config.tables).toHaveLength(10_000);
  for (const { pattern } of config.tables) expect(tableOf(config, pattern).tenant).toBe('org');
  expect(problemsOf(`tables:\n${tables('{ tenat: org }')}`)).toHaveLength(26);
  // Quadratic time would take minutes.
  expect(performance.now() - began).toBeLessThan(60_000);
});
