import { quoteIdentifier } from '../pg/quote.js';
import { typeName } from '../pg/type-name.js';
import type { Relation } from '../pgoutput/reader.js';
import { formatTable, type TableName } from '../tracking/names.js';
import { ruleFor } from '../tracking/match.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { EntryBuilder } from './entry-builder.js';
import { OWN, type Dictionary, type RelationVersion } from './ports.js';

/** Of `waltrail.schema`: the table and its columns as one text. */
const SCHEMA_TABLE: RelationVersion = {
  schema: OWN,
  table: 'schema',
  columns: [{ name: 'columns', type: 25 }],
};

/**
 * Follows the shape of tracked tables: whenever a relation message differs from what was known of the table,
 * also from before a restart, an entry says so. The message comes with the first change after the DDL, so the
 * entry stands in that change's transaction, but is nobody's.
 */
export class SchemaFollower {
  readonly #dictionary: Dictionary;
  readonly #builder: EntryBuilder;
  /** By oid, as of the last relation message. */
  readonly #shapes = new Map<number, string>();

  constructor(options: { readonly dictionary: Dictionary; readonly builder: EntryBuilder }) {
    this.#dictionary = options.dictionary;
    this.#builder = options.builder;
  }

  /**
   * Has to be called before the relation's version is asked for of the dictionary.
   *
   * @param known the relation under the name by which it is tracked
   * @returns true when an entry was written
   */
  follow(relation: Relation, options: { readonly known: Relation; readonly seq: number }): boolean {
    const { known, seq } = options;
    const newest = this.#dictionary.newestRelation(known);
    const before =
      this.#shapes.get(relation.oid) ?? (newest === undefined ? undefined : shapeOfVersion(newest));
    const now = shapeOf(relation);
    this.#shapes.set(relation.oid, now);
    if (before === undefined || before === now) return false;
    this.#builder.own({
      seq,
      relationId: this.#dictionary.relation(SCHEMA_TABLE),
      entityTypeId: this.#dictionary.entityType(OWN),
      actionId: this.#dictionary.action('schema_change'),
      entityId: formatTable(known),
      entityName: formatTable(known),
      previous: [before],
      updated: [now],
    });
    return true;
  }
}

/**
 * The relation under the name that the YAML knows: a table that was renamed is still the same table, and its
 * changes must not fall between two names.
 *
 * @param knownAs the name under which it was tracked when it was looked at last; null: not known
 */
export function knownRelation(
  relation: Relation,
  options: { readonly config: TrackingConfig; readonly knownAs: TableName | null },
): Relation {
  const { config, knownAs } = options;
  if (knownAs === null || ruleFor(config, relation) !== undefined) return relation;
  return { ...relation, schema: knownAs.schema, table: knownAs.table };
}

const shapeOf = (relation: Relation): string =>
  shapeText(
    relation,
    relation.columns.map(({ name, typeOid }) => ({ name, type: typeOid })),
  );

const shapeOfVersion = (version: RelationVersion): string => shapeText(version, version.columns);

const shapeText = (
  table: TableName,
  columns: readonly { readonly name: string; readonly type: number }[],
): string =>
  `${formatTable(table)} (${columns.map(({ name, type }) => `${columnText(name)} ${typeName(type)}`).join(', ')})`;

/** A name that could be taken for two columns, or for a type, is in quotes: two shapes are two texts. */
const columnText = (name: string): string => (/^[^\s,()"]+$/.test(name) ? name : quoteIdentifier(name));
