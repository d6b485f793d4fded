import type pg from 'pg';

/** Runs a statement with its parameters. */
export type Query = <T extends pg.QueryResultRow>(
  text: string,
  values: readonly unknown[],
) => Promise<pg.QueryResult<T>>;

interface KeptPlan {
  readonly name: string;
  /** Value of `used` when the plan was last used. */
  usedAt: number;
}

/** The plans that a connection holds. */
interface Plans {
  /** Kept plans, by text of the statement. */
  readonly kept: Map<string, KeptPlan>;
  /** Names of statements for `execute`, by text of the statement. */
  readonly prepared: Map<string, string>;
  made: number;
  used: number;
}

const held = new WeakMap<pg.ClientBase, Plans>();

/**
 * Largest number of plans that a connection keeps. Each takes half a megabyte of the server's memory on
 * average.
 */
const MOST_PLANS = 120;
/**
 * Number of statements that a connection prepares before it is replaced. The driver never forgets the text of
 * a prepared statement.
 */
const MOST_MADE = 2_000;

/**
 * Runs a statement and keeps its plan on the connection, because planning a page costs more than running it.
 * The number of different texts must be small, so values that differ between requests must be parameters.
 *
 * @see https://www.postgresql.org/docs/current/sql-prepare.html
 */
export async function queryPlanned<T extends pg.QueryResultRow>(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<T>> {
  const plans = plansOf(client);
  const { kept } = plans;
  let plan = kept.get(text);
  if (plan === undefined) {
    if (kept.size >= MOST_PLANS) {
      const [unused, { name }] = leastRecentlyUsed(kept);
      kept.delete(unused);
      await client.query(`deallocate ${name}`);
    }
    plan = { name: `plan_${++plans.made}`, usedAt: 0 };
    kept.set(text, plan);
  }
  plan.usedAt = ++plans.used;
  const { name } = plan;
  return orReplaced(plans, () => client.query<T>({ name, text, values: [...values] }));
}

/**
 * Prepares a statement without parameters once for each connection. Returns its name, which `execute` can use
 * in a message with several statements.
 */
export async function preparedOnce(client: pg.ClientBase, text: string): Promise<string> {
  const plans = plansOf(client);
  const known = plans.prepared.get(text);
  if (known !== undefined) return known;
  const name = `prepared_${++plans.made}`;
  return orReplaced(plans, async () => {
    await client.query(`prepare ${name} as ${text}`);
    plans.prepared.set(text, name);
    return name;
  });
}

const leastRecentlyUsed = (kept: Plans['kept']): [string, KeptPlan] =>
  [...kept].reduce((least, one) => (one[1].usedAt < least[1].usedAt ? one : least));

function plansOf(client: pg.ClientBase): Plans {
  let plans = held.get(client);
  if (plans === undefined)
    held.set(client, (plans = { kept: new Map(), prepared: new Map(), made: 0, used: 0 }));
  return plans;
}

/**
 * Has the connection replaced after an error, because it is unknown whether the statement was prepared before
 * the error.
 */
async function orReplaced<T>(plans: Plans, prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    plans.made = MOST_MADE;
    throw error;
  }
}

/** Returns whether the connection must be replaced, because it has prepared many statements. */
export function isWornOut(client: pg.ClientBase): boolean {
  return (held.get(client)?.made ?? 0) >= MOST_MADE;
}
