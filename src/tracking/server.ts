import { ERROR_CODES } from '../errors.js';
import { quoteIdentifier, quoteLiteral } from '../pg/quote.js';
import type { Catalog, CatalogServer, CatalogSlot } from './catalog.js';
import type { Findings, PlanProblem } from './findings.js';
import { formatBytes, formatDuration } from './format.js';
import type { TrackingConfig } from './rules.js';

/** Checks what the server and the role allow, and how long the daemon may be stopped. */
export function serverFindings({ config, catalog }: { config: TrackingConfig; catalog: Catalog }): Findings {
  return {
    problems: problemsOf(config, catalog),
    warnings: [
      ...(catalog.server.pooled ? [POOLED] : []),
      ...leftSlots(config, catalog),
      ...headroomWarnings(catalog),
      ...staleCacheWarnings(catalog),
    ],
  };
}

/** Names of the server's problems, for callers that look at them one by one. */
export type ServerAspect = 'standby' | 'wal_level' | 'replication' | 'slot' | 'slots' | 'senders';

const problemsOf = (config: TrackingConfig, catalog: Catalog): PlanProblem[] =>
  Object.values(serverProblems({ config, catalog })).flatMap((problem) => problem ?? []);

/** Returns what prevents capture at the server, by aspect; null: nothing does. */
export function serverProblems({
  config,
  catalog: { server, role, slots },
}: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): Readonly<Record<ServerAspect, PlanProblem | null>> {
  const own = slots.find(({ name }) => name === config.source.slot);
  const isTaken = own !== undefined && (own.plugin !== PLUGIN || own.database !== server.database);
  return {
    standby: server.inRecovery ? STANDBY : null,
    wal_level: decodes(server) ? null : walLevel(server),
    replication: role.replication ? null : mayNotReplicate(role.name),
    slot: isTaken ? takenSlot(own, server) : null,
    slots: own === undefined && slots.length >= server.maxSlots ? noSlot(server) : null,
    senders: own?.active !== true && server.senders >= server.maxSenders ? noSender(server) : null,
  };
}

/** From PostgreSQL 19 on, the first logical slot raises `replica` to `logical`. */
const RAISES_WAL_LEVEL = 190_000;

const decodes = ({ walLevel: level, version }: CatalogServer): boolean =>
  level === 'logical' || (level === 'replica' && version >= RAISES_WAL_LEVEL);

const STANDBY: PlanProblem = {
  tables: [],
  code: 'SOURCE_UNSUPPORTED',
  message: 'The source is a standby.',
  remedy: 'Point source.url at the primary.',
};

const walLevel = ({ walLevel: level }: CatalogServer): PlanProblem => ({
  tables: [],
  code: 'SOURCE_WAL_LEVEL',
  message: `The source has wal_level = ${level}; logical replication needs logical.`,
  remedy:
    "Run: alter system set wal_level = 'logical'; then restart the source (managed services have a parameter for it).",
});

const mayNotReplicate = (role: string): PlanProblem => ({
  tables: [],
  code: 'SOURCE_PRIVILEGE',
  message: `Role ${role} may not start replication.`,
  remedy: `Run as a superuser: alter role ${quoteIdentifier(role)} replication; (on Amazon RDS: grant rds_replication to ${quoteIdentifier(role)};)`,
  captureOnly: true,
});

const noSlot = ({ maxSlots }: CatalogServer): PlanProblem => ({
  tables: [],
  code: 'SOURCE_SLOTS_EXHAUSTED',
  message: `All ${maxSlots} replication slots of the source are taken (max_replication_slots).`,
  remedy: `Drop an unused slot (select * from pg_replication_slots), or run: alter system set max_replication_slots = ${maxSlots + 5}; and restart the source.`,
  captureOnly: true,
});

const noSender = ({ maxSenders }: CatalogServer): PlanProblem => ({
  tables: [],
  code: 'SOURCE_SLOTS_EXHAUSTED',
  message: `All ${maxSenders} replication connections of the source are taken (max_wal_senders).`,
  remedy: `Run: alter system set max_wal_senders = ${maxSenders + 5}; and restart the source.`,
  captureOnly: true,
});

/**
 * First minor versions, by major, in which every walsender learns immediately that a publication has changed.
 */
const FRESH_CACHE: ReadonlyMap<number, number> = new Map([
  [14, 18],
  [15, 13],
  [16, 9],
  [17, 5],
]);

/** https://www.postgresql.org/docs/release/17.5/ (distribution of invalidations to running transactions) */
export function staleCacheWarnings({ server }: Catalog): string[] {
  const major = Math.floor(server.version / 10_000);
  const fresh = FRESH_CACHE.get(major);
  if (fresh === undefined || server.version % 10_000 >= fresh) return [];
  return [
    `PostgreSQL ${major}.${server.version % 10_000} may not send changes of a newly published table for a while, if transactions are running when it is published: ` +
      `waltrail apply locks the tables and so avoids this; alter publication by hand does not. Update to ${major}.${fresh} or later.`,
  ];
}

export const POOLED =
  'source.url leads through a connection pooler. Capture needs a replication connection, and the only pooler that passes one is PgBouncer from 1.24 on. Point source.url at PostgreSQL itself.';

const PLUGIN = 'pgoutput';

/** Names of slots are unique in the cluster: another database or program may have taken this one. */
const takenSlot = (slot: CatalogSlot, { database }: Catalog['server']): PlanProblem => ({
  code: 'SOURCE_SLOT_FOREIGN',
  message:
    `Slot ${slot.name} exists and cannot belong to this source: ` +
    (slot.database === null
      ? 'it is a physical slot'
      : slot.plugin !== PLUGIN
        ? `its plugin is ${slot.plugin ?? 'none'}, not ${PLUGIN}`
        : `it belongs to database ${slot.database}, not to ${database}`) +
    `, and ${slot.active ? 'is in use' : 'is not in use now'}.`,
  remedy: ERROR_CODES.SOURCE_SLOT_FOREIGN.remedy,
  tables: [],
  captureOnly: true,
});

/** Warns about unused slots with a name like Waltrail's, for which the source keeps WAL. */
export function leftSlots(config: TrackingConfig, { server, slots }: Catalog): string[] {
  const left = slots.filter(
    ({ name, active, plugin, database }) =>
      /^waltrail(?:_|$)/.test(name) &&
      name !== config.source.slot &&
      !active &&
      plugin === PLUGIN &&
      database === server.database,
  );
  return left.map(
    ({ name }) =>
      `Slot ${name} of this database is unused, and the source keeps WAL for it. If it is left over, run: select pg_drop_replication_slot(${quoteLiteral(name)});`,
  );
}

/** The shortest time for which a rate is meaningful. */
const LEAST_WINDOW_S = 3_600;

/** Returns the average bytes of WAL per second. Null: unknown, or counted for too short a time. */
export const walRate = ({ walCounted }: Pick<CatalogServer, 'walCounted'>): number | null =>
  walCounted !== null && walCounted.seconds >= LEAST_WINDOW_S && walCounted.bytes > 0
    ? walCounted.bytes / walCounted.seconds
    : null;

/** Warns how long the daemon may be stopped, and whether the source's disk is protected. */
function headroomWarnings({ server }: Catalog): string[] {
  const { walCounted, maxSlotWalKeepBytes } = server;
  const counted = walCounted !== null && walRate(server) !== null;
  const window = counted ? formatDuration(walCounted.seconds) : '';
  if (maxSlotWalKeepBytes === null) {
    return [
      'max_slot_wal_keep_size is not set: while Waltrail is stopped, the source keeps WAL without limit' +
        `${counted ? ` (${formatBytes(walCounted.bytes)} over the last ${window})` : ''} and can fill its disk. ` +
        "A limit such as: alter system set max_slot_wal_keep_size = '50GB'; protects the disk, but a longer stop then loses changes.",
    ];
  }
  const kept = formatBytes(maxSlotWalKeepBytes);
  if (!counted)
    return [
      `The source keeps up to ${kept} of WAL for a stopped Waltrail (max_slot_wal_keep_size); beyond that, changes are lost.`,
    ];
  const lasts = formatDuration((maxSlotWalKeepBytes / walCounted.bytes) * walCounted.seconds);
  return [
    `The source keeps up to ${kept} of WAL for a stopped Waltrail (max_slot_wal_keep_size): ${lasts} ` +
      `at its average rate over the last ${window}; beyond that, changes are lost.`,
  ];
}
