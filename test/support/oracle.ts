import { expect } from '@jest/globals';
import { readEntries, type PlainEntry } from './capture.ts';
import type { TestDatabase } from './database.ts';
import { expectIndexed } from './trail-index.ts';

/**
 * The judge of fault tests: triggers on the source that record what happened, independent of WAL, slot and
 * all of Waltrail. `n` numbers changes as they happened. If two changes wait for each other (the same row, or
 * a TRUNCATE of its table), the earlier one committed first. So `n` also gives their commit order.
 */
export const ORACLE_SQL = `
  create schema oracle;
  create table oracle.change (
    n bigint generated always as identity primary key, xid bigint not null, operation text not null, table_name text not null,
    previous_key text, updated_key text, previous jsonb, updated jsonb, written_to text not null, weak boolean not null, logged boolean not null, lsn pg_lsn not null default pg_current_wal_insert_lsn());
  create index on oracle.change (xid);
  create table oracle.said (xid bigint not null, modifier text not null);
  create index on oracle.said (xid);
  create function oracle.xid() returns bigint language sql as 'select pg_catalog.pg_current_xact_id()::xid::text::bigint';
  create function oracle.say(modifier text) returns void language sql as $$
    insert into oracle.said values (oracle.xid(), modifier);
    select pg_logical_emit_message(true, 'waltrail', json_build_object('modifier', modifier)::text);
  $$;
  create function oracle.note() returns trigger language plpgsql security definer set search_path = '' as $$
  declare
    previous jsonb := case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end;
    updated  jsonb := case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end;
    -- A row of a partition is published as one of the table at the top.
    root oid := coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid);
    published name := (select relname from pg_catalog.pg_class where oid = root);
    -- Without replica identity full on both, the source does not send previous values.
    weak boolean := exists (select from pg_catalog.pg_class where oid in (tg_relid, root) and relreplident <> 'f');
    logged boolean := (select relpersistence = 'p' from pg_catalog.pg_class where oid = tg_relid);
  begin
    insert into oracle.change (xid, operation, table_name, previous_key, updated_key, previous, updated, written_to, weak, logged)
    values (oracle.xid(), left(lower(tg_op), 1), tg_table_schema || '.' || published, previous ->> tg_argv[0], updated ->> tg_argv[0],
            previous, updated, tg_table_schema || '.' || tg_table_name, weak, logged);
    return null;
  end $$;`;

/** Puts the oracle's triggers on a table with the primary key `key`. */
export const oracleOn = (table: string, key = 'id'): string => `
  create trigger oracle after insert or update or delete on ${table} for each row execute function oracle.note('${key}');
  create trigger oracle_truncate after truncate on ${table} for each statement execute function oracle.note('${key}');`;

export interface Verdict {
  readonly transactions: number;
  readonly changes: number;
  readonly entries: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Entries with a table, operation, values or modifier that differ from what happened. */
  readonly wrong: number;
}

interface Databases {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
}

/** Tables of the migrator, which another judge covers (migrator.ts). */
const MIGRATED = 'public.m\\_%';

/** Expects the verdict that the trail is exact, and enough changes to mean something. */
export async function expectExact(databases: Databases & { readonly atLeast: number }): Promise<Verdict> {
  const verdict = await judge(databases);
  expect(verdict).toMatchObject({
    lost: 0,
    doubled: 0,
    outOfOrder: 0,
    wrong: 0,
    entries: verdict.changes,
  });
  expect(verdict.changes).toBeGreaterThanOrEqual(databases.atLeast);
  // An entry that cannot be found counts as lost.
  await expectIndexed(databases.trail);
  return verdict;
}

const BATCH_ENTRIES = 5_000;

/**
 * Compares the trail with what the oracle recorded. Each transaction's changes must be there once, in order,
 * with values and modifier, and transactions must be in commit order. Works in batches, so that a campaign of
 * hours can be judged. Tables must have only text-like and integer columns, which jsonb prints as the stream
 * does.
 */
export async function judge({ source, trail }: Databases): Promise<Verdict> {
  const counts = { entries: 0, lost: 0, doubled: 0, outOfOrder: 0, wrong: 0 };
  const seen = new Set<string>();
  const order = new CommitOrder();
  let after = -1n;
  let before: PlainEntry | undefined;
  let running: Happened = NOTHING;
  const endTransaction = (): void => {
    counts.lost += running.changes.length;
  };
  for (;;) {
    const batch = await readEntries(trail, { after, limit: BATCH_ENTRIES });
    if (batch.length === 0) break;
    const entries = batch.filter(({ rung, table }) => rung !== 'w' && !table.startsWith('public.m_'));
    const happened = await whatHappened(
      source,
      entries.map(({ xid }) => xid).filter((xid) => !seen.has(xid)),
    );
    for (const entry of entries) {
      counts.entries++;
      if (before !== undefined && !follows(before, entry)) counts.outOfOrder++;
      if (before?.xid !== entry.xid) {
        endTransaction();
        running = seen.has(entry.xid) ? NOTHING : (happened.get(entry.xid) ?? NOTHING);
        seen.add(entry.xid);
      }
      before = entry;
      const change = running.changes.shift();
      if (change === undefined) counts.doubled++;
      else {
        if (!matches(change, entry) || entry.modifierKey !== running.modifier) counts.wrong++;
        if (!order.allows(change)) counts.outOfOrder++;
      }
    }
    after = batch.at(-1)!.id;
  }
  endTransaction();
  const all = await source.query<{ xid: string; n: number }>(
    `select xid::text, count(*)::int as n from oracle.change where ${COUNTS} group by xid`,
  );
  for (const { xid, n } of all) if (!seen.has(xid)) counts.lost += n;
  return { transactions: all.length, changes: all.reduce((sum, { n }) => sum + n, 0), ...counts };
}

/** An update that changes nothing makes no entry. */
const COUNTS = `(operation <> 'u' or previous is distinct from updated) and table_name not like '${MIGRATED}'`;

type Row = Readonly<Record<string, unknown>>;

interface Change {
  readonly n: string;
  readonly operation: string;
  readonly table_name: string;
  readonly previous_key: string | null;
  readonly updated_key: string | null;
  readonly previous: Row | null;
  readonly updated: Row | null;
}

/** The remaining changes of a transaction in order, and the person that its logical message named. */
interface Happened {
  readonly changes: Change[];
  readonly modifier: string | null;
}

const NOTHING: Happened = { changes: [], modifier: null };

async function whatHappened(source: TestDatabase, xids: readonly string[]): Promise<Map<string, Happened>> {
  const wanted = [[...new Set(xids)]];
  const changes = await source.query<Change & { xid: string }>(
    `select xid::text, n::text, operation, table_name, previous_key, updated_key, previous, updated from oracle.change c
      where xid = any ($1::bigint[]) and ${COUNTS} order by c.n`,
    wanted,
  );
  const said = await source.query<{ xid: string; modifier: string }>(
    `select xid::text, modifier from oracle.said where xid = any ($1::bigint[])`,
    wanted,
  );
  const modifiers = new Map(said.map(({ xid, modifier }) => [xid, modifier]));
  const happened = new Map<string, Happened>();
  for (const change of changes) {
    const known = happened.get(change.xid);
    if (known !== undefined) known.changes.push(change);
    else happened.set(change.xid, { changes: [change], modifier: modifiers.get(change.xid) ?? null });
  }
  return happened;
}

/** Whether entries are in order: by commit LSN, and within a transaction by its changes. */
function follows(before: PlainEntry, entry: PlainEntry): boolean {
  const [left, right] = [lsn(before.commitLsn), lsn(entry.commitLsn)];
  return left < right || (left === right && before.seq < entry.seq);
}

const lsn = (text: string): bigint => {
  const [high, low] = text.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

/**
 * Checks the order of changes to one row, and of a table's truncations and row changes. None may come before
 * one that happened earlier.
 */
class CommitOrder {
  readonly #rows = new Map<string, number>();
  /** By table: the last change of any row, and the last truncation. */
  readonly #tables = new Map<string, { last: number; truncated: number }>();

  allows(change: Change): boolean {
    const n = Number(change.n);
    const table = this.#tables.get(change.table_name) ?? { last: 0, truncated: 0 };
    this.#tables.set(change.table_name, table);
    const keys = [change.previous_key, change.updated_key].filter((key) => key !== null);
    const rows = keys.map((key) => `${change.table_name} ${key}`);
    const earliest =
      change.operation === 't'
        ? table.last
        : Math.max(table.truncated, ...rows.map((row) => this.#rows.get(row) ?? 0));
    if (change.operation === 't') table.truncated = n;
    for (const row of rows) this.#rows.set(row, n);
    table.last = Math.max(table.last, n);
    return n > earliest;
  }
}

function matches(change: Change, entry: PlainEntry): boolean {
  const { operation, previous, updated } = change;
  if (entry.operation !== operation || entry.table !== change.table_name || entry.unknown.length > 0)
    return false;
  const changed = (column: string): boolean =>
    operation !== 'u' || text(previous![column]) !== text(updated![column]);
  return agrees(previous, entry.previous, changed) && agrees(updated, entry.updated, changed);
}

function agrees(
  row: Row | null,
  values: PlainEntry['previous'],
  changed: (column: string) => boolean,
): boolean {
  if (row === null || values === null) return row === null && values === null;
  const columns = Object.keys(row).filter(changed);
  return (
    columns.length === Object.keys(values).length &&
    columns.every((column) => values[column] === text(row[column]))
  );
}

const text = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);
