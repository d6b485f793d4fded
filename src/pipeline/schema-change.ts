import { quoteIdentifier } from '../pg/quote.js';
import { modifiedTypeName, typeName } from '../pg/type-name.js';
import type { Relation } from '../pgoutput/reader.js';
import { formatTable, type TableName } from '../tracking/names.js';
import { ruleFor } from '../tracking/match.js';
import type { TrackingConfig } from '../tracking/rules.js';
import type { EntryBuilder } from './entry-builder.js';
import { OWN, type Dictionary, type RelationVersion } from './ports.js';

/** The version of `waltrail.schema`: a table and its columns as one text. */
const SCHEMA_TABLE: RelationVersion = {
  schema: OWN,
  table: 'schema',
  columns: [{ name: 'columns', type: 25 }],
};

/**
 * Follows the shape of tracked tables. If a Relation message differs from what was known of the table, also
 * before a restart, an entry states it. The message comes with the first change after the DDL, so the entry
 * is in the transaction of that change, but unattributed.
 */
export class SchemaFollower {
  readonly #dictionary: Dictionary;
  readonly #builder: EntryBuilder;
  /** By table oid, as of the last Relation message. */
  readonly #shapes = new Map<number, Shape>();

  constructor(options: { readonly dictionary: Dictionary; readonly builder: EntryBuilder }) {
    this.#dictionary = options.dictionary;
    this.#builder = options.builder;
  }

  /**
   * Records a changed shape. Must be called before the dictionary is asked for the relation's version.
   *
   * @param options.known the relation under the name by which it is tracked
   * @returns true if an entry was written
   */
  follow(relation: Relation, options: { readonly known: Relation; readonly seq: number }): boolean {
    const { known, seq } = options;
    const newest = this.#dictionary.newestRelation(known);
    const before =
      this.#shapes.get(relation.oid) ?? (newest === undefined ? undefined : shapeOfVersion(newest));
    const now = shapeOf(relation);
    this.#shapes.set(relation.oid, now);
    if (before === undefined) return false;
    const what = SHAPE_TEXTS.find((text) => before[text] !== null && before[text] !== now[text]);
    if (what === undefined) return false;
    this.#builder.own({
      seq,
      relationId: this.#dictionary.relation(SCHEMA_TABLE),
      entityTypeId: this.#dictionary.entityType(OWN),
      actionId: this.#dictionary.action('schema_change'),
      entityId: formatTable(known),
      entityName: formatTable(known),
      previous: [before[what]],
      updated: [now[what]],
    });
    return true;
  }
}

/**
 * Returns the relation under the name that the YAML knows. A renamed table is still the same table, so its
 * changes must not be lost between two names.
 *
 * @param options.knownAs the name under which it was tracked at the last look; null: not known
 */
export function knownRelation(
  relation: Relation,
  options: { readonly config: TrackingConfig; readonly knownAs: TableName | null },
): Relation {
  const { config, knownAs } = options;
  if (knownAs === null || ruleFor(config, relation) !== undefined) return relation;
  return { ...relation, schema: knownAs.schema, table: knownAs.table };
}

/**
 * A table and its columns as two texts. `named` has the names of their types, as the trail stores them.
 * `modified` also has type modifiers, which only the stream has.
 */
interface Shape {
  readonly named: string;
  readonly modified: string | null;
}

/** The texts to compare, in this order. The first one that differs is recorded. */
const SHAPE_TEXTS = ['named', 'modified'] as const;

const shapeOf = (relation: Relation): Shape => ({
  named: shapeText(
    relation,
    relation.columns.map(({ name, typeOid }) => ({ name, type: typeName(typeOid) })),
  ),
  modified: shapeText(
    relation,
    relation.columns.map(({ name, typeOid, typeModifier }) => ({
      name,
      type: modifiedTypeName(typeOid, typeModifier),
    })),
  ),
});

const shapeOfVersion = (version: RelationVersion): Shape => ({
  named: shapeText(
    version,
    version.columns.map(({ name, type }) => ({ name, type: typeName(type) })),
  ),
  modified: null,
});

const shapeText = (
  table: TableName,
  columns: readonly { readonly name: string; readonly type: string }[],
): string =>
  `${formatTable(table)} (${columns.map(({ name, type }) => `${columnText(name)} ${type}`).join(', ')})`;

/**
 * Returns the name of a column. A name that could be read as two columns or as a type is quoted, so that
 * different shapes have different texts.
 */
const columnText = (name: string): string => (/^[^\s,()"]+$/.test(name) ? name : quoteIdentifier(name));
