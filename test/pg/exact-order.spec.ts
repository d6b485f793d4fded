import { expect, test } from '@jest/globals';
import { compareExactly } from '../../src/pipeline/exact-order.js';
import { freshDatabase } from '../support/database.ts';

const NUMBERS = `0 -0 1 -1 1.5 1.50 -1.5 -1.25 9007199254740992 9007199254740993 0.1 0.10000000000000001 0.00012 100 1e20
  -1e20 123456789012345678901234567890.123456789 -123456789012345678901234567890.123456788 NaN`;
const FLOATS = `0 -0 1 1.5 -2.5 1e-7 1.1e-7 -1e-7 1e300 -1e300 5e-324 9007199254740993 NaN Infinity -Infinity`;
const INTEGERS =
  '0 1 -1 9 10 -9 -10 9223372036854775807 -9223372036854775808 9007199254740992 9007199254740993';

/** Types with values, and whether numbers or times order them. */
const VALUES: readonly (readonly [string, 'number' | 'time', readonly string[]])[] = [
  ['numeric', 'number', [...NUMBERS.split(/\s+/), '-Infinity', 'Infinity']],
  ['float8', 'number', FLOATS.split(' ')],
  ['float4', 'number', ['0', '1.1', '-1.1', '1e10', '1e-10', 'NaN', 'Infinity']],
  ['int8', 'number', INTEGERS.split(' ')],
  [
    'timestamptz',
    'time',
    [
      '2026-11-29 09:51:07.123456+00',
      '2026-11-29 09:51:07.1234+00',
      '2026-11-29 11:51:07.123456+02:30',
      '2026-02-28 23:59:59+00',
      '2024-02-29 00:00:00+00',
      '2024-03-01 00:00:00+00',
      '1850-01-01 12:00:00+00',
      '0001-01-01 00:00:00+00 BC',
      '0001-01-01 00:00:00+00',
      '4713-01-01 00:00:00+00 BC',
      '12026-01-01 00:00:00+00',
      'infinity',
      '-infinity',
    ],
  ],
  ['timestamp', 'time', ['2026-11-29 09:51:07', '2026-11-29 09:51:07.5', '1999-12-31 23:59:59.999999']],
  ['date', 'time', ['2026-11-29', '0044-03-15 BC', '0045-03-15 BC', '10000-01-01', 'infinity', '-infinity']],
  ['time', 'time', ['00:00:00', '09:51:07', '09:51:07.5', '23:59:59.999999', '24:00:00']],
  ['timetz', 'time', ['09:51:07+02', '09:51:07-03:30', '09:51:07.5+02', '08:00:00+00', '12:00:00+05:45']],
];

test('numbers and times are ordered as PostgreSQL orders them, in any time zone', async () => {
  await using database = await freshDatabase('empty');
  let compared = 0;
  for (const zone of ['UTC', 'Asia/Kathmandu', 'America/St_Johns']) {
    for (const [type, order, values] of VALUES) {
      const rows = await database.query<{ a: string; b: string; expected: number }>(
        `with v as (select value::${type} as value from unnest($1::text[]) u (value))
         select one.value::text as a, other.value::text as b,
                case when one.value < other.value then -1 when one.value > other.value then 1 else 0 end as expected
           from (select pg_catalog.set_config('timezone', $2, false), pg_catalog.set_config('extra_float_digits', '3', false)) s
          cross join v one cross join v other`,
        [values, zone],
      );
      const wrong = rows.filter(({ a, b, expected }) => {
        const found = compareExactly(order, a, b);
        return found === null || Math.sign(found) !== expected;
      });
      expect([type, zone, wrong]).toEqual([type, zone, []]);
      compared += rows.length;
    }
  }
  expect(compared).toBeGreaterThan(2_000);
});

test('a text that is neither a number nor a time has no order', () => {
  for (const text of ['', 'x', '1 ', '0x10', '$1', '1e9999999', '--1'])
    expect(compareExactly('number', text, '1')).toBeNull();
  for (const text of ['', 'today', '2026-11', '2026-11-29T09:51:07Z', '1 day'])
    expect(compareExactly('time', text, '2026-11-29')).toBeNull();
});
