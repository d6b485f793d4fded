import type { PlainEntry } from './capture.ts';
import type { TestDatabase } from './database.ts';

/**
 * The judge of fault tests: per-row triggers on the source that write down what happened, independent of WAL, slot and
 * everything of Waltrail. Rows of one transaction are numbered in the order in which they happened.
 */
export const ORACLE_SQL = `
  create schema oracle;
  create table oracle.change (
    n bigint generated always as identity primary key, xid xid not null, operation text not null, table_name text not null,
    previous jsonb, updated jsonb);
  create function oracle.note() returns trigger language plpgsql security definer set search_path = '' as $$
  begin
    insert into oracle.change (xid, operation, table_name, previous, updated)
    values (pg_current_xact_id()::xid, left(lower(tg_op), 1), tg_table_schema || '.' || tg_table_name,
            case when tg_op <> 'INSERT' then to_jsonb(old) end, case when tg_op <> 'DELETE' then to_jsonb(new) end);
    return null;
  end $$;`;

export const oracleOn = (table: string): string =>
  `create trigger oracle after insert or update or delete on ${table} for each row execute function oracle.note();`;

export interface Verdict {
  readonly changes: number;
  readonly entries: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  readonly wrong: number;
}

/**
 * Compares entries with what the oracle saw: every transaction's changes in order with their values, none more than once,
 * transactions in commit order. Tables must have only text-like and integer columns, so that jsonb prints values alike.
 */
export async function judge(source: TestDatabase, entries: readonly PlainEntry[]): Promise<Verdict> {
  const changes = await source.query<{
    xid: string;
    operation: string;
    table_name: string;
    previous: Row | null;
    updated: Row | null;
  }>(
    `select xid::text, operation, table_name, previous, updated from oracle.change
      where operation <> 'u' or previous is distinct from updated order by n`,
  );
  const expected = groupBy(changes, ({ xid }) => xid);
  const stored = groupBy(entries, ({ xid }) => xid);
  let lost = 0;
  let doubled = 0;
  let wrong = 0;
  for (const [xid, happened] of expected) {
    const kept = stored.get(xid) ?? [];
    lost += Math.max(0, happened.length - kept.length);
    doubled += Math.max(0, kept.length - happened.length);
    happened.forEach((change, index) => {
      const entry = kept[index];
      if (entry !== undefined && !matches(change, entry)) wrong++;
    });
  }
  for (const [xid, kept] of stored) if (!expected.has(xid)) doubled += kept.length;
  return {
    changes: changes.length,
    entries: entries.length,
    lost,
    doubled,
    wrong,
    outOfOrder: countOutOfOrder(entries),
  };
}

type Row = Readonly<Record<string, unknown>>;

function matches(
  change: { operation: string; table_name: string; previous: Row | null; updated: Row | null },
  entry: PlainEntry,
): boolean {
  const { operation, previous, updated } = change;
  if (entry.operation !== operation || entry.table !== change.table_name) return false;
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

function countOutOfOrder(entries: readonly PlainEntry[]): number {
  let count = 0;
  for (let index = 1; index < entries.length; index++) {
    const [before, after] = [entries[index - 1]!, entries[index]!];
    const order = compare(lsn(before.commitLsn), lsn(after.commitLsn)) || before.seq - after.seq;
    if (order >= 0 || after.id <= before.id) count++;
  }
  return count;
}

const lsn = (text: string): bigint => {
  const [high, low] = text.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

const compare = (left: bigint, right: bigint): number => (left < right ? -1 : left > right ? 1 : 0);

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
