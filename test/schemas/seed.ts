import pg from 'pg';
import type { TestDatabase } from '../support/database.ts';
import { generator } from '../support/random.ts';
import { tablesOf, type Table } from './catalog.ts';
import type { Truth } from './truth.ts';
import { World, type Row } from './world.ts';

type Database = Pick<TestDatabase, 'query'>;

/**
 * Fills every table of a schema with a few rows that violate no constraint. The same seed makes the same
 * rows.
 *
 * @param options.rowsPerTable a table may get fewer if its references do not allow more unique rows
 * @throws if a table stays empty
 */
export async function seed(
  database: Database,
  options: { readonly truth: Truth; readonly seed: number; readonly rowsPerTable?: number },
): Promise<World> {
  const { truth, rowsPerTable = 5 } = options;
  const tables = await tablesOf(database);
  const world = new World({ tables, truth, random: generator(options.seed), rowsPerTable });
  for (const table of inOrder(tables)) {
    for (let index = 0; index < rowsPerTable; index++) world.add(table);
    const rows = world.rows(table.name);
    if (rows.length === 0) throw new Error(`no row was found for the table ${table.name}`);
    await database.query(insertSql(table, rows));
  }
  await database.query(SEQUENCES_SQL);
  return world;
}

/** Returns an insert of rows. It has the columns that any row has; a missing value becomes the default. */
export function insertSql(table: Table, rows: readonly Row[]): string {
  const columns = table.columns.map(({ name }) => name).filter((name) => rows.some((row) => name in row));
  const values = rows.map((row) => `(${columns.map((column) => literal(row[column])).join(', ')})`);
  return `insert into ${name(table.name)} (${columns.map(name).join(', ')}) values ${values.join(', ')}`;
}

export const literal = (value: string | null | undefined): string =>
  value === undefined ? 'default' : value === null ? 'null' : pg.escapeLiteral(value);

export const name = (identifier: string): string => pg.escapeIdentifier(identifier);

/** Moves each sequence past the keys that the rows were given. */
const SEQUENCES_SQL = /* sql */ `
  do $$
  declare
    owned record;
  begin
    for owned in
      select d.objid::regclass as sequence, d.refobjid::regclass as owner, a.attname as key
      from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        join pg_class s on s.oid = d.objid and s.relkind = 'S'
      where d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    loop
      execute format('select setval(%L, (select max(%I) from %s))', owned.sequence, owned.key, owned.owner);
    end loop;
  end $$`;

/**
 * Sorts the tables: each after all that its required foreign keys refer to, and first those with most
 * referrers.
 */
function inOrder(tables: ReadonlyMap<string, Table>): readonly Table[] {
  const referrers = new Map<string, number>();
  for (const table of tables.values())
    for (const stem of table.columns.flatMap(({ name }) => /^(.+)_id$/.exec(name)?.[1] ?? []))
      for (const target of [stem, `${stem}s`]) referrers.set(target, (referrers.get(target) ?? 0) + 1);
  const count = ({ name }: Table): number => referrers.get(name) ?? 0;
  const ordered = new Set<Table>();
  const visit = (table: Table, path: readonly Table[]): void => {
    if (ordered.has(table) || path.includes(table)) return;
    for (const key of table.foreignKeys)
      if (table.columns.find(({ name }) => name === key.column)!.isRequired)
        visit(tables.get(key.table)!, [...path, table]);
    ordered.add(table);
  };
  for (const table of [...tables.values()].sort((a, b) => count(b) - count(a))) visit(table, []);
  return [...ordered];
}
