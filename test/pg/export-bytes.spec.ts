import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { ZoneClock } from '../../src/exports/dates.js';
import type { Sink } from '../../src/exports/files.js';
import { writeCsv, writeNdjson } from '../../src/exports/text-formats.js';
import type { EntryFilter } from '../../src/trail/read/entry.js';
import type { RowBatch } from '../../src/trail/read/row-batch.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { batchesOf, pagedEntries } from '../support/entries.ts';
import { SEEDED_FROM, SEEDED_TO } from '../support/exports.ts';
import { indexTrail, MOVES, seedTrail } from '../support/trail-data.ts';
import { MemorySink, NAUGHTY, sheetXmlOf } from '../support/workbook.ts';

/** All possible commit times. */
const ALWAYS = { from: '-infinity', to: 'infinity' };
const ENTRIES = 800;
const HOSTILE_RELATION = 10;

/** Names, types and labels that a column may have, however unusual. */
const COLUMNS = [
  { name: 'id', type: 20 },
  { name: '=name', type: 25 },
  { name: 'a: b', type: 25 },
  { name: '"quoted"', type: 1043 },
  { name: ' lead', type: 25 },
  { name: '\u0001control', type: 25 },
  { name: 'two\nlines', type: 25 },
  { name: 'sep\u2028', type: 25 },
  { name: '_x0041_', type: 25 },
  { name: 'ends in_', type: 25 },
  { name: 'ok', type: 16 },
  { name: 'count', type: 23 },
  { name: 'price', type: 1700 },
  { name: 'ratio', type: 701 },
  { name: 'profile', type: 3802 },
  { name: 'raw', type: 114 },
  { name: 'at', type: 1184 },
  { name: 'status', type: 23, values: { 1: 'online', 2: 'away; =1', 3: 'closed ' } },
  { name: 'flag', type: 16, values: { true: 'yes', f: 'no' } },
  { name: 'team_id', type: 20, label: 'public.teams' },
  { name: 'owner', type: 25, label: 'public.owners' },
];

const hostileText = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAUGHTY) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...[
        '',
        't',
        'f',
        'true',
        '0',
        '-0',
        '007',
        '12.50',
        '-1',
        '+1',
        '1e5',
        '1.',
        '.5',
        'NaN',
        'null',
        ' ',
        'x ',
      ],
      ...[
        '{"a": [1, 2.50],  "c\\"": "x  y"}',
        '[]',
        '{"a":\n1}',
        'null',
        '"\\ud800"',
        '{"=": "=1;-2"}',
        '[1,]',
        '{"a": -5, "b": [-1.5, -2 ], "c": -1e5, "d": {"e": "-1", "_x0041_": "a & <b>"}}',
        '"\\ud83d\\ude00"',
        '[ true , false,null, -0.5 ]',
        '-7',
        '{"a": "x\u2028y", "b": "tab\\t"}',
        `${'['.repeat(60)}${']'.repeat(60)}`,
        `${'['.repeat(61)}${']'.repeat(61)}`,
        '01',
        '"\\u12"',
        '{"a" 1}',
      ],
      ...[
        'a;=1',
        'a\t+1',
        'a|-1',
        'a:@b',
        'x,=1',
        "';=1",
        'a;-1;b',
        'a;-1.5x',
        '＝1',
        'a;＝1',
        'ﬀ－1',
        '\u2028=1',
      ],
      ...['(null)', '"(not sent)"', '\\"(empty text)\\"', '(too large: 5 bytes)', '(null) (null)', '("")'],
      `${'"'.repeat(47)}(null)${'"'.repeat(47)}`,
      `${'"'.repeat(48)}(null)${'"'.repeat(47)}`,
      ...[
        '_x0041_',
        '_X0041_',
        '_x00',
        '\\x{c3}',
        '1',
        '2',
        '3',
        '4',
        'שלום',
        '😀',
        '\ufffe',
        '\uffff',
        '\u0085x',
      ],
    ),
  },
  { weight: 2, arbitrary: fc.json().filter((text) => text.length < 200) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '2026-10-25 00:30:00+00',
      '2026-10-25 01:30:00.250000+00',
      '2026-10-24 22:30:00.5-03',
      '2026-10-25 05:00:00+05:30',
      '1850-01-01 00:00:00+00',
      '1893-03-31 23:06:32+00',
      '0001-01-01 00:00:00+00',
      '0044-03-15 12:00:00+00 BC',
      '9999-12-31 23:59:59.999999+00',
      '12026-10-25 00:30:00+00',
      '2026-13-45 00:30:00+00',
      '2026-10-25 24:00:00+00',
      '1880-05-05 05:58:33+00:53:28',
      'infinity',
    ),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
  {
    weight: 2,
    arbitrary: fc.string({
      unit: fc.constantFrom(...Array.from(';,\t\n\r"\'=+-@_x0 a1\u001b\u001f\u0001\\\u007f')),
      maxLength: 12,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 8_000, max: 40_000 }).map((length) => 'ab=\n'.repeat(length / 4)),
  },
);

/** A field as the writer stores it. */
const field = fc.oneof(
  {
    weight: 12,
    arbitrary: hostileText.map((text) =>
      text.replaceAll('\0', '').replaceAll('\x1b', '\x1b[').replaceAll('\x1f', '\x1b_'),
    ),
  },
  { weight: 3, arbitrary: fc.constant('\x1bN') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\x1bU', `\x1bL70000000 ${'0a'.repeat(32)}`, '\x1bX00ff', '\x1bX5c'),
  },
);

const side = fc.array(field, { minLength: COLUMNS.length, maxLength: COLUMNS.length });
const person = '"key":"7","name":"Dana Levi","kind":"agent"';
const spoiltRow = fc.record({
  operation: fc.constantFrom('i', 'u', 'd', 't'),
  rung: fc.constantFrom('m', 'a', 'c', '-', 'w'),
  previous: side,
  updated: side,
  /** The columns that the values belong to. Null: all columns. */
  columns: fc.option(fc.subarray(COLUMNS.map((_, index) => index))),
  name: fc.option(hostileText),
  id: fc.option(hostileText),
  committedAt: fc.oneof(
    { weight: 8, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...[
          'infinity',
          '-infinity',
          '1702-02-03 04:05:06.000007+00',
          '1899-12-31 00:00:00+00',
          '0044-03-15 BC',
        ],
        ...[
          '20000-01-01',
          '1880-05-05 05:05:05.5+00',
          '2026-10-25 00:30:00.123456+00',
          '2026-10-25 01:30:00+00',
        ],
      ),
    },
  ),
  extra: fc.oneof(
    { weight: 4, arbitrary: fc.constant(null) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        ...[
          '{"context":{"a": [1,\n2]}}',
          '{"context":"\\ud800"}',
          '{"origin":"\\"east"}',
          '{"contextId":"12"}',
          'no',
        ],
        ...[
          '{"claimedCommitAt":"infinity"}',
          '{"laterKey":true}',
          '{"unread":{"lsn":"0/1","reason":"=unsigned"}}',
        ],
        ...[
          `{"lastSetBy":{${person}}}`,
          `{"conflict":{"rung":"column",${person}},"context":1}`,
          `{"conflict":{"rung":"witness",${person}}}`,
          `{"context":1,"session":{"user":"a\\"b","role":"r","address":"::1"},"conflict":{"rung":"session",${person}}}`,
          '{"session":{"user":"app","application":"=psql"},"laterKey":true}',
        ],
      ),
    },
  ),
  xid: fc.constantFrom('0', '4294967295', '812'),
  lsn: fc.constantFrom('0/0', 'FFFFFFFF/FFFFFFFF', '1/A0'),
  /** Waltrail's own entries have negative numbers. */
  seq: fc.constantFrom(0, 7, -4, 2_147_483_647, -2_147_483_648),
  modifier: fc.constantFrom(0, 1, 401, 2_001, 2_002, 9_999),
  tenant: fc.constantFrom(0, 1, 2, 6, 9_999),
  action: fc.constantFrom(1, 2, 999),
});

/** People who act as others: one as somebody with a hostile name, one as somebody who was renamed. */
const ACTING = /* sql */ `
  insert into trail.modifier (id, key, name, kind, acting_as)
    values (2000, '=7', '=Bob "x", <1> _x0041_', 'agent', null), (2001, '1', 'Agent B Levi 1', 'agent', 2000), (2002, 'bot-1', '+Bot', 'bot', 21)`;

type SpoiltRow = typeof spoiltRow extends fc.Arbitrary<infer Row> ? Row : never;

async function spoil(trail: TestDatabase, rows: readonly SpoiltRow[]): Promise<void> {
  const stored = rows.map(({ previous, updated, columns, operation, committedAt, ...row }) => {
    const of = (values: readonly string[]): string =>
      (columns === null ? values : columns.map((index) => values[index]!))
        .map((value) => `${value}\x1f`)
        .join('');
    const safe = (text: string | null): string | null => text?.replaceAll('\0', '') ?? null;
    return {
      ...row,
      name: safe(row.name),
      id: safe(row.id),
      operation,
      committed_at: committedAt,
      columns: columns === null ? null : String.fromCharCode(...columns.map((index) => 0x21 + index)),
      previous: operation === 'i' || operation === 't' ? null : of(previous),
      updated: operation === 'd' || operation === 't' ? null : of(updated),
    };
  });
  await trail.query(
    /* sql */ `
    update trail.entry e
       set relation_id = ${HOSTILE_RELATION}, operation = r.operation::"char", rung = r.rung::"char", entity_name = r.name,
           entity_id = r.id, columns = r.columns, previous = r.previous, updated = r.updated, extra = r.extra,
           committed_at = coalesce(r.committed_at, e.committed_at), xid = r.xid::xid, commit_lsn = r.lsn::pg_lsn,
           seq = r.seq, modifier_id = r.modifier, tenant_id = r.tenant, action_id = r.action,
           previous_tenant_id = null, previous_entity_id = null, previous_entity_name = null
      from (select id, row_number() over (order by id desc) as number from trail.entry) n
      join (select *, row_number() over () as number from json_to_recordset($1::json) as (operation text, rung text, name text, id text,
              columns text, previous text, updated text, extra text, committed_at timestamptz, xid text, lsn text, seq int4, modifier int4,
              tenant int4, action int2)) r using (number)
     where e.id = n.id`,
    [JSON.stringify(stored)],
  );
}

type Write = (batches: AsyncIterable<RowBatch>, sink: Sink) => Promise<void>;

const FORMATS: readonly (readonly [name: string, write: Write])[] = [
  ['csv', (batches, sink) => writeCsv({ batches, sink, clock: new ZoneClock('Europe/Berlin') })],
  ['ndjson', (batches, sink) => writeNdjson({ batches, sink })],
  ['xlsx', async (batches, sink) => sink.write(await sheetXmlOf(batches, 'Asia/Kolkata'))],
];

/** Compares the first rows that differ, for a readable message. */
function expectSameFile(written: Buffer, reference: Buffer): void {
  if (written.equals(reference)) return;
  let at = 0;
  while (written[at] === reference[at]) at++;
  const around = (file: Buffer): string => file.toString('utf8', Math.max(0, at - 200), at + 200);
  expect(around(written)).toBe(around(reference));
  throw new Error(`the files differ at byte ${at}`);
}

async function expectSameFiles(reader: TrailReader, filters: readonly EntryFilter[]): Promise<number> {
  const { nextId } = await reader.head();
  let fromBytes = 0;
  for (const filter of filters) {
    const entries = await pagedEntries(reader, filter);
    for (const [name, write] of FORMATS) {
      const [written, reference] = [new MemorySink(), new MemorySink()];
      const rows = reader.walkRows(filter, { below: nextId, withContexts: name === 'ndjson' });
      await write(
        counted(rows, (batch) => {
          for (let index = 0; index < batch.count; index++) if (batch.stored?.goTo(index)) fromBytes++;
        }),
        written,
      );
      await write(batchesOf(entries), reference);
      expectSameFile(written.bytes, reference.bytes);
    }
  }
  return fromBytes;
}

async function* counted(
  batches: AsyncIterable<RowBatch>,
  look: (batch: RowBatch) => void,
): AsyncGenerator<RowBatch> {
  for await (const batch of batches) {
    look(batch);
    yield batch;
  }
}

const FILTERS: readonly EntryFilter[] = [
  ALWAYS,
  { ...ALWAYS, scope: '2' },
  { ...ALWAYS, modifiers: ['7', ''], tenant: '1' },
  { ...ALWAYS, actingAs: ['=7', '21'] },
  { ...ALWAYS, q: "o'x=\\" },
  { ...ALWAYS, q: 'levi', actions: ['add', 'edit'] },
  { from: '2026-10-24T03:00:00Z', to: '2026-10-25T09:00:00Z', entityTypes: ['customer'] },
];

describe('files written from the bytes of the trail', () => {
  test('equal those written from entries, with moves, labels, contexts and every filter', async () => {
    await using trail = await freshDatabase('trail');
    await seedTrail({ url: trail.url, entries: 20_000, from: SEEDED_FROM, to: SEEDED_TO, index: false });
    await trail.query(MOVES);
    await trail.query(ACTING);
    await trail.query(`update trail.entry set modifier_id = 2001 + id % 2, rung = 'm' where id % 31 = 4`);
    await trail.query(
      `insert into trail.configuration (digest, document, from_id, from_lsn) values ('d', '{"action_names": {"edit": "=Ändern \\"ü\\" <1>", "add": "יצירה"}}', 0, '0/0')`,
    );
    await trail.query(
      `insert into trail.lookup (table_name, key, from_id, name) select 'public.teams', '3', (select max(id) - 5000 from trail.entry), 'Renamed'`,
    );
    await indexTrail(trail.url);
    const pool = new pg.Pool({ connectionString: trail.url, max: 4 });
    try {
      const reader = new TrailReader({ pool });
      expect(await expectSameFiles(reader, FILTERS)).toBeGreaterThan(20_000);
    } finally {
      await pool.end();
    }
  });

  test('equal those written from entries, whatever the entries hold', async () => {
    await using trail = await freshDatabase('trail');
    await seedTrail({ url: trail.url, entries: ENTRIES, from: SEEDED_FROM, to: SEEDED_TO, index: false });
    await trail.query(
      /* sql */ `
      with made as (insert into trail.relation (id, schema_name, table_name, columns) values (${HOSTILE_RELATION}, 'public', 'hostile', $1))
      insert into trail.lookup (table_name, key, from_id, name)
        select 'public.owners', key, 0, name from (values ('t', '=Team'), ('1', 'One'), ('', 'Nobody'), ('\\x{00ff}', 'Bytes')) o (key, name)`,
      [JSON.stringify(COLUMNS)],
    );
    await trail.query(ACTING);
    const pool = new pg.Pool({ connectionString: trail.url, max: 4 });
    try {
      const reader = new TrailReader({ pool });
      let fromBytes = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(spoiltRow, { minLength: 200, maxLength: 300, size: 'max' }),
          async (rows) => {
            await spoil(trail, rows);
            fromBytes += await expectSameFiles(reader, [ALWAYS, { ...ALWAYS, scope: '2' }]);
          },
        ),
        {
          numRuns: 3,
          endOnFailure: true,
          // The rows would be megabytes. The difference is enough.
          reporter: ({ failed, seed, errorInstance }) => {
            if (failed) throw new Error(`with the seed ${seed}`, { cause: errorInstance });
          },
        },
      );
      expect(fromBytes).toBeGreaterThan(3 * 200);
    } finally {
      await pool.end();
    }
  });
});
