import type pg from 'pg';
import type { ErrorCode } from '../errors.js';
import type { Log } from '../log.js';
import { close, connect } from '../pg/connect.js';
import { copyOut } from '../pg/copy-out.js';
import { sqlStateOf } from '../pg/sql-state.js';
import { NameFollower } from '../pipeline/name-follower.js';
import type { LookupName, Lookups } from '../pipeline/ports.js';
import { readDecoder, type Decoder } from '../pg/encoding.js';
import { recodeTuple } from '../source/recode.js';
import { planRelationNames } from '../pipeline/names-plan.js';
import { NO_FACTS, type TableFacts } from '../pipeline/table-facts.js';
import { namesColumns } from '../tracking/lookup-tables.js';
import { lookupName, lookupTenant, lookupTenantSteps, nameRules } from '../tracking/lookups.js';
import { tableName } from '../tracking/names.js';
import { namedColumns, type PublishedState } from '../tracking/published.js';
import type { NameRule, TrackingConfig } from '../tracking/rules.js';
import { readTableShapes } from '../tracking/table-shape.js';
import type { StartName } from '../trail/write/checkpoint.js';
import { copiedRow } from './copied-row.js';
import { namesRelations, refusalOf, type NamesRelation, type Unread } from './names-tables.js';

/**
 * Longest wait for a lock on a table. A table that is locked for longer has no names, because capture does
 * not wait for the holder of the lock.
 */
const LOCK_TIMEOUT_MS = 60_000;

interface StartNamesOptions {
  readonly config: TrackingConfig;
  readonly snapshot: string | null;
  readonly redactionKey: Buffer;
  /** The last look. It has the former names of renamed columns, which decide how they are redacted. */
  readonly published: PublishedState | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The lookup tables to read; default: all. */
  readonly rules?: readonly NameRule[];
  /** Called with each lookup table that was read completely. */
  readonly whole?: (rule: NameRule) => void;
  /** How long to wait for a locked table. Shorter in tests. */
  readonly lockTimeoutMs?: number;
}

/**
 * Reads the names that lookup tables hold when a trail begins or a rule is added, in batches. In the slot's
 * snapshot, the names are exactly as of the first change. Without a snapshot (an existing slot is adopted),
 * they are as of now.
 *
 * Some tables cannot be read, or reading them would execute code of their owner. Such a table has no names
 * until its rows change. The log reports it, and capture continues.
 */
export async function* readStartNames(options: StartNamesOptions): AsyncGenerator<readonly StartName[]> {
  const client = await connect({
    url: options.config.source.url,
    side: 'source',
    purpose: 'start names',
    signal: options.signal,
  });
  try {
    const decoder = await readDecoder(client);
    // A row security policy is code of the table's owner. With this setting, PostgreSQL refuses to read a
    // table that a policy would filter.
    await client.query('set row_security = off');
    await client.query(`set lock_timeout = ${options.lockTimeoutMs ?? LOCK_TIMEOUT_MS}`);
    await client.query('begin isolation level repeatable read read only');
    if (options.snapshot !== null) await client.query(`set transaction snapshot '${options.snapshot}'`);
    // Values are printed as in the stream.
    await client.query(/* sql */ `set local datestyle = 'ISO'; set local bytea_output = 'hex'`);
    const rules = options.rules ?? nameRules(options.config);
    const given = { ...options, decoder, ways: new Map<string, Map<string, LookupName>>() };
    for (const step of stepsOf(options.config, rules)) {
      const rows = new Map<string, LookupName>();
      given.ways.set(lookupName(step), rows);
      // A table that cannot be read is reported when its own rule is read.
      for await (const names of readRule(client, { ...given, rule: step }))
        for (const name of names) rows.set(name.key, name);
    }
    for (const rule of rules) {
      const refused = yield* readRule(client, { ...given, rule });
      if (refused.length > 0) warn(options.log, { table: rule.table, refused });
      else options.whole?.(rule);
    }
    await client.query('commit');
  } finally {
    await close(client);
  }
}

/** Returns the rules that lead to the tenants of the rows to read, each once. */
function stepsOf(config: TrackingConfig, rules: readonly NameRule[]): Iterable<NameRule> {
  const steps = rules.flatMap((rule) => lookupTenantSteps(config, rule));
  return new Map(steps.map((step) => [lookupName(step), step])).values();
}

/** Reads the rows of one rule. Returns the relations that could not be read. */
async function* readRule(
  client: pg.Client,
  options: Omit<ReadingOptions, 'relation' | 'facts'>,
): AsyncGenerator<readonly StartName[], readonly Unread[]> {
  const { rule, config, published } = options;
  const { relations, unread } = await namesRelations(client, {
    table: rule.table,
    wanted: new Set(namesColumns(rule)),
    tenant: lookupTenant(config, rule),
  });
  const facts = await factsOf(client, { relations, published });
  const refused: Unread[] = [...unread];
  for (const relation of relations) {
    const refusal = yield* readRelation(client, { ...options, relation, facts });
    if (refusal !== null) refused.push(refusal);
  }
  return refused;
}

type ReadingOptions = StartNamesOptions & {
  /** The rule of the lookup table. The relation may be a partition of it. */
  readonly rule: NameRule;
  readonly relation: NamesRelation;
  readonly facts: TableFacts;
  readonly decoder: Decoder;
  /** Rows that lead to tenants, by `lookupName` and key. */
  readonly ways: ReadonlyMap<string, ReadonlyMap<string, LookupName>>;
};

/**
 * Reads the rows of one relation. Returns null if all of them were read. Throws if the server gave no reason,
 * or if the connection can no longer be used.
 */
async function* readRelation(
  client: pg.Client,
  options: ReadingOptions,
): AsyncGenerator<readonly StartName[], Unread | null> {
  const namesOf = namesReader(options);
  await client.query('savepoint relation');
  try {
    for await (const lines of copyOut(client, options.relation.copySql)) yield namesOf(lines);
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error;
    await client.query('rollback to savepoint relation');
    return refusalOf(client, { relation: options.relation, error });
  }
  await client.query('release savepoint relation');
  return null;
}

/**
 * Returns a function that reads names from lines that COPY wrote. Each key appears once, with the last of its
 * rows, because the source need not have unique keys.
 */
function namesReader(options: ReadingOptions): (lines: readonly Buffer[]) => readonly StartName[] {
  const found = new Map<string, StartName>();
  // The class that follows names in the stream reads the rows here too. So a name does not depend on when its
  // row was seen.
  const lookups: Lookups = {
    get: (lookup, key) => options.ways.get(lookup)?.get(key),
    hasTenants: () => false,
    set: (table, key, name) => {
      if (name !== null) found.set(key, { table, key, ...name });
    },
    clear: () => undefined,
  };
  const follower = new NameFollower({ lookups, changed: () => undefined });
  const { columns } = options.relation;
  const plans = planRelationNames({
    facts: {
      ...options.facts,
      attributes: columns.flatMap(({ name, number }) =>
        number === null ? [] : [{ name, number, dropped: false, generated: null, xid: null }],
      ),
    },
    relation: {
      oid: 0,
      ...tableName(options.rule.table),
      replicaIdentity: 'f',
      columns: columns.map(({ name, typeOid }) => ({ name, typeOid, typeModifier: -1, isKey: true })),
    },
    config: options.config,
    redactionKey: options.redactionKey,
    // Other rules of the table ask for other columns, and are read on their own.
  }).filter(({ lookup }) => lookup === lookupName(options.rule));
  return (lines) => {
    found.clear();
    for (const line of lines) {
      const row = copiedRow(line);
      follower.inserted(plans, options.decoder === null ? row : recodeTuple(row, options.decoder));
    }
    return [...found.values()];
  };
}

/** Returns what is known of the lookup table that these relations belong to. */
async function factsOf(
  client: pg.Client,
  options: {
    readonly relations: readonly NamesRelation[];
    readonly published: PublishedState | undefined;
  },
): Promise<TableFacts> {
  const [first] = options.relations;
  if (first === undefined) return NO_FACTS;
  const { shapes, types } = await readTableShapes(client, [Number(first.rootOid)]);
  return {
    ...(shapes.get(Number(first.rootOid)) ?? NO_FACTS),
    knownAs: null,
    named: namedColumns(options.published?.tables[first.rootOid]),
    types: new Map(types.map((type) => [type.oid, type])),
  };
}

function warn(
  log: Log,
  { table, refused }: { readonly table: string; readonly refused: readonly Unread[] },
): void {
  const [first] = refused;
  log.warn(
    {
      code: 'SOURCE_NAMES_UNREAD' satisfies ErrorCode,
      table,
      relation: first!.table,
      relations: refused.length,
      reason: first!.reason,
      remedy: first!.remedy,
    },
    'The names that a lookup table held before the start could not be read. Capture continues, and learns each name with the next change of its row.',
  );
}
