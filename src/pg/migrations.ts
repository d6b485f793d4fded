import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { runner } from 'node-pg-migrate';
import type pg from 'pg';
import { isWaltrailError, WaltrailError } from '../errors.js';
import type { Log } from '../log.js';
import { refuseForeignSchema } from './own-schema.js';
import { quoteIdentifier } from './quote.js';
import { serverSays } from './server-message.js';
import { INSUFFICIENT_PRIVILEGE, sqlStateOf } from './sql-state.js';

export interface MigrateOptions {
  /** A connected client without a running statement. It stays open. */
  readonly client: pg.Client;
  /** `host:port/database`, for error messages. */
  readonly database: string;
  /** Absolute path of the numbered .sql files. */
  readonly folder: string;
  /**
   * The schema that the files fill. It is created if missing. It holds the list of applied files,
   * `<schema>.migration`.
   */
  readonly schema: string;
  readonly log: Log;
}

/**
 * Applies the files of a folder that a database does not have yet, in the order of their numbers and in one
 * transaction. Migrations go forward only: a released file is never edited. Several processes may call this
 * function at once: one works, and the others wait. Throws PG_MIGRATION_FAILED (nothing was changed),
 * PG_MIGRATION_NEWER (the database knows files that are not in the folder) and PG_SCHEMA_FOREIGN.
 */
export async function migrate(options: MigrateOptions): Promise<void> {
  // At a usual start there is nothing to apply. Finding that out needs only the right to read.
  if ((await pendingMigrations(options)).length === 0) return;

  let current = 'the list of migrations';
  try {
    const done = await runner({
      dbClient: options.client,
      dir: options.folder,
      direction: 'up',
      migrationsSchema: options.schema,
      createMigrationsSchema: true,
      migrationsTable: 'migration',
      advisoryLockMode: 'wait',
      singleTransaction: true,
      logger: SILENT,
      migrationLoaderStrategies: [
        {
          extensions: ['.sql'],
          loader: (paths) =>
            Promise.all(
              paths.map(async (file) => {
                const sql = await readFile(file, 'utf8');
                const name = path.basename(file, '.sql');
                const up = (builder: { sql(text: string): void }): void => {
                  current = name;
                  builder.sql(sql);
                };
                return { id: file, filePaths: [file], actions: { up, down: false } };
              }),
            ),
        },
      ],
    });
    if (done.length > 0) {
      options.log.info({ database: options.database, migrations: done.map(({ name }) => name) }, 'migrated');
    }
  } catch (error) {
    throw migrationError(options, { current, error });
  }
}

/**
 * Returns the names of the files that a database does not have yet. Throws PG_MIGRATION_FAILED,
 * PG_MIGRATION_NEWER and PG_SCHEMA_FOREIGN.
 */
export async function pendingMigrations(options: Omit<MigrateOptions, 'log'>): Promise<string[]> {
  const files = (await readdir(options.folder)).filter((file) => file.endsWith('.sql')).sort();
  const names = files.map((file) => path.basename(file, '.sql'));
  const applied = await appliedMigrations(options);
  const foreign = applied.filter((name) => !names.includes(name));
  if (foreign.length > 0) {
    throw new WaltrailError(
      'PG_MIGRATION_NEWER',
      `${options.database} was migrated by a newer version of Waltrail (${foreign.join(', ')}).`,
    );
  }
  return names.filter((name) => !applied.includes(name));
}

/**
 * Returns an error that names the migration, the message of the server, and the statement that grants a
 * missing right.
 */
function migrationError(
  { client, database, schema }: Omit<MigrateOptions, 'log'>,
  { current, error }: { readonly current: string; readonly error: unknown },
): WaltrailError {
  if (isWaltrailError(error)) return error;
  const sqlState = sqlStateOf(error);
  const remedy = (): string => {
    const { user, database: name } = client;
    const role = quoteIdentifier(user ?? '');
    return (
      `Run as the owner of the database: grant create on database ${quoteIdentifier(name ?? '')} to ${role}; ` +
      `or, if schema ${schema} already exists: alter schema ${quoteIdentifier(schema)} owner to ${role}; Nothing was changed.`
    );
  };
  return new WaltrailError(
    'PG_MIGRATION_FAILED',
    `${database}: ${current} failed${sqlState === undefined ? '' : ` (${serverSays(error)})`}.`,
    { cause: error, ...(sqlState === INSUFFICIENT_PRIVILEGE ? { remedy: remedy() } : {}) },
  );
}

async function appliedMigrations(options: Omit<MigrateOptions, 'log'>): Promise<string[]> {
  const { client, schema } = options;
  const table = `${schema}.migration`;
  try {
    await refuseForeignSchema(client, options);
    const { rows } = await client.query<{ made: boolean }>('select to_regclass($1) is not null as made', [
      table,
    ]);
    if (!rows[0]!.made) return [];
    const applied = await client.query<{ name: string }>(`select name from ${table} order by id`);
    return applied.rows.map(({ name }) => name);
  } catch (error) {
    throw migrationError(options, { current: 'reading the list of migrations', error });
  }
}

/**
 * Silences the library, which prints whole files on an error. The error of {@link migrationError} names the
 * file and has the cause.
 */
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}
