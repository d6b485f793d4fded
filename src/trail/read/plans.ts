import type pg from 'pg';

/** Runs a statement with its parameters. */
export type Query = <T extends pg.QueryResultRow>(
  text: string,
  values: readonly unknown[],
) => Promise<pg.QueryResult<T>>;

/** The plans that a connection holds. */
interface Plans {
  /** Names of statements by their text, the most recently used at the end. */
  readonly names: Map<string, string>;
  /** Names of statements for `execute` by their text. */
  readonly prepared: Map<string, string>;
  made: number;
}

const held = new WeakMap<pg.ClientBase, Plans>();

/** Plans that a connection holds at most. Each takes half a megabyte of the server's memory on average. */
const MOST_PLANS = 120;
/**
 * Statements that a connection prepares before it is replaced: the driver never forgets the text of a
 * prepared statement.
 */
const MOST_MADE = 2_000;

/**
 * Runs a statement whose plan the connection keeps, because planning a page costs more than running it. Only
 * for texts of which there are few: what differs from one request to the next is a parameter.
 *
 * @see https://www.postgresql.org/docs/current/sql-prepare.html
 */
export async function queryPlanned<T extends pg.QueryResultRow>(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<T>> {
  const plans = plansOf(client);
  const { names } = plans;
  const known = names.get(text);
  if (known === undefined && names.size >= MOST_PLANS) {
    const [oldest, unused] = names.entries().next().value!;
    names.delete(oldest);
    await client.query(`deallocate ${unused}`);
  }
  const name = known ?? `plan_${++plans.made}`;
  names.delete(text);
  names.set(text, name);
  return orReplaced(plans, () => client.query<T>({ name, text, values: [...values] }));
}

/**
 * Returns the name under which the connection has prepared a statement without parameters, for `execute`
 * among other statements of one message.
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

function plansOf(client: pg.ClientBase): Plans {
  let plans = held.get(client);
  if (plans === undefined) held.set(client, (plans = { names: new Map(), prepared: new Map(), made: 0 }));
  return plans;
}

/** Replaces the connection after an error: it is not known whether the statement was prepared before. */
async function orReplaced<T>(plans: Plans, prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    plans.made = MOST_MADE;
    throw error;
  }
}

/** Whether the connection has to be replaced, because it has prepared many statements. */
export function isWornOut(client: pg.ClientBase): boolean {
  return (held.get(client)?.made ?? 0) >= MOST_MADE;
}
