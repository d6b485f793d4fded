import pg from 'pg';
import { generator } from '../support/random.ts';
import { Day } from './day.ts';
import { literal } from './seed.ts';
import type { Change, Person } from './steps.ts';
import type { World } from './world.ts';

/** One committed transaction, and who made it. */
export interface Deed {
  /** As `pg_current_xact_id()` says it: with the epoch. */
  readonly xid: string;
  /** Null: a job of the application, nobody in particular. */
  readonly actor: Person | null;
  /** In their order. */
  readonly changes: readonly Change[];
}

/**
 * A day of an application: people insert, update and delete rows, it writes who they are where it has columns
 * and audit rows for that, and its jobs touch rows in between. The same seed and the same world make the same
 * day, except for the ids of its transactions.
 *
 * It does not know who may change what: anybody changes any row that somebody has made.
 * @param world what `seed` returned for this database
 * @param options.transactions at least so many
 * @param options.tables the only tables that are changed, audit rows aside; by default all of the application
 * @param options.setting the application tells PostgreSQL on whose behalf it works: with the key of a person
 * of the first table in this setting, for each transaction
 */
export async function simulate(
  database: { readonly url: string },
  world: World,
  options: {
    readonly seed: number;
    readonly transactions: number;
    readonly tables?: readonly string[];
    readonly setting?: string;
  },
): Promise<readonly Deed[]> {
  const day = new Day(world, generator(options.seed), options.tables ?? world.truth.tables);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const deeds: Deed[] = [];
    while (deeds.length < options.transactions)
      for (const { statements, actor, changes } of day.next()) {
        const isOfFirst = actor !== null && actor.table === world.truth.modifiers[0];
        const said =
          options.setting === undefined
            ? []
            : [`set local ${options.setting} = ${literal(isOfFirst ? actor.key : '')}`];
        const xid = 'select pg_current_xact_id()::text as xid';
        const sql = ['begin', ...said, ...statements, xid, 'commit'].join('; ');
        // Of several statements the client returns as many results, which its types do not say.
        const results = (await client.query(sql)) as unknown as readonly pg.QueryResult<{ xid: string }>[];
        deeds.push({ xid: results.at(-2)!.rows[0]!.xid, actor, changes });
      }
    return deeds;
  } finally {
    await client.end();
  }
}
