import { randomBytes } from 'node:crypto';
import type { Relation } from '../pgoutput/reader.js';
import { EntityTypes } from '../pipeline/entity-types.js';
import type { RelationVersion } from '../pipeline/ports.js';
import { planRelation, type RelationPlan, type TrackedPlan } from '../pipeline/relation-plan.js';
import { NO_FACTS, type TableFacts } from '../pipeline/table-facts.js';
import type { Catalog, CatalogTable } from '../tracking/catalog.js';
import type { KeyPath } from '../tracking/document.js';
import { ruleFor } from '../tracking/match.js';
import type { Place } from '../tracking/places.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import { Words } from './words.js';

/** A tracked table, compiled by the pipeline as for capture. */
export interface Subject {
  readonly config: TrackingConfig;
  readonly relation: Relation;
  readonly facts: TableFacts;
  readonly rule: TableRule;
  readonly plan: RelationPlan;
  readonly tracked: TrackedPlan;
  readonly words: Words;
  /** A key for hashes. It is not the trail's, which only capture reads, so its hashes are not shown. */
  readonly redactionKey: Buffer;
  /** The place of a key of the table's rule in the file. */
  readonly at: (...keys: KeyPath) => Place;
}

/**
 * Compiles a table. Returns undefined if the configuration does not track it.
 *
 * @param options.facts undefined if the catalog of the source could not be asked, or does not know the table
 * @param options.versions of tables that the trail knows, oldest first
 */
export function subjectOf(options: {
  readonly config: TrackingConfig;
  readonly relation: Relation;
  readonly facts: TableFacts | undefined;
  readonly versions: readonly RelationVersion[];
}): Subject | undefined {
  const { config, relation, facts = NO_FACTS } = options;
  const words = new Words(options.versions);
  const redactionKey = randomBytes(32);
  const plan = planRelation({
    relation,
    config,
    facts,
    xid: 0,
    dictionary: words,
    entityTypes: new EntityTypes({ config, dictionary: words }),
    redactionKey,
  });
  const rule = ruleFor(config, relation);
  const { tracked } = plan;
  if (rule === undefined || tracked === null) return undefined;
  return {
    config,
    relation,
    facts,
    rule,
    plan,
    tracked,
    words,
    redactionKey,
    at: (...keys) => config.places.find(['tables', rule.pattern, ...keys]),
  };
}

/** Describes a table as the stream does after `apply`: with full replica identity. */
export const relationOf = (table: CatalogTable): Relation => ({
  oid: Number(table.oid),
  schema: table.schema,
  table: table.name,
  replicaIdentity: 'f',
  columns: table.columns
    .filter(({ generated }) => generated !== 'virtual')
    .map(({ name, typeOid }) => ({ name, typeOid, typeModifier: -1, isKey: true })),
});

/** Returns what the catalog tells about a table. The explained change is newer than all of it. */
export const factsOf = (table: CatalogTable, { types }: Catalog): TableFacts => ({
  knownAs: null,
  primaryKey: table.primaryKey,
  keyXid: null,
  partitioned: table.kind === 'partitioned',
  attributes: table.attributes.map((attribute) => ({ ...attribute, xid: null })),
  named: new Map(),
  types,
});
