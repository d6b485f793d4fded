import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import type { Lsn } from '../pg/lsn.js';
import { isBytesText } from '../pg/text.js';
import { runningTransactions } from '../pg/running.js';
import { serverVersion } from '../pg/server-version.js';
import { LOCK_NOT_AVAILABLE, sqlStateOf } from '../pg/sql-state.js';
import { currentPosition } from '../pg/wal.js';
import type { ColumnName, TableName } from './names.js';
import { digestSql, fateSql, stateSql, UNWRITTEN } from './published-sql.js';
import type { TableContents } from './rewrites.js';

/**
 * A look at what decides which changes the stream carries. The difference from the last look reveals what the
 * stream does not carry: a table was unpublished for a while, or the publication was recreated.
 */
export interface PublishedState {
  /** OID of the publication; a recreated one has another. Null: there is none. */
  readonly publication: string | null;
  /** Options of the publication. */
  readonly options: string | null;
  /** The transaction that last changed the publication in any way; absent in older looks. */
  readonly version?: string | null;
  /** Owner of the publication; absent in older looks. */
  readonly owner?: string | null;
  /**
   * Versions of the event triggers that report commands, and of their function. Null or absent: not all of
   * them exist and are enabled.
   */
  readonly reports?: string | null;
  /** Published tables by oid: those of its list, and those of its schemas that the YAML wants. */
  readonly tables: Readonly<Record<string, PublishedTableState>>;
  /** The membership of each schema that it holds completely; absent in older looks. */
  readonly schemas?: readonly string[];
  /** Oids of tables that the YAML wants and that somebody removed from the publication; absent: none. */
  readonly takenOut?: readonly string[];
  /**
   * `schema.table` of the tables for which the source refuses updates and deletes; absent if not examined.
   */
  readonly refusing?: readonly string[];
}

export interface PublishedTableState extends TableContents {
  readonly schema: string;
  readonly table: string;
  /** Its membership in the publication, with row filter and column list; absent: it has none. */
  readonly membership?: string;
  /** The membership of its schema; absent if the publication does not hold the schema completely. */
  readonly schemaMembership?: string;
  /** As pg_class.relreplident: `f` for full. */
  readonly identity: string;
  /**
   * If the table was renamed and the YAML does not know the new name: the name under which it is still
   * captured.
   */
  readonly knownAs?: TableName;
  /**
   * Columns that the YAML or the defaults name, by attribute number, with their names at that time. A column
   * stays the same under every name (DECISIONS 62).
   */
  readonly named?: Readonly<Record<string, ColumnName>>;
  /**
   * Columns of these that now have a name that the YAML does not know: from the known name to the present
   * one.
   */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** A look: the state, and the WAL position before it was read. */
export interface PublishedAtLsn {
  readonly state: PublishedState;
  readonly lsn: Lsn;
}

/** A short look that only reveals whether something has changed. */
export interface CatalogDigest {
  /** The WAL position before the rest was read. */
  readonly lsn: Lsn;
  /** The time by the source's clock at that moment: RFC 3339, UTC. */
  readonly seenAt: string;
  /** Transactions that were running then. */
  readonly running: readonly string[];
  /**
   * Differs from an earlier digest if something in the catalog has changed that may decide what the stream
   * carries.
   */
  readonly digest: string;
}

/**
 * Reads a digest with three small statements, which are cheap enough for every other second. Their order
 * matters: position, running transactions, digest. A change of the catalog may have committed before the
 * position and still be missing in the digest. Then one of those transactions made it: a commit is in the WAL
 * before others can see it. With synchronous replication this takes as long as the standby does.
 */
export async function readCatalogDigest(client: pg.Client): Promise<CatalogDigest> {
  const position = await currentPosition(client);
  const running = await runningTransactions(client);
  const { rows } = await client.query<{ digest: string }>(digestSql(await serverVersion(client)));
  return { lsn: position.lsn, seenAt: position.at, running, digest: rows[0]!.digest };
}

/** Reads the state, after a changed digest for example. */
export async function readPublished(client: pg.Client, publication: string): Promise<PublishedState> {
  const version = await serverVersion(client);
  const rows = await catalogRows<{ state: PublishedState }>(client, stateSql(publication, version));
  return rows[0]!.state;
}

/**
 * Reads the state, and what became of the tables of an earlier look, in one snapshot. With two snapshots, a
 * table that is detached between them would be a partition in one and not in the other.
 */
export async function readPublishedAndFate(
  client: pg.Client,
  { publication, last }: { readonly publication: string; readonly last: PublishedState['tables'] },
): Promise<{ readonly state: PublishedState; readonly fate: TableFate }> {
  await client.query('begin transaction isolation level repeatable read, read only');
  try {
    const state = await readPublished(client, publication);
    const fate = await fateOfTables(client, { tables: last, publication });
    return { state, fate: { ...fate, unwritten: await unwrittenTables(client, { state, last }) } };
  } finally {
    await client.query('rollback').catch(() => undefined);
  }
}

/** Reads the digest, then the state, which may be later than the digest. */
export async function readPublishedAtLsn(
  client: pg.Client,
  publication: string,
): Promise<PublishedAtLsn & CatalogDigest> {
  const read = await readCatalogDigest(client);
  return { ...read, state: await readPublished(client, publication) };
}

/** Returns the name by which the YAML knows a published table: the earlier one if it was renamed. */
export const knownName = ({ schema, table, knownAs }: PublishedTableState): TableName =>
  knownAs ?? { schema, table };

/** Returns the columns of a published table that the YAML or the defaults name, by attribute number. */
export const namedColumns = (state: PublishedTableState | undefined): ReadonlyMap<number, ColumnName> =>
  new Map(Object.entries(state?.named ?? {}).map(([number, column]) => [Number(number), column]));

const asked = (name: string): string | null => (isBytesText(name) ? null : name);

/** What became of the tables of an earlier look, by oid. */
export interface TableFate {
  /** Tables that no longer exist. */
  readonly gone: ReadonlySet<string>;
  /**
   * Tables with a name that another table has now, with that table's oid. The two were swapped, or the first
   * was dropped and the other created.
   */
  readonly replaced: ReadonlyMap<string, string>;
  /** Partitions of a published table. Their changes are sent as changes of that table. */
  readonly covered: ReadonlySet<string>;
  /**
   * Tables that the earlier look lacks, that one transaction created and published, and that are still empty.
   * So nothing was written to them before they were published.
   */
  readonly unwritten: ReadonlySet<string>;
}

/** Reads what became of the tables of an earlier look. */
async function fateOfTables(
  client: pg.Client,
  options: { readonly tables: PublishedState['tables']; readonly publication: string },
): Promise<Omit<TableFate, 'unwritten'>> {
  const known = Object.entries(options.tables);
  // A name that is not valid text cannot be asked for, and so no other table can be found under it.
  const names = known.map(([, state]) => [knownName(state).schema, knownName(state).table].map(asked));
  const { rows } = await client.query<{
    oid: string;
    gone: boolean;
    replaced_by: string | null;
    covered: boolean;
  }>(fateSql(await serverVersion(client)), [
    known.map(([oid]) => oid),
    names.map(([schema]) => schema),
    names.map(([, table]) => table),
    options.publication,
  ]);
  const oids = (of: 'gone' | 'covered') => new Set(rows.filter((row) => row[of]).map(({ oid }) => oid));
  const replaced = rows.flatMap(({ oid, replaced_by: by }): [string, string][] =>
    by === null ? [] : [[oid, by]],
  );
  return { gone: oids('gone'), replaced: new Map(replaced), covered: oids('covered') };
}

/** The longest wait for a locked table. After it, the table counts as written to. */
const SIZE_LOCK_TIMEOUT_MS = 200;

/**
 * Finds new tables of a state with empty files. If a table was published in the transaction that created it
 * and is still empty, no row was missed. This is the last statement of its transaction, because it fails if a
 * table is locked.
 */
async function unwrittenTables(
  client: pg.Client,
  { state, last }: { readonly state: PublishedState; readonly last: PublishedState['tables'] },
): Promise<ReadonlySet<string>> {
  const files = Object.entries(state.tables).flatMap(([oid, { heaps }]) =>
    last[oid] === undefined ? Object.keys(heaps ?? {}).map((heap) => [oid, heap] as const) : [],
  );
  if (files.length === 0 || state.publication === null) return new Set();
  try {
    await client.query(`set local lock_timeout = ${SIZE_LOCK_TIMEOUT_MS}`);
    const { rows } = await client.query<{ oid: string }>(UNWRITTEN, [
      files.map(([oid]) => oid),
      files.map(([, heap]) => heap),
      state.publication,
    ]);
    return new Set(rows.map(({ oid }) => oid));
  } catch (error) {
    if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
    return new Set();
  }
}
