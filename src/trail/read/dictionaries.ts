import type pg from 'pg';
import type { Kind } from '../../tracking/rules.js';

/** A row of `trail.modifier`. */
export interface StoredModifier {
  readonly id: number;
  /** Null: unattributed. */
  readonly key: string | null;
  readonly name: string;
  /** Null: unattributed. */
  readonly kind: Kind | null;
}

/** A row of `trail.relation`: one version of a table. */
export interface StoredRelation {
  /** `schema.table`. */
  readonly table: string;
  readonly columns: readonly StoredColumn[];
}

export interface StoredColumn {
  readonly name: string;
  /** OID of the type. */
  readonly type: number;
  /** Labels of stored values. */
  readonly values?: Readonly<Record<string, string>>;
  /** `table_name` in `trail.lookup`, whose names are the labels. */
  readonly label?: string;
}

/** Greatest id of each dictionary, as one snapshot of the trail sees it. */
export interface GreatestIds {
  readonly modifier: number;
  readonly action: number;
  readonly entity_type: number;
  readonly tenant: number;
  readonly relation: number;
}

/**
 * The trail's dictionaries in a reader's memory; write/dictionary.ts fills them. Rows are only ever added, so
 * what is held stays valid, and `refresh` reads only what is new.
 */
export class ReaderDictionaries {
  readonly modifiers = new Map<number, StoredModifier>();
  readonly relations = new Map<number, StoredRelation>();
  readonly actions = new NameDictionary();
  readonly entityTypes = new NameDictionary();
  readonly tenants = new NameDictionary();
  readonly #modifiersByKey = new Map<string | null, number[]>();
  readonly #held = { modifier: -1, action: 0, entity_type: 0, tenant: 0, relation: 0 };

  /**
   * Reads the rows up to the greatest ids that are not held. The statements run on `client`, in the snapshot
   * that the ids are from.
   */
  async refresh(client: pg.ClientBase, greatest: GreatestIds): Promise<void> {
    const held = this.#held;
    if (greatest.modifier > held.modifier) {
      const { rows } = await client.query<StoredModifier>(
        /* sql */ `select id, key, name, kind from trail.modifier where id > $1 order by id`,
        [held.modifier],
      );
      for (const row of rows) this.#addModifier(row);
      held.modifier = Math.max(held.modifier, greatest.modifier);
    }
    for (const [table, dictionary] of [
      ['action', this.actions],
      ['entity_type', this.entityTypes],
      ['tenant', this.tenants],
    ] as const) {
      if (greatest[table] <= held[table]) continue;
      const { rows } = await client.query<{ id: number; name: string }>(
        `select id, name from trail.${table} where id > $1`,
        [held[table]],
      );
      for (const { id, name } of rows) dictionary.add(id, name);
      held[table] = Math.max(held[table], greatest[table]);
    }
    if (greatest.relation > held.relation) {
      const { rows } = await client.query<{ id: number; table: string; columns: StoredColumn[] }>(
        /* sql */ `select id, schema_name || '.' || table_name as table, columns from trail.relation where id > $1`,
        [held.relation],
      );
      for (const { id, table, columns } of rows) this.relations.set(id, { table, columns });
      held.relation = Math.max(held.relation, greatest.relation);
    }
  }

  /** Greatest number of columns that a table has had. */
  get mostColumns(): number {
    let most = 0;
    for (const { columns } of this.relations.values()) most = Math.max(most, columns.length);
    return most;
  }

  /**
   * Returns the ids of all names and kinds that a key has had, oldest first. The key null stands for
   * unattributed.
   */
  modifierIds(key: string | null): readonly number[] {
    return this.#modifiersByKey.get(key) ?? [];
  }

  #addModifier(row: StoredModifier): void {
    // Two requests may read the same new rows at once.
    if (this.modifiers.has(row.id)) return;
    this.modifiers.set(row.id, row);
    const ids = this.#modifiersByKey.get(row.key);
    if (ids === undefined) this.#modifiersByKey.set(row.key, [row.id]);
    else ids.push(row.id);
  }
}

/** A dictionary whose rows are an id and a name. */
class NameDictionary {
  readonly #names = new Map<number, string>();
  readonly #ids = new Map<string, number>();

  add(id: number, name: string): void {
    this.#names.set(id, name);
    this.#ids.set(name, id);
  }

  name(id: number): string | undefined {
    return this.#names.get(id);
  }

  id(name: string): number | undefined {
    return this.#ids.get(name);
  }

  get ids(): readonly number[] {
    return [...this.#names.keys()];
  }
}
