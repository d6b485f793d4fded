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
  /** Person in whose name the modifier acted; null: the modifier acted in their own name. */
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
  /** OID of the type; of a domain, its base type. */
  readonly type: number;
  /** Labels by stored value. */
  readonly values?: Readonly<Record<string, string>>;
  /** `table_name` in `trail.lookup`: its names are the labels of the values, or of an array's elements. */
  readonly label?: string;
  // Parts of values; see value-parts.ts.
  readonly array?: true;
  readonly bits?: BitWords;
  readonly members?: readonly MemberWords[];
}

/** A column as it is stored: the type of a domain is the domain. */
type WrittenColumn = StoredColumn & { readonly base?: number };

const printedColumn = ({ base, ...column }: WrittenColumn): StoredColumn =>
  base === undefined ? column : { ...column, type: base };

/** Greatest id of each dictionary in one snapshot of the trail. */
export interface GreatestIds {
  readonly modifier: number;
  readonly action: number;
  readonly entity_type: number;
  readonly tenant: number;
  readonly relation: number;
  /** Greatest id of `trail.configuration`. The last row has the texts for actions. */
  readonly configuration: number;
}

/** Largest number of modifiers, and of tenants, that are held. Each has keys and names of at most 2 kB. */
const MOST_HELD = 20_000;
/** Number of modifiers that one statement groups by key. */
const IDS_TOGETHER = 50_000;

/** Ids of a key up to a greatest id of the dictionary. */
interface IdsOfKey {
  readonly ids: readonly number[];
  readonly upTo: number;
}

/**
 * The trail's dictionaries for readers. write/dictionary.ts fills them. Rows are only added, so rows in
 * memory stay valid. Actions, entity types and table versions are held completely, and `refresh` reads only
 * new rows. The number of modifiers and tenants has no limit, so they are read when needed, and those used
 * last are held.
 */
export class ReaderDictionaries {
  readonly relations = new Map<number, StoredRelation>();
  readonly actions = new NameDictionary();
  readonly entityTypes = new NameDictionary();
  readonly #modifiers = new CachedRows<number, StoredModifier>({ most: MOST_HELD, read: readModifiers });
  readonly #tenants = new CachedRows<number, string>({ most: MOST_HELD, read: readTenants });
  readonly #tenantIds = new CachedRows<string, number>({ most: MOST_HELD, read: readTenantIds });
  /** Ids by key: of modifiers with the key, and of modifiers who acted as the person with the key. */
  readonly #idsByKey = { modifiers: new Map<string, IdsOfKey>(), actingAs: new Map<string, IdsOfKey>() };
  /** First id with the same key, by id; 0: the id is the first. This takes four bytes for each modifier. */
  #firstIds = new Int32Array(0);
  /** Newest id with the same key, by first id; 0: the first id is the only one. */
  #newestIds = new Int32Array(0);
  /**
   * Row of the person acted as, by id; 0: nobody. Empty as long as no modifier has acted as somebody else.
   */
  #actedAs = new Int32Array(0);
  readonly #held = { action: 0, entity_type: 0, relation: 0, configuration: 0 };
  /** Text of the YAML in effect, by action category. */
  #actionNames: ReadonlyMap<string, string> = new Map();

  /**
   * Reads the rows up to the greatest ids that are not held yet. The statements must run on `client` in the
   * snapshot that the ids are from.
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
      const { rows } = await client.query<{ id: number; table: string; columns: WrittenColumn[] }>(
        /* sql */ `select id, schema_name || '.' || table_name as table, columns from trail.relation where id > $1`,
        [held.relation],
      );
      for (const { id, table, columns } of rows)
        this.relations.set(id, { table, columns: columns.map(printedColumn) });
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

  /**
   * Returns the text for an action: that of the YAML in effect, or Waltrail's own. Null: its category is
   * shown.
   */
  actionText(id: number): string | null {
    const name = this.actions.name(id);
    return name === undefined ? null : (this.#actionNames.get(name) ?? ACTION_TEXTS.get(name) ?? null);
  }

  /** Returns modifiers by their ids. */
  modifiers(query: Query, ids: Iterable<number>): Promise<ReadonlyMap<number, StoredModifier>> {
    return this.#modifiers.get(query, ids);
  }

  /** Returns modifiers with their newest names and kinds, by the first ids of their keys (see `firstIds`). */
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

  /**
   * Returns the newest id of a key that is not greater than `greatest`. A later snapshot may have read
   * greater ones.
   */
  #newestId(first: number, greatest: number): number {
    let id = this.#newestIds[first] || first;
    if (id > greatest) for (id = Math.max(first, greatest); id > first && this.#firstIds[id] !== first;) id--;
    return id;
  }

  /** Returns the names of tenants by their ids. 0 stands for no tenant, and has no name. */
  tenants(query: Query, ids: Iterable<number>): Promise<ReadonlyMap<number, string>> {
    return this.#tenants.get(query, withoutZero(ids));
  }

  /** Returns the id of a tenant. Returns undefined if the trail does not know the tenant. */
  async tenantId(query: Query, name: string): Promise<number | undefined> {
    return (await this.#tenantIds.get(query, [name])).get(name);
  }

  /**
   * Returns the ids of modifiers with the given keys, or of modifiers who acted as a person with such a key.
   * A key has an id for each name and kind that it has had. The oldest come first.
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
   * Returns, by id, the row of the person as whom the modifier acted; 0: the modifier acted in their own
   * name. Returns undefined if no modifier has ever acted as somebody else.
   */
  async actedAs(query: Query, greatest: GreatestIds): Promise<Int32Array | undefined> {
    await this.firstIds(query, greatest);
    return this.#actedAs.length === 0 ? undefined : this.#actedAs;
  }

  /**
   * Returns, by id, the first id with the same key; 0: the id is the first. With it, all rows of a modifier
   * who was renamed or acted as somebody are counted together. Reads the new rows of the dictionary. Each key
   * is looked up once, whatever its number of rows. "+ 0" keeps the planner from scanning the index of ids
   * for it.
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
      // Another request may have read these rows, or more, while this one waited.
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
           -- If a damaged trail lacks the row, its number is the name.
           case when m.acting_as is not null then json_build_object(
             'key', coalesce(a.key, ''), 'name', coalesce(a.name, 'modifier ' || m.acting_as), 'kind', coalesce(a.kind, 'agent')) end as "actingAs"
      from trail.modifier m
      left join trail.modifier a on a.id = m.acting_as
     where m.id = any($1::int4[])`,
    [ids],
  );
  return rows.map((row) => [row.id, row]);
}

/** SQL for the ids of modifiers with a key, and of modifiers who acted as a person with a key. */
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

/** A dictionary of rows with an id and a name. */
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

  /** Returns the ids of the names that fulfil a predicate. */
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
