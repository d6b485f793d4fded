import pg from 'pg';
import { isWaltrailError } from '../errors.js';
import { connectError, type Address } from './connect-error.js';

type Callback = Parameters<pg.Pool['connect']>[0];

/**
 * Messages of pg-pool when all its connections are in use, or when it was ended. No server is at fault then.
 */
const OF_THE_POOL = /^(?:timeout exceeded when trying to connect$|Cannot use a pool after calling end)/;

/**
 * A pool that knows its database. If it cannot open a connection, it throws the same errors as a single
 * connection does (connect-error.ts), also to a caller that only runs a statement.
 */
export class AddressedPool extends pg.Pool {
  readonly #address: Address;

  constructor({ url, side }: Address, config: pg.PoolConfig) {
    super(config);
    this.#address = { url, side };
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Callback): void;
  override connect(callback?: Callback): Promise<pg.PoolClient> | void {
    if (callback === undefined)
      return super.connect().catch((error: unknown) => {
        throw this.#told(error);
      });
    super.connect((error, client, done) =>
      callback(error === undefined ? undefined : this.#told(error), client, done),
    );
  }

  #told(error: unknown): Error {
    if (isWaltrailError(error)) return error;
    const thrown = error as Error;
    return OF_THE_POOL.test(thrown.message) ? thrown : connectError(this.#address, thrown);
  }
}
