import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import pg from 'pg';
import { captureGround, untilCaughtUp } from '../support/capture.ts';
import { freshDatabase, majorVersion } from '../support/database.ts';

/**
 * Settings under which the stream has to print values, as src/source/connection-settings.ts pins them.
 * Written out here on purpose.
 */
const PINNED = [
  `set datestyle = 'ISO'`,
  `set intervalstyle = 'postgres'`,
  `set extra_float_digits = 3`,
  `set timezone = 'UTC'`,
  `set bytea_output = 'hex'`,
  `set lc_monetary = 'C'`,
  `set quote_all_identifiers = off`,
  `set search_path = ''`,
];

/** The worst settings a DBA could choose for a database: each changes how some type is printed. */
const HOSTILE = [
  `datestyle = 'german, dmy'`,
  `intervalstyle = 'sql_standard'`,
  `extra_float_digits = -15`,
  `timezone = 'Asia/Kathmandu'`,
  `bytea_output = 'escape'`,
  `quote_all_identifiers = on`,
  `search_path = public`,
];
/** Types whose printed form these settings change. Without them the check below would have no effect. */
const SENSITIVE = ['bytea', 'bytea[]', 'circle', 'date', 'float4', 'float8', 'float8[]', 'interval', 'public.point3', 'regclass',
  'timestamp', 'timestamptz', 'timestamptz[]', 'tstzrange']; // prettier-ignore

const TYPES = `
  create type public.mood as enum ('sad', 'ok', 'très "happy", \\ or so');
  create domain public.percent as numeric(5,2) check (value between 0 and 100);
  create type public.point3 as (x float8, label text, at timestamptz);
  create type public.prices as range (subtype = numeric);
  create domain public.tags as text[];`;

/** Since PostgreSQL 17. */
const INFINITE_INTERVAL = ['interval', `'infinity'`] as const;

/**
 * Column type and an SQL expression for its value: every scalar type of PostgreSQL, and values that are hard
 * to print.
 */
const VALUES: readonly (readonly [type: string, expression: string])[] = [
  ['bool', `true`],
  ['int2', `-32768`],
  ['int4', `2147483647`],
  ['int8', `'-9223372036854775808'`],
  ['numeric', `'1e-16383'`],
  ['numeric', `repeat('9', 131072)::numeric`],
  ['numeric', `'NaN'`],
  ['numeric', `'-Infinity'`],
  ['numeric(12,4)', `1.5`],
  ['float8', `0.1::float8 + 0.2::float8`],
  ['float8', `'5e-324'`],
  ['float8', `'-0'`],
  ['float8', `'-Infinity'`],
  ['float4', `1/3.0::float4`],
  ['float4', `'NaN'`],
  ['money', `'-1234567.89'`],
  ['text', `E'tab\\t line\\n \\x1b \\x1f \\x7f \\\\ '' " \\u00e4 \\U0001F600 e\\u0301 \\u202e'`],
  ['text', `''`],
  ['varchar(10)', `'  pad '`],
  ['char(5)', `'ab'`],
  ['"char"', `'\\377'`],
  ['name', `'Ünïcode'`],
  ['bytea', `'\\x00ff5c27'`],
  ['bytea', `''`],
  ['bit(5)', `B'01010'`],
  ['varbit', `B'1'`],
  ['date', `'0044-03-15 BC'`],
  ['date', `'infinity'`],
  ['date', `'5874897-12-31'`],
  ['time', `'23:59:59.999999'`],
  ['timetz', `'12:34:56.7+05:45'`],
  ['timestamp', `'2026-02-03 04:05:06.000001'`],
  ['timestamp', `'-infinity'`],
  ['timestamptz', `'2026-02-03 04:05:06.123456+05:45'`],
  ['timestamptz', `'4713-01-01 00:00:00+00 BC'`],
  ['timestamptz', `'294276-12-31 23:59:59.999999+00'`],
  ['interval', `'-1 year 2 mons -3 days 04:05:06.000007'`],
  INFINITE_INTERVAL,
  ['json', `'{"b": 1,  "a": "\\u0000", "n": 1e400000, "b": [ ]}'`],
  ['json', `'null'`],
  ['jsonb', `'{"b": 1, "a": "\\\\u0000", "n": 12345678901234567890.10}'`],
  ['jsonpath', `'$.a[*] ? (@ > 1)'`],
  ['xml', `'<a b="c">&amp;</a>'`],
  ['uuid', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`],
  ['inet', `'10.1.2.3/8'`],
  ['cidr', `'2001:db8::/32'`],
  ['macaddr', `'08-00-2b-01-02-03'`],
  ['macaddr8', `'08:00:2b:01:02:03:04:05'`],
  ['point', `'(0.1,-1e300)'`],
  ['line', `'{1,2,3}'`],
  ['lseg', `'[(0,0),(1,1)]'`],
  ['box', `'(1,1),(0,0)'`],
  ['path', `'((0,0),(1,1))'`],
  ['polygon', `'((0,0),(1,1),(1,0))'`],
  ['circle', `'<(0,0),1.5>'`],
  ['tsvector', `'a:1A b:2,3 ''c d'''::tsvector`],
  ['tsquery', `'a & (b | !c:*)'`],
  ['int4range', `'[1,5]'`],
  ['tstzrange', `'["2026-01-01 00:00:00+05:45",infinity)'`],
  ['numrange', `'empty'`],
  ['int8multirange', `'{[1,3),[7,9]}'`],
  ['public.prices', `'(0.10,2.50]'`],
  ['int4[]', `'[0:1]={7,null}'`],
  ['text[]', `array[array['a,b', 'NULL'], array['"', null]]`],
  ['float8[]', `array[0.1::float8 + 0.2::float8]`],
  ['timestamptz[]', `array['2026-02-03 04:05:06+05:45'::timestamptz]`],
  ['bytea[]', `array['\\xff'::bytea]`],
  ['public.mood', `'très "happy", \\ or so'`],
  ['public.mood[]', `array['sad', 'ok']::public.mood[]`],
  ['public.percent', `12.5`],
  ['public.point3', `row(0.1::float8 + 0.2::float8, 'a"b,(c)', '2026-02-03 04:05:06+05:45')::public.point3`],
  ['public.point3[]', `array[row(null, '', null)::public.point3]`],
  ['public.tags', `array['x', 'y z']`],
  ['oid', `4294967295`],
  ['regclass', `'public.vals'`],
  ['regtype', `'timestamptz'`],
  ['pg_lsn', `'16/B374D848'`],
  ['xid8', `'18446744073709551615'`],
  ['txid_snapshot', `'10:20:10,14,15'`],
];

describe('values of every type', () => {
  test('are stored as PostgreSQL prints them under pinned settings, whatever the database is set to', async () => {
    const source = await freshDatabase('empty');
    const major = await majorVersion(source);
    const columns = VALUES.filter((value) => value !== INFINITE_INTERVAL || major >= 17);
    const names = columns.map((_, index) => `c${index}`);
    await using g = await captureGround({
      source,
      schemaSql: `${TYPES} create table public.vals (id int primary key, ${columns.map(([type], index) => `c${index} ${type}`).join(', ')});
        do $$ begin
          ${HOSTILE.map((setting) => `execute format('alter database %I set ${setting.replaceAll("'", "''")}', current_database());`).join('\n')}
        end $$`,
      yaml: 'tables: { public.vals: { entity: value } }',
    });
    const values = columns.map(([type, expression]) => `(${expression})::${type}`);
    await onClient(g.source.url, [
      `insert into public.vals values (1, ${values.join(', ')})`,
      `update public.vals set id = 2`,
      `update public.vals set (${names.join(', ')}) = row(${names.map(() => 'null').join(', ')})`,
      `update public.vals set (${names.join(', ')}) = row(${values.join(', ')})`,
      `delete from public.vals`,
    ]);
    const entries = await g.caughtUp();
    // Not a cast to text, which prints booleans, char(n) and inet differently from their output functions.
    const print = `select ${values.map((value, index) => `format('%s', ${value}) as ${names[index]}`).join(', ')}`;
    const expected = await onClient(g.source.url, [...PINNED, print]);
    const leaked = await onClient(g.source.url, [print]);
    const differing = columns.filter((_, index) => expected[names[index]!] !== leaked[names[index]!]);
    expect(new Set(differing.map(([type]) => type))).toEqual(new Set(SENSITIVE));
    const [insert, key, toNull, fromNull, remove] = entries;
    // One by one, so that a failure names the type.
    columns.forEach(([type], index) => {
      expect([type, insert!.updated![names[index]!]]).toEqual([type, expected[names[index]!]]);
    });
    const nulls = Object.fromEntries(names.map((name) => [name, null]));
    expect(key).toMatchObject({ previous: { id: '1' }, updated: { id: '2' } });
    expect([toNull!.previous, toNull!.updated]).toEqual([expected, nulls]);
    expect([fromNull!.previous, fromNull!.updated]).toEqual([nulls, expected]);
    expect(remove!.previous).toEqual({ id: '2', ...expected });
  });
});

test('a transaction that takes longer to decode than the database lets transactions run is captured', async () => {
  const source = await freshDatabase('empty');
  const limit = (await majorVersion(source)) >= 17 ? 'transaction_timeout' : 'statement_timeout';
  await using g = await captureGround({
    source,
    schemaSql: 'create table items (id int primary key, name text)',
    yaml: 'tables: { public.items: { entity: item } }',
  });
  // The limit is for the sessions of capture only: those of the test may be slow, too.
  await g.source.query(`alter database ${source.name} set ${limit} = 300`);
  await g.restart();
  await g.source.query(`alter database ${source.name} reset ${limit}`);
  await g.source.query(`insert into items select i, repeat('x', 100) from generate_series(1, 60000) i`);
  expect(await g.caughtUp()).toHaveLength(60_000);
});

describe('values of many megabytes', () => {
  const LIMIT = 64 * 1024 * 1024;

  test('are stored whole up to 64 MiB; a larger one is stored as its length and digest', async () => {
    await using g = await captureGround({
      schemaSql:
        'create table docs (id int primary key, rev int, body text); alter table docs alter body set storage external',
      yaml: 'tables: { public.docs: { entity: document, id: body, name: "{id} {body}" } }',
    });
    await g.source.query(`insert into docs values (1, 1, repeat('0123456789abcdef', ${LIMIT / 16}))`);
    await g.source.query(`update docs set body = body || '!'`);
    await g.source.query(`update docs set rev = 2`);
    await g.source.query(`update docs set body = 'small'`);
    await untilCaughtUp(g.source, g.trail);
    // Not read back whole: it is enough that the database has it.
    const stored = await g.trail.query(`
      select operation, entity_id, entity_name, octet_length(previous) > 1000 as long_previous, octet_length(updated) as updated_bytes,
             case when octet_length(updated) < 1000 then updated end as updated
        from trail.entry order by id`);
    const name = `1 ${'0123456789abcdef'.repeat(62)}01234567…`;
    const large = `\x1bL${LIMIT + 1} ${sha256(`${'0123456789abcdef'.repeat(LIMIT / 16)}!`)}\x1f`;
    expect(stored).toEqual([
      {
        operation: 'i',
        entity_id: null,
        entity_name: name,
        long_previous: null,
        updated_bytes: LIMIT + 5,
        updated: null,
      },
      {
        operation: 'u',
        entity_id: null,
        entity_name: name,
        long_previous: true,
        updated_bytes: large.length,
        updated: large,
      },
      {
        operation: 'u',
        entity_id: null,
        entity_name: name,
        long_previous: false,
        updated_bytes: 2,
        updated: '2\x1f',
      },
      {
        operation: 'u',
        entity_id: 'small',
        entity_name: '1 small',
        long_previous: false,
        updated_bytes: 6,
        updated: 'small\x1f',
      },
    ]);
    const [last] = await g.trail.query<{ previous: Record<string, string> }>(
      `select previous from trail.readable order by id desc limit 1`,
    );
    expect(last!.previous['body']).toMatch(
      /^\(too large to be stored: 67108865 bytes, SHA-256 [0-9a-f]{64}\)$/,
    );
  });
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Runs statements on a separate connection. Returns the first row of the last one. */
async function onClient(url: string, statements: readonly string[]): Promise<Record<string, string>> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    let last: Record<string, string> = {};
    for (const statement of statements)
      last = ((await client.query(statement)).rows as Record<string, string>[])[0] ?? {};
    return last;
  } finally {
    await client.end();
  }
}
