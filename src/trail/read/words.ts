import type pg from 'pg';
import type { Kind } from '../../tracking/rules.js';

export interface ModifierWords {
  readonly id: number;
  /** Null: nobody. */
  readonly key: string | null;
  readonly name: string;
  /** Null: nobody. */
  readonly kind: Kind | null;
}

export interface RelationWords {
  readonly table: string;
  readonly columns: readonly ColumnWords[];
}

export interface ColumnWords {
  readonly name: string;
  /** OID of the type. */
  readonly type: number;
  /** Words for stored values. */
  readonly values?: Readonly<Record<string, string>>;
  /** `table_name` in trail.lookup whose names are the words. */
  readonly label?: string;
}

/** Greatest id of each dictionary, as one snapshot of the trail sees it. */
export interface WordCounts {
  readonly modifier: number;
  readonly action: number;
  readonly entity_type: number;
  readonly tenant: number;
  readonly relation: number;
}

/**
 * The trail's dictionaries in a reader's memory. Rows are only ever added, so what is held stays right and `refresh`
 * reads what is new.
 */
export class TrailWords {
  readonly modifiers = new Map<number, ModifierWords>();
  readonly relations = new Map<number, RelationWords>();
  readonly actions = new Names();
  readonly entityTypes = new Names();
  readonly tenants = new Names();
  readonly #modifiersByKey = new Map<string | null, number[]>();
  readonly #held = { modifier: -1, action: 0, entity_type: 0, tenant: 0, relation: 0 };

  /** Reads what `counts` says is new. The statements run on `client`, in the snapshot the counts are from. */
  async refresh(client: pg.ClientBase, counts: WordCounts): Promise<void> {
    const held = this.#held;
    if (counts.modifier > held.modifier) {
      const { rows } = await client.query<ModifierWords>(
        /* sql */ `select id, key, name, kind from trail.modifier where id > $1 order by id`,
        [held.modifier],
      );
      for (const row of rows) this.#addModifier(row);
      held.modifier = Math.max(held.modifier, counts.modifier);
    }
    for (const [table, names] of [
      ['action', this.actions],
      ['entity_type', this.entityTypes],
      ['tenant', this.tenants],
    ] as const) {
      if (counts[table] <= held[table]) continue;
      const { rows } = await client.query<{ id: number; name: string }>(
        `select id, name from trail.${table} where id > $1`,
        [held[table]],
      );
      for (const { id, name } of rows) names.add(id, name);
      held[table] = Math.max(held[table], counts[table]);
    }
    if (counts.relation > held.relation) {
      const { rows } = await client.query<{ id: number; table: string; columns: ColumnWords[] }>(
        /* sql */ `select id, schema_name || '.' || table_name as table, columns from trail.relation where id > $1`,
        [held.relation],
      );
      for (const { id, table, columns } of rows) this.relations.set(id, { table, columns });
      held.relation = Math.max(held.relation, counts.relation);
    }
  }

  /** Most columns that a table has had. */
  get mostColumns(): number {
    let most = 0;
    for (const { columns } of this.relations.values()) most = Math.max(most, columns.length);
    return most;
  }

  /** Ids of all names and kinds that a key has had, oldest first; null: nobody. */
  modifierIds(key: string | null): readonly number[] {
    return this.#modifiersByKey.get(key) ?? [];
  }

  #addModifier(row: ModifierWords): void {
    // Two requests may read the same news at once.
    if (this.modifiers.has(row.id)) return;
    this.modifiers.set(row.id, row);
    const ids = this.#modifiersByKey.get(row.key);
    if (ids === undefined) this.#modifiersByKey.set(row.key, [row.id]);
    else ids.push(row.id);
  }
}

/** A dictionary of plain names. */
class Names {
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
