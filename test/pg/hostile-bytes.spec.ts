import { afterAll, expect, test } from '@jest/globals';
import ExcelJS from 'exceljs';
import fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { LiveFeed } from '../../src/admin/stream/live.js';
import { ZoneClock } from '../../src/exports/dates.js';
import { writeCsv, writeNdjson } from '../../src/exports/text-formats.js';
import { writeWorkbook } from '../../src/exports/workbook.js';
import type { RowBatch } from '../../src/trail/read/row-batch.js';
import { batchesOf } from '../support/entries.ts';
import { silentLog } from '../../src/log.js';
import type { Entry } from '../../src/trail/read/entry.js';
import { entryToJson } from '../../src/trail/read/json.js';
import { TrailReader } from '../../src/trail/read/trail-reader.js';
import { captureGround, untilCaughtUp, type CaptureGround } from '../support/capture.ts';
import { expectSame } from '../support/same.ts';
import { until } from '../support/until.ts';

/** The same each time, unless another one is set. A failure names it. */
const SEED = Number(process.env['WALTRAIL_TEST_SEED'] ?? 20_261_128);
const TRANSACTIONS = 10_000;
/** Transactions of one statement: a round trip for each would take most of the time. */
const TRANSACTIONS_TOGETHER = 500;

/** Names that an application may give, each with characters that some tool treats specially. */
const TABLES = [
  'plain',
  'we"ird',
  "it's",
  'a.b',
  'line\nend',
  '\u202edrawkcab',
  '<script>',
  '=1+1',
  '😀',
  '\ufffe',
];
const COLUMN = 'c\u0001 "x",=\u2028</t>\ufeff\u{1f600}';

/** Pieces of hexadecimal bytes: text of every kind, and bytes that are not text. */
const PIECES = [
  '61', '5c787b', '7d', '00'.repeat(0), '1b', '1f', '0a', '0d', '09', '01', '7f', '22', '27', '5c', '3c2f743e', '3d312b31', '2c',
  'c3a9', 'd7a9', 'e280ae', 'efbfbe', 'efbfbf', 'efbbbf', 'e280a8', 'f09f9880', 'c285',
  'c3', 'ff', 'eda080', 'f8888080', 'c080', '80', 'f09f98',
].filter((piece) => piece !== ''); // prettier-ignore
const JSONS = [
  'null', '{}', '"\\ud83d"', '"\\u0000"', '1e400000', '-0', '{"a":1,"a":2}', '"x\\udc00"', ' [\n1,\r\n 2]', '{"\\ud800":{}}', '"\\u2028"',
  `${'['.repeat(59)}${']'.repeat(59)}`, `${'['.repeat(61)}${']'.repeat(61)}`, `${'{"a":'.repeat(1_500)}1${'}'.repeat(1_500)}`,
  `[${'{},'.repeat(3_000)}{}]`, `"${'\\n'.repeat(5_000)}"`,
]; // prettier-ignore

interface Change {
  readonly table: number;
  readonly id: string;
  readonly value: string;
  readonly json: number;
  /** Hexadecimal. Null: no message. */
  readonly message: string | null;
  readonly prefix: string;
}

const hex = (max: number) =>
  fc.array(fc.constantFrom(...PIECES), { maxLength: max }).map((pieces) => pieces.join(''));
const messageText = fc.oneof(
  hex(8),
  fc
    .constantFrom(
      '{"modifier":"7","context":{"ua":"x \\ud83d"}}',
      '{"modifier":"\\u0000","context":"\\u0000"}',
      `{"context":${'['.repeat(3_000)}${']'.repeat(3_000)}}`,
      '{"modifier":1e400000}',
      '{"modifier":"a","name":"\\udfff"}',
      '{"modifier":null}',
      '{"__proto__":1,"context":{"__proto__":2}}',
      '[]',
      '',
    )
    .map((text) => Buffer.from(text).toString('hex')),
);
const change: fc.Arbitrary<Change> = fc.record({
  table: fc.nat(TABLES.length - 1),
  id: hex(3),
  value: hex(10),
  json: fc.nat(JSONS.length - 1),
  message: fc.option(messageText, { freq: 3 }),
  prefix: fc.constantFrom('waltrail', '_bemi', 'other'),
});

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Tables with full rows. Their ids, names, tenants, modifiers and label keys are the same bytes. */
const SCHEMA = `
  create cast (bytea as text) without function;
  create table people (id text primary key, name text);
  ${TABLES.map((name) => `create table ${quoted(name)} (n bigint primary key, id text, ${quoted(COLUMN)} text, doc json, tenant text, by_whom text, team text);`).join('\n')}
  create table jsons (n int primary key, doc json);
  create procedure make(changes jsonb) language plpgsql as $$
  declare
    c jsonb;
  begin
    for c in select * from jsonb_array_elements(changes) loop
      if c->>'message' is not null then
        perform pg_logical_emit_message(true, c->>'prefix', decode(c->>'message', 'hex'));
      end if;
      -- Names of modifiers and labels are hostile too.
      if (c->>'n')::int % 10 = 0 then
        insert into people values (decode(c->>'id', 'hex')::text, decode(c->>'value', 'hex')::text)
        on conflict (id) do update set name = excluded.name;
      end if;
      execute format('insert into %I select $1, $2, $3, doc, $4, $5, $2 from jsons where n = $6', c->>'table')
        using (c->>'n')::bigint, decode(c->>'id', 'hex')::text, decode(c->>'value', 'hex')::text,
              decode(left(c->>'id', 8), 'hex')::text, decode(c->>'id', 'hex')::text, (c->>'json')::int;
      if (c->>'n')::int % 7 = 0 then
        execute format('update %I set doc = null where n = $1', c->>'table') using (c->>'n')::bigint;
      end if;
      commit;
    end loop;
  end $$;`;
const YAML = `
modifiers: { table: public.people, key: id, name: "{name}" }
tables:
${TABLES.map(
  (name, index) => `  ${JSON.stringify(`public.${quoted(name)}`)}:
    entity: thing_${index}
    id: id
    name: ${JSON.stringify(`<{${COLUMN}}> {team}`)}
    tenant: tenant
    modifier: by_whom
    values: { tenant: { a: "w\\ud83d\\0" } }
    labels: { team: { table: public.people, key: id, name: "{name}" } }`,
).join('\n')}`;

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

test('10,000 transactions of hostile bytes in every field are captured, and every reader reads what PostgreSQL has', async () => {
  process.stderr.write(`hostile bytes: WALTRAIL_TEST_SEED=${SEED}\n`);
  await using g = await captureGround({ schemaSql: SCHEMA, yaml: YAML });
  const changes = fc
    .sample(fc.tuple(...Array.from({ length: 100 }, () => change)), {
      seed: SEED,
      numRuns: TRANSACTIONS / 100,
    })
    .flat();
  await write(g, changes);
  await untilCaughtUp(g.source, g.trail, 120_000);
  expect(g.capture.status()).toMatchObject({ state: 'streaming' });

  const pool = new pg.Pool({ connectionString: g.trail.url, max: 4 });
  try {
    const reader = new TrailReader({ pool });
    const entries = await readEverything(reader);
    await compareWithSource(g, { entries, changes });
    await readOtherwise(reader, entries);
    await readFiles(entries);
  } finally {
    await pool.end();
  }
  await readBySql(g, changes.length);
});

async function write(g: CaptureGround, changes: readonly Change[]): Promise<void> {
  const client = new pg.Client(g.source.url);
  await client.connect();
  try {
    for (const [n, json] of JSONS.entries())
      await client.query('insert into jsons values ($1, $2)', [n, json]);
    for (let start = 0; start < changes.length; start += TRANSACTIONS_TOGETHER) {
      const some = changes
        .slice(start, start + TRANSACTIONS_TOGETHER)
        .map((of, index) => ({ ...of, n: start + index, table: TABLES[of.table] }));
      await client.query(`call make($1::jsonb)`, [JSON.stringify(some)]);
    }
  } finally {
    await client.end();
  }
}

/** Reads all entries by pages, and again by a walk and a live list, which have to agree. */
async function readEverything(reader: TrailReader): Promise<Entry[]> {
  const range = {
    from: new Date(Date.now() - 3_600_000).toISOString(),
    to: new Date(Date.now() + 3_600_000).toISOString(),
  };
  const entries: Entry[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await reader.page(range, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    entries.push(...page.items);
    JSON.parse(`[${page.items.map(entryToJson).join(',')}]`);
    if (page.next === null) break;
    cursor = page.next;
  }
  const live: Entry[] = [];
  const feed = new LiveFeed({ trail: reader, catchUp: reader, log: silentLog });
  await feed.listen({
    owner: 'one',
    filter: {},
    resume: { after: '0', asOfMs: 0 },
    ready: () => true,
    deliver: (entry) => {
      const line = entryToJson(entry);
      if (/[\r\n]/.test(line)) throw new Error('an entry of more than a line');
      live.push(entry);
    },
    reached: () => undefined,
  });
  await until('the live list to show all', () => live.length >= entries.length);
  await feed.close();
  expectSame(live.reverse(), entries);
  const facets = await reader.facets(range, { limit: 100_000 });
  expect(facets.entityTypes.reduce((sum, { count }) => sum + count, 0)).toBe(entries.length);
  expect(facets.tenants.length).toBeGreaterThan(100);
  expect(facets.modifiers.length).toBeGreaterThan(100);
  return entries;
}

/** Text in the form of pg/text.ts. It is implemented again here, with PostgreSQL's answer to what is text. */
const shown = (value: { readonly hex: string; readonly text: string | null }, isKey: boolean): string =>
  value.text === null || (isKey && value.text.startsWith('\\x{')) ? `\\x{${value.hex}}` : value.text;

async function compareWithSource(
  g: CaptureGround,
  { entries, changes }: { readonly entries: readonly Entry[]; readonly changes: readonly Change[] },
): Promise<void> {
  await g.source.query(`
    create function is_text(p bytea) returns text language plpgsql as $$
    begin
      return convert_from(p, 'UTF8');
    exception when others then return null;
    end $$`);
  const inserts = entries.filter(({ operation }) => operation === 'insert');
  expect(inserts).toHaveLength(changes.length);
  const byNumber = new Map(inserts.map((entry) => [entry.updated!.get('n')!.text, entry]));
  for (const [index, name] of TABLES.entries()) {
    const rows = await g.source.query<{
      n: string;
      id: string;
      id_text: string | null;
      value: string;
      value_text: string | null;
      doc: string;
    }>(
      `select t.n::text, encode(id::bytea_raw, 'hex') as id, is_text(id::bytea_raw) as id_text, encode(v::bytea_raw, 'hex') as value, is_text(v::bytea_raw) as value_text, j.doc::text as doc
         from (select n, id, ${quoted(COLUMN)} as v from ${quoted(name)}) t join jsons j on j.n = ($1::int[])[t.n + 1]`.replaceAll(
        /(\w+)::bytea_raw/g,
        'pg_catalog.textsend($1)',
      ),
      [changes.map(({ json }) => json)],
    );
    expect(rows).toHaveLength(changes.filter(({ table }) => table === index).length);
    for (const row of rows) {
      const entry = byNumber.get(row.n)!;
      const id = { hex: row.id, text: row.id_text };
      const value = { hex: row.value, text: row.value_text };
      expectSame(
        {
          id: entry.entity.id,
          value: entry.updated!.get(COLUMN)!.text,
          doc: entry.updated!.get('doc')!.text,
          type: entry.entity.type,
          table: entry.table,
        },
        {
          id: shown(id, true),
          value: shown(value, false),
          doc: row.doc,
          type: `thing_${index}`,
          table: `public.${name}`,
        },
      );
      if (entry.modifier.rung === 'column') expectSame(entry.modifier.key, shown(id, true));
    }
  }
}

/** Reads by filters and by id: what an entry shows finds it. */
async function readOtherwise(reader: TrailReader, entries: readonly Entry[]): Promise<void> {
  const range = { from: '2026-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' };
  for (const entry of entries.filter((_, index) => index % 200 === 0)) {
    expect(await reader.entry(entry.id)).toEqual(entry);
    const { id, type, name } = entry.entity;
    if (id !== null && id !== '') {
      const history = await reader.history({ type, id, limit: 500 });
      expect(history.items.every((other) => other.entity.id === id)).toBe(true);
      expect(history.items.length).toBeGreaterThan(0);
    }
    if (entry.tenant !== null) {
      const page = await reader.page({ ...range, tenant: entry.tenant }, { limit: 50 });
      expect(page.items.length).toBeGreaterThan(0);
      expect(page.items.every(({ tenant }) => tenant === entry.tenant)).toBe(true);
    }
    if (name !== null && name !== '') {
      const found = await reader.page({ ...range, q: name.slice(0, 20) }, { limit: 5 });
      expect(found.items.length).toBeGreaterThan(0);
    }
  }
}

async function readFiles(entries: readonly Entry[]): Promise<void> {
  const batches = (): AsyncGenerator<RowBatch> => batchesOf(entries, 1_000);
  const written = async (
    write: (sink: { write(bytes: Buffer): Promise<void> }) => Promise<void>,
  ): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    await write({
      write: (bytes) => {
        pieces.push(Buffer.from(bytes));
        return Promise.resolve();
      },
    });
    return Buffer.concat(pieces);
  };
  const clock = new ZoneClock('UTC');
  const ndjson = await written((sink) => writeNdjson({ batches: batches(), sink }));
  const lines = ndjson.toString().split('\n');
  expect(lines.pop()).toBe('');
  expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(entries.map(({ id }) => id));

  const csv = await written((sink) => writeCsv({ batches: batches(), sink, clock }));
  const rows = csvRows(csv.toString().slice(1));
  expect(rows).toHaveLength(entries.length + 1);
  for (const [index, entry] of entries.entries()) {
    const row = rows[index + 1]!;
    expectSame(row.length, rows[0]!.length);
    const id = entry.entity.id ?? '';
    expectSame(unguarded(row[7]!), unguarded(id));
  }

  const xlsx = await written((sink) =>
    writeWorkbook({
      batches: batches(),
      sink,
      clock,
      cover: () => [{ label: 'Entries', text: String(entries.length) }],
      createdAt: new Date(),
    }),
  );
  const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-hostile-'));
  folders.push(folder);
  const workbook = new ExcelJS.Workbook();
  await workbook.xlsx.load(xlsx as never);
  const sheet = workbook.worksheets.at(-1)!;
  expect(sheet.rowCount).toBe(entries.length + 1);
}

/** A text without the apostrophes before characters that a spreadsheet could take for a formula. */
const unguarded = (text: string): string => text.replaceAll(/'+(?=[=+\-@＝＋－＠])/g, '');

/** Reads CSV as RFC 4180 describes it. */
function csvRows(text: string): string[][] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  for (
    let match = field.exec(text);
    match !== null && field.lastIndex <= text.length;
    match = field.exec(text)
  ) {
    rows.at(-1)!.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === '\r\n') rows.push([]);
    if (match[3] === '') break;
  }
  if (rows.at(-1)!.length === 1 && rows.at(-1)![0] === '') rows.pop();
  return rows;
}

async function readBySql(g: CaptureGround, transactions: number): Promise<void> {
  const [counted] = await g.trail.query<{ entries: number; read: number }>(
    `select count(*)::int as entries,
            count(*) filter (where length(row_to_json(r)::text) > 0)::int as read
       from trail.readable r where operation = 'insert'`,
  );
  expect(counted).toEqual({ entries: transactions, read: transactions });
}
