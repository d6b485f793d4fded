import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { SchemaPipe } from '../../src/admin/schema-pipe.js';
import { MAX_LIST_LENGTH, MAX_TEXT_LENGTH } from '../../src/api/filters.js';
import { EntriesQuery, ExportBody, HistoryQuery, SignInBody } from '../../src/api/requests.js';
import { requestDigest } from '../../src/exports/request-digest.js';
import { filterOf } from '../../src/trail/read/requested-filter.js';

const pipe = new SchemaPipe();
const query = (value: unknown): Promise<EntriesQuery> =>
  pipe.transform(value, { type: 'query', schema: EntriesQuery }) as Promise<EntriesQuery>;
const body = (value: unknown): Promise<ExportBody> =>
  pipe.transform(value, { type: 'body', schema: ExportBody }) as Promise<ExportBody>;

describe('the parameters of a request', () => {
  test('a single value and a repeated parameter both become a list', async () => {
    const parsed = await query({ action: 'block', modifier: ['7', '8'], limit: '20' });
    expect(parsed).toEqual({ action: ['block'], modifier: ['7', '8'], limit: 20 });
    expect(filterOf(parsed, null)).toEqual({ actions: ['block'], modifiers: ['7', '8'] });
  });

  test('a page has 50 entries by default', async () => {
    expect((await query({})).limit).toBe(50);
    const described = z.toJSONSchema(EntriesQuery, { io: 'input' }).properties;
    expect(described).toMatchObject({
      limit: { type: 'integer', description: expect.stringContaining('50') },
    });
  });

  test('an unknown parameter is refused, with the most similar known name', async () => {
    await expect(query({ entitytype: 'agent' })).rejects.toMatchObject({
      code: 'HTTP_QUERY_INVALID',
      message: expect.stringContaining('"entitytype" is not known here. Did you mean "entityType"?'),
    });
  });

  test.each([
    ['limit', { limit: '0' }],
    ['limit', { limit: '501' }],
    ['limit', { limit: '1.5' }],
    ['limit', { limit: 'many' }],
    ['action', { action: '' }],
  ])('an invalid %s is refused by its name', async (name, value) => {
    await expect(query(value)).rejects.toMatchObject({
      code: 'HTTP_QUERY_INVALID',
      details: { errors: [expect.objectContaining({ path: expect.stringMatching(`^${name}`) })] },
    });
  });

  test('a repeated limit is refused as a repetition', async () => {
    await expect(query({ limit: ['1', '2'] })).rejects.toMatchObject({
      details: { errors: [{ path: 'limit', message: 'takes one number, not several' }] },
    });
  });

  test('history accepts no filters', async () => {
    await expect(
      pipe.transform({ action: 'block' }, { type: 'query', schema: HistoryQuery }),
    ).rejects.toMatchObject({
      code: 'HTTP_QUERY_INVALID',
    });
  });
});

describe.each([
  { door: 'a query string', read: query, code: 'HTTP_QUERY_INVALID' },
  { door: 'the body of an export', read: body, code: 'HTTP_BODY_INVALID' },
])('the filters of $door', ({ read, code }) => {
  test('match entries without a modifier if a modifier is the empty text', async () => {
    expect(await read({ modifier: [''] })).toMatchObject({ modifier: [''] });
    expect(await read({ modifier: ['7', ''] })).toMatchObject({ modifier: ['7', ''] });
  });

  test('accept texts of up to 1000 characters and lists of up to 500', async () => {
    expect([MAX_TEXT_LENGTH, MAX_LIST_LENGTH]).toEqual([1000, 500]);
    const largest = {
      q: 'x'.repeat(1000),
      modifier: Array.from({ length: 500 }, (_, key) => `${key}`.padStart(1000)),
    };
    expect(await read(largest)).toMatchObject(largest);
  });

  test.each([
    ['q', { q: 'x'.repeat(1001) }, 'is longer than 1000 characters'],
    ['entity', { entity: 'x'.repeat(1001) }, 'is longer than 1000 characters'],
    ['modifier.0', { modifier: ['x'.repeat(1001)] }, 'is longer than 1000 characters'],
    ['action', { action: Array.from({ length: 501 }, String) }, 'has more than 500 values'],
    ['action', { action: [] }, 'is empty: leave it out instead'],
    ['action.0', { action: [''] }, 'is empty: leave it out instead'],
    ['entityType.1', { entityType: ['agent', ''] }, 'is empty: leave it out instead'],
    [
      'rung.1',
      { rung: ['column', 'guess'] },
      'must be one of message, witness, column, session, unattributed, waltrail, baseline',
    ],
    ['rung', { rung: [] }, 'is empty: leave it out instead'],
    ['q', { q: '' }, 'is empty: leave it out instead'],
    ['entity', { entity: '' }, 'is empty: leave it out instead'],
    ['q', { q: ['a', 'b'] }, 'takes one text, not several'],
    ['entity', { entity: ['1', '2'] }, 'takes one text, not several'],
    ['tenant', { tenant: ['1', '2'] }, 'takes one text, not several'],
    ['from', { from: ['1', '2'] }, 'takes one text, not several'],
  ])('report %s if it is invalid: %j', async (name, value, message) => {
    await expect(read(value)).rejects.toMatchObject({
      code,
      message: `${name} ${message}.`,
      details: { errors: [{ path: name, message }] },
    });
  });

  test.each([['a\0b'], ['\ud800']])('refuse a text that PostgreSQL cannot store', async (text) => {
    await expect(read({ q: text })).rejects.toMatchObject({ code: 'HTTP_REQUEST_INVALID' });
  });

  test('accept a surrogate pair', async () => {
    expect((await read({ q: '😀' })).q).toBe('😀');
  });

  test("are limited to the requester's tenant", async () => {
    expect(filterOf(await read({ q: 'x' }), '1')).toEqual({ q: 'x', tenant: '1', scope: '1' });
    expect(filterOf(await read({ tenant: '1' }), '1')).toEqual({ tenant: '1', scope: '1' });
    expect(filterOf(await read({ tenant: '5' }), null)).toEqual({ tenant: '5' });
  });

  test("refuse another tenant than the requester's", async () => {
    const asked = await read({ tenant: '2' });
    expect(() => filterOf(asked, '1')).toThrow(
      expect.objectContaining({ code: 'HTTP_FORBIDDEN', remedy: expect.stringContaining('--tenant TENANT') }),
    );
  });
});

describe('a body', () => {
  test('is refused if it is not an object', async () => {
    for (const schema of [SignInBody, ExportBody])
      for (const value of [undefined, null, 'token', ['token'], 7])
        await expect(pipe.transform<unknown>(value, { type: 'body', schema })).rejects.toMatchObject({
          code: 'HTTP_BODY_INVALID',
        });
  });

  test('asks for an Excel file if an export names no format', async () => {
    expect(await body({ action: ['block'] })).toEqual({ action: ['block'], format: 'xlsx' });
  });

  test.each([
    [{ action: 'block' }, 'action must be a list of texts.'],
    [{ action: [1] }, 'action.0 must be a text.'],
    [
      { format: 'pdf', tenant: ['2'] },
      'tenant takes one text, not several. format must be xlsx, csv or ndjson.',
    ],
    [{ timezone: 'Mars/Olympus' }, 'timezone must be an IANA time zone such as Europe/Berlin.'],
    [{ timezone: '+02:00' }, 'timezone must be an IANA time zone such as Europe/Berlin.'],
    [{ actoin: ['block'] }, '"actoin" is not known here. Did you mean "action"?'],
    [[], 'The body must be a JSON object.'],
  ])('of an export (%j) is refused with a sentence: %s', async (value, message) => {
    await expect(body(value)).rejects.toMatchObject({ code: 'HTTP_BODY_INVALID', message });
  });

  test('is the same request in any order of its members, and another request with another filter', async () => {
    const digest = async (value: unknown): Promise<string> =>
      requestDigest(await body(value)).toString('hex');
    expect(await digest({ action: ['block'], q: 'x' })).toBe(
      await digest({ q: 'x', action: ['block'], format: 'xlsx' }),
    );
    expect(await digest({ action: ['block'] })).not.toBe(await digest({ action: ['add'] }));
  });
});

describe('the page', () => {
  const web = path.resolve(import.meta.dirname, '../../src/web');
  const sources = readdirSync(web, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => readFileSync(path.join(web, file), 'utf8'))
    .join('\n');

  test('limits its fields to the number of characters that the API accepts', () => {
    const limits = [...sources.matchAll(/maxLength=\{(\d+)\}/g)].map(([, limit]) => Number(limit));
    expect(limits.length).toBeGreaterThanOrEqual(2);
    expect(new Set(limits)).toEqual(new Set([MAX_TEXT_LENGTH]));
  });

  test('imports types from the API, but nothing that would bundle its schemas', () => {
    const imports = [...sources.matchAll(/^(import|export)\b[^;]*'(?:\.\.\/)+api\/[^']+'/gm)].map(
      ([text]) => text,
    );
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter((text) => !text.startsWith('import type '))).toEqual([]);
  });
});
