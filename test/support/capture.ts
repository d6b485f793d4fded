import pg from 'pg';
import { startCapture, type Capture, type CaptureOptions } from '../../src/capture/capture.js';
import { createLog, silentLog, type Log } from '../../src/log.js';
import { applyPlan } from '../../src/tracking/apply.js';
import { readCatalog } from '../../src/tracking/catalog.js';
import { parseConfig } from '../../src/tracking/load.js';
import { planTracking } from '../../src/tracking/plan.js';
import type { TrackingConfig } from '../../src/tracking/rules.js';
import { decodeColumns, decodeFields } from '../../src/trail/values.js';
import { freshDatabase, type TestDatabase } from './database.ts';
import { until } from './until.ts';

/**
 * An entry as a test compares it. It is read by plain SQL and the documented encoding, not by the reader
 * under test.
 */
export interface PlainEntry {
  readonly id: bigint;
  readonly commitLsn: string;
  readonly seq: number;
  readonly xid: string;
  readonly operation: string;
  readonly rung: string;
  readonly modifier: string;
  readonly modifierKey: string | null;
  readonly kind: string | null;
  readonly action: string;
  readonly entityType: string;
  readonly entityId: string | null;
  readonly entityName: string | null;
  readonly tenant: string | null;
  readonly table: string;
  readonly previous: Readonly<Record<string, string | null>> | null;
  readonly updated: Readonly<Record<string, string | null>> | null;
  readonly unknown: readonly string[];
  readonly extra: unknown;
}

export interface CaptureGround extends AsyncDisposable {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  readonly config: TrackingConfig;
  capture: Capture;
  /** Stops the running capture and starts another, as after a restart of the daemon. */
  restart(): Promise<void>;
  entries(): Promise<PlainEntry[]>;
  /** Waits until everything that the source has committed so far is in the trail, and returns the entries. */
  caughtUp(): Promise<PlainEntry[]>;
}

/** A source with `schemaSql`, a trail, and capture streaming between them as `tables` (YAML) says. */
export async function captureGround(options: {
  readonly schemaSql: string;
  /** YAML below the top level: `modifiers:`, `tables:` and so on. */
  readonly yaml: string;
  /** As {@link testConfig} takes it. */
  readonly sourceYaml?: string;
  /** A new one by default. It is disposed with the ground. */
  readonly source?: TestDatabase;
  readonly log?: Log;
  readonly options?: Pick<CaptureOptions, 'spoolFolder' | 'pace'>;
}): Promise<CaptureGround> {
  const source = options.source ?? (await freshDatabase('empty'));
  const trail = await freshDatabase('trail');
  await source.query(options.schemaSql);
  const config = testConfig({ ...options, source, trail });
  await applyTracking(config);
  const log = options.log ?? (process.env.WALTRAIL_TEST_LOG ? createLog({ level: 'debug' }) : silentLog);
  const ground: CaptureGround = {
    source,
    trail,
    config,
    capture: startCapture({ ...options.options, config, log }),
    restart: async () => {
      await ground.capture.stop();
      ground.capture = startCapture({ ...options.options, config, log });
      await streaming(ground.capture);
    },
    entries: () => readEntries(trail),
    caughtUp: async () => {
      await untilCaughtUp(source, trail);
      return readEntries(trail);
    },
    [Symbol.asyncDispose]: async () => {
      await ground.capture.stop();
      await trail[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
  try {
    await streaming(ground.capture);
  } catch (error) {
    await ground[Symbol.asyncDispose]();
    throw error;
  }
  return ground;
}

export function testConfig(options: {
  readonly source: TestDatabase;
  readonly trail: TestDatabase;
  readonly yaml: string;
  /** Further keys under `source`: `, key: value`. */
  readonly sourceYaml?: string | undefined;
}): TrackingConfig {
  const slot = `slot_${options.source.name}`;
  return parseConfig({
    file: 'test.yaml',
    environment: {},
    text: `
source: { name: test, url: "${options.source.url}", slot: ${slot}, publication: waltrail${options.sourceYaml ?? ''} }
trail: { url: "${options.trail.url}" }
${options.yaml}`,
  });
}

/**
 * Does what `waltrail apply` does.
 *
 * @param options.before statements to run in the same transaction, after its locks
 */
export async function applyTracking(
  config: TrackingConfig,
  { before = [] }: { readonly before?: readonly string[] } = {},
): Promise<void> {
  const client = new pg.Client(config.source.url);
  // The source may be shut down at this moment. The running statement reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const plan = planTracking({ config, catalog: await readCatalog(client) });
    const others = before.map((sql) => ({
      kind: 'publication_options' as const,
      tables: [],
      sql,
      reason: '',
      optional: false,
    }));
    await applyPlan(client, { ...plan, steps: [...others, ...plan.steps] });
  } finally {
    await client.end();
  }
}

/** @param options.fromStopped whether capture may still be stopped and will notice that it may resume */
export async function streaming(
  capture: Capture,
  options: { readonly fromStopped?: boolean } = {},
): Promise<void> {
  await until('capture streams', () => {
    const { state, error } = capture.status();
    if (state === 'stopped' && options.fromStopped !== true)
      throw new Error(`capture stopped: ${error?.code} ${error?.message}`);
    return state === 'streaming';
  });
}

/** Waits until capture has reported how current it is, which it does every ten seconds. */
export const saidCurrent = (trail: TestDatabase): Promise<void> =>
  until('capture to say that it is current', async () => {
    const rows = await trail.query('select from trail.current_until');
    return rows.length > 0;
  });

/** Waits until a marker that is committed after everything else is below the checkpoint. */
export async function untilCaughtUp(
  source: TestDatabase,
  trail: TestDatabase,
  limitMs?: number,
): Promise<void> {
  const [marker] = await source.query<{ lsn: string }>(
    `select pg_logical_emit_message(true, 'test', 'caught up?')::text as lsn`,
  );
  await until(
    `the checkpoint to pass ${marker!.lsn}`,
    async () => {
      const [row] = await trail.query<{ passed: boolean }>(
        `select end_lsn >= $1::pg_lsn as passed from trail.checkpoint`,
        [marker!.lsn],
      );
      return row?.passed === true;
    },
    limitMs,
  );
}

interface EntryRow {
  id: string;
  commit_lsn: string;
  seq: number;
  xid: string;
  operation: string;
  rung: string;
  modifier: string;
  modifier_key: string | null;
  kind: string | null;
  action: string;
  entity_type: string;
  entity_id: string | null;
  entity_name: string | null;
  tenant: string | null;
  table_name: string;
  relation_columns: { name: string }[];
  columns: string | null;
  previous: string | null;
  updated: string | null;
  extra: string | null;
  context: string | null;
}

/** Reads entries in stored order; a limit serves tests that cannot hold all. */
export async function readEntries(
  trail: TestDatabase,
  { after = -1n, limit }: { readonly after?: bigint; readonly limit?: number } = {},
): Promise<PlainEntry[]> {
  const rows = await trail.query<EntryRow>(
    `
    select e.id::text, e.commit_lsn::text, e.seq, e.xid::text, e.operation::text, e.rung::text, m.name as modifier, m.key as modifier_key,
           m.kind, a.name as action, t.name as entity_type, e.entity_id, e.entity_name, n.name as tenant,
           r.schema_name || '.' || r.table_name as table_name, r.columns as relation_columns, e.columns, e.previous, e.updated, e.extra, c.context
      from trail.entry e
      join trail.modifier m on m.id = e.modifier_id
      join trail.action a on a.id = e.action_id
      join trail.entity_type t on t.id = e.entity_type_id
      join trail.relation r on r.id = e.relation_id
      left join trail.tenant n on n.id = e.tenant_id
      left join trail.context c on c.id = (substring(e.extra from '^[{]"contextId":"([0-9]+)"'))::int8
     where e.id > $1
     order by e.id limit $2`,
    [after, limit ?? null],
  );
  return rows.map((row) => {
    const names = row.relation_columns.map(({ name }) => name);
    const columns = decodeColumns(row.columns, names.length).map((index) => names[index]!);
    const unknown = new Set<string>();
    const values = (stored: string | null): Record<string, string | null> | null => {
      if (stored === null) return null;
      const fields = decodeFields(stored);
      const result: Record<string, string | null> = {};
      columns.forEach((column, index) => {
        const field = fields[index]!;
        if (field.is === 'unknown') unknown.add(column);
        else
          result[column] =
            field.is === 'null'
              ? null
              : field.is === 'bytes'
                ? `bytes:${field.text}`
                : field.is === 'large'
                  ? `large:${field.bytes} ${field.sha256}`
                  : field.text;
      });
      return result;
    };
    return {
      id: BigInt(row.id),
      commitLsn: row.commit_lsn,
      seq: row.seq,
      xid: row.xid,
      operation: row.operation,
      rung: row.rung,
      modifier: row.modifier,
      modifierKey: row.modifier_key,
      kind: row.kind,
      action: row.action,
      entityType: row.entity_type,
      entityId: row.entity_id,
      entityName: row.entity_name,
      tenant: row.tenant,
      table: row.table_name,
      previous: values(row.previous),
      updated: values(row.updated),
      unknown: [...unknown],
      extra: extraOf(row),
    };
  });
}

/** Replaces the reference to the context by the context itself. */
function extraOf({ extra, context }: EntryRow): unknown {
  if (extra === null) return null;
  const { contextId, ...rest } = JSON.parse(extra) as Record<string, unknown>;
  return contextId === undefined ? rest : { context: JSON.parse(context!) as unknown, ...rest };
}
