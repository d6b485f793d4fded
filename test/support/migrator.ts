import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { parseLsn } from '../../src/pg/lsn.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { applyTracking, readEntries, type PlainEntry } from './capture.ts';
import type { TestDatabase } from './database.ts';
import { generator } from './random.ts';
import { oracleOn } from './oracle.ts';

/** Key under `tables` of the YAML that covers what the migrator creates, alters and drops. */
export const MIGRATOR_YAML = `
  "public.m_*": { entity: migrated, name: "{v}" }`;

/** A first table, because a pattern has to match one, and a table for the WAL position after each commit. */
export const MIGRATOR_SQL = `
  create table m_0 (id int primary key, v text); ${oracleOn('m_0')}
  create table oracle.committed (lsn pg_lsn not null default pg_current_wal_insert_lsn());
  -- Rows that were there before the oracle's trigger.
  create function oracle.made(made regclass) returns void language plpgsql as $$
  begin
    execute pg_catalog.format(
      'insert into oracle.change (xid, operation, table_name, updated_key, updated, written_to, weak, logged)
       select oracle.xid(), ''i'', %1$L, made.id::text, pg_catalog.to_jsonb(made), %1$L, false, true from %1$s made order by made.ctid',
      'public.' || made::text);
  end $$;`;

export interface Migrator {
  /** How often each thing was done. */
  readonly counts: ReadonlyMap<string, number>;
  /** Writes that the source refused because of their table's replica identity. */
  readonly refused: readonly string[];
  stop(): Promise<void>;
}

interface MigratedTable {
  readonly name: string;
  readonly oid: string;
  readonly kind: 'r' | 'p';
  readonly persistence: 'p' | 'u';
  readonly parent: string | null;
  readonly columns: readonly string[];
}

const MAX_TABLES = 8;
const RECONNECT_MS = 100;
/** object_not_in_prerequisite_state: the table's replica identity does not allow it. */
const REFUSED = '55000';

type Random = (below: number) => number;

/**
 * Changes tables under a pattern of the YAML, and writes to them, one step after the other in random order,
 * until it is stopped. It creates, alters, renames, attaches, detaches, publishes and drops them.
 */
export function startMigrator(options: {
  readonly url: string;
  /** The configuration that a DBA applies now and then. */
  readonly config: TrackingConfig;
  readonly seed: number;
  readonly pauseMs: number;
  /** The trail. Its gaps show which tables have been noticed. */
  readonly trail: TestDatabase;
  /**
   * Whether new tables are captured from their first row. Then no table has to be noticed or applied. Tables
   * are created with rows and swapped, and no step weakens an identity or makes a table unlogged.
   */
  readonly followed?: boolean;
}): Migrator {
  let running = true;
  const isRunning = (): boolean => running;
  const random = generator(options.seed);
  const counts = new Map<string, number>();
  const refused: string[] = [];
  const steps = async (client: pg.Client): Promise<void> => {
    while (isRunning()) {
      const step = await nextStep({ ...options, client, random });
      try {
        if (step.is === 'apply') await applyTracking(options.config);
        else await client.query(step.sql);
        counts.set(step.is, (counts.get(step.is) ?? 0) + 1);
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string };
        if (code.startsWith('57') || code.startsWith('08') || code.startsWith('E') || code === '')
          throw error;
        if (step.is === 'write' && code === REFUSED) refused.push(message);
        await client.query('rollback');
      }
      await client.query('insert into oracle.committed default values');
      await delay(options.pauseMs);
    }
  };
  const finished = (async () => {
    while (isRunning()) {
      const client = new pg.Client(options.url);
      client.on('error', () => undefined);
      try {
        await client.connect();
        await steps(client);
      } catch (error) {
        // Servers are shut down, which is expected. Any other error is a mistake of this code.
        if (error instanceof TypeError) throw error;
        await delay(RECONNECT_MS);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  })();
  return {
    counts,
    refused,
    stop: async () => {
      running = false;
      await finished;
    },
  };
}

async function nextStep(options: {
  readonly client: pg.Client;
  readonly random: Random;
  readonly trail: TestDatabase;
  readonly followed?: boolean;
}): Promise<{ is: string; sql: string }> {
  const { client, random, trail, followed = false } = options;
  const { rows: tables } = await client.query<MigratedTable>(`
    select c.relname as name, c.relkind as kind, c.relpersistence as persistence,
           c.oid::text as oid,
           (select p.relname from pg_inherits i join pg_class p on p.oid = i.inhparent where i.inhrelid = c.oid) as parent,
           array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped order by attnum) as columns
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname like 'm\\_%' and c.relkind in ('r', 'p')
     order by c.relname`);
  const pick = <T>(from: readonly T[]): T | undefined => from[random(from.length)];
  const roots = tables.filter(({ parent }) => parent === null);
  const alone = roots.filter(({ kind }) => kind === 'r');
  const fresh = `m_${random(1_000_000)}`;
  const one = pick(roots);
  const plain = pick(alone);
  const roll = random(40);
  if (followed && FOLLOWED.has(roll))
    return followedStep(
      roll,
      { fresh, plain, other: pick(alone), root: pick(roots.filter(({ kind }) => kind === 'p')) },
      random,
    );
  // A table that is created and dropped between two looks leaves no trace. So a table may be dropped only
  // after it was noticed.
  const going = roll === SET_LOGGED ? plain : GOES.has(roll) ? one : undefined;
  if (!followed && going !== undefined && !(await isNoticed(trail, going)))
    return { is: 'write', sql: write(going, random) };
  if (one === undefined || (roll === 0 && tables.length < MAX_TABLES)) return create(fresh, random);
  switch (roll) {
    case 1:
      return { is: 'rename', sql: `alter table ${one.name} rename to ${fresh}` };
    case 2:
      return { is: 'drop', sql: `drop table ${one.name}` };
    case 3:
      return {
        is: 'add column',
        sql: `alter table ${one.name} add column c${random(1000)} text default 'd'`,
      };
    case 4: {
      const dropped = one.columns.find((column) => column.startsWith('c'));
      return { is: 'drop column', sql: `alter table ${one.name} drop column if exists ${dropped ?? 'none'}` };
    }
    case 5: {
      const partition = pick(tables.filter(({ parent }) => parent !== null));
      if (partition === undefined) return create(fresh, random);
      // Its trigger belonged to its parent.
      return {
        is: 'detach',
        sql: `alter table ${partition.parent!} detach partition ${partition.name}; ${oracleRows(partition.name)}`,
      };
    }
    case 6: {
      const root = pick(roots.filter(({ kind }) => kind === 'p'));
      if (root === undefined) return create(fresh, random);
      const from = 1_000_000 + random(1_000_000) * 10;
      return {
        is: 'new partition',
        sql: `create table ${fresh} partition of ${root.name} for values from (${from}) to (${from + 10})`,
      };
    }
    case SET_LOGGED:
      return plain === undefined
        ? create(fresh, random)
        : {
            is: 'set logged',
            sql: `alter table ${plain.name} set ${plain.persistence === 'p' ? 'unlogged' : 'logged'}`,
          };
    case 8:
      return {
        is: 'identity',
        sql: `alter table ${one.name} replica identity ${random(2) === 0 ? 'default' : 'full'}`,
      };
    case 9:
    case 10:
      return { is: 'apply', sql: '' };
    case 11:
      return {
        is: 'recreate',
        sql: `begin; drop table ${one.name}; ${create(one.name, random).sql}; commit`,
      };
    default:
      return { is: 'write', sql: write(one, random) };
  }
}

/** Indexes in {@link nextStep} of rename, drop, and drop with recreation. */
const GOES: ReadonlySet<number> = new Set([1, 2, 11]);
/**
 * Index in {@link nextStep} of the step to unlogged. Unlogged changes are not in the WAL, and a pattern does
 * not track them.
 */
const SET_LOGGED = 7;

/**
 * Indexes in {@link nextStep} that `followed` replaces: unlogged, weak identity, two ways to apply, and one
 * more.
 */
const FOLLOWED: ReadonlySet<number> = new Set([SET_LOGGED, 8, 9, 10, 12]);

interface FollowedStep {
  readonly fresh: string;
  readonly plain: MigratedTable | undefined;
  readonly other: MigratedTable | undefined;
  readonly root: MigratedTable | undefined;
}

function followedStep(
  roll: number,
  { fresh, plain, other, root }: FollowedStep,
  random: Random,
): { is: string; sql: string } {
  switch (roll) {
    case 8:
      if (plain === undefined || other === undefined || plain.name === other.name) break;
      return {
        is: 'swap',
        sql: `begin; alter table ${plain.name} rename to ${fresh}; alter table ${other.name} rename to ${plain.name};
              alter table ${fresh} rename to ${other.name}; commit`,
      };
    case 9:
      if (plain === undefined) break;
      return {
        is: 'alter type',
        sql: `alter table ${plain.name} alter column v type ${random(2) === 0 ? 'varchar(60)' : 'text'}`,
      };
    case 10: {
      if (root === undefined) break;
      const from = 3_000_000 + random(1_000_000) * 10;
      const id = from + random(10);
      return {
        is: 'attach',
        sql: `begin; create table ${fresh} (like ${root.name} including all); ${oracleRows(fresh)}
              insert into ${fresh} (id, v) values (${id}, 'alone'); commit;
              begin; drop trigger oracle on ${fresh};
              alter table ${root.name} attach partition ${fresh} for values from (${from}) to (${from + 10}); commit;
              update ${root.name} set v = 'attached' where id = ${id}`,
      };
    }
  }
  return {
    is: 'as select',
    sql: `begin; create table ${fresh} as select id, 'made ' || id as v from generate_series(1, ${1 + random(20)}) id;
          select oracle.made('${fresh}'); alter table ${fresh} add primary key (id); ${oracleRows(fresh)} commit`,
  };
}

async function isNoticed(trail: TestDatabase, { oid, name }: MigratedTable): Promise<boolean> {
  const [row] = await trail.query<{ noticed: boolean }>(
    `select exists (select from trail.gap where closed_at is null and $1 = any (tables) and code = 'SOURCE_PUBLICATION_INCOMPLETE')
         or exists (select from trail.published where state -> 'tables' -> $2 ->> 'table' = $3) as noticed`,
    [`public.${name}`, oid, name],
  );
  return row!.noticed;
}

function create(name: string, random: Random): { is: string; sql: string } {
  const on = oracleRows(name);
  if (random(3) > 0) return { is: 'create', sql: `create table ${name} (id int primary key, v text); ${on}` };
  return {
    is: 'create partitioned',
    sql: `create table ${name} (id int primary key, v text) partition by range (id);
          create table ${name}_a partition of ${name} for values from (0) to (1000);
          create table ${name}_b partition of ${name} default; ${on}`,
  };
}

/** The row trigger only: truncating a partitioned table truncates its partitions. */
const oracleRows = (table: string): string => oracleOn(table).split('\n')[1]!;

function write({ name, columns }: MigratedTable, random: Random): string {
  const id = random(30) + (random(8) === 0 ? 1_000_000 : 0);
  const list = columns.filter((column) => column !== 'id');
  const value = (): string => `'value ${random(1_000_000)}'`;
  switch (random(5)) {
    case 0:
      return `delete from ${name} where id = ${id}`;
    case 1:
    case 2:
      return `update ${name} set ${list[random(list.length)]!} = ${value()} where id = ${id}`;
    default:
      return `insert into ${name} (id, ${list.join(', ')}) values (${id}, ${list.map(value).join(', ')})
              on conflict (id) do update set v = ${value()}`;
  }
}

export interface MigratedVerdict {
  readonly changes: number;
  /** Changes that are stored exactly, or are in a gap because of their table's replica identity. */
  readonly stored: number;
  /**
   * Changes made between two looks while the replica identity was weak. Their entries state which values are
   * unknown, and are right otherwise.
   */
  readonly unknown: number;
  /** Changes that are not stored, but that a gap of their table covers. */
  readonly inGaps: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  /** The first changes that are lost, wrong or doubled, to find out why. */
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 10;

interface MigratedChange {
  readonly xid: string;
  readonly operation: string;
  readonly table_name: string;
  /** The table itself, or one of its partitions. */
  readonly written_to: string;
  /** Whether the replica identity was not full. */
  readonly weak: boolean;
  readonly previous: Readonly<Record<string, unknown>> | null;
  readonly updated: Readonly<Record<string, unknown>> | null;
  readonly lsn: string;
  /** The WAL position after its commit, or after a later one. */
  readonly committed: string | null;
}

interface MigratedGap {
  readonly code: string;
  readonly tables: readonly string[] | null;
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * Judges the tables of the migrator. Each change of a logged table must be stored exactly, in the order of
 * its transaction, or be covered by a gap of its table.
 */
export async function judgeMigrated(databases: {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
}): Promise<MigratedVerdict> {
  const { source, trail } = databases;
  const changes = await source.query<MigratedChange>(`
    select xid::text, operation, table_name, written_to, weak, previous, updated, lsn::text,
           (select min(c.lsn)::text from oracle.committed c where c.lsn > o.lsn) as committed
      from oracle.change o
     where table_name like 'public.m\\_%' and logged and (operation <> 'u' or previous is distinct from updated) order by n`);
  const gaps = (
    await trail.query<{ code: string; tables: string[] | null; from_lsn: string; to_lsn: string | null }>(
      'select code, tables, from_lsn::text, to_lsn::text from trail.gap',
    )
  ).map(({ code, tables, from_lsn, to_lsn }) => ({
    code,
    tables,
    from: parseLsn(from_lsn),
    to: to_lsn === null ? 1n << 64n : parseLsn(to_lsn),
  }));
  const entries = new Map<string, PlainEntry[]>();
  for (const entry of await readEntries(trail)) {
    if (entry.rung === 'w' || !entry.table.startsWith('public.m_')) continue;
    const ofTransaction = entries.get(entry.xid);
    if (ofTransaction === undefined) entries.set(entry.xid, [entry]);
    else ofTransaction.push(entry);
  }
  const verdict = {
    changes: changes.length,
    stored: 0,
    unknown: 0,
    inGaps: 0,
    lost: 0,
    doubled: 0,
    wrong: 0,
  };
  const examples: string[] = [];
  const fault = (is: 'lost' | 'wrong' | 'doubled', what: unknown): void => {
    verdict[is]++;
    if (examples.length < MAX_EXAMPLES)
      examples.push(
        `${is}: ${JSON.stringify(what, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`,
      );
  };
  for (const change of changes) {
    const waiting = entries.get(change.xid);
    const entry = waiting?.[0];
    if (entry !== undefined && isOf(entry, change)) {
      waiting!.shift();
      if (agrees(entry, change) || isIn(gaps, change, 'SOURCE_REPLICA_IDENTITY')) verdict.stored++;
      else if (saysUnknown(entry, change)) verdict.unknown++;
      else fault('wrong', { change, entry });
    } else if (isIn(gaps, change, 'SOURCE_PUBLICATION_INCOMPLETE')) verdict.inGaps++;
    else
      fault('lost', {
        change,
        entries: waiting?.map(({ table, operation }) => [table, operation]),
        gaps: gaps.filter(({ tables }) => tables?.includes(change.table_name)),
      });
  }
  for (const left of entries.values()) for (const entry of left) fault('doubled', entry);
  return { ...verdict, examples };
}

/**
 * Whether an entry is of the change's table. PostgreSQL may still send the old name of a renamed partitioned
 * table, until one of its partitions is altered.
 */
const isOf = (entry: PlainEntry, change: MigratedChange): boolean =>
  entry.operation === change.operation &&
  (entry.table === change.table_name || change.written_to !== change.table_name);

/**
 * Whether the entry marks every previous value that it lacks as unknown, because the source could not send
 * it.
 */
function saysUnknown(entry: PlainEntry, { weak, operation, previous, updated }: MigratedChange): boolean {
  const known = (row: MigratedChange['previous'], values: PlainEntry['previous']): boolean =>
    Object.entries(values ?? {}).every(([column, value]) => value === printed(row?.[column]));
  // The source states that columns of the replica identity did not change, so they have to be equal.
  const isSame = (column: string): boolean =>
    operation === 'u' && printed(previous?.[column]) === printed(updated?.[column]);
  return (
    weak &&
    entry.unknown.length > 0 &&
    known(previous, entry.previous) &&
    known(updated, entry.updated) &&
    Object.keys(updated ?? {}).every((column) => entry.updated?.[column] !== undefined || isSame(column)) &&
    Object.keys(previous ?? {}).every(
      (column) => entry.previous?.[column] !== undefined || entry.unknown.includes(column) || isSame(column),
    )
  );
}

/** Each side holds what was changed, and nothing is unknown. */
function agrees(entry: PlainEntry, { operation, previous, updated }: MigratedChange): boolean {
  const side = (row: MigratedChange['previous'], values: PlainEntry['previous']): boolean => {
    if (row === null || values === null) return row === null && values === null;
    const columns = Object.keys(row).filter(
      (column) => operation !== 'u' || previous![column] !== updated![column],
    );
    return (
      columns.every((column) => entry.unknown.length === 0 && values[column] === printed(row[column])) &&
      Object.keys(values).length === columns.length
    );
  };
  return side(previous, entry.previous) && side(updated, entry.updated);
}

const printed = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);

/** Whether a gap of the change's table overlaps the stretch in which its commit lies. */
function isIn(gaps: readonly MigratedGap[], change: MigratedChange, code: string): boolean {
  const first = parseLsn(change.lsn);
  const last = change.committed === null ? 1n << 64n : parseLsn(change.committed);
  return gaps.some(
    (gap) =>
      gap.code === code &&
      (gap.tables === null ||
        gap.tables.includes(change.table_name) ||
        gap.tables.includes(change.written_to)) &&
      gap.from <= last &&
      gap.to > first,
  );
}
