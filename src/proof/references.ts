import type pg from 'pg';
import { copyBinary, RowFields } from '../pg/copy-binary.js';
import { OWN } from '../pipeline/ports.js';
import { firstIdOfDay } from '../trail/entry-id.js';
import { entryText, type Findings } from './findings.js';
import { AT_RELATION, idOf } from './stretch.js';

/** Dictionaries that an entry refers to by number. Tenant 0 is no tenant. */
const DICTIONARIES = {
  modifiers: { table: 'modifier', column: 'modifier_id' },
  entityTypes: { table: 'entity_type', column: 'entity_type_id' },
  actions: { table: 'action', column: 'action_id' },
  tenants: { table: 'tenant', column: 'tenant_id' },
  relations: { table: 'relation', column: 'relation_id' },
} as const;
export type Referred = keyof typeof DICTIONARIES;

/** Contexts that entries of a day refer to, by their ids, each with the first such entry. */
export interface ContextsOfDay {
  readonly day: number;
  readonly contexts: ReadonlyMap<bigint, bigint>;
}

/** The list of a dictionary before it is first read. Dictionaries only grow, so later reads add to it. */
const NO_IDS = new Int32Array(0);

/**
 * The ids of the rows that entries refer to, in the dictionaries and in `trail.gap`. Each takes 4 bytes, so a
 * million modifiers take 4 MB.
 */
export class References {
  readonly #findings: Findings;
  readonly #ids: Record<Referred | 'gaps', Int32Array> = {
    modifiers: NO_IDS,
    entityTypes: NO_IDS,
    actions: NO_IDS,
    tenants: NO_IDS,
    relations: NO_IDS,
    gaps: NO_IDS,
  };
  #gapRelations: readonly number[] = [];
  #gapClosed = -1;
  /** Modifiers up to this number are checked. */
  #checkedModifier = 0;
  #lastRelation = -1;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Id of the action `gap_closed`; -1 if it does not exist. */
  get gapClosed(): number {
    return this.#gapClosed;
  }

  /** Reads the ids that were added since the last call. */
  async refresh(client: pg.Client): Promise<void> {
    for (const [name, { table }] of Object.entries(DICTIONARIES))
      await this.#extend(client, { name: name as Referred, table });
    await this.#checkActing(client);
    await this.#extend(client, { name: 'gaps', table: 'gap' });
    const { rows } = await client.query<{ relations: number[]; closed: number | null }>(
      /* sql */ `select array(select id from trail.relation where schema_name = $1 and table_name = 'gap') as relations,
                        (select id from trail.action where name = 'gap_closed') as closed`,
      [OWN],
    );
    this.#gapRelations = rows[0]!.relations;
    this.#gapClosed = rows[0]!.closed ?? -1;
  }

  isGapRelation(relation: number): boolean {
    return this.#gapRelations.includes(relation);
  }

  hasGap(gap: number): boolean {
    return isIn(this.#ids.gaps, gap);
  }

  /** Whether a dictionary has an id. */
  has(dictionary: Referred, id: number): boolean {
    return (dictionary === 'tenants' && id === 0) || isIn(this.#ids[dictionary], id);
  }

  /** Checks that the contexts exist to which entries of a day refer. */
  async checkContexts(client: pg.Client, { day, contexts }: ContextsOfDay): Promise<void> {
    if (contexts.size === 0) return;
    const { rows } = await client.query<{ id: string }>(
      /* sql */ `
      select w.id::text from unnest($1::int8[]) as w (id)
       where not exists (select from trail.context c
                          where c.id = w.id and c.id >= ${firstIdOfDay(day)} and c.id < ${firstIdOfDay(day + 1)})`,
      [[...contexts.keys()].map(String)],
    );
    for (const { id } of rows)
      this.#findings.add(
        'reference',
        `trail.context has no row ${id}, to which ${entryText(contexts.get(BigInt(id))!)} refers (extra).`,
      );
  }

  /** Checks that whom new modifiers acted as is there, and acts as nobody. */
  async #checkActing(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ id: number; acting_as: number; is_there: boolean }>(
      /* sql */ `
      select m.id, m.acting_as, a.id is not null as is_there
        from trail.modifier m
        left join trail.modifier a on a.id = m.acting_as
       where m.acting_as is not null and m.id > $1 and (a.id is null or a.key is null or a.acting_as is not null)
       order by m.id`,
      [this.#checkedModifier],
    );
    for (const { id, acting_as: person, is_there: isThere } of rows)
      this.#findings.add(
        'reference',
        isThere
          ? `Row ${person} of trail.modifier, to which row ${id} refers (acting_as), acts as somebody itself.`
          : `trail.modifier has no row ${person}, to which row ${id} refers (acting_as).`,
      );
    this.#checkedModifier = this.#ids.modifiers.at(-1) ?? 0;
  }

  /** Checks the table version of a row of entries. */
  checkRelation(row: Buffer, at: number): void {
    const relation = row.readInt32BE(at + AT_RELATION);
    if (relation === this.#lastRelation) return;
    if (this.has('relations', relation)) this.#lastRelation = relation;
    else this.report('relations', { id: relation, entries: entryText(idOf(row, at)) });
  }

  /** Adds the finding for an id that is missing in its dictionary. */
  report(dictionary: Referred, missing: { readonly id: number; readonly entries: string }): void {
    const { table, column } = DICTIONARIES[dictionary];
    this.#findings.add(
      'reference',
      `trail.${table} has no row ${missing.id}, to which ${missing.entries} refers (${column}).`,
    );
  }

  async #extend(
    client: pg.Client,
    { name, table }: { readonly name: Referred | 'gaps'; readonly table: string },
  ): Promise<void> {
    const held = this.#ids[name];
    const greatest = held.at(-1);
    const more: number[] = [];
    const where = greatest === undefined ? '' : `where id > ${greatest}`;
    await copyBinary(
      client,
      `copy (select id::int4 from trail.${table} ${where} order by id) to stdout (format binary)`,
      (row, at) => more.push(new RowFields(row, at).int4()),
    );
    if (more.length === 0) return;
    const ids = new Int32Array(held.length + more.length);
    ids.set(held);
    ids.set(more, held.length);
    this.#ids[name] = ids;
  }
}

/** Whether a sorted array has a value. */
function isIn(sorted: Int32Array, value: number): boolean {
  let from = 0;
  for (let to = sorted.length; from < to;) {
    const middle = (from + to) >>> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === value;
}
