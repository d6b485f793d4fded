import { describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { AccessRecord, type Access } from '../../src/admin/auth/access.js';
import { silentLog } from '../../src/log.js';

const refusal: Access = {
  principal: undefined,
  action: 'refused',
  route: 'GET /v1/entries',
  filters: null,
  status: 401,
  address: '127.0.0.1',
};
const read: Access = { ...refusal, action: 'read', status: 200 };

interface Row {
  readonly name: unknown;
  readonly action: unknown;
  readonly address: unknown;
  readonly refusals: unknown;
}

/** Stands in for the database: keeps the rows that would be stored, or refuses everything when `broken`. */
function store(broken = false): { readonly pool: pg.Pool; readonly rows: Row[] } {
  const rows: Row[] = [];
  const query = (_text: string, values: readonly unknown[]): Promise<{ rows: never[] }> => {
    if (broken) return Promise.reject(new Error('the trail is away'));
    const [name, , , action, , , , address, , refusals] = values;
    rows.push({ name, action, address, refusals });
    return Promise.resolve({ rows: [] });
  };
  return { rows, pool: { query } as unknown as pg.Pool };
}

describe('the access record', () => {
  test('stores a limited number of refusals a minute and counts the rest, but stores every permitted use', async () => {
    const stored = store();
    const record = new AccessRecord({ pool: stored.pool, log: silentLog });
    for (let i = 0; i < 5_000; i++) await record.record({ ...refusal, address: `10.${i >> 8}.${i & 255}.1` });
    expect(stored.rows).toHaveLength(50 + 20);
    for (let i = 0; i < 300; i++) await record.record(read);
    expect(stored.rows).toHaveLength(70 + 300);
    await record.close();
    const counted = stored.rows.slice(70 + 300);
    // The addresses differ each time: only few of them get a row of their own.
    expect(counted.length).toBeLessThanOrEqual(51);
    expect(counted.every(({ action }) => action === 'unrecorded')).toBe(true);
    expect(counted.reduce((sum, { refusals }) => sum + Number(refusals), 0)).toBe(5_000 - 70);
  });

  test('stores refusals of a known token, even if unknown clients are refused often', async () => {
    const stored = store();
    const record = new AccessRecord({ pool: stored.pool, log: silentLog });
    for (let i = 0; i < 130; i++) await record.record(refusal);
    expect(stored.rows).toHaveLength(20);
    const principal = { tokenId: 't', name: 'Ada', role: 'viewer', tenant: null } as const;
    for (let i = 0; i < 70; i++) await record.record({ ...refusal, principal, status: 403 });
    expect(stored.rows.filter(({ name }) => name === 'Ada')).toHaveLength(60);
    await record.close();
    expect(stored.rows.slice(-2)).toEqual([
      { name: 'Ada', action: 'unrecorded', address: '127.0.0.1', refusals: 10 },
      { name: null, action: 'unrecorded', address: '127.0.0.1', refusals: 110 },
    ]);
  });

  test('counts IPv6 addresses that share their first 64 bits as one address', async () => {
    const stored = store();
    const record = new AccessRecord({ pool: stored.pool, log: silentLog });
    for (let i = 0; i < 100; i++)
      await record.record({ ...refusal, address: `2001:db8::${i.toString(16)}:1` });
    await record.record({ ...refusal, address: '2001:db8:0:1::1' });
    await record.record({ ...refusal, address: '::ffff:10.0.0.1' });
    expect(stored.rows).toHaveLength(22);
  });

  test('lets a permitted request fail if its record cannot be written, but still answers a refusal', async () => {
    const record = new AccessRecord({ pool: store(true).pool, log: silentLog });
    await expect(record.record(read)).rejects.toThrow('away');
    await record.record(refusal);
  });
});
