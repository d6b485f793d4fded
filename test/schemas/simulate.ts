import pg from 'pg';
import { generator } from '../support/random.ts';
import { Day } from './day.ts';
import { literal } from './seed.ts';
import type { Change, Person } from './steps.ts';
import type { World } from './world.ts';

/** A committed transaction, and who made it. */
export interface Deed {
  /** Transaction id as `pg_current_xact_id()` returns it, with the epoch. */
  readonly xid: string;
  /** Null for a job of the application, which is not a person. */
  readonly actor: Person | null;
  /** Changes in their order. */
  readonly changes: readonly Change[];
}

/**
 * Simulates a day of an application. People insert, update and delete rows. The application writes their
 * names where it has columns and audit rows for that. Its jobs change rows in between. The same seed and the
 * same world make the same day, except for the transaction ids.
 *
 * It has no permissions: anybody may change any row that a person has made.
 *
 * @param world result of `seed` for this database
 * @param options.transactions minimum number of transactions
 * @param options.tables the only tables that are changed, apart from audit rows. Default: all of the
 * application
 * @param options.setting setting in which the application states, for each transaction, the key of the person
 * it works for (a person of the first table)
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
        // With several statements, the client returns several results. Its types do not state that.
        const results = (await client.query(sql)) as unknown as readonly pg.QueryResult<{ xid: string }>[];
        deeds.push({ xid: results.at(-2)!.rows[0]!.xid, actor, changes });
      }
    return deeds;
  } finally {
    await client.end();
  }
}
