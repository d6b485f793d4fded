import { defaultEntity } from '../tracking/entity-default.js';
import { ruleFor } from '../tracking/match.js';
import { formatTable, isNeverTracked, isPattern, type TableName } from '../tracking/names.js';
import type { TableRule, TrackingConfig } from '../tracking/rules.js';
import { OWN, type Dictionary } from './ports.js';

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
  /** Tables by the types that they hold alone; undefined: nobody has asked yet. */
  #owners: Map<string, string> | undefined;

  constructor(options: {
    readonly config: TrackingConfig;
    readonly dictionary: Pick<Dictionary, 'seenTables'>;
  }) {
    this.#config = options.config;
    this.#dictionary = options.dictionary;
    this.#given = new Set([OWN, ...options.config.tables.flatMap((rule) => sharedEntity(rule) ?? [])]);
  }

  of(rule: TableRule, table: TableName): string {
    return sharedEntity(rule) ?? this.#claim(this.#taken(), rule, table);
  }

  #taken(): Map<string, string> {
    if (this.#owners !== undefined) return this.#owners;
    this.#owners = new Map();
    for (const table of this.#dictionary.seenTables()) {
      if (isNeverTracked(table.schema)) continue;
      const rule = ruleFor(this.#config, table);
      if (rule === undefined || sharedEntity(rule) === null) this.#claim(this.#owners, rule, table);
    }
    return this.#owners;
  }

  #claim(owners: Map<string, string>, rule: TableRule | undefined, table: TableName): string {
    const key = formatTable(table);
    for (const type of [rule?.entity ?? null, defaultEntity(table)]) {
      if (type === null || this.#given.has(type)) continue;
      const owner = owners.get(type) ?? key;
      owners.set(type, owner);
      if (owner === key) return type;
    }
    return key;
  }
}

/** The type that a rule gives to every table that it is for; null: to one at most. */
const sharedEntity = ({ entity, oneHistory, pattern }: TableRule): string | null =>
  oneHistory || !isPattern(pattern) ? entity : null;
