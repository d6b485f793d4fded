/*
 * Random transactions of an application that several people use at once. For each change they state who
 * really made it, and whether the rules of the YAML must find that person.
 */

import { generator, type Random } from './random.ts';

const SIGNING_KEY = 'a key of a test, long enough for all';

export const WORK_SQL = `
  create table users (id int primary key, name text);
  insert into users select i, 'Person ' || i from generate_series(1, 9) i;
  create table conversations (id int primary key, state text);
  create table notes (id int primary key, state text, updated_by int);
  create table audits (id int generated always as identity primary key, user_id int, auditable_type text, auditable_id int);
  create extension pgcrypto;
  create function signed(body text) returns text language sql volatile as $$
    select 'v1.' || encode(hmac(format('v1.%s.%s.%s', (select system_identifier from pg_control_system()),
      mod(pg_current_xact_id()::text::numeric, 4294967296), body), '${SIGNING_KEY}', 'sha256'), 'hex') || '.' || body $$;`;

export const WORK_YAML = `
modifiers: { table: public.users, key: id, name: "{name}" }
attribution: [{ table: public.audits, modifier: user_id, row: { type: auditable_type, key: auditable_id } }]
tables:
  public.conversations: { entity: conversation }
  public.notes: { entity: note, modifier: updated_by }
`;

/** The setting by which the application states who it works for. */
export const WORK_SESSION = 'session: [{ setting: app.user_id }]';

/** Only messages with this signature are believed. */
export const WORK_SIGNED = `messages: { signing_keys: ["${SIGNING_KEY}"] }`;

/** One transaction. */
export interface Work {
  readonly sql: string;
  /** Changes in their order. */
  readonly changes: readonly WorkChange[];
}

export interface WorkChange {
  /** Who made it; null if nobody in particular. */
  readonly actor: string | null;
  /** Whether the transaction leaves no doubt, so that the entry must have a name. */
  readonly isKnown: boolean;
}

export interface Habits {
  /** In which transactions the application states in a setting who it works for. */
  readonly sets?: 'never' | 'sometimes' | 'always';
  /** Whether the application signs its messages. Somebody else then sends unsigned ones that name anybody. */
  readonly signs?: boolean;
}

/** Where the application writes the audit row of a change. */
type Order = 'behind' | 'before' | 'behind inserts, before others';
const ORDERS: readonly Order[] = ['behind', 'before', 'behind inserts, before others'];
const LARGE_ROWS = 3_500;
/** Fewer than the audit rows of a transaction that count for single rows (20,000). */
const MOST_LARGE_ROWS = 5 * LARGE_ROWS;
const PEOPLE = 9;

/**
 * Makes transactions in which one person or several work.
 *
 * If several do, each has audit rows: one for each change, or run of changes, of a conversation, in the order
 * of the application. Notes have no audit row. Their column names the person who changed them. A person who
 * leaves the name out of a note, or deletes a note, has written an audit row before. Otherwise the note would
 * be attributed to another person, because the only audit rows would be that person's. A person who works
 * alone may leave out any of this, and may write audit rows that name no row.
 */
export class Application {
  readonly #random: Random;
  readonly #habits: Required<Habits>;
  #conversations: readonly number[] = [];
  /** Who last set the column, by id. */
  #notes: ReadonlyMap<number, string | null> = new Map();
  #nextId = 1;
  /** Rows of large inserts in the transaction. */
  #largeRows = 0;

  constructor(seed: number, { sets = 'never', signs = false }: Habits = {}) {
    this.#random = generator(seed);
    this.#habits = { sets, signs };
  }

  /** @param options.isLarge whether it exceeds the buffers of capture */
  transaction(options: { readonly isLarge: boolean }): Work {
    const plan = this.#plan(options.isLarge);
    this.#largeRows = 0;
    const first = this.#below(PEOPLE);
    const people = plan.isAlone ? 1 : 2 + this.#below(2);
    const statements: string[] = [];
    const units: Unit[] = [];
    // A large transaction begins with many rows, which stay.
    let isLargeEnough = !options.isLarge;
    for (let left = people * (1 + this.#below(2)); left > 0; left--) {
      const person = String(((first + (left % people)) % PEOPLE) + 1);
      const unit = this.#unit(plan, !plan.isAlone && this.#below(6) === 0 ? null : person);
      const isRolledBack = this.#below(5) === 0 && isLargeEnough;
      const kept = { conversations: this.#conversations, notes: this.#notes };
      if (!isLargeEnough) this.#add(plan, unit);
      isLargeEnough = true;
      for (let steps = 1 + this.#below(3); steps > 0; steps--) this.#step(plan, unit);
      if (isRolledBack) {
        statements.push('savepoint s', ...unit.sql, 'rollback to s');
        this.#conversations = kept.conversations;
        this.#notes = kept.notes;
      } else {
        statements.push(...unit.sql);
        units.push(unit);
      }
    }
    const isLate = plan.isAlone && !plan.says && this.#below(4) === 0;
    if (isLate) statements.push(this.#say(String(first + 1)));
    // A message speaks for earlier changes only if it is the first.
    const isFirst = units.every(({ hasContext }) => !hasContext);
    const isSaid = (isLate && isFirst) || plan.says || plan.sets;
    return { sql: `begin; ${statements.join('; ')}; commit`, changes: known(units, isSaid) };
  }

  #plan(isLarge: boolean): Plan {
    const { sets } = this.#habits;
    return {
      order: ORDERS[this.#below(ORDERS.length)]!,
      isAlone: this.#below(2) === 0,
      rows: isLarge ? LARGE_ROWS : 1,
      says: this.#below(3) === 0,
      sets: sets === 'always' || (sets === 'sometimes' && this.#below(3) === 0),
    };
  }

  /** Begins the work of a person, and states who it is if the application does so. */
  #unit({ says, sets }: Plan, actor: string | null): Unit {
    const sql = [...(says ? [this.#say(actor)] : []), ...(sets ? [set(actor)] : [])];
    const hasContext = !says && this.#below(6) === 0;
    if (hasContext) sql.push(this.#emit('{"context": {"request": 1}}'));
    if (this.#habits.signs && this.#below(3) === 0) sql.push(emit(named(String(1 + this.#below(PEOPLE)))));
    return { actor, sql, hasContext, changes: [], audits: [] };
  }

  #step(plan: Plan, unit: Unit): void {
    if (unit.actor !== null && this.#below(3) === 0) return this.#note(plan, unit, unit.actor);
    const is = this.#conversations.length === 0 ? 0 : this.#below(3);
    if (is === 0) return this.#add(plan, unit);
    const id = this.#conversations[this.#below(this.#conversations.length)]!;
    if (is === 2) this.#conversations = this.#conversations.filter((other) => other !== id);
    const statements =
      is === 2
        ? [`delete from conversations where id = ${id}`]
        : Array.from(
            { length: 1 + this.#below(2) },
            () => `update conversations set state = state || 'x' where id = ${id}`,
          );
    this.#audited(plan, unit, { statements, ids: [id], isInsert: false });
    unit.changes.push(...statements.map(() => conversation(unit, id)));
  }

  #add(plan: Plan, unit: Unit): void {
    const rows = this.#largeRows + plan.rows > MOST_LARGE_ROWS ? 1 : plan.rows;
    if (rows > 1) this.#largeRows += rows;
    const ids = Array.from({ length: rows }, (_, index) => this.#nextId + index);
    this.#nextId += rows;
    const statements = [
      `insert into conversations select i, 'new' from generate_series(${ids[0]}, ${ids.at(-1)}) i`,
    ];
    this.#audited(plan, unit, { statements, ids, isInsert: true });
    unit.changes.push(...ids.map((id) => conversation(unit, id)));
    this.#conversations = [...this.#conversations, ids[0]!];
  }

  #audited(
    { order, isAlone }: Plan,
    unit: Unit,
    {
      statements,
      ids,
      isInsert,
    }: {
      readonly statements: readonly string[];
      readonly ids: readonly number[];
      readonly isInsert: boolean;
    },
  ): void {
    const way = isAlone ? this.#below(6) : 0;
    if (way >= 4) {
      unit.sql.push(...statements);
      return;
    }
    const namesRow = way !== 3;
    const audit = namesRow
      ? `insert into audits (user_id, auditable_type, auditable_id)
           select ${unit.actor}, 'Conversation', i from generate_series(${ids[0]}, ${ids.at(-1)}) i`
      : `insert into audits (user_id) values (${unit.actor})`;
    const isBehind = order === 'behind' || (order !== 'before' && isInsert);
    unit.sql.push(...(isBehind ? [...statements, audit] : [audit, ...statements]));
    unit.audits.push(...(namesRow ? ids : [null]).map((row) => ({ row, actor: unit.actor })));
  }

  #note({ isAlone, says }: Plan, unit: Unit, actor: string): void {
    const mayBeSilent = isAlone || says || unit.audits.length > 0;
    const way = mayBeSilent ? this.#below(6) : this.#below(3);
    const ids = [...this.#notes.keys()];
    const isNew = ids.length === 0 || way === 0 || way === 3;
    const id = isNew ? this.#nextId++ : ids[this.#below(ids.length)]!;
    const before = this.#notes.get(id) ?? null;
    const isNamed = way < 3;
    const setBy = isNamed ? actor : before;
    const isDeleted = !isNew && way === 5;
    if (isNew) unit.sql.push(`insert into notes values (${id}, 'new', ${setBy})`);
    else if (isDeleted) unit.sql.push(`delete from notes where id = ${id}`);
    else
      unit.sql.push(
        `update notes set state = state || 'x'${isNamed ? `, updated_by = ${actor}` : ''} where id = ${id}`,
      );
    const notes = new Map(this.#notes).set(id, setBy);
    if (isDeleted) notes.delete(id);
    this.#notes = notes;
    const isSet = isNamed && (isNew || before !== actor);
    unit.changes.push({ actor, row: null, isSet, hint: isSet || isDeleted ? null : setBy });
  }

  #say(actor: string | null): string {
    return this.#emit(named(actor));
  }

  #emit(content: string): string {
    return emit(content, this.#habits.signs ? 'signed' : '');
  }

  #below(limit: number): number {
    return this.#random(limit);
  }
}

interface Plan {
  readonly order: Order;
  readonly isAlone: boolean;
  /** Number of rows that an insert adds. */
  readonly rows: number;
  /** Whether each person begins with a message. */
  readonly says: boolean;
  /** Whether each person begins with a setting. */
  readonly sets: boolean;
}

/** What one person does without interruption. */
interface Unit {
  readonly actor: string | null;
  readonly sql: string[];
  /** Whether it begins with a message that names nobody. */
  readonly hasContext: boolean;
  readonly changes: Change[];
  readonly audits: Audit[];
}

interface Change {
  readonly actor: string | null;
  /** The id of a conversation. */
  readonly row: number | null;
  /** Whether the change put the name of its actor into the row. */
  readonly isSet: boolean;
  /** The person whom the row names although the change did not set it. */
  readonly hint: string | null;
}

interface Audit {
  /** Null if it names no row. */
  readonly row: number | null;
  readonly actor: string | null;
}

const conversation = ({ actor }: Unit, row: number): Change => ({ actor, row, isSet: false, hint: null });

/**
 * Returns the changes without doubt about who made them. A message or the row names the person, or the
 * change's own audit rows agree. If it has none, all audit rows must agree, and its row must name nobody
 * else.
 */
function known(units: readonly Unit[], isSaid: boolean): WorkChange[] {
  const audits = units.flatMap((unit) => unit.audits);
  const byRow = new Map<number, (string | null)[]>();
  for (const { row, actor } of audits) if (row !== null) byRow.set(row, [...(byRow.get(row) ?? []), actor]);
  const somebody = new Set(audits.flatMap(({ actor }) => actor ?? []));
  return units
    .flatMap((unit) => unit.changes)
    .map(({ actor, row, isSet, hint }) => {
      const own = row === null ? undefined : byRow.get(row);
      const byAudits =
        own === undefined
          ? somebody.size === 1 && actor !== null && somebody.has(actor) && (hint ?? actor) === actor
          : own.every((one) => one === actor);
      return { actor, isKnown: actor !== null && (isSaid || isSet || byAudits) };
    });
}

const named = (actor: string | null): string => `{"modifier": ${actor === null ? 'null' : `"${actor}"`}}`;

const emit = (content: string, wrap = ''): string =>
  `select pg_logical_emit_message(true, 'waltrail', ${wrap}('${content}'))`;

const set = (actor: string | null): string => `set local app.user_id = '${actor ?? ''}'`;
