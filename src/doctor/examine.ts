import type pg from 'pg';
import { isWaltrailError, type WaltrailError } from '../errors.js';
import { close, connect } from '../pg/connect.js';
import { queryError } from '../pg/connect-error.js';
import { isPooled } from '../pg/pooler.js';
import { sqlStateOf } from '../pg/sql-state.js';
import { readCatalog, type Catalog } from '../tracking/catalog.js';
import type { TrackingConfig } from '../tracking/rules.js';
import { leftSlots, POOLED, serverProblems, staleCacheWarnings } from '../tracking/server.js';
import { withSlot } from '../tracking/slot-name.js';
import { hasTrail } from '../trail/checkpoint-slot.js';
import { loginSql, reviewLogins } from '../trail/logins.js';
import { pendingTrailMigrations } from '../trail/migrate.js';
import { trailInSource } from '../trail/not-source.js';
import { fail, ofProblem, pass, warn, type Check } from './check.js';
import { serverChecks } from './server-checks.js';
import { readServerFacts } from './server-facts.js';
import { slotChecks } from './slot-checks.js';
import { readSourceFacts } from './source-facts.js';
import { tableChecks } from './table-checks.js';
import { loginChecks, trailChecks } from './trail-checks.js';
import { readTrailFacts, type TrailFacts } from './trail-facts.js';

type Side = 'source' | 'trail';

/**
 * Checks a source, then its trail, and returns the result of each check. Changes nothing. If one side cannot
 * be reached, that is one failed check, and the other side is still checked.
 *
 * @param options.now the time for checks that depend on the date
 */
export async function examine(options: {
  readonly config: TrackingConfig;
  readonly now: Date;
}): Promise<Check[]> {
  const { config, now } = options;
  const trail = await opened(config.trail.url, 'trail');
  const source = await opened(config.source.url, 'source');
  try {
    const stands = 'client' in trail ? await trailExamined(trail.client, { config, now }) : null;
    const slotted = withSlot(config, stands?.facts?.slot);
    const begun = stands?.facts?.source === config.source.name;
    const ofSource =
      'client' in source
        ? await sourceExamined(source.client, { config: slotted, now, begun })
        : [source.check];
    const ofTrail = 'check' in trail ? [trail.check] : stands!.checks;
    const apart =
      'client' in source && 'client' in trail ? await apartCheck(source.client, trail.client) : [];
    return [...ofSource, ...ofTrail, ...apart];
  } finally {
    for (const side of [source, trail]) if ('client' in side) await close(side.client);
  }
}

type Opened = { readonly client: pg.Client } | { readonly check: Check };

async function opened(url: string, side: Side): Promise<Opened> {
  try {
    return { client: await connect({ url, side, purpose: 'doctor' }) };
  } catch (error) {
    if (!isWaltrailError(error)) throw error;
    return { check: failed(`${side}.connection`, error) };
  }
}

const failed = (id: string, { message, remedy }: WaltrailError): Check => fail(id, message, remedy);

/** Returns the checks of `work`. If the server refuses one of its statements, returns one failed check. */
async function guarded(
  address: { readonly url: string; readonly side: Side },
  work: () => Promise<Check[]>,
): Promise<Check[]> {
  try {
    return await work();
  } catch (error) {
    if (isWaltrailError(error)) return [failed(`${address.side}.look`, error)];
    if (sqlStateOf(error) === undefined) throw error;
    return [failed(`${address.side}.look`, queryError(address, error))];
  }
}

const sourceExamined = (
  client: pg.Client,
  { config, now, begun }: { readonly config: TrackingConfig; readonly now: Date; readonly begun: boolean },
): Promise<Check[]> =>
  guarded({ url: config.source.url, side: 'source' }, async () => {
    const server = await readServerFacts(client);
    const catalog = await readCatalog(client);
    const facts = await readSourceFacts(client, { slot: config.source.slot, server: catalog.server });
    const { version, role, database } = server;
    return [
      pass('source.connection', `database ${database} as ${role}`),
      ...serverChecks(server, { side: 'source', now }),
      ...rightChecks({ config, catalog }),
      ...slotChecks(facts, { slot: config.source.slot, version, begun }),
      ...tableChecks({ config, catalog }),
    ];
  });

/** Checks what the server and the role must allow. */
function rightChecks(given: { readonly config: TrackingConfig; readonly catalog: Catalog }): Check[] {
  const { config, catalog } = given;
  const { server, slots } = catalog;
  const problems = serverProblems(given);
  const stale = staleCacheWarnings(catalog);
  const left = leftSlots(config, catalog);
  return [
    ofProblem('source.primary', problems.standby, 'it is not a standby'),
    ofProblem('source.wal_level', problems.wal_level, `wal_level = ${server.walLevel}`),
    ofProblem('source.replication', problems.replication, `${catalog.role.name} may start replication`),
    ofProblem(
      'source.slots',
      problems.slots,
      `${slots.length} of ${server.maxSlots} replication slots are taken`,
    ),
    ofProblem(
      'source.senders',
      problems.senders,
      `${server.senders} of ${server.maxSenders} replication connections are taken`,
    ),
    ...(problems.slot === null ? [] : [ofProblem('source.slot_name', problems.slot, '')]),
    server.pooled
      ? warn('source.pooler', POOLED)
      : pass('source.pooler', 'the connection does not lead through a pooler'),
    ...stale.map((text) => warn('source.release', text)),
    ...left.map((text) => warn('source.left_slots', text)),
  ];
}

interface TrailExamined {
  readonly checks: readonly Check[];
  /** Undefined: the trail has not begun, or could not be asked. */
  readonly facts: TrailFacts | undefined;
}

async function trailExamined(
  client: pg.Client,
  { config, now }: { readonly config: TrackingConfig; readonly now: Date },
): Promise<TrailExamined> {
  const { url } = config.trail;
  let facts: TrailFacts | undefined;
  const checks = await guarded({ url, side: 'trail' }, async () => {
    const server = await readServerFacts(client);
    const begun = await hasTrail(client);
    const pending = await pendingTrailMigrations(client, url);
    if (begun && pending.length === 0) facts = await readTrailFacts(client);
    return [
      pass('trail.connection', `database ${server.database} as ${server.role}`),
      ...serverChecks(server, { side: 'trail', now }),
      server.inRecovery
        ? fail(
            'trail.primary',
            'The trail database is on a standby, which cannot be written to.',
            'Set trail.url to the primary.',
          )
        : pass('trail.primary', 'it is not a standby'),
      (await isPooled(client))
        ? warn(
            'trail.pooler',
            'trail.url leads through a connection pooler. It must not pool by transaction: a client must keep its session.',
          )
        : pass('trail.pooler', 'the connection does not lead through a pooler'),
      ...(begun && pending.length > 0
        ? [
            warn(
              'trail.schema',
              `The trail has the schema of an earlier release: ${pending.length} migrations are missing.`,
              'Start Waltrail with a login that owns the trail. It applies the migrations.',
            ),
          ]
        : trailChecks(facts, { config })),
      ...(begun ? await loginsExamined(config) : []),
    ];
  });
  return { checks, facts };
}

async function loginsExamined(config: TrackingConfig): Promise<Check[]> {
  const { troubles, shared } = await reviewLogins(config.trail);
  return loginChecks({ troubles, shared, sql: loginSql(shared) });
}

/** Checks that the trail is not in the database that it tracks. */
async function apartCheck(source: pg.Client, trail: pg.Client): Promise<Check[]> {
  const id = 'trail.apart';
  const trouble = await trailInSource({ trail, source });
  return [trouble === null ? pass(id, 'the trail is in a separate database') : failed(id, trouble)];
}
