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
 * What decides which changes the stream carries, as one look at the source found it. Compared with the last
 * look, it tells what the stream does not: that a table was unpublished for a while, or the publication made
 * anew.
 */
export interface PublishedState {
  /** Identity of the publication: made anew it is another. Null: there is none. */
  readonly publication: string | null;
  /** Its options. */
  readonly options: string | null;
  /** The transaction that changed the publication last, whatever it changed; absent in older looks. */
  readonly version?: string | null;
  /** Its owner; absent in older looks. */
  readonly owner?: string | null;
  /**
   * The versions of the event triggers that report commands, and of their function; null or absent: they are
   * not all there and enabled.
   */
  readonly reports?: string | null;
  /** Its tables by oid: those of its list, and those of its schemas that the YAML wants. */
  readonly tables: Readonly<Record<string, PublishedTableState>>;
  /** Identity of the membership of each schema that it holds whole; absent in older looks. */
  readonly schemas?: readonly string[];
  /** Tables by oid that the YAML wants and that somebody took out of the publication; absent: none. */
  readonly takenOut?: readonly string[];
  /**
   * `schema.table` of those whose updates and deletes the source refuses; absent where that was not looked
   * at.
   */
  readonly refusing?: readonly string[];
}

export interface PublishedTableState extends TableContents {
  readonly schema: string;
  readonly table: string;
  /** Identity of its membership in the publication, with row filter and column list; absent: it has none. */
  readonly membership?: string;
  /** Identity of the membership of its schema; absent where that is not held whole. */
  readonly schemaMembership?: string;
  /** As pg_class.relreplident: `f` for full. */
  readonly identity: string;
  /**
   * Where it was renamed and the YAML does not know its new name: the one under which it is still captured.
   */
  readonly knownAs?: TableName;
  /**
   * By attribute number: columns that the YAML or the defaults name, as they were called then. A column stays
   * the same under every name (DECISIONS 62).
   */
  readonly named?: Readonly<Record<string, ColumnName>>;
  /**
   * Those of them that have another name now which the YAML does not know: the name it knows, and today's.
   */
  readonly renamed?: Readonly<Record<string, string>>;
}

/** A look: the state, and the position of the WAL before it. */
export interface PublishedAtLsn {
  readonly state: PublishedState;
  readonly lsn: Lsn;
}

/** A look that asks only whether anything has changed. */
export interface CatalogDigest {
  /** Position of the WAL before the rest was read. */
  readonly lsn: Lsn;
  /** When that was, by the clock of the source: RFC 3339, UTC. */
  readonly seenAt: string;
  /** Transactions that ran then. */
  readonly running: readonly string[];
  /**
   * Differs from that of an earlier digest where anything in the catalog has changed that may decide what the
   * stream carries.
   */
  readonly digest: string;
}

/**
 * Three small statements, cheap enough to be asked every other second, in this order: position, transactions
 * that run, digest. A change of the catalog whose commit lies before the position and which the digest does
 * not show was made by one of those transactions: its commit is in the WAL before anybody can see it, with
 * synchronous replication for as long as the standby takes.
 */
export async function readCatalogDigest(client: pg.Client): Promise<CatalogDigest> {
  const position = await currentPosition(client);
  const running = await runningTransactions(client);
  const { rows } = await client.query<{ digest: string }>(digestSql(await serverVersion(client)));
  return { lsn: position.lsn, seenAt: position.at, running, digest: rows[0]!.digest };
}

/** What the digest of a later digest may have changed. */
export async function readPublished(client: pg.Client, publication: string): Promise<PublishedState> {
  const version = await serverVersion(client);
  const rows = await catalogRows<{ state: PublishedState }>(client, stateSql(publication, version));
  return rows[0]!.state;
}

/**
 * The state, and what became of the tables of an earlier look, as of one moment: of a table that is detached
 * between two readings, one says that it is a partition and the other that it is none.
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

/** The digest and the state behind it, which is that of the digest or a later one. */
export async function readPublishedAtLsn(
  client: pg.Client,
  publication: string,
): Promise<PublishedAtLsn & CatalogDigest> {
  const read = await readCatalogDigest(client);
  return { ...read, state: await readPublished(client, publication) };
}

/** The name by which the YAML knows a published table: an earlier one, where it was renamed since. */
export const knownName = ({ schema, table, knownAs }: PublishedTableState): TableName =>
  knownAs ?? { schema, table };

/** The columns of a published table that the YAML or the defaults name, by attribute number. */
export const namedColumns = (state: PublishedTableState | undefined): ReadonlyMap<number, ColumnName> =>
  new Map(Object.entries(state?.named ?? {}).map(([number, column]) => [Number(number), column]));

const asked = (name: string): string | null => (isBytesText(name) ? null : name);

/** What became of the tables of an earlier look, by oid. */
export interface TableFate {
  /** They exist no more. */
  readonly gone: ReadonlySet<string>;
  /** Another table has the name now, with its oid: the two were swapped, or it was dropped and made anew. */
  readonly replaced: ReadonlyMap<string, string>;
  /** They are partitions of a table that is published, so their changes are sent as its changes. */
  readonly covered: ReadonlySet<string>;
  /**
   * Tables that the earlier look did not have: one transaction has made and published them, and nothing has
   * ever been written to them. So nothing of them was written before they were published.
   */
  readonly unwritten: ReadonlySet<string>;
}

/** Asks the catalog about the tables of an earlier look. */
async function fateOfTables(
  client: pg.Client,
  options: { readonly tables: PublishedState['tables']; readonly publication: string },
): Promise<Omit<TableFate, 'unwritten'>> {
  const known = Object.entries(options.tables);
  // Of bytes that are no text there is no name to ask for, and so none that another table could have taken.
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

/** Longest wait for a table that somebody holds; it is then taken for one that was written. */
const SIZE_LOCK_TIMEOUT_MS = 200;

/**
 * Asks for the files of tables that are new in a state. A file that is empty after its table was published in
 * the transaction that made it has never held a row that was not sent. The last statement of its transaction:
 * where a table is locked, it fails.
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
