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
  /** Keys of the tables that must not be in the publication: writes of the application would be refused. */
  readonly unfit: ReadonlySet<string>;
}

const HAS_VIRTUAL_COLUMNS = 180_000;

/**
 * Replica identity full for every tracked table, so that the WAL holds the row before the change; but not
 * where PostgreSQL would then refuse the application's own writes. A table of which it would refuse them in
 * any case, or will refuse those of the next partition, is not published without an explicit yes.
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
  'A migration that adds a virtual generated column (from PostgreSQL 18 on, `generated always as (…)` makes one) to a table ' +
  'with replica identity full makes PostgreSQL refuse its updates and deletes. With source.event_trigger: true in the YAML ' +
  'its replica identity follows; without it, run alter table … replica identity default before such a migration.';

/** The catalog as it would be with another publication of that name, or without one. */
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
  /** Why it cannot have a full identity; null: it can, or is not published. */
  readonly weak: string | null;
  readonly widened: WidenedTable | null;
  /** It has, or is to have, replica identity full. */
  readonly full: boolean;
  readonly unfit: boolean;
}

interface Given {
  readonly config: TrackingConfig;
  /** The catalog with the publication as it is to be. */
  readonly after: Catalog;
  /** The catalog without the publication. */
  readonly without: Catalog;
  /** The table is in the publication already. */
  readonly held: boolean;
}

function planTable(published: PublishedTable, given: Given): TablePlan {
  const { key, table, rule, insertsOnly, partitions } = published;
  const { after, held } = given;
  const nothing = { key, steps: [], problems: [], weak: null, widened: null, full: false, unfit: false };
  const risk = partitionProblems(published, given);
  // What is published already stays so, and its partitions are put right.
  if (risk.length > 0 && !held) return { ...nothing, problems: risk, unfit: true };
  // The identity of the table says what is sent, that of the partition what is in the WAL; levels between do
  // not matter.
  const all = [table, ...partitions.filter(({ kind }) => kind === 'table')];
  // Of a witness no row before a change is needed, and of a table that is only looked into no more of it than
  // the key: its identity is changed only where that is not in it, or where PostgreSQL would refuse the
  // application's writes for being published.
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
        ? 'previous values of updates and deletes need it'
        : insertsOnly || refusesWrites(member, after) !== null
          ? 'it has no key by which PostgreSQL could publish its updates and deletes, and would refuse them'
          : 'rows are looked up in it by a column that is not in its replica identity',
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

/** Columns by which rows of a table are looked up for names, labels and tenants of others. */
const lookedUpKeys = (config: TrackingConfig, table: string): readonly string[] =>
  nameRules(config).flatMap((rule) => (rule.table === table ? [rule.key] : []));

/** Whether the old rows that updates and deletes send have the columns. */
function isInIdentity(columns: readonly string[], table: CatalogTable): boolean {
  const key = table.replicaIdentity === 'full' ? columns : (identityKey(table) ?? []);
  return columns.every((column) => key.includes(column));
}

/**
 * All members keep or get another identity than full: an old row of a partition that is believed to be whole
 * must be so.
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
    // Where others refuse its writes anyway, leaving the publication would help nobody.
    const unfit = !held || hopeless.some((member) => refusesWrites(member, without) === null);
    return { steps: [], problems: [cannotPublish(key, hopeless, { reason, unfit })], weak: null, unfit };
  }
  return {
    steps: refused.map((member) => ({
      kind: 'replica_identity',
      tables: [keyOf(member)],
      sql: identitySql(member, 'default'),
      reason: `PostgreSQL refuses its updates and deletes with the one it has: it ${reason}`,
      optional: false,
    })),
    problems: risk,
    weak: reason,
    unfit: false,
  };
}

/** One sentence for each reason. */
function weakWarnings(plans: readonly TablePlan[]): string[] {
  const reasons = new Set(plans.flatMap(({ weak }) => weak ?? []));
  return [...reasons].flatMap((reason) =>
    about(
      plans.filter(({ weak }) => weak === reason).map(({ key }) => key),
      (names, isOne) =>
        `${names} cannot have replica identity full: ${isOne ? 'it' : 'each'} ${reason}. Previous values of ${isOne ? 'its' : 'their'} updates are unknown, but for the key.`,
    ),
  );
}

/** A new partition without a primary key has no replica identity, and refuses updates from its first row. */
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
        'delete of partitions made later, until they are given one.',
      remedy:
        `Give ${key} a primary key; or set source.event_trigger: true in the YAML, with which waltrail apply installs an event trigger ` +
        'that gives new partitions their replica identity' +
        (rule === null
          ? '.'
          : `; or accept it with tables."${rule.pattern}".new_partitions: may_refuse_writes, and run waltrail apply after making one.`),
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
