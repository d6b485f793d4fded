import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RUNG_NAMES } from '../../src/api/filters.js';
import { ZoneClock } from '../../src/exports/dates.js';
import type { ExportOrder } from '../../src/exports/export.js';
import { fileName } from '../../src/exports/file-name.js';

const nameOf = (filters: ExportOrder['filters']): string =>
  fileName(
    {
      filters,
      format: 'xlsx',
      range: { from: '2026-11-15T23:00:00.000000Z', to: '2026-11-22T23:00:00.000000Z' },
    },
    new ZoneClock('Europe/Berlin'),
  );

describe('the name of a file', () => {
  test.each([
    [{}, 'audit-trail_2026-11-16_2026-11-23.xlsx'],
    [{ modifier: ['eva'], action: ['block'] }, 'audit-trail_2026-11-16_2026-11-23_eva_block.xlsx'],
    [{ action: ['block'] }, 'audit-trail_2026-11-16_2026-11-23_action-block.xlsx'],
    [
      { entityType: ['agent'], entity: '12', tenant: '1', q: 'x' },
      'audit-trail_2026-11-16_2026-11-23_type-agent_id-12_tenant-1_text-x.xlsx',
    ],
    [
      { modifier: ['3'], actingAs: ['7'], action: ['block'] },
      'audit-trail_2026-11-16_2026-11-23_3_as-7_block.xlsx',
    ],
    [{ rung: ['witness' as const] }, 'audit-trail_2026-11-16_2026-11-23_by-witness.xlsx'],
  ])('for %j is %s', (filters, name) => {
    expect(nameOf(filters)).toBe(name);
  });

  test.each([
    [{ q: '../../etc/passwd' }, /_text-..-..-etc-passwd_[0-9a-f]{8}\.xlsx$/],
    [{ modifier: [''] }, /_2026-11-23_[0-9a-f]{8}\.xlsx$/],
    [{ modifier: ['שלום'] }, /_2026-11-23_[0-9a-f]{8}\.xlsx$/],
    [{ modifier: ['a', 'b'] }, /_a-b_[0-9a-f]{8}\.xlsx$/],
  ])('contains a digest if it cannot contain the whole filter: %j', (filters, name) => {
    expect(nameOf(filters)).toMatch(name);
  });

  test('is safe and short, equal for equal filters and different for different ones', () => {
    const text = fc.oneof(
      fc.constantFrom('a', 'b', 'a-b', 'a_b', 'action-a', '-', '.', 'type-a'),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 120 }),
    );
    const list = fc.array(text, { minLength: 1, maxLength: 3 });
    const filters = fc.record(
      {
        ...{
          modifier: list,
          actingAs: list,
          action: list,
          entityType: list,
          entity: text,
          tenant: text,
          q: text,
        },
        rung: fc.array(fc.constantFrom(...RUNG_NAMES), { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(filters, filters, (one, other) => {
        expect(nameOf(one)).toMatch(/^audit-trail_2026-11-16_2026-11-23[A-Za-z0-9._-]{0,90}\.xlsx$/);
        const canonical = (of: object): string => JSON.stringify(Object.entries(of).sort());
        expect(nameOf(one) === nameOf(other)).toBe(canonical(one) === canonical(other));
      }),
      { numRuns: 2_000 },
    );
  });
});
