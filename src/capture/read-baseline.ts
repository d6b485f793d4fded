import type pg from 'pg';
import { catalogRows } from '../pg/catalog-rows.js';
import { close, connect, destroy } from '../pg/connect.js';
import { copyOut } from '../pg/copy-out.js';
import { readDecoder, type Decoder } from '../pg/encoding.js';
import { sqlStateOf } from '../pg/sql-state.js';
import type { Relation } from '../pgoutput/reader.js';
import { LENGTH_UNCHANGED, Tuple } from '../pgoutput/tuple.js';
import { NO_FACTS, type TableFacts } from '../pipeline/table-facts.js';
import { PRINT_AS_STREAM } from '../source/connection-settings.js';
import { recodeTuple } from '../source/recode.js';
import type { BaselineTable } from '../tracking/baseline.js';
import type { Catalog } from '../tracking/catalog.js';
import { namedColumns, type PublishedState } from '../tracking/published.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { readTableShapes } from '../tracking/table-shape.js';
import type { BaselineOutcome } from '../trail/write/baselines.js';
import { copiedRow } from './copied-row.js';
import { namesRelations, refusalOf, type NamesRelation, type Unread } from './names-tables.js';

/** Largest size in memory of the rows of all tables that are read together. */
export const MOST_BASELINE_BYTES = 32 * 1024 * 1024;
/** Approximate memory that a row takes in addition to its bytes. */
const ROW_BYTES = 128;
/** Longest wait for a lock on a table. It is short, because the stream is held back during it. */
const LOCK_LIMIT_MS = 500;
/**
 * Time limit for reading one table. A table that is mostly dead rows may take long although few rows are in
 * it.
 */
const STATEMENT_LIMIT_MS = 3_000;
/** Time after which no further table is begun. The others are read in another snapshot. */
const READING_MS = 2_000;

export interface ReadBaselineOptions {
  readonly config: TrackingConfig;
  readonly tables: readonly BaselineTable[];
  readonly catalog: Catalog;
  /** Exported snapshot of the position that the rows are read at. */
  readonly snapshot: string;
  /** The last look. It has the former names of renamed columns, which decide how they are redacted. */
  readonly published: PublishedState;
  readonly signal: AbortSignal;
  readonly mostBytes?: number;
}

/** The outcome of reading one table. */
export type ReadTable = { readonly table: BaselineTable } & (
  | {
      readonly outcome: 'taken';
      readonly relation: Relation;
      readonly facts: TableFacts;
      /** Rows as the stream would have sent them. Each is valid until the next is taken. */
      readonly rows: Iterable<Tuple>;
    }
  | { readonly outcome: Exclude<BaselineOutcome, 'taken'> }
  | { readonly outcome: 'not read'; readonly unread: Unread }
);

export interface RowsRead {
  /** Time of the reading, by the clock of the source: microseconds since 2000-01-01. */
  readonly at: bigint;
  /** Tables in the order of the options. Those for which there was no room are left out. */
  readonly tables: readonly ReadTable[];
}

/**
 * Reads the rows of tables as of a snapshot, by COPY alone (names-tables.ts). Stops reading a table at its
 * limit. The rows are kept as they came, until the stream has reached the position of the snapshot.
 */
export async function readBaseline(options: ReadBaselineOptions): Promise<RowsRead> {
  const { mostBytes = MOST_BASELINE_BYTES } = options;
  const began = performance.now();
  const tables: ReadTable[] = [];
  let room = mostBytes;
  let at: bigint | null = null;
  for (const table of options.tables) {
    if (room < mostBytes && performance.now() - began > READING_MS) break;
    const client = await openSnapshot(options);
    try {
      at ??= await clockOf(client);
      const read = await readTable(client, { ...options, table, room });
      if (read === 'no room' && room < mostBytes) break;
      if (read === 'no room') tables.push({ table, outcome: 'too many bytes' });
      else {
        tables.push(read.read);
        room -= read.bytes;
      }
    } finally {
      await close(client);
    }
  }
  return { at: at ?? 0n, tables };
}

async function openSnapshot({ config, snapshot, signal }: ReadBaselineOptions): Promise<pg.Client> {
  const client = await connect({
    url: config.source.url,
    side: 'source',
    purpose: 'baseline',
    statementTimeoutMs: STATEMENT_LIMIT_MS,
    signal,
  });
  try {
    await client.query(PRINT_AS_STREAM);
    // A row security policy is code of the table's owner. With this setting, PostgreSQL refuses to read a
    // table that a policy would filter.
    await client.query('set row_security = off');
    await client.query(`set lock_timeout = ${LOCK_LIMIT_MS}`);
    await client.query('begin isolation level repeatable read read only');
    await client.query(`set transaction snapshot '${snapshot}'`);
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

async function clockOf(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ at: string }>(
    /* sql */ `select ((extract(epoch from pg_catalog.clock_timestamp()) - 946684800) * 1000000)::int8::text as at`,
  );
  return BigInt(rows[0]!.at);
}

type ReadingOptions = ReadBaselineOptions & { readonly table: BaselineTable; readonly room: number };

async function readTable(
  client: pg.Client,
  options: ReadingOptions,
): Promise<{ readonly read: ReadTable; readonly bytes: number } | 'no room'> {
  const { table } = options;
  const notRead = (unread: Unread) => ({ read: { table, outcome: 'not read' as const, unread }, bytes: 0 });
  const columns = await sentColumns(client, options);
  const wanted = new Set(columns.filter(({ generated }) => !generated).map(({ name }) => name));
  const { relations, unread } = await namesRelations(client, { table: table.key, wanted, tenant: null });
  const [problem] = unread;
  if (problem !== undefined) return notRead(problem);
  if (relations.some(({ rootOid }) => rootOid !== table.table.oid))
    return notRead({ table: table.key, ...OTHER_TABLE });
  const facts = await factsOf(client, options);
  const parts: { readonly relation: NamesRelation; readonly lines: readonly Buffer[] }[] = [];
  let rows = 0;
  let bytes = 0;
  for (const relation of relations) {
    const lines: Buffer[] = [];
    try {
      for await (const batch of copyOut(client, relation.copySql)) {
        for (const line of batch) bytes += line.length + ROW_BYTES;
        rows += batch.length;
        if (rows > table.maxRows || bytes > options.room) {
          // Destroying the connection keeps the source from sending the rest.
          destroy(client);
          return rows > table.maxRows ? { read: { table, outcome: 'too many rows' }, bytes: 0 } : 'no room';
        }
        lines.push(...batch);
      }
    } catch (error) {
      if (sqlStateOf(error) === undefined) throw error;
      await client.query('rollback');
      return notRead(await refusalOf(client, { relation, error }));
    }
    parts.push({ relation, lines });
  }
  const rewritten = await rewrittenSince(client, relations);
  if (rewritten !== undefined) return notRead({ table: rewritten, ...REWRITTEN });
  const decoder = await readDecoder(client);
  return {
    read: {
      table,
      outcome: 'taken',
      relation: {
        oid: Number(table.table.oid),
        schema: table.table.schema,
        table: table.table.name,
        replicaIdentity: 'f',
        columns: columns.map(({ name, typeOid }) => ({ name, typeOid, typeModifier: -1, isKey: true })),
      },
      facts,
      rows: { [Symbol.iterator]: () => rowsOf(parts, { columns, decoder }) },
    },
    bytes,
  };
}

const OTHER_TABLE = {
  reason: 'another table has its name now',
  remedy: 'None is needed. Waltrail tries again.',
};
const REWRITTEN = {
  reason: 'it was emptied or rewritten while it was read',
  remedy: 'None is needed. Waltrail tries again.',
};

interface SentColumn {
  readonly number: number;
  readonly name: string;
  readonly typeOid: number;
  /** True if the column is generated. COPY cannot read it. */
  readonly generated: boolean;
}

/** Returns the columns of a table that the stream sends, as of the snapshot, in order. */
function sentColumns(
  client: pg.Client,
  { config, catalog, table }: ReadingOptions,
): Promise<readonly SentColumn[]> {
  const { publication } = config.source;
  const sent = catalog.publications.find(({ name }) => name === publication)?.generatedColumns;
  return catalogRows<SentColumn>(
    client,
    /* sql */ `select a.attnum as number, a.attname::text as name, a.atttypid::int8::float8 as "typeOid", a.attgenerated <> '' as generated
                 from pg_catalog.pg_attribute a
                where a.attrelid = ${BigInt(table.table.oid)}::oid and a.attnum > 0 and not a.attisdropped
                  and (a.attgenerated = '' or (${sent === 'stored'} and a.attgenerated = 's'))
                order by a.attnum`,
  );
}

/** Returns the facts of the table as of the snapshot. Nothing in them is later than the snapshot. */
async function factsOf(client: pg.Client, { table, published }: ReadingOptions): Promise<TableFacts> {
  const { oid } = table.table;
  const { shapes, types } = await readTableShapes(client, [Number(oid)]);
  const shape = shapes.get(Number(oid));
  if (shape === undefined) return NO_FACTS;
  return {
    ...shape,
    knownAs: null,
    keyXid: null,
    attributes: shape.attributes.map((attribute) => ({ ...attribute, xid: null })),
    named: namedColumns(published.tables[oid]),
    types: new Map(types.map((type) => [type.oid, type])),
  };
}

/**
 * Returns the first relation that has another file now than in the snapshot; undefined: there is none.
 * Between the snapshot and the lock of the COPY, there was then a TRUNCATE, or an ALTER TABLE that gave each
 * row other values. The snapshot sees no row of such a relation. Called while the lock is held, so that
 * neither can follow.
 */
async function rewrittenSince(
  client: pg.Client,
  relations: readonly NamesRelation[],
): Promise<string | undefined> {
  if (relations.length === 0) return undefined;
  // pg_relation_filenode() returns the present file. The row of pg_class is as of the snapshot.
  const rows = await catalogRows<{ readonly oid: string }>(
    client,
    /* sql */ `select c.oid::text as oid from pg_catalog.pg_class c
                where c.oid = any('{${relations.map(({ oid }) => oid).join()}}'::oid[])
                  and c.relfilenode is distinct from pg_catalog.pg_relation_filenode(c.oid)`,
  );
  return relations.find(({ oid }) => oid === rows[0]?.oid)?.table;
}

/** Yields rows as the stream would have sent them, in the order of the table's columns. */
function* rowsOf(
  parts: readonly { readonly relation: NamesRelation; readonly lines: readonly Buffer[] }[],
  { columns, decoder }: { readonly columns: readonly SentColumn[]; readonly decoder: Decoder },
): Generator<Tuple> {
  const read = new Tuple();
  const sent = new Tuple();
  for (const { relation, lines } of parts) {
    const places = columns.map(({ number }) =>
      relation.columns.findIndex((column) => column.number === number),
    );
    for (const line of lines) {
      copiedRow(line, read);
      sent.bytes = read.bytes;
      sent.count = columns.length;
      sent.hasOpaque = false;
      places.forEach((place, index) => {
        sent.offsets[index] = place < 0 ? 0 : read.offsets[place]!;
        sent.lengths[index] = place < 0 ? LENGTH_UNCHANGED : read.lengths[place]!;
      });
      yield decoder === null ? sent : recodeTuple(sent, decoder);
    }
  }
}
