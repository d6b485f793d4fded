import { createHash } from 'node:crypto';
import type { Random } from '../support/random.ts';
import type { Column, Table } from './catalog.ts';
import type { Polymorphic, Truth } from './truth.ts';
import { columnsOfName } from './truth.ts';
import { pick, valueFor } from './values.ts';

/** Values by column. A missing column has its default. */
export type Row = Readonly<Record<string, string | null>>;

/** Number of rows that are tried until one violates no unique index. */
const ATTEMPTS = 40;
const NULLS_OF = 4;
const KEY_TYPE = /^(int[248]|uuid)$/;
/**
 * Types with a default that is random or the present time. They get a value instead, the same in each run.
 */
const MOVING_DEFAULT = /^(timestamp|timestamptz|date|uuid)$/;

/** The rows of a database that the tests created. The next row refers to them, and must differ from them. */
export class World {
  readonly tables: ReadonlyMap<string, Table>;
  readonly truth: Truth;
  readonly #random: Random;
  /** Number of rows that each table gets at first. They are numbered from 1. */
  readonly #rowsPerTable: number;
  readonly #rows = new Map<string, Row[]>();
  readonly #numbers = new Map<string, number>();
  readonly #taken = new Set<string>();

  constructor(options: {
    readonly tables: ReadonlyMap<string, Table>;
    readonly truth: Truth;
    readonly random: Random;
    readonly rowsPerTable: number;
  }) {
    this.tables = options.tables;
    this.truth = options.truth;
    this.#random = options.random;
    this.#rowsPerTable = options.rowsPerTable;
  }

  table(name: string): Table {
    const table = this.tables.get(name);
    if (table === undefined) throw new Error(`the database has no table ${name}`);
    return table;
  }

  rows(table: string): readonly Row[] {
    return this.#rows.get(table) ?? [];
  }

  /**
   * Adds a new row to a table and returns it. Returns undefined if every row that was tried exists already,
   * which happens if only references make rows unique.
   *
   * @param given values that the row must have
   */
  add(table: Table, given: Row = {}): Row | undefined {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const number = (this.#numbers.get(table.name) ?? 0) + 1;
      const row = { ...this.#row(table, number + attempt), ...given };
      const marks = this.#marks(table, row);
      if (marks.some((mark) => this.#taken.has(mark))) continue;
      for (const mark of marks) this.#taken.add(mark);
      this.#numbers.set(table.name, number + attempt);
      this.#rows.set(table.name, [...this.rows(table.name), row]);
      return row;
    }
    return undefined;
  }

  replace(table: string, old: Row, row: Row): void {
    this.#rows.set(
      table,
      this.rows(table).map((other) => (other === old ? row : other)),
    );
  }

  remove(table: string, row: Row): void {
    this.#rows.set(
      table,
      this.rows(table).filter((other) => other !== row),
    );
  }

  /** Returns the table that the column refers to, by a foreign key, by the stated facts, or by its name. */
  referred(table: Table, column: Column): string | undefined {
    const byKey = table.foreignKeys.find((key) => key.column === column.name)?.table;
    const told = this.truth.references[`${table.name}.${column.name}`];
    if (byKey !== undefined || told !== undefined) return byKey ?? told;
    const [, stem] = /^(.+)_id$/.exec(column.name) ?? [];
    if (stem === undefined || !KEY_TYPE.test(column.type)) return undefined;
    const isKeyOf = (other: string): boolean => other === table.name && table.key.includes(column.name);
    return [stem, `${stem}s`, `${stem}es`, stem.replace(/y$/, 'ies')].find(
      (other) => this.tables.has(other) && !isKeyOf(other),
    );
  }

  polymorphic(table: Table): readonly Polymorphic[] {
    return this.truth.polymorphic.filter((pair) => pair.table === table.name);
  }

  /** Returns another value for a column of an existing row. */
  value(table: Table, column: Column, number: number): string {
    return valueFor({ truth: this.truth, table: table.name, column, number }, this.#random);
  }

  #row(table: Table, number: number): Row {
    const row: Record<string, string | null> = {};
    for (const column of table.columns) {
      const value = this.#cell(table, column, number);
      if (value !== undefined) row[column.name] = value;
    }
    for (const { type, key, of } of this.polymorphic(table)) {
      const kind = pick(Object.keys(of), this.#random);
      row[type] = kind;
      row[key] = this.#keyIn(of[kind]!);
    }
    return row;
  }

  #cell(table: Table, column: Column, number: number): string | null | undefined {
    const full = `${table.name}.${column.name}`;
    const referred = this.referred(table, column);
    if (referred !== undefined) return this.#reference(table, column, referred);
    if (table.key.includes(column.name) && KEY_TYPE.test(column.type))
      return keyOf(table, column.name, number);
    const isTelling =
      columnsOfName(this.truth.names[table.name] ?? '').includes(column.name) ||
      this.truth.secrets.includes(full) ||
      full in this.truth.enums;
    if (column.name === 'deleted_at' && !column.isRequired) return null;
    if (!isTelling && !column.isRequired && this.#random(NULLS_OF) === 0) return null;
    // A unique column always gets a value, because an unknown one cannot be compared.
    const isUnique = table.uniques.some((columns) => columns.includes(column.name));
    const isFixed = column.hasDefault && !MOVING_DEFAULT.test(column.type) && !isUnique;
    if (!isTelling && isFixed && this.#random(2) === 0) return undefined;
    return this.value(table, column, number);
  }

  /** Returns a key for a reference. A foreign key to a table without rows is null if it may be. */
  #reference(table: Table, column: Column, referred: string): string | null {
    const isForeignKey = table.foreignKeys.some((key) => key.column === column.name);
    if (isForeignKey && this.rows(referred).length === 0) return null;
    if (!column.isRequired && !table.key.includes(column.name) && this.#random(NULLS_OF) === 0) return null;
    return this.#keyIn(referred);
  }

  /** Returns the key of one of its rows, or of one that will exist. */
  #keyIn(table: string): string {
    const rows = this.rows(table);
    const [key] = this.table(table).key;
    return rows.length === 0
      ? keyOf(this.table(table), key!, 1 + this.#random(this.#rowsPerTable))
      : pick(rows, this.#random)[key!]!;
  }

  /** Returns the values that no other row may have, one text for each unique index. Nulls never conflict. */
  #marks(table: Table, row: Row): readonly string[] {
    return table.uniques.flatMap((columns, index) => {
      const values = columns.map((column) => row[column]);
      return values.some((value) => value === null || value === undefined)
        ? []
        : [JSON.stringify([table.name, index, values]).toLowerCase()];
    });
  }
}

/** Returns a key that is the same in each run: the number, or a uuid computed from it and the table. */
function keyOf(table: Table, column: string, number: number): string {
  if (table.columns.find(({ name }) => name === column)!.type !== 'uuid') return String(number);
  const digits = createHash('md5').update(`${table.name} ${number}`).digest('hex');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
