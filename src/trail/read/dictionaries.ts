import type pg from 'pg';
import type { BitWords, MemberWords } from '../../pipeline/ports.js';
import type { Kind } from '../../tracking/rules.js';
import { ACTION_TEXTS, actionNamesOf } from './action-names.js';
import { CachedRows } from './cached-rows.js';
import type { ActedAs } from './entry.js';
import type { Query } from './plans.js';

/** A row of `trail.modifier`. */
export interface StoredModifier {
  readonly id: number;
  /** Null: unattributed. */
  readonly key: string | null;
  readonly name: string;
  /** Null: unattributed. */
  readonly kind: Kind | null;
  /** In whose name the modifier acted; null: in their own. */
  readonly actingAs: ActedAs | null;
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
  /** `table_name` in `trail.lookup`, whose names are the labels; of an array, those of its elements. */
  readonly label?: string;
  // What values are made of: see value-parts.ts.
  readonly array?: true;
  readonly bits?: BitWords;
  readonly members?: readonly MemberWords[];
}

/** Greatest id of each dictionary, as one snapshot of the trail sees it. */
export interface GreatestIds {
  readonly modifier: number;
  readonly action: number;
  readonly entity_type: number;
  readonly tenant: number;
  readonly relation: number;
  /** Of `trail.configuration`, from the last row of which texts for actions are. */
  readonly configuration: number;
}

/** Modifiers and tenants that are held at most, each with keys and names of at most 2 kB. */
const MOST_HELD = 20_000;
/** Modifiers that are asked together which of them share a key. */
const IDS_TOGETHER = 50_000;

/** The ids of a key as of a greatest id of the dictionary. */
interface IdsOfKey {
  readonly ids: readonly number[];
  readonly upTo: number;
}

/**
 * The trail's dictionaries as a reader needs them; write/dictionary.ts fills them. Rows are only ever added,
 * so what is held stays valid. Actions, entity types and table versions are held whole, and `refresh` reads
 * only what is new. Modifiers and tenants are as many as anybody invents, so they are read when they are
 * needed, and the last used are held.
 */
export class ReaderDictionaries {
  readonly relations = new Map<number, StoredRelation>();
  readonly actions = new NameDictionary();
  readonly entityTypes = new NameDictionary();
  readonly #modifiers = new CachedRows<number, StoredModifier>({ most: MOST_HELD, read: readModifiers });
  readonly #tenants = new CachedRows<number, string>({ most: MOST_HELD, read: readTenants });
  readonly #tenantIds = new CachedRows<string, number>({ most: MOST_HELD, read: readTenantIds });
  /** By key, ids of who acted, and of who acted in the name of the key. */
  readonly #idsByKey = { modifiers: new Map<string, IdsOfKey>(), actingAs: new Map<string, IdsOfKey>() };
  /** By id the first id with the same key; 0: it is the first. Four bytes for each modifier. */
  #firstIds = new Int32Array(0);
  /** By first id the newest with the same key; 0: it is the only one. */
  #newestIds = new Int32Array(0);
  /** By id the row of the person acted as; 0: nobody. Nothing as long as nobody has acted as somebody. */
  #actedAs = new Int32Array(0);
  readonly #held = { action: 0, entity_type: 0, relation: 0, configuration: 0 };
  /** By action category, what the YAML in effect has shown for it. */
  #actionNames: ReadonlyMap<string, string> = new Map();

  /**
   * Reads the rows up to the greatest ids that are not held. The statements run on `client`, in the snapshot
   * that the ids are from.
   */
  async refresh(client: pg.ClientBase, greatest: GreatestIds): Promise<void> {
    const held = this.#held;
    for (const [table, dictionary] of [
      ['action', this.actions],
      ['entity_type', this.entityTypes],
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
    if (greatest.configuration > held.configuration) {
      const { rows } = await client.query<{ document: string }>(
        'select document from trail.configuration where id = $1',
        [greatest.configuration],
      );
      if (greatest.configuration <= held.configuration) return;
      held.configuration = greatest.configuration;
      this.#actionNames = actionNamesOf(rows[0]?.document ?? '{}');
    }
  }

  /** What is shown for an action: what the YAML in effect says, or a text of ours; null: its category. */
  actionText(id: number): string | null {
    const name = this.actions.name(id);
    return name === undefined ? null : (this.#actionNames.get(name) ?? ACTION_TEXTS.get(name) ?? null);
  }

  /** Returns modifiers by their ids. */
  modifiers(query: Query, ids: Iterable<number>): Promise<ReadonlyMap<number, StoredModifier>> {
    return this.#modifiers.get(query, ids);
  }

  /** Returns modifiers with their newest names and kinds, by the first ids of their keys; see `firstIds`. */
  async newestModifiers(
    query: Query,
    { firstIds, greatest }: { readonly firstIds: readonly number[]; readonly greatest: GreatestIds },
  ): Promise<ReadonlyMap<number, StoredModifier>> {
    const newest = firstIds.map((first) => this.#newestId(first, greatest.modifier));
    const modifiers = await this.#modifiers.get(query, newest);
    return new Map(
      firstIds.flatMap((first, index) => {
        const modifier = modifiers.get(newest[index]!);
        return modifier === undefined ? [] : [[first, modifier] as const];
      }),
    );
  }

  /** The newest id of a key that is not greater than `greatest`: a later snapshot may have read more. */
  #newestId(first: number, greatest: number): number {
    let id = this.#newestIds[first] || first;
    if (id > greatest) for (id = Math.max(first, greatest); id > first && this.#firstIds[id] !== first;) id--;
    return id;
  }

  /** Returns the names of tenants by their ids; 0, no tenant, has none. */
  tenants(query: Query, ids: Iterable<number>): Promise<ReadonlyMap<number, string>> {
    return this.#tenants.get(query, withoutZero(ids));
  }

  /** Returns the id of a tenant; undefined if the trail does not know it. */
  async tenantId(query: Query, name: string): Promise<number | undefined> {
    return (await this.#tenantIds.get(query, [name])).get(name);
  }

  /**
   * Returns the ids of all names and kinds that each key has had, oldest first: those of the modifiers with
   * the keys, or of the modifiers who acted as somebody with one.
   */
  async modifierIds(
    query: Query,
    {
      keys,
      of,
      greatest,
    }: {
      readonly keys: readonly string[];
      readonly of: 'modifiers' | 'actingAs';
      readonly greatest: GreatestIds;
    },
  ): Promise<readonly number[]> {
    const idsByKey = this.#idsByKey[of];
    const stale = keys.filter((key) => (idsByKey.get(key)?.upTo ?? -1) < greatest.modifier);
    const found = new Map<string, number[]>(stale.map((key) => [key, []]));
    if (stale.length > 0) {
      const { rows } = await query<{ key: string; id: number }>(IDS_SQL[of], [stale]);
      for (const { key, id } of rows) found.get(key)!.push(id);
    }
    const ids = keys.flatMap((key) => found.get(key) ?? idsByKey.get(key)!.ids);
    if (idsByKey.size + found.size > MOST_HELD) idsByKey.clear();
    for (const [key, ids] of found) idsByKey.set(key, { ids, upTo: greatest.modifier });
    return ids;
  }

  /**
   * Returns by id the row of the person in whose name the modifier acted, 0 where in their own; undefined:
   * nobody has ever acted as somebody else.
   */
  async actedAs(query: Query, greatest: GreatestIds): Promise<Int32Array | undefined> {
    await this.firstIds(query, greatest);
    return this.#actedAs.length === 0 ? undefined : this.#actedAs;
  }

  /**
   * Returns by id the first id with the same key, 0 where the id is the first: modifiers who were renamed or
   * acted as somebody are counted together. Reads what is new of the dictionary. Each key is looked up once,
   * however many rows it has; "+ 0" keeps the planner from looking for it along the index of ids.
   */
  async firstIds(query: Query, greatest: GreatestIds): Promise<Int32Array> {
    for (let held = this.#firstIds.length - 1; held < greatest.modifier;) {
      const upTo = Math.min(greatest.modifier, held + IDS_TOGETHER);
      const { rows } = await query<{ ids: number[]; firsts: number[]; acting: number[]; persons: number[] }>(
        /* sql */ `
        with new as materialized (select id, key, acting_as from trail.modifier where id > $1 and id <= $2),
             known as materialized (
               select k.key, o.first from (select distinct key from new) k
                cross join lateral (select min(o.id + 0) as first from trail.modifier o where o.key = k.key) o)
        select coalesce(array_agg(n.id) filter (where k.first < n.id), '{}') as ids,
               coalesce(array_agg(k.first) filter (where k.first < n.id), '{}') as firsts,
               coalesce(array_agg(n.id) filter (where n.acting_as is not null), '{}') as acting,
               coalesce(array_agg(n.acting_as) filter (where n.acting_as is not null), '{}') as persons
          from new n join known k using (key)`,
        [held, upTo],
      );
      // Another request may have read more meanwhile.
      if (upTo >= this.#firstIds.length) {
        this.#firstIds = grown(this.#firstIds, upTo + 1);
        this.#newestIds = grown(this.#newestIds, upTo + 1);
        for (const [index, id] of rows[0]!.ids.entries()) {
          const first = rows[0]!.firsts[index]!;
          this.#firstIds[id] = first;
          this.#newestIds[first] = Math.max(id, this.#newestIds[first]!);
        }
        const { acting, persons } = rows[0]!;
        if (acting.length > 0 || this.#actedAs.length > 0) this.#actedAs = grown(this.#actedAs, upTo + 1);
        for (const [index, id] of acting.entries()) this.#actedAs[id] = persons[index]!;
      }
      held = Math.max(upTo, this.#firstIds.length - 1);
    }
    return this.#firstIds;
  }
}

function grown(ids: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(length);
  longer.set(ids);
  return longer;
}

async function readModifiers(
  query: Query,
  ids: readonly number[],
): Promise<(readonly [number, StoredModifier])[]> {
  const { rows } = await query<StoredModifier>(
    /* sql */ `
    select m.id, m.key, m.name, m.kind,
           -- A row that is not there, in a damaged trail, is called by its number.
           case when m.acting_as is not null then json_build_object(
             'key', coalesce(a.key, ''), 'name', coalesce(a.name, 'modifier ' || m.acting_as), 'kind', coalesce(a.kind, 'agent')) end as "actingAs"
      from trail.modifier m
      left join trail.modifier a on a.id = m.acting_as
     where m.id = any($1::int4[])`,
    [ids],
  );
  return rows.map((row) => [row.id, row]);
}

/** Keys with the ids that they have, or that acted as somebody with one. */
const IDS_SQL = {
  modifiers: /* sql */ `
    select m.key, m.id from unnest($1::text[]) as asked (key) join trail.modifier m using (key) order by m.id`,
  actingAs: /* sql */ `
    select a.key, m.id from unnest($1::text[]) as asked (key) join trail.modifier a using (key)
      join trail.modifier m on m.acting_as = a.id order by m.id`,
} as const;

async function readTenants(query: Query, ids: readonly number[]): Promise<(readonly [number, string])[]> {
  const { rows } = await query<{ id: number; name: string }>(
    /* sql */ `select id, name from trail.tenant where id = any($1::int4[])`,
    [ids],
  );
  return rows.map(({ id, name }) => [id, name]);
}

async function readTenantIds(query: Query, names: readonly string[]): Promise<(readonly [string, number])[]> {
  const { rows } = await query<{ id: number; name: string }>(
    /* sql */ `select id, name from trail.tenant where name = any($1::text[])`,
    [names],
  );
  return rows.map(({ id, name }) => [name, id]);
}

function* withoutZero(ids: Iterable<number>): Generator<number, void, undefined> {
  for (const id of ids) if (id !== 0) yield id;
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

  /** Returns the ids of the names of which a predicate is true. */
  idsWhere(isWanted: (name: string, id: number) => boolean): number[] {
    return [...this.#names].flatMap(([id, name]) => (isWanted(name, id) ? [id] : []));
  }

  get ids(): Iterable<number> {
    return this.#names.keys();
  }

  id(name: string): number | undefined {
    return this.#ids.get(name);
  }
}
