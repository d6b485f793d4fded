import { describe, expect, test } from '@jest/globals';
import { EntityTypes } from '../../src/pipeline/entity-types.js';
import { defaultEntity, defaultName } from '../../src/tracking/entity-default.js';
import { parseConfig } from '../../src/tracking/load.js';
import { ruleFor } from '../../src/tracking/match.js';
import { formatTable, tableName } from '../../src/tracking/names.js';
import { singular } from '../../src/tracking/singular.js';
import { valueKind } from '../../src/tracking/value-kind.js';

describe('the singular of a word', () => {
  const pairs = (text: string) =>
    text
      .trim()
      .split(/\s+/)
      .map((pair) => pair.split(':'));

  test.each(
    pairs(`
      agents:agent bots:bot categories:category policies:policy currencies:currency companies:company keys:key
      boxes:box inboxes:inbox taxes:tax branches:branch dishes:dish addresses:address classes:class caches:cache
      statuses:status bonuses:bonus viruses:virus campuses:campus buses:bus uses:use causes:cause houses:house
      warehouses:warehouse databases:database bases:base cases:case phases:phase purchases:purchase releases:release
      aliases:alias biases:bias licenses:license responses:response expenses:expense courses:course invoices:invoice
      analyses:analysis diagnoses:diagnosis crises:crisis axes:axis indexes:index indices:index matrices:matrix
      people:person salespeople:salesperson children:child grandchildren:grandchild women:woman men:man mice:mouse
      quizzes:quiz movies:movie cookies:cookie ties:tie heroes:hero potatoes:potato shoes:shoe photos:photo macros:macro
      logos:logo apis:api wikis:wiki taxis:taxi menus:menu archives:archive objectives:objective knives:knife
      shelves:shelf lenses:lens coaches:coach approaches:approach fees:fee employees:employee slas:sla messages:message
      usages:usage processes:process accesses:access surveys:survey ids:id criteria:criterion alumni:alumnus`),
  )('%s is %s', (plural, expected) => {
    expect(singular(plural)).toBe(expected);
    expect(singular(expected)).toBe(expected);
  });

  test('is the word itself if it is a singular or has none', () => {
    const words =
      `series news metadata data status address access analysis axis canvas alias sms inventory staff language
      film bus business campus basis equipment information progress gas press specimen item user`.split(
        /\s+/,
      );
    expect(words.filter((word) => singular(word) !== word)).toEqual([]);
  });
});

describe('the entity type of a table', () => {
  const of = (name: string) => defaultEntity(tableName(name));

  test("is the table's name as singular words, after the schema unless that is public", () => {
    expect(
      ['public.agent_bots', 'public.AgentBots', 'public.csat_survey_responses', 'public.OAuthTokens'].map(of),
    ).toEqual(['agent bot', 'agent bot', 'csat survey response', 'o auth token']);
    expect(['sales.orders', 'public.orders', 'public.תלמידים'].map(of)).toEqual([
      'sales order',
      'order',
      'תלמידים',
    ]);
    expect(of('public."*.*"')).toBe('public."*.*"');
  });

  const configOf = (tables: string) =>
    parseConfig({
      text: `source: { name: crm, url: postgres://h/a }\ntrail: { url: postgres://h/b }\ntables: ${tables}`,
      file: 'w.yaml',
      environment: {},
    });
  const typesOf = (tables: string, names: string[], seen: string[] = []): string[] => {
    const config = configOf(tables);
    const types = new EntityTypes({
      config,
      dictionary: { seenTables: () => seen.map(tableName) },
    });
    return names.map((name) => types.of(ruleFor(config, tableName(name))!, tableName(name)).type);
  };

  test('differs from that of every other table, so histories stay separate; the table seen first keeps it', () => {
    const names = ['public.agent', 'public.agents', 'public.sales_orders', 'sales.orders'];
    expect(typesOf('{ "*.*": }', names)).toEqual(['agent', 'public.agents', 'sales order', 'sales.orders']);
    expect(typesOf('{ "*.*": }', names, ['public.agents', 'sales.orders'])).toEqual([
      'public.agent',
      'agent',
      'public.sales_orders',
      'sales order',
    ]);
    // The order of the questions makes no difference.
    expect(typesOf('{ "*.*": }', [...names].reverse(), names).reverse()).toEqual(
      typesOf('{ "*.*": }', names, names),
    );
  });

  test("is limited in number, and rows of further tables get no id, which could be another row's", () => {
    const config = configOf('{ public.*: , public.named: { entity: named } }');
    const table = (index: number) => ({ schema: 'public', table: `t${index}_x` });
    const types = new EntityTypes({
      config,
      dictionary: { seenTables: () => Array.from({ length: 15_999 }, (_, index) => table(index)) },
    });
    const of = (name: { schema: string; table: string }) => types.of(ruleFor(config, name)!, name);
    expect(of(table(20_000))).toMatchObject({ type: 't20000 x', hasIds: true });
    for (const index of [20_001, 20_002])
      expect(of(table(index))).toMatchObject({ type: 'other table', hasIds: false });
    expect(of(table(3))).toMatchObject({ type: 't3 x', hasIds: true });
    expect(of({ schema: 'public', table: 'named' })).toMatchObject({ type: 'named', hasIds: true });
    expect(typesOf('{ public.*: }', ['public.other_tables'])).toEqual(['public.other_tables']);
  });

  test("is never one that the YAML gives to another table, and never Waltrail's own", () => {
    expect(
      typesOf('{ public.people: { entity: agent }, public.*: }', [
        'public.agents',
        'public.people',
        'public.waltrail',
      ]),
    ).toEqual(['public.agents', 'agent', 'public.waltrail']);
  });

  test('from a pattern belongs to one table, unless the YAML asks for one history', () => {
    const names = ['public.a', 'public.cats', 'public.b'];
    expect(typesOf('{ public.*: { entity: record } }', names)).toEqual(['record', 'cat', 'b']);
    expect(typesOf('{ public.*: { entity: record } }', names, ['public.b'])).toEqual(['a', 'cat', 'record']);
    expect(typesOf('{ public.*: { entity: record, one_history: true } }', names)).toEqual(
      Array(3).fill('record'),
    );
    expect(typesOf('{ public.a: { entity: x }, public.b: { entity: x } }', ['public.a', 'public.b'])).toEqual(
      ['x', 'x'],
    );
  });
});

describe('the name of a row', () => {
  const TEXT = 25;
  const of = (table: string, columns: Record<string, number>, hidden: string[] = []) =>
    defaultName(
      tableName(table),
      Object.entries(columns).map(([name, oid]) => ({
        name,
        kind: valueKind(oid, new Map()),
        hidden: hidden.includes(name),
      })),
    )
      ?.map((part) => ('text' in part ? part.text : `{${part.column}}`))
      .join('') ?? null;
  const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, TEXT]));

  test('comes from the first of the usual columns that the table has', () => {
    expect(of('public.a', texts('email', 'title', 'name'))).toBe('{name}');
    expect(of('public.a', texts('email', 'displayName'))).toBe('{displayName}');
    expect(of('public.actor', texts('last_name', 'first_name'))).toBe('{first_name} {last_name}');
    expect(of('public.actor', texts('last_name', 'email'))).toBe('{email}');
    expect(of('public.cities', texts('id', 'city'))).toBe('{city}');
    expect(of('public.agent_bots', texts('agent_bot_name', 'email'))).toBe('{agent_bot_name}');
    expect(of('public.a', texts('id', 'body'))).toBeNull();
  });

  test('comes from text columns, and never from a secret, masked or omitted one', () => {
    expect(of('public.a', { name: 3802, title: 1009, subject: 23, email: 1043 })).toBe('{email}');
    expect(of('public.a', texts('name', 'email'), ['name'])).toBe('{email}');
    // A secret by its name or by its table, whatever `secrets` states.
    expect(of('public.passwords', texts('password', 'password_name'))).toBe('{password_name}');
    expect(of('public.passwords', texts('password'))).toBeNull();
    expect(of('public.tokens', texts('token', 'slug'))).toBe('{slug}');
    expect(formatTable(tableName('public.a'))).toBe('public.a');
  });
});
