import { defaultEntity } from '../tracking/entity-default.js';
import { ruleFor } from '../tracking/match.js';
import { formatTable, isNeverTracked, isPattern, type TableName } from '../tracking/names.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import { OWN, type Dictionary } from './ports.js';

/** An entity type, and whether ids of the table's rows are ids of it. */
export interface EntityType {
  readonly type: string;
  /** False: the type is that of many tables, so rows have no entity id. */
  readonly hasIds: boolean;
  readonly because: EntityReason;
}

/**
 * Why a type is what it is: the key `entity`, the name of the table, that both belong to other tables, or
 * that too many tables have one.
 */
export type EntityReason = 'entity' | 'table name' | 'taken' | 'too many';

/**
 * As many tables have a type of their own: the trail numbers types with 16 bits, and whoever may make tables
 * must not stop capture by making too many of them.
 */
const MOST_OWN = 16_000;

/** What rows of all further tables are called. */
const OTHER: EntityType = { type: 'other table', hasIds: false, because: 'too many' };

/**
 * Decides what entity type each table has. Ids of two tables never share a history unless the YAML says so:
 * by naming one type for both by their names, or by `one_history`. Any other type belongs to the table that
 * the trail has seen first; the next one that would be called so has a type that nothing else can have, its
 * qualified name (DECISIONS 87).
 */
export class EntityTypes {
  readonly #config: TrackingConfig;
  readonly #dictionary: Pick<Dictionary, 'seenTables'>;
  /** Types that the YAML gives to tables by their names. */
  readonly #given: ReadonlySet<string>;
  /** Types by the tables that hold them alone; undefined: nobody has asked yet. */
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

  /** The type of a table that no other has; null: there are too many. */
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

/** The type that a rule gives to every table that it is for; null: to one at most. */
const sharedEntity = ({ entity, oneHistory, pattern }: TableRule): string | null =>
  oneHistory || !isPattern(pattern) ? entity : null;
