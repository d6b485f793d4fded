import type pg from 'pg';
import { close, connect } from '../pg/connect.js';
import { quoteIdentifier, quoteTable } from '../pg/quote.js';
import { Tuple } from '../pgoutput/tuple.js';
import { NameFollower } from '../pipeline/name-follower.js';
import type { Lookups } from '../pipeline/ports.js';
import { readDecoder, type Decoder } from '../source/encoding.js';
import { recodeTuple } from '../source/recode.js';
import { PREPARE_READING } from '../source/session.js';
import { nameRules, planRelationNames } from '../pipeline/relation-plan.js';
import { tableName } from '../tracking/names.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { StartName } from '../trail/checkpoint.js';

const BATCH_ROWS = 2_000;

/**
 * The names that modifiers and label tables hold when a trail begins, in batches: in the slot's snapshot they are exactly
 * as of the first change; without one (an existing slot is adopted) as of now.
 */
export async function* readStartNames(options: {
  readonly config: TrackingConfig;
  readonly snapshot: string | null;
  readonly redactionKey: Buffer;
  readonly signal: AbortSignal;
}): AsyncGenerator<readonly StartName[]> {
  const client = await connect({
    url: options.config.source.url,
    purpose: 'start names',
    signal: options.signal,
  });
  try {
    await client.query(PREPARE_READING);
    const decoder = await readDecoder(client);
    await client.query('begin isolation level repeatable read read only');
    if (options.snapshot !== null) await client.query(`set transaction snapshot '${options.snapshot}'`);
    // As the stream prints them: the driver would turn `t` into true and numbers into floats.
    await client.query(/* sql */ `set local datestyle = 'ISO'; set local bytea_output = 'hex'`);
    for (const { table } of nameRules(options.config))
      yield* readTable(client, { ...options, table, decoder });
    await client.query('commit');
  } finally {
    await close(client);
  }
}

async function* readTable(
  client: pg.Client,
  options: {
    readonly config: TrackingConfig;
    readonly table: string;
    readonly redactionKey: Buffer;
    readonly decoder: Decoder;
  },
): AsyncGenerator<readonly StartName[]> {
  const { schema, table } = tableName(options.table);
  const columns = await tableColumns(client, schema, table);
  const found: StartName[] = [];
  // The follower of the stream reads the rows here too, so a name cannot depend on when a row was seen.
  const lookups: Lookups = {
    get: () => undefined,
    set: (of, key, name) => {
      if (name !== null) found.push({ table: of, key, name: name.name, kind: name.kind });
    },
    clear: () => undefined,
  };
  const follower = new NameFollower({ lookups, changed: () => undefined });
  const names = planRelationNames({
    relation: { oid: 0, schema, table, replicaIdentity: 'f', columns },
    config: options.config,
    redactionKey: options.redactionKey,
  });
  const list = columns.map(({ name }) => printedBytes(quoteIdentifier(name))).join(', ');
  await client.query(`declare names no scroll cursor for select ${list} from ${quoteTable(schema, table)}`);
  // From here on, for the statement above may name what is not ASCII.
  await client.query(/* sql */ `set local client_encoding = 'SQL_ASCII'`);
  for (;;) {
    const { rows } = await client.query<(string | null)[]>({
      text: `fetch ${BATCH_ROWS} from names`,
      rowMode: 'array',
      types: { getTypeParser: () => (text: string) => text },
    });
    for (const row of rows) {
      const tuple = tupleOf(row);
      follower.inserted(names, options.decoder === null ? tuple : recodeTuple(tuple, options.decoder));
    }
    if (found.length > 0) yield found.splice(0);
    if (rows.length < BATCH_ROWS) break;
  }
  await client.query('close names');
  await client.query(/* sql */ `set local client_encoding = 'UTF8'`);
}

async function tableColumns(client: pg.Client, schema: string, table: string) {
  const { rows } = await client.query<{ name: string; type: string }>(
    /* sql */ `select a.attname as name, a.atttypid::text as type
                 from pg_catalog.pg_attribute a
                 join pg_catalog.pg_class c on c.oid = a.attrelid
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
                order by a.attnum`,
    [schema, table],
  );
  return rows.map(({ name, type }) => ({ name, typeOid: Number(type), typeModifier: -1, isKey: true }));
}

/** A column as its type prints it, in hexadecimal digits: the driver would make text of bytes that are none. */
const printedBytes = (column: string): string =>
  `case when ${column} is distinct from null then pg_catalog.textsend(pg_catalog.format('%s', ${column})) end`;

function tupleOf(row: readonly (string | null)[]): Tuple {
  const tuple = new Tuple();
  const values = row.map((value) => (value === null ? null : Buffer.from(value.slice(2), 'hex')));
  tuple.bytes = Buffer.concat(values.filter((value) => value !== null));
  tuple.count = row.length;
  let at = 0;
  values.forEach((value, column) => {
    tuple.offsets[column] = at;
    tuple.lengths[column] = value?.length ?? -1;
    at += value?.length ?? 0;
  });
  return tuple;
}
