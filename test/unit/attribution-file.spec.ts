import { describe, expect, test } from '@jest/globals';
import type { WaltrailError } from '../../src/errors.js';
import { ModifierKeys } from '../../src/pipeline/modifier-keys.js';
import { parseConfig } from '../../src/tracking/load.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';

const HEAD = 'source: { name: s, url: "postgres://u@h/s" }\ntrail: { url: "postgres://u@h/t" }\n';
const parse = (text: string): TrackingConfig =>
  parseConfig({ file: 'w.yaml', environment: {}, text: HEAD + text });

function problemsOf(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    return (error as WaltrailError).message.split('\n');
  }
  throw new Error('the file was accepted');
}

const PEOPLE = `modifiers:
  agents: { table: public.users, key: id, name: "{name}", kind: { column: role, bot: [bot] } }
  contacts: { table: public.contacts, key: id, name: "{name}" }
`;
const ITEMS = 'tables: { public.items: { entity: item } }\n';
const modifier = (rules: string): string =>
  `${PEOPLE}tables:\n  public.items:\n    entity: item\n    modifier: ${rules}\n`;
const rulesOf = (rules: string) => parse(modifier(rules)).tables[0]!.modifier;

describe('tables of modifiers', () => {
  test('are one without a name or several with names, in the order of the file', () => {
    const one = parse(`modifiers: { table: public.users, key: id, name: "{name}" }\n${ITEMS}`).modifiers;
    expect(one).toMatchObject([{ called: null, table: 'public.users', kind: null }]);
    expect(parse(PEOPLE + ITEMS).modifiers).toMatchObject([
      { called: 'agents', table: 'public.users', kind: { column: 'role' } },
      { called: 'contacts', table: 'public.contacts', kind: null },
    ]);
    expect(parse(ITEMS).modifiers).toEqual([]);
  });

  test('do not change the stored document of a file with only one of them', () => {
    const text = `modifiers: { table: public.users, key: id, name: "{name}" }
tables: { public.items: { entity: item, modifier: { column: updated_by, always_set: true } }, public.a: { entity: a, modifier: b } }\n`;
    expect(parse(text).definition.document).toBe(
      '{"modifiers":{"table":"public.users","key":"id","name":"{name}"},"redact":[],"secrets":{"defaults":true,"allow":[]},' +
        '"tables":{"public.items":{"entity":"item","modifier":{"column":"updated_by","always_set":true}},"public.a":{"entity":"a","modifier":"b"}},' +
        '"exclude":[],"messages":{"trust_names":false}}',
    );
  });

  test("show keys of the first table as they are, others with the table's name, and never two people alike", () => {
    const keys = new ModifierKeys({ tables: parse(PEOPLE + ITEMS).modifiers, databaseUsers: false });
    expect(keys.shown(0, '7')).toBe('7');
    expect(keys.shown(1, '7')).toBe('contacts:7');
    // A user who can choose a key must not be able to pass for a person of another table.
    expect(keys.shown(0, 'contacts:7')).toBe('agents:contacts:7');
    expect(keys.shown(0, 'agents:contacts:7')).toBe('agents:agents:contacts:7');
    expect(keys.shown(0, 'agent:7')).toBe('agent:7');
    expect(
      new ModifierKeys({ tables: [{ called: null }], databaseUsers: false }).shown(0, 'contacts:7'),
    ).toBe('contacts:7');
    expect(new ModifierKeys({ tables: [], databaseUsers: false }).shown(0, 'a:b')).toBe('a:b');
    const logins = new ModifierKeys({ tables: [], databaseUsers: true });
    expect(logins.databaseUser('app')).toBe('database user:app');
    expect(logins.shown(0, 'database user:app')).toBe('modifiers:database user:app');
  });
});

describe('the rules for a modifier column', () => {
  test('give operations, actions and rows that the column is valid for, and the table of its keys', () => {
    expect(
      rulesOf(`
      - { column: sender_id, as: contacts, on: insert, when: { sender_type: [Contact, Lead] } }
      - { column: author_id, as: { author_type: { User: agents, Contact: contacts } } }
      - { column: id, action: login }
      - updated_by`),
    ).toEqual([
      {
        column: 'sender_id',
        alwaysSet: false,
        as: 1,
        on: ['insert'],
        actions: null,
        when: new Map([['sender_type', { values: ['Contact', 'Lead'], not: false }]]),
      },
      {
        column: 'author_id',
        alwaysSet: false,
        as: {
          column: 'author_type',
          tables: new Map([
            ['User', 0],
            ['Contact', 1],
          ]),
        },
        on: ['insert', 'update'],
        actions: null,
        when: new Map(),
      },
      {
        column: 'id',
        alwaysSet: false,
        as: 0,
        on: ['insert', 'update'],
        actions: ['login'],
        when: new Map(),
      },
      {
        column: 'updated_by',
        alwaysSet: false,
        as: 0,
        on: ['insert', 'update'],
        actions: null,
        when: new Map(),
      },
    ]);
  });
});

describe('audit tables', () => {
  const witnesses = (text: string) => parse(`${PEOPLE}attribution:\n  - ${text}\n${ITEMS}`).attribution;

  test('state whom a row names and which row it speaks for', () => {
    expect(
      witnesses(
        '{ table: audits.audits, modifier: user_id, as: contacts, when: { kind: x }, row: { type: t, key: k, types: { User: public.users } } }',
      ),
    ).toEqual([
      {
        table: 'audits.audits',
        modifier: 'user_id',
        prefix: '',
        as: 1,
        when: new Map([['kind', { values: ['x'], not: false }]]),
        row: { key: 'k', of: { type: 't', types: new Map([['User', 'public.users']]) } },
      },
    ]);
    expect(
      witnesses('{ table: public.h, modifier: m, row: { table: public.items, key: id } }'),
    ).toMatchObject([{ as: 0, row: { key: 'id', of: { table: 'public.items' } } }]);
    expect(witnesses('{ table: public.h, modifier: m, row: { type: t, key: id } }')).toMatchObject([
      { row: { of: { type: 't', types: null } } },
    ]);
    expect(witnesses('{ table: public.h, modifier: m }')).toMatchObject([{ row: null }]);
    expect(parse(ITEMS).attribution).toEqual([]);
  });
});

describe('a mistake in the attribution keys', () => {
  const at = (line: number, column: number) => `w.yaml:${line}:${column}: `;

  test.each([
    [
      'an unknown key in a table of modifiers',
      `modifiers:\n  agents: { tabel: public.users, key: id, name: "{name}" }\n${ITEMS}`,
      [
        `${at(4, 3)}modifiers.agents.table is missing`,
        `${at(4, 13)}modifiers.agents.tabel is not a known key here. Did you mean "table"?`,
      ],
    ],
    [
      'an unknown key in the only table of modifiers',
      `modifiers: { table: public.users, key: id, nam: "{name}" }\n${ITEMS}`,
      [
        `${at(3, 1)}modifiers.name is missing`,
        `${at(3, 44)}modifiers.nam is not a known key here. Did you mean "name"?`,
      ],
    ],
    [
      'keys of a single table beside named tables',
      `modifiers: public.users\n${ITEMS}`,
      [`${at(3, 12)}modifiers must be a table with key and name, or several of them by name`],
    ],
    [
      'a list of tables',
      `modifiers: [{ table: public.users, key: id, name: "{name}" }]\n${ITEMS}`,
      [`${at(3, 12)}modifiers must be a table with key and name, or several of them by name`],
    ],
    [
      'an invalid table name',
      `modifiers:\n  Agents: { table: public.users, key: id, name: "{name}" }\n${ITEMS}`,
      [
        `${at(4, 3)}modifiers.Agents must be a name of a table of modifiers: lower-case letters, digits and _, beginning with a letter`,
      ],
    ],
    [
      'one table under two names',
      `${PEOPLE}  people: { table: public.users, key: id, name: "{name}" }\n${ITEMS}`,
      [`${at(6, 20)}modifiers.people.table is the table of modifiers.agents as well; one table has one name`],
    ],
    [
      'an unknown table of modifiers',
      modifier('{ column: a, as: contact }'),
      [
        `${at(9, 32)}tables."public.items".modifier.as is not a name under modifiers. Did you mean "contacts"?`,
      ],
    ],
    [
      'an unknown table of modifiers chosen by the value of a column',
      modifier('[{ column: a, as: { kind: { User: agents, Bot: robots } } }]'),
      [
        `${at(9, 62)}tables."public.items".modifier[0].as.kind.Bot is not a name under modifiers. Known: agents, contacts.`,
      ],
    ],
    [
      'a table name although the only table has none',
      `modifiers: { table: public.users, key: id, name: "{name}" }\ntables: { public.items: { entity: item, modifier: { column: a, as: agents } } }\n`,
      [
        `${at(4, 68)}tables."public.items".modifier.as needs tables with names: modifiers: { agents: { table: …, key: …, name: … } }`,
      ],
    ],
    [
      'two columns that choose the table',
      modifier('{ column: a, as: { kind: { User: agents }, type: { User: agents } } }'),
      [`${at(9, 32)}tables."public.items".modifier.as must name exactly one column`],
    ],
    [
      'a delete, because the row does not name who deletes it',
      modifier('{ column: a, on: [insert, delete] }'),
      [
        `${at(9, 41)}tables."public.items".modifier.on[1] must be insert or update: a deleted row does not say who deleted it`,
      ],
    ],
    [
      'an unknown key of a rule in a list',
      modifier('[{ colum: a, when: { b: 1 } }]'),
      [
        `${at(9, 16)}tables."public.items".modifier[0].column is missing`,
        `${at(9, 18)}tables."public.items".modifier[0].colum is not a known key here. Did you mean "column"?`,
      ],
    ],
    [
      'conditions that are not a mapping',
      modifier('{ column: a, when: [b] }'),
      [`${at(9, 34)}tables."public.items".modifier.when must be a mapping from columns to values`],
    ],
    ['no rule', modifier('[]'), [`${at(9, 15)}tables."public.items".modifier names no column`]],
  ])('(%s) is reported with its place', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });
});

describe('session', () => {
  const session = (items: string) => parse(`${PEOPLE}session: ${items}\n${ITEMS}`).session;

  test('lists presets and settings in their order, and the database user separately', () => {
    expect(session('[session_user, { setting: app.user_id, as: contacts }, hasura]')).toEqual({
      settings: [
        { setting: 'app.user_id', member: null, onlyKnown: false, as: 1 },
        { setting: 'hasura.user', member: 'x-hasura-user-id', onlyKnown: false, as: 0 },
      ],
      databaseUser: true,
    });
    expect(parse(ITEMS).session).toBeNull();
  });

  test.each([
    ['[hasurra]', 'session[0] must be one of postgrest, '],
    ['[]', 'session names no setting'],
    ['hasura', 'session must be a list of presets and settings'],
    // Reading this setting takes a right that the application may not have.
    [
      '[{ setting: data_directory }]',
      'session[0].setting must be application_name, or a setting of the application',
    ],
    [`[{ setting: "a.b'); drop table x; --" }]`, 'session[0].setting must be application_name'],
    [
      '[{ setting: app.user_id, as: contact }]',
      'session[0].as is not a name under modifiers. Did you mean "contacts"?',
    ],
    ['[{ setting: app.user_id, field: sub }]', 'session[0].field is not a known key here.'],
    [
      `[${Array.from({ length: 17 }, (_, index) => `{ setting: app.s${index} }`).join(', ')}]`,
      'session names more than 16 settings',
    ],
  ])('refuses %s', (items, message) => {
    expect(problemsOf(`${PEOPLE}session: ${items}\n${ITEMS}`).join('\n')).toContain(message);
  });
});
