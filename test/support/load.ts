import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ORACLE_SQL, oracleOn } from './oracle.ts';
import { generator, type Random } from './random.ts';
import { until } from './until.ts';

/**
 * Writers that run random transactions until they are stopped. They are seeded, so that a failing run can be
 * repeated.
 */
export interface Load extends AsyncDisposable {
  readonly transactions: () => number;
  /** The number of transactions with thousands of changes. */
  readonly bulks: () => number;
  /** @param atLeast transactions to make before stopping, however slow the machine is */
  stop(atLeast: number): Promise<void>;
}

/** The tables that the load writes to, with the triggers of the oracle. */
export const LOAD_SQL = `
  create table accounts (id int primary key, owner text not null, amount bigint not null, note text);
  create table orders (id bigint generated always as identity primary key, account_id int not null references accounts on delete cascade, item text not null);
  create table products (code text primary key, title text not null);
  create table documents (id int primary key, title text not null, body text);
  create table baskets (code text primary key, item text);
  alter table documents alter column body set storage external;
  insert into accounts select i, 'owner ' || i, 1000, null from generate_series(1, 200) i;
  insert into products select 'p' || i, 'product ' || i from generate_series(1, 50) i;
  insert into documents select i, 'document ' || i, repeat('body ' || i || ' ', 800) from generate_series(1, 20) i;
  ${ORACLE_SQL}
  ${oracleOn('accounts')} ${oracleOn('orders')} ${oracleOn('products', 'code')} ${oracleOn('documents')} ${oracleOn('baskets', 'code')}`;

export const LOAD_YAML = `
tables:
  public.accounts:  { entity: account, name: "{owner}" }
  public.orders:    { entity: order, name: "{item}" }
  public.products:  { entity: product, name: "{title}" }
  public.documents: { entity: document, name: "{title}" }
  public.baskets:   { entity: basket, name: "{code}" }`;

const RECONNECT_MS = 100;
/**
 * Index of the first large transaction. Each fault meets one, but only after capture has stored the first
 * changes.
 */
const BULK_INDEX = 9;

/**
 * A load for tests of faults: about 150 transactions a second, one of 400 with thousands of changes. Capture
 * keeps up with it even on a busy machine. If it falls behind, the test only waits longer at the end.
 */
export const STEADY = { writers: 2, pauseMs: 8, bulk: 400 } as const;

/**
 * @param options.bulk the tenth of this many transactions of a writer has thousands of changes; none has if
 * left out
 * @param options.reconnect whether the source will be shut down; a writer that loses its connection then
 * continues on a new one
 */
export function startLoad(options: {
  readonly url: string;
  readonly writers: number;
  readonly seed: number;
  readonly pauseMs?: number;
  readonly bulk?: number;
  readonly reconnect?: boolean;
}): Load {
  const { bulk = 0 } = options;
  let running = true;
  let transactions = 0;
  let bulks = 0;
  const isRunning = (): boolean => running;
  const write = async (client: pg.Client, random: Random): Promise<void> => {
    for (let index = 0; isRunning(); index++) {
      const isBulk = index % bulk === BULK_INDEX;
      try {
        await client.query(transaction(random, isBulk));
        transactions++;
        if (isBulk) bulks++;
      } catch (error) {
        // Two writers may conflict (deadlock, same key, vanished parent): PostgreSQL rolls one of them back.
        if (!/^(23|40)/.test((error as { code?: string }).code ?? '')) throw error;
        await client.query('rollback');
      }
      if (options.pauseMs !== undefined) await delay(options.pauseMs);
    }
  };
  const writers = Array.from({ length: options.writers }, async (_, index) => {
    const random = generator(options.seed + index);
    while (isRunning()) {
      const client = new pg.Client(options.url);
      client.on('error', () => undefined);
      try {
        await client.connect();
        await write(client, random);
      } catch (error) {
        if (options.reconnect !== true) throw error;
        await delay(RECONNECT_MS);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  });
  const end = async (): Promise<void> => {
    running = false;
    await Promise.all(writers);
  };
  return {
    transactions: () => transactions,
    bulks: () => bulks,
    stop: async (atLeast) => {
      await until(`the load to have made ${atLeast} transactions`, () => transactions >= atLeast);
      await end();
    },
    [Symbol.asyncDispose]: end,
  };
}

/**
 * Makes one to five changes, some with a logical message, something rolled back, or thousands of additional
 * rows.
 */
function transaction(random: Random, isBulk: boolean): string {
  const statements = ['begin'];
  const message = random(10);
  const say = `select oracle.say('writer ${random(8)}')`;
  if (message === 0) statements.push(say);
  for (let count = 1 + random(5); count > 0; count--) statements.push(statement(random));
  if (random(20) === 0) statements.push(undone(random));
  if (random(50) === 0)
    statements.push(
      `insert into orders (account_id, item) select id, 'bulk ' || id from accounts where id <= 100`,
    );
  if (isBulk) statements.push(...thousands(random));
  if (message === 1) statements.push(say);
  statements.push(random(15) === 0 ? 'rollback' : 'commit');
  return statements.join('; ');
}

function statement(random: Random): string {
  const id = 1 + random(200);
  switch (random(12)) {
    case 0:
    case 1:
      return `insert into orders (account_id, item) select id, 'item ${random(1_000_000)}' from accounts where id = ${id}`;
    case 2:
    case 3:
      return `delete from orders where id in (select id from orders order by id limit ${1 + random(4)})`;
    case 4:
    case 5:
      return `update accounts set note = ${random(3) === 0 ? 'null' : `'note ${random(1_000_000)}'`} where id = ${id}`;
    case 6:
      return `delete from accounts where id = ${id}; insert into accounts values (${id}, 'owner ${random(1000)}', 0, null)`;
    case 7:
      return anotherTable(random);
    default:
      return `update accounts set amount = amount + ${1 + random(100)} where id = ${id}`;
  }
}

/** Makes a key that changes, TOASTed values that change and that do not, or a truncation. */
function anotherTable(random: Random): string {
  const document = 1 + random(20);
  switch (random(8)) {
    case 0:
    case 1:
      return `update products set code = 'p' || (1 + ${random(1_000_000)}) where code = (select min(code) from products)`;
    case 2:
    case 3:
      return `update documents set title = 'title ${random(1_000_000)}' where id = ${document}`;
    case 4:
      return `update documents set body = repeat('words ${random(1000)} ', 900) where id = ${document}`;
    case 5:
      return `truncate baskets`;
    default:
      return `insert into baskets values ('b${random(1_000_000)}', null) on conflict (code) do update set item = 'again ${random(1000)}'`;
  }
}

/** Makes a rollback to a savepoint. Neither its rows nor its message may have any effect. */
function undone(random: Random): string {
  return (
    `savepoint s; update accounts set note = 'undone' where id = ${1 + random(200)}; ` +
    `select pg_logical_emit_message(true, 'waltrail', '{"modifier": "nobody"}'); rollback to s`
  );
}

/**
 * Makes more rows than the daemon buffers, so that rows leave for the trail before the source commits.
 * Sometimes they also leave before a message.
 */
function thousands(random: Random): string[] {
  const rows = 2_000 + random(3_000);
  return [
    `insert into orders (account_id, item) select a.id, 'one of many ' || i from generate_series(1, ${rows}) i, (select min(id) as id from accounts) a`,
    `savepoint many; update orders set item = 'never' where item like 'one of many %'; rollback to many`,
    `delete from orders where item like 'one of many %'`,
  ];
}
