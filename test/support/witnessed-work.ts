/*
 * Random transactions of an application that several people use at once, and who really made each change of
 * them.
 */

import { generator, type Random } from './load.ts';

export const WORK_SQL = `
  create table users (id int primary key, name text);
  insert into users select i, 'Person ' || i from generate_series(1, 9) i;
  create table conversations (id int primary key, state text);
  create table notes (id int primary key, state text, updated_by int);
  create table audits (id int generated always as identity primary key, user_id int, auditable_type text, auditable_id int);`;

/** The setting by which the application says on whose behalf it works. */
export const WORK_SESSION = 'session: [{ setting: app.user_id }]';

export const WORK_YAML = `
modifiers: { table: public.users, key: id, name: "{name}" }
attribution: [{ table: public.audits, modifier: user_id, row: { type: auditable_type, key: auditable_id } }]
tables:
  public.conversations: { entity: conversation }
  public.notes: { entity: note, modifier: updated_by }
`;

/** One transaction, and who made each of its changes, in their order; null: nobody in particular. */
export interface Work {
  readonly sql: string;
  readonly actors: readonly (string | null)[];
}

/** Where the application writes the audit row of a change. */
type Order = 'behind' | 'before' | 'behind inserts, before others';
const ORDERS: readonly Order[] = ['behind', 'before', 'behind inserts, before others'];

/**
 * Of several people in one transaction each has audit rows, one for each change or run of changes of a
 * conversation, in the order of the application; notes name who changed them and have no audit row. One
 * person alone may leave out any of this.
 */
export class Application {
  readonly #random: Random;
  readonly #sets: boolean;
  #conversations: number[] = [];
  #notes: number[] = [];
  #nextId = 1;

  /** @param options.setsSettings it says in a setting on whose behalf it works, whatever else it does */
  constructor(seed: number, { setsSettings = false }: { readonly setsSettings?: boolean } = {}) {
    this.#random = generator(seed);
    this.#sets = setsSettings;
  }

  /** @param options.isLarge it does not fit into the buffers of capture */
  transaction(options: { readonly isLarge: boolean }): Work {
    const below = (limit: number): number => this.#below(limit);
    const isAlone = below(2) === 0;
    const people = isAlone ? 1 : 2 + below(2);
    const first = below(9);
    const plan: Plan = {
      order: ORDERS[below(ORDERS.length)]!,
      isAlone,
      rows: options.isLarge ? 3_500 : 1,
    };
    const messages = below(3) === 0;
    const statements: string[] = [];
    const actors: (string | null)[] = [];
    const units = people * (1 + below(2));
    for (let unit = 0; unit < units; unit++) {
      const actor = !isAlone && below(6) === 0 ? null : String(((first + (unit % people)) % 9) + 1);
      const kept = { conversations: this.#conversations, notes: this.#notes };
      const work: Unit = {
        actor,
        sql: [...(messages ? [say(actor)] : []), ...(this.#sets ? [set(actor)] : [])],
        by: [],
      };
      for (let steps = 1 + below(3); steps > 0; steps--) this.#step(plan, work);
      if (below(5) === 0) {
        statements.push('savepoint s', ...work.sql, 'rollback to s');
        this.#conversations = kept.conversations;
        this.#notes = kept.notes;
        continue;
      }
      statements.push(...work.sql);
      actors.push(...work.by);
    }
    if (isAlone && !messages && below(4) === 0) statements.push(say(String(first + 1)));
    return { sql: `begin; ${statements.join('; ')}; commit`, actors };
  }

  #step(plan: Plan, unit: Unit): void {
    if (unit.actor !== null && this.#below(3) === 0) return this.#note(unit);
    const is = this.#conversations.length === 0 ? 0 : this.#below(3);
    if (is === 0) return this.#add(plan, unit);
    const id = this.#conversations[this.#below(this.#conversations.length)]!;
    if (is === 2) this.#conversations = this.#conversations.filter((other) => other !== id);
    const changes =
      is === 2
        ? [`delete from conversations where id = ${id}`]
        : Array.from(
            { length: 1 + this.#below(2) },
            () => `update conversations set state = state || 'x' where id = ${id}`,
          );
    this.#audited(plan, unit, {
      changes,
      audit: `values (${unit.actor}, 'Conversation', ${id})`,
      isInsert: false,
    });
    unit.by.push(...changes.map(() => unit.actor));
  }

  #add(plan: Plan, unit: Unit): void {
    const from = this.#nextId;
    this.#nextId += plan.rows;
    const ids = `from generate_series(${from}, ${this.#nextId - 1}) i`;
    const changes = [`insert into conversations select i, 'new' ${ids}`];
    this.#audited(plan, unit, {
      changes,
      audit: `select ${unit.actor}, 'Conversation', i ${ids}`,
      isInsert: true,
    });
    unit.by.push(...new Array<string | null>(plan.rows).fill(unit.actor));
    this.#conversations = [...this.#conversations, from];
  }

  #audited(
    { order, isAlone }: Plan,
    unit: Unit,
    work: { readonly changes: readonly string[]; readonly audit: string; readonly isInsert: boolean },
  ): void {
    const audit = `insert into audits (user_id, auditable_type, auditable_id) ${work.audit}`;
    const isBehind = order === 'behind' || (order !== 'before' && work.isInsert);
    if (isAlone && this.#below(3) === 0) unit.sql.push(...work.changes);
    else unit.sql.push(...(isBehind ? [...work.changes, audit] : [audit, ...work.changes]));
  }

  #note({ actor, sql, by }: Unit): void {
    if (this.#notes.length === 0 || this.#below(2) === 0) {
      const id = this.#nextId++;
      sql.push(`insert into notes values (${id}, 'new', ${actor})`);
      this.#notes = [...this.#notes, id];
    } else {
      const id = this.#notes[this.#below(this.#notes.length)]!;
      sql.push(`update notes set state = state || 'x', updated_by = ${actor} where id = ${id}`);
    }
    by.push(actor);
  }

  #below(limit: number): number {
    return this.#random(limit);
  }
}

interface Plan {
  readonly order: Order;
  readonly isAlone: boolean;
  /** That an insert adds. */
  readonly rows: number;
}

/** What one person does without pause. */
interface Unit {
  readonly actor: string | null;
  readonly sql: string[];
  readonly by: (string | null)[];
}

const say = (actor: string | null): string =>
  `select pg_logical_emit_message(true, 'waltrail', '{"modifier": ${actor === null ? 'null' : `"${actor}"`}}')`;

const set = (actor: string | null): string => `set local app.user_id = '${actor ?? ''}'`;
