import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Writers that run small random transactions until they are stopped; seeded, so that a failing run can be repeated. */
export interface Load {
  readonly transactions: () => number;
  stop(): Promise<void>;
}

export const LOAD_SQL = `
  create table accounts (id int primary key, owner text not null, amount bigint not null, note text);
  create table orders (id bigint generated always as identity primary key, account_id int not null references accounts on delete cascade, item text not null);
  insert into accounts select i, 'owner ' || i, 1000, null from generate_series(1, 200) i;`;

export const LOAD_TABLES_YAML = `
  public.accounts: { entity: account, name: "{owner}" }
  public.orders:   { entity: order, name: "{item}" }`;

export function startLoad(options: {
  readonly url: string;
  readonly writers: number;
  readonly seed: number;
  readonly pauseMs?: number;
}): Load {
  let running = true;
  let transactions = 0;
  const writers = Array.from({ length: options.writers }, async (_, index) => {
    const random = generator(options.seed + index);
    const client = new pg.Client(options.url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      while (running) {
        try {
          await client.query(transaction(random));
          transactions++;
        } catch (error) {
          // Two writers get into each other's way (deadlock, same key, vanished parent): PostgreSQL undoes one of them.
          if (!/^(23|40)/.test((error as { code?: string }).code ?? '')) throw error;
          await client.query('rollback');
        }
        if (options.pauseMs !== undefined) await delay(options.pauseMs);
      }
    } finally {
      await client.end();
    }
  });
  return {
    transactions: () => transactions,
    stop: async () => {
      running = false;
      await Promise.all(writers);
    },
  };
}

/** One to five changes; now and then a bigger one, a delete that cascades, or one that is rolled back. */
function transaction(random: (below: number) => number): string {
  const statements = ['begin'];
  for (let count = 1 + random(5); count > 0; count--) statements.push(statement(random));
  if (random(20) === 0) {
    statements.push(
      `savepoint s; update accounts set note = 'undone' where id = ${1 + random(200)}; rollback to s`,
    );
  }
  if (random(50) === 0)
    statements.push(
      `insert into orders (account_id, item) select id, 'bulk ' || id from accounts where id <= 100`,
    );
  statements.push(random(15) === 0 ? 'rollback' : 'commit');
  return statements.join('; ');
}

function statement(random: (below: number) => number): string {
  const id = 1 + random(200);
  switch (random(6)) {
    case 0:
      return `insert into orders (account_id, item) select id, 'item ${random(1_000_000)}' from accounts where id = ${id}`;
    case 1:
      return `delete from orders where id in (select id from orders order by id limit ${1 + random(4)})`;
    case 2:
      return `update accounts set note = ${random(3) === 0 ? 'null' : `'note ${random(1_000_000)}'`} where id = ${id}`;
    case 3:
      return `delete from accounts where id = ${id}; insert into accounts values (${id}, 'owner ${random(1000)}', 0, null)`;
    default:
      return `update accounts set amount = amount + ${1 + random(100)} where id = ${id}`;
  }
}

/** mulberry32: small, seeded, good enough for test data. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}
