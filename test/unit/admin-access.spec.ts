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

/** Counts what would be stored; refuses everything when `broken`. */
function store(broken = false): { readonly pool: pg.Pool; rows: number } {
  const counted = {
    rows: 0,
    pool: {
      query: () => {
        if (broken) return Promise.reject(new Error('the trail is away'));
        counted.rows += 1;
        return Promise.resolve({ rows: [] });
      },
    } as unknown as pg.Pool,
  };
  return counted;
}

describe('the access record', () => {
  test('takes a bounded number of refusals a minute, and every use that was allowed', async () => {
    const stored = store();
    const record = new AccessRecord({ pool: stored.pool, log: silentLog });
    for (let i = 0; i < 1_000; i++) await record.record(refusal);
    // Two minutes at most, should one end in between.
    expect(stored.rows).toBeGreaterThanOrEqual(120);
    expect(stored.rows).toBeLessThanOrEqual(240);
    const before = stored.rows;
    for (let i = 0; i < 300; i++) await record.record(read);
    expect(stored.rows).toBe(before + 300);
  });

  test('that cannot be written fails the answer, but a refusal stays a refusal', async () => {
    const record = new AccessRecord({ pool: store(true).pool, log: silentLog });
    await expect(record.record(read)).rejects.toThrow('away');
    await record.record(refusal);
  });
});
