import type { Random } from '../support/random.ts';
import { auditRows, witnessed, type Done } from './audit.ts';
import type { Column, Table } from './catalog.ts';
import { authorship, authorsOf, keyAs } from './people.ts';
import { insertSql, name } from './seed.ts';
import { step, updateStep, where, type Change, type Person, type Step } from './steps.ts';
import type { Operation } from './truth.ts';
import { pick } from './values.ts';
import type { Row, World } from './world.ts';

/** A transaction that is not executed yet. */
export interface Plan {
  readonly actor: Person | null;
  readonly statements: readonly string[];
  readonly changes: readonly Change[];
}

/** One of this number of transactions is made by a job. */
const JOBS_OF = 7;
/** One of this number is made by a person of any table of people, if a column can name such people. */
const OTHERS_OF = 6;
const MOST_STEPS = 3;
/** A table always keeps this number of rows. */
const KEPT_ROWS = 2;
/** Number of values that are tried until one differs. */
const ATTEMPTS = 10;
/** Operations of ten changes, if all operations are possible. */
const OPERATIONS: readonly Operation[] = [
  ...new Array<Operation>(4).fill('insert'),
  ...new Array<Operation>(5).fill('update'),
  'delete',
];

/** Plans the transactions of an application, one after the other. */
export class Day {
  readonly #world: World;
  readonly #random: Random;
  /** The tables to change. Busy ones are repeated. */
  readonly #tables: readonly Table[];
  /** Tables that other tables refer to. */
  readonly #referred: ReadonlySet<string>;
  readonly #byForeignKeys: ReadonlySet<string>;

  constructor(world: World, random: Random, tables: readonly string[]) {
    this.#world = world;
    this.#random = random;
    const witnesses = world.truth.witness.map(({ table }) => table);
    this.#tables = tables
      .filter((table) => !witnesses.includes(table))
      .flatMap((table) => new Array<Table>(world.truth.busy[table] ?? 1).fill(world.table(table)));
    const all = [...world.tables.values()];
    this.#byForeignKeys = new Set(all.flatMap((table) => table.foreignKeys.map((key) => key.table)));
    this.#referred = new Set(
      all.flatMap((table) => table.columns.flatMap((column) => world.referred(table, column) ?? [])),
    );
  }

  /**
   * Returns the next transaction, and the transaction of the audit rows that the application writes after it.
   */
  next(): readonly Plan[] {
    const actor = this.#actor();
    const isOther = actor !== null && actor.table !== this.#world.truth.modifiers[0];
    const steps: Step[] = [];
    const late: Step[] = [];
    for (let left = isOther ? 1 : 1 + this.#random(MOST_STEPS); left > 0; left--) {
      const done = isOther ? this.#say(actor) : this.#change(actor);
      if (done === undefined) continue;
      const audit = auditRows(this.#world, done, actor);
      steps.push(...audit.before, done.step, ...audit.after);
      late.push(...audit.late);
    }
    return [steps, late].filter((some) => some.length > 0).map((some) => plan(actor, some));
  }

  #actor(): Person | null {
    const { modifiers, authors } = this.#world.truth;
    if (this.#random(JOBS_OF) === 0) return null;
    const hasOthers = authors.some(({ type }) => type !== undefined);
    const table = hasOthers && this.#random(OTHERS_OF) === 0 ? pick(modifiers, this.#random) : modifiers[0]!;
    const [key] = this.#world.table(table).key;
    return { table, key: pick(this.#world.rows(table), this.#random)[key!]! };
  }

  /**
   * Inserts a row for a person who is not in the first table of people. The row names the person's table,
   * too.
   */
  #say(actor: Person): Done | undefined {
    const tables = this.#tables.filter(({ name }) =>
      authorsOf(this.#world, name, 'insert').some(({ type }) => type !== undefined),
    );
    return tables.length === 0 ? undefined : this.#insert(pick(tables, this.#random), actor);
  }

  #change(actor: Person | null): Done | undefined {
    const table = pick(this.#tables, this.#random);
    switch (pick(OPERATIONS, this.#random)) {
      case 'insert':
        return this.#insert(table, actor) ?? this.#update(table, actor);
      case 'update':
        return this.#update(table, actor) ?? this.#insert(table, actor);
      case 'delete':
        return this.#delete(table, actor) ?? this.#update(table, actor);
    }
  }

  #insert(table: Table, actor: Person | null): Done | undefined {
    const authors = authorship(this.#world, { table: table.name, operation: 'insert', actor });
    const row = authors === undefined ? undefined : this.#world.add(table, authors);
    if (row === undefined) return undefined;
    return {
      table,
      row,
      columns: [],
      step: step({ operation: 'insert', table, row }, insertSql(table, [row])),
    };
  }

  #update(table: Table, actor: Person | null): Done | undefined {
    const authors = authorship(this.#world, { table: table.name, operation: 'update', actor });
    if (authors === undefined || this.#world.rows(table.name).length === 0) return undefined;
    const row = pick(this.#world.rows(table.name), this.#random);
    const columns = this.#changeable(table, row, actor);
    if (columns.length === 0) return undefined;
    const column = pick(columns, this.#random);
    const value = this.#otherValue(table, column, row);
    if (value === undefined) return undefined;
    const given = { [column.name]: value, ...this.#clock(table), ...authors };
    const changed = { ...row, ...given };
    this.#world.replace(table.name, row, changed);
    return { table, row: changed, columns: [column.name], step: updateStep({ table, row }, given) };
  }

  /** Deletes a row, unless others refer to it. If the application audits the deletion, it happens anyway. */
  #delete(table: Table, actor: Person | null): Done | undefined {
    const { modifiers, tenant } = this.#world.truth;
    const rows = this.#world.rows(table.name);
    const isKept = modifiers.includes(table.name) || tenant?.table === table.name || rows.length <= KEPT_ROWS;
    const isAudited = witnessed(this.#world, table.name, 'delete').length > 0;
    const isLeft = this.#byForeignKeys.has(table.name) || (this.#referred.has(table.name) && !isAudited);
    const authors = authorship(this.#world, { table: table.name, operation: 'delete', actor });
    if (isKept || isLeft || authors === undefined) return undefined;
    const row = pick(rows, this.#random);
    this.#world.remove(table.name, row);
    const statement = `delete from ${name(table.name)} where ${where(table, row)}`;
    return { table, row, columns: [], step: step({ operation: 'delete', table, row }, statement) };
  }

  /**
   * Returns the columns that an update may change. They do not refer to other rows, do not name who made the
   * row, and have a known value. If an update of certain columns is audited, returns either only these or
   * only the others. Columns about logins change only if the person updates their own row.
   */
  #changeable(table: Table, row: Row, actor: Person | null): readonly Column[] {
    const audited = witnessed(this.#world, table.name, 'update').flatMap(([, { column }]) => column ?? []);
    const isAudited = actor !== null && audited.length > 0 && this.#random(2) === 0;
    const isOwn = actor !== null && keyAs(this.#world, actor, table.name) === row[table.key[0]!];
    const logins = this.#world.truth.logins;
    const fixed = new Set([
      ...table.key,
      ...table.uniques.flat(),
      ...this.#world.polymorphic(table).flatMap(({ type, key }) => [type, key]),
      ...this.#world.truth.authors
        .filter((author) => author.table === table.name)
        .map(({ column }) => column),
    ]);
    return table.columns.filter((column) => {
      if (audited.length > 0 && audited.includes(column.name) !== isAudited) return false;
      if (fixed.has(column.name) || row[column.name] === undefined) return false;
      if (!isOwn && logins.includes(`${table.name}.${column.name}`)) return false;
      if (/^(created_at|updated_at|last_update|display_id)$/.test(column.name)) return false;
      return !/^jsonb?$|^tsvector$/.test(column.type) && this.#world.referred(table, column) === undefined;
    });
  }

  #otherValue(table: Table, column: Column, row: Row): string | undefined {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const value = this.#world.value(table, column, 1 + this.#random(1_000));
      if (value !== row[column.name]) return value;
    }
    return undefined;
  }

  /** Returns the time of the change, if the table has a column for it. */
  #clock(table: Table): Row {
    const column = table.columns.find((other) => other.name === 'updated_at');
    return column === undefined ? {} : { [column.name]: this.#world.value(table, column, 1) };
  }
}

const plan = (actor: Person | null, steps: readonly Step[]): Plan => ({
  actor,
  statements: steps.map(({ statement }) => statement),
  changes: steps.map(({ change }) => change),
});
