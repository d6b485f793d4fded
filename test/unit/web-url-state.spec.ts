import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  EMPTY_VIEW,
  filterBody,
  filterQuery,
  isFiltered,
  NOBODY,
  readView,
  unreadable,
  writeView,
  type View,
} from '../../src/web/state/url-state.js';
import { QUICK_RANGES, type Range } from '../../src/web/time/ranges.js';

const instant = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());
const range: fc.Arbitrary<Range> = fc.oneof(
  fc.constantFrom(...QUICK_RANGES).map((kind) => ({ kind })),
  fc
    .record({ kind: fc.constant('custom' as const), from: fc.option(instant), to: fc.option(instant) })
    .filter(({ from, to }) => from !== null || to !== null),
);
const list = fc.uniqueArray(fc.string({ minLength: 1 }));
const view: fc.Arbitrary<View> = fc.record({
  // Includes the value for unattributed entries, and the key that used to mean them.
  modifiers: fc.uniqueArray(fc.oneof(fc.string(), fc.constantFrom(NOBODY, 'unattributed'))),
  actingAs: list,
  actions: list,
  entityTypes: list,
  rungs: fc.uniqueArray(fc.constantFrom('message', 'witness', 'column', 'session', 'waltrail')),
  entity: fc.string(),
  tenant: fc.string(),
  q: fc.string(),
  range,
  zone: fc.constantFrom(null, 'UTC', 'Europe/Berlin'),
  entry: fc.option(fc.string({ minLength: 1 })),
  panel: fc.constantFrom(null, 'exports' as const),
});

describe('the view in the URL', () => {
  test('every view is restored from its own link', () => {
    fc.assert(
      fc.property(view, (given) => {
        expect(readView(new URLSearchParams(writeView(given).toString()))).toEqual(given);
      }),
    );
  });

  test('the default page has no query', () => {
    expect(writeView(EMPTY_VIEW).toString()).toBe('');
  });

  test('each invalid part of a link is reported, and a valid link reports nothing', () => {
    const told = (query: string): string[] => unreadable(new URLSearchParams(query));
    expect(told('range=xx&from=junk&tz=Mars/Olympus')).toEqual([
      'The link has an unknown range; showing the last 24 hours.',
      'The link has a date that cannot be read; showing the last 24 hours.',
      'The link has an unknown time zone; it is ignored.',
    ]);
    // The API would refuse these, and with them the whole list.
    for (const from of ['2026-11-30T10:00Z', '2026-02-30T00:00:00Z', '2026-11-30T10:00:00+0100'])
      expect(told(`from=${encodeURIComponent(from)}`)).toHaveLength(1);
    expect(told('tz=%2B05:30')).toEqual(['The link has an unknown time zone; it is ignored.']);
    expect(told('from=2024-02-29T23:59:59.5-12:00')).toEqual([]);
    expect(told('rung=column&rung=guess')).toEqual([
      'The link has an unknown way in which the modifier was found; it is ignored.',
    ]);
    expect(told('from=2026-11-23T00:00:00Z&to=')).toEqual([
      'The link has a date that cannot be read; it is ignored.',
    ]);
    expect(told('range=today&to=junk')).toEqual(['The link has a date that cannot be read; showing today.']);
    fc.assert(
      fc.property(view, (given) => {
        expect(told(writeView(given).toString())).toEqual([]);
      }),
    );
  });

  test('invalid parts of a link are ignored, and the others apply', () => {
    const read = readView(
      new URLSearchParams(
        'rung=guess&rung=toString&range=forever&tz=Mars/Olympus&from=yesterday&action=block&action=&action=block&panel=x',
      ),
    );
    expect(read).toEqual({ ...EMPTY_VIEW, actions: ['block'] });
  });
});

describe('the modifiers of a link', () => {
  const modifiersOf = (query: string): readonly string[] => readView(new URLSearchParams(query)).modifiers;

  test('contain an empty value for unattributed entries, which older links wrote as unattributed', () => {
    expect(writeView({ ...EMPTY_VIEW, modifiers: ['7', NOBODY] }).toString()).toBe('modifier=7&modifier=');
    expect(modifiersOf('modifier=7&modifier=')).toEqual(['7', NOBODY]);
    expect(modifiersOf('modifier=7&modifier=unattributed&modifier=')).toEqual(['7', NOBODY]);
  });

  test('write the real key "unattributed" under another name, so that it differs from an older link', () => {
    const link = writeView({ ...EMPTY_VIEW, modifiers: ['unattributed', NOBODY, '7'] }).toString();
    expect(link).toBe('modifierKey=unattributed&modifier=&modifier=7');
    expect(modifiersOf(link)).toEqual(['unattributed', NOBODY, '7']);
  });
});

describe('filters for the API', () => {
  const filters = { ...EMPTY_VIEW, modifiers: ['7', 'unattributed', NOBODY], q: 'a&b' };

  test('write lists as repeated parameters in a query and as arrays in a body', () => {
    expect(filterQuery(filters, { from: '2026-11-23T00:00:00Z' }).toString()).toBe(
      'modifier=7&modifier=unattributed&modifier=&q=a%26b&from=2026-11-23T00%3A00%3A00Z',
    );
    expect(filterBody(filters, {})).toEqual({ modifier: ['7', 'unattributed', ''], q: 'a&b' });
  });

  test('do not include the range', () => {
    expect(isFiltered({ ...EMPTY_VIEW, range: { kind: 'today' } } as View)).toBe(false);
    expect(isFiltered(filters)).toBe(true);
  });
});
