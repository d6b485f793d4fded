import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { silentLog } from '../../src/log.js';
import { connect } from '../../src/pg/connect.js';
import { OPERATION_INSERT, RUNG_NOBODY } from '../../src/pipeline/ports.js';
import type { FindingKind } from '../../src/proof/findings.js';
import { verifyQuick, type QuickReport } from '../../src/proof/quick.js';
import { migrateTrail } from '../../src/trail/migrate.js';
import { takeRole } from '../../src/trail/roles.js';
import type { TrailWriter } from '../../src/trail/write/trail-writer.js';
import { waltrail } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { recordedTrail } from '../support/recorded-trail.ts';
import { indexTrail, MOVES, seedTrail } from '../support/trail-data.ts';
import { endTransaction, openWriter } from '../support/writer.ts';

const DAY_MS = 86_400_000;
const CHUNK = 16_384;
/**
 * Three days, each with a chunk and a part of one. Two are finished. The third is running, and its last chunk
 * is open.
 */
const ENTRIES = 3 * (CHUNK + 2_000);

const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
let seeded: TestDatabase;
/** Days since 2026-01-01 of the seeded trail. */
const FIRST_DAY = Math.floor((midnight - Date.UTC(2026, 0, 1)) / DAY_MS) - 2;

beforeAll(async () => {
  seeded = await freshDatabase('trail');
  const range = { from: new Date(midnight - 2 * DAY_MS), to: new Date(midnight + DAY_MS) };
  // No connection may stay open: the trail is copied for each test.
  await seedTrail({ url: seeded.url, entries: ENTRIES, ...range, index: false });
  await run(seeded.url, MOVES);
  await run(seeded.url, CONTEXTS);
  await indexTrail(seeded.url);
});
afterAll(async () => {
  await seeded[Symbol.asyncDispose]();
});

/** Verifies as a reader, who may change nothing. */
async function verified(url: string): Promise<QuickReport> {
  const client = await connect({ url, purpose: 'test' });
  try {
    expect(await takeRole(client, 'waltrail_reader')).toBe(true);
    return await verifyQuick({ client, progress: () => undefined });
  } finally {
    await client.end();
  }
}

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A copy of the seeded trail while `work` runs. */
async function withCopy<T>(work: (url: string) => Promise<T>): Promise<T> {
  const name = `test_verify_${randomBytes(6).toString('hex')}`;
  const server = new URL(seeded.url);
  server.pathname = '/postgres';
  const copy = new URL(seeded.url);
  copy.pathname = `/${name}`;
  await run(server.href, `create database ${name} template ${seeded.name} strategy file_copy`);
  try {
    return await work(copy.href);
  } finally {
    await run(server.href, `drop database ${name} with (force)`);
  }
}

const id = (number: number, day = FIRST_DAY): string => ((BigInt(day) << 32n) + BigInt(number)).toString();
const chunk = (number: number, day = FIRST_DAY): number => (day << 18) + number;
const block = (number: number, day = FIRST_DAY): number => (day << 16) + number;
const partition = `entry_${new Date(midnight - 2 * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '_')}`;

/**
 * Contexts that are stored once, each for the entries of a transaction, and short contexts in the entries.
 */
const CONTEXTS = /* sql */ `
  update trail.entry set extra = '{"contextId":"' || (id - id % 3) || '","origin":"app"}' where id % 300 < 3;
  insert into trail.context select id, '{"job":"' || id || '"}' from trail.entry where id % 300 = 0;
  update trail.entry set extra = '{"context":{"contextId":"1"}}' where id % 301 = 0 and extra is null`;
/** An entry that moved from one tenant to another, and had another id there. */
const MOVED = `(select min(id) from trail.entry where previous_tenant_id > 0 and previous_entity_id <> entity_id and id & 4294967295 > 1000)`;

/** Every finding that a deleted entry of a complete block causes. */
const OF_A_DELETED_ENTRY: FindingKind[] = [
  'missing_entry',
  'posting_lists',
  'chunk_summary',
  'block_summary',
  'value_summary',
];

/**
 * Manipulations that the owner of the trail could make by hand, with the least that is found. An open chunk
 * has neither lists nor summaries yet.
 */
const TAMPERINGS: readonly { what: string; sql: string; found: FindingKind[]; says?: RegExp }[] = [
  {
    what: 'an entry deleted',
    sql: `delete from trail.entry where id = ${id(100)}`,
    found: OF_A_DELETED_ENTRY,
    says: new RegExp(`^Entry ${id(100)} of \\d{4}-\\d\\d-\\d\\d is missing\\.$`),
  },
  {
    what: 'entries of two chunks deleted',
    sql: `delete from trail.entry where id between ${id(CHUNK - 10)} and ${id(CHUNK + 5)}`,
    found: OF_A_DELETED_ENTRY,
    says: new RegExp(`^Entry ${id(CHUNK - 10)} .* to ${id(CHUNK + 5)} are missing \\(16 entries\\)\\.$`),
  },
  {
    what: 'an entry of the open chunk deleted',
    sql: `delete from trail.entry where id = (select max(id) - 5 from trail.entry)`,
    found: ['missing_entry'],
  },
  {
    what: 'the last entry deleted',
    sql: `delete from trail.entry where id = (select max(id) from trail.entry)`,
    found: ['missing_entry'],
  },
  {
    what: 'an entry stored a second time',
    sql: `insert into trail.entry select * from trail.entry where id = ${id(200)}`,
    found: ['repeated_entry'],
  },
  {
    what: 'an entry added after the last of a day',
    sql: `insert into trail.entry select (x).* from (select trail.added(e) as x from trail.entry e where id = ${id(300)}) y`,
    found: ['unknown_entry'],
  },
  {
    what: 'an entry added in a day that the trail does not have',
    sql: `select trail.make_partition(1); update trail.entry set id = ((1::int8 << 32) + 3) where id = ${id(300)}`,
    found: ['unknown_entry', 'missing_entry'],
  },
  {
    what: 'the commit time of one entry of a transaction changed',
    // Transactions of three entries begin at multiples of 3.
    sql: `update trail.entry set committed_at = committed_at + interval '1 s' where id = ${id(300)}`,
    found: ['commit_time'],
  },
  {
    what: 'a transaction moved to another hour',
    sql: `update trail.entry set committed_at = committed_at + interval '30 h' where id between ${id(300)} and ${id(302)}`,
    found: ['chunk_summary', 'block_summary'],
    says: /commit times/,
  },
  ...(
    [
      ['modifier', 'modifier_id', '(modifier_id + 1) % 400'],
      ['action', 'action_id', 'action_id % 12 + 1'],
      ['entity type', 'entity_type_id', 'entity_type_id % 8 + 1'],
      ['tenant', 'tenant_id', '(tenant_id + 1) % 6'],
    ] as const
  ).map(([what, column, value]) => ({
    what: `the ${what} of an entry changed`,
    sql: `update trail.entry set ${column} = ${value} where id = ${id(5_000)}`,
    found: ['posting_lists', 'chunk_summary', 'block_summary', 'value_summary'] as FindingKind[],
    says: new RegExp(`by ${what} leave out 1 entry and are wrong at 1 place`),
  })),
  {
    what: 'the entity of an entry changed',
    sql: `update trail.entry set entity_id = entity_id || 'x' where id = (select min(id) from trail.entry where entity_id is not null)`,
    found: ['posting_lists'],
  },
  {
    what: 'the entity of an entry removed',
    sql: `update trail.entry set entity_id = null where id = (select min(id) from trail.entry where entity_id is not null)`,
    found: ['posting_lists'],
  },
  {
    what: 'the previous tenant of a move changed',
    sql: `update trail.entry set previous_tenant_id = 7 - previous_tenant_id where id = ${MOVED}`,
    found: ['posting_lists', 'chunk_summary', 'block_summary', 'value_summary'],
    says: /by move leave out 1 entry and are wrong at 1 place/,
  },
  {
    what: 'a move removed',
    sql: `update trail.entry set previous_tenant_id = null, previous_entity_id = null where id = ${MOVED}`,
    found: ['posting_lists', 'chunk_summary', 'block_summary', 'value_summary'],
    says: /by entity are wrong at 1 place/,
  },
  {
    what: 'the previous entity of a move changed',
    sql: `update trail.entry set previous_entity_id = previous_entity_id || 'x' where id = ${MOVED}`,
    found: ['posting_lists'],
  },
  {
    what: 'a list of moves emptied',
    sql: `update trail.posting set lists = '' where dimension = 'v' and chunk = ${chunk(0)}`,
    found: ['posting_lists'],
    says: /by move leave out \d+ entries\.$/,
  },
  {
    what: 'a context deleted',
    sql: `delete from trail.context where id = (select min(id) from trail.context)`,
    found: ['reference'],
    says: /^trail\.context has no row \d+, to which entry \d+ of .* refers \(extra\)\.$/,
  },
  {
    what: 'two entries swapped',
    sql: `update trail.entry set id = case id when ${id(600)} then ${id(9_000)} else ${id(600)} end where id in (${id(600)}, ${id(9_000)})`,
    found: ['order'],
  },
  {
    what: 'a change with the place of another in its transaction',
    sql: `update trail.entry set seq = 0 where id = ${id(301)}`,
    found: ['order'],
  },
  {
    what: 'a posting list emptied',
    sql: `update trail.posting set lists = '' where dimension = 'm' and bucket = 3 and chunk = ${chunk(0)}`,
    found: ['posting_lists'],
    says: /by modifier leave out \d+ entries\.$/,
  },
  {
    what: 'one bit of a posting list changed',
    sql: `update trail.posting set lists = set_bit(lists, 100, 1 - get_bit(lists, 100)) where dimension = 't' and bucket = 2 and chunk = ${chunk(1)}`,
    found: ['posting_lists'],
  },
  {
    what: 'a posting list with its end cut off',
    sql: `update trail.posting set lists = substring(lists for length(lists) - 1) where dimension = 'e' and bucket = (select min(bucket) from trail.posting where dimension = 'e' and chunk = ${chunk(1)}) and chunk = ${chunk(1)}`,
    found: ['posting_lists'],
  },
  {
    what: 'a posting list that names its entries twice',
    sql: `update trail.posting set lists = lists || lists where dimension = 'a' and bucket = 3 and chunk = ${chunk(0)}`,
    found: ['posting_lists'],
    says: /by action are wrong at/,
  },
  {
    what: 'a row of posting lists deleted',
    sql: `delete from trail.posting where dimension = 'n' and bucket = 1 and chunk = ${chunk(1)}`,
    found: ['posting_lists'],
  },
  {
    what: 'a row of posting lists added',
    sql: `insert into trail.posting select dimension, 900, chunk, lists from trail.posting where dimension = 'a' and bucket = 3 and chunk = ${chunk(0)}`,
    found: ['posting_lists'],
  },
  {
    what: 'unused posting lists added',
    sql: `insert into trail.posting select 'x', bucket, chunk, lists from trail.posting where dimension = 'a' and bucket = 3 and chunk = ${chunk(0)}`,
    found: ['posting_lists'],
    says: /1 row .* that no chunk or value refers to/,
  },
  {
    what: 'a count of a chunk changed',
    sql: `update trail.chunk set action_counts[1] = action_counts[1] + 1 where chunk = ${chunk(1)}`,
    found: ['chunk_summary'],
    says: /the counts of actions\.$/,
  },
  {
    what: 'the commit times of a chunk changed',
    sql: `update trail.chunk set last_committed_at = first_committed_at where chunk = ${chunk(1)}`,
    found: ['chunk_summary'],
  },
  {
    what: 'a summary of a chunk deleted',
    sql: `delete from trail.chunk where chunk = ${chunk(1)}`,
    found: ['chunk_summary'],
    says: /has posting lists and no summary/,
  },
  {
    what: 'a summary of a chunk and its lists deleted',
    sql: `delete from trail.chunk where chunk = ${chunk(1)}; delete from trail.posting where chunk = ${chunk(1)}`,
    found: ['chunk_summary'],
    says: /neither a summary nor posting lists/,
  },
  {
    what: 'the last summary of a chunk and its lists deleted',
    sql: `delete from trail.posting where chunk = (select max(chunk) from trail.chunk); delete from trail.chunk where chunk = (select max(chunk) from trail.chunk)`,
    found: ['chunk_summary'],
  },
  {
    what: 'a summary of a chunk without entries added',
    sql: `insert into trail.chunk select chunk + 1000, entries, first_committed_at, last_committed_at, modifiers, modifier_counts, entity_types, entity_type_counts, actions, action_counts, tenants, tenant_counts from trail.chunk where chunk = ${chunk(1)}`,
    found: ['chunk_summary'],
    says: /has no entries/,
  },
  {
    what: 'a count of a block changed',
    sql: `update trail.block set tenant_counts[2] = tenant_counts[2] - 1 where block = ${block(0)}`,
    found: ['block_summary'],
  },
  {
    what: 'a summary of a block deleted',
    sql: `delete from trail.block where block = ${block(0)}`,
    found: ['block_summary', 'value_summary'],
  },
  {
    what: 'a count under a value changed',
    sql: `update trail.block_value set action_counts[1] = action_counts[1] + 1 where dimension = 't' and value = 3 and block = ${block(0)}`,
    found: ['value_summary'],
    says: /1 does not agree/,
  },
  {
    what: 'counts under a value deleted',
    sql: `delete from trail.block_value where dimension = 'a' and value = 3 and block = ${block(0, FIRST_DAY + 1)}`,
    found: ['value_summary'],
    says: /1 is missing/,
  },
  {
    what: 'counts under a value added that the block does not have',
    sql: `insert into trail.block_value select dimension, 999, block, modifiers, modifier_counts, entity_types, entity_type_counts, actions, action_counts, tenants, tenant_counts from trail.block_value where dimension = 'a' and value = 3 and block = ${block(0, FIRST_DAY + 1)}`,
    found: ['value_summary'],
  },
  {
    what: 'the number of all entries changed',
    sql: `update trail.checkpoint set entries = entries - 1`,
    found: ['counter'],
  },
  {
    what: 'the number of entries of a day changed',
    sql: `update trail.day set entries = entries - 1 where day = ${FIRST_DAY}`,
    found: ['counter', 'unknown_entry', 'posting_lists'],
  },
  {
    what: 'the next id reset',
    sql: `update trail.checkpoint set next_id = next_id - 10`,
    found: ['counter', 'unknown_entry'],
  },
  {
    what: 'the position of the checkpoint reset',
    sql: `update trail.checkpoint set end_lsn = '0/1000000'`,
    found: ['order'],
  },
  ...(
    [
      ['modifier', 7],
      ['action', 3],
      ['entity_type', 3],
      ['tenant', 2],
      ['relation', 3],
    ] as const
  ).map(([table, row]) => ({
    what: `a row of trail.${table} deleted`,
    sql: `delete from trail.${table} where id = ${row}`,
    found: ['reference'] as FindingKind[],
    says: new RegExp(`^trail\\.${table} has no row ${row}, to which `),
  })),
  {
    what: 'a partition detached',
    sql: `alter table trail.entry detach partition trail.${partition}`,
    found: ['missing_entry'],
    says: new RegExp(`trail\\.${partition} is detached from trail\\.entry\\.$`),
  },
  {
    what: 'a partition dropped',
    sql: `drop table trail.${partition}`,
    found: ['missing_entry'],
    says: new RegExp(`trail\\.${partition} does not exist\\.$`),
  },
  {
    what: 'the checkpoint deleted',
    sql: `delete from trail.checkpoint`,
    found: ['unknown_entry', 'counter'],
    says: /has entries and no checkpoint/,
  },
  {
    what: 'the row of a gap deleted',
    sql: `select trail.open_gap('SOURCE_SLOT_LOST', 'a gap', null, '0/C8', null); delete from trail.gap`,
    found: ['gap'],
  },
  {
    what: 'the entry of a gap overwritten',
    sql: `select trail.open_gap('SOURCE_SLOT_LOST', 'a gap', null, '0/C8', null); update trail.entry set rung = '-', entity_id = null where rung = 'w'`,
    found: ['gap'],
  },
];

/** An entry's copy with the id after the last one of its day. */
const ADDED = `create function trail.added(e trail.entry) returns trail.entry language plpgsql as
  $$ begin e.id := (${FIRST_DAY}::int8 << 32) + (select entries from trail.day where day = ${FIRST_DAY}); return e; end $$`;

describe('waltrail verify --quick', () => {
  test('finds nothing in an unchanged trail, and counts what it has compared', async () => {
    const { checked, findings } = await verified(seeded.url);
    expect(findings).toEqual({ total: 0, byKind: {}, listed: [] });
    expect(checked).toEqual({
      entries: ENTRIES,
      days: 3,
      chunks: 5,
      postingRows: expect.any(Number),
      blocks: 2,
      blocksWaiting: 0,
    });
  });

  test('finds nothing in full blocks and in more chunks than are read together', async () => {
    await using trail = await freshDatabase('trail');
    const range = { from: new Date(midnight - DAY_MS), to: new Date(midnight) };
    await seedTrail({ url: trail.url, entries: 9 * CHUNK + 500, ...range });
    const { checked, findings } = await verified(trail.url);
    expect(findings).toEqual({ total: 0, byKind: {}, listed: [] });
    expect(checked).toMatchObject({ entries: 9 * CHUNK + 500, days: 1, chunks: 9, blocks: 2 });
  });

  test.each(TAMPERINGS)('finds $what', async ({ sql, found, says }) => {
    await withCopy(async (url) => {
      await run(url, ADDED);
      await run(url, sql);
      const { findings } = await verified(url);
      expect(Object.keys(findings.byKind)).toEqual(expect.arrayContaining(found));
      if (says !== undefined)
        expect(findings.listed.map(({ text }) => text)).toContainEqual(expect.stringMatching(says));
    });
  });

  test('lists a bounded number of findings, and counts all of them', async () => {
    await withCopy(async (url) => {
      await run(url, `delete from trail.entry where id % 5 = 0`);
      const { findings } = await verified(url);
      expect(findings.listed).toHaveLength(100);
      expect(findings.byKind.missing_entry).toBeGreaterThan(ENTRIES / 6);
    });
  });

  test('finds nothing while entries are stored, and accepts positions that start over after a gap', async () => {
    await using trail = await freshDatabase('trail');
    await trail.query(DICTIONARIES);
    const writer = await openWriter(trail);
    let lsn = 1_000n;
    let verifying = true;
    const reports: QuickReport[] = [];
    const verifies = (async () => {
      while (verifying) reports.push(await verified(trail.url));
    })();
    for (let batch = 0; batch < 40; batch++) {
      store(writer, { entries: 1_500, lsn: (lsn += 10n) });
      await writer.commit();
    }
    verifying = false;
    await verifies;
    await writer.close();
    expect(reports.flatMap(({ findings }) => findings.listed)).toEqual([]);
    expect(reports.length).toBeGreaterThan(1);

    // A failover to a server that lags: capture resumes before the last entry's position.
    await trail.query(`select trail.open_gap('SOURCE_TIMELINE_FORKED', 'a gap', null, '0/400', null)`);
    await trail.query(
      `select trail.adopt_source(end_lsn, '0/400', system_identifier, 2, slot) from trail.checkpoint`,
    );
    await trail.query(`select trail.close_gaps(array(select id from trail.gap), '0/400', 'capture resumed')`);
    const next = await openWriter(trail);
    store(next, { entries: 100, lsn: 1_100n });
    await next.commit();
    await next.close();
    const { findings, checked } = await verified(trail.url);
    expect(findings.listed).toEqual([]);
    expect(checked.entries).toBe(40 * 1_500 + 100 + 2);
    // Without the entry of the gap, the positions are out of order.
    await trail.query(`update trail.entry set action_id = 1 where rung = 'w'`);
    expect((await verified(trail.url)).findings.byKind).toMatchObject({ order: 1 });
  });

  test('counts the dropped entries of the retention exactly', async () => {
    await withCopy(async (url) => {
      await run(url, `select trail.drop_before(${FIRST_DAY + 1})`);
      // Lists and summaries of the day still exist: housekeeping removes them a moment later.
      const { findings, checked } = await verified(url);
      expect(findings.listed).toEqual([]);
      expect(checked.days).toBe(2);
      await run(url, `select trail.forget_dropped(); update trail.checkpoint set entries = entries - 1`);
      expect((await verified(url)).findings.byKind).toEqual({ counter: 1 });
    });
  });

  test('finds nothing in a trail of an older version that had dropped a day', async () => {
    const recorded = await recordedTrail('trail-0.1');
    await using trail = recorded.trail;
    await trail.query(`select trail.drop_before((select min(day) + 1 from trail.days()))`);
    await migrateTrail({ url: trail.url, log: silentLog });
    const { findings, checked } = await verified(trail.url);
    expect(findings.listed).toEqual([]);
    expect(checked.entries).toBeGreaterThan(0);
  });

  test('finds nothing in a trail that has not begun', async () => {
    await using trail = await freshDatabase('trail');
    const { findings, checked } = await verified(trail.url);
    expect(findings.listed).toEqual([]);
    expect(checked).toMatchObject({ entries: 0, days: 0 });
  });

  test('prints its findings and exits with 1, and names the next step for a trail that was not migrated', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'waltrail-verify-'));
    try {
      await withCopy(async (url) => {
        const file = path.join(folder, 'waltrail.yaml');
        await writeFile(
          file,
          `source: { name: crm, url: "${url}" }\ntrail: { url: "${url}" }\ntables: { public.agents: { entity: agent } }\n`,
        );
        const environment = { WALTRAIL_CONFIG: file };
        const good = await waltrail(['verify', '--quick'], environment);
        expect(good).toMatchObject({ code: 0, errors: '' });
        expect(good.output).toMatch(
          /^Compared 55,152 entries of 3 days with 5 chunks, [\d,]+ rows of posting lists and 2 blocks in \d+\.\d s\.\nEverything agrees\.\n$/,
        );
        // Counted and not by ids, which depend on the day.
        await run(
          url,
          `delete from trail.entry where id in
             (select id from (select id, row_number() over (order by id) as n from trail.entry) e where n % 700 = 0)`,
        );
        const bad = await waltrail(['verify', '--quick'], environment);
        expect(bad.code).toBe(1);
        expect(bad.output).toMatch(/\n\d+ findings:\n {2}Entry \d+ of .* is missing\.\n/);
        expect(bad.output.split('\n').filter((line) => line.startsWith('  '))).toHaveLength(21);
        const asJson = await waltrail(['verify', '--quick', '--json'], environment);
        expect(JSON.parse(asJson.output)).toMatchObject({
          checked: { entries: ENTRIES },
          findings: { byKind: { missing_entry: 78 } },
        });
        expect(await waltrail(['verify'], environment)).toMatchObject({ code: 2 });
        await run(
          url,
          `alter table trail.day drop column dropped_at cascade; delete from trail.migration where name = '0020_verify'`,
        );
        expect(await waltrail(['verify', '--quick'], environment)).toMatchObject({
          code: 1,
          errors: expect.stringContaining('waltrail start'),
        });
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** The words of the entries that {@link store} writes. */
const DICTIONARIES = `
  insert into trail.action values (1, 'edit');
  insert into trail.entity_type values (1, 'agent');
  insert into trail.relation values (1, 'public', 'agents', '[{"name": "id", "type": 20}]')`;

/** A source transaction with this number of entries. */
function store(
  writer: TrailWriter,
  { entries, lsn }: { readonly entries: number; readonly lsn: bigint },
): void {
  const transaction = Buffer.alloc(20);
  transaction.writeBigUInt64BE(lsn);
  for (let seq = 0; seq < entries; seq++) {
    writer.rows.transaction(transaction, 0);
    writer.rows.head({
      seq,
      modifierId: 0,
      relationId: 1,
      tenantId: 0,
      entityTypeId: 1,
      actionId: 1,
      operation: OPERATION_INSERT,
      rung: RUNG_NOBODY,
      moved: false,
    });
    for (let text = 0; text < 6; text++) writer.rows.nullText();
  }
  endTransaction(writer, lsn + 1n);
}
