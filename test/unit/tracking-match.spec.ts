import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseConfig } from '../../src/tracking/load.js';
import { neededTables } from '../../src/tracking/lookups.js';
import { ruleFor } from '../../src/tracking/match.js';
import { redactionFor } from '../../src/tracking/redact.js';
import {
  canonicalName,
  formatTable,
  isPattern,
  matchesColumn,
  matchesTable,
  tableName,
} from '../../src/tracking/names.js';
import { nearest } from '../../src/tracking/nearest.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { parseTemplate } from '../../src/tracking/template.js';

const configOf = (text: string): TrackingConfig =>
  parseConfig({
    text: `source: { name: crm, url: postgres://h/a }\ntrail: { url: postgres://h/b }\n${text}`,
    file: 'w.yaml',
    environment: {},
  });

const entityOf = (config: TrackingConfig, name: string): string | null | undefined =>
  ruleFor(config, tableName(name))?.entity;

describe('the rule of a table', () => {
  const config = configOf(`tables:
  public.*: { entity: anything }
  public.a*: { entity: later }
  public.agents: { entity: agent }
  '*.log': { entity: log }
exclude: [public.tmp_*, "*.secret"]
`);

  test('is the exact name before any pattern, and earlier patterns before later ones', () => {
    expect(entityOf(config, 'public.agents')).toBe('agent');
    expect(entityOf(config, 'public.apples')).toBe('anything');
    expect(entityOf(config, 'public.log')).toBe('anything');
    expect(entityOf(config, 'other.log')).toBe('log');
  });

  test('does not exist if nothing matches or the table is excluded', () => {
    expect(entityOf(config, 'other.thing')).toBeUndefined();
    expect(entityOf(config, 'public.tmp_1')).toBeUndefined();
    expect(entityOf(config, 'public.secret')).toBeUndefined();
  });

  test('does not exist for schemas that belong to Waltrail or PostgreSQL', () => {
    for (const name of [
      'trail.log',
      'bullmq.log',
      'pg_catalog.log',
      'pg_toast.log',
      'information_schema.log',
    ]) {
      expect(entityOf(config, name)).toBeUndefined();
    }
  });

  test('distinguishes capitals, as PostgreSQL does with quoted names', () => {
    expect(entityOf(config, 'Public.agents')).toBeUndefined();
    expect(entityOf(config, 'public.Agents')).toBe('anything');
  });
});

describe('the redaction of a column', () => {
  const config = configOf(`redact:
  - { columns: [password_hint], with: drop }
  - { columns: ["password*", "*_TOKEN"], with: mask }
  - { columns: [body], tables: [public.messages, "chat.*"], with: { truncate: 9 } }
tables: { public.a: { entity: a } }
`);
  const of = (name: string, column: string) => redactionFor(config, { ...tableName(name), column })?.method;

  test('is the first matching rule, ignoring case', () => {
    expect(of('public.a', 'password_hint')).toBe('drop');
    expect(of('public.a', 'Password_Hash')).toBe('mask');
    expect(of('any.table', 'api_token')).toBe('mask');
    expect(of('public.a', 'token')).toBeUndefined();
  });

  test('may apply only to certain tables', () => {
    expect(of('public.messages', 'body')).toBe('truncate');
    expect(of('chat.lines', 'body')).toBe('truncate');
    expect(of('public.pages', 'body')).toBeUndefined();
  });
});

test('tables of modifiers and labels are needed once each, even if they are not tracked', () => {
  const label = (column: string, table: string) => `${column}: { table: ${table}, key: id, name: "{name}" }`;
  const config = configOf(`modifiers: { table: public.people, key: id, name: "{name}" }
tables:
  public.a: { entity: a, labels: { ${label('x', 'public.people')}, ${label('y', 'other.words')} } }
  public.b: { entity: b, labels: { ${label('y', 'other.words')} } }
`);
  expect(neededTables(config)).toEqual([
    { schema: 'public', table: 'people' },
    { schema: 'other', table: 'words' },
  ]);
});

describe('a table name', () => {
  test('is read and written back for any name that PostgreSQL accepts', () => {
    const identifier = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(identifier, identifier, (schema, table) => {
        const text = formatTable({ schema, table });
        expect(tableName(text)).toEqual({ schema, table });
        expect(canonicalName(text)).toBe(text);
        expect(isPattern(text)).toBe(false);
        expect(matchesTable(text, { schema, table })).toBe(true);
        expect(matchesTable('*.*', { schema, table })).toBe(true);
      }),
    );
  });

  test('matches a pattern with stars like a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, text) => {
        expect(matchesColumn(pattern, text)).toBe(
          new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test('is matched quickly by any pattern', () => {
    const started = performance.now();
    expect(matchesColumn(`${'*a'.repeat(30)}b`, 'a'.repeat(10_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test.each(['agents', 'a.b.c', '.a', 'a.', '', 'a."b', 'a."b"c', '""."b"', 'a b'])(
    '%j is refused',
    (text) => {
      expect(canonicalName(text)).toBeUndefined();
    },
  );
});

test('a template has text and columns, and doubled braces mean braces', () => {
  expect(parseTemplate('{first} {last}')).toEqual([{ column: 'first' }, { text: ' ' }, { column: 'last' }]);
  expect(parseTemplate('{{x}} {a b}')).toEqual([{ text: '{x} ' }, { column: 'a b' }]);
  expect(parseTemplate('{a|b c|d}')).toEqual([{ column: 'a', or: ['b c', 'd'] }]);
  expect(['{a|}', '{|a}', '{a||b}', '{a| b}'].map((text) => typeof parseTemplate(text))).toEqual(
    Array(4).fill('string'),
  );
  expect(parseTemplate('{{{a}}}')).toEqual([{ text: '{' }, { column: 'a' }, { text: '}' }]);
});

test('a suggestion is a similar name, or there is none', () => {
  expect(nearest('entitty', ['entity', 'name'])).toBe('entity');
  expect(nearest('Updated_By', ['updated_by', 'updated_at'])).toBe('updated_by');
  expect(nearest('trial', ['source', 'trail'])).toBe('trail');
  expect(nearest('colour', ['entity', 'name'])).toBeUndefined();
  expect(nearest('kind', ['id', 'name'])).toBeUndefined();
});
