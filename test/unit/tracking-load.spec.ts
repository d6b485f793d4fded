import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isWaltrailError } from '../../src/errors.js';
import { loadConfig, parseConfig } from '../../src/tracking/load.js';
import type { Scalar, TrackingConfig, Wanted } from '../../src/tracking/rules.js';

const environment = { SOURCE: 'postgres://u:pw@source/crm', TRAIL: 'postgres://u:pw@trail/audit' };
const HEAD = `source: { name: crm, url: "\${SOURCE}" }
trail: { url: "\${TRAIL}" }
`;
const TABLES = `tables:
  public.agents: { entity: agent }
`;

const parse = (text: string, env: Record<string, string | undefined> = environment): TrackingConfig =>
  parseConfig({ text, file: 'w.yaml', environment: env });

/** The lines of the message, one for each problem. */
function problemsOf(text: string, env?: Record<string, string | undefined>): string[] {
  try {
    parse(text, env);
  } catch (error) {
    if (!isWaltrailError(error)) throw error;
    expect(error.code).toBe('TRACKING_FILE_INVALID');
    return error.message.split('\n');
  }
  throw new Error('the file was accepted');
}

/** Problems of a rule for public.agents. The given lines begin at line 5, column 5. */
const inRule = (...lines: string[]): string[] =>
  problemsOf(`${HEAD}tables:\n  public.agents:\n${lines.map((line) => `    ${line}\n`).join('')}`);

describe('the part of a configuration that is compared', () => {
  const key = 'a-key-of-signatures-which-nobody-may-read';
  const definitionOf = (head: string, rest = TABLES): TrackingConfig['definition'] =>
    parse(`${head}${rest}`, { ...environment, KEY: key }).definition;

  test('covers tracking, and not the addresses of source and trail, the slot or any key', () => {
    const definition = definitionOf(HEAD);
    for (const head of [
      `source: { name: crm, url: "\${SOURCE}", slot: waltrail_crm }\ntrail: { url: "\${TRAIL}" }\n`,
      `source: { name: erp, url: "postgres://x@y/z", slot: other, publication: p, on_gap: continue }\ntrail: { url: "\${SOURCE}", retention: 40d }\n`,
      `${HEAD}reports: { timezone: Asia/Jerusalem }\nmessages: { signing_keys: ["\${KEY}"] }\n`,
    ])
      expect(definitionOf(head)).toEqual(definition);
    expect(definitionOf(HEAD, 'tables: { public.agents: { entity: person } }').digest).not.toBe(
      definition.digest,
    );
    expect(definition.document).not.toMatch(/postgres:|waltrail_crm/);
  });
});

describe('a tracking file', () => {
  test('loads completely for the sample CRM', () => {
    const config = loadConfig({
      file: path.resolve(import.meta.dirname, '../../config/sample.yaml'),
      environment: { WALTRAIL_SOURCE_URL: environment.SOURCE, WALTRAIL_TRAIL_URL: environment.TRAIL },
    });
    expect(config.source).toEqual({
      name: 'crm',
      url: environment.SOURCE,
      slot: 'waltrail_crm',
      slotNamed: false,
      publication: 'waltrail',
      onGap: 'stop',
      onNewTable: 'report',
      eventTrigger: false,
    });
    expect(config.trail).toEqual({ url: environment.TRAIL, retentionDays: 400 });
    expect(config.reports).toEqual({ maxRangeMs: 7 * 86_400_000, maxRangeDays: 7, timezone: 'UTC' });
    expect(config.modifiers).toEqual([
      {
        called: null,
        table: 'public.agents',
        key: 'id',
        name: [{ column: 'full_name' }],
        tenant: null,
        kind: { column: 'role', bot: ['bot'], system: [] },
      },
    ]);
    const agents = config.tables.find(({ pattern }) => pattern === 'public.agents')!;
    expect(agents).toMatchObject({
      entity: 'agent',
      modifier: [{ column: 'updated_by', alwaysSet: true }],
      tenant: 'organization_id',
      id: null,
    });
    expect(agents.values.get('status')?.get('1')).toBe('online');
    expect(agents.labels.get('team_id')).toEqual({
      table: 'public.teams',
      key: 'id',
      name: [{ column: 'name' }],
      tenant: null,
    });
    expect(agents.actions[0]).toEqual({
      on: ['update'],
      changed: ['blocked'],
      from: null,
      to: { values: [true], not: false },
      increased: [],
      decreased: [],
      when: new Map(),
      action: 'block',
    });
  });

  test('needs only a source, a trail and a table', () => {
    const config = parse(HEAD + TABLES);
    expect(config).toMatchObject({
      modifiers: [],
      messages: { trustNames: false, signingKeys: [] },
      redact: [],
      exclude: [],
      trail: { retentionDays: null },
    });
    expect(config.tables[0]).toEqual({
      pattern: 'public.agents',
      entity: 'agent',
      oneHistory: false,
      name: null,
      only: null,
      baseline: null,
      except: [],
      operations: null,
      where: new Map(),
      newPartitions: null,
      id: null,
      modifier: [],
      tenant: null,
      tenantOf: null,
      tenantless: false,
      ignore: [],
      labels: new Map(),
      typedLabels: new Map(),
      values: new Map(),
      bits: new Map(),
      actions: [],
    });
  });

  test('accepts one item or a list where several are possible', () => {
    const is = (...values: Scalar[]): Wanted => ({ values, not: false });
    const none = {
      on: ['update'],
      changed: null,
      from: null,
      to: null,
      increased: [],
      decreased: [],
      when: [],
    };
    const [table] = parse(`${HEAD}tables:
  public.agents:
    entity: agent
    id: [org, no]
    actions:
      - { on: [insert, update], when: { kind: [in, out, 3, null] }, action: a }
      - { on: update, changed: [a, b], action: b }
      - { on: update, changed: a, from: null, to: 1.5, action: c }
      - { on: update, changed: a, from: [1, null], to: { not: [2, 3] }, action: d }
      - { on: update, increased: a, decreased: [b, c], when: { d: { not: null } }, action: e }
`).tables;
    expect(table!.id).toEqual(['org', 'no']);
    expect(table!.actions.map(({ action: _, when, ...rule }) => ({ ...rule, when: [...when] }))).toEqual([
      { ...none, on: ['insert', 'update'], when: [['kind', is('in', 'out', 3, null)]] },
      { ...none, changed: ['a', 'b'] },
      { ...none, changed: ['a'], from: is(null), to: is(1.5) },
      { ...none, changed: ['a'], from: is(1, null), to: { values: [2, 3], not: true } },
      { ...none, increased: ['a'], decreased: ['b', 'c'], when: [['d', { values: [null], not: true }]] },
    ]);
  });

  test('redacts by drop, mask, hash and truncate, in both spellings', () => {
    const { redact } = parse(`${HEAD}${TABLES}redact:
  - { columns: [a], with: drop }
  - { columns: [b], with: hash, tables: ["public.*"] }
  - { columns: [c], with: "truncate: 20" }
  - { columns: [d], with: { truncate: 30 } }
`);
    expect(redact.map((rule) => rule.with)).toEqual([
      { method: 'drop' },
      { method: 'hash' },
      { method: 'truncate', length: 20 },
      { method: 'truncate', length: 30 },
    ]);
    expect(redact[1]!.tables).toEqual(['public.*']);
  });

  test('keeps every digit of a big integer, and keys as they were written', () => {
    const [table] = parse(`${HEAD}tables:
  public.t:
    entity: t
    values: { code: { 007: bond, 1.50: half, true: yes it is } }
    actions: [{ on: insert, when: { id: 12345678901234567890 }, action: big }]
`).tables;
    expect([...table!.values.get('code')!.keys()]).toEqual(['007', '1.50', 'true']);
    expect(table!.actions[0]!.when.get('id')).toEqual({ values: ['12345678901234567890'], not: false });
  });

  test('accepts names with capitals, spaces, dots and stars, and gives equal names equal strings', () => {
    const config = parse(`${HEAD}tables:
  public.Weird Table: { entity: a }
  '"my.schema"."a*b"': { entity: b }
  'public."plain"': { entity: c }
`);
    expect(config.tables.map(({ pattern }) => pattern)).toEqual([
      'public.Weird Table',
      '"my.schema"."a*b"',
      'public.plain',
    ]);
  });

  test('keeps entries forever if the retention is forever', () => {
    const text = (retention: string) =>
      `source: { name: crm, url: "\${SOURCE}" }\ntrail: { url: "\${TRAIL}", retention: ${retention} }\n${TABLES}`;
    expect(parse(text('forever')).trail.retentionDays).toBeNull();
    expect(parse(text('24h')).trail.retentionDays).toBe(1);
    expect(problemsOf(text('36h'))).toEqual([
      'w.yaml:2:38: trail.retention must be a duration in whole days such as 400d, or forever',
    ]);
  });

  test('can share a list by anchor and alias', () => {
    const config = parse(`${HEAD}tables:
  public.a: { entity: a, ignore: &times [updated_at, seen_at] }
  public.b: { entity: b, ignore: *times }
`);
    expect(config.tables[1]!.ignore).toEqual(['updated_at', 'seen_at']);
  });

  test('names a modifier column alone, or with always_set', () => {
    const modifierOf = (line: string) =>
      parse(`${HEAD}tables: { public.agents: { entity: agent, modifier: ${line} } }`).tables[0]!.modifier;
    const plain = { column: 'updated_by', alwaysSet: false, as: 0, on: ['insert', 'update'], actions: null };
    expect(modifierOf('updated_by')).toEqual([{ ...plain, when: new Map() }]);
    expect(modifierOf('{ column: updated_by }')).toEqual(modifierOf('updated_by'));
    expect(modifierOf('{ column: updated_by, always_set: true }')).toEqual([
      { ...plain, alwaysSet: true, when: new Map() },
    ]);
    expect(
      problemsOf(
        `${HEAD}tables:\n  public.agents: { entity: agent, modifier: { column: x, alwaysset: true } }\n`,
      ),
    ).toEqual([
      'w.yaml:4:58: tables."public.agents".modifier.alwaysset is not a known key here. Did you mean "always_set"?',
    ]);
  });
});

describe('an environment variable in a tracking file', () => {
  test('is reported once, with its key, if it is missing', () => {
    expect(problemsOf(HEAD + TABLES, {})).toEqual([
      'w.yaml:1:27: source.url needs the environment variable SOURCE, which is not set',
      'w.yaml:2:15: trail.url needs the environment variable TRAIL, which is not set',
    ]);
  });

  test('may have a default, which also replaces an empty value', () => {
    const text = HEAD.replace('${SOURCE}', '${NOWHERE:-postgres://localhost/x}') + TABLES;
    expect(parse(text).source.url).toBe('postgres://localhost/x');
    expect(parse(text, { ...environment, NOWHERE: '' }).source.url).toBe('postgres://localhost/x');
    expect(parse(text, { ...environment, NOWHERE: 'postgres://h/y' }).source.url).toBe('postgres://h/y');
  });

  test('is inserted as text, so its value cannot add keys', () => {
    const text = `${HEAD}tables:\n  public.a: { entity: a, name: "\${NAME}" }\n`;
    const name = 'x", modifier: "evil';
    expect(parse(text, { ...environment, NAME: name }).tables[0]).toMatchObject({
      name: [{ text: name }],
      modifier: [],
    });
  });

  test('is not searched for in the prototype of the environment', () => {
    expect(problemsOf(HEAD.replace('SOURCE', 'toString') + TABLES)[0]).toContain(
      'needs the environment variable toString',
    );
  });

  test('can be escaped, and is refused if it is malformed', () => {
    const rule = (name: string) => `${HEAD}tables:\n  public.a: { entity: a, name: '${name}' }\n`;
    expect(problemsOf(rule('${a b}'))).toEqual([
      'w.yaml:4:32: tables."public.a".name has a ${ that is not ${NAME} or ${NAME:-default}; write $${ for the two characters',
    ]);
    expect(parse(rule('$${{{{a}}')).tables[0]!.name).toEqual([{ text: '${{a}' }]);
  });

  test('provides the signing keys of messages, and they are never printed', () => {
    const KEYS = `${HEAD}messages: { signing_keys: ["\${KEY}"] }\n${TABLES}`;
    const environment = { SOURCE: 'postgres://s/crm', TRAIL: 'postgres://t/trail' };
    const key = 'hunter2-hunter2-hunter2-hunter2-hunter2';
    expect(
      parseConfig({ text: KEYS, file: 'w.yaml', environment: { ...environment, KEY: key } }).messages,
    ).toEqual({ trustNames: false, signingKeys: [key] });
    expect(problemsOf(KEYS, { ...environment, KEY: 'hunter2' })).toEqual([
      'w.yaml:3:28: messages.signing_keys[0] must be at least 32 characters long',
    ]);
  });

  test('with a password is never printed, whatever is wrong with it', () => {
    const secrets = { SOURCE: 'mysql://u:hunter2@h/x', TRAIL: 'hunter2 ${' };
    const lines = problemsOf(HEAD + TABLES, secrets);
    expect(lines).toEqual([
      'w.yaml:1:27: source.url must be a postgres:// URL',
      'w.yaml:2:15: trail.url must be a postgres:// URL',
    ]);
    for (const text of [
      'source: { url: postgres://u:hunter2@h/x ',
      'source: "postgres://u:hunter2@h/x"',
      'source: [*hunter2]',
      'source: !hunter2 x',
      "source: { name: hunter2!, url: 'hunter2', slot: Hunter2, trail: 3 }",
      'source: "\\xhunter2"',
      '{ postgres://u:hunter2@h/x }',
      'postgres://u:hunter2@h/x: { a: 1 }',
    ]) {
      const shown = problemsOf(text).join('\n');
      expect(shown.toLowerCase()).not.toContain('hunter2');
    }
  });
});

describe('a mistake in a tracking file', () => {
  test('is reported with line and column, together with all others in the order of the file', () => {
    expect(
      problemsOf(`source: { name: crm, url: "\${SOURCE}", slots: x }
trail: { url: "\${TRAIL}", retention: 400 }
reports: { max_range: 7 days, timezone: Middle/Earth }
tables:
  public.agents:
    entity: Agent
    nam: "{full_name}"
  settings: { entity: setting }
`),
    ).toEqual([
      'w.yaml:1:40: source.slots is not a known key here. Did you mean "slot"?',
      'w.yaml:2:38: trail.retention must be a duration in days such as 400d, or forever',
      'w.yaml:3:23: reports.max_range must be a duration such as 7d or 12h',
      'w.yaml:3:41: reports.timezone must be a time zone such as UTC or Asia/Jerusalem',
      'w.yaml:6:13: tables."public.agents".entity must be an entity type: lower-case letters, digits, _ and single blanks, beginning with a letter',
      'w.yaml:7:5: tables."public.agents".nam is not a known key here. Did you mean "name"?',
      'w.yaml:8:3: tables.settings must be schema.table, with * as wildcard (quote a name that has a dot in it)',
    ]);
  });

  test.each([
    [
      'an unknown key that resembles no known one',
      ['entity: a', 'colour: red'],
      '6:5',
      'is not a known key here. Known: entity, name, id,',
    ],
    ['a missing key', ['labels: { a: { table: a.b, key: id } }'], '5:15', 'labels.a.name is missing'],
    [
      'a list instead of a column',
      ['entity: a', 'modifier: 7'],
      '6:15',
      'modifier must be a column name, { column: …, as: …, when: … }, a list of them, or false',
    ],
    ['text instead of a list', ['entity: a', 'ignore: a'], '6:13', 'ignore must be a list of column names'],
    ['an empty list', ['entity: a', 'id: []'], '6:9', 'id names no column'],
    [
      'another word for true at new_partitions',
      ['entity: a', 'new_partitions: true'],
      '6:21',
      'new_partitions must be may_refuse_writes',
    ],
    ['a key without a value', ['entity: a', 'actions:'], '6:', 'actions must be a list of rules'],
    ['a number in a list of columns', ['entity: a', 'id: [a, 3]'], '6:13', 'id[1] must be a column name'],
    [
      'an open brace',
      ['entity: a', 'name: "{full_name"'],
      '6:11',
      'name has a { without its }; write {{ for a brace',
    ],
    [
      'a lone closing brace',
      ['entity: a', 'name: "full_name}"'],
      '6:11',
      'name has a } without its {; write }} for a brace',
    ],
    [
      'empty braces',
      ['entity: a', 'name: "x {}"'],
      '6:11',
      'name has {} without a column name between the braces',
    ],
    ['an empty template', ['entity: a', 'name: ""'], '6:11', 'name is empty'],
    [
      'an unknown operation',
      ['entity: a', 'actions: [{ on: upsert, action: x }]'],
      '6:21',
      'actions[0].on must be insert, update, delete, truncate or a list of them',
    ],
    [
      'an unknown operation in a list',
      ['entity: a', 'actions: [{ on: [insert, upsert], action: x }]'],
      '6:30',
      'actions[0].on[1] must be insert, update, delete or truncate',
    ],
    [
      'the same operation twice',
      ['entity: a', 'actions: [{ on: [insert, insert], action: x }]'],
      '6:21',
      'actions[0].on names an operation twice',
    ],
    [
      'the key changed on an insert',
      ['entity: a', 'actions: [{ on: [insert, update], changed: b, action: x }]'],
      '6:48',
      'actions[0].changed is allowed only with on: update',
    ],
    [
      'the key to on a delete',
      ['entity: a', 'actions: [{ on: delete, to: 1, action: x }]'],
      '6:33',
      'actions[0].to is allowed only with on: update',
    ],
    [
      'the key from without changed',
      ['entity: a', 'actions: [{ on: update, from: 1, action: x }]'],
      '6:35',
      'actions[0].from needs exactly one column in changed',
    ],
    [
      'the key to with two changed columns',
      ['entity: a', 'actions: [{ on: update, changed: [a, b], to: 1, action: x }]'],
      '6:50',
      'actions[0].to needs exactly one column in changed',
    ],
    [
      'the key when on truncate',
      ['entity: a', 'actions: [{ on: truncate, when: { a: 1 }, action: x }]'],
      '6:37',
      'actions[0].when cannot be used on truncate, which has no rows',
    ],
    [
      'an action that is not a word',
      ['entity: a', 'actions: [{ on: insert, action: Log In }]'],
      '6:37',
      'actions[0].action must be an action category: lower-case letters',
    ],
    [
      'both values and a label for one column',
      ['entity: a', 'values: { s: { 1: x } }', 'labels: { s: { table: a.b, key: id, name: "{n}" } }'],
      '7:18',
      'labels.s has words under values as well; keep one',
    ],
    [
      'a pattern as the table of a label',
      ['entity: a', 'labels: { s: { table: "a.*", key: id, name: "{n}" } }'],
      '6:27',
      'must be a table as schema.table, without *',
    ],
    [
      'an empty text for a value',
      ['entity: a', 'values: { s: { 1: "" } }'],
      '6:23',
      'values.s.1 must be a word, not empty',
    ],
    ['a key given twice', ['entity: a', 'entity: b'], '6:5', 'this key is given twice'],
    [
      'one key in two spellings',
      ['entity: a', 'values: { s: { 1: a, "1": b } }'],
      '6:26',
      'this key is given twice',
    ],
    ['a list as key', ['entity: a', '? [a]', ': b'], '6:7', 'a key must be a plain word'],
    ['__proto__', ['entity: a', 'values: { __proto__: { 1: a } }'], '6:15', 'this key is not allowed'],
    ['a tab', ['entity: a', '\tname: b'], '6:', ''],
    [
      'an unquoted star',
      ['entity: a', 'ignore: [*_at]'],
      '6:14',
      'this alias has no anchor; put a value that begins with * in quotes',
    ],
    ['an unquoted template', ['entity: a', 'name: {full_name} x'], '6:', ''],
  ] as const)('(%s) is reported with its place', (_, lines, at, message) => {
    const problems = inRule(...lines);
    expect(problems[0]).toMatch(new RegExp(`^w\\.yaml:${at.replace(/:$/, ':\\d+')}: `));
    expect(problems[0]).toContain(message);
  });

  test.each([
    ['an empty file', '', ['w.yaml:1:1: the file is empty']],
    ['a comment alone', '# nothing\n', ['w.yaml:1:1: the file is empty']],
    ['a list', '- a\n', ['w.yaml:1:1: the file must be a mapping of keys and values']],
    ['no tables', HEAD, ['w.yaml:1:1: tables is missing']],
    ['empty tables', `${HEAD}tables: {}\n`, ['w.yaml:3:9: tables names no table']],
    [
      'two documents',
      `${HEAD}${TABLES}---\na: 1\n`,
      ['w.yaml:5:1: the file holds more than one YAML document'],
    ],
    [
      'a URL of something else',
      `source: { name: crm, url: "redis://h" }\ntrail: { url: "\${TRAIL}" }\n${TABLES}`,
      ['w.yaml:1:27: source.url must be a postgres:// URL'],
    ],
    [
      'an event trigger that is neither true nor false',
      `source: { name: crm, url: "postgres://h/d", event_trigger: yes please }\ntrail: { url: "\${TRAIL}" }\n${TABLES}`,
      [`w.yaml:1:60: source.event_trigger must be true or false`],
    ],
    [
      'a publication with a name too long for an event trigger',
      `source: { name: crm, url: "postgres://h/d", publication: ${'p'.repeat(51)}, event_trigger: true }\ntrail: { url: "\${TRAIL}" }\n${TABLES}`,
      [`w.yaml:1:58: source.publication must be at most 50 characters with event_trigger: true`],
    ],
    [
      'one table in two spellings',
      `${HEAD}tables:\n  public.a: { entity: a }\n  'public."a"': { entity: b }\n`,
      ['w.yaml:5:3: tables."public."a"" is the same table as "public.a" above'],
    ],
    [
      'a table that is excluded',
      `${HEAD}${TABLES}exclude: ["public.*"]\n`,
      ['w.yaml:4:3: tables."public.agents" is excluded by "public.*" under exclude'],
    ],
    [
      'the trail itself',
      `${HEAD}tables:\n  trail.entry: { entity: a }\n`,
      ['w.yaml:4:3: tables."trail.entry" cannot be tracked: schema trail belongs to Waltrail or PostgreSQL'],
    ],
    [
      'a bad exclusion',
      `${HEAD}${TABLES}exclude: [agents]\n`,
      [
        'w.yaml:5:11: exclude[0] must be schema.table, with * as wildcard (quote a name that has a dot in it)',
      ],
    ],
    [
      'a bad redaction',
      `${HEAD}${TABLES}redact: [{ columns: [a], with: { truncate: 0 } }]\n`,
      ['w.yaml:5:44: redact[0].with.truncate must be at least 1'],
    ],
    [
      'an unknown redaction',
      `${HEAD}${TABLES}redact: [{ columns: [a], with: blur }]\n`,
      ['w.yaml:5:32: redact[0].with must be drop, mask, hash or { truncate: N } with N from 1'],
    ],
    [
      'a redaction without columns',
      `${HEAD}${TABLES}redact: [{ columns: [], with: drop }]\n`,
      ['w.yaml:5:21: redact[0].columns names no column'],
    ],
    [
      'a label table that is read in two ways',
      `${HEAD}modifiers: { table: public.agents, key: id, name: "{full_name}" }\ntables:\n  public.a:\n    entity: a\n    labels:\n      by: { table: public.agents, key: id, name: "{email}" }\n`,
      [
        'w.yaml:8:7: tables."public.a".labels.by looks up public.agents by another key or name than modifiers; use the same key and name everywhere',
      ],
    ],
  ])('(%s) is reported with its place', (_, text, lines) => {
    expect(problemsOf(text)).toEqual(lines);
  });

  test('is counted, not listed, after the first 25', () => {
    const tables = Array.from({ length: 60 }, (_, index) => `  t${index}: { entity: a }\n`).join('');
    const lines = problemsOf(`${HEAD}tables:\n${tables}`);
    expect(lines).toHaveLength(26);
    expect(lines.at(-1)).toBe('w.yaml: and 35 more');
  });
});

const refusal = (load: () => unknown): unknown => {
  try {
    return load();
  } catch (error) {
    return error;
  }
};

describe('a file that is not a tracking file', () => {
  test('is refused by its name if it does not exist', () => {
    expect(refusal(() => loadConfig({ file: '/nowhere/w.yaml', environment }))).toMatchObject({
      code: 'TRACKING_FILE_UNREADABLE',
      message: '/nowhere/w.yaml cannot be read (ENOENT).',
    });
  });

  test('is refused if it is a folder', () => {
    expect(refusal(() => loadConfig({ file: import.meta.dirname, environment }))).toMatchObject({
      code: 'TRACKING_FILE_UNREADABLE',
    });
  });

  test('is read from disk as from a text', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-test-'));
    try {
      const file = path.join(folder, 'w.yaml');
      await writeFile(file, `\ufeff${HEAD}${TABLES}`);
      expect(loadConfig({ file, environment })).toEqual(parse(HEAD + TABLES));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    ['nesting deeper than the stack', '['.repeat(100_000)],
    ['deep nesting that closes', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
    [
      'aliases that multiply their content',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((key, index) => `${key}: &${key} [${`*${'abcdefgh'[index]!},`.repeat(9)}*${'abcdefgh'[index]!}]`).join('\n')}\n`,
    ],
    ['an alias of itself', 'source: &a [*a]\n'],
    ['more than a mebibyte', '#'.repeat(1_048_577)],
  ])('leads to an error and does not end the process: %s', (_, text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0);
  });

  test('leads to a WaltrailError, whatever its text is', () => {
    const fragments = fc.constantFrom(
      ...[
        'source',
        'trail',
        'tables',
        'public.agents',
        'actions',
        'on',
        'when',
        'labels',
        ': ',
        '\n',
        '  ',
        '- ',
        '{',
        '}',
        '[',
        ']',
        ', ',
        '"',
        "'",
        '*',
        '&',
        '!',
        '|',
        '>',
        '#',
        '${',
        '${SOURCE}',
        ':-',
        '<<',
        '__proto__',
        'constructor',
        'null',
        '~',
        '1e999',
        '.nan',
        '%',
        '---',
        '\t',
        '\u0000',
        '? ',
      ],
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragments, { maxLength: 60 }).map((parts) => parts.join('')),
      // A correct file with one change somewhere.
      fc.tuple(fc.nat(), fragments).map(([at, part]) => {
        const good = HEAD + TABLES;
        return good.slice(0, at % good.length) + part + good.slice(at % good.length);
      }),
    );
    fc.assert(
      fc.property(text, (value) => {
        try {
          parse(value);
        } catch (error) {
          if (!isWaltrailError(error)) throw error;
          expect(error.code).toBe('TRACKING_FILE_INVALID');
        }
      }),
      { numRuns: 1500 },
    );
  });
});

describe('baseline', () => {
  const rule = (more: string): string => `
source: { name: s, url: "postgres://a/b" }
trail: { url: "postgres://a/c" }
${more}`;
  const limits = (more: string): (number | null)[] =>
    parseConfig({ text: rule(more), file: 'w.yaml', environment: {} }).tables.map(({ baseline }) => baseline);

  test('is inherited like other keys, and has a row limit', () => {
    expect(
      limits(`defaults: { baseline: true }
tables:
  public.a:
  public.b: { baseline: false }
  public.c: { baseline: { max_rows: 5 } }
  public.d: { extends: public.c }
  public.e: { baseline: {} }`),
    ).toEqual([10_000, null, 5, 5, 10_000]);
    expect(limits('tables: { public.a: { entity: a } }')).toEqual([null]);
  });

  test.each([
    [
      'baseline: yes please',
      'w.yaml:4:33: tables."public.a".baseline must be true, false or { max_rows: N }',
    ],
    ['baseline: { max_rows: 0 }', 'w.yaml:4:45: tables."public.a".baseline.max_rows must be at least 1'],
    [
      'baseline: { max_rows: 100001 }',
      'w.yaml:4:45: tables."public.a".baseline.max_rows must be at most 100000',
    ],
    [
      'baseline: { max_row: 1 }',
      'w.yaml:4:35: tables."public.a".baseline.max_row is not a known key here. Did you mean "max_rows"?',
    ],
    [
      'actions: [{ on: insert, action: baseline }]',
      'must not be baseline, which is the action of rows that existed before tracking began',
    ],
  ])('with an invalid value is refused at its place: %s', (text, message) => {
    expect(() => limits(`tables: { public.a: { ${text} } }`)).toThrow(message);
  });
});
