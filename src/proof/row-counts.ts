import type pg from 'pg';
import { dateOfDay, ID_SQL } from '../trail/entry-id.js';
import { counted, type Findings } from './findings.js';

const TABLES = {
  posting: { day: ID_SQL.dayOfId(ID_SQL.firstIdOfChunk('chunk')), number: 'chunk' },
  block_value: { day: ID_SQL.dayOfId(ID_SQL.firstIdOfBlock('block')), number: 'block' },
} as const;
export type CountedTable = keyof typeof TABLES;

/**
 * Counts how many rows two tables must have for each day. The other checks read only rows that belong to a
 * chunk, block or value. A larger number of rows shows that there are others.
 */
export class RowCounts {
  readonly #expected: Readonly<Record<CountedTable, Map<number, number>>> = {
    posting: new Map(),
    block_value: new Map(),
  };

  add(table: CountedTable, { day, rows }: { readonly day: number; readonly rows: number }): void {
    const expected = this.#expected[table];
    expected.set(day, (expected.get(day) ?? 0) + rows);
  }

  /**
   * Compares the expected numbers with the rows of a table, from a day on and up to the chunk or block before
   * `end`.
   */
  async check(
    client: pg.Client,
    of: {
      readonly table: CountedTable;
      readonly firstDay: number;
      readonly end: number;
      readonly findings: Findings;
    },
  ): Promise<void> {
    const { day, number } = TABLES[of.table];
    const { rows } = await client.query<{ day: number; rows: number }>(
      `select ${day} as day, count(*)::float8 as rows from trail.${of.table}
        where ${number} < $1 and ${day} >= $2 group by 1 order by 1`,
      [of.end, of.firstDay],
    );
    for (const found of rows) {
      const surplus = found.rows - (this.#expected[of.table].get(found.day) ?? 0);
      if (surplus > 0)
        of.findings.add(
          of.table === 'posting' ? 'posting_lists' : 'value_summary',
          `trail.${of.table} has ${counted(surplus, ['row', 'rows'])} of ${dateOfDay(found.day)} that no chunk or value refers to.`,
        );
    }
  }
}
