import type { ErrorCode } from '../errors.js';
import type { Catalog } from './catalog.js';
import { indexOf } from './catalog-index.js';
import { columnFindings } from './columns.js';
import { planEventTrigger } from './event-trigger.js';
import { planIdentity } from './identity.js';
import { isPattern, matchesTable, tableName } from './names.js';
import { didYouMean } from './nearest.js';
import { lookupWarnings } from './lookup-tables.js';
import { planPublication } from './publication.js';
import { lookupUses } from './match.js';
import type { TrackingConfig } from './rules.js';
import { serverFindings } from './server.js';
import { unnamedFindings } from './unnamed.js';
import {
  isPublishable,
  keyOf,
  matchingTables,
  nameOf,
  publishedTables,
  type PublishedTable,
} from './tracked.js';

/** What `apply` would do to the source, and what stands in the way. Applying it makes the next plan empty. */
export interface TrackingPlan {
  /** In the order in which no moment, even run by hand one by one, breaks a write of the application. */
  readonly steps: readonly PlanStep[];
  /** Those about named tables concern these alone, those of {@link applyProblems} keep everything from being applied. */
  readonly problems: readonly PlanProblem[];
  /** Sentences for the DBA; nothing depends on them. */
  readonly warnings: readonly string[];
  /** What REPLICA IDENTITY FULL will cost, by table that a step sets it on. */
  readonly costs: readonly IdentityCost[];
}

export interface PlanStep {
  readonly kind:
    | 'event_trigger'
    | 'publication_create'
    | 'publication_options'
    | 'publication_add'
    | 'publication_drop'
    | 'replica_identity';
  /** Canonical names of the tables it is about. */
  readonly tables: readonly string[];
  readonly sql: string;
  readonly reason: string;
  /** True where capture is right without it, and only less complete: old values of a partition made later. */
  readonly optional: boolean;
}

/** What a table's trouble means for the trail, or for the application. */
export type TroubleEffect =
  'not captured' | 'previous values unknown' | 'writes refused' | 'names unknown' | 'as far as possible';

export interface PlanProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  /**
   * Canonical names of the tables it is about, or the pattern that matches none: the others are planned, applied and
   * captured without them. Empty: it concerns the whole stream or server.
   */
  readonly tables: readonly string[];
  /** Where it is about tables: what it means for them while capture runs. */
  readonly effect?: TroubleEffect;
  /** A mistake in the YAML as the source is now: nothing is applied until it is corrected, but capture goes on. */
  readonly mistake?: true;
  /** Stands in the way of capture, but not of applying the plan: often another role does that. */
  readonly captureOnly?: true;
}

/** Problems that have to be solved before anything of the plan can be applied. */
export const applyProblems = ({ problems }: TrackingPlan): readonly PlanProblem[] =>
  problems.filter(
    ({ tables, mistake, captureOnly }) => captureOnly !== true && (mistake === true || tables.length === 0),
  );

/** Problems that keep every table from being captured. */
export const streamProblems = ({ problems }: TrackingPlan): readonly PlanProblem[] =>
  problems.filter(({ tables }) => tables.length === 0);

export interface IdentityCost {
  readonly table: string;
  readonly columns: number;
  /** Average row, TOAST included: what each update and delete adds to the WAL. Null for a table without rows. */
  readonly rowBytes: number | null;
  readonly changesPerDay: number | null;
  readonly walBytesPerDay: number | null;
}

/** Problems and warnings of one aspect. */
export interface Findings {
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly string[];
}

/** Compares what the YAML needs with what the source has. Pure: `catalog` is from {@link readCatalog}. */
export function planTracking(options: {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
}): TrackingPlan {
  const published = publishedTables(options.config, options.catalog);
  const given = { ...options, published };
  const identity = planIdentity(given);
  const publication = planPublication({
    ...given,
    published: published.filter(({ key }) => !identity.unfit.has(key)),
  });
  const eventTrigger = planEventTrigger(options);
  const findings = [
    serverFindings(options),
    tableFindings(given),
    unnamedFindings(options),
    columnFindings(given),
    eventTrigger,
    publication,
    identity,
  ];
  return {
    // The trigger first: what it has to guard is published after it is there, and a trigger that goes guards nothing.
    steps: [...eventTrigger.steps, ...publication.before, ...identity.steps, ...publication.after],
    problems: findings.flatMap(({ problems }) => problems),
    warnings: findings.flatMap(({ warnings }) => warnings),
    costs: identity.costs,
  };
}

type Given = {
  readonly config: TrackingConfig;
  readonly catalog: Catalog;
  readonly published: readonly PublishedTable[];
};

function tableFindings({ config, catalog, published }: Given): Findings {
  const problems: PlanProblem[] = [];
  for (const { pattern } of config.tables) {
    const key = `tables."${pattern}"`;
    if (!isPattern(pattern))
      problems.push(...exactProblems({ key, table: pattern, catalog, effect: 'not captured' }));
    else if (matchingTables(pattern, config, catalog).length === 0) {
      problems.push({
        code: 'TRACKING_PATTERN_UNMATCHED',
        message: `${key} matches no table of database ${catalog.server.database} that may be tracked.`,
        remedy: 'Correct the pattern in the YAML, or remove it.',
        tables: [pattern],
        effect: 'not captured',
        mistake: true,
      });
    }
  }
  for (const { key, rule } of lookupUses(config)) {
    problems.push(
      ...exactProblems({ key: `${key}.table`, table: rule.table, catalog, effect: 'names unknown' }),
    );
  }
  return {
    problems,
    warnings: [...tableWarnings({ config, catalog, published }), ...lookupWarnings({ config, catalog })],
  };
}

function exactProblems(options: {
  key: string;
  table: string;
  catalog: Catalog;
  effect: TroubleEffect;
}): PlanProblem[] {
  const { key, table, catalog, effect } = options;
  const found = indexOf(catalog).tables.get(table);
  if (found !== undefined && isPublishable(found)) return [];
  const concerns = { code: 'TRACKING_TABLE_UNKNOWN', tables: [table], effect, mistake: true } as const;
  if (found === undefined) {
    const { schema } = tableName(table);
    const candidates = catalog.tables.filter(isPublishable).map(keyOf);
    const elsewhere = catalog.tables.find(
      ({ name, schema: other }) => name === tableName(table).table && other !== schema,
    );
    const hint =
      elsewhere === undefined ? didYouMean(table, candidates) : ` Did you mean "${keyOf(elsewhere)}"?`;
    return [
      {
        ...concerns,
        message: `${key}: database ${catalog.server.database} has no table ${table}.${hint}`,
        remedy: 'Correct the table name in the YAML, or create the table first.',
      },
    ];
  }
  const what =
    found.persistence === 'unlogged'
      ? 'an unlogged table'
      : `a ${found.persistence === 'temporary' ? 'temporary table' : found.kind}`;
  return [
    {
      ...concerns,
      message: `${key}: ${table} is ${what}, whose changes are not in the WAL.`,
      remedy: 'Name the permanent tables behind it in the YAML, or remove the entry.',
    },
  ];
}

function tableWarnings({ config, catalog, published }: Given): string[] {
  const warnings: string[] = [];
  for (const { key, table, rule, partitions } of published) {
    if (rule !== null && rule.id === null && table.primaryKey.length === 0) {
      warnings.push(
        `${key} has no primary key: its entries have no entity id. Name its columns under tables."${rule.pattern}".id.`,
      );
    }
    if (table.kind === 'partitioned' && !config.source.eventTrigger) {
      warnings.push(
        `${key} is partitioned, and PostgreSQL gives new partitions no replica identity full: run waltrail apply after ` +
          'making one, or previous values of its rows are unknown. With source.event_trigger: true in the YAML they get it when they are made.',
      );
    }
    const excluded = partitions.filter((partition) =>
      config.exclude.some((pattern) => matchesTable(pattern, nameOf(partition))),
    );
    if (excluded.length > 0) {
      warnings.push(
        `${excluded.map(keyOf).join(', ')} cannot be excluded: partitions are tracked as rows of ${key}.`,
      );
    }
  }
  const unlogged = catalog.tables.filter(
    (table) =>
      table.persistence === 'unlogged' &&
      config.tables.some(({ pattern }) => isPattern(pattern) && matchesTable(pattern, nameOf(table))),
  );
  for (const table of unlogged)
    warnings.push(`${keyOf(table)} is unlogged and cannot be tracked: its changes are not in the WAL.`);
  return warnings;
}
