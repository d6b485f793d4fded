import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { withClient } from '../pg/connect.js';
import { startPostgres, type EmbeddedPostgres } from './postgres.js';

/** The embedded PostgreSQL with the sample CRM and a database for its trail. */
export interface Sample {
  readonly sourceUrl: string;
  readonly trailUrl: string;
  readonly postgres: EmbeddedPostgres;
}

/** The same path from dist/embedded and from src/embedded. */
const SAMPLE_CRM = path.resolve(import.meta.dirname, '../../sql/sample/crm.sql');

/**
 * Starts the cluster in `home` and creates what is missing of the two databases. Throws what {@link
 * startPostgres} throws.
 */
export async function startSample(options: {
  readonly home: string;
  readonly onProgress: (phrase: string) => void;
}): Promise<Sample> {
  const postgres = await startPostgres(options);
  try {
    await postgres.createDatabase('crm');
    await postgres.createDatabase('trail');
    const sourceUrl = postgres.url('crm');
    await loadOnce(sourceUrl, options.onProgress);
    return { sourceUrl, trailUrl: postgres.url('trail'), postgres };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/**
 * Loads the sample in one transaction. If a start is interrupted, the next one still finds the database
 * empty.
 */
async function loadOnce(url: string, onProgress: (phrase: string) => void): Promise<void> {
  await withClient({ url, purpose: 'sample crm' }, async (client) => {
    const { rowCount } = await client.query(
      /* sql */ `select from pg_class where relnamespace = 'public'::regnamespace limit 1`,
    );
    if (rowCount !== 0) return;
    onProgress('creating the sample CRM');
    // Statements sent as one simple query are one transaction.
    await client.query(await readFile(SAMPLE_CRM, 'utf8'));
    await client.query('analyze');
  });
}
