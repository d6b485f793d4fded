import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import {
  EntriesQuery,
  filterOf,
  HistoryQuery,
  SchemaPipe,
  SignInBody,
  strict,
} from '../../src/admin/query.js';
import { ExportBody } from '../../src/exports/request.js';
import type { Principal } from '../../src/admin/tokens.js';

const pipe = new SchemaPipe();
const admin: Principal = { tokenId: 'a', name: 'Ada', role: 'admin', tenant: null };
const query = (value: unknown): Promise<EntriesQuery> =>
  pipe.transform(value, { type: 'query', schema: EntriesQuery }) as Promise<EntriesQuery>;

describe('the parameters of a request', () => {
  test('one value and a repeated parameter are both lists', async () => {
    const parsed = await query({ action: 'block', modifier: ['7', '8'], limit: '20' });
    expect(parsed).toEqual({ action: ['block'], modifier: ['7', '8'], limit: 20 });
    expect(filterOf(parsed, admin)).toEqual({ actions: ['block'], modifiers: ['7', '8'] });
  });

  test('an empty modifier asks for nobody, alone and among others', async () => {
    expect(await query({ modifier: '' })).toMatchObject({ modifier: [''] });
    expect(await query({ modifier: ['7', ''] })).toMatchObject({ modifier: ['7', ''] });
  });

  test('a page has 50 entries unless it is said otherwise', async () => {
    expect((await query({})).limit).toBe(50);
    const described = z.toJSONSchema(EntriesQuery, { io: 'input' }).properties;
    expect(described).toMatchObject({
      limit: { type: 'integer', description: expect.stringContaining('50') },
    });
  });

  test('an unknown name is refused with the nearest known one', async () => {
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
    ['limit', { limit: ['1', '2'] }],
    ['q', { q: ['a', 'b'] }],
    ['q', { q: '' }],
    ['action', { action: '' }],
    ['entityType', { entityType: ['agent', ''] }],
    ['modifier', { modifier: 'x'.repeat(501) }],
    ['entity', { entity: 'x'.repeat(501) }],
    ['action', { action: Array.from({ length: 101 }, String) }],
  ])('a wrong %s is named', async (path, value) => {
    await expect(query(value)).rejects.toMatchObject({
      code: 'HTTP_QUERY_INVALID',
      details: { errors: [expect.objectContaining({ path: expect.stringMatching(`^${path}`) })] },
    });
  });

  test.each(['limit', 'q', 'entity', 'tenant'])('a repeated %s is refused as such', async (name) => {
    await expect(query({ [name]: ['1', '2'] })).rejects.toMatchObject({
      details: { errors: [{ path: name, message: 'may be given once only' }] },
    });
  });

  test.each([['a\0b'], ['\ud800']])('a text that PostgreSQL cannot store is refused', async (text) => {
    await expect(query({ q: text })).rejects.toMatchObject({ code: 'HTTP_REQUEST_INVALID' });
  });

  test('a pair of surrogates is a character like any other', async () => {
    expect((await query({ q: '😀' })).q).toBe('😀');
  });

  test('a body that is no object is refused', async () => {
    for (const body of [undefined, null, 'token', ['token'], 7]) {
      await expect(pipe.transform(body, { type: 'body', schema: SignInBody })).rejects.toMatchObject({
        code: 'HTTP_BODY_INVALID',
      });
    }
  });

  test.each([
    [{ tenant: ['2'] }, 'tenant must be one text, not a list.'],
    [{ format: 'pdf', q: '' }, 'q is empty: leave it out instead. format must be xlsx, csv or ndjson.'],
    [{ actoin: ['block'] }, '"actoin" is not known here. Did you mean "action"?'],
    [[], 'The body must be a JSON object.'],
  ])('the request of an export %j is refused in sentences: %s', async (body, message) => {
    const schema = strict(ExportBody.shape);
    await expect(pipe.transform<unknown>(body, { type: 'body', schema })).rejects.toMatchObject({
      code: 'HTTP_BODY_INVALID',
      message,
    });
  });

  test('history takes no filters', async () => {
    await expect(
      pipe.transform({ action: 'block' }, { type: 'query', schema: HistoryQuery }),
    ).rejects.toMatchObject({
      code: 'HTTP_QUERY_INVALID',
    });
  });
});

describe('a tenant-scoped token', () => {
  const scoped: Principal = { ...admin, tenant: '1' };

  test('has its tenant forced on every filter', async () => {
    expect(filterOf(await query({}), scoped)).toEqual({ tenant: '1' });
    expect(filterOf(await query({ tenant: '1' }), scoped)).toEqual({ tenant: '1' });
  });

  test('may not ask for another tenant', async () => {
    const asked = await query({ tenant: '2' });
    expect(() => filterOf(asked, scoped)).toThrow(
      expect.objectContaining({ code: 'HTTP_FORBIDDEN', remedy: expect.stringContaining('--tenant TENANT') }),
    );
  });
});
