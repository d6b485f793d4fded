import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { LookupName } from '../../src/pipeline/ports.js';
import { NameTable } from '../../src/trail/write/name-table.js';
import { TextIds } from '../../src/trail/write/text-ids.js';

const key = fc.oneof(fc.nat(40).map(String), fc.string({ unit: 'grapheme', maxLength: 12 }));
const name: fc.Arbitrary<LookupName> = fc.record({
  name: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.nat(3_000).map((length) => 'é'.repeat(length)),
  ),
  kind: fc.constantFrom('agent', 'bot', 'system', null),
  tenant: fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme', maxLength: 8 })),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ key, set: name }) },
  { weight: 3, arbitrary: fc.record({ key, delete: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.constant({ clear: true }) },
);

describe('the names that the writer holds', () => {
  test('equal those in a Map after any names were set, renamed, removed and cleared', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = new NameTable();
        const map = new Map<string, LookupName>();
        for (const step of steps) {
          if ('clear' in step) {
            table.clear();
            map.clear();
          } else if ('set' in step) {
            table.set(step.key, step.set);
            map.set(step.key, step.set);
          } else {
            table.delete(step.key);
            map.delete(step.key);
          }
        }
        for (const step of steps) if ('key' in step) expect(table.get(step.key)).toEqual(map.get(step.key));
      }),
    );
  });

  test('take memory proportional to their number, however often they are renamed and removed', () => {
    const table = new NameTable();
    for (let round = 0; round < 300; round++)
      for (let n = 0; n < 1_000; n++) {
        table.set(`key ${n}`, { name: `name ${round} `.repeat(10), kind: 'agent', tenant: '1' });
        table.set(`once ${round} ${n}`, { name: 'x', kind: null, tenant: null });
        table.delete(`once ${round} ${n}`);
      }
    // Without compaction it would be 60 MB.
    expect(table.bytes).toBeLessThan(10_000_000);
    for (let n = 0; n < 1_000; n++) expect(table.get(`key ${n}`)!.name).toMatch(/^name 299 /);
    expect(table.get('once 5 5')).toBeUndefined();
  });
});

test('numbers of texts equal those in a Map, even after some were removed', () => {
  const steps = fc.array(
    fc.record({ text: key, id: fc.oneof(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.constant(0)) }),
    {
      maxLength: 500,
    },
  );
  fc.assert(
    fc.property(steps, (steps) => {
      const ids = new TextIds();
      const map = new Map<string, number>();
      for (const { text, id } of steps) {
        if (id === 0) {
          ids.forget(text);
          map.delete(text);
        } else {
          ids.set(text, id);
          map.set(text, id);
        }
      }
      for (const { text } of steps) expect(ids.get(text)).toBe(map.get(text));
    }),
  );
});
