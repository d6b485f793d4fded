import type { Catalog, CatalogPublication, CatalogTable } from './catalog.js';
import type { Findings, PlanProblem, PlanStep, WidenedTable } from './findings.js';
import { about } from './list-names.js';
import { nameRules } from './lookups.js';
import { formatTable } from './names.js';
import { asApplied } from './publication.js';
import { identityKey, identitySql, refusesWrites } from './refusal.js';
import type { TrackingConfig } from './rules.js';
import { keyOf, nameOf, type PublishedTable } from './tracked.js';

interface IdentityPlan extends Findings {
  readonly steps: readonly PlanStep[];
  readonly widened: readonly WidenedTable[];
  /**
   * Keys of the tables that must not enter the publication, because PostgreSQL would refuse the application's
   * writes.
   */
  readonly unfit: ReadonlySet<string>;
}

const HAS_VIRTUAL_COLUMNS = 180_000;

/**
 * Plans replica identity full for every tracked table, so that the WAL holds the row before each change. A
 * table keeps or gets another identity if PostgreSQL would refuse the application's writes with full. A table
 * whose writes would be refused in any case, or for later partitions, is published only if the YAML
 * explicitly accepts it.
 */
export function planIdentity(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
}): IdentityPlan {
  const { config, catalog, published } = options;
  const name = config.source.publication;
  const existing = catalog.publications.find((publication) => publication.name === name);
  const held = new Set(existing?.tables.map(formatTable));
  const { version } = catalog.server;
  const tables = published.map(({ table }) => nameOf(table));
  const given = {
    config,
    after: withPublication(catalog, name, asApplied({ name, version, tables })),
    without: withPublication(catalog, name, undefined),
  };
  const plans = published.map((table) => planTable(table, { ...given, held: held.has(table.key) }));
  return {
    steps: plans.flatMap(({ steps }) => steps),
    problems: plans.flatMap(({ problems }) => problems),
    warnings: [
      ...weakWarnings(plans),
      ...(version >= HAS_VIRTUAL_COLUMNS && !config.source.eventTrigger && plans.some(({ full }) => full)
        ? [VIRTUAL_WARNING]
        : []),
    ],
    widened: plans.flatMap(({ widened }) => widened ?? []),
    unfit: new Set(plans.filter(({ unfit }) => unfit).map(({ key }) => key)),
  };
}

const VIRTUAL_WARNING =
  'A migration may add a virtual generated column to a table with replica identity full (from PostgreSQL 18 on, `generated always as (…)` creates one). ' +
  'PostgreSQL then refuses updates and deletes of the table. With source.event_trigger: true in the YAML, ' +
  'its replica identity is adapted. Without it, run alter table … replica identity default before such a migration.';

/** Returns the catalog with a different publication of that name, or without one. */
const withPublication = (
  catalog: Catalog,
  name: string,
  publication: CatalogPublication | undefined,
): Catalog => ({
  ...catalog,
  publications: [
    ...catalog.publications.filter((other) => other.name !== name),
    ...(publication === undefined ? [] : [publication]),
  ],
});

interface TablePlan {
  readonly key: string;
  readonly steps: readonly PlanStep[];
  readonly problems: readonly PlanProblem[];
  /** Why it cannot have a full identity. Null: it can, or it is not published. */
  readonly weak: string | null;
  readonly widened: WidenedTable | null;
  /** Whether it has, or will have, replica identity full. */
  readonly full: boolean;
  readonly unfit: boolean;
}

interface Given {
  readonly config: TrackingConfig;
  /** The catalog with the planned publication. */
  readonly after: Catalog;
  /** The catalog without the publication. */
  readonly without: Catalog;
  /** Whether the table is in the publication already. */
  readonly held: boolean;
}

function planTable(published: PublishedTable, given: Given): TablePlan {
  const { key, table, rule, insertsOnly, partitions } = published;
  const { after, held } = given;
  const nothing = { key, steps: [], problems: [], weak: null, widened: null, full: false, unfit: false };
  const risk = partitionProblems(published, given);
  // A table that is published already stays published, and its partitions get the right identity.
  if (risk.length > 0 && !held) return { ...nothing, problems: risk, unfit: true };
  // The identity of the table decides what is sent, and that of the partition what is in the WAL. Levels
  // between them do not matter.
  const all = [table, ...partitions.filter(({ kind }) => kind === 'table')];
  // For a witness, no earlier row is needed. For a lookup table, only the key of the earlier row is needed.
  // So their identity changes only if it lacks that key, or if PostgreSQL would otherwise refuse the
  // application's writes to a published table.
  const keys = rule === null ? lookedUpKeys(given.config, key) : null;
  const members =
    keys === null
      ? all
      : all.filter((member) => refusesWrites(member, after) !== null || !isInIdentity(keys, member));
  if (members.length === 0) return { ...nothing, problems: risk };
  const blocked = members
    .map((member) => refusesWrites({ ...member, replicaIdentity: 'full' }, after))
    .find((refusal) => refusal !== null);
  if (blocked != null)
    return { ...nothing, ...withoutFull(published, { ...given, members, reason: blocked.reason, risk }) };
  const narrow = members.filter(({ replicaIdentity }) => replicaIdentity !== 'full');
  const steps = narrow.map((member) => ({
    kind: 'replica_identity' as const,
    tables: [keyOf(member)],
    sql: identitySql(member, 'full'),
    reason:
      rule !== null
        ? 'it makes previous values of updates and deletes known'
        : insertsOnly || refusesWrites(member, after) !== null
          ? 'the table has no key for publishing updates and deletes, so PostgreSQL would refuse them'
          : 'rows of the table are looked up by a column that is not in its replica identity',
    optional: member !== table && refusesWrites(member, after) === null,
  }));
  return {
    ...nothing,
    steps,
    problems: risk,
    widened: narrow.length === 0 ? null : widenedTable(key, narrow),
    full: true,
  };
}

/** Columns by which rows of a table are looked up for the names, labels and tenants of other tables. */
const lookedUpKeys = (config: TrackingConfig, table: string): readonly string[] =>
  nameRules(config).flatMap((rule) => (rule.table === table ? [rule.key] : []));

/** Whether the old rows that updates and deletes send contain the columns. */
function isInIdentity(columns: readonly string[], table: CatalogTable): boolean {
  const key = table.replicaIdentity === 'full' ? columns : (identityKey(table) ?? []);
  return columns.every((column) => key.includes(column));
}

/**
 * Plans an identity other than full for all members: if one cannot be full, none is. Otherwise an old row of
 * a partition could be taken for a complete one.
 */
function withoutFull(
  { key }: PublishedTable,
  options: Given & {
    readonly members: readonly CatalogTable[];
    readonly reason: string;
    readonly risk: readonly PlanProblem[];
  },
): Pick<TablePlan, 'steps' | 'problems' | 'weak' | 'unfit'> {
  const { members, reason, risk, after, without, held } = options;
  const refused = members.filter((member) => refusesWrites(member, after) !== null);
  const hopeless = refused.filter(
    (member) => refusesWrites({ ...member, replicaIdentity: 'default' }, after) !== null,
  );
  if (hopeless.length > 0) {
    // If other publications cause the refusal too, leaving this one would not help.
    const unfit = !held || hopeless.some((member) => refusesWrites(member, without) === null);
    return { steps: [], problems: [cannotPublish(key, hopeless, { reason, unfit })], weak: null, unfit };
  }
  return {
    steps: refused.map((member) => ({
      kind: 'replica_identity',
      tables: [keyOf(member)],
      sql: identitySql(member, 'default'),
      reason: `with its present identity, PostgreSQL refuses updates and deletes of the table: it ${reason}`,
      optional: false,
    })),
    problems: risk,
    weak: reason,
    unfit: false,
  };
}

/** One warning for each reason. */
function weakWarnings(plans: readonly TablePlan[]): string[] {
  const reasons = new Set(plans.flatMap(({ weak }) => weak ?? []));
  return [...reasons].flatMap((reason) =>
    about(
      plans.filter(({ weak }) => weak === reason).map(({ key }) => key),
      (names, isOne) =>
        `${names} cannot have replica identity full: ${isOne ? 'it' : 'each'} ${reason}. Previous values of ${isOne ? 'its' : 'their'} updates are unknown, except for the key.`,
    ),
  );
}

/**
 * Reports a partitioned table without a primary key: each new partition has no replica identity, so
 * PostgreSQL refuses its updates from the first row.
 */
function partitionProblems(
  { key, table, rule }: PublishedTable,
  { config, held }: Given,
): readonly PlanProblem[] {
  if (table.kind !== 'partitioned' || table.keys.some(({ primary }) => primary)) return [];
  if (config.source.eventTrigger || rule?.newPartitions === 'may_refuse_writes') return [];
  return [
    {
      code: 'SOURCE_REPLICA_IDENTITY',
      message:
        `${key} is partitioned and has no primary key that can serve as replica identity: PostgreSQL would refuse every update and ` +
        'delete of later partitions until they get a replica identity.',
      remedy:
        `Give ${key} a primary key. Or set source.event_trigger: true in the YAML: waltrail apply then installs an event trigger ` +
        'that gives new partitions their replica identity' +
        (rule === null
          ? '.'
          : `. Or accept it with tables."${rule.pattern}".new_partitions: may_refuse_writes, and run waltrail apply after each new partition.`),
      tables: [key],
      effect: held ? 'as far as possible' : 'not captured',
    },
  ];
}

const cannotPublish = (
  key: string,
  hopeless: readonly CatalogTable[],
  { reason, unfit }: { readonly reason: string; readonly unfit: boolean },
): PlanProblem => ({
  code: 'SOURCE_REPLICA_IDENTITY',
  message: `${key} cannot be tracked: ${hopeless.map(keyOf).join(', ')} has no usable replica identity and cannot have a full one, because it ${reason}.`,
  remedy: `Give ${hopeless.map(keyOf).join(', ')} a primary key, then run waltrail apply.`,
  tables: [key],
  effect: unfit ? 'not captured' : 'as far as possible',
});

const widenedTable = (key: string, members: readonly CatalogTable[]): WidenedTable => ({
  table: key,
  columns: Math.max(...members.map(({ columns }) => columns.length)),
  oids: members.filter(({ kind }) => kind === 'table').map(({ oid }) => oid),
});
