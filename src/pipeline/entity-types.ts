import { defaultEntity } from '../tracking/entity-default.js';
import { ruleFor } from '../tracking/match.js';
import { formatTable, isNeverTracked, isPattern, type TableName } from '../tracking/names.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import { OWN, type Dictionary } from './ports.js';

/** An entity type, and whether the ids of the table's rows belong to it. */
export interface EntityType {
  readonly type: string;
  /** False: many tables share the type, so their rows have no entity id. */
  readonly hasIds: boolean;
  readonly because: EntityReason;
}

/**
 * Why a table has its type: because of the key `entity`, because of the table's name, because other tables
 * have both of these, or because there are too many types.
 */
export type EntityReason = 'entity' | 'table name' | 'taken' | 'too many';

/**
 * Most tables that have a type of their own. The trail numbers types with 16 bits, and a login that may
 * create tables must not stop capture by creating too many.
 */
const MOST_OWN = 16_000;

/** The type of all further tables. */
const OTHER: EntityType = { type: 'other table', hasIds: false, because: 'too many' };

/**
 * Decides the entity type of each table. Two tables share the histories of their ids only if the YAML says
 * so: it gives one type to both by their names, or uses `one_history`. Any other type belongs to the table
 * that the trail has seen first. The next table that would get the same type gets its qualified name instead,
 * which no other table can have (DECISIONS 87).
 */
export class EntityTypes {
  readonly #config: TrackingConfig;
  readonly #dictionary: Pick<Dictionary, 'seenTables'>;
  /** Types that the YAML gives to tables by their names. */
  readonly #given: ReadonlySet<string>;
  /** Types that belong to one table each, by table. Undefined: not read yet. */
  #types: Map<string, string> | undefined;
  readonly #taken = new Set<string>();

  constructor(options: {
    readonly config: TrackingConfig;
    readonly dictionary: Pick<Dictionary, 'seenTables'>;
  }) {
    this.#config = options.config;
    this.#dictionary = options.dictionary;
    this.#given = new Set([
      OWN,
      OTHER.type,
      ...options.config.tables.flatMap((rule) => sharedEntity(rule) ?? []),
    ]);
  }

  of(rule: TableRule, table: TableName): EntityType {
    const shared = sharedEntity(rule);
    if (shared !== null) return { type: shared, hasIds: true, because: 'entity' };
    this.#types ??= this.#typesOfSeen();
    const type = this.#typeIn(this.#types, rule, table);
    if (type === null) return OTHER;
    const because = type === rule.entity ? 'entity' : type === defaultEntity(table) ? 'table name' : 'taken';
    return { type, hasIds: true, because };
  }

  #typesOfSeen(): Map<string, string> {
    const types = new Map<string, string>();
    for (const table of this.#dictionary.seenTables()) {
      if (isNeverTracked(table.schema)) continue;
      const rule = ruleFor(this.#config, table);
      if (rule === undefined || sharedEntity(rule) === null) this.#typeIn(types, rule, table);
    }
    return types;
  }

  /** Returns the type that this table alone has. Null: there are too many types. */
  #typeIn(types: Map<string, string>, rule: TableRule | undefined, table: TableName): string | null {
    const key = formatTable(table);
    const known = types.get(key);
    if (known !== undefined) return known;
    if (types.size >= MOST_OWN) return null;
    const type =
      [rule?.entity ?? null, defaultEntity(table)].find(
        (wanted) => wanted !== null && !this.#given.has(wanted) && !this.#taken.has(wanted),
      ) ?? key;
    this.#taken.add(type);
    types.set(key, type);
    return type;
  }
}

/**
 * Returns the type that a rule gives to every table that it matches. Null: at most one table gets its type.
 */
const sharedEntity = ({ entity, oneHistory, pattern }: TableRule): string | null =>
  oneHistory || !isPattern(pattern) ? entity : null;
